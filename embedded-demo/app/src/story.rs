//! The story: drawn with a fixed seed after a fixed prompt, so that every machine tells the same one.

use expe_core::internals::Arithmetic;
use expe_core::{Decoder, KvCache, Model, Sampler, Workspace};
use zerocopy::IntoBytes;

use crate::cost::Cost;
use crate::text::TextPrinter;
use crate::transcript::Transcript;
use crate::{Demo, Error, Machine};

/// How the tokens are drawn; a small model that always takes the likeliest one repeats itself.
const TEMPERATURE: f32 = 0.7;
const TOP_K: usize = 20;
const SEED: u64 = 1;

/// The decoder of a demo.
pub type DecoderOf<D> = Decoder<'static, <D as Demo>::Position, <D as Demo>::Arithmetic>;

/// Checks the model file of `D` and makes a decoder of it.
///
/// Apart from [`tell`], so that the two do not need the stack at the same time.
///
/// # Errors
/// The file is damaged, or the arithmetic cannot run it.
#[inline(never)]
pub fn decoder<D: Demo>() -> Result<DecoderOf<D>, Error> {
    match &Model::new(D::MODEL) {
        Ok(model) => {
            let arithmetic = D::Arithmetic::new(model)?;
            Ok(Decoder::with_arithmetic(model, D::position()?, arithmetic)?)
        }
        Err(error) => Err((*error).into()),
    }
}

/// Tells the story of `D` and logs it.
///
/// # Errors
/// Those of the engine; none for a model that was exported well.
#[inline(never)]
pub fn tell<D: Demo>(
    decoder: &DecoderOf<D>,
    memory: &mut [u32],
    machine: &impl Machine,
) -> Result<(), Error> {
    let (cache, rest) = memory.split_at_mut_checked(D::CACHE_LEN).unwrap_or_default();
    let (workspace, rest) = rest.split_at_mut_checked(D::WORKSPACE_LEN).unwrap_or_default();
    let (prompt, tokens) = rest.split_at_mut_checked(D::PROMPT.len()).unwrap_or_default();
    let tokens = tokens.get_mut(..D::PRINTED_TOKENS).unwrap_or_default();
    let tokenizer = decoder.model().tokenizer();
    let mut cache = match D::SINKS {
        Some(sinks) => KvCache::<D::Cache>::ring(&D::CONFIG, D::CAPACITY, sinks, cache)?,
        None => KvCache::<D::Cache>::new(&D::CONFIG, D::CAPACITY, cache)?,
    };
    let mut workspace = Workspace::new(&D::CONFIG, D::CHUNK, D::CAPACITY, workspace)?;
    let mut sampler = Sampler::new(TEMPERATURE, TOP_K, SEED)?;
    let mut text = TextPrinter::default();
    let mut transcript = Transcript::new(tokens);
    let mut cost = Cost::default();

    defmt::println!("demo {=str}", D::NAME);
    let prompt = tokenizer.encode(D::PROMPT.as_bytes(), prompt)?;
    text.print(D::PROMPT.bytes());
    let mut chunks = prompt.chunks(D::CHUNK.max(1));
    let mut token = [0];
    let mut told = 0;
    while told < D::TOKENS && (cache.is_ring() || cache.len() < cache.capacity()) {
        let (input, prompted) = chunks.next().map_or((&token[..], false), |chunk| (chunk, true));
        let mut pass = decoder.start(input, &mut cache, &mut workspace)?;
        // One layer per step: between them a watchdog could be fed.
        cost.of(machine, || while pass.step() {});
        if chunks.len() > 0 {
            continue;
        }
        let logits = pass.logits();
        let next = cost.of(machine, || sampler.sample(logits))?;
        cost.next(prompted);
        transcript.push(next, logits.as_bytes());
        if D::PRINTED {
            text.print(tokenizer.decode(next).into_iter().flatten());
        }
        token = [next];
        told += 1;
    }
    text.finish();
    transcript.finish();
    cost.log();
    defmt::println!("model {=usize} bytes", D::MODEL.len());
    defmt::println!(
        "cache {=usize} bytes for {=usize} positions, workspace {=usize} bytes",
        D::CACHE_LEN * size_of::<u32>(),
        D::CAPACITY,
        D::WORKSPACE_LEN * size_of::<u32>(),
    );
    Ok(())
}
