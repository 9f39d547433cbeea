use super::arithmetic::{Arithmetic, Attend, HeadPosition};
use super::decoder::Decoder;
use super::kv_cache::Part;
use super::weights::{Layer, Layers};
use super::workspace::Parts;
use super::{DecodeError, KvCache};
use crate::kernels::{CacheFormat, Inputs, Matrix, rows, rows_mut};
use crate::position::PositionEncoding;
use crate::shape::{Activation, Config};

/// Tokens on their way through the layers; see [`Decoder::start`].
///
/// ```
/// # use expe_core::{DecodeError, Decoder, I8, Integer, KvCache, Workspace};
/// # use expe_core::position::PositionEncoding;
/// # fn read<P: PositionEncoding>(
/// #     decoder: &Decoder<'_, P, Integer>, cache: &mut KvCache<'_, I8>, workspace: &mut Workspace<'_>,
/// #     feed_watchdog: fn(),
/// # ) -> Result<i32, DecodeError> {
/// let mut pass = decoder.start(&[17], cache, workspace)?;
/// while pass.step() {
///     feed_watchdog(); // after each layer, and after the head
/// }
/// let largest = pass.logits().iter().max();
/// # Ok(*largest.unwrap())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a pass that is dropped before its last step has read nothing"]
pub struct Pass<'p, 'm, 'c, P, A: Arithmetic, S: CacheFormat> {
    decoder: &'p Decoder<'m, P, A>,
    cache: &'p mut KvCache<'c, S>,
    parts: Parts<'p, A::Real>,
    layers: Layers<'p, 'm>,
    layer: usize,
    count: usize,
    /// The first token whose logits are wanted: the last layer leaves those before it at their keys and
    /// values.
    wanted: usize,
    done: bool,
}

impl<'p, 'm, 'c, P: PositionEncoding, A: Attend<S>, S: CacheFormat> Pass<'p, 'm, 'c, P, A, S> {
    /// Embed tokens, which were checked, and find their positions' numbers.
    pub(super) fn new(
        decoder: &'p Decoder<'m, P, A>,
        tokens: &[u32],
        wanted: usize,
        cache: &'p mut KvCache<'c, S>,
        parts: Parts<'p, A::Real>,
    ) -> Result<Self, DecodeError> {
        let before = cache.window();
        cache.make_room();
        let layers = decoder.model().layers();
        let count = tokens.len();
        let mut pass = Self { decoder, cache, parts, layers, layer: 0, count, wanted, done: false };
        match pass.embed(tokens) {
            Ok(()) => Ok(pass),
            Err(error) => {
                pass.cache.move_back(before);
                Err(error)
            }
        }
    }

    /// Go one step further: through a layer, or through the head after the last one. False when there
    /// is nothing left to do.
    pub fn step(&mut self) -> bool {
        if self.done {
            return false;
        }
        if !self.layer() {
            self.head(self.wanted);
            self.cache.advance(self.count);
            self.done = true;
        }
        true
    }

    /// The logits that follow the last token, once [`step`](Self::step) has come to the end; all
    /// zero or an earlier token's before.
    pub fn logits(&self) -> &[A::Real] {
        self.parts.logits.get(..self.decoder.model().config().vocab).unwrap_or(&[])
    }

    /// Let the cache count the tokens.
    pub(super) fn commit(self) {
        self.cache.advance(self.count);
    }

    fn embed(&mut self, tokens: &[u32]) -> Result<(), DecodeError> {
        let Self { decoder, cache, parts, count, .. } = self;
        let (arithmetic, position) = (decoder.arithmetic(), decoder.position());
        let config = decoder.model().config();
        let embed = decoder.model().embed();
        let next = cache.next_positions(*count)?;
        let positions = || next.clone();
        let x = rows_mut(parts.x, config.width).zip(tokens).zip(positions());
        for ((x, token), n) in x {
            arithmetic.embed(&embed, *token as usize, x);
            arithmetic.embed_position(position, n, x)?;
        }
        for (n, codes) in positions().zip(rows_mut(parts.codes, config.override_block().digits)) {
            arithmetic.query_codes(position, n, codes)?;
        }
        for (n, table) in positions().zip(rows_mut(parts.rotations, config.head_width)) {
            arithmetic.rotation(position, n, table)?;
        }
        for (n, codes) in positions().zip(cache.next_codes(*count)) {
            arithmetic.key_codes(position, n, codes)?;
        }
        Ok(())
    }

    /// Compute the next layer; false if there is none.
    pub(super) fn layer(&mut self) -> bool {
        let Some(layer) = self.layers.next() else { return false };
        let last = self.layer.saturating_add(1) >= self.decoder.model().config().layers;
        let first = if last { self.wanted } else { 0 };
        self.attention(&layer, first);
        self.mlp(&layer, first);
        self.layer = self.layer.saturating_add(1);
        true
    }

    /// `x += W_o·attention(norm(x))`, for the rows from `first` on; the keys and values of every row.
    fn attention(&mut self, layer: &Layer<'m>, first: usize) {
        let Self { decoder, cache, parts, count, .. } = self;
        let (count, index) = (*count, self.layer);
        let (arithmetic, position) = (decoder.arithmetic(), decoder.position());
        let config = decoder.model().config();
        let Config { width, heads, kv_heads, head_width, .. } = *config;
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let columns = config.override_block();
        let x = front(parts.x, count, width);
        let h = front(parts.h, count, width);
        let (q, rest) = split(parts.inner, count.saturating_sub(first), query_width);
        let kv = front(rest, count, key_width);

        norm_rows(arithmetic, config, x, layer.attn_norm, h, parts.packed, parts.scales);
        let whole = Inputs::new(h, width).with_quants(parts.packed, parts.scales);
        let free = whole.skip(columns.width);
        arithmetic.project(&layer.wq, free.from(first), q);
        let codes = rows(parts.codes, columns.digits).skip(first);
        for (q, codes) in rows_mut(q, query_width).zip(codes) {
            arithmetic.add_columns(position, codes, layer.query_columns, q);
        }
        arithmetic.project(&layer.wk, free, kv);
        for (heads, width, first) in [(&mut *q, query_width, first), (&mut *kv, key_width, 0)] {
            let tables = rows(parts.rotations, head_width).skip(first);
            for (row, table) in rows_mut(heads, width).zip(tables) {
                for head in rows_mut(row, head_width) {
                    arithmetic.rotate(table, head);
                }
            }
        }
        let store = |row: &[A::Real], place: &mut [S::Bits]| arithmetic.store(row, place);
        cache.store(Part::Keys, index, kv, store);
        arithmetic.project(&layer.wv, whole, kv);
        cache.store(Part::Values, index, kv, store);

        let group = heads.checked_div(kv_heads).unwrap_or(1);
        for (q, more) in rows_mut(q, query_width).zip(first.saturating_add(1)..) {
            let seen = cache.len().saturating_add(more);
            let Some(scores) = parts.scores.get_mut(..seen) else { return };
            let groups = rows_mut(q, group.saturating_mul(head_width));
            for (kv_head, (past, group)) in cache.heads(index, more).zip(groups).enumerate() {
                let first = kv_head.saturating_mul(heads).checked_div(kv_heads).unwrap_or(0);
                for (head, q) in (first..).zip(rows_mut(group, head_width)) {
                    let (key_columns, slope) = (layer.key_columns, position.slope(head));
                    let head = HeadPosition { key_columns, key_width, kv_head, slope };
                    arithmetic.attend(position, &head, &past, q, scores, parts.packed);
                }
            }
        }
        let packed = rows_mut(parts.packed, query_width);
        for ((q, codes), scale) in rows(q, query_width).zip(packed).zip(parts.scales.iter_mut()) {
            *scale = arithmetic.pack_attention(q, codes);
        }
        let inputs = Inputs::new(q, query_width).with_quants(parts.packed, parts.scales);
        arithmetic.project_add(&layer.wo, inputs, behind(x, first, width));
    }

    /// `x += W_2·activation(W_1·norm(x))`, for the rows from `first` on.
    fn mlp(&mut self, layer: &Layer<'m>, first: usize) {
        let Self { decoder, parts, count, .. } = self;
        let count = count.saturating_sub(first);
        let arithmetic = decoder.arithmetic();
        let config = decoder.model().config();
        let Config { width, hidden, activation, .. } = *config;
        let x = front(behind(parts.x, first, width), count, width);
        let h = front(parts.h, count, width);
        let (inner, rest) = split(parts.inner, count, hidden);
        let mut gate: &mut [A::Real] = &mut [];

        norm_rows(arithmetic, config, x, layer.mlp_norm, h, parts.packed, parts.scales);
        let inputs = Inputs::new(h, width).with_quants(parts.packed, parts.scales);
        arithmetic.project(&layer.w1, inputs, inner);
        if let (Activation::SwiGlu, Some(w3)) = (activation, layer.w3) {
            gate = front(rest, count, hidden);
            arithmetic.project(&w3, inputs, gate);
        }
        arithmetic.activate(activation, inner, gate);
        let packed = rows_mut(parts.packed, hidden);
        for ((inner, codes), scale) in rows(inner, hidden).zip(packed).zip(parts.scales.iter_mut())
        {
            *scale = arithmetic.pack_inner(inner, codes);
        }
        let inputs = Inputs::new(inner, hidden).with_quants(parts.packed, parts.scales);
        arithmetic.project_add(&layer.w2, inputs, x);
    }

    /// The logits that follow the tokens of the chunk from `row` on: of as many as there is room for.
    pub(super) fn head(&mut self, row: usize) -> &[A::Real] {
        let Self { decoder, parts, count, .. } = self;
        let (arithmetic, model) = (decoder.arithmetic(), decoder.model());
        let config = model.config();
        let head: Matrix<'m> = model.head();
        let room = parts.logits.len().checked_div(config.vocab).unwrap_or(0);
        let count = count.saturating_sub(row).min(room);
        let x = front(behind(parts.x, row, config.width), count, config.width);
        let h = front(parts.h, count, config.width);
        let gain = model.final_norm();
        norm_rows(arithmetic, config, x, gain, h, parts.packed, parts.scales);
        let inputs = Inputs::new(h, config.width).with_quants(parts.packed, parts.scales);
        let logits = front(parts.logits, count, config.vocab);
        arithmetic.project(&head, inputs, logits);
        logits
    }
}

/// The norm of every row of `x`, and its 8-bit integers.
fn norm_rows<A: Arithmetic>(
    arithmetic: &A,
    config: &Config,
    x: &[A::Real],
    gain: &[f32],
    h: &mut [A::Real],
    packed: &mut [i8],
    scales: &mut [f32],
) {
    let width = config.width;
    let outputs = rows_mut(h, width).zip(rows_mut(packed, width)).zip(scales);
    for (x, ((h, codes), scale)) in rows(x, width).zip(outputs) {
        *scale = arithmetic.norm(config, x, gain, h, codes);
    }
}

/// The first `count` rows of `width` elements.
fn front<R>(buffer: &mut [R], count: usize, width: usize) -> &mut [R] {
    split(buffer, count, width).0
}

/// The first `count` rows of `width` elements, and the rest; a workspace has room for them.
fn split<R>(buffer: &mut [R], count: usize, width: usize) -> (&mut [R], &mut [R]) {
    buffer.split_at_mut_checked(count.saturating_mul(width)).unwrap_or_default()
}

/// All behind the first `count` rows of `width` elements.
fn behind<R>(buffer: &mut [R], count: usize, width: usize) -> &mut [R] {
    split(buffer, count, width).1
}
