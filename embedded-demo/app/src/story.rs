//! Generates a story. The sampler has a fixed seed, so that every machine tells the same one.

use expe_core::position::{Expe, PositionEncoding};
use expe_core::{Attend, CacheFormat, Decoder, Model, Sampler};
use zerocopy::IntoBytes;

use crate::costs::TokenCosts;
use crate::demo::PROMPT;
use crate::memory::take;
use crate::text::TextPrinter;
use crate::transcript::Transcript;
use crate::{Demo, Error, InstructionCounter};

/// Sampling instead of the likeliest token: a small model would repeat itself.
const TEMPERATURE: f32 = 0.7;
const TOP_K: usize = 20;
const SEED: u64 = 1;

impl<A: Attend<S>, S: CacheFormat> Demo<A, S> {
    /// Generates the story with a model whose position encoding is ExPE, and logs it.
    ///
    /// # Errors
    /// [`Error::OtherPosition`] for another encoding, [`Error::Engine`] for a damaged model.
    pub fn tell(&self, memory: &mut [u32], counter: &impl InstructionCounter) -> Result<(), Error> {
        self.tell_with(expe, memory, counter)
    }

    /// Generates the story with the position encoding that `position` makes for the model, and logs
    /// it.
    ///
    /// # Errors
    /// Those of `position`, and [`Error::Engine`] for a damaged model.
    #[inline(never)] // demos that run one after the other must not add up their stacks
    pub fn tell_with<P: PositionEncoding>(
        &self,
        position: impl FnOnce(&Model<'static>) -> Result<P, Error>,
        memory: &mut [u32],
        counter: &impl InstructionCounter,
    ) -> Result<(), Error> {
        // Matched in place: `?` would put a second copy of the decoder on the stack.
        match &self.decoder(position) {
            Ok(decoder) => self.generate(decoder, memory, counter),
            Err(error) => Err(*error),
        }
    }

    /// Checks the model file and makes a decoder of it.
    #[inline(never)] // its stack is free again when the story begins
    fn decoder<P: PositionEncoding>(
        &self,
        position: impl FnOnce(&Model<'static>) -> Result<P, Error>,
    ) -> Result<Decoder<'static, P, A>, Error> {
        match &Model::new(self.model) {
            Ok(model) => Ok(Decoder::with_arithmetic(model, position(model)?)?),
            Err(error) => Err((*error).into()),
        }
    }

    /// Generates the story: reads the prompt, then samples one token after the other.
    #[inline(never)]
    fn generate<P: PositionEncoding>(
        &self,
        decoder: &Decoder<'static, P, A>,
        mut memory: &mut [u32],
        counter: &impl InstructionCounter,
    ) -> Result<(), Error> {
        let config = decoder.model().config();
        let cache_len = config.cache_len::<S>(self.capacity);
        let workspace_len = config.workspace_len(self.chunk, self.capacity);
        let cache = take(&mut memory, cache_len)?;
        let workspace = take(&mut memory, workspace_len)?;
        let prompt = take(&mut memory, PROMPT.len())?;
        let tokens = take(&mut memory, self.printed_tokens())?;

        let mut cache = match self.sinks {
            Some(sinks) => decoder.ring_cache::<S>(self.capacity, sinks, cache)?,
            None => decoder.cache::<S>(self.capacity, cache)?,
        };
        let mut workspace = decoder.workspace(self.chunk, self.capacity, workspace)?;
        let mut sampler = Sampler::new(TEMPERATURE, TOP_K, SEED)?;
        let mut text = TextPrinter::default();
        let mut transcript = Transcript::new(tokens);
        let mut costs = TokenCosts::default();

        defmt::println!("demo {=str}", self.name);
        let tokenizer = decoder.model().tokenizer();
        let prompt = tokenizer.encode(PROMPT.as_bytes(), prompt)?;
        text.print(PROMPT.bytes());
        let mut chunks = prompt.chunks(self.chunk.max(1));
        let mut token = [0];
        let mut generated = 0;
        while generated < self.tokens && (cache.is_ring() || cache.len() < cache.capacity()) {
            // First the prompt, then each token that was generated.
            let chunk = chunks.next();
            let mut forward = decoder.start(chunk.unwrap_or(&token), &mut cache, &mut workspace)?;
            // A step computes one layer; firmware can do other work between two of them.
            costs.measure(counter, || while forward.step() {});
            if chunks.len() > 0 {
                continue;
            }
            let logits = forward.logits();
            let next = costs.measure(counter, || sampler.sample(logits))?;
            match chunk {
                // The first token waits for the whole prompt.
                Some(_) => costs.discard_token(),
                None => costs.end_token(),
            }
            transcript.push(next, logits.as_bytes());
            if self.print {
                text.print(tokenizer.decode(next).into_iter().flatten());
            }
            token = [next];
            generated += 1;
        }

        text.finish();
        transcript.finish();
        costs.log();
        defmt::println!("model {=usize} bytes", self.model.len());
        defmt::println!(
            "cache {=usize} bytes for {=usize} positions, workspace {=usize} bytes",
            cache_len * size_of::<u32>(),
            self.capacity,
            workspace_len * size_of::<u32>(),
        );
        Ok(())
    }
}

/// Makes the ExPE of a model. `Model::position` would link all other encodings too, 12 KB of flash.
fn expe(model: &Model<'_>) -> Result<Expe, Error> {
    model.config().position.build_expe()?.ok_or(Error::OtherPosition)
}
