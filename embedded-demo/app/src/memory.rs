//! The model in flash and the buffers in RAM.

use expe_core::format;
use expe_core::model::Config;
use static_cell::ConstStaticCell;

use crate::{PROMPT, STORY_TOKENS};

/// The model file, linked into flash.
pub const MODEL: &[u8] = expe_core::include_model!("../../model/stories.expe");

/// The model's shape, known while compiling.
const CONFIG: Config = match format::config(MODEL) {
    Ok(config) => config,
    Err(_) => panic!("model/stories.expe is not a model file"),
};

/// Positions in the cache. No token is shorter than a byte, so the prompt has at most as many
/// tokens as bytes.
pub const CAPACITY: usize = PROMPT.len() + STORY_TOKENS;

/// Tokens of the prompt that are read together: the weights are then fetched once for all of them.
pub const CHUNK: usize = 4;

const CACHE_LEN: usize = CONFIG.cache_len(CAPACITY);
const WORKSPACE_LEN: usize = CONFIG.workspace_len(CHUNK, CAPACITY);

/// Bytes of the key-value cache.
pub const CACHE_BYTES: usize = CACHE_LEN * size_of::<f32>();
/// Bytes of the workspace.
pub const WORKSPACE_BYTES: usize = WORKSPACE_LEN * size_of::<f32>();

static CACHE: ConstStaticCell<[f32; CACHE_LEN]> = ConstStaticCell::new([0.0; CACHE_LEN]);
static WORKSPACE: ConstStaticCell<[f32; WORKSPACE_LEN]> =
    ConstStaticCell::new([0.0; WORKSPACE_LEN]);

/// The memory of the key-value cache and of the workspace; `None` the second time.
pub fn take() -> Option<(&'static mut [f32], &'static mut [f32])> {
    Some((CACHE.try_take()?, WORKSPACE.try_take()?))
}
