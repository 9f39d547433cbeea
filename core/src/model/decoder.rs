use super::arithmetic::{Arithmetic, Attend};
use super::pass::Pass;
use super::{DecodeError, Float, Integer, KvCache, Model, Workspace};
use crate::kernels::{CacheFormat, rows};
use crate::num::Math;
use crate::position::PositionEncoding;
use crate::shape::Config;

/// A decoder-only transformer: reads tokens, keeps their keys and values in a [`KvCache`], and
/// gives the logits of the next token.
///
/// It holds nothing that changes: model and encoding are read, cache and workspace are the
/// caller's. `A` is the arithmetic, [`Float`] or [`Integer`]; the cache's format is the cache's, any
/// with [`Float`], [`I8`](crate::I8) with [`Integer`].
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'m, P, A = Float> {
    model: Model<'m>,
    position: P,
    arithmetic: A,
}

impl<'m, P: PositionEncoding> Decoder<'m, P> {
    /// A decoder of `model` in single precision, with its position encoding: [`Model::position`], or
    /// the encoding's own type where it is known.
    ///
    /// # Errors
    /// [`DecodeError::Columns`] or [`DecodeError::Rotation`] for an encoding that is not the model's.
    pub fn new(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        Self::with_arithmetic(model, position, Float::new(model)?)
    }
}

impl<'m, P: PositionEncoding> Decoder<'m, P, Integer> {
    /// A decoder of `model` in integers alone; its logits are multiples of `2^-16`.
    ///
    /// Looks at every weight once, to be sure that no sum can overflow.
    ///
    /// # Errors
    /// [`DecodeError::Numbers`] for a model that is not stored as int8 or int4,
    /// [`DecodeError::Range`] for one whose numbers could leave 32 bits, and as
    /// [`new`](Decoder::new).
    pub fn integer(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        Self::with_arithmetic(model, position, Integer::new(model)?)
    }
}

impl<'m, P: PositionEncoding, M: Math> Decoder<'m, P, Float<M>> {
    /// The same decoder with other elementary functions, such as
    /// `num::Approximate` (feature `micromath`).
    #[must_use]
    pub fn with_math<N: Math>(self) -> Decoder<'m, P, Float<N>> {
        let Self { model, position, arithmetic } = self;
        Decoder { model, position, arithmetic: arithmetic.with_math() }
    }
}

impl<'m, P: PositionEncoding, A: Arithmetic> Decoder<'m, P, A> {
    /// A decoder of `model` in an arithmetic that was made for it.
    ///
    /// # Errors
    /// As [`new`](Decoder::new).
    pub fn with_arithmetic(
        model: &Model<'m>,
        position: P,
        arithmetic: A,
    ) -> Result<Self, DecodeError> {
        let config = model.config();
        if position.override_block() != config.override_block() {
            let (model, encoding) = (config.override_block(), position.override_block());
            return Err(DecodeError::Columns { model, encoding });
        }
        if position.rotates() != config.position.rotates() {
            return Err(DecodeError::Rotation { model: config.position.rotates() });
        }
        Ok(Self { model: *model, position, arithmetic })
    }

    /// The model.
    pub const fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// The position encoding.
    pub const fn position(&self) -> &P {
        &self.position
    }

    /// The arithmetic.
    pub const fn arithmetic(&self) -> &A {
        &self.arithmetic
    }

    /// Read `tokens` at the cache's next positions and give the logits, `vocab` of them, that follow
    /// the last one. Any number of tokens: they are computed as many at a time as the workspace has
    /// room for, with the same result to the bit. Where a ring is full they are read one by one.
    ///
    /// # Errors
    /// Any [`DecodeError`] but those of [`new`](Self::new); the cache then holds what it held before.
    pub fn forward<'w, S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S>,
        workspace: &'w mut Workspace<'_>,
    ) -> Result<&'w [A::Real], DecodeError>
    where
        A: Attend<S>,
    {
        self.run(tokens, cache, workspace, None)?;
        Ok(workspace.logits(self.model.config()))
    }

    /// Read `tokens` as [`forward`](Self::forward) does and give the logits that follow each of
    /// them: `on_logits` gets the token's index among `tokens` and its logits, in order.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), before the first logits are given.
    pub fn forward_each<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S>,
        workspace: &mut Workspace<'_>,
        mut on_logits: impl FnMut(usize, &[A::Real]),
    ) -> Result<(), DecodeError>
    where
        A: Attend<S>,
    {
        self.run(tokens, cache, workspace, Some(&mut on_logits))
    }

    /// Begin to read `tokens`, at most as many as the workspace computes together, in steps: one layer
    /// at a time, for firmware that has other things to do in between.
    ///
    /// The cache counts the tokens when the last step is done; a [`Pass`] that is dropped before has
    /// read nothing. A full ring has lost its oldest position then, which made room for the token.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`DecodeError::Chunk`] for too many tokens.
    pub fn start<'p, 'c, S: CacheFormat>(
        &'p self,
        tokens: &[u32],
        cache: &'p mut KvCache<'c, S>,
        workspace: &'p mut Workspace<'_>,
    ) -> Result<Pass<'p, 'm, 'c, P, A, S>, DecodeError>
    where
        A: Attend<S>,
    {
        self.check(tokens, cache)?;
        let (found, chunk) = (tokens.len(), workspace.chunk());
        if found > chunk.min(cache.room().max(1)) {
            return Err(DecodeError::Chunk { found, chunk: chunk.min(cache.room().max(1)) });
        }
        let parts = workspace.split(self.model.config(), cache.capacity())?;
        Pass::new(self, tokens, found.saturating_sub(1), cache, parts)
    }

    /// Read `tokens`, chunk by chunk; without `on_logits` compute only the last one's logits.
    fn run<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S>,
        workspace: &mut Workspace<'_>,
        mut on_logits: Option<OnLogits<'_, A::Real>>,
    ) -> Result<(), DecodeError>
    where
        A: Attend<S>,
    {
        self.check(tokens, cache)?;
        let config: &Config = self.model.config();
        let before = cache.len();
        self.reach(tokens.len(), cache, workspace)?;
        let (mut rest, mut index) = (tokens, 0usize);
        while !rest.is_empty() {
            // A full ring loses a position for each that it takes.
            let chunk = workspace.chunk().min(cache.room()).max(1);
            let (now, later) = rest.split_at_checked(chunk).unwrap_or((rest, &[]));
            rest = later;
            let parts = workspace.split(config, cache.capacity())?;
            let wanted = if on_logits.is_some() {
                0
            } else if rest.is_empty() {
                now.len().saturating_sub(1)
            } else {
                now.len()
            };
            let mut pass = match Pass::new(self, now, wanted, cache, parts) {
                Ok(pass) => pass,
                Err(error) => {
                    cache.truncate(before);
                    return Err(error);
                }
            };
            while pass.layer() {}
            let mut row = wanted;
            while row < now.len() {
                let some = pass.head(row);
                if some.is_empty() {
                    break; // there is room for one at least
                }
                for logits in rows(some, config.vocab) {
                    if let Some(on_logits) = &mut on_logits {
                        on_logits(index.saturating_add(row), logits);
                    }
                    row = row.saturating_add(1);
                }
            }
            pass.commit();
            index = index.saturating_add(now.len());
        }
        Ok(())
    }

    /// Check tokens and cache, before anything changes.
    fn check<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &KvCache<'_, S>,
    ) -> Result<(), DecodeError> {
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
        if capacity == 0 || (needed > capacity && !cache.is_ring()) {
            return Err(DecodeError::CacheFull { needed, capacity });
        }
        Ok(())
    }

    /// Check that the encoding reaches `count` more positions before the first of several chunks is
    /// read; a single token finds out for itself.
    fn reach<S: CacheFormat>(
        &self,
        count: usize,
        cache: &KvCache<'_, S>,
        workspace: &mut Workspace<'_>,
    ) -> Result<(), DecodeError> {
        let config = self.model.config();
        let parts = workspace.split::<A::Real>(config, cache.capacity())?;
        if count <= 1 {
            return Ok(());
        }
        let positions = cache.next_positions(count)?;
        let last = positions.end.saturating_sub(1);
        // An encoding that reaches the last position reaches all before it.
        let row = parts.x.get_mut(..config.width).unwrap_or_default();
        self.arithmetic.embed_position(&self.position, last, row)?;
        let codes = parts.codes.get_mut(..config.override_block().digits).unwrap_or_default();
        self.arithmetic.key_codes(&self.position, last, codes)?;
        // Not so an arithmetic: digits that are smaller at later positions need less room.
        for n in positions {
            self.arithmetic.query_codes(&self.position, n, codes)?;
        }
        let table = if config.position.rotates() { config.head_width } else { 0 };
        let table = parts.rotations.get_mut(..table).unwrap_or_default();
        Ok(self.arithmetic.rotation(&self.position, last, table)?)
    }
}

/// Takes a token's index and the logits that follow it.
type OnLogits<'f, R> = &'f mut dyn FnMut(usize, &[R]);
