//! Damaged and malicious files: the library returns a typed error or a valid result, and never panics or
//! allocates an absurd amount of memory. For `.expe` files see `core/tests/hostile.rs`.

use std::fs;
use std::path::Path;

use expe::config::{RunConfig, preset};
use expe::data::Tokenizer;
use expe::device::Cpu;
use expe::model::{ModelError, Stored, read_tensors, write_tensors};
use expe::train::{CONFIG_FILE, MODEL_FILE, TrainError, load_model};
use expe_core::internals::Random;
use expe_tests::golden;

fn kept(name: &str) -> Vec<u8> {
    fs::read(golden::folder().join("runs/expe").join(name)).unwrap()
}

/// Returns `count` copies of `bytes`, each with one to three bytes replaced.
fn changed(bytes: &[u8], count: usize, seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(seed);
    (0..count).map(move |_| {
        let mut bytes = bytes.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len() as u32) as usize;
            bytes[place] = random.below(256) as u8;
        }
        bytes
    })
}

/// Loads a run folder that contains these two files.
fn load(config: &[u8], model: &[u8]) -> Result<(), TrainError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(CONFIG_FILE), config).unwrap();
    fs::write(folder.path().join(MODEL_FILE), model).unwrap();
    load_model(folder.path(), &Cpu::default()).map(drop)
}

#[test]
fn every_truncation_of_model_safetensors_is_an_error() {
    let (config, model) = (kept(CONFIG_FILE), kept(MODEL_FILE));
    load(&config, &model).unwrap();
    let header = u64::from_le_bytes(model[..8].try_into().unwrap()) as usize + 8;
    // Every length within the header, then a sample within the tensors, which are all alike.
    for len in (0..header + 64).chain((header..model.len()).step_by(997)) {
        assert!(read_tensors(&model[..len]).is_err(), "{len} bytes");
    }
    assert!(load(&config, &model[..model.len() - 1]).is_err());
    assert!(load(&config, &[&model[..], &[0]].concat()).is_err());
}

#[test]
fn random_changes_of_model_safetensors_are_an_error_or_a_model() {
    let (config, model) = (kept(CONFIG_FILE), kept(MODEL_FILE));
    let config = RunConfig::from_toml(std::str::from_utf8(&config).unwrap()).unwrap().model;
    let header = u64::from_le_bytes(model[..8].try_into().unwrap()) as usize + 8;
    let mut errors = 0;
    for bytes in changed(&model[..header], 3_000, 1) {
        let bytes = [&bytes, &model[header..]].concat();
        let loaded = expe::model::from_safetensors(&config, &Cpu::default(), &bytes);
        errors += usize::from(loaded.is_err());
    }
    // A change to a name, a shape, an offset or the JSON syntax is always an error. A change to the padding,
    // or of a byte to itself, is not.
    assert!(errors > 2_900, "only {errors} of 3000 changes were found");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let (config, model) = (kept(CONFIG_FILE), kept(MODEL_FILE));
    let tensors = read_tensors(&model).unwrap();
    let error = |change: &dyn Fn(&mut expe::model::Tensors)| {
        let mut tensors = tensors.clone();
        change(&mut tensors);
        load(&config, &write_tensors(&tensors, None).unwrap()).unwrap_err().to_string()
    };
    let missing = error(&|tensors| drop(tensors.remove("layers.1.attn.wk.weight")));
    assert!(missing.contains("layers.1.attn.wk.weight"), "{missing}");
    let other = error(&|tensors| {
        let stored = Stored { shape: vec![2], values: vec![0.0; 2] };
        tensors.insert("layers.9.attn.wk.weight".into(), stored);
    });
    assert!(other.contains("layers.9.attn.wk.weight"), "{other}");
    let turned =
        error(&|tensors| tensors.get_mut("layers.0.mlp.w1.weight").unwrap().shape.reverse());
    assert!(turned.contains("[20, 16]") && turned.contains("[16, 20]"), "{turned}");
    let mut broken = tensors.clone();
    broken.get_mut("final_norm.weight").unwrap().values[3] = f32::NAN;
    let broken = load(&config, &write_tensors(&broken, None).unwrap()).unwrap_err().to_string();
    assert!(broken.contains("final_norm.weight") && broken.contains("NaN"), "{broken}");
}

#[test]
fn absurd_safetensors_headers_are_errors() {
    let file = |header: &str, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let tensor = |shape: &str, from: &str, to: &str| {
        let entry = format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#);
        format!(r#"{{"embed.weight":{entry}}}"#)
    };
    let huge = "18446744073709551615";
    let headers = [
        tensor("[4611686018427387904,4]", "0", "0"),
        tensor("[18446744073709551615]", "0", "16"),
        tensor("[4]", "0", huge),
        tensor("[4]", huge, huge),
        tensor("[4]", "16", "0"),
        tensor("[-4]", "0", "16"),
        tensor("[1e99]", "0", "16"),
        "{".repeat(100_000),
        "[".repeat(100_000),
        "{}".to_string(),
        "null".to_string(),
        String::new(),
    ];
    for header in headers {
        let bytes = file(&header, 16);
        let start: String = header.chars().take(80).collect();
        assert!(load(&kept(CONFIG_FILE), &bytes).is_err(), "{start}");
    }
    for length in [u64::MAX, u64::MAX - 7, 1 << 62, 1 << 40, 100_000_001] {
        let mut bytes = file("{}", 16);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert!(load(&kept(CONFIG_FILE), &bytes).is_err(), "{length}");
    }
}

/// The loader compares a configuration with the tensors in the file before it allocates memory for the model.
#[test]
fn a_configuration_of_another_size_is_an_error_before_memory_is_allocated() {
    let (config, model) = (kept(CONFIG_FILE), kept(MODEL_FILE));
    let config = String::from_utf8(config).unwrap();
    let sizes = [
        ("layers = 2", "layers = 16777216"),
        ("layers = 2", "layers = 3"),
        ("layers = 2", "layers = 1"),
        ("width = 16", "width = 16777216"),
        ("hidden = 20", "hidden = 16777216"),
        ("heads = 4", "heads = 2097152"),
        ("head_width = 6", "head_width = 4194304"),
    ];
    for (old, new) in sizes {
        let other = config.replacen(old, new, 1);
        assert_ne!(other, config, "{old}");
        let error = load(other.as_bytes(), &model).unwrap_err();
        let expected = matches!(
            error,
            TrainError::File { source: ModelError::Missing { .. }, .. }
                | TrainError::File { source: ModelError::Shape { .. }, .. }
                | TrainError::File { source: ModelError::Unexpected { .. }, .. }
        );
        assert!(expected, "{new}: {error}");
    }
}

#[test]
fn damaged_configurations_are_errors_or_valid() {
    let text = preset("context-64").unwrap().to_toml().unwrap();
    for len in 0..text.len() {
        if let Ok(config) = RunConfig::from_toml(&text[..len]) {
            // The truncation removed only fields that have defaults.
            config.check().unwrap();
        }
    }
    for bytes in changed(text.as_bytes(), 10_000, 2) {
        if let Ok(config) = RunConfig::from_toml(&String::from_utf8_lossy(&bytes)) {
            config.check().unwrap();
        }
    }
}

#[test]
fn configuration_errors_name_the_field_or_value() {
    let text = preset("context-64").unwrap().to_toml().unwrap();
    let wrong = [
        ("[model]", "[model]\ncolor = 3", "color"),
        ("vocab = 512", "vocab = -1", "vocab"),
        ("vocab = 512", "vocab = 9223372036854775807", "vocab"),
        ("layers = 4", "layers = 0", "layers"),
        ("heads = 4", "heads = 3", "heads"),
        ("head_width = 32", "head_width = 16777216", "heads * head_width"),
        ("width = 128", "width = 99999999999999999999", "99999999999999999999"),
        ("epsilon = 0.00001\n", "epsilon = nan\n", "epsilon"),
        ("learning_rate = 0.002", "learning_rate = inf", "learning_rate"),
        ("learning_rate = 0.002", "learning_rate = -1", "learning_rate"),
        ("batch = 16", "batch = 0", "batch"),
        ("steps = 800", "steps = \"many\"", "steps"),
        ("step = 0.0625", "step = 0.0", "step"),
        ("start = 16.0", "start = nan", "start"),
        ("name = \"expe\"", "name = \"expo\"", "expo"),
        ("width = 8", "width = 129", "129"),
        ("tokenizer = \"bpe\"", "tokenizer = \"words\"", "words"),
        ("[train]", "[train", "["),
    ];
    for (old, new, says) in wrong {
        let other = text.replacen(old, new, 1);
        assert_ne!(other, text, "{old} is not in\n{text}");
        let error = RunConfig::from_toml(&other).unwrap_err().to_string();
        assert!(error.contains(says), "{new}: {error}");
    }
    // Settings that an encoding does not have.
    let rest = text.split_once("name = \"expe\"").unwrap().0;
    for (position, says) in [
        ("name = \"none\"\ncolor = 1", "color"),
        ("name = \"alibi\"\nslope = 1.0", "slope"),
        ("name = \"learned\"\nstart = 1.0", "start"),
        ("name = \"sinusoidal\"\nbase = 100.0\nstart = 1.0", "start"),
        ("name = \"rope\"\nbase = 100.0\nscaling = { kind = \"none\", factor = 2.0 }", "factor"),
        ("name = \"rope\"\nbase = 100.0\nscaling = { kind = \"ntk\", original = 2 }", "original"),
        ("name = \"rope\"\nbase = 100.0\nscaling = { kind = \"ntk\", factor = 0.5 }", "at least 1"),
        ("name = \"rope\"\nbase = 1.0", "above 1"),
    ] {
        let error = RunConfig::from_toml(&format!("{rest}{position}\n")).unwrap_err().to_string();
        assert!(error.contains(says), "{position}: {error}");
    }
    for position in ["name = \"none\"", "name = \"alibi\"", "name = \"rope\"\nbase = 100.0"] {
        RunConfig::from_toml(&format!("{rest}{position}\n")).unwrap();
    }
}

fn load_tokenizer(folder: &Path, bytes: &[u8]) -> bool {
    let path = folder.join("tokenizer.json");
    fs::write(&path, bytes).unwrap();
    match Tokenizer::load(&path) {
        // An accepted tokenizer must work.
        Ok(tokenizer) => {
            let text = "the cat sat on the mat. Ünïcödé\n";
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("tokenizer.json"), "{error}");
            false
        }
    }
}

#[test]
fn damaged_tokenizers_are_errors_or_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let text = "the cat sat on the mat and the rat sat on the cat";
    Tokenizer::train_bpe(&[text; 4], 270).unwrap().save(&path).unwrap();
    let json = fs::read(&path).unwrap();
    assert!(load_tokenizer(folder.path(), &json));
    for len in (0..json.len() - 2).step_by(7) {
        assert!(!load_tokenizer(folder.path(), &json[..len]), "{len} bytes");
    }
    changed(&json, 1_000, 3).for_each(|bytes| {
        load_tokenizer(folder.path(), &bytes);
    });
    for text in ["", "{}", "null", "[]", "{\"model\":{}}", "\u{feff}{}"] {
        assert!(!load_tokenizer(folder.path(), text.as_bytes()), "{text}");
    }
    assert!(!load_tokenizer(folder.path(), "[".repeat(200_000).as_bytes()));
}
