use expe_core::format;
use expe_core::kernels::F32;
use expe_core::model::Config;

/// A model and what is done with it.
pub trait Demo {
    /// How the log calls it.
    const NAME: &'static str;
    /// The model file, linked into flash.
    const MODEL: &'static [u8];
    /// The story's first words.
    const PROMPT: &'static str;
    /// Positions in the cache.
    const CAPACITY: usize;
    /// Tokens of the prompt that are read together: the weights are then fetched once for all of
    /// them.
    const CHUNK: usize;
    /// Tokens after the prompt, unless the cache is full before.
    const TOKENS: usize;

    /// The model's shape, known while compiling.
    const CONFIG: Config = match format::config(Self::MODEL) {
        Ok(config) => config,
        Err(_) => panic!("not a model file"),
    };
    /// Words of the key-value cache.
    const CACHE: usize = Self::CONFIG.cache_len::<F32>(Self::CAPACITY);
    /// Words of the workspace.
    const WORKSPACE: usize = Self::CONFIG.workspace_len(Self::CHUNK, Self::CAPACITY);
}

/// A model of 307 thousand parameters, for 128 KB of RAM.
pub enum Stories {}

impl Demo for Stories {
    const NAME: &'static str = "stories";
    const MODEL: &'static [u8] = expe_core::include_model!("../../model/stories.expe");
    const PROMPT: &'static str = include_str!("../../model/prompt.txt");
    const CAPACITY: usize = 256;
    const CHUNK: usize = 4;
    const TOKENS: usize = Self::CAPACITY;
}
