//! Train, compare, export and run transformers with exact positional encodings.

pub mod atomic;
pub mod data;
pub mod model;
pub mod report;
pub mod train;
