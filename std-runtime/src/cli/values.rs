//! Parsers for arguments of library types, with names and descriptions for the help.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use expe::config::Precision;
use expe::engine::CacheType;
use expe::export::Scheme;

/// Parses a scheme such as `int8`.
pub fn scheme() -> impl TypedValueParser<Value = Scheme> {
    let value = |scheme: Scheme| PossibleValue::new(scheme.name()).help(scheme.description());
    PossibleValuesParser::new(Scheme::ALL.map(value)).try_map(|name| name.parse())
}

/// Parses a type of the key-value cache, such as `f16`.
pub fn cache_type() -> impl TypedValueParser<Value = CacheType> {
    let value = |cache: CacheType| PossibleValue::new(cache.name()).help(cache.description());
    PossibleValuesParser::new(CacheType::ALL.map(value)).try_map(|name| name.parse())
}

/// Parses a precision: `f32` or `mixed`.
///
/// # Errors
/// Returns a message with the known names.
pub fn precision(name: &str) -> Result<Precision, String> {
    let found = Precision::ALL.into_iter().find(|precision| precision.name() == name);
    found.ok_or_else(|| format!("known are {}", Precision::ALL.map(Precision::name).join(" and ")))
}
