//! The program with the feature `cuda`, from the command line, on the emulated driver: its messages when
//! something is missing, training, failures and resumption.
//!
//! `EXPE_CUDA_EMULATOR` names the emulator's folder (built by `tests/cuda/emulator/build`), `EXPE_PROGRAM`
//! the program. The tests in the module `any_gpu` also run on a GPU (`tests/gpu`), without the emulator.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use expe_tests::{Done, expe, limited, tiny_config};
use serde_json::Value;
use tempfile::TempDir;

fn emulator() -> PathBuf {
    let folder = std::env::var_os("EXPE_CUDA_EMULATOR").expect("EXPE_CUDA_EMULATOR names a folder");
    fs::canonicalize(folder).expect("the emulator is built")
}

/// Runs the program with libraries from `libraries` and additional environment `settings`.
fn run_with(folder: &Path, libraries: &Path, settings: &str, arguments: &str) -> Done {
    let libraries = libraries.display();
    let clean = "unset CUDA_PATH CUDA_ROOT CUDA_VISIBLE_DEVICES";
    let export = format!("{clean}; export LD_LIBRARY_PATH={libraries} {settings}");
    limited(folder, &export, arguments)
}

fn emulated(folder: &Path, settings: &str, arguments: &str) -> Done {
    run_with(folder, &emulator(), settings, arguments)
}

/// Returns a folder with `tiny.toml`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), tiny_config(8, 2)).unwrap();
    folder
}

const TRAIN: &str = "train --config tiny.toml --data stories:1:20k --out run --device cuda";

fn json(done: Done) -> Value {
    serde_json::from_str(&done.succeeded().stdout).unwrap()
}

/// If a GPU cannot be used, `--device cuda` fails with the reason and exit code 1, `expe devices` lists the
/// reason, and `--device auto` reports it and uses the CPU.
#[test]
fn the_reason_why_a_gpu_cannot_be_used_is_reported() {
    let folder = folder();
    let path = folder.path();
    let broken = path.join("broken");
    let driver_only = path.join("driver-only");
    fs::create_dir_all(&broken).unwrap();
    fs::create_dir_all(&driver_only).unwrap();
    fs::write(broken.join("libcuda.so.1"), "not a library, but the first that is found").unwrap();
    symlink(emulator().join("libcuda.so.1"), driver_only.join("libcuda.so.1")).unwrap();
    let emulator = emulator();
    for (libraries, settings, words) in [
        (&broken, "", &["libcuda.so.1", "install NVIDIA's driver"][..]),
        (&driver_only, "", &["cuBLAS", "libcublas.so", "LD_LIBRARY_PATH"]),
        (&emulator, "EXPE_EMULATOR_DEVICES=0", &["finds no GPU", "nvidia-smi"]),
        (
            &emulator,
            "EXPE_EMULATOR_DEVICES=0 CUDA_VISIBLE_DEVICES=7",
            &["finds no GPU", "CUDA_VISIBLE_DEVICES=7"],
        ),
        (&emulator, "EXPE_EMULATOR_DRIVER=12040", &["CUDA 12.4", "13.0", "newer"]),
        (&emulator, "EXPE_EMULATOR_CAPABILITY=7.5", &["cuda:0", "7.5", "CUDA_COMPUTE_CAP=75"]),
    ] {
        let run = |arguments: &str| run_with(path, libraries, settings, arguments);
        let all = [words, &["--device cpu"]].concat();
        let message = run(TRAIN).failed(1, &all);
        assert!(!path.join("run").exists(), "{message}");
        let list = json(run("devices --json -"));
        let gpu = &list["devices"][1];
        assert_eq!(list["devices"][0]["usable"], true);
        assert_eq!(gpu["usable"], false, "{list}");
        let reason = gpu["reason"].as_str().unwrap();
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
        assert!(run("devices").succeeded().stdout.contains(reason));
        let done = run(&TRAIN.replace("cuda", "auto")).succeeded();
        assert!(done.stderr.contains(&format!("device: cpu, because {reason}")), "{}", done.stderr);
        fs::remove_dir_all(path.join("run")).unwrap();
    }
}

/// Training and evaluation compile no kernel at run time.
#[test]
fn the_runtime_compiler_is_not_needed() {
    let folder = folder();
    let path = folder.path();
    let without = path.join("without");
    fs::create_dir_all(&without).unwrap();
    for entry in fs::read_dir(emulator()).unwrap().map(Result::unwrap) {
        if !entry.file_name().to_string_lossy().contains("nvrtc") {
            symlink(entry.path(), without.join(entry.file_name())).unwrap();
        }
    }
    for command in [
        TRAIN,
        "eval --model run --data stories:2:20k --lengths 1,4 --eval-tokens 128 --device cuda",
        "logits --model run --tokens 1,2,3 --device cuda",
    ] {
        run_with(path, &without, "", command).succeeded();
    }
}

#[test]
fn devices_are_listed_and_numbered() {
    let folder = folder();
    let path = folder.path();
    let two = "EXPE_EMULATOR_DEVICES=2 EXPE_EMULATOR_MEMORY=1073741824";
    let list = json(emulated(path, two, "devices --json -"));
    let devices = list["devices"].as_array().unwrap();
    let names: Vec<_> = devices.iter().map(|device| device["device"].as_str().unwrap()).collect();
    assert_eq!(names, ["cpu", "cuda:0", "cuda:1"]);
    for gpu in &devices[1..] {
        assert_eq!(gpu["usable"], true, "{list}");
        assert_eq!(gpu["compute_capability"], "9.0");
        assert_eq!(gpu["driver"], "13.0");
        assert_eq!(gpu["memory"], 1 << 30);
        let free = gpu["free"].as_u64().unwrap();
        assert!(free > 0 && free <= 1 << 30, "{free}");
    }
    let done = emulated(path, two, &TRAIN.replace("cuda", "cuda:1")).succeeded();
    assert!(done.stderr.contains("device: cuda:1"), "{}", done.stderr);
    for name in ["cuda:2", "cuda:99999999999999999999"] {
        let arguments = TRAIN.replace("run", "other").replace("cuda", name);
        let done = emulated(path, two, &arguments);
        if name == "cuda:2" {
            done.failed(1, &["cuda:2", "2 found"]);
        } else {
            done.failed(2, &[name]);
        }
    }
}

/// A run that fails on the GPU resumes from its checkpoint on the CPU.
#[test]
fn a_run_resumes_on_another_device() {
    let folder = folder();
    let path = folder.path();
    let traced =
        emulated(path, "EXPE_EMULATOR_TRACE=1", &TRAIN.replace("run", "whole")).succeeded();
    let launches = traced.stderr.lines().filter(|line| line.contains("launch")).count();
    assert!(launches > 8, "{}", traced.stderr);
    // The fault occurs in about the sixth of eight steps; every second step writes a checkpoint.
    let fault = format!("EXPE_EMULATOR_FAULT={}:700", launches * 7 / 10);
    emulated(path, &fault, TRAIN).failed(1, &["CUDA_ERROR_ILLEGAL_ADDRESS"]);
    let metrics = fs::read_to_string(path.join("run/metrics.csv")).unwrap();
    let done_before = metrics.lines().count() - 1;
    assert!(done_before > 0 && done_before < 8, "{metrics}");
    let resume = "train --data stories:1:20k --out run --resume --device cpu";
    emulated(path, "", resume).succeeded();
    let metrics = fs::read_to_string(path.join("run/metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 9, "{metrics}");
}

/// Driver calls of one step of ExPE with GELU and without dropout: kind, calls per step, and further calls
/// per layer. `docs/gpu.md` documents these numbers.
const CALLS: [(&str, usize, usize); 9] = [
    ("launch", 15, 23),
    ("product", 3, 18),
    ("fill", 11, 26),
    ("copy on device", 0, 2),
    ("copy to device", 3, 0),
    ("copy to host", 2, 0),
    ("wait", 4, 0),
    ("allocate", 0, 0),
    ("free", 0, 0),
];

/// Returns the driver calls of a training run, in order.
fn calls(path: &Path, steps: u32, layers: usize) -> Vec<String> {
    let config = tiny_config(steps, 100).replace("dropout = 0.1", "dropout = 0.0");
    let config = config.replace("layers = 1", &format!("layers = {layers}"));
    fs::write(path.join("tiny.toml"), config).unwrap();
    let _ = fs::remove_dir_all(path.join("run"));
    let done = emulated(path, "EXPE_EMULATOR_TRACE=1 EXPE_CUDA_REUSE=1", TRAIN).succeeded();
    let known = |line: &&str| CALLS.iter().any(|(kind, ..)| line.starts_with(kind));
    done.stderr.lines().filter(known).map(str::to_owned).collect()
}

/// Counts the calls of four additional steps.
#[test]
fn a_step_allocates_nothing_and_makes_a_known_number_of_calls() {
    let folder = folder();
    for layers in [1, 2] {
        let [fewer, more] = [8, 12].map(|steps| calls(folder.path(), steps, layers));
        for (kind, each, by_layer) in CALLS {
            let count =
                |calls: &[String]| calls.iter().filter(|call| call.starts_with(kind)).count();
            assert_eq!(count(&more) - count(&fewer), 4 * (each + by_layer * layers), "{kind}");
        }
    }
}

/// The host prepares and sends the tokens of a step while the device still updates parameters for the previous one.
#[test]
fn nothing_waits_between_two_steps() {
    let folder = folder();
    let calls = calls(folder.path(), 8, 1);
    let starts = |call: &String, what: &str| call.starts_with(what);
    let steps: Vec<_> = calls.split(|call| starts(call, "launch adamw")).collect();
    assert_eq!(steps.len(), 9);
    for step in &steps[1..8] {
        let before = step.iter().take_while(|call| !starts(call, "launch embed_forward"));
        let before: Vec<_> = before.collect();
        assert!(before.iter().all(|call| !starts(call, "wait")), "{before:?}");
        assert_eq!(before.iter().filter(|call| starts(call, "copy to device")).count(), 2);
    }
}

/// Results are identical for every order of blocks and threads, with and without reuse of memory.
#[test]
fn no_result_depends_on_the_order_of_threads() {
    let folder = folder();
    let path = folder.path();
    let mut models = Vec::new();
    for settings in [
        "EXPE_EMULATOR_ORDER=forward",
        "EXPE_EMULATOR_ORDER=reverse",
        "EXPE_EMULATOR_ORDER=shuffled EXPE_CUDA_REUSE=1",
        "EXPE_EMULATOR_STREAMS=lazy EXPE_CUDA_REUSE=1",
    ] {
        let _ = fs::remove_dir_all(path.join("run"));
        emulated(path, settings, TRAIN).succeeded();
        models.push(fs::read(path.join("run/trainer.safetensors")).unwrap());
    }
    assert!(models.iter().all(|model| *model == models[0]));
}

/// The estimate refuses a batch first, then the driver a smaller one. Training fits with the batch that the last
/// message names, and fails with one that is larger by an eighth.
#[test]
fn full_memory_names_a_batch_that_fits() {
    let folder = folder();
    let path = folder.path();
    let config = tiny_config(2, 2);
    let train = |batch: usize| {
        let change = config.replace("batch = 4", &format!("batch = {batch}"));
        fs::write(path.join("tiny.toml"), change).unwrap();
        let _ = fs::remove_dir_all(path.join("run"));
        emulated(path, "EXPE_EMULATOR_MEMORY=1500000 EXPE_CUDA_REUSE=1", TRAIN)
    };
    let named = |message: &str| -> usize {
        let fits = message.rsplit("`batch` = ").next().unwrap();
        fits.split(' ').next().unwrap().parse().unwrap()
    };
    let estimated = named(&train(512).failed(1, &["training needs at least", "`batch` = "]));
    assert!(estimated < 512);
    let message = train(estimated).failed(1, &["memory", "is full", "fits (raise"]);
    let fits = named(&message);
    assert!(fits < estimated, "{message}");
    train(fits).succeeded();
    train(fits + fits.div_ceil(8)).failed(1, &["memory", "is full", "`batch` = "]);
    let tiny = "EXPE_EMULATOR_MEMORY=150000";
    emulated(path, tiny, &TRAIN.replace("run", "other")).failed(1, &["memory"]);
}

mod any_gpu {
    use super::*;

    /// Runs the program on the emulator, or on this machine's GPU if no emulator is named.
    fn gpu(folder: &Path, arguments: &str) -> Done {
        match std::env::var_os("EXPE_CUDA_EMULATOR") {
            Some(_) => emulated(folder, "", arguments),
            None => expe(folder, arguments),
        }
    }

    #[test]
    fn both_devices_compute_the_same_perplexity() {
        let folder = folder();
        let path = folder.path();
        gpu(path, TRAIN).succeeded();
        let rows = |device: &str| {
            let eval = format!(
                "eval --model run --data stories:2:20k --lengths 1,4 --eval-tokens 512 --json - {device}"
            );
            json(gpu(path, &eval))["rows"].as_array().unwrap().clone()
        };
        let (cpu, other) = (rows("--device cpu"), rows("--device cuda"));
        assert_eq!(cpu.len(), 2);
        for (cpu, other) in cpu.iter().zip(&other) {
            let [cpu, other] = [cpu, other].map(|row| row["perplexity"].as_f64().unwrap());
            // A mean of log-probabilities, each with a few hundred roundings of numbers below 8.
            assert!(
                (cpu / other).ln().abs() < 2.0 * 8.0 * 400.0 / f64::from(1 << 24),
                "{cpu} {other}"
            );
        }
        let logits = gpu(path, "logits --model run --tokens 1,2,3 --device cuda --json -");
        assert_eq!(json(logits)["engine"], "dfdx");
    }

    #[test]
    fn model_files_are_computed_on_the_cpu() {
        let folder = folder();
        let path = folder.path();
        gpu(path, &TRAIN.replace("cuda", "cpu")).succeeded();
        gpu(path, "export --model run --numbers f32 --out model.expe").succeeded();
        for command in ["eval --data stories:2:20k --lengths 1", "logits --tokens 1,2"] {
            let arguments = format!("{command} --model model.expe");
            gpu(path, &format!("{arguments} --device cuda")).failed(1, &["model.expe", "--device"]);
            let done = gpu(path, &arguments).succeeded();
            assert!(!done.stderr.contains("device:"), "{}", done.stderr);
        }
    }

    #[test]
    fn comparisons_and_benchmarks_run_on_the_gpu() {
        let folder = folder();
        let path = folder.path();
        let compare = "compare --config tiny.toml --positions expe,rope --data stories:1:20k --lengths 1,2 \
                   --eval-tokens 128 --out compared --device cuda --json rows.json";
        let done = gpu(path, compare).succeeded();
        assert!(done.stderr.contains("device: cuda:0"), "{}", done.stderr);
        let rows: Value =
            serde_json::from_slice(&fs::read(path.join("rows.json")).unwrap()).unwrap();
        assert_eq!(rows["rows"].as_array().unwrap().len(), 4);
        let bench = "bench train --config tiny.toml --rounds 2 --seconds 0 --device cuda --json -";
        let report = json(gpu(path, bench));
        assert!(report["device"].as_str().unwrap().starts_with("cuda:0"));
        assert!(report.get("matmul_rate").is_none());
    }
}
