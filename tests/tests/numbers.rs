//! Every numeric format through the whole program: export, inspect, evaluate at several lengths, generate
//! endless text.

use std::fs;
use std::path::Path;

use expe_tests::{expe, tiny_config};
use serde_json::Value;

const DATA: &str = "stories:3:60k";
const SCHEMES: [&str; 7] = ["f32", "f16", "bf16", "int8", "int4", "integer", "integer4"];

fn json(folder: &Path, arguments: &str) -> Value {
    serde_json::from_str(&expe(folder, arguments).succeeded().stdout).unwrap()
}

/// Returns the perplexities at 1×, 2× and 16× the training length.
fn perplexities(folder: &Path, file: &str, more: &str) -> Vec<f64> {
    let arguments = format!("eval --model {file} --data {DATA} --lengths 1,2,16 {more} --json -");
    let report = json(folder, &arguments);
    let rows = report["rows"].as_array().unwrap();
    rows.iter().map(|row| row["perplexity"].as_f64().unwrap()).collect()
}

/// Exports one model in all formats and checks sizes, errors, perplexities, memory and text. The bounds on
/// perplexity are the design targets of the formats; at width 16, as here, rounding costs most.
#[test]
fn one_model_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("tiny.toml"), tiny_config(120, 40)).unwrap();
    expe(path, &format!("train --config tiny.toml --data {DATA} --out run")).succeeded();
    let mut sizes = Vec::new();
    for scheme in SCHEMES {
        let export = format!(
            "export --model run --numbers {scheme} --out {scheme}.expe --data {DATA} --lengths 1,16 \
             --calibration-tokens 2048 --report"
        );
        let told = expe(path, &export).succeeded().stdout;
        assert!(told.contains("16×"), "{told}");
        let integers = scheme.starts_with("int");
        assert_eq!(told.contains("layers.0.attn.wq.weight"), integers, "{told}");
        sizes.push(fs::metadata(path.join(format!("{scheme}.expe"))).unwrap().len());
    }
    let [f32_size, f16, bf16, int8, int4, integer, integer4] = sizes[..] else { panic!() };
    assert!(f16 < f32_size * 3 / 5 && f16 == bf16, "{sizes:?}");
    assert!(int8 < f16 * 3 / 4 && int4 < int8, "{sizes:?}");
    assert_eq!((int8, int4), (integer, integer4));

    let exact = perplexities(path, "f32.expe", "");
    for (scheme, allowed) in [
        ("f16", 0.001),
        ("bf16", 0.001),
        ("int8", 0.01),
        ("int4", 0.05),
        ("integer", 0.02),
        ("integer4", 0.05),
    ] {
        let found = perplexities(path, &format!("{scheme}.expe"), "");
        for (found, exact) in found.iter().zip(&exact) {
            assert!((found / exact - 1.0).abs() < allowed, "{scheme}: {found} {exact}");
        }
        assert_ne!(found, exact, "{scheme}");
    }
    // A cached value has a relative error of 2^-11 in f16, and an error of 1/254 of its head's largest value
    // in i8: less than the errors of int8 weights and inputs.
    for cache in ["f16", "i8"] {
        let found = perplexities(path, "f32.expe", &format!("--cache {cache}"));
        for (found, exact) in found.iter().zip(&exact) {
            assert!((found / exact - 1.0).abs() < 0.01, "{cache}: {found} {exact}");
        }
    }
    expe(path, &format!("eval --model integer.expe --data {DATA} --cache f32"))
        .failed(1, &["--cache i8"]);

    memory(path);
    endless(path);

    // Without text, the model generates its own calibration text.
    expe(path, "export --model run --numbers integer --out alone.expe --calibration-tokens 512")
        .succeeded();
    let alone = perplexities(path, "alone.expe", "");
    assert!((alone[0] / exact[0] - 1.0).abs() < 0.02, "{alone:?}");
    expe(path, "export --model integer.expe --numbers f16 --out twice.expe")
        .failed(1, &["integer.expe", "run folder"]);
    expe(path, "inspect run").failed(1, &["run", "expe export"]);
    // Export does not overwrite training results, and refuses positions that cannot be computed.
    let weights = fs::read(path.join("run/model.safetensors")).unwrap();
    expe(path, "export --model run --numbers f16 --out run/model.safetensors")
        .failed(1, &["model.safetensors", "--out"]);
    assert!(fs::read(path.join("run/model.safetensors")).unwrap() == weights);
    expe(path, "export --model run --numbers f16 --position-set step=0 --out none.expe")
        .failed(1, &["step"]);
    expe(path, "export --model run --numbers int8 --calibration-tokens 0 --out none.expe")
        .failed(2, &["--calibration-tokens"]);
    // Missing text is an error before anything is written.
    expe(path, "export --model run --numbers int8 --out none.expe --data missing.txt")
        .failed(1, &["missing.txt"]);
    assert!(!path.join("none.expe").exists());
}

/// Checks that `inspect` reports the memory of every cache format that the file's arithmetic supports.
fn memory(path: &Path) {
    let report = json(path, "inspect int8.expe --context 100 --json -");
    assert_eq!(report["arithmetic"], "floating point");
    let rows = report["memory"].as_array().unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row["cache_numbers"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["f32", "f16", "i8"]);
    let bytes: Vec<_> = rows.iter().map(|row| row["cache"].as_u64().unwrap()).collect();
    assert!(bytes[1] < bytes[0] && bytes[2] < bytes[1], "{bytes:?}");
    let report = json(path, "inspect integer.expe --context 100 --json -");
    assert_eq!(report["arithmetic"], "integers");
    assert_eq!(report["memory"].as_array().unwrap().len(), 1);
}

/// Checks that text continues far beyond a window of fixed size, and repeats exactly.
fn endless(path: &Path) {
    let generate = |more: &str| {
        let arguments =
            format!("generate --model integer.expe --prompt Once --tokens 500 --ids {more}");
        expe(path, &arguments).succeeded().stdout
    };
    let first = generate("--window 16 --sinks 2");
    assert_eq!(first.lines().count(), 500);
    assert_eq!(generate("--window 16 --sinks 2"), first);
    assert_ne!(generate(""), first);
    // Within the window, the ring changes nothing.
    let short = |more: &str| {
        let arguments =
            format!("generate --model integer.expe --prompt Once --tokens 12 --ids {more}");
        expe(path, &arguments).succeeded().stdout
    };
    assert_eq!(short("--window 16 --sinks 2"), short(""));
    expe(path, "generate --model integer.expe --prompt Once --sinks 2").failed(2, &["--window"]);
    expe(path, "generate --model integer.expe --prompt Once --window 4 --sinks 4")
        .failed(1, &["--sinks 4", "--window 4"]);
    expe(path, "generate --model integer.expe --prompt Once --window 0").failed(2, &["--window"]);
}
