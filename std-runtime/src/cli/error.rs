//! Errors of commands, with hints for the user and exit codes.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use expe::bench::BenchError;
use expe::compare::CompareError;
use expe::config::{ConfigFileError, SpecError, UnknownPreset};
use expe::data::DataError;
use expe::device::DeviceError;
use expe::engine::EngineError;
use expe::eval::EvalError;
use expe::export::ExportError;
use expe::model::ModelError;
use expe::report::ReportError;
use expe::train::TrainError;

/// Exit code after Ctrl-C, following the convention of shells.
pub const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// Ctrl-C was pressed.
    #[error("interrupted{}", .resume.as_ref().map(|how| format!("; {how}")).unwrap_or_default())]
    Interrupted {
        /// How to continue, if something was saved.
        resume: Option<String>,
    },
    /// Ctrl-C cannot be caught.
    #[error("the system does not allow this process to catch Ctrl-C")]
    Signals,
    /// Standard input cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A result cannot be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The prompt is empty.
    #[error("the prompt is empty; give --prompt at least one character")]
    EmptyPrompt,
    /// The positions to keep fill the whole window.
    #[error("--sinks {sinks} leaves no space in --window {window}; keep fewer positions")]
    Sinks {
        /// Positions to keep.
        sinks: usize,
        /// Positions of the window.
        window: u32,
    },
    /// `--cache` was given for a run folder, which is computed with dfdx without a cache.
    #[error(
        "{}: --cache is for `.expe` files, but this is a run folder; export it first, or omit --cache",
        .0.display()
    )]
    NoCache(PathBuf),
    /// A device cannot be used, or failed.
    #[error("device: {0}")]
    Device(#[from] DeviceError),
    /// `--profile` was given for a GPU.
    #[error("--profile times the operations of the processor; add --device cpu")]
    ProfileOnGpu,
    /// A GPU was requested for a model file, which the core engine computes on the processor.
    #[error(
        "{}: --device is for run folders, but this is a file, which the core engine computes on the \
         processor; omit --device",
        .0.display()
    )]
    FileOnGpu(PathBuf),
    /// A position encoding to train has settings for evaluation.
    #[error(
        "`{spec}`: settings after `@` are for evaluation; write them after `:` to train with them"
    )]
    EvaluationOnly {
        /// The specification.
        spec: String,
    },
    /// A configuration file cannot be used.
    #[error(transparent)]
    ConfigFile(#[from] ConfigFileError),
    /// An unknown preset.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// A position encoding cannot be parsed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A text or a tokenizer cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The dfdx model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training failed, or a run folder cannot be used.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An evaluation failed.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A comparison failed.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A model file cannot be used or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An export failed.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A benchmark failed.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The program that controls a benchmark sent an invalid request.
    #[error("{0}")]
    Serve(String),
    /// A report cannot be drawn or written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl CliError {
    /// Prints the message to standard error, with the causes that it does not mention itself and with a hint if there
    /// is one.
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
        if let Some(hint) = self.hint() {
            text.push_str("\n  hint: ");
            text.push_str(hint);
        }
        eprintln!("{text}");
    }

    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Interrupted { .. }
            | Self::Compare(CompareError::Interrupted)
            | Self::Bench(BenchError::Interrupted) => ExitCode::from(INTERRUPTED),
            _ => ExitCode::FAILURE,
        }
    }

    /// Returns a hint that names flags or commands, which messages of the library cannot do.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Data(error)
            | Self::Eval(EvalError::Data(error))
            | Self::Compare(CompareError::Data(error)) => data_hint(error),
            Self::Train(error) => train_hint(error),
            Self::Compare(CompareError::Train { source, .. }) => train_hint(source),
            Self::Compare(CompareError::Eval { source, .. }) => match &**source {
                EvalError::Data(error) => data_hint(error),
                _ => None,
            },
            Self::Device(error)
            | Self::Compare(CompareError::Device(error))
            | Self::Bench(BenchError::Device(error)) => device_hint(error),
            Self::Engine(error)
            | Self::Eval(EvalError::Engine(error))
            | Self::Bench(BenchError::Engine(error)) => engine_hint(error),
            Self::Export(ExportError::Occupied(_)) => Some("choose another file with --out"),
            Self::Bench(error) => bench_hint(error),
            _ => None,
        }
    }
}

fn data_hint(error: &DataError) -> Option<&'static str> {
    match error {
        DataError::NoSource | DataError::NoDefaultSources(_) => {
            Some("pass --data with a text file or folder")
        }
        DataError::TooShort { .. } => Some("pass more text with --data"),
        _ => None,
    }
}

fn train_hint(error: &TrainError) -> Option<&'static str> {
    match error {
        TrainError::Data(error) => data_hint(error),
        TrainError::Device(error) => device_hint(error),
        TrainError::Exists { .. } => {
            Some("pass --resume to continue it, or choose another folder with --out")
        }
        TrainError::DataChanged { .. } => Some("pass the same --data, or choose another --out"),
        TrainError::ConfigChanged { .. } => {
            Some("omit the flags that change it, or choose another folder with --out")
        }
        TrainError::NotAFolder { .. } => Some("name the folder that `expe train --out` wrote"),
        _ => None,
    }
}

fn device_hint(error: &DeviceError) -> Option<&'static str> {
    match error {
        DeviceError::Name(_) | DeviceError::OutOfMemory { .. } | DeviceError::Failed { .. } => None,
        DeviceError::Ordinal { .. } => Some("`expe devices` lists the GPUs"),
        _ => Some("use --device cpu to compute on the processor"),
    }
}

fn engine_hint(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::Folder(_) => {
            Some("`expe export --model DIR --out FILE.expe` exports the model of a run folder")
        }
        EngineError::Context { .. } => Some("use a smaller --context"),
        EngineError::IntegerCache => Some("use --cache i8"),
        EngineError::Memory { .. } => Some("request fewer --tokens, or limit them with --window"),
        _ => None,
    }
}

fn bench_hint(error: &BenchError) -> Option<&'static str> {
    match error {
        BenchError::HeadWidth { .. } => Some("change --width or --heads"),
        BenchError::Vocabulary { .. } => Some("change --vocab"),
        BenchError::Short { .. } | BenchError::OnePosition { .. } => Some("change --position"),
        BenchError::Train(error) => train_hint(error),
        _ => None,
    }
}
