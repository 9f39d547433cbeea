use core::fmt;

use crate::position::{OverrideBlock, PositionConfig};

/// The normalization in front of attention, MLP and head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Norm {
    /// `y_i = g_i·x_i / sqrt(mean(x²) + ε)`
    #[default]
    RmsNorm,
    /// `y_i = g_i·(x_i − mean(x)) / sqrt(var(x) + ε)`, without a bias
    LayerNorm,
}

/// The non-linearity of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activation {
    /// `w2·gelu(w1·x)`, `gelu` in its tanh form
    #[default]
    Gelu,
    /// `w2·(silu(w1·x) ⊙ w3·x)`
    SwiGlu,
    /// `w2·max(w1·x, 0)`
    Relu,
}

/// The complete shape of a decoder: two models with equal configurations have the same tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Width `d` of the residual stream.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width `d_h` of one head; even when heads are rotated.
    pub head_width: usize,
    /// Width of the MLP's inner layer.
    pub hidden: usize,
    /// Training length `L`; also the rows of a learned position table.
    pub context: usize,
    /// Normalization.
    #[cfg_attr(feature = "serde", serde(default))]
    pub norm: Norm,
    /// `ε` of the normalization.
    #[cfg_attr(feature = "serde", serde(default = "default_epsilon"))]
    pub epsilon: f32,
    /// Non-linearity of the MLP.
    #[cfg_attr(feature = "serde", serde(default))]
    pub activation: Activation,
    /// Whether the output head is the embedding matrix.
    #[cfg_attr(feature = "serde", serde(default = "default_tied"))]
    pub tied_head: bool,
    /// Position encoding.
    pub position: PositionConfig,
}

#[cfg(feature = "serde")]
fn default_epsilon() -> f32 {
    1e-5
}

#[cfg(feature = "serde")]
fn default_tied() -> bool {
    true
}

/// The largest value of a dimension: the product of two fits `u64`, and absurd files are rejected early.
pub const MAX_DIMENSION: usize = 1 << 24;

impl Config {
    /// Returns the width of all query heads: `heads · head_width`.
    pub const fn query_width(&self) -> usize {
        self.heads.saturating_mul(self.head_width)
    }

    /// Returns the width of all key (or value) heads: `kv_heads · head_width`.
    pub const fn key_width(&self) -> usize {
        self.kv_heads.saturating_mul(self.head_width)
    }

    /// Columns of the query and key inputs that the position overrides.
    pub const fn override_block(&self) -> OverrideBlock {
        self.position.override_block()
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub const fn check(&self) -> Result<(), ConfigError> {
        let named = [
            ("vocab", self.vocab),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_width", self.head_width),
            ("hidden", self.hidden),
            ("context", self.context),
            ("heads * head_width", self.query_width()),
        ];
        let mut rest: &[(&'static str, usize)] = &named;
        while let [(name, value), tail @ ..] = rest {
            if *value == 0 || *value > MAX_DIMENSION {
                return Err(ConfigError::Dimension { name, value: *value });
            }
            rest = tail;
        }
        match self.heads.checked_rem(self.kv_heads) {
            Some(0) => {}
            _ => {
                return Err(ConfigError::Heads { heads: self.heads, kv_heads: self.kv_heads });
            }
        }
        // Positive floats have the order of their bits; comparing bits takes no float instruction.
        if self.epsilon.to_bits() == 0 || self.epsilon.to_bits() >= 1.0f32.to_bits() {
            return Err(ConfigError::Epsilon { value: self.epsilon });
        }
        if self.position.rotates() && self.head_width & 1 == 1 {
            return Err(ConfigError::OddHead { head_width: self.head_width });
        }
        if let Some(block) = self.position.sites().block {
            if block.width == 0 || block.width > self.width {
                return Err(ConfigError::Override { columns: block.width, width: self.width });
            }
        }
        Ok(())
    }
}

/// Why a [`Config`] does not describe a model.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// A dimension is 0 or above [`MAX_DIMENSION`].
    Dimension {
        /// The dimension's name.
        name: &'static str,
        /// The value.
        value: usize,
    },
    /// The key-value heads do not divide the query heads.
    Heads {
        /// Query heads.
        heads: usize,
        /// Key-value heads.
        kv_heads: usize,
    },
    /// `ε` is not in `(0, 1)`.
    Epsilon {
        /// The value.
        value: f32,
    },
    /// Rotated heads have an odd width.
    OddHead {
        /// Width of one head.
        head_width: usize,
    },
    /// The number of overridden columns is 0 or above the model's width.
    Override {
        /// Overridden columns.
        columns: usize,
        /// Model width.
        width: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dimension { name, value } => {
                write!(f, "`{name}` is {value}; it must lie in 1..={MAX_DIMENSION}")
            }
            Self::Heads { heads, kv_heads } => {
                write!(f, "{kv_heads} key-value heads do not divide {heads} query heads")
            }
            Self::Epsilon { value } => write!(f, "`epsilon` is {value}; it must lie in (0, 1)"),
            Self::OddHead { head_width } => {
                write!(f, "rotated heads must have an even width, found {head_width}")
            }
            Self::Override { columns, width } => write!(
                f,
                "the position overrides {columns} of {width} columns; it must override 1 to {width}"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
