use super::arithmetic::Arithmetic;
use super::attention::Attend;
use super::forward::ForwardPass;
use super::observe::Observe;
use super::weights::Model;
use super::{DecodeError, Float, Integer, KvCache, MemoryError, Workspace};
use crate::kernels::{CacheFormat, rows};
use crate::num::Math;
use crate::num::invariant::{slice_mut, split};
use crate::position::PositionEncoding;

/// A decoder-only transformer: reads tokens, keeps their keys and values in a [`KvCache`], and
/// returns the logits of the next token.
///
/// It is immutable: cache and workspace belong to the caller. `A` is the arithmetic, [`Float`] or
/// [`Integer`]. [`Float`] works with every cache format, [`Integer`] with [`I8`](crate::I8).
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'m, P, A = Float> {
    model: Model<'m>,
    position: P,
    arithmetic: A,
}

impl<'m, P: PositionEncoding> Decoder<'m, P> {
    /// Makes a decoder of `model` in single precision. `position` is the model's encoding: from
    /// [`Model::position`], or a value of the encoding's own type where it is known.
    ///
    /// # Errors
    /// [`DecodeError::Override`] or [`DecodeError::Rotation`] for an encoding that is not the model's.
    pub fn new(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        Self::with_arithmetic(model, position)
    }
}

impl<'m, P: PositionEncoding> Decoder<'m, P, Integer> {
    /// Makes a decoder of `model` in integers only; its logits are multiples of `2^-16`.
    ///
    /// Reads every weight once to make sure that no sum can overflow.
    ///
    /// # Errors
    /// [`DecodeError::NotInteger`] for a model that is not stored as int8 or int4,
    /// [`DecodeError::Range`] for one whose numbers could leave 32 bits, and those of
    /// [`new`](Decoder::new).
    pub fn integer(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        Self::with_arithmetic(model, position)
    }
}

impl<'m, P: PositionEncoding, M: Math> Decoder<'m, P, Float<M>> {
    /// Returns the same decoder with other elementary functions, such as `num::Approximate` (feature
    /// `micromath`).
    #[must_use]
    pub fn with_math<N: Math>(self) -> Decoder<'m, P, Float<N>> {
        let Self { model, position, arithmetic } = self;
        Decoder { model, position, arithmetic: arithmetic.with_math() }
    }
}

impl<'m, P: PositionEncoding, A: Arithmetic> Decoder<'m, P, A> {
    /// Makes a decoder of `model` in the arithmetic `A`, for code that is generic over it.
    ///
    /// # Errors
    /// Those of [`new`](Decoder::new) and [`integer`](Decoder::integer).
    pub fn with_arithmetic(model: &Model<'m>, position: P) -> Result<Self, DecodeError> {
        let arithmetic = A::new(model)?;
        let config = model.config();
        if position.override_block() != config.override_block() {
            let (model, encoding) = (config.override_block(), position.override_block());
            return Err(DecodeError::Override { model, encoding });
        }
        if position.rotates() != config.position.rotates() {
            return Err(DecodeError::Rotation { model: config.position.rotates() });
        }
        Ok(Self { model: *model, position, arithmetic })
    }

    /// Returns the model.
    pub const fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Returns the position encoding.
    pub const fn position(&self) -> &P {
        &self.position
    }

    /// Makes an empty cache of `capacity` positions in the format `S`, at the front of `buffer`.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than
    /// [`Config::cache_len::<S>(capacity)`](crate::Config::cache_len).
    pub fn cache<'a, S: CacheFormat>(
        &self,
        capacity: usize,
        buffer: &'a mut [u32],
    ) -> Result<KvCache<'a, S, A>, MemoryError> {
        KvCache::new(self.model.config(), self.model.id(), capacity, buffer)
    }

    /// Makes an empty cache that never fills: past `capacity` positions the oldest makes room, except
    /// for the first `sinks`, which stay (attention sinks; Xiao et al. 2023, arXiv 2309.17453). At most
    /// `capacity − 1` sinks are kept.
    ///
    /// If keys and values do not depend on positions (ExPE, ExQPE, ALiBi, no encoding), a token's position is
    /// its place in the window, so it stays below `capacity`. Otherwise positions count on, up to the
    /// encoding's length.
    ///
    /// # Errors
    /// As [`cache`](Self::cache).
    pub fn ring_cache<'a, S: CacheFormat>(
        &self,
        capacity: usize,
        sinks: usize,
        buffer: &'a mut [u32],
    ) -> Result<KvCache<'a, S, A>, MemoryError> {
        Ok(self.cache(capacity, buffer)?.into_ring(sinks))
    }

    /// Makes a workspace for `chunk` tokens at a time (at least one) and caches of up to `context`
    /// positions. Any decoder of the same model can use it.
    ///
    /// Larger chunks read the weights less often; the results have the same bits. Every further
    /// `vocab` words of `buffer` hold the logits of one more token, up to `chunk`, which
    /// [`forward_each`](Self::forward_each) then computes together.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than
    /// [`Config::workspace_len(chunk, context)`](crate::Config::workspace_len).
    pub fn workspace<'a>(
        &self,
        chunk: usize,
        context: usize,
        buffer: &'a mut [u32],
    ) -> Result<Workspace<'a>, MemoryError> {
        Workspace::new(self.model.config(), self.model.id(), chunk, context, buffer)
    }

    /// Reads `tokens` at the cache's next positions and returns the `vocab` logits that follow the
    /// last one.
    ///
    /// Takes any number of tokens and computes as many at a time as the workspace has room for; the
    /// result has the same bits for every chunk. A full ring takes them one by one.
    ///
    /// # Errors
    /// A [`DecodeError`]; the cache then holds what it held before.
    pub fn forward<'w, S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S, A>,
        workspace: &'w mut Workspace<'_>,
    ) -> Result<&'w [A::Scalar], DecodeError>
    where
        A: Attend<S>,
    {
        self.run(tokens, cache, workspace, None, &mut ())?;
        Ok(workspace.logits(self.model.config()))
    }

    /// Reads `tokens` as [`forward`](Self::forward) does and passes the logits that follow each of them
    /// to `on_logits`, with the token's index in `tokens`, in order.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), before the first call of `on_logits`.
    pub fn forward_each<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S, A>,
        workspace: &mut Workspace<'_>,
        mut on_logits: impl FnMut(usize, &[A::Scalar]),
    ) -> Result<(), DecodeError>
    where
        A: Attend<S>,
    {
        self.run(tokens, cache, workspace, Some(&mut on_logits), &mut ())
    }

    /// Starts to read `tokens`, at most as many as the workspace computes together, in steps of one
    /// layer, for firmware that has other work to do in between.
    ///
    /// The cache counts the tokens in the last step; a [`ForwardPass`] that is dropped before has read
    /// nothing. A full ring has then lost its oldest position, which made room for the token.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`DecodeError::Chunk`] for too many tokens.
    pub fn start<'p, 'c, S: CacheFormat>(
        &'p self,
        tokens: &[u32],
        cache: &'p mut KvCache<'c, S, A>,
        workspace: &'p mut Workspace<'_>,
    ) -> Result<ForwardPass<'p, 'm, 'c, P, A, S>, DecodeError>
    where
        A: Attend<S>,
    {
        self.check(tokens, cache, workspace)?;
        let (found, chunk) = (tokens.len(), workspace.chunk().min(cache.room().max(1)));
        if found > chunk {
            return Err(DecodeError::Chunk { found, chunk });
        }
        let buffers = workspace.buffers(self.model.config(), cache.capacity())?;
        ForwardPass::new(self.parts(), tokens, found - 1, cache, buffers)
    }

    const fn parts(&self) -> (&Model<'m>, &P, &A) {
        (&self.model, &self.position, &self.arithmetic)
    }

    /// Reads `tokens` chunk by chunk. Without `on_logits` it computes only the logits of the last token.
    fn run<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<'_, S, A>,
        workspace: &mut Workspace<'_>,
        mut on_logits: Option<OnLogits<'_, A::Scalar>>,
        observer: &mut impl Observe<A::Scalar>,
    ) -> Result<(), DecodeError>
    where
        A: Attend<S>,
    {
        self.check(tokens, cache, workspace)?;
        let config = self.model.config();
        let before = cache.len();
        self.check_positions(tokens.len(), cache, workspace)?;
        let (mut rest, mut index) = (tokens, 0);
        while !rest.is_empty() {
            // A full ring drops a position for each that it takes.
            let chunk = workspace.chunk().min(cache.room()).max(1);
            let (now, later) = split(rest, chunk.min(rest.len()));
            rest = later;
            let buffers = workspace.buffers(config, cache.capacity())?;
            let wanted = if on_logits.is_some() {
                0
            } else if rest.is_empty() {
                now.len() - 1
            } else {
                now.len()
            };
            let mut forward = match ForwardPass::new(self.parts(), now, wanted, cache, buffers) {
                Ok(forward) => forward,
                Err(error) => {
                    cache.truncate(before);
                    return Err(error);
                }
            };
            while forward.layer(observer) {}
            let mut row = wanted;
            while row < now.len() {
                let logits = forward.head(row, observer);
                debug_assert!(!logits.is_empty(), "a workspace has room for the logits of a token");
                if logits.is_empty() {
                    break;
                }
                for logits in rows(logits, config.vocab) {
                    if let Some(on_logits) = &mut on_logits {
                        on_logits(index + row, logits);
                    }
                    row += 1;
                }
            }
            forward.commit();
            index += now.len();
        }
        Ok(())
    }

    /// Checks everything that tokens, cache and workspace can have wrong, before anything changes.
    fn check<S: CacheFormat>(
        &self,
        tokens: &[u32],
        cache: &KvCache<'_, S, A>,
        workspace: &Workspace<'_>,
    ) -> Result<(), DecodeError> {
        let vocab = self.model.config().vocab;
        if cache.model() != self.model.id() {
            return Err(DecodeError::OtherCache);
        }
        if workspace.model() != self.model.id() {
            return Err(DecodeError::OtherWorkspace);
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

    /// Checks that encoding and arithmetic can represent the next `count` positions, before the first
    /// of several chunks is read. For a single token, reading it is the check.
    fn check_positions<S: CacheFormat>(
        &self,
        count: usize,
        cache: &KvCache<'_, S, A>,
        workspace: &mut Workspace<'_>,
    ) -> Result<(), DecodeError> {
        let config = self.model.config();
        let buffers = workspace.buffers::<A>(config, cache.capacity())?;
        if count <= 1 {
            return Ok(());
        }
        let (arithmetic, position) = (&self.arithmetic, &self.position);
        let positions = cache.next_positions(count)?;
        let last = positions.end.saturating_sub(1);
        // An encoding that has the last position has all before it.
        arithmetic.embed_position(position, last, slice_mut(buffers.x, ..config.width))?;
        let words = slice_mut(buffers.position_words, ..config.override_block().digits);
        arithmetic.key_words(position, last, words)?;
        // An arithmetic may lack earlier ones: their digits can be larger, and so can queries.
        for n in positions {
            arithmetic.query_words(position, n, words)?;
        }
        let table = slice_mut(buffers.rotations, ..config.rotation_width());
        Ok(arithmetic.rotation(position, last, table)?)
    }
}

/// Takes a token's index and the logits that follow it.
type OnLogits<'f, R> = &'f mut dyn FnMut(usize, &[R]);

/// Reads `tokens` as [`Decoder::forward_each`] does and shows `observer` the numbers of the forward
/// pass.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn observe<P, A, S>(
    decoder: &Decoder<'_, P, A>,
    tokens: &[u32],
    cache: &mut KvCache<'_, S, A>,
    workspace: &mut Workspace<'_>,
    observer: &mut impl Observe<A::Scalar>,
) -> Result<(), DecodeError>
where
    P: PositionEncoding,
    A: Attend<S>,
    S: CacheFormat,
{
    decoder.run(tokens, cache, workspace, Some(&mut |_, _| {}), observer)
}
