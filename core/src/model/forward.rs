use super::DecodeError;
use super::arithmetic::Arithmetic;
use super::attention::{Attend, HeadPosition};
use super::kv_cache::{CacheHalf, KvCache};
use super::observe::Observe;
use super::weights::{Layer, Layers, Model};
use super::workspace::Buffers;
use crate::kernels::{CacheFormat, Inputs, rows, rows_mut};
use crate::num::invariant::{quotient, slice, slice_mut, split_mut};
use crate::position::PositionEncoding;
use crate::shape::{Activation, Config, TensorId, TensorKind};

/// A chunk of tokens on its way through the layers; see [`Decoder::start`](super::Decoder::start).
///
/// ```
/// # use expe_core::position::PositionEncoding;
/// # use expe_core::{DecodeError, Decoder, I8, Integer, KvCache, Workspace};
/// # fn read<P: PositionEncoding>(
/// #     decoder: &Decoder<'_, P, Integer>, cache: &mut KvCache<'_, I8, Integer>,
/// #     workspace: &mut Workspace<'_>, feed_watchdog: fn(),
/// # ) -> Result<i32, DecodeError> {
/// let mut forward = decoder.start(&[17], cache, workspace)?;
/// while forward.step() {
///     feed_watchdog(); // after each layer, and after the head
/// }
/// let largest = forward.logits().iter().max();
/// # Ok(*largest.unwrap())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a forward pass that is dropped before its last step has read nothing"]
pub struct ForwardPass<'p, 'm, 'c, P, A: Arithmetic, S: CacheFormat> {
    model: &'p Model<'m>,
    position: &'p P,
    arithmetic: &'p A,
    cache: &'p mut KvCache<'c, S, A>,
    buffers: Buffers<'p, A>,
    layers: Layers<'p, 'm>,
    layer: usize,
    count: usize,
    /// The first token whose logits are needed: in the last layer, tokens before it stop after their
    /// keys and values.
    wanted: usize,
    done: bool,
}

impl<'p, 'm, 'c, P, A, S> ForwardPass<'p, 'm, 'c, P, A, S>
where
    P: PositionEncoding,
    A: Attend<S>,
    S: CacheFormat,
{
    /// Embeds `tokens`, which were checked, and computes what their positions need.
    pub(super) fn new(
        (model, position, arithmetic): (&'p Model<'m>, &'p P, &'p A),
        tokens: &[u32],
        wanted: usize,
        cache: &'p mut KvCache<'c, S, A>,
        buffers: Buffers<'p, A>,
    ) -> Result<Self, DecodeError> {
        let before = cache.window();
        cache.make_room();
        let (layers, count) = (model.layers(), tokens.len());
        let mut forward = Self {
            model,
            position,
            arithmetic,
            cache,
            buffers,
            layers,
            layer: 0,
            count,
            wanted,
            done: false,
        };
        match forward.embed(tokens) {
            Ok(()) => Ok(forward),
            Err(error) => {
                forward.cache.restore(before);
                Err(error)
            }
        }
    }

    /// Computes the next layer, or the head after the last one. Returns whether there was one.
    ///
    /// The last step makes the cache count the tokens.
    pub fn step(&mut self) -> bool {
        if self.done {
            return false;
        }
        if !self.layer(&mut ()) {
            self.head(self.wanted, &mut ());
            self.cache.advance(self.count);
            self.done = true;
        }
        true
    }

    /// Returns the logits that follow the last token, once [`step`](Self::step) has returned `false`;
    /// before that they are unspecified.
    pub fn logits(&self) -> &[A::Scalar] {
        slice(self.buffers.logits, ..self.model.config().vocab)
    }

    /// Makes the cache count the tokens.
    pub(super) fn commit(self) {
        self.cache.advance(self.count);
    }

    fn embed(&mut self, tokens: &[u32]) -> Result<(), DecodeError> {
        let Self { model, position, arithmetic, cache, buffers, count, .. } = self;
        let config = model.config();
        let (embed, digits) = (model.embed(), config.override_block().digits);
        let positions = cache.next_positions(*count)?;
        let rows = rows_mut(buffers.x, config.width).zip(tokens).zip(positions.clone());
        for ((x, token), n) in rows {
            arithmetic.embed(&embed, *token as usize, x);
            arithmetic.embed_position(*position, n, x)?;
        }
        for (n, words) in positions.clone().zip(rows_mut(buffers.position_words, digits)) {
            arithmetic.query_words(*position, n, words)?;
        }
        for (n, table) in positions.clone().zip(rows_mut(buffers.rotations, config.head_width)) {
            arithmetic.rotation(*position, n, table)?;
        }
        for (n, words) in positions.zip(cache.next_position_words(*count)) {
            arithmetic.key_words(*position, n, words)?;
        }
        Ok(())
    }

    /// Computes the next layer; returns whether there was one.
    pub(super) fn layer(&mut self, observer: &mut impl Observe<A::Scalar>) -> bool {
        let Some(layer) = self.layers.next() else { return false };
        let last = self.layer + 1 >= self.model.config().layers;
        let first = if last { self.wanted } else { 0 };
        self.attention(&layer, first, observer);
        self.mlp(&layer, first, observer);
        self.layer += 1;
        true
    }

    /// Computes `x += W_o·attention(norm(x))` for the rows from `first` on, and the keys and values of
    /// every row.
    fn attention(
        &mut self,
        layer: &Layer<'m>,
        first: usize,
        observer: &mut impl Observe<A::Scalar>,
    ) {
        let Self { model, position, arithmetic, cache, buffers, count, layer: index, .. } = self;
        let (count, index) = (*count, *index);
        let id = |kind| TensorId { kind, layer: index as u32 };
        let config = model.config();
        let Config { width, heads, kv_heads, head_width, .. } = *config;
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let overridden = config.override_block();
        let x = slice_mut(buffers.x, ..count * width);
        let h = slice_mut(buffers.h, ..count * width);
        let (q, rest) = split_mut(buffers.inner, (count - first) * query_width);
        let kv = slice_mut(rest, ..count * key_width);

        norm_rows(
            *arithmetic,
            config,
            x,
            layer.attn_norm,
            h,
            buffers.quants,
            buffers.scales,
            observer,
        );
        let whole = quantized(h, width, buffers.quants, buffers.scales);
        let free = whole.skip(overridden.width);
        observer.inputs(id(TensorKind::Wq), free.from(first));
        arithmetic.project(&layer.wq, free.from(first), q);
        let words = rows(buffers.position_words, overridden.digits).skip(first);
        for (q, words) in rows_mut(q, query_width).zip(words) {
            arithmetic.add_folded(*position, words, layer.query_folded, q);
        }
        observer.inputs(id(TensorKind::Wk), free);
        arithmetic.project(&layer.wk, free, kv);
        for (heads, width, first) in [(&mut *q, query_width, first), (&mut *kv, key_width, 0)] {
            let tables = rows(buffers.rotations, head_width).skip(first);
            for (row, table) in rows_mut(heads, width).zip(tables) {
                for head in rows_mut(row, head_width) {
                    arithmetic.rotate(table, head);
                }
            }
        }
        let store = |row: &[A::Scalar], place: &mut [S::Bits]| arithmetic.store(row, place);
        cache.store(CacheHalf::Keys, index, kv, store);
        observer.inputs(id(TensorKind::Wv), whole);
        arithmetic.project(&layer.wv, whole, kv);
        cache.store(CacheHalf::Values, index, kv, store);

        let group = quotient(heads, kv_heads);
        for (q, more) in rows_mut(q, query_width).zip(first + 1..) {
            let scores = slice_mut(buffers.scores, ..cache.len() + more);
            let groups = rows_mut(q, group * head_width);
            for (kv_head, (past, q)) in cache.heads(index, more).zip(groups).enumerate() {
                for (head, q) in (kv_head * group..).zip(rows_mut(q, head_width)) {
                    let (key_folded, slope) = (layer.key_folded, position.slope(head));
                    let head = HeadPosition { key_folded, key_width, kv_head, slope };
                    arithmetic.attend(*position, &head, &past, q, scores, buffers.quants);
                }
            }
        }
        let quants = rows_mut(buffers.quants, query_width);
        for ((q, quants), scale) in rows(q, query_width).zip(quants).zip(&mut *buffers.scales) {
            *scale = arithmetic.quantize_attention(q, quants);
        }
        let inputs = quantized(q, query_width, buffers.quants, buffers.scales);
        observer.inputs(id(TensorKind::Wo), inputs);
        arithmetic.project_add(&layer.wo, inputs, slice_mut(x, first * width..));
    }

    /// Computes `x += W_2·activation(W_1·norm(x))` for the rows from `first` on.
    fn mlp(&mut self, layer: &Layer<'m>, first: usize, observer: &mut impl Observe<A::Scalar>) {
        let Self { model, arithmetic, buffers, count, layer: index, .. } = self;
        let id = |kind| TensorId { kind, layer: *index as u32 };
        let config = model.config();
        let Config { width, hidden, activation, .. } = *config;
        let x = slice_mut(buffers.x, first * width..*count * width);
        let count = *count - first;
        let h = slice_mut(buffers.h, ..count * width);
        let (inner, rest) = split_mut(buffers.inner, count * hidden);
        let mut gate: &mut [A::Scalar] = &mut [];

        norm_rows(
            *arithmetic,
            config,
            x,
            layer.mlp_norm,
            h,
            buffers.quants,
            buffers.scales,
            observer,
        );
        let inputs = quantized(h, width, buffers.quants, buffers.scales);
        observer.inputs(id(TensorKind::W1), inputs);
        arithmetic.project(&layer.w1, inputs, inner);
        if let (Activation::SwiGlu, Some(w3)) = (activation, layer.w3) {
            gate = slice_mut(rest, ..count * hidden);
            observer.inputs(id(TensorKind::W3), inputs);
            arithmetic.project(&w3, inputs, gate);
        }
        arithmetic.activate(activation, inner, gate);
        let quants = rows_mut(buffers.quants, hidden);
        for ((inner, quants), scale) in rows(inner, hidden).zip(quants).zip(&mut *buffers.scales) {
            *scale = arithmetic.quantize_inner(inner, quants);
        }
        let inputs = quantized(inner, hidden, buffers.quants, buffers.scales);
        observer.inputs(id(TensorKind::W2), inputs);
        arithmetic.project_add(&layer.w2, inputs, x);
    }

    /// Computes the logits that follow the tokens of the chunk from `row` on, as many as there is room
    /// for, and returns them.
    pub(super) fn head(
        &mut self,
        row: usize,
        observer: &mut impl Observe<A::Scalar>,
    ) -> &[A::Scalar] {
        let Self { model, arithmetic, buffers, count, .. } = self;
        let config = model.config();
        let Config { width, vocab, .. } = *config;
        let count = quotient(buffers.logits.len(), vocab).min(*count - row);
        let x = slice_mut(buffers.x, row * width..(row + count) * width);
        let h = slice_mut(buffers.h, ..count * width);
        let gain = model.final_norm();
        norm_rows(*arithmetic, config, x, gain, h, buffers.quants, buffers.scales, observer);
        let inputs = quantized(h, width, buffers.quants, buffers.scales);
        observer.inputs(TensorId { kind: TensorKind::Head, layer: 0 }, inputs);
        let logits = slice_mut(buffers.logits, ..count * vocab);
        arithmetic.project(&model.head(), inputs, logits);
        logits
    }
}

/// Normalizes every row of `x` into `h`, and quantizes it for integer matrices.
#[expect(clippy::too_many_arguments, reason = "buffers that are borrowed apart")]
fn norm_rows<A: Arithmetic>(
    arithmetic: &A,
    config: &Config,
    x: &[A::Scalar],
    gain: &[f32],
    h: &mut [A::Scalar],
    quants: &mut [i8],
    scales: &mut [f32],
    observer: &mut impl Observe<A::Scalar>,
) {
    let width = config.width;
    let outputs = rows_mut(h, width).zip(rows_mut(quants, width)).zip(scales);
    for (x, ((h, quants), scale)) in rows(x, width).zip(outputs) {
        observer.residual(x);
        *scale = arithmetic.norm(config, x, gain, h, quants);
    }
}

/// Returns rows of `width` elements together with their quants and scales.
fn quantized<'a, R>(
    rows: &'a [R],
    width: usize,
    quants: &'a [i8],
    scales: &'a [f32],
) -> Inputs<'a, R> {
    let count = quotient(rows.len(), width);
    Inputs::new(rows, width).with_quants(slice(quants, ..rows.len()), slice(scales, ..count))
}
