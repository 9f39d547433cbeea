use toml::{Table, Value};

/// The first key of `given`, with the tables it lies in, that `known` does not have.
///
/// serde's `deny_unknown_fields` passes over what stands beside the tag of a variant without fields
/// (`name = "alibi"`, `kind = "none"`). What was read is therefore written again: a key that
/// does not come back was not understood.
///
/// ```
/// use expe_runtime::config::unknown_key;
/// let given = toml::from_str("a = 1\n[b]\nc = 2\nd = 3")?;
/// let known = toml::from_str("a = 1\n[b]\nc = 2")?;
/// assert_eq!(unknown_key(&given, &known), Some("b.d".to_string()));
/// # Ok::<(), toml::de::Error>(())
/// ```
pub fn unknown_key(given: &Table, known: &Table) -> Option<String> {
    given.iter().find_map(|(key, value)| match (value, known.get(key)) {
        (_, None) => Some(key.clone()),
        (Value::Table(given), Some(Value::Table(known))) => {
            unknown_key(given, known).map(|inner| format!("{key}.{inner}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{RunConfig, preset};

    #[test]
    fn keys_beside_an_encoding_without_parameters_are_unknown() {
        let text = preset("context-64").unwrap().to_toml().unwrap();
        let (head, _) = text.split_once("[model.position]").unwrap();
        let read = |position: &str| {
            RunConfig::from_toml(&format!("{head}[model.position]\n{position}"))
                .map_err(|error| error.to_string())
        };
        for (position, key) in [
            ("name = \"alibi\"\nslope = 2.0", "model.position.slope"),
            ("name = \"none\"\nwidth = 8", "model.position.width"),
            ("name = \"learned\"\nrows = 8", "model.position.rows"),
            (
                "name = \"rope\"\nbase = 10000.0\nscaling = { kind = \"none\", factor = 2.0 }",
                "model.position.scaling.factor",
            ),
        ] {
            assert_eq!(read(position).unwrap_err(), format!("unknown key `{key}`"));
        }
        assert!(read("name = \"alibi\"").is_ok());
        assert!(read("name = \"rope\"\nbase = 10000.0").is_ok());
        let query_cap = "name = \"expe\"\nstart = 0.0\nstep = 1.0\nwidth = 8\nquery_cap = 3";
        assert!(read(query_cap).is_ok());
    }
}
