//! Train, compare, export and run transformers with exact positional encodings.
//!
//! The package `expe`, in the folder `std-runtime`. The program `expe` is a thin layer over this library. Each step of its path from text to firmware is a
//! function here:
//!
//! | step | functions |
//! |---|---|
//! | read text | [`data::Corpus::open`] |
//! | configure | [`config::preset`], [`config::RunConfig::load`] |
//! | learn a tokenizer and encode | [`train::new_dataset`] |
//! | train | [`train::run`], then [`train::TrainedModel::open`] |
//! | measure perplexity | [`eval::evaluate`], [`eval::evaluate_file`] |
//! | export, with quantization | [`export::quantized`], [`export::save`] |
//! | generate text | [`engine::ModelFile::open`], [`engine::generate`] |
//! | compare encodings | [`compare::run`] |
//! | write tables, plots and pages | [`report::text_table`], [`report::write_report`] |
//! | benchmark this machine | [`mod@bench`] |
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use expe::{config, data::Corpus, device::Cpu, train};
//!
//! // Two training steps on generated text.
//! let corpus = Corpus::open(&["stories:1:20k".parse()?])?;
//! let mut config = config::preset("quick")?.with_steps(2);
//! config.train.batch = 1;
//! let data = train::new_dataset(&mut config, &corpus)?;
//! let folder = tempfile::tempdir()?;
//! let (device, stop) = (Cpu::default(), AtomicBool::new(false));
//! let resume = false;
//! let outcome = train::run(&device, &config, &data, folder.path(), resume, &stop, &mut |_| {})?;
//! assert_eq!(outcome.step, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The folder `examples` continues from here. Modules import only those before them in the order `data`,
//! `report`, `engine`, `config`, `ops`, `device`, `model`, `train`, `eval`, `quantize`, `export`, `compare`,
//! `bench`.
//!
//! # Stability
//! The functions of the table and their types are stable within a minor version. `ops`, `device` and `model` follow
//! dfdx and may change in any release.
//!
//! # Features
//! - `bpe` (default): learn byte pair encodings with the `tokenizers` crate.
//! - `avx512` (default): AVX-512 kernels, used if the processor supports them.
//! - `cli` (default): the program; the library does not need it.
//! - `cuda`: training on NVIDIA GPUs.

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
