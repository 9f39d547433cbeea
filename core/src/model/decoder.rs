use core::marker::PhantomData;

use super::attention::{HeadPosition, attend};
use super::kv_cache::Half;
use super::workspace::Parts;
use super::{Activation, Config, DecodeError, KvCache, Norm, Workspace};
use crate::format::{Layer, Model};
use crate::kernels::{
    F32, Inputs, add_weighted_rows, gelu, layer_norm, relu, rms_norm, rows, rows_mut, swiglu,
};
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
        self.run(tokens, cache, workspace, None)?;
        Ok(workspace.logits(self.model.config()))
    }

    /// Read `tokens` as [`forward`](Self::forward) does and give the logits that follow each of
    /// them: `on_logits` gets the token's index among `tokens` and its logits, in order.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), before the first logits are given.
    pub fn forward_each(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        workspace: &mut Workspace<'_>,
        mut on_logits: impl FnMut(usize, &[f32]),
    ) -> Result<(), DecodeError> {
        self.run(tokens, cache, workspace, Some(&mut on_logits))
    }

    /// Read `tokens`, chunk by chunk; without `on_logits` compute only the last one's logits.
    fn run(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        workspace: &mut Workspace<'_>,
        mut on_logits: Option<OnLogits<'_>>,
    ) -> Result<(), DecodeError> {
        let Config { width, .. } = *self.model.config();
        let chunk = workspace.chunk().max(1);
        let mut parts = workspace.split(self.model.config(), cache.capacity())?;
        self.check(tokens, cache)?;
        if tokens.len() > chunk {
            self.reach(cache.len().saturating_add(tokens.len()), &mut parts)?;
        }
        let before = cache.len();
        let mut seen = 0usize;
        for tokens_of_chunk in tokens.chunks(chunk) {
            if let Err(error) = self.read(tokens_of_chunk, cache, &mut parts) {
                cache.truncate(before);
                return Err(error);
            }
            let Parts { x, h, logits, .. } = &mut parts;
            let outputs = rows(x, width).zip(rows_mut(h, width));
            for (index, (x, h)) in (seen..).zip(outputs.take(tokens_of_chunk.len())) {
                seen = index.saturating_add(1);
                if on_logits.is_some() || seen == tokens.len() {
                    self.norm(x, self.model.final_norm(), h);
                    self.model.head().apply(Inputs::new(h, width), logits);
                }
                if let Some(on_logits) = &mut on_logits {
                    on_logits(index, logits);
                }
            }
        }
        Ok(())
    }

    /// Check tokens and cache, before anything changes.
    fn check(&self, tokens: &[u32], cache: &KvCache<'_>) -> Result<(), DecodeError> {
        let config = self.model.config();
        let vocab = config.vocab;
        if !cache.is_for(config) {
            return Err(DecodeError::OtherCache);
        }
        if tokens.is_empty() {
            return Err(DecodeError::NoTokens);
        }
        let mut indexed = tokens.iter().enumerate();
        if let Some((index, token)) = indexed.find(|(_, token)| **token as usize >= vocab) {
            return Err(DecodeError::Token { index, token: *token, vocab });
        }
        let needed = cache.len().saturating_add(tokens.len());
        let capacity = cache.capacity();
        if needed > capacity {
            return Err(DecodeError::CacheFull { needed, capacity });
        }
        Ok(())
    }

    /// Check that the encoding reaches the last of `count` positions, and so all before it, before the
    /// first of several chunks is read; a single one finds out for itself.
    fn reach(&self, count: usize, parts: &mut Parts<'_>) -> Result<(), DecodeError> {
        let last = count.saturating_sub(1);
        self.place(last, 1, parts)?;
        let digits = self.model.config().columns().digits;
        let codes = parts.codes.get_mut(..digits).unwrap_or_default();
        Ok(self.position.key_values(last as u32, codes)?)
    }

    /// Read the tokens of one chunk: afterwards `parts.x` is the last layer's output, and the cache
    /// holds them.
    fn read(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_>,
        parts: &mut Parts<'_>,
    ) -> Result<(), DecodeError> {
        let count = tokens.len();
        for (token, x) in tokens.iter().zip(rows_mut(parts.x, self.model.config().width)) {
            self.model.embed().read_row(*token as usize, x);
        }
        self.place(cache.len(), count, parts)?;
        cache.store_codes(count, &self.position)?;
        for (index, layer) in self.model.layers().enumerate() {
            self.attention(index, &layer, count, cache, parts);
            self.mlp(&layer, count, parts);
        }
        cache.advance(count);
        Ok(())
    }

    /// Add positions `first..` to the residual stream and compute what the queries need of them.
    fn place(&self, first: usize, count: usize, parts: &mut Parts<'_>) -> Result<(), DecodeError> {
        let config = self.model.config();
        // A cache has no more positions than 32 bits can count.
        let positions = || (first as u32..).take(count);
        for (n, row) in positions().zip(rows_mut(parts.x, config.width)) {
            self.position.embed(n, row)?;
        }
        for (n, codes) in positions().zip(rows_mut(parts.codes, config.columns().digits)) {
            self.position.query_values(n, codes)?;
        }
        for (n, table) in positions().zip(rows_mut(parts.rotations, config.head_width)) {
            self.position.rotation(n, table)?;
        }
        Ok(())
    }

    /// `x += W_o·attention(norm(x))`, for every row.
    fn attention(
        &self,
        index: usize,
        layer: &Layer<'m>,
        count: usize,
        cache: &mut KvCache<'_>,
        parts: &mut Parts<'_>,
    ) {
        let config = self.model.config();
        let Config { width, heads, kv_heads, head_width, .. } = *config;
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let columns = config.columns();
        let x = front(parts.x, count, width);
        let h = front(parts.h, count, width);
        let (q, rest) = split(parts.inner, count, query_width);
        let kv = front(rest, count, key_width);

        self.norm_rows(x, layer.attn_norm, h);
        let whole = Inputs::new(h, width);
        let free = whole.skip(columns.width);
        layer.wq.apply(free, q);
        for (q, codes) in rows_mut(q, query_width).zip(rows(parts.codes, columns.digits)) {
            add_weighted_rows::<F32>(codes, layer.query_columns, q);
        }
        layer.wk.apply(free, kv);
        self.rotate_rows(q, query_width, parts.rotations);
        self.rotate_rows(kv, key_width, parts.rotations);
        cache.store(Half::Keys, index, kv);
        layer.wv.apply(whole, kv);
        cache.store(Half::Values, index, kv);

        let group = heads.checked_div(kv_heads).unwrap_or(1);
        for (q, more) in rows_mut(q, query_width).zip(1usize..) {
            let seen = cache.len().saturating_add(more);
            let Some(scores) = parts.scores.get_mut(..seen) else { return };
            let groups = rows_mut(q, group.saturating_mul(head_width));
            for (kv_head, (past, group)) in cache.heads(index, more).zip(groups).enumerate() {
                let first = kv_head.saturating_mul(heads).checked_div(kv_heads).unwrap_or(0);
                for (head, q) in (first..).zip(rows_mut(group, head_width)) {
                    let (key_columns, slope) = (layer.key_columns, self.position.slope(head));
                    let position = HeadPosition { key_columns, key_width, kv_head, slope };
                    attend::<M>(q, &past, &position, self.scale, scores);
                }
            }
        }
        layer.wo.apply_add(Inputs::new(q, query_width), x);
    }

    /// `x += W_2·activation(W_1·norm(x))`, for every row.
    fn mlp(&self, layer: &Layer<'m>, count: usize, parts: &mut Parts<'_>) {
        let Config { width, hidden, activation, .. } = *self.model.config();
        let x = front(parts.x, count, width);
        let h = front(parts.h, count, width);
        let (inner, rest) = split(parts.inner, count, hidden);

        self.norm_rows(x, layer.mlp_norm, h);
        let inputs = Inputs::new(h, width);
        layer.w1.apply(inputs, inner);
        match (activation, layer.w3) {
            (Activation::SwiGlu, Some(w3)) => {
                let gate = front(rest, count, hidden);
                w3.apply(inputs, gate);
                swiglu::<M>(inner, gate);
            }
            (Activation::Relu, _) => relu(inner),
            (Activation::Gelu | Activation::SwiGlu, _) => gelu::<M>(inner),
        }
        layer.w2.apply_add(Inputs::new(inner, hidden), x);
    }

    fn norm_rows(&self, x: &[f32], gain: &[f32], y: &mut [f32]) {
        let width = self.model.config().width;
        for (x, y) in rows(x, width).zip(rows_mut(y, width)) {
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
    fn rotate_rows(&self, data: &mut [f32], width: usize, tables: &[f32]) {
        let head_width = self.model.config().head_width;
        for (row, table) in rows_mut(data, width).zip(rows(tables, head_width)) {
            for head in rows_mut(row, head_width) {
                rotate(table, head);
            }
        }
    }
}

/// Takes a token's index and the logits that follow it.
type OnLogits<'f> = &'f mut dyn FnMut(usize, &[f32]);

/// The first `count` rows of `width` elements.
fn front(buffer: &mut [f32], count: usize, width: usize) -> &mut [f32] {
    split(buffer, count, width).0
}

/// The first `count` rows of `width` elements, and the rest; a [`Workspace`] has room for them.
fn split(buffer: &mut [f32], count: usize, width: usize) -> (&mut [f32], &mut [f32]) {
    buffer.split_at_mut_checked(count.saturating_mul(width)).unwrap_or_default()
}
