//! What the engine's tests share: random models, an aligned buffer, and the reference decoder.
#![allow(dead_code, unused_imports, reason = "every test binary uses its own part")]

pub mod model;
pub mod reference;

pub use model::{AlignedBytes, TestModel};
