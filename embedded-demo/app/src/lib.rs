//! The board-independent part of the firmware: demos, which generate a story with a model in flash, and benchmarks,
//! which count the instructions of the engine.
//!
//! The `main` function of a board declares the memory and lists the demos; the platform crate runs them and ends the
//! program. There is no heap: models are read in place from flash, and the compiler computes the size of the memory
//! from the headers of the model files.
#![no_std]
#![forbid(unsafe_code)]

pub mod bench;
mod costs;
mod counter;
mod demo;
mod error;
mod memory;
mod story;
mod text;
mod transcript;

pub use counter::{InstructionCounter, Moment};
pub use demo::{Demo, ENDLESS, POCKET, STORIES, STORIES_IN_FLOATS};
pub use error::Error;
pub use memory::{Memory, largest};
