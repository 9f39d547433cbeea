//! Calls the engine from loading a model file to sampling a token and printing its text.

use core::hint::black_box;

use expe_core::num::Approximate;
use expe_core::position::PositionEncoding;
use expe_core::{
    Attend, CacheFormat, Config, Decoder, F16, F32, I8, KvCache, Model, Sampler, TextStream,
    Workspace,
};

/// Inputs that are unknown to the optimizer.
#[derive(Default)]
pub struct Inputs {
    file: &'static [u8],
    prompt: &'static [u8],
    tokens: &'static mut [u32],
    cache: &'static mut [u32],
    ring: &'static mut [u32],
    workspace: &'static mut [u32],
    context: usize,
    sinks: usize,
    chunk: usize,
    temperature: f32,
    top_k: usize,
    seed: u64,
}

/// Generates a token as firmware does, with every arithmetic and every cache format.
pub fn generate(inputs: Inputs) -> Option<u32> {
    let Inputs { file, prompt, tokens, context, chunk, .. } = inputs;
    black_box(Config::from_file(file).ok()?);
    let model = Model::new(file).ok()?;
    let mut sampler = Sampler::new(inputs.temperature, inputs.top_k, inputs.seed).ok()?;
    let tokens = model.tokenizer().encode(prompt, tokens).ok()?;
    let position = model.position().ok()?;

    let exact = Decoder::new(&model, position).ok()?;
    let mut workspace = exact.workspace(chunk, context, inputs.workspace).ok()?;
    let mut engine = Engine { tokens, workspace: &mut workspace, sampler: &mut sampler };
    let first = engine.run(&exact, exact.cache::<F32>(context, inputs.cache).ok()?);
    let second = engine.run(&exact, exact.cache::<F16>(context, inputs.cache).ok()?);
    let third = engine.run(&exact, exact.cache::<I8>(context, inputs.cache).ok()?);
    let approximate = exact.with_math::<Approximate>();
    let fourth = engine.run(&approximate, approximate.cache::<F32>(context, inputs.cache).ok()?);
    let integer = Decoder::integer(&model, position).ok()?;
    let ring = integer.ring_cache::<I8>(context, inputs.sinks, inputs.ring).ok()?;
    first.or(second).or(third).or(fourth).or(engine.run(&integer, ring))
}

/// State shared by all runs.
struct Engine<'a, 'w> {
    tokens: &'a [u32],
    workspace: &'a mut Workspace<'w>,
    sampler: &'a mut Sampler,
}

impl Engine<'_, '_> {
    /// Reads the tokens with every method of the decoder, and samples and prints a token.
    fn run<P, A, S>(
        &mut self,
        decoder: &Decoder<'_, P, A>,
        mut cache: KvCache<'_, S, A>,
    ) -> Option<u32>
    where
        P: PositionEncoding,
        A: Attend<S>,
        S: CacheFormat,
    {
        let logits = decoder.forward(self.tokens, &mut cache, self.workspace).ok()?;
        let token = self.sampler.sample(logits).ok()?;
        let mut stream = TextStream::new();
        for byte in decoder.model().tokenizer().decode(token)? {
            stream.push(byte, |character| {
                black_box(character);
            });
        }
        stream.finish(|character| {
            black_box(character);
        });
        cache.truncate(cache.capacity() / 2);
        let each = decoder.forward_each(self.tokens, &mut cache, self.workspace, |_, logits| {
            black_box(logits);
        });
        each.ok()?;
        cache.clear();
        let mut forward = decoder.start(self.tokens, &mut cache, self.workspace).ok()?;
        while forward.step() {}
        black_box(forward.logits());
        Some(token)
    }
}
