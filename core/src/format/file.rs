use zerocopy::FromBytes;

use super::check::{check_front, check_tensors, zeros};
use super::header::{Header, TokenizerKind};
use super::tensors::Tensors;
use super::{CHECKED_FROM, CRC, ENTRY_LEN, Execution, FormatError};
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
    /// Check `bytes`, a whole model file.
    ///
    /// # Errors
    /// The first [`FormatError`] found.
    pub(crate) fn new(bytes: &'m [u8]) -> Result<Self, FormatError> {
        let header = check_front(bytes)?;
        let stored = header.checksum;
        let computed = CRC.checksum(bytes.get(CHECKED_FROM..).unwrap_or(&[]));
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
        let directory_len = (header.tensors as usize).checked_mul(ENTRY_LEN);
        let (directory, padding) =
            directory_len.and_then(|len| rest.split_at_checked(len)).ok_or(too_short)?;
        let tensors = Tensors { bytes, directory, offset: u64::from(header.header_len) };
        let directory_end = file_len.saturating_sub(padding.len() as u64);
        zeros(bytes, directory_end, tensors.offset)?;
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
