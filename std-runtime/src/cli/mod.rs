//! The command line: flags, messages and exit codes, with one file per command. The library does the work.
//!
//! Exit codes: 0 for success, 1 for an error (its message is on standard error), 2 for wrong usage, 130
//! after Ctrl-C (training and comparisons are saved first).

mod bench;
mod compare;
mod config_arg;
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
mod train;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::CliError;

/// Train, compare, export and run transformers with exact positional encodings.
///
/// Without a command, `expe` runs the demo: it trains small models that differ only in their position
/// encoding, measures each on texts up to 16 times as long as its training length, and exports the ExPE
/// model for a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "expe", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train ExPE and its rivals on real text and compare them at 1 to 16 times the training length.
    Demo(demo::Args),
    /// Train one model.
    Train(train::Args),
    /// Measure perplexity as a function of length.
    Eval(eval::Args),
    /// Train and evaluate a grid of position encodings and seeds.
    Compare(compare::Args),
    /// Write a trained model as an `.expe` file.
    Export(export::Args),
    /// Continue a text.
    Generate(generate::Args),
    /// Print the logits of every position, to compare engines.
    Logits(logits::Args),
    /// Describe a model file and the memory it needs.
    Inspect(inspect::Args),
    /// List the devices that models can be trained on.
    Devices(devices::Args),
    /// Measure how fast this machine trains and runs a model.
    Bench(bench::Args),
}

/// Runs the command line of this process.
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
