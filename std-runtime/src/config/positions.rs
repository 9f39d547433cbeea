use expe_core::position::{Beyond, Growth, PositionConfig, SUPPORTED, Scaling};

/// Longest wavelength of sinusoidal and rotary positions, as in the papers.
const BASE: f32 = 10_000.0;
/// Start `S` of ExPE and ExQPE.
const START: f32 = 16.0;
/// Step `θ` of ExPE and ExQPE.
const STEP: f32 = 1.0 / 16.0;
/// One overridden column for this many.
const SHARE: usize = 16;
/// Rows of the columns that are left begin at a multiple of this many, so that vectors and words of packed
/// bytes do.
const ALIGNED: usize = 4;
/// Base `B` of ExQPE.
const DIGIT_BASE: u32 = 16;
/// Digits `D` of ExQPE.
const DIGITS: u32 = 2;

/// There is no encoding of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown position encoding `{name}`; known are {}", SUPPORTED.join(", "))]
pub struct UnknownPosition {
    /// The name asked for.
    pub name: String,
}

/// The encoding called `name` (one of [`SUPPORTED`]) with its usual parameters, for a model of
/// `width` columns.
///
/// # Errors
/// [`UnknownPosition`].
///
/// ```
/// use expe_core::position::PositionConfig;
/// use expe_runtime::config::position;
/// assert!(matches!(position("expe", 128)?, PositionConfig::Expe { width: 8, .. }));
/// # Ok::<(), expe_runtime::config::UnknownPosition>(())
/// ```
pub fn position(name: &str, width: usize) -> Result<PositionConfig, UnknownPosition> {
    let exqpe = PositionConfig::Exqpe {
        start: START,
        step: STEP,
        width: columns(width).next_multiple_of(DIGITS),
        base: DIGIT_BASE,
        digits: DIGITS,
        growth: Growth::Weighted,
        query_cap: None,
        beyond: Beyond::Refuse,
    };
    Ok(match name {
        "none" => PositionConfig::None,
        "learned" => PositionConfig::Learned,
        "sinusoidal" => PositionConfig::Sinusoidal { base: BASE },
        "rope" => PositionConfig::Rope { base: BASE, scaling: Scaling::None },
        "alibi" => PositionConfig::Alibi,
        "expe" => expe(width),
        "exqpe" => exqpe,
        _ => return Err(UnknownPosition { name: name.to_string() }),
    })
}

/// ExPE with its usual parameters, for a model of `width` columns.
pub(super) fn expe(width: usize) -> PositionConfig {
    PositionConfig::Expe {
        start: START,
        step: STEP,
        width: columns(width),
        query_cap: None,
        beyond: Beyond::Refuse,
    }
}

/// The columns that ExPE and ExQPE override in a model of `width` columns unless told otherwise.
fn columns(width: usize) -> u32 {
    let columns = match width / SHARE {
        few @ 0..ALIGNED => few.max(1),
        many => many - many % ALIGNED,
    };
    u32::try_from(columns).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sixteenth_of_the_columns_in_whole_vectors() {
        let widths = [1, 16, 48, 64, 112, 128, 288, 512];
        assert_eq!(widths.map(super::columns), [1, 1, 3, 4, 4, 8, 16, 32]);
    }
}
