use core::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use super::arithmetic::Arithmetic;
use super::attention::{CacheRun, Past};
use super::weights::ModelId;
use super::{Float, MemoryError};
use crate::kernels::{CacheFormat, F32, rows, rows_mut};
use crate::num::invariant::{slice, slice_mut};
use crate::position::PositionError;
use crate::shape::{Config, WORD, half_len};

/// Keys and values of the positions seen so far, for all layers, in the caller's memory, in the
/// format `S`. [`Decoder::cache`](super::Decoder::cache) makes one.
///
/// With ExPE and ExQPE the keys are *position-free*: the position's part of a score is computed with
/// the score, from `D` words per position that all layers share. Truncating costs nothing, so a cache
/// can be rewound to any earlier position. [`Float`] and [`Integer`](super::Integer) keep different
/// words, so the arithmetic `A` is part of the type.
///
/// A [ring](super::Decoder::ring_cache) continues when it is full: the oldest position makes room,
/// and the others move one place towards the front of the window. With position-free keys no key
/// changes: a position is its place in the window.
///
/// In memory: keys `[layer][kv head][slot][head_width]` and their scales `[layer][kv head][slot]`,
/// values likewise, then the position words `[position][D]`.
#[derive(Debug)]
pub struct KvCache<'a, S: CacheFormat = F32, A: Arithmetic = Float> {
    keys: Half<'a, S>,
    values: Half<'a, S>,
    position_words: &'a mut [A::PositionWord],
    dims: Dims,
    model: ModelId,
    capacity: usize,
    len: usize,
    ring: Option<Ring>,
}

/// Keys, or values.
#[derive(Debug)]
struct Half<'a, S: CacheFormat> {
    rows: &'a mut [S::Bits],
    scales: &'a mut [u16],
}

/// The window of a cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    ring: Option<Ring>,
    len: usize,
}

/// Where the window of a ring begins.
#[derive(Debug, Clone, Copy)]
struct Ring {
    /// The first positions, which stay.
    sinks: usize,
    /// The slot of position `sinks` is `sinks + offset`.
    offset: usize,
    /// Positions that have made room so far.
    dropped: u32,
}

/// The dimensions of the model that the layout of a cache depends on.
#[derive(Debug, Clone, Copy)]
struct Dims {
    kv_heads: usize,
    head_width: usize,
    digits: usize,
    position_free: bool,
}

/// A half of the cache.
#[derive(Debug, Clone, Copy)]
pub(super) enum CacheHalf {
    Keys,
    Values,
}

/// Consecutive positions in consecutive slots.
#[derive(Debug, Clone, Copy)]
struct SlotRun {
    position: usize,
    slot: usize,
    len: usize,
}

impl<'a, S: CacheFormat, A: Arithmetic> KvCache<'a, S, A> {
    /// Makes an empty cache of `capacity` positions at the front of `buffer`.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than `Config::cache_len(capacity)`.
    pub(super) fn new(
        config: &Config,
        model: ModelId,
        capacity: usize,
        buffer: &'a mut [u32],
    ) -> Result<Self, MemoryError> {
        // Positions are counted in 32 bits.
        let needed = match u32::try_from(capacity) {
            Ok(_) => config.cache_len::<S>(capacity),
            Err(_) => usize::MAX,
        };
        let error = MemoryError { what: "cache", needed, found: buffer.len() };
        let buffer = buffer.get_mut(..needed).ok_or(error)?;
        // No product is larger than `needed`.
        let heads = config.layers * config.kv_heads * capacity;
        let half = half_len::<S>(heads, config.head_width);
        let (keys, rest) = buffer.split_at_mut_checked(half).ok_or(error)?;
        let (values, words) = rest.split_at_mut_checked(half).ok_or(error)?;
        let elements = heads * config.head_width;
        Ok(Self {
            keys: Half::new(keys, heads, elements).ok_or(error)?,
            values: Half::new(values, heads, elements).ok_or(error)?,
            position_words: <[A::PositionWord]>::mut_from_bytes(words.as_mut_bytes())
                .map_err(|_| error)?,
            dims: Dims {
                kv_heads: config.kv_heads,
                head_width: config.head_width,
                digits: config.override_block().digits,
                position_free: config.position.is_position_free(),
            },
            model,
            capacity,
            len: 0,
            ring: None,
        })
    }

    /// Makes this empty cache a ring whose first `sinks` positions stay.
    pub(super) fn into_ring(self, sinks: usize) -> Self {
        let sinks = sinks.min(self.capacity.saturating_sub(1));
        Self { ring: Some(Ring { sinks, offset: 0, dropped: 0 }), ..self }
    }

    /// Returns the number of positions held.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the cache holds no position.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of positions that the cache can hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns whether the oldest position makes room when the cache is full.
    pub const fn is_ring(&self) -> bool {
        self.ring.is_some()
    }

    /// Forgets all positions from `len` on; decoding continues at position `len`. Does nothing if
    /// the cache holds fewer.
    ///
    /// In a ring that has dropped positions, `len` counts those that it still holds. A ring truncated
    /// to its sinks or fewer is as if it had never been full.
    pub const fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
        }
        if let Some(ring) = &mut self.ring {
            if self.len <= ring.sinks {
                (ring.offset, ring.dropped) = (0, 0);
            }
        }
    }

    /// Forgets all positions.
    pub const fn clear(&mut self) {
        self.truncate(0);
    }

    /// Returns the model that the cache was made for.
    pub(super) const fn model(&self) -> ModelId {
        self.model
    }

    /// Returns the positions of the next `count` tokens as the encoding counts them. Where a ring has
    /// none left it is the last one, which every further token gets.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`] where 32 bits end.
    pub(super) fn next_positions(&self, count: usize) -> Result<Range<u32>, PositionError> {
        let length = u32::MAX;
        let error = PositionError::BeyondLength { position: length, length };
        let (first, count) = match self.ring {
            Some(_) if self.dims.position_free => {
                let first = self.len.min(self.capacity.saturating_sub(1));
                (first as u32, count.min(self.capacity - first))
            }
            Some(ring) => ((self.len as u32).checked_add(ring.dropped).ok_or(error)?, count),
            None => (self.len as u32, count),
        };
        let end = u32::try_from(count).ok().and_then(|count| first.checked_add(count));
        Ok(first..end.ok_or(error)?)
    }

    /// Returns the state that [`restore`](Self::restore) goes back to.
    pub(super) const fn window(&self) -> Window {
        Window { ring: self.ring, len: self.len }
    }

    /// Undoes [`make_room`](Self::make_room): the position that made room has not been overwritten yet.
    pub(super) const fn restore(&mut self, Window { ring, len }: Window) {
        (self.ring, self.len) = (ring, len);
    }

    /// Returns the number of positions that fit before one has to make room.
    pub(super) const fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Makes room for one position if this is a full ring.
    pub(super) const fn make_room(&mut self) {
        if let Some(ring) = &mut self.ring {
            if self.len >= self.capacity {
                let places = self.capacity - ring.sinks;
                let next = ring.offset + 1;
                ring.offset = if next >= places { 0 } else { next };
                // Where 32 bits end, `next_positions` refuses.
                ring.dropped = ring.dropped.saturating_add(1);
                self.len -= 1;
            }
        }
    }

    /// Counts `rows` more positions as held; they were stored before.
    pub(super) fn advance(&mut self, rows: usize) {
        debug_assert!(rows <= self.room(), "{rows} positions in the room of {}", self.room());
        self.len = self.capacity.min(self.len + rows);
    }

    /// Returns the places of the next `count` positions' words, rows of `D`.
    pub(super) fn next_position_words(
        &mut self,
        count: usize,
    ) -> impl Iterator<Item = &mut [A::PositionWord]> {
        rows_mut(self.position_words, self.dims.digits).skip(self.len).take(count)
    }

    /// Returns the slots of the positions `0..count`, in order.
    fn slot_runs(&self, count: usize) -> [SlotRun; 3] {
        let Ring { sinks, offset, .. } =
            self.ring.unwrap_or(Ring { sinks: 0, offset: 0, dropped: 0 });
        let kept = count.min(sinks);
        let moving = count - kept;
        let first = moving.min(self.capacity - sinks - offset);
        [
            SlotRun { position: 0, slot: 0, len: kept },
            SlotRun { position: kept, slot: sinks + offset, len: first },
            SlotRun { position: kept + first, slot: sinks, len: moving - first },
        ]
    }

    /// Returns the slot of a position of the window.
    fn slot(&self, position: usize) -> usize {
        let inside = |run: &SlotRun| {
            let index = position.checked_sub(run.position).filter(|index| *index < run.len)?;
            Some(run.slot + index)
        };
        self.slot_runs(position + 1).iter().find_map(inside).unwrap_or(usize::MAX)
    }

    /// Stores `new`, rows of all kv heads, at the next positions: `store` writes the row of one head
    /// and returns its scale.
    pub(super) fn store<R>(
        &mut self,
        half: CacheHalf,
        layer: usize,
        new: &[R],
        store: impl Fn(&[R], &mut [S::Bits]) -> u16,
    ) {
        let Dims { kv_heads, head_width, .. } = self.dims;
        for (row, position) in rows(new, kv_heads * head_width).zip(self.len..) {
            let slot = self.slot(position);
            let half = match half {
                CacheHalf::Keys => &mut self.keys,
                CacheHalf::Values => &mut self.values,
            };
            for (head, plane) in rows(row, head_width).zip(layer * kv_heads..) {
                let place = plane * self.capacity + slot;
                let start = place * head_width;
                let scale = store(head, slice_mut(half.rows, start..start + head_width));
                if let Some(place) = half.scales.get_mut(place) {
                    *place = scale;
                }
            }
        }
    }

    /// Returns the kv heads of a layer, with the positions held and `more` after them.
    pub(super) fn heads(
        &self,
        layer: usize,
        more: usize,
    ) -> impl Iterator<Item = Past<'_, S, A::PositionWord>> {
        let Dims { kv_heads, head_width, digits, .. } = self.dims;
        let count = self.len + more;
        let position_words = slice(self.position_words, ..count * digits);
        let runs = self.slot_runs(count);
        (layer * kv_heads..).take(kv_heads).map(move |plane| {
            let start = plane * self.capacity;
            Past {
                runs: runs.map(|SlotRun { position, slot, len }| {
                    let (keys, key_scales) = self.keys.run(start + slot, len, head_width);
                    let (values, value_scales) = self.values.run(start + slot, len, head_width);
                    CacheRun { first: position, keys, key_scales, values, value_scales }
                }),
                position_words,
            }
        })
    }
}

impl<'a, S: CacheFormat> Half<'a, S> {
    /// Divides `words`, which has the exact length, into rows and scales.
    fn new(words: &'a mut [u32], heads: usize, elements: usize) -> Option<Self> {
        let (rows, rest) =
            <[S::Bits]>::mut_from_prefix_with_elems(words.as_mut_bytes(), elements).ok()?;
        // After elements of one byte the scales begin at the next word.
        let padding = size_of_val(rows).next_multiple_of(WORD) - size_of_val(rows);
        let rest = rest.get_mut(padding..)?;
        let scales = if S::SCALED { heads } else { 0 };
        let (scales, _) = <[u16]>::mut_from_prefix_with_elems(rest, scales).ok()?;
        Some(Self { rows, scales })
    }

    /// Returns `len` rows from `first` on, and their scales.
    fn run(&self, first: usize, len: usize, head_width: usize) -> (&[S::Bits], &[u16]) {
        let start = first * head_width;
        let rows = slice(self.rows, start..start + len * head_width);
        let scales = if S::SCALED { slice(self.scales, first..first + len) } else { &[] };
        (rows, scales)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::PositionConfig;
    use crate::shape::{Activation, Norm};

    /// A ring that has taken almost as many tokens as 32 bits count.
    #[test]
    fn positions_end_where_32_bits_do() {
        for (position, is_free) in
            [(PositionConfig::Sinusoidal { base: 10_000.0 }, false), (PositionConfig::Alibi, true)]
        {
            let config = Config {
                vocab: 256,
                width: 2,
                layers: 1,
                heads: 1,
                kv_heads: 1,
                head_width: 2,
                hidden: 2,
                context: 8,
                norm: Norm::RmsNorm,
                epsilon: 1e-5,
                activation: Activation::Gelu,
                tied_head: true,
                position,
            };
            let mut words = [0; 64];
            let cache: KvCache<'_> = KvCache::new(&config, ModelId(0), 8, &mut words).unwrap();
            let mut ring = cache.into_ring(0);
            ring.len = 8;
            ring.ring = Some(Ring { sinks: 0, offset: 3, dropped: u32::MAX - 10 });
            let free = 7..8;
            let rest = if is_free { free.clone() } else { u32::MAX - 2..u32::MAX };
            assert_eq!(ring.next_positions(2), Ok(rest));
            assert_eq!(ring.next_positions(3), if is_free { Ok(free) } else { ERROR });
        }
    }

    const ERROR: Result<Range<u32>, PositionError> =
        Err(PositionError::BeyondLength { position: u32::MAX, length: u32::MAX });
}
