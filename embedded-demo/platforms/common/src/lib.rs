//! What all platforms share: how the demo ends, what the stack and the sections take.
#![no_std]

mod bench;
mod end;
mod fault;
mod loaded;
mod sections;
pub mod stack;

use defmt_semihosting as _; // brings the log transport

pub use end::{finish, idle};
pub use fault::Fault;
pub use loaded::loaded;
pub use sections::sections;
