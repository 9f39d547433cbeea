//! The board-independent part of the firmware: reads the model in flash and tells a story with it.
//!
//! A platform brings the entry point, the log transport and the way out, and calls [`run`]. There
//! is no heap: the model is read where the linker put it, and the buffers are statics whose sizes
//! the compiler works out from the model file's header.
#![no_std]
#![forbid(unsafe_code)]

mod error;
mod memory;
mod story;
mod text;

pub use error::Error;

use expe_core::format::Model;
use expe_core::model::{Decoder, KvCache, Workspace};
use story::Story;

/// The story's first words.
const PROMPT: &str = include_str!("../../model/prompt.txt");

/// Tokens that the story goes on for: past the length that the model was trained on.
const STORY_TOKENS: usize = 128;

/// Tells the story and logs what it took. `stack_used` gives the bytes of stack used so far.
///
/// # Errors
/// The model file is damaged or does not fit the memory, or `run` was called before.
pub fn run(stack_used: fn() -> usize) -> Result<(), Error> {
    let (cache, workspace) = memory::take().ok_or(Error::Running)?;
    let story = tell(cache, workspace)?;

    defmt::println!("tokens {=[?]}", *story.tokens);
    defmt::println!("digest of the tokens {=u32:#010x}", story.token_digest);
    defmt::println!("digest of all logits {=u32:#010x}", story.logit_digest);
    defmt::info!("flash: model {=usize} bytes", memory::MODEL.len());
    defmt::info!(
        "RAM: cache {=usize} bytes for {=usize} positions, workspace {=usize} bytes, stack {=usize} bytes",
        memory::CACHE_BYTES,
        memory::CAPACITY,
        memory::WORKSPACE_BYTES,
        stack_used(),
    );
    Ok(())
}

fn tell(cache: &mut [f32], workspace: &mut [f32]) -> Result<Story, expe_core::Error> {
    let model = Model::new(memory::MODEL)?;
    let decoder = Decoder::new(&model, model.position()?)?;
    let mut cache = KvCache::new(model.config(), memory::CAPACITY, cache)?;
    let mut workspace = Workspace::new(model.config(), memory::CHUNK, memory::CAPACITY, workspace)?;
    story::tell(&decoder, &mut cache, &mut workspace)
}
