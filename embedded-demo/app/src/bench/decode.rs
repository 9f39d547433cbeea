use expe_core::{Attend, CacheFormat, Decoder, Logit, Model};
use zerocopy::IntoBytes;

use super::measure;
use crate::memory::take;
use crate::transcript::CRC;
use crate::{Error, InstructionCounter};

/// Number of tokens to decode, starting at position 0.
const TOKENS: usize = 64;

/// Measures greedy decoding, one token at a time, starting with token 1.
#[inline(never)]
pub fn decode<A, S>(
    name: &str,
    model: &Model<'_>,
    mut memory: &mut [u32],
    counter: &impl InstructionCounter,
) -> Result<(), Error>
where
    A: Attend<S>,
    S: CacheFormat,
{
    let decoder = Decoder::<_, A>::with_arithmetic(model, model.position()?)?;
    let cache = take(&mut memory, model.config().cache_len::<S>(TOKENS))?;
    let mut cache = decoder.cache::<S>(TOKENS, cache)?;
    let mut workspace = decoder.workspace(1, TOKENS, memory)?;

    measure(name, TOKENS as u32, counter, || {
        let mut token = 1;
        for _ in 0..TOKENS {
            let logits = decoder.forward(&[token], &mut cache, &mut workspace)?;
            token = likeliest(logits);
        }
        Ok::<(), Error>(())
    })?;

    // A second run computes the digest, which must not be measured.
    cache.clear();
    let mut digest = CRC.digest();
    let mut token = 1;
    for _ in 0..TOKENS {
        let logits = decoder.forward(&[token], &mut cache, &mut workspace)?;
        digest.update(logits.as_bytes());
        token = likeliest(logits);
    }
    defmt::println!("digest of all logits {=u32:#010x}", digest.finalize());
    Ok(())
}

fn likeliest<R: Logit>(logits: &[R]) -> u32 {
    let largest = (0u32..).zip(logits).max_by_key(|(_, logit)| logit.order());
    largest.map_or(0, |(token, _)| token)
}
