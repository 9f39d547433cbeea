//! Train, compare, export and run transformers with exact positional encodings.

pub mod atomic;
pub mod bench;
pub mod compare;
pub mod config;
pub mod data;
pub mod device;
pub mod engine;
pub mod eval;
pub mod export;
pub mod model;
pub mod ops;
pub mod quantize;
pub mod report;
pub mod train;
