//! A decoder-only transformer: configuration, weights, key-value cache, forward pass, sampling.
//!
//! ```
//! # use expe_core::{Decoder, F32, KvCache, Model, Sampler, TextStream, Workspace};
//! # fn generate(file: &[u8], prompt: &[u8]) -> Result<String, Box<dyn core::error::Error>> {
//! let model = Model::new(file)?;
//! let config = model.config();
//! let decoder = Decoder::new(&model, model.position()?)?;
//!
//! // Room for 256 positions; prompts are read 8 tokens at a time.
//! let (mut cache, mut workspace) =
//!     (vec![0; config.cache_len::<F32>(256)], vec![0; config.workspace_len(8, 256)]);
//! let mut cache = KvCache::<F32>::new(config, 256, &mut cache)?;
//! let mut workspace = Workspace::new(config, 8, 256, &mut workspace)?;
//!
//! let mut tokens = [0; 256];
//! let prompt = model.tokenizer().encode(prompt, &mut tokens)?;
//! let mut sampler = Sampler::new(0.8, 40, 7)?;
//! let mut token = sampler.sample(decoder.forward(prompt, &mut cache, &mut workspace)?)?;
//! let (mut stream, mut text) = (TextStream::new(), String::new());
//! while cache.len() < cache.capacity() {
//!     for byte in model.tokenizer().decode(token).into_iter().flatten() {
//!         stream.push(byte, |c| text.push(c));
//!     }
//!     token = sampler.sample(decoder.forward(&[token], &mut cache, &mut workspace)?)?;
//! }
//! # Ok(text)
//! # }
//! ```

mod arithmetic;
mod bounds;
mod decoder;
mod error;
mod float;
mod integer;
mod kv_cache;
mod logit;
mod pass;
mod sampler;
mod weights;
mod workspace;

pub use arithmetic::{Arithmetic, Attend, HeadPosition};
pub use decoder::Decoder;
pub use error::{DecodeError, MemoryError};
pub use float::Float;
pub use integer::Integer;
pub use kv_cache::{KvCache, Past, Run};
pub use logit::Logit;
pub use pass::Pass;
pub use sampler::{SampleError, Sampler};
pub use weights::{Layer, Layers, Model};
pub use workspace::Workspace;
