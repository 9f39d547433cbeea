//! The program from the command line: train, evaluate, export, generate, compare engines, inspect.

use std::fs;
use std::path::Path;

use expe_tests::{Done, expe, expe_with, tiny_config};
use serde_json::Value;
use tempfile::TempDir;

const DATA: &str = "stories:3:60k";

/// Returns a folder with a trained run `run` and its exported files `f32.expe` and `f16.expe`.
fn trained(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), config).unwrap();
    expe(folder.path(), &format!("train --config tiny.toml --data {DATA} --out run")).succeeded();
    for numbers in ["f32", "f16"] {
        let export = format!("export --model run --numbers {numbers} --out {numbers}.expe");
        let done = expe(folder.path(), &export).succeeded();
        assert!(done.stdout.contains(&format!("{numbers}.expe")), "{}", done.stdout);
    }
    folder
}

fn json(done: Done) -> Value {
    serde_json::from_str(&done.succeeded().stdout).unwrap()
}

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Returns the logits that `expe logits` prints: `[position][vocabulary]`.
fn logits(folder: &Path, model: &str, tokens: &str, engine: &str) -> Vec<Vec<f64>> {
    let arguments = format!("logits --model {model} --tokens {tokens} --json -");
    let report = json(expe(folder, &arguments));
    assert_eq!(names(&report), ["engine", "logits", "tokens"]);
    assert_eq!(report["engine"], engine);
    serde_json::from_value(report["logits"].clone()).unwrap()
}

/// Returns the largest `max|a − b| / max|b|` over all positions.
fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    let rows = a.iter().zip(b).map(|(a, b)| {
        assert_eq!(a.len(), b.len());
        let largest = b.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        a.iter().zip(b).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / largest
    });
    rows.fold(0.0, f64::max)
}

/// Returns 128 tokens, 16 times the context of 8, in the format of `--tokens`.
fn long_text() -> String {
    let tokens: Vec<String> = (0..128).map(|n| (97 + n * n % 26).to_string()).collect();
    tokens.join(",")
}

#[test]
fn a_trained_model_and_its_exported_file_agree() {
    let folder = trained(&tiny_config(60, 20));
    let path = folder.path();
    for name in ["config.toml", "model.safetensors", "tokenizer.json", "trainer.safetensors"] {
        assert!(path.join("run").join(name).is_file(), "{name}");
    }
    let metrics = fs::read_to_string(path.join("run/metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 61, "{metrics}");

    // A run folder is computed with dfdx, a file with the core engine. The documented tolerance is 1e-4; the
    // error of f32 in a model of this size is a hundred times smaller (see golden_decoder.rs).
    let text = long_text();
    let dfdx = logits(path, "run", &text, "dfdx");
    assert_eq!((dfdx.len(), dfdx[0].len()), (128, 256));
    let core = logits(path, "f32.expe", &text, "core");
    assert!(distance(&core, &dfdx) < 1e-5, "{}", distance(&core, &dfdx));
    // An f16 weight has a relative error of 2^-12 on average; over a dozen products, about 1e-3.
    let half = logits(path, "f16.expe", &text, "core");
    let change = distance(&half, &dfdx);
    assert!(change > 1e-6 && change < 1e-2, "{change}");

    // Greedy generation takes the argmax of the logits.
    let generate = "generate --prompt Once --tokens 20 --temperature 0 --model";
    let ids = expe(path, &format!("{generate} f32.expe --ids")).succeeded().stdout;
    assert_eq!(expe(path, &format!("{generate} run --ids")).succeeded().stdout, ids);
    let mut tokens: Vec<String> = b"Once".iter().map(u8::to_string).collect();
    for id in ids.lines() {
        let rows = logits(path, "f32.expe", &tokens.join(","), "core");
        let last = rows.last().unwrap();
        let best = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        assert_eq!(best.unwrap().0.to_string(), id);
        tokens.push(id.to_owned());
    }
    assert_eq!(tokens.len(), 24);
    let told = expe(path, &format!("{generate} f32.expe")).succeeded().stdout;
    assert!(told.starts_with("Once") && told.len() > 20, "{told}");
    // The same seed samples the same text, another seed another text.
    let sample = |seed| {
        let arguments =
            format!("generate --model f32.expe --prompt Once --tokens 40 --seed {seed} --ids");
        expe(path, &arguments).succeeded().stdout
    };
    assert_eq!(sample(1), sample(1));
    assert_ne!(sample(1), sample(2));
}

#[test]
fn evaluation_is_written_as_json_and_as_a_table() {
    let folder = trained(&tiny_config(60, 20));
    let path = folder.path();
    let rows = |model: &str| {
        let arguments = format!("eval --model {model} --data {DATA} --lengths 1,2,16 --json -");
        let report = json(expe(path, &arguments));
        assert_eq!(names(&report), ["rows"]);
        report["rows"].as_array().unwrap().clone()
    };
    let (dfdx, core) = (rows("run"), rows("f32.expe"));
    for (rows, seed) in [(&dfdx, 7), (&core, 0)] {
        assert_eq!(rows.len(), 3);
        for (row, factor) in rows.iter().zip([1, 2, 16]) {
            let expected =
                ["factor", "length", "perplexity", "perplexity_last", "position", "seed", "tokens"];
            assert_eq!(names(row), expected);
            assert_eq!((&row["position"], &row["seed"]), (&"expe".into(), &seed.into()));
            assert_eq!(row["length"], 8 * factor);
            assert_eq!(row["factor"].as_f64(), Some(f64::from(factor)));
            let perplexity = row["perplexity"].as_f64().unwrap();
            // An untrained model has a perplexity of 256; sixty steps learn the letter frequencies.
            assert!(perplexity > 1.0 && perplexity < 100.0, "{row}");
        }
    }
    // The two engines differ only by rounding on the same text.
    for (a, b) in dfdx.iter().zip(&core) {
        assert_eq!(a["tokens"], b["tokens"]);
        for figure in ["perplexity", "perplexity_last"] {
            let (a, b) = (a[figure].as_f64().unwrap(), b[figure].as_f64().unwrap());
            assert!((a / b - 1.0).abs() < 1e-5, "{figure}: {a} {b}");
        }
    }
    // With `--json FILE`, the table is also printed.
    let arguments = format!("eval --model run --data {DATA} --lengths 1,2,16 --json rows.json");
    let table = expe(path, &arguments).succeeded().stdout;
    assert!(table.contains("expe") && table.contains("16×"), "{table}");
    let kept: Value = serde_json::from_slice(&fs::read(path.join("rows.json")).unwrap()).unwrap();
    assert_eq!(kept["rows"], Value::Array(dfdx));
}

#[test]
fn inspect_reports_size_and_memory() {
    let folder = trained(&tiny_config(5, 5));
    let path = folder.path();
    let report = json(expe(path, "inspect f32.expe --context 8,100 --json -"));
    assert_eq!(
        names(&report),
        ["arithmetic", "config", "file_bytes", "memory", "parameters", "positions", "tensors"]
    );
    assert_eq!(report["file_bytes"], fs::metadata(path.join("f32.expe")).unwrap().len());
    assert_eq!(report["config"]["width"], 16);
    assert_eq!(report["config"]["position"]["name"], "expe");
    // Embedding; q and k, with 2 columns folded into one; v, o, MLP, three norms.
    let attention = 16 * 14 + 16 + 8 * 14 + 8 + 8 * 16 + 16 * 16;
    assert_eq!(report["parameters"], 256 * 16 + attention + 2 * 16 * 32 + 3 * 16);
    let memory = report["memory"].as_array().unwrap();
    // Two contexts in three formats each: keys and values of one layer with one head of width 8 (in 8 bits,
    // with scales of 2 bytes), and the position word.
    assert_eq!(memory.len(), 6);
    assert_eq!(memory[3]["cache"], 100 * (2 * 8 + 1) * 4);
    assert_eq!(memory[5]["cache"], 100 * (2 * (8 + 2) + 4));
    let text = expe(path, "inspect f32.expe").succeeded().stdout;
    assert!(text.contains("layers.0.attn.wq.weight") && text.contains("128 tokens"), "{text}");
    let smaller = fs::metadata(path.join("f16.expe")).unwrap().len();
    assert!(smaller < report["file_bytes"].as_u64().unwrap() * 6 / 10);
}

#[test]
fn the_exported_file_contains_the_bpe_tokenizer() {
    let config = tiny_config(10, 10).replace("\"byte\"", "\"bpe\"").replace("256\nw", "300\nw");
    let folder = trained(&config);
    let path = folder.path();
    let config = fs::read_to_string(path.join("run/config.toml")).unwrap();
    assert!(config.contains("vocab = 300"), "{config}");
    let generate = "generate --prompt Once --tokens 12 --seed 5 --model";
    let told = expe(path, &format!("{generate} run")).succeeded().stdout;
    assert_eq!(expe(path, &format!("{generate} f32.expe")).succeeded().stdout, told);
    assert!(told.starts_with("Once"), "{told}");
    fs::remove_file(path.join("run/tokenizer.json")).unwrap();
    expe(path, &format!("{generate} run")).failed(1, &["tokenizer.json"]);
}

#[test]
fn every_encoding_agrees_in_both_engines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("tiny.toml"), tiny_config(5, 5)).unwrap();
    let text = long_text();
    let short: Vec<&str> = text.split(',').take(8).collect();
    for name in ["none", "learned", "sinusoidal", "rope", "alibi", "expe", "exqpe"] {
        let train =
            format!("train --config tiny.toml --position {name} --data stories:1:20k --out {name}");
        expe(path, &train).succeeded();
        expe(path, &format!("export --model {name} --numbers f32 --out {name}.expe")).succeeded();
        let text = if name == "learned" { short.join(",") } else { text.clone() };
        let dfdx = logits(path, name, &text, "dfdx");
        let core = logits(path, &format!("{name}.expe"), &text, "core");
        let distance = distance(&core, &dfdx);
        assert!(distance < 1e-5, "{name}: {distance}");
    }
    // In both engines, a learned table ends with the context.
    for model in ["learned", "learned.expe"] {
        let arguments = format!("logits --model {model} --tokens {text}");
        expe(path, &arguments).failed(1, &["position", "8"]);
    }
}

#[test]
fn a_comparison_reuses_finished_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("tiny.toml"), tiny_config(8, 4)).unwrap();
    let compare = |positions: &str| {
        let arguments = format!(
            "compare --config tiny.toml --positions {positions} --seeds 2 --data {DATA} \
             --lengths 1,4 --out grid --json -"
        );
        json(expe(path, &arguments))["rows"].as_array().unwrap().clone()
    };
    let first = compare("rope,expe");
    assert_eq!(first.len(), 2 * 2 * 2);
    let model = fs::metadata(path.join("grid/perplexity.svg")).unwrap();
    assert!(model.len() > 500);
    // A second run trains nothing and returns the same rows; further encodings only add rows.
    assert_eq!(compare("rope,expe"), first);
    let more = compare("rope,expe,alibi");
    assert_eq!(more.len(), 3 * 2 * 2);
    assert!(first.iter().all(|row| more.contains(row)));
}

#[test]
fn devices_are_listed_with_the_reason_that_one_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let list = json(expe(folder.path(), "devices --json -"));
    let devices = list["devices"].as_array().unwrap();
    assert_eq!(devices[0]["device"], "cpu");
    assert_eq!(devices[0]["usable"], true);
    assert!(devices[0]["cores"].as_u64().unwrap() > 0);
    assert_eq!(devices[1]["device"], "cuda");
    assert_eq!(devices[1]["usable"], false);
    let reason = devices[1]["reason"].as_str().unwrap();
    assert!(reason.contains("built without CUDA"), "{reason}");
    let printed = expe(folder.path(), "devices").succeeded().stdout;
    assert!(printed.starts_with("cpu ") && printed.contains(reason), "{printed}");
}

#[test]
fn help_and_version_are_results() {
    let folder = tempfile::tempdir().unwrap();
    let help = expe(folder.path(), "--help").succeeded().stdout;
    for command in
        ["demo", "train", "eval", "compare", "export", "generate", "logits", "inspect", "bench"]
    {
        assert!(help.contains(command), "{command} is not in {help}");
        let help = expe_with(folder.path(), &[command, "--help"]).succeeded();
        assert!(help.stdout.contains("Usage"), "{}", help.stdout);
    }
    let version = expe(folder.path(), "--version").succeeded().stdout;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn a_refused_comparison_leaves_finished_models_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let compare = |data: &str| {
        let command = format!(
            "compare --config bpe.toml --positions expe --data {data} --lengths 1 --out grid"
        );
        expe(path, &command)
    };
    // With byte-pair encoding, the tokenizer depends on the text.
    let config = tiny_config(5, 5).replace("\"byte\"", "\"bpe\"").replace("256", "300");
    fs::write(path.join("bpe.toml"), config).unwrap();
    compare("stories:1:40k").succeeded();
    let run = path.join("grid/runs/expe-seed0");
    let kept =
        || ["tokenizer.json", "model.safetensors"].map(|name| fs::read(run.join(name)).unwrap());
    let before = kept();
    compare("stories:2:60k").failed(1, &["other text"]);
    assert!(kept() == before);
}
