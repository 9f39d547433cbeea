use core::fmt;

/// The arithmetic that a file is meant for: the one in which its perplexity was measured at export.
///
/// A model with integer matrices runs in both.
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
