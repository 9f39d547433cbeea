use expe_core::position::{Beyond, Growth, PositionConfig, Scaling};

/// The names that [`position`] knows.
pub const POSITIONS: [&str; 9] =
    ["none", "learned", "sinusoidal", "rope", "alibi", "expe", "exqpe", "expe-cap", "exqpe-cap"];

/// Longest wavelength of sinusoidal and rotary positions, as in the papers.
const BASE: f32 = 10_000.0;
/// Start `S` of ExPE and ExQPE.
const START: f32 = 16.0;
/// Step `θ` of ExPE and ExQPE.
const STEP: f32 = 1.0 / 16.0;
/// One overridden column for this many.
const SHARE: usize = 16;
/// Base `B` of ExQPE.
const DIGIT_BASE: u32 = 16;
/// Digits `D` of ExQPE.
const DIGITS: u32 = 2;

/// There is no encoding of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown position encoding `{name}`; known are {}", POSITIONS.join(", "))]
pub struct UnknownPosition {
    /// The name asked for.
    pub name: String,
}

/// The encoding called `name` with its usual parameters, for a model of `width` columns that is
/// trained on `context` positions. The names ending in `-cap` limit the position of queries to
/// the last trained one; training is the same, longer texts are not.
///
/// # Errors
/// [`UnknownPosition`].
///
/// ```
/// use expe_core::position::PositionConfig;
/// use expe_runtime::config::position;
/// assert!(matches!(position("expe", 128, 64)?, PositionConfig::Expe { width: 8, .. }));
/// # Ok::<(), expe_runtime::config::UnknownPosition>(())
/// ```
pub fn position(
    name: &str,
    width: usize,
    context: usize,
) -> Result<PositionConfig, UnknownPosition> {
    let last = u32::try_from(context.saturating_sub(1)).unwrap_or(u32::MAX);
    let columns = u32::try_from((width / SHARE).max(1)).unwrap_or(u32::MAX);
    let expe = |query_cap| PositionConfig::Expe {
        start: START,
        step: STEP,
        width: columns,
        query_cap,
        beyond: Beyond::Refuse,
    };
    let exqpe = |query_cap| PositionConfig::Exqpe {
        start: START,
        step: STEP,
        width: columns.next_multiple_of(DIGITS),
        base: DIGIT_BASE,
        digits: DIGITS,
        growth: Growth::Weighted,
        query_cap,
        beyond: Beyond::Refuse,
    };
    Ok(match name {
        "none" => PositionConfig::None,
        "learned" => PositionConfig::Learned,
        "sinusoidal" => PositionConfig::Sinusoidal { base: BASE },
        "rope" => PositionConfig::Rope { base: BASE, scaling: Scaling::None },
        "alibi" => PositionConfig::Alibi,
        "expe" => expe(None),
        "exqpe" => exqpe(None),
        "expe-cap" => expe(Some(last)),
        "exqpe-cap" => exqpe(Some(last)),
        _ => return Err(UnknownPosition { name: name.to_string() }),
    })
}
