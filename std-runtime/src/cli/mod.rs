//! The command line: arguments, one file per command, exit codes.
//!
//! Exit codes: 0 done, 1 an error (its message is on standard error), 2 wrong usage, 130 interrupted
//! (what training had done is saved).

mod bench;
mod compare;
mod data_arg;
mod demo;
mod device_arg;
mod devices;
mod error;
mod eval;
mod export;
mod generate;
mod inspect;
mod interrupt;
mod logits;
mod model_arg;
mod output;
mod progress;
mod text;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::CliError;

/// Train, compare, export and run transformers with exact positional encodings.
///
/// Without a command, `expe` runs the demo: it trains small models that differ in their position
/// encoding alone, shows how each copes with texts up to 16 times as long as it was trained on,
/// and exports the ExPE model for a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "expe", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train ExPE and its rivals on real text, compare them at 1 to 16 times the training length.
    Demo(demo::Args),
    /// Train one model.
    Train(train::Args),
    /// Measure perplexity against length.
    Eval(eval::Args),
    /// Train and evaluate a grid of position encodings and seeds.
    Compare(compare::Args),
    /// Write a trained model as an `.expe` file.
    Export(export::Args),
    /// Continue a text.
    Generate(generate::Args),
    /// Print the logits of every position, to compare engines.
    Logits(logits::Args),
    /// Describe a model file and the memory that it needs.
    Inspect(inspect::Args),
    /// List what models can be trained on, and why not on the rest.
    Devices(devices::Args),
    /// Measure how fast this machine trains and runs a model.
    Bench(bench::Args),
}

/// Run the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or_else(|| Command::Demo(demo::Args::default())) {
        Command::Demo(args) => demo::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Logits(args) => logits::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            error.exit_code()
        }
    }
}
