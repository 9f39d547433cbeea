//! `config.toml`: round trips and errors.

use expe::config::{PRESETS, RunConfig, position, preset};
use expe_core::internals::SUPPORTED;

#[test]
fn presets_are_valid_and_survive_a_round_trip_with_every_position() {
    for (name, _) in PRESETS {
        let mut config = preset(name).unwrap();
        for position_name in SUPPORTED {
            let model = &mut config.model;
            model.position = position(position_name, model.width).unwrap();
            let text = config.to_toml().unwrap();
            assert_eq!(RunConfig::from_toml(&text).unwrap(), config, "{name} {position_name}");
        }
    }
    let error = preset("huge").unwrap_err().to_string();
    assert_eq!(error, "unknown preset `huge`; known are context-64, demo, quick, stories");
    assert!(position("cosine", 64).unwrap_err().to_string().contains("`cosine`"));
}

#[test]
fn presets_use_the_default_position_encoding() {
    for (name, _) in PRESETS {
        let model = preset(name).unwrap().model;
        assert_eq!(model.position, position("expe", model.width).unwrap());
    }
}

/// Returns the text of a valid configuration with one line replaced.
fn replaced(from: &str, to: &str) -> String {
    let text = preset("context-64").unwrap().to_toml().unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed, "{from} is not in\n{text}");
    changed
}

#[test]
fn errors_name_the_invalid_value() {
    for (from, to, message) in [
        ("seed = 0", "seed = 0\nsed = 1", "unknown field `sed`"),
        ("steps = 800", "", "missing field `steps`"),
        ("steps = 800", "steps = 0", "`steps` is 0"),
        ("steps = 800", "steps = 10", "`warmup` is 40, but there are only 10 steps"),
        ("batch = 16", "batch = -1", "invalid value"),
        ("learning_rate = 0.002", "learning_rate = nan", "`learning_rate` is NaN"),
        ("learning_rate = 0.002", "learning_rate = 0.0001", "is above `learning_rate`"),
        ("beta2 = 0.99", "beta2 = 1.0", "`beta2` is 1; it must lie in [0, 1)"),
        ("clip = 1.0", "clip = -1.0", "`clip` is -1"),
        ("dropout = 0.0", "dropout = 1.0", "`dropout` is 1"),
        ("heads = 4", "heads = 3", "4 key-value heads do not divide 3 query heads"),
        ("vocab = 512", "vocab = 200", "`vocab` is 200; a bpe tokenizer needs at least 256"),
        ("tokenizer = \"bpe\"", "tokenizer = \"byte\"", "a byte tokenizer needs exactly 256"),
        ("tokenizer = \"bpe\"", "tokenizer = \"words\"", "unknown variant `words`"),
        ("name = \"expe\"", "name = \"expo\"", "unknown variant `expo`"),
        ("step = 0.0625", "step = 0.0", "[model.position]"),
        ("step = 0.0625", "step = 0.0625\nscale = 2", "unknown field `scale`"),
        ("width = 8", "width = 800", "overrides 800 of 128 columns"),
    ] {
        let error = RunConfig::from_toml(&replaced(from, to)).unwrap_err().to_string();
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn encodings_must_support_the_training_length() {
    // With so small a step, the positions are not distinct.
    let text = replaced("step = 0.0625", "step = 1e-9");
    assert!(RunConfig::from_toml(&text).is_err());
}
