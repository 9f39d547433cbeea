use super::{Activation, Config};
use crate::kernels::CacheFormat;

/// Bytes in a word, the unit of the caller's memory.
pub(crate) const WORD: usize = size_of::<u32>();

/// Sizes saturate where they leave `usize`: no memory is that large, so making a cache or a workspace
/// fails.
impl Config {
    /// Returns the length of a [`KvCache`](crate::KvCache) of `context` positions in the format `S`, in words of 4 bytes:
    /// keys and values, with `I8` their scales of 2 bytes per position, layer and kv head, and one
    /// word per position and digit; each part is rounded up to words.
    ///
    /// ```
    /// # use expe_core::{Activation, Config, Norm};
    /// # use expe_core::position::PositionConfig;
    /// use expe_core::{F16, F32, I8};
    /// let config = Config {
    ///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
    ///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::Gelu,
    ///     tied_head: true, position: PositionConfig::default_expe(64),
    /// };
    /// assert_eq!(config.cache_len::<F32>(100), 100 * (2 * 2 * 2 * 16 + 1));
    /// assert_eq!(config.cache_len::<F16>(100), 100 * (2 * 2 * 2 * 16 / 2 + 1));
    /// assert_eq!(config.cache_len::<I8>(100), 100 * (2 * 2 * 2 * 16 / 4 + 2 * 2 * 2 / 2 + 1));
    /// ```
    pub const fn cache_len<S: CacheFormat>(&self, context: usize) -> usize {
        let heads = self.layers.saturating_mul(self.kv_heads).saturating_mul(context);
        let half = half_len::<S>(heads, self.head_width);
        half.saturating_mul(2).saturating_add(self.override_block().digits.saturating_mul(context))
    }

    /// Returns the length of a [`Workspace`](crate::Workspace), in words of 4 bytes, for `chunk` tokens at a time and caches of
    /// up to `context` positions:
    /// `chunk·(2·width + max(heads·head_width + kv_heads·head_width, hidden·(2 with SwiGLU, else 1))`
    /// ` + D + (head_width with RoPE) + 1) + context + vocab`, and a quarter of
    /// `chunk·max(width, heads·head_width, hidden)`, rounded up, for the 8-bit integers that integer
    /// matrices act on.
    ///
    /// ```
    /// # use expe_core::{Activation, Config, Norm};
    /// # use expe_core::position::PositionConfig;
    /// const CONFIG: Config = Config {
    ///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
    ///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::SwiGlu,
    ///     tied_head: true, position: PositionConfig::None,
    /// };
    /// static WORKSPACE: [u32; CONFIG.workspace_len(1, 512)] = [0; CONFIG.workspace_len(1, 512)];
    /// assert_eq!(WORKSPACE.len(), 2 * 64 + 256 + 1 + 512 + 256 + 128 / 4);
    /// ```
    pub const fn workspace_len(&self, chunk: usize, context: usize) -> usize {
        let row = self
            .width
            .saturating_mul(2)
            .saturating_add(self.inner_width())
            .saturating_add(self.override_block().digits)
            .saturating_add(self.rotation_width())
            .saturating_add(1);
        let codes = chunk.saturating_mul(self.widest()).div_ceil(WORD);
        let rows = chunk.saturating_mul(row).saturating_add(codes);
        rows.saturating_add(context).saturating_add(self.vocab)
    }

    /// Returns the width of the widest input of a matrix.
    pub(crate) const fn widest(&self) -> usize {
        let mut widest = self.width;
        if self.query_width() > widest {
            widest = self.query_width();
        }
        if self.hidden > widest {
            widest = self.hidden;
        }
        widest
    }

    /// Returns the scalars per token that attention and the MLP use in turn.
    pub(crate) const fn inner_width(&self) -> usize {
        let attention = self.query_width().saturating_add(self.key_width());
        let mlp = match self.activation {
            Activation::SwiGlu => self.hidden.saturating_mul(2),
            Activation::Gelu | Activation::Relu => self.hidden,
        };
        if attention > mlp { attention } else { mlp }
    }

    pub(crate) const fn rotation_width(&self) -> usize {
        if self.position.rotates() { self.head_width } else { 0 }
    }
}

/// Returns the words of all keys, or all values: `heads` rows of `head_width` elements and their scales.
pub(crate) const fn half_len<S: CacheFormat>(heads: usize, head_width: usize) -> usize {
    let elements = heads.saturating_mul(head_width);
    let bytes = elements.saturating_mul(size_of::<S::Bits>());
    let scales = if S::SCALED { heads.saturating_mul(size_of::<u16>()) } else { 0 };
    bytes.div_ceil(WORD).saturating_add(scales.div_ceil(WORD))
}
