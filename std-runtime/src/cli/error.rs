//! What can go wrong on the command line, and the exit code for it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::bench::BenchError;
use crate::compare::{CompareError, SpecError};
use crate::config::{RunConfigError, UnknownPreset};
use crate::data::DataError;
use crate::device::DeviceError;
use crate::engine::EngineError;
use crate::eval::EvalError;
use crate::export::ExportError;
use crate::model::ModelError;
use crate::report::ReportError;
use crate::train::TrainError;

/// Exit code after Ctrl-C, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// It was asked to stop.
    #[error("interrupted{}", .resume.as_ref().map(|how| format!("; {how}")).unwrap_or_default())]
    Interrupted {
        /// How to go on, where something was saved.
        resume: Option<String>,
    },
    /// Ctrl-C cannot be caught.
    #[error("the system does not let this process catch Ctrl-C")]
    Signals,
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A result cannot be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is nothing to continue.
    #[error("the prompt is empty; give --prompt at least one character")]
    EmptyPrompt,
    /// A window has no place beside the positions that are kept.
    #[error("--sinks {sinks} leaves no place in --window {window}; keep fewer positions")]
    Sinks {
        /// Positions to keep.
        sinks: usize,
        /// Positions of the window.
        window: u32,
    },
    /// A run folder is computed with dfdx, which keeps no cache.
    #[error(
        "{}: --cache is for `.expe` files, and this is a run folder; export it first, or leave --cache out",
        .0.display()
    )]
    NoCache(PathBuf),
    /// A context that the position encoding does not reach.
    #[error("--context {context}: the model's positions end at {positions}")]
    Context {
        /// Tokens asked for.
        context: usize,
        /// Positions that the encoding tells apart.
        positions: u32,
    },
    /// A run folder has the tokenizer of another model.
    #[error(
        "{}: the tokenizer has {tokenizer} tokens, the model {model}; \
         put the tokenizer back that the model was trained with",
        .path.display()
    )]
    Vocabulary {
        /// The tokenizer's file.
        path: PathBuf,
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Tokens of the model.
        model: usize,
    },
    /// A run folder is needed, and a file was named.
    #[error(
        "{}: a file, where a run folder is needed (the folder that `expe train --out` wrote)",
        .0.display()
    )]
    NotAFolder(PathBuf),
    /// A device cannot be used, or failed.
    #[error("device: {0}")]
    Device(#[from] DeviceError),
    /// The processor's operations are timed one by one, the GPU's are not.
    #[error("--profile times the processor's operations; add --device cpu")]
    ProfileOnGpu,
    /// A model file is computed by the core engine.
    #[error(
        "{}: --device is for run folders, and this is a file, which the core engine computes on the \
         processor; leave --device out",
        .0.display()
    )]
    FileOnGpu(PathBuf),
    /// A position is trained with settings that are for evaluation.
    #[error(
        "`{spec}`: settings behind `@` are for evaluation; write them behind `:` to train with them"
    )]
    EvaluationOnly {
        /// The specification.
        spec: String,
    },
    /// Wrong configuration.
    #[error("{}: {source}", .path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RunConfigError,
    },
    /// Wrong preset.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// Wrong position encoding.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Text or tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The dfdx model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training, and run folders.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Evaluation.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Comparison.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The core engine, and model files.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Export.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Benchmark.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Another program that drives a benchmark gave a wrong order.
    #[error("{0}")]
    Serve(String),
    /// Plot and page.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl CliError {
    /// Print the message to standard error, with the causes that it does not name itself.
    pub fn report(&self) {
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.contains(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = error.source();
        }
        eprintln!("{text}");
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Interrupted { .. }
            | Self::Compare(CompareError::Interrupted)
            | Self::Bench(BenchError::Interrupted) => ExitCode::from(INTERRUPTED),
            _ => ExitCode::FAILURE,
        }
    }
}
