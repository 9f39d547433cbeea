use core::fmt;

use super::{Activation, Config};

/// A tensor's purpose; the discriminant is its code in the file.
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
    QueryFolded = 4,
    /// Key projection `[kv_heads·head_width, width − l]`, without the overridden columns.
    Wk = 5,
    /// Sums of the key projection's overridden columns: `[D, kv_heads·head_width]`.
    KeyFolded = 6,
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
    pub(super) const FIRST: [Self; 2] = [Self::Embed, Self::Position];
    pub(super) const LAYER: [Self; 11] = [
        Self::AttnNorm,
        Self::Wq,
        Self::QueryFolded,
        Self::Wk,
        Self::KeyFolded,
        Self::Wv,
        Self::Wo,
        Self::MlpNorm,
        Self::W1,
        Self::W3,
        Self::W2,
    ];
    pub(super) const LAST: [Self; 2] = [Self::FinalNorm, Self::Head];

    /// Returns the kind's code in the file.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Returns whether it has a row per token: embedding and head.
    pub const fn is_vocabulary(self) -> bool {
        matches!(self, Self::Embed | Self::Head)
    }

    /// Returns whether it is a weight matrix, which any [`DType`](super::DType) can store; the others are `f32`.
    pub const fn is_matrix(self) -> bool {
        !matches!(
            self,
            Self::Position
                | Self::AttnNorm
                | Self::QueryFolded
                | Self::KeyFolded
                | Self::MlpNorm
                | Self::FinalNorm
        )
    }

    /// Returns the number of leading columns that only the trained matrix has: those that the position
    /// overrides. The file stores their folded sums.
    pub const fn folded(self, config: &Config) -> usize {
        match self {
            Self::Wq | Self::Wk => config.override_block().width,
            _ => 0,
        }
    }

    /// Returns `(rows, columns)` in a model of this configuration; `None` if it has no such tensor.
    pub const fn shape(self, config: &Config) -> Option<(usize, usize)> {
        let Config { vocab, width, hidden, .. } = *config;
        let columns = config.override_block();
        let free = width.saturating_sub(columns.width);
        let (queries, keys) = (config.query_width(), config.key_width());
        let shape = match self {
            Self::Embed => (vocab, width),
            Self::Position if config.position.needs_table() => (config.context, width),
            Self::AttnNorm | Self::MlpNorm | Self::FinalNorm => (1, width),
            Self::Wq => (queries, free),
            Self::Wk => (keys, free),
            Self::QueryFolded if columns.digits > 0 => (columns.digits, queries),
            Self::KeyFolded if columns.digits > 0 => (columns.digits, keys),
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
/// Displays as the tensor's name in `model.safetensors`, such as
/// `layers.3.attn.wq.weight`; the sums of overridden columns, which only the `.expe` file has, are
/// `layers.3.attn.wq.columns` and `layers.3.attn.wk.columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TensorId {
    /// The tensor's purpose.
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
            TensorKind::QueryFolded => "attn.wq.columns",
            TensorKind::Wk => "attn.wk.weight",
            TensorKind::KeyFolded => "attn.wk.columns",
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
