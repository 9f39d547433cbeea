//! A measured perplexity and its JSON format.

use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The perplexity of one trained model at one length.
///
/// Perplexity is `exp` of the mean negative log-likelihood (natural logarithm) of the predicted tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the position encoding.
    pub position: String,
    /// Seed of the training.
    pub seed: u64,
    /// Length of the windows in tokens.
    pub length: usize,
    /// `length` divided by the training length.
    pub factor: f64,
    /// Perplexity over all positions of the windows.
    #[serde(with = "number_or_null")]
    pub perplexity: f64,
    /// Perplexity over the last `L` positions of the windows, where `L` is the training length. The same tokens are
    /// predicted at every length; only the preceding context grows.
    #[serde(with = "number_or_null")]
    pub perplexity_last: f64,
    /// Number of predicted tokens in `perplexity`.
    pub tokens: u64,
}

/// Selects one of the two perplexities of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Over all positions.
    All,
    /// Over the last `L` positions, where `L` is the training length.
    Last,
}

impl Figure {
    /// Returns a description of the positions that the figure covers.
    pub const fn title(self) -> &'static str {
        match self {
            Self::All => "all positions",
            Self::Last => "last positions (same tokens, growing context)",
        }
    }

    /// Returns the figure of a row.
    pub const fn value(self, row: &Row) -> f64 {
        match self {
            Self::All => row.perplexity,
            Self::Last => row.perplexity_last,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    rows: R,
}

/// Writes rows as `{"rows":[{"position":"expe","seed":0,"length":128,"factor":2.0,"perplexity":15.1,
/// "perplexity_last":14.9,"tokens":8192},…]}`. A perplexity that is not finite becomes
/// `null`, because JSON has no infinity.
///
/// # Errors
/// The errors of the writer.
pub fn write_json(rows: &[Row], writer: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, &Document { rows })?;
    writeln!(writer)
}

/// Reads the output of [`write_json`]; `null` becomes NaN.
///
/// # Errors
/// [`serde_json::Error`] with the line and column of the error.
pub fn read_json(text: &str) -> serde_json::Result<Vec<Row>> {
    Ok(serde_json::from_str::<Document<Vec<Row>>>(text)?.rows)
}

mod number_or_null {
    use super::*;

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        number.is_finite().then_some(*number).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_json_can_be_read() {
        let row = Row {
            position: "expe".into(),
            seed: u64::MAX,
            length: 128,
            factor: 2.0,
            perplexity: 15.1,
            perplexity_last: f64::INFINITY,
            tokens: 8192,
        };
        let mut text = Vec::new();
        write_json(std::slice::from_ref(&row), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\"perplexity_last\": null"), "{text}");
        let read = read_json(&text).unwrap().remove(0);
        assert!(read.perplexity_last.is_nan());
        assert_eq!(Row { perplexity_last: f64::INFINITY, ..read }, row);
        assert!(read_json("{\"rows\":[{}]}").is_err());
        assert!(read_json(&text.replace("tokens", "token")).is_err());
    }
}
