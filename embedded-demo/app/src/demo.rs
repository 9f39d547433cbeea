//! The demos. A board's `main` picks those that fit its memory.

use core::marker::PhantomData;

use expe_core::{CacheFormat, Config, F32, Float, I8, Integer};

/// The beginning of every story.
pub const PROMPT: &str = include_str!("../../model/prompt.txt");

const POCKET_MODEL: &[u8] = expe_core::include_model!("../../model/pocket.expe");
const STORIES_MODEL: &[u8] = expe_core::include_model!("../../model/stories.expe");

/// A model in flash and the story to generate with it, in the arithmetic `A` with a key-value cache
/// in the format `S`.
pub struct Demo<A, S> {
    /// Name in the log.
    pub name: &'static str,
    /// Model file, linked into flash.
    pub model: &'static [u8],
    /// Positions in the cache.
    pub capacity: usize,
    /// `None` ends the story when the cache is full; `Some(n)` makes the cache a ring, in which new
    /// positions replace the oldest, except for the first `n`.
    pub sinks: Option<usize>,
    /// Tokens of the prompt that are read together: each weight is then fetched once for all of them.
    pub chunk: usize,
    /// Tokens to generate.
    pub tokens: usize,
    /// Whether to log text and tokens; their digests are always logged.
    pub print: bool,
    /// Arithmetic and format of the cache.
    pub types: PhantomData<(A, S)>,
}

/// 128 thousand parameters in integer arithmetic, for 16 KB of RAM: the cache is a window of 64
/// positions, which the story outlives.
pub const POCKET: Demo<Integer, I8> = Demo {
    name: "pocket",
    model: POCKET_MODEL,
    capacity: 64,
    sinks: Some(4),
    chunk: 1,
    tokens: 128,
    print: true,
    types: PhantomData,
};

/// [`POCKET`] for 20 000 tokens, in the same memory.
pub const ENDLESS: Demo<Integer, I8> =
    Demo { name: "endless", tokens: 20_000, print: false, ..POCKET };

/// 307 thousand parameters in integer arithmetic, for 128 KB of RAM, with a context of 256 tokens.
pub const STORIES: Demo<Integer, I8> = stories("stories");

/// The model of [`STORIES`] in single precision, for processors with an FPU.
pub const STORIES_IN_FLOATS: Demo<Float, F32> = stories("stories-in-floats");

const fn stories<A, S>(name: &'static str) -> Demo<A, S> {
    Demo {
        name,
        model: STORIES_MODEL,
        capacity: 256,
        sinks: None,
        chunk: 4,
        tokens: 256,
        print: true,
        types: PhantomData,
    }
}

impl<A, S: CacheFormat> Demo<A, S> {
    /// Returns the words of memory that the demo needs; to be evaluated by the compiler, which
    /// refuses a model file with a damaged header.
    pub const fn words(&self) -> usize {
        let config: Config = match Config::from_file(self.model) {
            Ok(config) => config,
            Err(_) => panic!("not a model file"),
        };
        config.cache_len::<S>(self.capacity)
            + config.workspace_len(self.chunk, self.capacity)
            + PROMPT.len()
            + self.printed_tokens()
    }

    /// Tokens that are logged one by one.
    pub(crate) const fn printed_tokens(&self) -> usize {
        if self.print { self.tokens } else { 0 }
    }
}
