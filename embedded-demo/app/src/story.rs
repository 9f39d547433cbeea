//! Generation of a story. The sampler has a fixed seed, so that every machine generates the same story.

use expe_core::position::{Expe, PositionEncoding};
use expe_core::{Attend, CacheFormat, Decoder, Model, Sampler};
use zerocopy::IntoBytes;

use crate::costs::TokenCosts;
use crate::demo::PROMPT;
use crate::memory::take;
use crate::text::TextPrinter;
use crate::transcript::Transcript;
use crate::{Demo, Error, InstructionCounter};

/// Sampling parameters. With greedy decoding, a small model would repeat itself.
const TEMPERATURE: f32 = 0.7;
const TOP_K: usize = 20;
const SEED: u64 = 1;

impl<A: Attend<S>, S: CacheFormat> Demo<A, S> {
    /// Generates the story with a model whose position encoding is ExPE, and logs it.
    ///
    /// # Errors
    /// [`Error::OtherPosition`] for another encoding, [`Error::Engine`] for a damaged model.
    pub fn run(&self, memory: &mut [u32], counter: &impl InstructionCounter) -> Result<(), Error> {
        self.run_with(expe, memory, counter)
    }

    /// Generates the story with the position encoding that `position` returns for the model, and logs it.
    ///
    /// # Errors
    /// Returns the errors of `position`, and [`Error::Engine`] for a damaged model.
    #[inline(never)] // so that the stack frames of several demos do not add up in `main`
    pub fn run_with<P: PositionEncoding>(
        &self,
        position: impl FnOnce(&Model<'static>) -> Result<P, Error>,
        memory: &mut [u32],
        counter: &impl InstructionCounter,
    ) -> Result<(), Error> {
        // Matched by reference, because `?` would put a second copy of the decoder on the stack.
        match &self.decoder(position) {
            Ok(decoder) => self.generate(decoder, memory, counter),
            Err(error) => Err(*error),
        }
    }

    /// Checks the model file and creates its decoder.
    #[inline(never)] // so that its stack frame is released before generation starts
    fn decoder<P: PositionEncoding>(
        &self,
        position: impl FnOnce(&Model<'static>) -> Result<P, Error>,
    ) -> Result<Decoder<'static, P, A>, Error> {
        match &Model::new(self.model) {
            Ok(model) => Ok(Decoder::with_arithmetic(model, position(model)?)?),
            Err(error) => Err((*error).into()),
        }
    }

    /// Generates the story: reads the prompt, then samples one token at a time.
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
            // Reads the prompt in chunks, then each generated token.
            let chunk = chunks.next();
            let mut forward = decoder.start(chunk.unwrap_or(&token), &mut cache, &mut workspace)?;
            // Each step computes one layer. Firmware can do other work between steps.
            costs.measure(counter, || while forward.step() {});
            if chunks.len() > 0 {
                continue;
            }
            let logits = forward.logits();
            let next = costs.measure(counter, || sampler.sample(logits))?;
            match chunk {
                // The cost of the first token includes reading the prompt.
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

/// Creates the ExPE encoding of a model. `Model::position` would also link all other encodings, 12 KB of flash.
fn expe(model: &Model<'_>) -> Result<Expe, Error> {
    model.config().position.build_expe()?.ok_or(Error::OtherPosition)
}
