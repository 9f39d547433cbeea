use core::fmt;

use crate::kernels::{GROUP, GROUP_BYTES};
use crate::model::{Activation, Config};
use crate::position::PositionConfig;

/// The numeric format of one stored tensor; all but the first are for matrices only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Numbers {
    /// IEEE 754 single precision, code 0.
    F32 = 0,
    /// IEEE 754 half precision, code 1.
    F16 = 1,
    /// bfloat16, code 2.
    Bf16 = 2,
    /// 8-bit integers with a scale per row, code 3.
    Int8 = 3,
    /// 4-bit integers with a factor per group of 32 columns and a scale per row, code 4.
    Int4 = 4,
}

impl Numbers {
    /// All formats, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Int8, Self::Int4];

    /// Bytes of a tensor of `rows` rows and `columns` columns; `None` past `u64`.
    pub const fn bytes(self, rows: u64, columns: u64) -> Option<u64> {
        let per_row = match self {
            Self::F32 => columns.checked_mul(4),
            Self::F16 | Self::Bf16 => columns.checked_mul(2),
            Self::Int8 => columns.checked_add(4),
            Self::Int4 => return int4_bytes(rows, columns),
        };
        match per_row {
            Some(bytes) => bytes.checked_mul(rows),
            None => None,
        }
    }

    /// The code that stands for this format in the file.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The format of a code; `None` for an unknown one.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Bf16),
            3 => Some(Self::Int8),
            4 => Some(Self::Int4),
            _ => None,
        }
    }

    /// Whether it is one of the integer formats.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }
}

/// Scales, then factors up to a multiple of four bytes, then the integers.
const fn int4_bytes(rows: u64, columns: u64) -> Option<u64> {
    let Some(groups) = rows.checked_mul(columns.div_ceil(GROUP as u64)) else {
        return None;
    };
    let (Some(factors), Some(codes), Some(scales)) = (
        groups.checked_next_multiple_of(4),
        groups.checked_mul(GROUP_BYTES as u64),
        rows.checked_mul(4),
    ) else {
        return None;
    };
    match scales.checked_add(factors) {
        Some(front) => front.checked_add(codes),
        None => None,
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

/// In which arithmetic a file's model is meant to be run: in the one its perplexity was measured in
/// when it was exported.
///
/// A model of integer matrices runs in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Execution {
    /// [`Float`](crate::model::Float), code 0.
    #[default]
    Float = 0,
    /// [`Integer`](crate::model::Integer), code 1.
    Integer = 1,
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "floating point",
            Self::Integer => "integers",
        })
    }
}

/// What a tensor is for; the discriminant is its code in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u16)]
pub enum TensorKind {
    /// Token embeddings `[vocab, width]`.
    Embed = 0,
    /// Learned positions `[context, width]`, only with the learned encoding.
    Position = 1,
    /// Gain of the norm before attention `[1, width]`.
    AttnNorm = 2,
    /// Query projection `[heads·head_width, width − l]`, without the overridden columns.
    Wq = 3,
    /// Sums of the query projection's overridden columns, one row per digit:
    /// `[D, heads·head_width]`; only with an encoding that overrides.
    QueryColumns = 4,
    /// Key projection `[kv_heads·head_width, width − l]`, without the overridden columns.
    Wk = 5,
    /// Sums of the key projection's overridden columns: `[D, kv_heads·head_width]`.
    KeyColumns = 6,
    /// Value projection `[kv_heads·head_width, width]`.
    Wv = 7,
    /// Output projection of the attention `[width, heads·head_width]`.
    Wo = 8,
    /// Gain of the norm before the MLP `[1, width]`.
    MlpNorm = 9,
    /// Inner projection of the MLP `[hidden, width]`.
    W1 = 10,
    /// Gate of the MLP `[hidden, width]`, only with SwiGLU.
    W3 = 11,
    /// Outer projection of the MLP `[width, hidden]`.
    W2 = 12,
    /// Gain of the norm before the head `[1, width]`.
    FinalNorm = 13,
    /// Output head `[vocab, width]`; absent if it is the embedding.
    Head = 14,
}

impl TensorKind {
    const FIRST: [Self; 2] = [Self::Embed, Self::Position];
    const LAYER: [Self; 11] = [
        Self::AttnNorm,
        Self::Wq,
        Self::QueryColumns,
        Self::Wk,
        Self::KeyColumns,
        Self::Wv,
        Self::Wo,
        Self::MlpNorm,
        Self::W1,
        Self::W3,
        Self::W2,
    ];
    const LAST: [Self; 2] = [Self::FinalNorm, Self::Head];

    /// The code that stands for this kind in the file.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether it has a row per token: the embedding and the head.
    pub const fn is_vocabulary(self) -> bool {
        matches!(self, Self::Embed | Self::Head)
    }

    /// Whether it is a weight matrix, which may be stored in any format; the others are `f32`.
    pub const fn is_matrix(self) -> bool {
        !matches!(
            self,
            Self::Position
                | Self::AttnNorm
                | Self::QueryColumns
                | Self::KeyColumns
                | Self::MlpNorm
                | Self::FinalNorm
        )
    }

    /// Leading columns of the trained matrix that the file's does not have: those that the position
    /// overrides, which are folded.
    pub const fn folded(self, config: &Config) -> usize {
        match self {
            Self::Wq | Self::Wk => config.override_block().width,
            _ => 0,
        }
    }

    /// `(rows, columns)` in a model of this configuration; `None` if it has no such tensor.
    pub const fn shape(self, config: &Config) -> Option<(usize, usize)> {
        let Config { vocab, width, hidden, .. } = *config;
        let columns = config.override_block();
        let free = width.saturating_sub(columns.width);
        let (queries, keys) = (config.query_width(), config.key_width());
        let shape = match self {
            Self::Embed => (vocab, width),
            Self::Position if matches!(config.position, PositionConfig::Learned) => {
                (config.context, width)
            }
            Self::AttnNorm | Self::MlpNorm | Self::FinalNorm => (1, width),
            Self::Wq => (queries, free),
            Self::Wk => (keys, free),
            Self::QueryColumns if columns.digits > 0 => (columns.digits, queries),
            Self::KeyColumns if columns.digits > 0 => (columns.digits, keys),
            Self::Wv => (keys, width),
            Self::Wo => (width, queries),
            Self::W1 => (hidden, width),
            Self::W3 if matches!(config.activation, Activation::SwiGlu) => (hidden, width),
            Self::W2 => (width, hidden),
            Self::Head if !config.tied_head => (vocab, width),
            _ => return None,
        };
        Some(shape)
    }
}

/// One tensor of a model: its kind and the layer it belongs to.
///
/// It displays under the name that the tensor has in `model.safetensors`, such as
/// `layers.3.attn.wq.weight`; the sums of overridden columns, which only the `.expe` file has, are
/// `layers.3.attn.wq.columns` and `layers.3.attn.wk.columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TensorId {
    /// What it is for.
    pub kind: TensorKind,
    /// Its layer, counted from 0; 0 for the tensors outside the layers.
    pub layer: u32,
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            TensorKind::Embed => return f.write_str("embed.weight"),
            TensorKind::Position => return f.write_str("position.weight"),
            TensorKind::FinalNorm => return f.write_str("final_norm.weight"),
            TensorKind::Head => return f.write_str("head.weight"),
            TensorKind::AttnNorm => "attn_norm.weight",
            TensorKind::Wq => "attn.wq.weight",
            TensorKind::QueryColumns => "attn.wq.columns",
            TensorKind::Wk => "attn.wk.weight",
            TensorKind::KeyColumns => "attn.wk.columns",
            TensorKind::Wv => "attn.wv.weight",
            TensorKind::Wo => "attn.wo.weight",
            TensorKind::MlpNorm => "mlp_norm.weight",
            TensorKind::W1 => "mlp.w1.weight",
            TensorKind::W3 => "mlp.w3.weight",
            TensorKind::W2 => "mlp.w2.weight",
        };
        write!(f, "layers.{}.{name}", self.layer)
    }
}

/// A tensor and its shape in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorShape {
    /// Which tensor.
    pub id: TensorId,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl TensorShape {
    /// Bytes in `numbers`, without padding; `None` past `u64`.
    pub fn size(&self, numbers: Numbers) -> Option<u64> {
        numbers.bytes(u64::try_from(self.rows).ok()?, u64::try_from(self.columns).ok()?)
    }
}

/// All tensors of a model of this configuration, in the file's order.
///
/// ```
/// use expe_core::format::layout;
/// use expe_core::model::{Activation, Config, Norm};
/// use expe_core::position::PositionConfig;
///
/// let config = Config {
///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::SwiGlu,
///     tied_head: true, position: PositionConfig::None,
/// };
/// let embed = layout(&config).next().unwrap();
/// assert_eq!(embed.id.to_string(), "embed.weight");
/// assert_eq!((embed.rows, embed.columns), (256, 64));
/// assert_eq!(layout(&config).count(), 1 + 2 * 9 + 1);
/// ```
pub fn layout(config: &Config) -> impl Iterator<Item = TensorShape> + use<> {
    let config = *config;
    let layers = config.layers.try_into().unwrap_or(u32::MAX);
    let outside = |kind| TensorId { kind, layer: 0 };
    let inside = (0..layers)
        .flat_map(|layer| TensorKind::LAYER.into_iter().map(move |kind| TensorId { kind, layer }));
    TensorKind::FIRST
        .into_iter()
        .map(outside)
        .chain(inside)
        .chain(TensorKind::LAST.into_iter().map(outside))
        .filter_map(move |id| {
            let (rows, columns) = id.kind.shape(&config)?;
            Some(TensorShape { id, rows, columns })
        })
}
