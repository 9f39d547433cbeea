use std::fmt;
use std::str::FromStr;

use expe_core::internals::{DType, Execution, Storage};

/// The number formats and the arithmetic of an exported model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Matrices in single precision.
    F32,
    /// Matrices in half precision, arithmetic in single precision.
    F16,
    /// Matrices in bfloat16, arithmetic in single precision.
    Bf16,
    /// Matrices and activations in 8-bit integers; norms, softmax and activation functions in single
    /// precision.
    Int8,
    /// Like [`Int8`](Self::Int8), with layers in 4-bit integers; embedding and head keep 8 bits.
    Int4,
    /// Like [`Int8`](Self::Int8), without any floating-point instruction.
    Integer,
    /// Like [`Int4`](Self::Int4), without any floating-point instruction.
    Integer4,
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 7] =
        [Self::F32, Self::F16, Self::Bf16, Self::Int8, Self::Int4, Self::Integer, Self::Integer4];

    /// Returns the name, such as `int8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Integer => "integer",
            Self::Integer4 => "integer4",
        }
    }

    /// Returns a description in one sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::F32 => "Matrices in single precision",
            Self::F16 => "Matrices in half precision, arithmetic in single precision",
            Self::Bf16 => "Matrices in bfloat16, arithmetic in single precision",
            Self::Int8 => {
                "Matrices and activations in 8-bit integers; norms, softmax and activation functions \
                 in single precision"
            }
            Self::Int4 => {
                "Like int8, with layers in 4-bit integers; embedding and head keep 8 bits"
            }
            Self::Integer => "Like int8, without any floating-point instruction",
            Self::Integer4 => "Like int4, without any floating-point instruction",
        }
    }

    /// Returns the type of the matrices in the layers.
    pub const fn layers(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::Bf16,
            Self::Int8 | Self::Integer => DType::Int8,
            Self::Int4 | Self::Integer4 => DType::Int4,
        }
    }

    /// Returns the type of the embedding and the head.
    pub const fn vocabulary(self) -> DType {
        match self.layers() {
            DType::Int4 => DType::Int8,
            dtype => dtype,
        }
    }

    /// Returns the arithmetic that runs the model.
    pub const fn execution(self) -> Execution {
        match self {
            Self::Integer | Self::Integer4 => Execution::Integer,
            _ => Execution::Float,
        }
    }

    /// Returns how a file stores a model whose residual stream stays within `±residual_range`.
    pub const fn storage(self, residual_range: f32) -> Storage {
        let (layers, vocabulary) = (self.layers(), self.vocabulary());
        Storage { layers, vocabulary, execution: self.execution(), residual_range }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No scheme has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scheme `{name}`; known are {}", Scheme::ALL.map(Scheme::name).join(", "))]
pub struct UnknownScheme {
    /// The unknown name.
    pub name: String,
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.name() == name);
        found.ok_or_else(|| UnknownScheme { name: name.to_owned() })
    }
}
