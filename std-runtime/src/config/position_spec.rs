use expe_core::position::PositionConfig;
use toml::{Table, Value};

use super::{UnknownPosition, position};

/// Why the specification of a position encoding is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Unknown encoding.
    #[error(transparent)]
    Name(#[from] UnknownPosition),
    /// A setting is not `key=value`.
    #[error("`{setting}` is not `key=value`, such as `step=1/16`")]
    Setting {
        /// The invalid part.
        setting: String,
    },
    /// The settings are not valid for the encoding.
    #[error("position setting `{settings}`: {reason}")]
    Value {
        /// The settings.
        settings: String,
        /// What is wrong.
        reason: String,
    },
}

/// A position encoding to train with, and its changes for evaluation.
///
/// Written `NAME[:KEY=VALUE]…[@KEY=VALUE[:KEY=VALUE]…]`, for example `expe`, `expe:step=1/8:start=0`,
/// `expe@query_cap=last` or `rope@scaling=yarn:factor=16`. The settings before the `@` apply to
/// training and evaluation, those after it to evaluation only, so that specifications that differ only after
/// the `@` share one trained model. `NAME-cap` is short for `NAME@query_cap=last`. The keys are those of
/// `[model.position]` in `config.toml`; `last` is the last trained position.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionSpec {
    /// The whole specification, as it was written.
    pub label: String,
    /// The part before the `@`, which determines the training.
    pub trained_label: String,
    /// The encoding for training.
    pub trained: PositionConfig,
    /// The encoding for evaluation.
    pub evaluated: PositionConfig,
}

impl PositionSpec {
    /// Parses `spec`. Parameters that it does not set get their defaults for a model of width `width` and
    /// training length `context`.
    ///
    /// ```
    /// use expe::config::PositionSpec;
    /// let plain = PositionSpec::parse("expe", 128, 64)?;
    /// let capped = PositionSpec::parse("expe@query_cap=last", 128, 64)?;
    /// assert_eq!(plain.trained, capped.trained);
    /// assert_ne!(plain.evaluated, capped.evaluated);
    /// # Ok::<(), expe::config::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError`] for an unknown encoding or invalid settings.
    pub fn parse(spec: &str, width: usize, context: usize) -> Result<Self, SpecError> {
        let (before, changes) = match spec.split_once('@') {
            Some((before, after)) => (before, Some(after)),
            None => (spec, None),
        };
        let (name, settings) = match before.split_once(':') {
            Some((name, settings)) => (name, Some(settings)),
            None => (before, None),
        };
        let (name, cap) = match name.strip_suffix("-cap") {
            Some(name) => (name, Some("query_cap=last")),
            None => (name, None),
        };
        let mut trained = position(name, width)?;
        let mut trained_label = name.to_owned();
        if let Some(settings) = settings {
            trained = change(trained, settings, context)?;
            trained_label = format!("{name}:{settings}");
        }
        let mut evaluated = trained;
        for changes in [cap, changes].into_iter().flatten() {
            evaluated = amend(evaluated, changes, context)?;
        }
        Ok(Self { label: spec.to_owned(), trained_label, trained, evaluated })
    }
}

/// Applies `settings` (`KEY=VALUE[:KEY=VALUE]…`) to the encoding of a trained model with the training length
/// `context`; see [`PositionSpec`].
///
/// # Errors
/// [`SpecError::Setting`] or [`SpecError::Value`] for invalid settings, and for a change that trained weights
/// do not allow, such as another number of overridden columns.
pub fn amend(
    config: PositionConfig,
    settings: &str,
    context: usize,
) -> Result<PositionConfig, SpecError> {
    let changed = change(config, settings, context)?;
    if changed.override_block() != config.override_block() {
        let reason = "the overridden columns are fixed once a model is trained".to_owned();
        return Err(SpecError::Value { settings: settings.to_owned(), reason });
    }
    Ok(changed)
}

fn change(
    config: PositionConfig,
    settings: &str,
    context: usize,
) -> Result<PositionConfig, SpecError> {
    let wrong = |reason: String| SpecError::Value { settings: settings.to_owned(), reason };
    let mut table = Table::try_from(config).map_err(|error| wrong(error.to_string()))?;
    for setting in settings.split(':') {
        let Some((key, text)) = setting.split_once('=') else {
            return Err(SpecError::Setting { setting: setting.to_owned() });
        };
        let value = value(text, context);
        match key {
            "name" => return Err(wrong("the name precedes the settings".to_owned())),
            "scaling" => {
                let mut scaling = Table::from_iter([("kind".to_owned(), value)]);
                if text == "yarn" {
                    scaling.insert("original".to_owned(), Value::Integer(context as i64));
                }
                table.insert(key.to_owned(), Value::Table(scaling));
            }
            "factor" | "original" => match table.get_mut("scaling") {
                Some(Value::Table(scaling))
                    if scaling.get("kind").and_then(Value::as_str) != Some("none") =>
                {
                    scaling.insert(key.to_owned(), value);
                }
                _ => return Err(wrong(format!("`{key}` belongs after `scaling=…`"))),
            },
            _ => {
                table.insert(key.to_owned(), value);
            }
        }
    }
    table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))
}

/// Parses `last`, an integer, a float or a fraction such as `1/16`; anything else is a string.
fn value(text: &str, context: usize) -> Value {
    let fraction = text.split_once('/').and_then(|(over, under)| {
        Some(over.parse::<f64>().ok()? / under.parse::<f64>().ok().filter(|under| *under != 0.0)?)
    });
    if text == "last" {
        Value::Integer(context.saturating_sub(1) as i64)
    } else if let Ok(integer) = text.parse() {
        Value::Integer(integer)
    } else if let Some(float) = text.parse().ok().or(fraction) {
        Value::Float(float)
    } else {
        Value::String(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use expe_core::position::{Beyond, Scaling};

    use super::*;

    fn expe(start: f32, step: f32, query_cap: Option<u32>) -> PositionConfig {
        PositionConfig::Expe { start, step, width: 8, query_cap, beyond: Beyond::Refuse }
    }

    fn parse(spec: &str) -> Result<PositionSpec, SpecError> {
        PositionSpec::parse(spec, 128, 64)
    }

    #[test]
    fn settings_before_and_after_the_at_sign() {
        let spec = parse("expe:start=0:step=1/8@query_cap=last").unwrap();
        assert_eq!(spec.trained, expe(0.0, 0.125, None));
        assert_eq!(spec.evaluated, expe(0.0, 0.125, Some(63)));
        assert_eq!(spec.trained_label, "expe:start=0:step=1/8");
        let capped = parse("expe-cap:start=0:step=1/8").unwrap();
        assert_eq!((capped.trained, capped.evaluated), (spec.trained, spec.evaluated));
        assert_eq!(capped.trained_label, spec.trained_label);
        let spec = parse("rope@scaling=yarn:factor=16").unwrap();
        let scaling = Scaling::Yarn { factor: 16.0, original: 64 };
        assert_eq!(spec.evaluated, PositionConfig::Rope { base: 10_000.0, scaling });
    }

    #[test]
    fn errors_name_the_invalid_part() {
        assert!(parse("expo").unwrap_err().to_string().contains("sinusoidal"));
        assert!(parse("expe:steep=1").unwrap_err().to_string().contains("steep"));
        assert!(parse("expe:step").unwrap_err().to_string().contains("key=value"));
        assert!(parse("expe:width=-1").is_err());
        assert!(parse("expe:step=1/0").is_err());
        assert!(parse("rope:factor=2").unwrap_err().to_string().contains("scaling"));
        assert!(parse("expe:").is_err());
        assert!(parse("expe:name=rope").is_err());
        assert!(parse("expe:width=4").is_ok());
        assert!(parse("expe@width=4").unwrap_err().to_string().contains("columns"));
    }
}
