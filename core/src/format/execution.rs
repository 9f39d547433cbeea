use core::fmt;

/// In which arithmetic a file's model is meant to be run: in the one its perplexity was measured in
/// when it was exported.
///
/// A model of integer matrices runs in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Execution {
    /// Floating point, code 0.
    #[default]
    Float = 0,
    /// Integers, code 1.
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
