use core::marker::PhantomData;

use super::attention::{HeadPosition, attend};
use super::kv_cache::Half;
use super::workspace::Parts;
use super::{Activation, Config, DecodeError, KvCache, Norm, Workspace};
use crate::format::{Layer, Model};
use crate::kernels::{F32, Inputs, add_weighted_rows, gelu, layer_norm, relu, rms_norm, swiglu};
use crate::num::{Exact, Math};
use crate::position::{PositionEncoding, rotate};

/// A decoder-only transformer: reads tokens, keeps their keys and values in a [`KvCache`], and
/// gives the logits of the next token.
///
/// It holds nothing that changes: model and encoding are read, cache and workspace are the
/// caller's. `M` are the elementary functions in norms, activations and softmax; see
/// [`with_math`](Self::with_math).
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'m, P, M = Exact> {
    model: Model<'m>,
    position: P,
    scale: f32,
    math: PhantomData<M>,
}

impl<'m, P: PositionEncoding> Decoder<'m, P> {
    /// A decoder of `model`, with its position encoding: [`Model::position`], or the encoding's own
    /// type where it is known.
    ///
    /// # Errors
    /// [`DecodeError::Columns`] or [`DecodeError::Rotation`] for an encoding that is not the model's.
    pub fn new(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        let config = model.config();
        if position.columns() != config.columns() {
            let (model, encoding) = (config.columns(), position.columns());
            return Err(DecodeError::Columns { model, encoding });
        }
        if position.rotates() != config.rotates() {
            return Err(DecodeError::Rotation { model: config.rotates() });
        }
        // A constant of the model, so never approximate.
        let scale = 1.0 / Exact::sqrt(config.head_width as f32);
        Ok(Self { model: *model, position, scale, math: PhantomData })
    }
}

impl<'m, P: PositionEncoding, M: Math> Decoder<'m, P, M> {
    /// The same decoder with other elementary functions, such as
    /// `num::Approximate` (feature `micromath`).
    pub fn with_math<N: Math>(self) -> Decoder<'m, P, N> {
        let Self { model, position, scale, .. } = self;
        Decoder { model, position, scale, math: PhantomData }
    }

    /// The model.
    pub const fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// The position encoding.
    pub const fn position(&self) -> &P {
        &self.position
    }

    /// Read `tokens` at the cache's next positions and give the logits, `vocab` of them, that follow
    /// the last one. Any number of tokens: they are computed as many at a time as the workspace has
    /// room for, with the same result to the bit.
    ///
    /// # Errors
    /// Any [`DecodeError`] but those of [`new`](Self::new); the cache then holds what it held before.
    pub fn forward<'w>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        workspace: &'w mut Workspace<'_>,
    ) -> Result<&'w [f32], DecodeError> {
        self.run(tokens, cache, workspace, false, |_, _| {})?;
        Ok(workspace.logits(self.model.config()))
    }

    /// Read `tokens` as [`forward`](Self::forward) does and give the logits that follow each of
    /// them: `on_logits` gets the token's index among `tokens` and its logits, in order.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_each(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        workspace: &mut Workspace<'_>,
        on_logits: impl FnMut(usize, &[f32]),
    ) -> Result<(), DecodeError> {
        self.run(tokens, cache, workspace, true, on_logits)
    }

    fn run(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        workspace: &mut Workspace<'_>,
        each: bool,
        mut on_logits: impl FnMut(usize, &[f32]),
    ) -> Result<(), DecodeError> {
        let config = self.model.config();
        let chunk = workspace.chunk();
        let mut parts = workspace.split(config, cache.capacity())?;
        self.check(tokens, cache, &mut parts)?;
        let before = cache.len();
        let mut index = 0usize;
        for tokens_of_chunk in tokens.chunks(chunk.max(1)) {
            if let Err(error) = self.read(tokens_of_chunk, cache, &mut parts) {
                cache.truncate(before);
                return Err(error);
            }
            let Parts { x, h, logits, .. } = &mut parts;
            let rows =
                x.chunks_exact(config.width.max(1)).zip(h.chunks_exact_mut(config.width.max(1)));
            for (x, h) in rows.take(tokens_of_chunk.len()) {
                index = index.saturating_add(1);
                if each || index == tokens.len() {
                    self.norm(x, self.model.final_norm(), h);
                    self.model.head().apply(Inputs::new(h, config.width), logits);
                    on_logits(index.saturating_sub(1), logits);
                }
            }
        }
        Ok(())
    }

    /// Find everything that could fail, before anything changes.
    fn check(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        parts: &mut Parts<'_>,
    ) -> Result<(), DecodeError> {
        let config = self.model.config();
        let vocab = config.vocab;
        if !cache.is_for(config) {
            return Err(DecodeError::OtherCache);
        }
        if tokens.is_empty() {
            return Err(DecodeError::NoTokens);
        }
        if let Some((index, token)) =
            tokens.iter().enumerate().find(|(_, token)| **token as usize >= vocab)
        {
            return Err(DecodeError::Token { index, token: *token, vocab });
        }
        let needed = cache.len().saturating_add(tokens.len());
        let capacity = cache.capacity();
        if needed > capacity {
            return Err(DecodeError::CacheFull { needed, capacity });
        }
        // An encoding that reaches the last position reaches all before it.
        let last = needed.saturating_sub(1);
        self.place(last, 1, parts)?;
        let code = parts.codes.get_mut(..config.columns().digits).unwrap_or_default();
        Ok(self.position.key_values(last as u32, code)?)
    }

    /// Add positions `first..` to the residual stream and compute what the queries need of them.
    fn place(&self, first: usize, rows: usize, parts: &mut Parts<'_>) -> Result<(), DecodeError> {
        let config = self.model.config();
        let positions = || (first as u32..).take(rows);
        for (n, row) in positions().zip(parts.x.chunks_exact_mut(config.width.max(1))) {
            self.position.embed(n, row)?;
        }
        let digits = config.columns().digits.max(1);
        for (n, codes) in positions().zip(parts.codes.chunks_exact_mut(digits)) {
            self.position.query_values(n, codes)?;
        }
        let head_width = config.head_width.max(1);
        for (n, table) in positions().zip(parts.rotations.chunks_exact_mut(head_width)) {
            self.position.rotation(n, table)?;
        }
        Ok(())
    }

    /// Read the tokens of one chunk: afterwards `parts.x` is the last layer's output, and the cache
    /// holds them.
    fn read(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        parts: &mut Parts<'_>,
    ) -> Result<(), DecodeError> {
        let Config { width, .. } = *self.model.config();
        let rows = tokens.len();
        for (token, x) in tokens.iter().zip(parts.x.chunks_exact_mut(width.max(1))) {
            self.model.embed().read_row(*token as usize, x);
        }
        self.place(cache.len(), rows, parts)?;
        cache.store_codes(rows, &self.position)?;
        for (index, layer) in self.model.layers().enumerate() {
            self.attention(index, &layer, rows, cache, parts);
            self.mlp(&layer, rows, parts);
        }
        cache.advance(rows);
        Ok(())
    }

    /// `x += W_o·attention(norm(x))`, for every row.
    fn attention(
        &self,
        index: usize,
        layer: &Layer<'m>,
        rows: usize,
        cache: &mut KvCache<'_>,
        parts: &mut Parts<'_>,
    ) {
        let config = self.model.config();
        let (width, head_width) = (config.width, config.head_width.max(1));
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let x = front(parts.x, rows, width);
        let h = front(parts.h, rows, width);
        let queries_len = rows.saturating_mul(query_width);
        let Some((q, inner)) = parts.inner.split_at_mut_checked(queries_len) else { return };
        let kv = front(inner, rows, key_width);

        self.norm_rows(x, layer.attn_norm, h);
        let columns = config.columns();
        let (whole, free) = (Inputs::new(h, width), Inputs::new(h, width).skip(columns.width));
        layer.wq.apply(free, q);
        let codes = parts.codes.chunks_exact(columns.digits.max(1));
        for (q, codes) in q.chunks_exact_mut(query_width.max(1)).zip(codes) {
            add_weighted_rows::<F32>(codes, layer.query_columns, q);
        }
        layer.wk.apply(free, kv);
        self.rotate_rows(q, query_width, parts.rotations);
        self.rotate_rows(kv, key_width, parts.rotations);
        cache.store(Half::Keys, index, kv);
        layer.wv.apply(whole, kv);
        cache.store(Half::Values, index, kv);

        let group = config.heads.checked_div(config.kv_heads).unwrap_or(1).max(1);
        for (row, q) in q.chunks_exact_mut(query_width.max(1)).enumerate() {
            let more = row.saturating_add(1);
            let count = cache.len().saturating_add(more);
            let Some(scores) = parts.scores.get_mut(..count) else { return };
            let groups = q.chunks_exact_mut(group.saturating_mul(head_width).max(1));
            for ((kv_head, past), group) in cache.heads(index, more).enumerate().zip(groups) {
                let heads = group.chunks_exact_mut(head_width);
                let first = kv_head.saturating_mul(heads.len());
                for (head, q) in heads.enumerate() {
                    let slope = self.position.slope(first.saturating_add(head));
                    let key_columns = layer.key_columns;
                    let position = HeadPosition { key_columns, key_width, kv_head, slope };
                    attend::<M>(q, &past, &position, self.scale, scores);
                }
            }
        }
        layer.wo.apply_add(Inputs::new(q, query_width), x);
    }

    /// `x += W_2·activation(W_1·norm(x))`, for every row.
    fn mlp(&self, layer: &Layer<'m>, rows: usize, parts: &mut Parts<'_>) {
        let config = self.model.config();
        let x = front(parts.x, rows, config.width);
        let h = front(parts.h, rows, config.width);
        let hidden_len = rows.saturating_mul(config.hidden);
        let Some((hidden, inner)) = parts.inner.split_at_mut_checked(hidden_len) else { return };

        self.norm_rows(x, layer.mlp_norm, h);
        let inputs = Inputs::new(h, config.width);
        layer.w1.apply(inputs, hidden);
        match (config.activation, layer.w3) {
            (Activation::SwiGlu, Some(w3)) => {
                let gate = front(inner, rows, config.hidden);
                w3.apply(inputs, gate);
                swiglu::<M>(hidden, gate);
            }
            (Activation::Relu, _) => relu(hidden),
            (Activation::Gelu | Activation::SwiGlu, _) => gelu::<M>(hidden),
        }
        layer.w2.apply_add(Inputs::new(hidden, config.hidden), x);
    }

    fn norm_rows(&self, x: &[f32], gain: &[f32], y: &mut [f32]) {
        let width = self.model.config().width.max(1);
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            self.norm(x, gain, y);
        }
    }

    fn norm(&self, x: &[f32], gain: &[f32], y: &mut [f32]) {
        let Config { norm, epsilon, .. } = *self.model.config();
        match norm {
            Norm::RmsNorm => rms_norm::<M>(x, gain, epsilon, y),
            Norm::LayerNorm => layer_norm::<M>(x, gain, epsilon, y),
        }
    }

    /// Rotate every head of every row by the row's table, if there are tables.
    fn rotate_rows(&self, rows: &mut [f32], row_width: usize, tables: &[f32]) {
        let head_width = self.model.config().head_width.max(1);
        let rows = rows.chunks_exact_mut(row_width.max(1));
        for (row, table) in rows.zip(tables.chunks_exact(head_width)) {
            for head in row.chunks_exact_mut(head_width) {
                rotate(table, head);
            }
        }
    }
}

/// The first `rows` rows of `width` elements.
fn front(buffer: &mut [f32], rows: usize, width: usize) -> &mut [f32] {
    buffer.get_mut(..rows.saturating_mul(width)).unwrap_or_default()
}
