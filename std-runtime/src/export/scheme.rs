use std::fmt;

use expe_core::format::{Execution, Numbers, Storage};

/// What a model's numbers become when it is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scheme {
    /// Matrices in single precision.
    F32,
    /// Matrices in half precision, arithmetic in single precision.
    F16,
    /// Matrices in bfloat16, arithmetic in single precision.
    Bf16,
    /// Matrices and activations of 8-bit integers; norms, softmax and activations in single precision.
    Int8,
    /// As int8, with 4-bit integers in the layers; the embedding and the head keep 8 bits.
    Int4,
    /// As int8, without a float instruction.
    Integer,
    /// As int4, without a float instruction.
    Integer4,
}

impl Scheme {
    /// The matrices of the layers.
    pub const fn layers(self) -> Numbers {
        match self {
            Self::F32 => Numbers::F32,
            Self::F16 => Numbers::F16,
            Self::Bf16 => Numbers::Bf16,
            Self::Int8 | Self::Integer => Numbers::Int8,
            Self::Int4 | Self::Integer4 => Numbers::Int4,
        }
    }

    /// The embedding and the head.
    pub const fn vocabulary(self) -> Numbers {
        match self.layers() {
            Numbers::Int4 => Numbers::Int8,
            numbers => numbers,
        }
    }

    /// The arithmetic that the model is meant for.
    pub const fn execution(self) -> Execution {
        match self {
            Self::Integer | Self::Integer4 => Execution::Integer,
            _ => Execution::Float,
        }
    }

    /// How the file stores a model whose residual stream has this range.
    pub const fn storage(self, residual_range: f32) -> Storage {
        let (layers, vocabulary) = (self.layers(), self.vocabulary());
        Storage { layers, vocabulary, execution: self.execution(), residual_range }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Integer => "integer",
            Self::Integer4 => "integer4",
        })
    }
}
