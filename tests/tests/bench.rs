//! `expe bench`: the structure of its output and the arguments that it refuses. No test checks a time, because
//! machines differ and a busy machine is no defect.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use expe_core::Config;
use expe_tests::{Done, expe, expe_with, program, tiny_config};
use serde_json::Value;

/// A model that takes almost no time, and one unit of work per round.
const SMALL: &str = "--width 16 --layers 1 --heads 2 --vocab 256 --context 8";
const SHORT: &str = "--rounds 3 --seconds 0";

fn json(done: Done) -> Value {
    serde_json::from_str(&done.succeeded().stdout).unwrap()
}

/// Asserts that the median lies between the quartiles and all are positive.
fn check_spread(spread: &Value) {
    let [low, median, high] = ["low", "median", "high"].map(|key| spread[key].as_f64().unwrap());
    assert!(0.0 < low && low <= median && median <= high, "{spread}");
}

/// Returns the rows of a report after checking what all reports have in common.
fn rows(report: &Value, benchmark: &str) -> Vec<Value> {
    assert_eq!(report["benchmark"], benchmark);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(report["machine"]["version"], env!("CARGO_PKG_VERSION"));
    let rows = report["rows"].as_array().unwrap().clone();
    for row in &rows {
        check_spread(&row["seconds"]);
        check_spread(&row["ratio"]);
        assert!(row["flops"].as_f64().unwrap() > 0.0);
    }
    // All rows are compared with the first.
    assert_eq!(rows[0]["ratio"]["median"], 1.0);
    rows
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["candidate"].as_str().unwrap()).collect()
}

#[test]
fn training_steps_of_several_encodings_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let positions = "none,rope,expe:start=0:step=1/8";
    let train = format!("bench train {SMALL} --batch 4 --threads 1 {SHORT} --position {positions}");
    let report = json(expe(path, &format!("{train} --json -")));
    let rows = rows(&report, "train");
    assert_eq!(names(&rows), positions.split(',').collect::<Vec<_>>());
    for row in &rows {
        assert_eq!((&row["tokens"], &row["threads"]), (&32.into(), &1.into()));
        assert_eq!(row["model"]["width"], 16);
        assert_eq!(row["model"]["hidden"], 64);
        assert!(row["matmul_share"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(rows[2]["model"]["position"]["step"], 0.125);
    assert!(report["matmul_rate"].as_f64().unwrap() > 0.0);
    // With `--json FILE`, the table is also printed.
    let table = expe(path, &format!("{train} --json report.json")).succeeded().stdout;
    for word in ["candidate", "tokens/s", "rope", "matrix products", "cores"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let kept: Value = serde_json::from_slice(&fs::read(path.join("report.json")).unwrap()).unwrap();
    assert_eq!(kept["rows"].as_array().unwrap().len(), 3);
}

/// Calls and floating-point operations follow from the model, and the shares of time add up to 1.
#[test]
fn a_profile_counts_the_operations_of_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let train = format!("bench train {SMALL} --batch 4 --threads 2 {SHORT} --position none,expe");
    let train = format!("{train} --profile");
    let rows = rows(&json(expe(folder.path(), &format!("{train} --json -"))), "train");
    // A step is split into four shards; width 16, MLP width 64, vocabulary 256.
    let (tokens, shards) = (32.0, 4.0);
    for (row, free) in rows.iter().zip([16.0, 15.0]) {
        let lines = row["profile"].as_array().unwrap();
        let line = |operation: &str, pass: &str| {
            let found = lines.iter().find(|l| l["operation"] == operation && l["pass"] == pass);
            found.unwrap_or_else(|| panic!("{operation} {pass} is missing in {lines:?}"))
        };
        let inputs = 2.0 * tokens * 16.0 * (2.0 * free + 16.0);
        // Four shards of one window of eight positions, two heads of width eight: one block of 8 × 8 scores.
        let attention = 2.0 * tokens * 8.0 * 16.0;
        for (operation, calls, forward, backward) in [
            ("embedding", shards, 0.0, 0.0),
            ("norm", 3.0 * shards, 0.0, 0.0),
            ("query, key, value", shards, inputs, 2.0 * inputs),
            ("attention", shards, 2.0 * attention, 5.0 * attention),
            ("output projection", shards, 2.0 * tokens * 256.0, 4.0 * tokens * 256.0),
            ("MLP", shards, 4.0 * tokens * 1024.0, 8.0 * tokens * 1024.0),
            ("cross-entropy", shards, 6.0 * tokens * 4096.0, 0.0),
        ] {
            for (pass, flops) in [("forward", forward), ("backward", backward)] {
                let line = line(operation, pass);
                assert_eq!(
                    (&line["calls"], &line["flops"]),
                    (&calls.into(), &flops.into()),
                    "{line}"
                );
                assert!(line["seconds"].as_f64().unwrap() > 0.0);
                let rate = line["product_rate"].as_f64();
                assert_eq!(rate.is_some_and(|rate| rate > 0.0), flops > 0.0, "{line}");
            }
        }
        // These belong to neither the forward nor the backward pass.
        for operation in ["sum of gradients", "AdamW"] {
            let line = lines.iter().find(|line| line["operation"] == operation).unwrap();
            assert!(line.get("pass").is_none() && line["calls"].as_f64() >= Some(1.0), "{line}");
        }
        let shares: f64 = lines.iter().map(|line| line["share"].as_f64().unwrap()).sum();
        // The sum of about twenty shares, each rounded once.
        assert!((shares - 1.0).abs() < 20.0 * f64::EPSILON, "{shares}");
        assert_eq!(lines.last().unwrap()["operation"], "rest");
    }
    let table = expe(folder.path(), &train).succeeded().stdout;
    for word in ["ms of threads", "GFLOP/s per thread", "cross-entropy", "one step, expe", "rest"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
}

#[test]
fn a_configuration_file_is_benchmarked_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), tiny_config(5, 5)).unwrap();
    let train = format!("bench train --config tiny.toml {SHORT} --json -");
    let row = rows(&json(expe(folder.path(), &train)), "train").remove(0);
    assert_eq!((&row["model"]["context"], &row["model"]["hidden"]), (&8.into(), &32.into()));
    assert_eq!((&row["candidate"], &row["numbers"]), (&"expe".into(), &"f32".into()));
    let train = format!("{train} --precision mixed");
    let row = rows(&json(expe(folder.path(), &train)), "train").remove(0);
    assert_eq!(row["numbers"], "mixed");
}

#[test]
fn random_models_in_every_format_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let formats = "f32,f16,bf16,int8,int4,integer,integer4";
    let decode =
        format!("bench decode {SMALL} --numbers {formats} --tokens 3 --past 2 {SHORT} --json -");
    let report = json(expe(folder.path(), &decode));
    let found = rows(&report, "decode");
    assert_eq!(names(&found), formats.split(',').collect::<Vec<_>>());
    assert!(report["read_rate"].as_f64().unwrap() > 0.0);
    let bytes: Vec<f64> =
        found.iter().map(|row| row["bytes_per_token"].as_f64().unwrap()).collect();
    // Weights take 4, 2, 2 and 1 bytes; norms, folded columns and the cache add little.
    assert!(bytes[1] < 0.6 * bytes[0] && bytes[1] == bytes[2] && bytes[3] < 0.4 * bytes[0]);
    for row in &found {
        assert_eq!(
            (&row["tokens"], &row["past"], &row["threads"]),
            (&3.into(), &2.into(), &1.into())
        );
        assert!(row["read_share"].as_f64().unwrap() > 0.0);
    }
    let prefill =
        format!("bench prefill {SMALL} --position rope,expe --tokens 20 {SHORT} --json -");
    let report = json(expe(folder.path(), &prefill));
    let found = rows(&report, "prefill");
    assert_eq!(names(&found), ["rope", "expe"]);
    assert!(found[0].get("past").is_none() && found[0].get("bytes_per_token").is_none());
    assert!(found[0]["matmul_share"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_model_file_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("tiny.toml"), tiny_config(5, 5)).unwrap();
    expe(path, "train --config tiny.toml --data stories:1:20k --out run").succeeded();
    expe(path, "export --model run --numbers f16 --out half.expe").succeeded();
    let decode = format!("bench decode --model half.expe --tokens 2 {SHORT} --json -");
    let row = rows(&json(expe(path, &decode)), "decode").remove(0);
    assert_eq!((&row["candidate"], &row["numbers"]), (&"half.expe".into(), &"f16".into()));
    expe(path, "bench decode --model run").failed(1, &["run", "export"]);
    expe(path, "bench decode --model none.expe").failed(1, &["none.expe"]);
}

#[test]
fn the_cost_of_position_encodings_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("bench positions {SMALL} --keys 16 --threads 1 {SHORT}");
    let report = json(expe(folder.path(), &format!("{arguments} --json -")));
    let found = rows(&report, "positions");
    let encodings = ["none", "learned", "sinusoidal", "rope", "alibi", "expe", "exqpe"];
    // Every encoding in three kinds of work.
    assert_eq!(names(&found), [encodings; 3].concat());
    for (row, work) in found.chunks(7).zip(["decode", "prefill", "train"]) {
        assert!(row.iter().all(|row| row["work"] == work));
        assert_eq!(row[3]["over_rope"]["median"], 1.0);
    }
    let costs = report["positions"].as_array().unwrap();
    let costs: Vec<&str> = costs.iter().map(|cost| cost["encoding"].as_str().unwrap()).collect();
    assert_eq!(costs.len(), 8);
    assert!(costs.contains(&"expe, direct"), "{costs:?}");
    let table = expe(folder.path(), &arguments).succeeded().stdout;
    assert!(table.contains("ns per token and layer") && table.contains("over rope"), "{table}");
    // Selected encodings are added to the two that serve as a reference; the training length can be set.
    let some = "--position expe:step=1/8,alibi --json -";
    let report = json(expe(folder.path(), &format!("{arguments} {some}")));
    let found = rows(&report, "positions");
    assert_eq!(names(&found), [["none", "rope", "expe:step=1/8", "alibi"]; 3].concat());
    assert_eq!(found[2]["model"]["position"]["step"], 0.125);
    assert_eq!((&found[8]["work"], &found[8]["model"]["context"]), (&"train".into(), &8.into()));
    assert_eq!(report["positions"][3]["encoding"], "expe:step=1/8, direct");
}

#[test]
fn scaling_reports_exponents() {
    let folder = tempfile::tempdir().unwrap();
    let scaling = "bench scaling --width 32 --layers 1 --heads 2 --vocab 256 --longest 128 --widest 128 \
                   --rounds 2 --seconds 1 --json -";
    let report = json(expe(folder.path(), scaling));
    let rows = rows(&report, "scaling");
    let found = names(&rows);
    for (name, times) in [("context 64", 3), ("context 128", 2), ("width 128", 2), ("threads 1", 1)]
    {
        let count = found.iter().filter(|found| **found == name).count();
        assert!(count >= times, "{name} is there {count} times in {found:?}");
    }
    let slopes = report["slopes"].as_array().unwrap();
    for (work, against) in [("prefill", "context"), ("decode", "context"), ("prefill", "width")] {
        let mut slopes = slopes.iter();
        let slope = slopes.find(|slope| slope["work"] == work && slope["against"] == against);
        assert!(slope.unwrap()["slope"].is_f64(), "{work} {against}");
    }
    // Without time, training stops at the first size of each series and reports that.
    let report = json(expe(folder.path(), &scaling.replace("--seconds 1", "--seconds 0")));
    let notes = report["notes"].as_array().unwrap();
    for (against, note) in ["context", "width"].iter().zip(notes) {
        let note = note.as_str().unwrap();
        let start = format!("train against {against}: 128 skipped: ");
        assert!(note.starts_with(&start) && note.contains("longer measurement"), "{note}");
    }
    assert!(notes.len() >= 2, "{notes:?}");
}

#[test]
fn evaluation_beyond_the_training_length_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let eval = format!("bench eval {SMALL} {SHORT} --lengths 4,1,2 --json -");
    let report = json(expe(folder.path(), &eval));
    let rows = rows(&report, "eval");
    assert_eq!(names(&rows), ["1·8", "2·8", "4·8"]);
    let cores = report["machine"]["cores"].as_u64().unwrap();
    for (row, length) in rows.iter().zip([8, 16, 32]) {
        // Every length uses whole windows of the longest length.
        assert_eq!((&row["tokens"], &row["threads"]), (&(32 * cores).into(), &cores.into()));
        // Keys and values of one layer of width 16, and one position word per position.
        assert_eq!(row["cache_bytes"], length * (2 * 16 + 1) * 4);
    }
    let slopes = report["slopes"].as_array().unwrap();
    let cache = slopes.iter().find(|slope| slope["work"] == "cache").unwrap();
    assert!((cache["slope"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{cache}");
    expe(folder.path(), "bench eval --lengths 3").failed(2, &["power of two"]);
    expe(folder.path(), "bench eval --position rope,none").failed(1, &["takes one"]);
    expe(folder.path(), "bench eval --preset quick --position learned").failed(1, &["learned"]);
}

/// Another program can alternate with this one by sending orders.
#[test]
fn serve_mode_runs_the_requested_work() {
    let serve = |arguments: &str, orders: &str| {
        let mut child = Command::new(program())
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(orders.as_bytes()).unwrap();
        Done::new(child.wait_with_output().unwrap())
    };
    for work in ["train --batch 2", "decode --tokens 2", "prefill --tokens 4"] {
        let arguments = format!("bench {work} {SMALL} --serve");
        let done = serve(&arguments, "2\n3\npeak\n").succeeded();
        let lines: Vec<Vec<&str>> =
            done.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 3, 1], "{}", done.stdout);
        assert_eq!(lines[0], ["ready"]);
        assert!(lines[2].iter().all(|ms| ms.parse::<f64>().unwrap() > 0.0));
        serve(&arguments, "2\nfaster\n").failed(1, &["faster"]);
        serve(&format!("{arguments} --position rope,expe"), "").failed(1, &["one candidate"]);
    }
}

#[test]
fn wrong_arguments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (arguments, code, words) in [
        ("", 2, "Usage"),
        ("fly", 2, "fly"),
        ("train --rounds 0", 2, "rounds"),
        ("train --seconds -1", 2, "-1"),
        ("train --seconds 1e9", 2, "3600"),
        ("train --threads 0", 2, "threads"),
        ("train --config a --preset b", 2, "--preset"),
        ("decode --model a.expe --width 8", 2, "--width"),
        ("decode --numbers int3", 2, "int3"),
        ("prefill --tokens 0", 2, "tokens"),
        ("scaling --longest 32", 2, "64"),
        ("train --preset huge", 1, "15m, 128x4, 256x6, context-64, demo, quick, stories"),
        ("positions --position bogus", 1, "bogus"),
        ("positions --position rope@scaling=ntk:factor=2", 1, "evaluation"),
        ("scaling --position rope,alibi", 1, "takes one"),
        ("train --config none.toml", 1, "none.toml"),
        ("train --width 100 --heads 3", 1, "multiple"),
        ("train --heads 0", 1, "heads"),
        ("train --layers 0", 1, "layers"),
        ("train --vocab 255", 1, "256"),
        ("train --batch 0", 1, "batch"),
        ("train --batch 1000000", 1, "memory"),
        ("train --position fast", 1, "fast"),
        ("train --position rope@scaling=ntk:factor=2", 1, "evaluation"),
        ("decode --position exqpe:digits=1:top=1", 1, "top"),
        ("decode --heads 5", 1, "multiple"),
    ] {
        let done = expe_with(
            path,
            &["bench"].into_iter().chain(arguments.split_whitespace()).collect::<Vec<_>>(),
        );
        if code == 1 {
            done.failed(code, &[words]);
        } else {
            assert_eq!(done.code, Some(code), "{arguments}: {}", done.stderr);
            assert!(done.stderr.contains(words), "{arguments}: {}", done.stderr);
        }
    }
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    fs::write(path.join("file"), "").unwrap();
    let mut arguments: Vec<&str> = "bench prefill --tokens 2".split(' ').collect();
    arguments.extend(SMALL.split(' ').chain(SHORT.split(' ')));
    arguments.extend(["--json", "file/report.json"]);
    expe_with(path, &arguments).failed(1, &["report.json"]);
}

/// A model is in memory only once, whether it is random or read from a file.
#[cfg(target_os = "linux")]
#[test]
fn a_model_is_in_memory_once() {
    use expe::bench::random_model;
    use expe::config::preset;
    use expe::export::Scheme;

    // The embedding alone takes 32 million bytes.
    let config = Config { vocab: 50_000, width: 160, ..preset("quick").unwrap().model };
    let config = Config { head_width: config.width / config.heads, ..config };
    let file = random_model(&config, Scheme::F32).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.expe"), file.bytes()).unwrap();
    for model in ["--width 160 --layers 4 --heads 4 --vocab 50000", "--model model.expe"] {
        let decode = format!("bench decode {model} --tokens 2 {SHORT} --json -");
        let report = json(expe(folder.path(), &decode));
        let peak = report["peak_memory"].as_f64().unwrap();
        let bytes = rows(&report, "decode")[0]["bytes_per_token"].as_f64().unwrap();
        assert!(bytes > 32e6, "{bytes}");
        // The rest is the program, cache and workspace, and the unused end of a large page.
        assert!(peak < 1.5 * bytes, "{model}: {peak}, including {bytes} for the model");
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_is_reported() {
    let mut child = Command::new(program())
        .args(format!("bench train {SMALL} --seconds 3000").split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Wait until the program handles signals: from then on it has more than one thread.
    let status = format!("/proc/{}/status", child.id());
    let threads = || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Threads:"));
        line.and_then(|line| line.trim().parse::<u32>().ok()).unwrap_or(2)
    };
    while threads() < 2 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    let sent = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
    Done::new(child.wait_with_output().unwrap()).failed(130, &["interrupted"]);
}
