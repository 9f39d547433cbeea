use super::{Execution, FormatError, MAGIC, OLDEST_VERSION, VERSION};
use crate::position::{Beyond, Growth, MAX_DIGITS, PositionConfig, Scaling};
use crate::shape::{Activation, Config, Norm};

/// The fixed part of the file: what its first [`Header::LEN`] bytes say.
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

/// Reads little-endian fields from the front of `rest`; past the end they are zero.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    const fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.rest.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.rest = rest;
                *field
            }
            None => [0; N],
        }
    }

    const fn u8(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    #[inline(never)] // for its size: called for every field
    const fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    const fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    const fn f32(&mut self) -> f32 {
        f32::from_bits(self.u32())
    }

    const fn dimension(&mut self) -> usize {
        self.u32() as usize
    }
}

const fn unknown<T>(field: &'static str, value: u32) -> Result<T, FormatError> {
    Err(FormatError::Unknown { field, value })
}

/// `?` for results in constant functions.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err(error),
        }
    };
}

impl Header {
    pub const LEN: usize = 128;

    /// Read the fixed part and check each field for itself; unused fields are not looked at.
    pub const fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() < Self::LEN {
            let found = bytes.len() as u64;
            return Err(FormatError::TooShort { needed: Self::LEN as u64, found });
        }
        let mut reader = Reader { rest: bytes };
        if u64::from_le_bytes(reader.take()) != u64::from_le_bytes(MAGIC) {
            return Err(FormatError::Magic);
        }
        let version = reader.u32();
        if version < OLDEST_VERSION || version > VERSION {
            return Err(FormatError::Version { found: version });
        }
        let header_len = reader.u32();
        let file_len = reader.u64();
        let checksum = reader.u32();
        reader.u32();
        let vocab = reader.dimension();
        let width = reader.dimension();
        let layers = reader.dimension();
        let heads = reader.dimension();
        let kv_heads = reader.dimension();
        let head_width = reader.dimension();
        let hidden = reader.dimension();
        let context = reader.dimension();
        let epsilon = reader.f32();
        let norm = match reader.u8() {
            0 => Norm::RmsNorm,
            1 => Norm::LayerNorm,
            code => return unknown("norm", code as u32),
        };
        let activation = match reader.u8() {
            0 => Activation::Gelu,
            1 => Activation::SwiGlu,
            2 => Activation::Relu,
            code => return unknown("activation", code as u32),
        };
        let tied_head = match reader.u8() {
            0 => false,
            1 => true,
            code => return unknown("tied_head", code as u32),
        };
        let tokenizer = match reader.u8() {
            0 => TokenizerKind::Bytes,
            1 => TokenizerKind::Bpe,
            code => return unknown("tokenizer", code as u32),
        };
        let merges = reader.u32();
        let tensors = reader.u32();
        let position = attempt!(read_position(&mut reader));
        let execution = match reader.u8() {
            0 => Execution::Float,
            1 => Execution::Integer,
            code => return unknown("execution", code as u32),
        };
        let _reserved = reader.u8();
        let residual_range = u16::from_le_bytes(reader.take());
        // Neither negative nor infinite nor NaN.
        if residual_range >= 0x7f80 {
            return unknown("residual range", residual_range as u32);
        }
        let config = Config {
            vocab,
            width,
            layers,
            heads,
            kv_heads,
            head_width,
            hidden,
            context,
            norm,
            epsilon,
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
            header_len,
            file_len,
            checksum,
            config,
            tokenizer,
            merges,
            tensors,
            execution,
            residual_range,
        })
    }

    /// The bytes of the fixed part; reserved and unused fields are zero.
    pub fn emit(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut writer = Writer { rest: bytes.iter_mut() };
        let config = &self.config;
        writer.put(&MAGIC);
        writer.u32(self.version);
        writer.u32(self.header_len);
        writer.put(&self.file_len.to_le_bytes());
        writer.u32(self.checksum);
        writer.u32(0);
        let dimensions = [
            config.vocab,
            config.width,
            config.layers,
            config.heads,
            config.kv_heads,
            config.head_width,
            config.hidden,
            config.context,
        ];
        for dimension in dimensions {
            // A checked configuration has no dimension past 2^24.
            writer.u32(dimension as u32);
        }
        writer.f32(config.epsilon);
        let norm = match config.norm {
            Norm::RmsNorm => 0,
            Norm::LayerNorm => 1,
        };
        let activation = match config.activation {
            Activation::Gelu => 0,
            Activation::SwiGlu => 1,
            Activation::Relu => 2,
        };
        writer.put(&[norm, activation, u8::from(config.tied_head), self.tokenizer as u8]);
        writer.u32(self.merges);
        writer.u32(self.tensors);
        write_position(&mut writer, &config.position);
        if self.version > OLDEST_VERSION {
            writer.put(&[self.execution as u8, 0]);
            writer.put(&self.residual_range.to_le_bytes());
        }
        bytes
    }
}

/// Read the 44 bytes of the position encoding.
const fn read_position(reader: &mut Reader<'_>) -> Result<PositionConfig, FormatError> {
    let encoding = reader.u8();
    let beyond = match reader.u8() {
        0 => Beyond::Refuse,
        1 => Beyond::Saturate,
        code => return unknown("beyond", code as u32),
    };
    let growth = match reader.u8() {
        0 => Growth::Equal,
        1 => Growth::Weighted,
        code => return unknown("growth", code as u32),
    };
    let scaling = reader.u8();
    let start = reader.f32();
    let step = reader.f32();
    let width = reader.u32();
    let base = reader.u32();
    let digits = reader.u32();
    let has_cap = reader.u32();
    let cap = reader.u32();
    let query_cap = match has_cap {
        0 => None,
        1 => Some(cap),
        value => return unknown("has_query_cap", value),
    };
    let rotary_base = reader.f32();
    let factor = reader.f32();
    let original = reader.u32();
    let scaling = match scaling {
        0 => Scaling::None,
        1 => Scaling::Linear { factor },
        2 => Scaling::Ntk { factor },
        3 => Scaling::Yarn { factor, original },
        code => return unknown("scaling", code as u32),
    };
    Ok(match encoding {
        0 => PositionConfig::None,
        1 => PositionConfig::Learned,
        2 => PositionConfig::Sinusoidal { base: rotary_base },
        3 => PositionConfig::Rope { base: rotary_base, scaling },
        4 => PositionConfig::Alibi,
        5 => PositionConfig::Expe { start, step, width, query_cap, beyond },
        6 => {
            // The folded columns need whole runs, and the engine keeps a fixed number of digits.
            if digits == 0 || digits as usize > MAX_DIGITS || width % digits != 0 {
                return unknown("digits", digits);
            }
            PositionConfig::Exqpe { start, step, width, base, digits, growth, query_cap, beyond }
        }
        code => return unknown("position encoding", code as u32),
    })
}

/// The 44 bytes of the position encoding: every field that the encoding does not use stays zero.
fn write_position(writer: &mut Writer<'_>, position: &PositionConfig) {
    let mut codes = [0u8; 4];
    let [encoding, beyond_code, growth_code, scaling_code] = &mut codes;
    let (mut start, mut step, mut rotary_base, mut factor) = (0.0, 0.0, 0.0, 0.0);
    let (mut width, mut base, mut digits, mut cap, mut original) = (0, 0, 0, None, 0);
    let beyond_of = |beyond| match beyond {
        Beyond::Refuse => 0,
        Beyond::Saturate => 1,
    };
    match *position {
        PositionConfig::None => *encoding = 0,
        PositionConfig::Learned => *encoding = 1,
        PositionConfig::Sinusoidal { base } => (*encoding, rotary_base) = (2, base),
        PositionConfig::Rope { base, scaling } => {
            (*encoding, rotary_base) = (3, base);
            match scaling {
                Scaling::None => *scaling_code = 0,
                Scaling::Linear { factor: s } => (*scaling_code, factor) = (1, s),
                Scaling::Ntk { factor: s } => (*scaling_code, factor) = (2, s),
                Scaling::Yarn { factor: s, original: length } => {
                    (*scaling_code, factor, original) = (3, s, length);
                }
            }
        }
        PositionConfig::Alibi => *encoding = 4,
        PositionConfig::Expe { start: s, step: t, width: l, query_cap, beyond } => {
            (*encoding, start, step, width, cap) = (5, s, t, l, query_cap);
            *beyond_code = beyond_of(beyond);
        }
        PositionConfig::Exqpe {
            start: s,
            step: t,
            width: l,
            base: b,
            digits: d,
            growth,
            query_cap,
            beyond,
        } => {
            (*encoding, start, step, width, base, digits, cap) = (6, s, t, l, b, d, query_cap);
            *beyond_code = beyond_of(beyond);
            *growth_code = match growth {
                Growth::Equal => 0,
                Growth::Weighted => 1,
            };
        }
    }
    writer.put(&codes);
    writer.f32(start);
    writer.f32(step);
    writer.u32(width);
    writer.u32(base);
    writer.u32(digits);
    writer.u32(u32::from(cap.is_some()));
    writer.u32(cap.unwrap_or(0));
    writer.f32(rotary_base);
    writer.f32(factor);
    writer.u32(original);
}

/// Writes little-endian fields one after the other.
struct Writer<'a> {
    rest: core::slice::IterMut<'a, u8>,
}

impl Writer<'_> {
    #[inline(never)] // for its size: called for every field
    fn put(&mut self, field: &[u8]) {
        for (from, to) in field.iter().zip(self.rest.by_ref()) {
            *to = *from;
        }
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }
}
