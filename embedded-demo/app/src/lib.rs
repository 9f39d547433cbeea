//! The board-independent part of the firmware: reads the models in flash and tells stories with
//! them.
//!
//! A platform brings the entry point, the log transport and the way out, and calls [`run`]. There
//! is no heap: a model is read where the linker put it, and the memory is a static whose size the
//! compiler works out from the model files' headers.
#![no_std]
#![forbid(unsafe_code)]

pub mod bench;
mod cost;
mod demo;
mod error;
mod machine;
mod memory;
mod program;
mod story;
mod text;
mod transcript;

pub use demo::{Demo, Endless, Pocket, Stories, StoriesInFloats};
pub use error::Error;
pub use machine::{Machine, Moment, Sections};
pub use memory::Memory;
pub use program::Program;

/// Runs the demos of `P` and logs what they give and what they take.
///
/// # Errors
/// A model file is damaged, or `run` was called before.
pub fn run<P: Program, const WORDS: usize>(
    memory: &'static Memory<P, WORDS>,
    machine: &impl Machine,
) -> Result<(), Error> {
    P::run(memory.take().ok_or(Error::Running)?, machine)?;

    let Sections { code, constants, data, zeroed } = machine.sections();
    defmt::println!(
        "flash: code {=usize} bytes, constants with models {=usize} bytes, initial values {=usize} bytes",
        code,
        constants,
        data,
    );
    defmt::println!(
        "RAM: variables {=usize} bytes, of which buffers {=usize} bytes, stack {=usize} of {=usize} bytes",
        data + zeroed,
        WORDS * size_of::<u32>(),
        machine.stack_used(),
        machine.stack_size(),
    );
    Ok(())
}
