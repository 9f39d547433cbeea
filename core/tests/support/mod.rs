//! Shared by the engine's tests: random models, an aligned buffer, and the reference decoder.
#![allow(dead_code, unused_imports, reason = "every test binary uses a part of it")]

pub mod model;
pub mod reference;

pub use model::{AlignedBytes, TestModel};
