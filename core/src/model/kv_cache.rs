use core::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use super::MemoryError;
use crate::kernels::{CacheFormat, F32, rows, rows_mut};
use crate::position::PositionError;
use crate::shape::{Config, WORD, half_len};

/// Keys and values of the positions seen so far, for all layers, in the caller's memory, in the
/// format `S`.
///
/// With ExPE and ExQPE the keys are *position-free*: what a position adds to a score is computed
/// from its values, `D` words kept once for all layers, when the score is. Truncating is free, so a
/// cache can be rewound to any earlier position. [`Float`](super::Float) and
/// [`Integer`](super::Integer) write these values in different ways: [`clear`](Self::clear) a cache
/// before a decoder in the other arithmetic uses it.
///
/// A [`ring`](Self::ring) goes on when it is full: the oldest position makes room, and the others move
/// one place towards the front of the window. For position-free keys this costs nothing: a position is
/// its place in the window, and no key is touched.
///
/// In memory: keys `[layer][kv head][slot][head_width]` and their scales `[layer][kv head][slot]`,
/// values alike, then the values of the positions `[position][D]`.
#[derive(Debug)]
pub struct KvCache<'a, S: CacheFormat = F32> {
    keys: Half<'a, S>,
    values: Half<'a, S>,
    codes: &'a mut [u32],
    shape: CacheShape,
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
    /// First positions that stay.
    sinks: usize,
    /// The slot of position `sinks` is `sinks + offset`.
    offset: usize,
    /// Positions that have made room so far.
    dropped: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CacheShape {
    layers: usize,
    kv_heads: usize,
    head_width: usize,
    digits: usize,
    position_free: bool,
}

impl CacheShape {
    const fn of(config: &Config) -> Self {
        Self {
            layers: config.layers,
            kv_heads: config.kv_heads,
            head_width: config.head_width,
            digits: config.override_block().digits,
            position_free: config.position.is_position_free(),
        }
    }
}

/// Which half of the cache.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// Keys.
    Keys,
    /// Values.
    Values,
}

/// Neighboring slots of one kv head of one layer: `first..first + len` of the window's positions.
#[derive(Debug)]
pub struct Run<'c, S: CacheFormat> {
    /// The first position.
    pub first: usize,
    /// Rows of `head_width`.
    pub keys: &'c [S::Bits],
    /// One per key, if the format has scales.
    pub key_scales: &'c [u16],
    /// Rows of `head_width`.
    pub values: &'c [S::Bits],
    /// One per value, if the format has scales.
    pub value_scales: &'c [u16],
}

/// What one kv head of one layer holds: the positions `0..count` of the window.
#[derive(Debug)]
pub struct Past<'c, S: CacheFormat> {
    /// All positions, in up to three runs; some may be empty.
    pub runs: [Run<'c, S>; 3],
    /// What the positions put into the keys' columns: rows of `D` words.
    pub codes: &'c [u32],
}

impl<'a, S: CacheFormat> KvCache<'a, S> {
    /// An empty cache of `capacity` positions, at the front of `buffer`.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than [`cache_len(capacity)`](Config::cache_len).
    pub fn new(
        config: &Config,
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
        // All products are smaller than `needed`.
        let heads = config.layers.saturating_mul(config.kv_heads).saturating_mul(capacity);
        let half = half_len::<S>(heads, config.head_width);
        let (keys, rest) = buffer.split_at_mut_checked(half).ok_or(error)?;
        let (values, codes) = rest.split_at_mut_checked(half).ok_or(error)?;
        let elements = heads.saturating_mul(config.head_width);
        Ok(Self {
            keys: Half::new(keys, heads, elements).ok_or(error)?,
            values: Half::new(values, heads, elements).ok_or(error)?,
            codes,
            shape: CacheShape::of(config),
            capacity,
            len: 0,
            ring: None,
        })
    }

    /// An empty cache that never fills: past `capacity` positions the oldest makes room, except for
    /// the first `sinks`, which stay (attention sinks; Xiao et al. 2023, arXiv 2309.17453). At most
    /// `capacity − 1` are kept.
    ///
    /// With ExPE, ExQPE, ALiBi and none a token's position is its place in the window, so it stays
    /// below `capacity` for ever. With the others, whose position is inside keys or values, it counts
    /// on, up to the encoding's length.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn ring(
        config: &Config,
        capacity: usize,
        sinks: usize,
        buffer: &'a mut [u32],
    ) -> Result<Self, MemoryError> {
        let sinks = sinks.min(capacity.saturating_sub(1));
        let cache = Self::new(config, capacity, buffer)?;
        Ok(Self { ring: Some(Ring { sinks, offset: 0, dropped: 0 }), ..cache })
    }

    /// Positions held.
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

    /// Whether the oldest position makes room when it is full.
    pub const fn is_ring(&self) -> bool {
        self.ring.is_some()
    }

    /// Forget all positions from `len` on; decoding goes on at position `len`. Nothing happens if
    /// it holds fewer.
    ///
    /// In a ring that has lost positions, `len` counts those that it still holds. One that is left
    /// with no more than its sinks is as if it had never been full.
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

    /// Forget everything.
    pub const fn clear(&mut self) {
        self.truncate(0);
    }

    /// Whether it was made for models of this shape.
    pub(super) fn is_for(&self, config: &Config) -> bool {
        self.shape == CacheShape::of(config)
    }

    /// The next `count` tokens' positions as the encoding counts them; where a ring has none left, the
    /// last one again, which every further token gets.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`] where 32 bits end.
    pub(super) fn next_positions(&self, count: usize) -> Result<Range<u32>, PositionError> {
        let length = u32::MAX;
        let error = PositionError::BeyondLength { position: length, length };
        let (first, count) = match self.ring {
            Some(_) if self.shape.position_free => {
                let first = self.len.min(self.capacity.saturating_sub(1));
                (first as u32, count.min(self.capacity.saturating_sub(first)))
            }
            Some(ring) => ((self.len as u32).checked_add(ring.dropped).ok_or(error)?, count),
            None => (self.len as u32, count),
        };
        let end = u32::try_from(count).ok().and_then(|count| first.checked_add(count));
        Ok(first..end.ok_or(error)?)
    }

    /// Where the window is now, for [`move_back`](Self::move_back).
    pub(super) const fn window(&self) -> Window {
        Window { ring: self.ring, len: self.len }
    }

    /// Undo [`make_room`](Self::make_room): the position that made it has not been written over yet.
    pub(super) const fn move_back(&mut self, Window { ring, len }: Window) {
        (self.ring, self.len) = (ring, len);
    }

    /// Positions that fit before one has to make room.
    pub(super) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.len)
    }

    /// Make room for a position, if it is a full ring.
    pub(super) fn make_room(&mut self) {
        if let Some(ring) = &mut self.ring {
            if self.len >= self.capacity {
                let places = self.capacity.saturating_sub(ring.sinks);
                let next = ring.offset.saturating_add(1);
                ring.offset = if next >= places { 0 } else { next };
                ring.dropped = ring.dropped.saturating_add(1);
                self.len = self.len.saturating_sub(1);
            }
        }
    }

    /// Count `rows` more positions as held; they were stored before.
    pub(super) fn advance(&mut self, rows: usize) {
        self.len = self.len.saturating_add(rows).min(self.capacity);
    }

    /// The places of what the next `count` positions put into the keys' columns: rows of `D` words.
    pub(super) fn next_codes(&mut self, count: usize) -> impl Iterator<Item = &mut [u32]> {
        rows_mut(self.codes, self.shape.digits).skip(self.len).take(count)
    }

    /// The slots of the positions `0..count`, as runs of neighbors: `(first position, slot, length)`.
    fn runs(&self, count: usize) -> [(usize, usize, usize); 3] {
        let Ring { sinks, offset, .. } =
            self.ring.unwrap_or(Ring { sinks: 0, offset: 0, dropped: 0 });
        let kept = count.min(sinks);
        let moving = count.saturating_sub(kept);
        let places = self.capacity.saturating_sub(sinks);
        let first = moving.min(places.saturating_sub(offset));
        [
            (0, 0, kept),
            (kept, sinks.saturating_add(offset), first),
            (kept.saturating_add(first), sinks, moving.saturating_sub(first)),
        ]
    }

    /// The slot of a position of the window.
    fn slot(&self, position: usize) -> usize {
        let runs = self.runs(position.saturating_add(1));
        let holds = |(first, slot, len): &(usize, usize, usize)| {
            let inside = position.checked_sub(*first).filter(|inside| inside < len)?;
            Some(slot.saturating_add(inside))
        };
        runs.iter().find_map(holds).unwrap_or(usize::MAX)
    }

    /// Store `new`, rows of all kv heads, at the next positions: `store` writes the row of one head
    /// and gives its scale.
    pub(super) fn store<R>(
        &mut self,
        part: Part,
        layer: usize,
        new: &[R],
        store: impl Fn(&[R], &mut [S::Bits]) -> u16,
    ) {
        let CacheShape { kv_heads, head_width, .. } = self.shape;
        let width = kv_heads.saturating_mul(head_width);
        for (row, position) in rows(new, width).zip(self.len..) {
            let slot = self.slot(position);
            let half = match part {
                Part::Keys => &mut self.keys,
                Part::Values => &mut self.values,
            };
            let first = layer.saturating_mul(kv_heads);
            for (head, plane) in rows(row, head_width).zip(first..) {
                let place = plane.saturating_mul(self.capacity).saturating_add(slot);
                if let Some(bits) = rows_mut(half.rows, head_width).nth(place) {
                    let scale = store(head, bits);
                    if let Some(place) = half.scales.get_mut(place) {
                        *place = scale;
                    }
                }
            }
        }
    }

    /// The kv heads of a layer, with the positions held and `more` after them.
    pub(super) fn heads(&self, layer: usize, more: usize) -> impl Iterator<Item = Past<'_, S>> {
        let CacheShape { kv_heads, head_width, digits, .. } = self.shape;
        let count = self.len.saturating_add(more);
        let codes = self.codes.get(..count.saturating_mul(digits)).unwrap_or(&[]);
        let runs = self.runs(count);
        let first = layer.saturating_mul(kv_heads);
        (first..).take(kv_heads).map(move |plane| {
            let start = plane.saturating_mul(self.capacity);
            Past {
                runs: runs.map(|(first, slot, len)| {
                    let from = start.saturating_add(slot);
                    let (keys, key_scales) = self.keys.part(from, len, head_width);
                    let (values, value_scales) = self.values.part(from, len, head_width);
                    Run { first, keys, key_scales, values, value_scales }
                }),
                codes,
            }
        })
    }
}

impl<'a, S: CacheFormat> Half<'a, S> {
    /// The parts of `words`, which are exactly enough.
    fn new(words: &'a mut [u32], heads: usize, elements: usize) -> Option<Self> {
        let (rows, rest) =
            <[S::Bits]>::mut_from_prefix_with_elems(words.as_mut_bytes(), elements).ok()?;
        // Behind elements of one byte the scales begin at the next word.
        let used = size_of_val(rows).next_multiple_of(WORD).saturating_sub(size_of_val(rows));
        let rest = rest.get_mut(used..)?;
        let scales = if S::SCALED { heads } else { 0 };
        let (scales, _) = <[u16]>::mut_from_prefix_with_elems(rest, scales).ok()?;
        Some(Self { rows, scales })
    }

    /// `len` rows from `from` on, and their scales.
    fn part(&self, from: usize, len: usize, head_width: usize) -> (&[S::Bits], &[u16]) {
        let (start, count) = (from.saturating_mul(head_width), len.saturating_mul(head_width));
        let rows = self.rows.get(start..).and_then(|rows| rows.get(..count));
        let scales = self.scales.get(from..).and_then(|scales| scales.get(..len));
        (rows.unwrap_or(&[]), scales.unwrap_or(&[]))
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
            let mut ring = KvCache::<F32>::ring(&config, 8, 0, &mut words).unwrap();
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
