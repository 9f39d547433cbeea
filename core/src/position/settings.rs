//! Deserialization of encodings without settings.

/// Deserializes a variant without settings; by itself serde would ignore any settings there.
pub fn no_settings<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    serde::Deserialize::deserialize(deserializer).map(|NoSettings {}| ())
}
