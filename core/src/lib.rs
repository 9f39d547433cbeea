//! Exact positional encodings and a small transformer engine: `no_std`, no allocator, no panic.
#![no_std]

pub mod position;
