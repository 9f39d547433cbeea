use expe_core::internals::Attend;
use expe_core::position::{Expe, PositionConfig, PositionEncoding};
use expe_core::{CacheFormat, Config, F32, Float, I8, Integer, Logit, format};

use crate::Error;

/// A model and what is done with it.
pub trait Demo {
    /// How the log calls it.
    const NAME: &'static str;
    /// The model file, linked into flash.
    const MODEL: &'static [u8];
    /// The story's first words.
    const PROMPT: &'static str = include_str!("../../model/prompt.txt");
    /// Positions in the cache.
    const CAPACITY: usize;
    /// The first positions that stay while others make room in a full cache; none make room, and the
    /// story ends, if there is no number.
    const SINKS: Option<usize>;
    /// Tokens of the prompt that are read together: the weights are then fetched once for all of
    /// them.
    const CHUNK: usize;
    /// Tokens after the prompt, unless the cache is full before.
    const TOKENS: usize;
    /// Whether text and tokens are logged; their digests always are.
    const PRINTED: bool = true;

    /// The numbers in which the decoder computes.
    type Arithmetic: Attend<Self::Cache, Real: Logit>;
    /// The numbers in the cache.
    type Cache: CacheFormat;
    /// The model's position encoding. `Model::position` knows all of them, and so takes more flash.
    type Position: PositionEncoding;

    /// Builds the position encoding.
    ///
    /// # Errors
    /// It is not what the model has.
    fn position() -> Result<Self::Position, Error>;

    /// The model's shape, known while compiling.
    const CONFIG: Config = match format::config(Self::MODEL) {
        Ok(config) => config,
        Err(_) => panic!("not a model file"),
    };
    /// Words of the key-value cache.
    const CACHE_LEN: usize = Self::CONFIG.cache_len::<Self::Cache>(Self::CAPACITY);
    /// Tokens that are logged one by one.
    const PRINTED_TOKENS: usize = if Self::PRINTED { Self::TOKENS } else { 0 };
    /// Words of the workspace.
    const WORKSPACE_LEN: usize = Self::CONFIG.workspace_len(Self::CHUNK, Self::CAPACITY);
}

const POCKET: &[u8] = expe_core::include_model!("../../model/pocket.expe");
const STORIES: &[u8] = expe_core::include_model!("../../model/stories.expe");

/// A model of 128 thousand parameters in integers alone, for 16 KB of RAM, over a window of 64
/// positions that follows the story.
pub enum Pocket {}

impl Demo for Pocket {
    const NAME: &'static str = "pocket";
    const MODEL: &'static [u8] = POCKET;
    const CAPACITY: usize = 64;
    const SINKS: Option<usize> = Some(4);
    const CHUNK: usize = 1;
    const TOKENS: usize = 128;
    type Arithmetic = Integer;
    type Cache = I8;
    type Position = Expe;

    fn position() -> Result<Expe, Error> {
        expe(&Self::CONFIG.position)
    }
}

/// The same without end, almost.
pub enum Endless {}

impl Demo for Endless {
    const NAME: &'static str = "endless";
    const MODEL: &'static [u8] = POCKET;
    const CAPACITY: usize = 64;
    const SINKS: Option<usize> = Some(4);
    const CHUNK: usize = 1;
    const TOKENS: usize = 20_000;
    const PRINTED: bool = false;
    type Arithmetic = Integer;
    type Cache = I8;
    type Position = Expe;

    fn position() -> Result<Expe, Error> {
        expe(&Self::CONFIG.position)
    }
}

/// A model of 307 thousand parameters in integers alone, for 128 KB of RAM, with a context of 256
/// tokens.
pub enum Stories {}

impl Demo for Stories {
    const NAME: &'static str = "stories";
    const MODEL: &'static [u8] = STORIES;
    const CAPACITY: usize = 256;
    const SINKS: Option<usize> = None;
    const CHUNK: usize = 4;
    const TOKENS: usize = Self::CAPACITY;
    type Arithmetic = Integer;
    type Cache = I8;
    type Position = Expe;

    fn position() -> Result<Expe, Error> {
        expe(&Self::CONFIG.position)
    }
}

/// The same model in single precision, for processors that have it.
pub enum StoriesInFloats {}

impl Demo for StoriesInFloats {
    const NAME: &'static str = "stories-in-floats";
    const MODEL: &'static [u8] = STORIES;
    const CAPACITY: usize = 256;
    const SINKS: Option<usize> = None;
    const CHUNK: usize = 4;
    const TOKENS: usize = Self::CAPACITY;
    type Arithmetic = Float;
    type Cache = F32;
    type Position = Expe;

    fn position() -> Result<Expe, Error> {
        expe(&Self::CONFIG.position)
    }
}

/// ExPE as a model file describes it.
fn expe(config: &PositionConfig) -> Result<Expe, Error> {
    let PositionConfig::Expe { start, step, width, query_cap, beyond } = *config else {
        return Err(Error::OtherPosition);
    };
    let expe = Expe::new(start, step, width as usize)?;
    Ok(expe.with_beyond(beyond).with_query_cap(query_cap.unwrap_or(u32::MAX)))
}
