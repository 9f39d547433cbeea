//! From a model file to a sampled token and its text.

use core::hint::black_box;

use expe_core::format::{self, Model};
use expe_core::model::{Decoder, KvCache, Sampler, Workspace};
use expe_core::num::{Approximate, Math};
use expe_core::position::PositionEncoding;
use expe_core::token::TextStream;

/// All that the outside world decides.
#[derive(Default)]
pub struct Inputs {
    file: &'static [u8],
    prompt: &'static [u8],
    tokens: &'static mut [u32],
    cache: &'static mut [f32],
    workspace: &'static mut [f32],
    context: usize,
    chunk: usize,
    temperature: f32,
    top_k: usize,
    seed: u64,
}

/// Generates as firmware does; the last token.
pub fn generate(inputs: Inputs) -> Option<u32> {
    let Inputs { file, prompt, tokens, context, chunk, .. } = inputs;
    black_box(format::config(file).ok()?);
    let model = Model::new(file).ok()?;
    let config = model.config();
    let mut cache = KvCache::new(config, context, inputs.cache).ok()?;
    let mut workspace = Workspace::new(config, chunk, context, inputs.workspace).ok()?;
    let mut sampler = Sampler::new(inputs.temperature, inputs.top_k, inputs.seed).ok()?;
    let tokens = model.tokenizer().encode(prompt, tokens).ok()?;

    let decoder = Decoder::new(&model, model.position().ok()?).ok()?;
    let exact = continue_text(&decoder, tokens, &mut cache, &mut workspace, &mut sampler);
    cache.truncate(context / 2);
    let each = decoder.forward_each(tokens, &mut cache, &mut workspace, |_, logits| {
        black_box(logits);
    });
    each.ok()?;
    cache.clear();
    let decoder = decoder.with_math::<Approximate>();
    exact.or(continue_text(&decoder, tokens, &mut cache, &mut workspace, &mut sampler))
}

/// One step: logits, a token, its characters.
fn continue_text<P: PositionEncoding, M: Math>(
    decoder: &Decoder<'_, P, M>,
    tokens: &[u32],
    cache: &mut KvCache<'_>,
    workspace: &mut Workspace<'_>,
    sampler: &mut Sampler,
) -> Option<u32> {
    let token = sampler.sample(decoder.forward(tokens, cache, workspace).ok()?).ok()?;
    let mut stream = TextStream::new();
    for byte in decoder.model().tokenizer().decode(token)? {
        stream.push(byte, |character| {
            black_box(character);
        });
    }
    stream.finish(|character| {
        black_box(character);
    });
    Some(token)
}
