use super::{Config, MemoryError};
use crate::kernels::{rows, rows_mut};
use crate::position::PositionEncoding;
use crate::position::PositionError;

impl Config {
    /// The length of a [`KvCache`] of `context` positions, in `f32`s:
    /// `context·(2·layers·kv_heads·head_width + D)`.
    ///
    /// ```
    /// # use expe_core::model::{Activation, Config, Norm};
    /// # use expe_core::position::{Beyond, PositionConfig};
    /// let expe = PositionConfig::Expe {
    ///     start: 16.0, step: 0.0625, width: 8, query_cap: None, beyond: Beyond::Refuse,
    /// };
    /// let config = Config {
    ///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
    ///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::Gelu,
    ///     tied_head: true, position: expe,
    /// };
    /// assert_eq!(config.cache_len(100), 100 * (2 * 2 * 2 * 16 + 1));
    /// ```
    pub const fn cache_len(&self, context: usize) -> usize {
        let row = self
            .key_width()
            .saturating_mul(self.layers)
            .saturating_mul(2)
            .saturating_add(self.columns().digits);
        row.saturating_mul(context)
    }
}

/// Keys and values of the positions seen so far, for all layers, in the caller's memory.
///
/// With ExPE and ExQPE the keys are *position-free*: what a position adds to a score is computed
/// from its values, `D` numbers kept once for all layers, when the score is. Truncating is free, so
/// a cache can be rewound to any earlier position.
///
/// In memory: keys `[layer][kv head][position][head_width]`, values alike, then the values of the
/// positions `[position][D]`.
#[derive(Debug)]
pub struct KvCache<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    codes: &'a mut [f32],
    shape: CacheShape,
    capacity: usize,
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CacheShape {
    layers: usize,
    kv_heads: usize,
    head_width: usize,
    digits: usize,
}

impl CacheShape {
    const fn of(config: &Config) -> Self {
        Self {
            layers: config.layers,
            kv_heads: config.kv_heads,
            head_width: config.head_width,
            digits: config.columns().digits,
        }
    }
}

/// Which half of the cache.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Keys,
    Values,
}

/// What one kv head of one layer holds, and the values of the positions.
pub(super) struct Past<'c> {
    pub keys: &'c [f32],
    pub values: &'c [f32],
    pub codes: &'c [f32],
}

impl<'a> KvCache<'a> {
    /// An empty cache of `capacity` positions, at the front of `buffer`.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than [`cache_len(capacity)`](Config::cache_len).
    pub fn new(
        config: &Config,
        capacity: usize,
        buffer: &'a mut [f32],
    ) -> Result<Self, MemoryError> {
        // Positions are counted in 32 bits.
        let needed = match u32::try_from(capacity) {
            Ok(_) => config.cache_len(capacity),
            Err(_) => usize::MAX,
        };
        let error = MemoryError { what: "cache", needed, found: buffer.len() };
        let buffer = buffer.get_mut(..needed).ok_or(error)?;
        // All products are smaller than `needed`.
        let half = capacity.saturating_mul(config.key_width()).saturating_mul(config.layers);
        let (keys, rest) = buffer.split_at_mut_checked(half).ok_or(error)?;
        let (values, codes) = rest.split_at_mut_checked(half).ok_or(error)?;
        Ok(Self { keys, values, codes, shape: CacheShape::of(config), capacity, len: 0 })
    }

    /// Positions held: the next token's position.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions that it can hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forget all positions from `len` on; decoding goes on at position `len`. Nothing happens if
    /// it holds fewer.
    pub const fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
        }
    }

    /// Forget everything.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether it was made for models of this shape.
    pub(super) fn is_for(&self, config: &Config) -> bool {
        self.shape == CacheShape::of(config)
    }

    /// Count `rows` more positions as held; they were stored before.
    pub(super) fn advance(&mut self, rows: usize) {
        self.len = self.len.saturating_add(rows).min(self.capacity);
    }

    /// Elements of one kv head of one layer.
    fn plane(&self) -> usize {
        self.capacity.saturating_mul(self.shape.head_width)
    }

    /// Compute what the next `count` positions put into the keys' columns.
    pub(super) fn store_codes(
        &mut self,
        count: usize,
        position: &impl PositionEncoding,
    ) -> Result<(), PositionError> {
        let codes = rows_mut(self.codes, self.shape.digits);
        for (n, codes) in (0u32..).zip(codes).skip(self.len).take(count) {
            position.key_values(n, codes)?;
        }
        Ok(())
    }

    /// Store rows of keys or values of all kv heads at the next positions.
    pub(super) fn store(&mut self, half: Half, layer: usize, new: &[f32]) {
        let CacheShape { kv_heads, head_width, .. } = self.shape;
        let plane = self.plane();
        let first = layer.saturating_mul(kv_heads);
        let to = match half {
            Half::Keys => &mut *self.keys,
            Half::Values => &mut *self.values,
        };
        let planes = rows_mut(to, plane).skip(first).take(kv_heads);
        for (head, plane) in planes.enumerate() {
            let places = rows_mut(plane, head_width).skip(self.len);
            let heads = rows(new, head_width).skip(head).step_by(kv_heads.max(1));
            for (place, head) in places.zip(heads) {
                for (to, from) in place.iter_mut().zip(head) {
                    *to = *from;
                }
            }
        }
    }

    /// The kv heads of a layer, with the positions held and `more` after them.
    pub(super) fn heads(&self, layer: usize, more: usize) -> impl Iterator<Item = Past<'_>> {
        let CacheShape { kv_heads, head_width, digits, .. } = self.shape;
        let count = self.len.saturating_add(more);
        let held = count.saturating_mul(head_width);
        let codes = self.codes.get(..count.saturating_mul(digits)).unwrap_or(&[]);
        let plane = self.plane();
        let keys = rows(self.keys, plane).skip(layer.saturating_mul(kv_heads));
        let values = rows(self.values, plane).skip(layer.saturating_mul(kv_heads));
        keys.zip(values).take(kv_heads).map(move |(keys, values)| Past {
            keys: keys.get(..held).unwrap_or(&[]),
            values: values.get(..held).unwrap_or(&[]),
            codes,
        })
    }
}
