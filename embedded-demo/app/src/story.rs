//! The story: drawn with a fixed seed after a fixed prompt, so that every machine tells the same one.

use crc::{CRC_32_ISO_HDLC, Crc};
use expe_core::format::Model;
use expe_core::kernels::F32;
use expe_core::model::{Decoder, KvCache, Sampler, Workspace};

use crate::cost::Cost;
use crate::text::TextPrinter;
use crate::{Demo, Machine};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// How the tokens are drawn; a small model that always takes the likeliest one repeats itself.
const TEMPERATURE: f32 = 0.7;
const TOP_K: usize = 20;
const SEED: u64 = 1;

/// Tells the story of `D` and logs it.
///
/// # Errors
/// Those of the engine; none for a model that was exported well.
pub fn tell<D: Demo>(memory: &mut [u32], machine: &impl Machine) -> Result<(), expe_core::Error> {
    let (cache, rest) = memory.split_at_mut_checked(D::CACHE).unwrap_or_default();
    let (workspace, rest) = rest.split_at_mut_checked(D::WORKSPACE).unwrap_or_default();
    let (prompt, tokens) = rest.split_at_mut_checked(D::PROMPT.len()).unwrap_or_default();

    let model = Model::new(D::MODEL)?;
    let decoder = Decoder::new(&model, model.position()?)?;
    let mut cache = KvCache::<F32>::new(model.config(), D::CAPACITY, cache)?;
    let mut workspace = Workspace::new(model.config(), D::CHUNK, D::CAPACITY, workspace)?;
    let mut sampler = Sampler::new(TEMPERATURE, TOP_K, SEED)?;
    let mut text = TextPrinter::default();
    let mut cost = Cost::default();
    let (mut token_digest, mut logit_digest) = (CRC.digest(), CRC.digest());

    defmt::println!("demo {=str}", D::NAME);
    let prompt = model.tokenizer().encode(D::PROMPT.as_bytes(), prompt)?;
    text.print(D::PROMPT.bytes());
    let mut logits = decoder.forward(prompt, &mut cache, &mut workspace)?;
    let mut told = 0;
    for token in tokens.iter_mut().take(D::TOKENS) {
        *token = sampler.sample(logits)?;
        told += 1;
        logits.iter().for_each(|logit| logit_digest.update(&logit.to_le_bytes()));
        token_digest.update(&token.to_le_bytes());
        text.print(model.tokenizer().decode(*token).into_iter().flatten());
        if cache.len() == cache.capacity() {
            break;
        }
        logits = cost.count(machine, || decoder.forward(&[*token], &mut cache, &mut workspace))?;
    }
    text.finish();

    defmt::println!("tokens {=[?]}", tokens.get(..told).unwrap_or_default());
    defmt::println!("digest of the tokens {=u32:#010x}", token_digest.finalize());
    defmt::println!("digest of all logits {=u32:#010x}", logit_digest.finalize());
    cost.log();
    defmt::println!("model {=usize} bytes", D::MODEL.len());
    defmt::println!(
        "cache {=usize} bytes for {=usize} positions, workspace {=usize} bytes",
        D::CACHE * size_of::<u32>(),
        D::CAPACITY,
        D::WORKSPACE * size_of::<u32>(),
    );
    Ok(())
}
