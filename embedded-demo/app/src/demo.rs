//! The demos. The `main` function of a board runs those that fit its memory.

use core::marker::PhantomData;

use expe_core::{CacheFormat, Config, F32, Float, I8, Integer};

/// The beginning of every story.
pub const PROMPT: &str = include_str!("../../model/prompt.txt");

const POCKET_MODEL: &[u8] = expe_core::include_model!("../../model/pocket.expe");
const STORIES_MODEL: &[u8] = expe_core::include_model!("../../model/stories.expe");

/// A model in flash and the parameters of the story to generate, in the arithmetic `A` with a key-value cache in the
/// format `S`.
pub struct Demo<A, S> {
    /// Name in the log.
    pub name: &'static str,
    /// Model file, linked into flash.
    pub model: &'static [u8],
    /// Number of positions in the cache.
    pub capacity: usize,
    /// `None` ends the story when the cache is full. `Some(n)` makes the cache a ring, in which new positions
    /// replace the oldest ones, except for the first `n`.
    pub sinks: Option<usize>,
    /// Number of prompt tokens that are read together, so that each weight is fetched once for all of them.
    pub chunk: usize,
    /// Number of tokens to generate.
    pub tokens: usize,
    /// Whether to log text and tokens. Their digests are always logged.
    pub print: bool,
    /// Arithmetic and cache format.
    pub types: PhantomData<(A, S)>,
}

/// 128 thousand parameters in integer arithmetic, for 16 KB of RAM. The cache is a window of 64 positions, and the
/// story is longer than that.
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
    /// Returns the number of words of memory that the demo needs. Evaluated at compile time, it rejects a model file
    /// with a damaged header.
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

    /// Returns the number of tokens that are logged individually.
    pub(crate) const fn printed_tokens(&self) -> usize {
        if self.print { self.tokens } else { 0 }
    }
}
