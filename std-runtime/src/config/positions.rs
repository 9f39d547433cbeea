use expe_core::internals::SUPPORTED;
use expe_core::position::PositionConfig;

/// No position encoding has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown position encoding `{name}`; known are {}", SUPPORTED.join(", "))]
pub struct UnknownPosition {
    /// The unknown name.
    pub name: String,
}

/// Returns the encoding called `name` (one of [`SUPPORTED`]) with its default parameters for a model of width
/// `width`.
///
/// # Errors
/// [`UnknownPosition`] if no encoding has this name.
///
/// ```
/// use expe::config::position;
/// assert_eq!(position("expe", 128)?.name(), "expe");
/// # Ok::<(), expe::config::UnknownPosition>(())
/// ```
pub fn position(name: &str, width: usize) -> Result<PositionConfig, UnknownPosition> {
    PositionConfig::by_name(name, width).ok_or_else(|| UnknownPosition { name: name.to_string() })
}
