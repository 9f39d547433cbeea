//! The story: drawn with a fixed seed after a fixed prompt, so that every machine tells the same one.

use crc::{CRC_32_ISO_HDLC, Crc};
use expe_core::Error;
use expe_core::model::{Decoder, KvCache, Sampler, Workspace};
use expe_core::position::PositionEncoding;
use heapless::Vec;

use crate::text::TextPrinter;
use crate::{PROMPT, STORY_TOKENS};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// How the tokens are drawn; a small model that always takes the likeliest one repeats itself.
const TEMPERATURE: f32 = 0.7;
const TOP_K: usize = 20;
const SEED: u64 = 1;

/// What was generated, to be compared with another machine's.
pub struct Story {
    /// The tokens after the prompt.
    pub tokens: Vec<u32, STORY_TOKENS>,
    /// CRC-32 of the tokens, as little-endian `u32`s.
    pub token_digest: u32,
    /// CRC-32 of the logits that each of them was chosen from, as little-endian `f32`s.
    pub logit_digest: u32,
}

/// Generates the story and logs its text as it comes.
///
/// # Errors
/// Those of the engine; none for a model that was exported well.
pub fn tell<P: PositionEncoding>(
    decoder: &Decoder<'_, P>,
    cache: &mut KvCache<'_>,
    workspace: &mut Workspace<'_>,
) -> Result<Story, Error> {
    let tokenizer = decoder.model().tokenizer();
    let mut sampler = Sampler::new(TEMPERATURE, TOP_K, SEED)?;
    let mut text = TextPrinter::default();
    let mut tokens = Vec::new();
    let (mut token_digest, mut logit_digest) = (CRC.digest(), CRC.digest());

    let mut prompt = [0; PROMPT.len()];
    let prompt = tokenizer.encode(PROMPT.as_bytes(), &mut prompt)?;
    text.print(PROMPT.bytes());

    let mut logits = decoder.forward(prompt, cache, workspace)?;
    loop {
        let token = sampler.sample(logits)?;
        logits.iter().for_each(|logit| logit_digest.update(&logit.to_le_bytes()));
        token_digest.update(&token.to_le_bytes());
        text.print(tokenizer.decode(token).into_iter().flatten());
        if tokens.push(token).is_err() || tokens.is_full() {
            break;
        }
        logits = decoder.forward(&[token], cache, workspace)?;
    }
    text.finish();
    Ok(Story {
        tokens,
        token_digest: token_digest.finalize(),
        logit_digest: logit_digest.finalize(),
    })
}
