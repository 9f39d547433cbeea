//! A decoder-only transformer: configuration, weights, key-value cache, forward pass, sampling.

mod config;

pub use config::{Activation, Config, ConfigError, MAX_DIMENSION, Norm};
