use zerocopy::FromBytes;

use super::check::{check_front, check_tensors, check_zeros};
use super::constants::{CHECKED_FROM, CRC};
use super::directory::RawEntry;
use super::error::FormatError;
use super::execution::Execution;
use super::header::{Header, TokenizerKind};
use super::tensors::Tensors;
use crate::num::invariant::slice;
use crate::shape::Config;
use crate::token::{Bpe, Tokenizer};

/// A model file, checked from the first byte to the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'m> {
    pub(crate) config: Config,
    pub(crate) tokenizer: Tokenizer<'m>,
    pub(crate) execution: Execution,
    pub(crate) residual_range: f32,
    pub(crate) checksum: u32,
    /// All tensors; none of them can fail to be read.
    pub(crate) tensors: Tensors<'m>,
}

impl<'m> File<'m> {
    /// Checks `bytes`, a whole model file.
    ///
    /// # Errors
    /// The first [`FormatError`] found.
    pub(crate) fn new(bytes: &'m [u8]) -> Result<Self, FormatError> {
        let header = check_front(bytes)?;
        let stored = header.checksum;
        let computed = CRC.checksum(slice(bytes, CHECKED_FROM..));
        if stored != computed {
            return Err(FormatError::Checksum { stored, computed });
        }
        let config = header.config;
        let file_len = bytes.len() as u64;
        let too_short = FormatError::TooShort { needed: header.header_len.into(), found: file_len };
        let (_, rest) = bytes.split_at_checked(Header::LEN).ok_or(too_short)?;
        let merges = usize::try_from(header.merges).map_err(|_| FormatError::TooLarge)?;
        let (merges, rest) =
            <[[u32; 3]]>::ref_from_prefix_with_elems(rest, merges).map_err(|_| too_short)?;
        let tokenizer = match header.tokenizer {
            TokenizerKind::Bytes => Tokenizer::Bytes,
            TokenizerKind::Bpe => Tokenizer::Bpe(Bpe::new(merges)?),
        };
        if tokenizer.vocab() != config.vocab {
            let (model, tokenizer) = (config.vocab, tokenizer.vocab());
            return Err(FormatError::Vocabulary { model, tokenizer });
        }
        let entries = usize::try_from(header.tensors).map_err(|_| FormatError::TooLarge)?;
        let (directory, rest) =
            <[RawEntry]>::ref_from_prefix_with_elems(rest, entries).map_err(|_| too_short)?;
        let tensors = Tensors { file: bytes, directory };
        check_zeros(bytes, file_len - rest.len() as u64, header.header_len.into())?;
        check_tensors(tensors, &header)?;
        Ok(Self {
            config,
            tokenizer,
            execution: header.execution,
            residual_range: f32::from_bits(u32::from(header.residual_range) << 16),
            checksum: stored,
            tensors,
        })
    }
}
