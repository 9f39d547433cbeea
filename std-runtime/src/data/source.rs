//! Sources of text.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::DataError;

/// A source of text, parsed from the form used on the command line.
///
/// ```
/// use expe::data::Source;
/// assert_eq!("stories:7:2M".parse::<Source>()?, Source::Stories { seed: 7, bytes: 2_000_000 });
/// assert_eq!("rust:".parse::<Source>()?, Source::Rust);
/// assert_eq!("docs/".parse::<Source>()?, Source::Path("docs/".into()));
/// # Ok::<(), expe::data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A text file, or a folder that is searched for text files.
    Path(PathBuf),
    /// The Rust sources that Cargo unpacked to build this program; see
    /// [`default_sources`](super::default_sources).
    Rust,
    /// Generated stories up to a given size.
    Stories {
        /// Seed from which the seed of each story is derived.
        seed: u64,
        /// Size of the text in bytes, exceeded by less than one story.
        bytes: usize,
    },
}

/// Largest size of `stories:SEED:SIZE`, in bytes.
pub const MAX_STORIES_BYTES: usize = 1_000_000_000;

/// Text form of [`Source::Rust`].
const RUST: &str = "rust:";

impl FromStr for Source {
    type Err = DataError;

    /// Parses a path, `rust:`, or `stories:SEED:SIZE` with a size in bytes, `k` (10³ bytes) or `M` (10⁶ bytes).
    fn from_str(text: &str) -> Result<Self, DataError> {
        if text == RUST {
            return Ok(Self::Rust);
        }
        let Some(rest) = text.strip_prefix("stories:") else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        rest.split_once(':')
            .and_then(|(seed, size)| {
                Some(Self::Stories { seed: seed.parse().ok()?, bytes: size_in_bytes(size)? })
            })
            .ok_or_else(|| DataError::BadStories(text.to_owned()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Rust => f.write_str(RUST),
            Self::Stories { seed, bytes } => write!(f, "stories:{seed}:{bytes}"),
        }
    }
}

fn size_in_bytes(text: &str) -> Option<usize> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix('M') {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    let bytes = digits.parse::<usize>().ok()?.checked_mul(unit)?;
    (1..=MAX_STORIES_BYTES).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_stories_and_paths() {
        for (text, bytes) in [("stories:3:200k", 200_000), ("stories:3:17", 17)] {
            assert_eq!(text.parse::<Source>().unwrap(), Source::Stories { seed: 3, bytes });
        }
        assert_eq!("stories".parse::<Source>().unwrap(), Source::Path("stories".into()));
    }

    #[test]
    fn formatted_sources_parse_to_the_same_source() {
        for text in ["stories:18446744073709551615:2M", "a/b c"] {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
        }
    }

    #[test]
    fn rejects_invalid_stories() {
        for text in [
            "stories:",
            "stories:1",
            "stories:1:",
            "stories:1:0",
            "stories:-1:2k",
            "stories:1:2kk",
            "stories:1:2G",
            "stories:1:2000M",
            "stories:1:99999999999999999999M",
            "stories:1:1k:1",
        ] {
            assert!(matches!(text.parse::<Source>(), Err(DataError::BadStories(_))), "{text}");
        }
    }
}
