//! Code shared by all platforms: running a program, faults, and memory usage.
#![no_std]

mod fault;
mod memory;
mod model;
mod run;
pub mod stack;

use defmt_semihosting as _; // the log transport

pub use fault::Fault;
pub use model::loaded_model;
pub use run::{idle, run};
