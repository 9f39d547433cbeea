//! What all platforms share: running a program to its end, faults, and the use of memory.
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
