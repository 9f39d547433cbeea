//! `expe bench`: measure how fast this machine trains and runs a model.

mod eval;
mod inference;
mod measure;
mod positions;
mod scaling;
mod shape;
mod train;

use super::CliError;

/// Arguments of `expe bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, clap::Subcommand)]
enum Benchmark {
    /// Training steps on random tokens: forward, backward, clipping, AdamW.
    Train(train::Args),
    /// Generating text token by token, on one thread.
    Decode(inference::DecodeArgs),
    /// Reading a prompt, on one thread.
    Prefill(inference::PrefillArgs),
    /// Perplexity at multiples of the training length: time, memory, and how they grow.
    Eval(eval::Args),
    /// The cost of each position encoding, alone and as part of decoding, prompts and training.
    Positions(positions::Args),
    /// How the time grows with the length of the text, the width of the model and the number of threads.
    Scaling(scaling::Args),
}

/// Runs the command.
///
/// # Errors
/// [`CliError`] for sizes that do not form a model, and when interrupted.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.benchmark {
        Benchmark::Train(args) => train::run(args),
        Benchmark::Decode(args) => inference::decode(args),
        Benchmark::Prefill(args) => inference::prefill(args),
        Benchmark::Eval(args) => eval::run(args),
        Benchmark::Positions(args) => positions::run(args),
        Benchmark::Scaling(args) => scaling::run(args),
    }
}
