//! A decoder-only transformer: weights, key-value cache, forward pass, sampling.
//!
//! `arithmetic` and `attention` say how a step is computed, in floats or in integers; `forward` says
//! which steps a model consists of; `decoder` checks what the caller gives and runs them.

mod arithmetic;
mod attention;
mod bounds;
mod decoder;
mod error;
mod float;
mod forward;
mod integer;
mod kv_cache;
mod logit;
mod observe;
mod sampler;
mod units;
mod weights;
mod workspace;

pub use arithmetic::Arithmetic;
pub use attention::{Attend, CacheRun, HeadPosition, Past};
pub use decoder::{Decoder, observe};
pub use error::{DecodeError, MemoryError};
pub use float::Float;
pub use forward::ForwardPass;
pub use integer::Integer;
pub use kv_cache::KvCache;
pub use logit::Logit;
pub use observe::Observe;
pub use sampler::{SampleError, Sampler};
pub use weights::{Layer, Layers, Model};
pub use workspace::Workspace;
