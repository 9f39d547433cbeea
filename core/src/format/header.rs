use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::constants::{MAGIC, MERGE_LEN, OLDEST_VERSION, VERSION, align};
use super::directory::RawEntry;
use super::error::FormatError;
use super::execution::Execution;
use super::position::RawPosition;
use crate::shape::{Activation, Config, Norm};

/// The fixed part of the file, byte for byte.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    magic: [u8; 8],
    version: U32,
    header_len: U32,
    file_len: U64,
    checksum: U32,
    reserved: U32,
    vocab: U32,
    width: U32,
    layers: U32,
    heads: U32,
    kv_heads: U32,
    head_width: U32,
    hidden: U32,
    context: U32,
    /// Bits of an `f32`.
    epsilon: U32,
    norm: u8,
    activation: u8,
    tied_head: u8,
    tokenizer: u8,
    merges: U32,
    tensors: U32,
    position: RawPosition,
    execution: u8,
    reserved_byte: u8,
    /// A bfloat16.
    residual_range: U16,
}

/// What the fixed part of the file says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    pub version: u32,
    pub header_len: u32,
    pub file_len: u64,
    pub checksum: u32,
    pub config: Config,
    pub tokenizer: TokenizerKind,
    pub merges: u32,
    pub tensors: u32,
    pub execution: Execution,
    /// A bfloat16.
    pub residual_range: u16,
}

/// Which tokenizer the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerKind {
    Bytes = 0,
    Bpe = 1,
}

impl Header {
    pub const LEN: usize = size_of::<RawHeader>();

    /// Reads the fixed part of `bytes` and checks each field; ignores reserved and unused fields.
    pub const fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let Some(bytes) = bytes.first_chunk::<{ Self::LEN }>() else {
            let found = bytes.len() as u64;
            return Err(FormatError::TooShort { needed: Self::LEN as u64, found });
        };
        let raw: RawHeader = zerocopy::transmute!(*bytes);
        if u64::from_le_bytes(raw.magic) != u64::from_le_bytes(MAGIC) {
            return Err(FormatError::Magic);
        }
        let version = raw.version.get();
        if version < OLDEST_VERSION || version > VERSION {
            return Err(FormatError::Version { found: version });
        }
        let norm = match raw.norm {
            0 => Norm::RmsNorm,
            1 => Norm::LayerNorm,
            code => return FormatError::unknown("norm", code as u32),
        };
        let activation = match raw.activation {
            0 => Activation::Gelu,
            1 => Activation::SwiGlu,
            2 => Activation::Relu,
            code => return FormatError::unknown("activation", code as u32),
        };
        let tied_head = match raw.tied_head {
            0 => false,
            1 => true,
            code => return FormatError::unknown("tied_head", code as u32),
        };
        let tokenizer = match raw.tokenizer {
            0 => TokenizerKind::Bytes,
            1 => TokenizerKind::Bpe,
            code => return FormatError::unknown("tokenizer", code as u32),
        };
        let position = match raw.position.parse() {
            Ok(position) => position,
            Err(error) => return Err(error),
        };
        let execution = match raw.execution {
            0 => Execution::Float,
            1 => Execution::Integer,
            code => return FormatError::unknown("execution", code as u32),
        };
        let residual_range = raw.residual_range.get();
        // Neither negative nor infinite nor NaN.
        if residual_range >= 0x7f80 {
            return FormatError::unknown("residual range", residual_range as u32);
        }
        let config = Config {
            vocab: raw.vocab.get() as usize,
            width: raw.width.get() as usize,
            layers: raw.layers.get() as usize,
            heads: raw.heads.get() as usize,
            kv_heads: raw.kv_heads.get() as usize,
            head_width: raw.head_width.get() as usize,
            hidden: raw.hidden.get() as usize,
            context: raw.context.get() as usize,
            norm,
            epsilon: f32::from_bits(raw.epsilon.get()),
            activation,
            tied_head,
            position,
        };
        match config.check() {
            Ok(()) => {}
            Err(error) => return Err(FormatError::Config(error)),
        }
        Ok(Self {
            version,
            header_len: raw.header_len.get(),
            file_len: raw.file_len.get(),
            checksum: raw.checksum.get(),
            config,
            tokenizer,
            merges: raw.merges.get(),
            tensors: raw.tensors.get(),
            execution,
            residual_range,
        })
    }

    /// Returns the fixed part of the file; reserved and unused fields are zero.
    pub fn raw(&self) -> RawHeader {
        let config = &self.config;
        // A checked configuration has no dimension above 2^24.
        let dimension = |dimension: usize| U32::new(dimension as u32);
        let (execution, residual_range) = match self.version {
            OLDEST_VERSION => (0, 0),
            _ => (self.execution as u8, self.residual_range),
        };
        RawHeader {
            magic: MAGIC,
            version: U32::new(self.version),
            header_len: U32::new(self.header_len),
            file_len: U64::new(self.file_len),
            checksum: U32::new(self.checksum),
            reserved: U32::ZERO,
            vocab: dimension(config.vocab),
            width: dimension(config.width),
            layers: dimension(config.layers),
            heads: dimension(config.heads),
            kv_heads: dimension(config.kv_heads),
            head_width: dimension(config.head_width),
            hidden: dimension(config.hidden),
            context: dimension(config.context),
            epsilon: U32::new(config.epsilon.to_bits()),
            norm: match config.norm {
                Norm::RmsNorm => 0,
                Norm::LayerNorm => 1,
            },
            activation: match config.activation {
                Activation::Gelu => 0,
                Activation::SwiGlu => 1,
                Activation::Relu => 2,
            },
            tied_head: u8::from(config.tied_head),
            tokenizer: self.tokenizer as u8,
            merges: U32::new(self.merges),
            tensors: U32::new(self.tensors),
            position: RawPosition::new(&config.position),
            execution,
            reserved_byte: 0,
            residual_range: U16::new(residual_range),
        }
    }
}

/// Returns the length of everything before the tensors; `None` past 64 bits.
pub(super) fn header_len(merges: u32, tensors: u32) -> Option<u64> {
    let merges = u64::from(merges) * MERGE_LEN;
    let entries = u64::from(tensors) * RawEntry::LEN as u64;
    align(Header::LEN as u64 + merges + entries)
}

impl Config {
    /// Reads the configuration of a model file, at compile time too, so that firmware can give its
    /// buffers their exact sizes. It reads only the fixed part; [`Model::new`](crate::Model::new)
    /// checks the whole file.
    ///
    /// ```
    /// use expe_core::{Config, F32};
    ///
    /// const MODEL: &[u8] = expe_core::include_model!(
    ///     concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/version1.expe")
    /// );
    /// const CONFIG: Config = match Config::from_file(MODEL) {
    ///     Ok(config) => config,
    ///     Err(_) => panic!("not a model"),
    /// };
    /// let cache = [0u32; CONFIG.cache_len::<F32>(32)];
    /// let workspace = [0u32; CONFIG.workspace_len(1, 32)];
    /// # assert_eq!(CONFIG.vocab, 256);
    /// ```
    ///
    /// # Errors
    /// [`FormatError::TooShort`], [`FormatError::Magic`], [`FormatError::Version`],
    /// [`FormatError::Unknown`] or [`FormatError::Config`].
    pub const fn from_file(bytes: &[u8]) -> Result<Self, FormatError> {
        match Header::parse(bytes) {
            Ok(header) => Ok(header.config),
            Err(error) => Err(error),
        }
    }
}
