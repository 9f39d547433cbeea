use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Config;
use crate::kernels::{Bf16, F16, F32, I8, Stored, quantize_bf16};

/// How a [`KvCache`](super::KvCache) stores keys and values: [`F32`], [`F16`] or [`I8`].
pub trait CacheFormat: Stored<Bits: FromBytes + IntoBytes + Immutable> {
    /// Whether each head's key or value has a scale, a bfloat16, beside it.
    const SCALED: bool;

    /// Store a row and give the bits of its scale (0 without one).
    fn store(row: &[f32], place: &mut [Self::Bits]) -> u16;
}

impl CacheFormat for F32 {
    const SCALED: bool = false;

    fn store(row: &[f32], place: &mut [f32]) -> u16 {
        for (place, x) in place.iter_mut().zip(row) {
            *place = *x;
        }
        0
    }
}

/// Numbers past the largest half, 65 504, become that.
impl CacheFormat for F16 {
    const SCALED: bool = false;

    fn store(row: &[f32], place: &mut [u16]) -> u16 {
        const LARGEST: u16 = 0x7bff;
        for (place, x) in place.iter_mut().zip(row) {
            let sign = (x.to_bits() >> 16) as u16 & 0x8000;
            *place = F16::narrow(*x).unwrap_or(sign | LARGEST);
        }
        0
    }
}

/// 8-bit integers with one scale per position and kv head.
impl CacheFormat for I8 {
    const SCALED: bool = true;

    fn store(row: &[f32], place: &mut [i8]) -> u16 {
        quantize_bf16(row, place)
    }
}

/// The scale of a cached row.
pub(super) fn scale(bits: u16) -> f32 {
    Bf16::widen(bits)
}

/// Bytes of a word, the unit of the caller's memory.
pub(super) const WORD: usize = size_of::<u32>();

impl Config {
    /// The length of a [`KvCache`](super::KvCache) of `context` positions in the format `S`, in words of 4 bytes:
    /// keys and values, with `I8` their scales of 2 bytes per position, layer and kv head, and one
    /// word per position and digit; each part is rounded up to words.
    ///
    /// ```
    /// # use expe_core::model::{Activation, Config, Norm};
    /// # use expe_core::position::{Beyond, PositionConfig};
    /// use expe_core::kernels::{F16, F32, I8};
    /// let expe = PositionConfig::Expe {
    ///     start: 16.0, step: 0.0625, width: 8, query_cap: None, beyond: Beyond::Refuse,
    /// };
    /// let config = Config {
    ///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
    ///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::Gelu,
    ///     tied_head: true, position: expe,
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

    /// Whether keys can be moved to another position in the cache: the position is added at the
    /// score, or there is none. With the others it is inside the keys or the values.
    pub(super) const fn is_position_free(&self) -> bool {
        use crate::position::PositionConfig::{Alibi, Expe, Exqpe, None};
        matches!(self.position, None | Alibi | Expe { .. } | Exqpe { .. })
    }
}

/// Words of all keys, or all values: `heads` rows of `head_width` elements and their scales.
pub(super) const fn half_len<S: CacheFormat>(heads: usize, head_width: usize) -> usize {
    let elements = heads.saturating_mul(head_width);
    let bytes = elements.saturating_mul(size_of::<S::Bits>());
    let scales = if S::SCALED { heads.saturating_mul(size_of::<u16>()) } else { 0 };
    bytes.div_ceil(WORD).saturating_add(scales.div_ceil(WORD))
}
