//! Reading of encodings without settings from configuration files.

/// Read a variant without settings; serde by itself would let any pass there.
pub fn no_settings<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    serde::Deserialize::deserialize(deserializer).map(|NoSettings {}| ())
}
