//! `expe generate`: continue a text.

use std::path::PathBuf;

use expe::device::Cpu;
use expe::engine::{CacheChoice, CacheType, Sampling, TextDecoder, Window, encode, generate};

use super::model_arg::ModelArg;
use super::output::{print, print_part};
use super::values::cache_type;
use super::{CliError, interrupt};

/// Arguments of `expe generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder or an `.expe` file; both run on the core engine.
    #[arg(long, value_name = "DIR|FILE")]
    model: PathBuf,
    /// The text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to generate.
    #[arg(long, default_value_t = 128, value_name = "N")]
    tokens: usize,
    /// Temperature: 0 always selects the most likely token, 1 samples from the predicted distribution.
    #[arg(long, default_value_t = 0.8, value_name = "T", allow_negative_numbers = true)]
    temperature: f32,
    /// Sample only from the K most likely tokens; 0 for all.
    #[arg(long, default_value_t = 40, value_name = "K")]
    top_k: usize,
    /// Seed of the sampler.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Type of the key-value cache [default: f32, or i8 for a model in integers].
    #[arg(long, value_parser = cache_type())]
    cache: Option<CacheType>,
    /// Keep only the last N positions, in memory of fixed size, so that the text can have any length.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    window: Option<u32>,
    /// Number of first positions that always stay in the window.
    #[arg(long, default_value_t = 0, value_name = "N", requires = "window")]
    sinks: usize,
    /// Print the ids of the generated tokens instead of the text.
    #[arg(long)]
    ids: bool,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`] when the model cannot be read, the prompt is empty, or the position encoding supports
/// fewer positions.
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let model = ModelArg::open(&args.model, &Cpu::default())?.into_file()?;
    let model = model.model()?;
    let prompt = encode(model.tokenizer(), &args.prompt);
    if prompt.is_empty() {
        return Err(CliError::EmptyPrompt);
    }
    let Args { temperature, top_k, seed, .. } = *args;
    let sampling = Sampling { temperature, top_k, seed };
    if let Some(window) = args.window.filter(|window| args.sinks >= *window as usize) {
        return Err(CliError::Sinks { sinks: args.sinks, window });
    }
    let window =
        args.window.map(|positions| Window { positions: positions as usize, sinks: args.sinks });
    let cache = CacheChoice { cache_type: args.cache, window };
    let mut decoder = TextDecoder::new(model.tokenizer());
    // The prompt is printed with the first token, so that an error message does not follow an incomplete line.
    let mut front = if args.ids { String::new() } else { args.prompt.clone() };
    let mut failed = None;
    generate(&model, &prompt, args.tokens, sampling, cache, |token| {
        let token = if args.ids { format!("{token}\n") } else { decoder.push(token) };
        let text = std::mem::take(&mut front) + &token;
        failed = print_part(&text).err();
        failed.is_none() && !stop.load(std::sync::atomic::Ordering::SeqCst)
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !args.ids {
        print(&(front + &decoder.finish()))?;
    }
    if stop.load(std::sync::atomic::Ordering::SeqCst) {
        return Err(CliError::Interrupted { resume: None });
    }
    Ok(())
}
