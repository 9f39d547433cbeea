//! Training that is killed, interrupted or runs out of disk space resumes to the same bytes as undisturbed
//! training and leaves no partially written file.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use expe_core::internals::Random;
use expe_tests::{Done, expe, limited, program, tiny_config};
use serde_json::Value;
use tempfile::TempDir;

/// Steps of a run. It writes a checkpoint every few steps, so that some kills interrupt a write.
const STEPS: u32 = 400;
const TRAIN: &str = "train --config tiny.toml --data stories:3:60k --out";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), tiny_config(STEPS, 5)).unwrap();
    folder
}

/// Returns the command with these arguments, to run in `folder`.
fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(program());
    command.args(arguments.split_whitespace()).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(child: Child) -> Done {
    Done::new(child.wait_with_output().unwrap())
}

/// Waits until the metrics of `run` contain `step` steps.
fn wait_for_step(child: &mut Child, run: &Path, step: usize) {
    let started = Instant::now();
    let steps =
        || fs::read_to_string(run.join("metrics.csv")).map_or(0, |text| text.lines().count());
    while steps() <= step {
        assert!(started.elapsed() < Duration::from_secs(60), "no step {step} in a minute");
        if child.try_wait().unwrap().is_some() {
            return;
        }
        sleep(Duration::from_millis(2));
    }
}

/// Sends a signal with the command `kill`.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(name).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// Returns the files of a finished run with their contents.
fn finished(run: &Path) -> Vec<(String, Vec<u8>)> {
    ["config.toml", "model.safetensors", "tokenizer.json", "trainer.safetensors"]
        .map(|name| (name.to_owned(), fs::read(run.join(name)).unwrap()))
        .into()
}

/// Returns the unexpected files in a run folder, such as temporary files.
fn left_over(run: &Path) -> Vec<String> {
    let names = fs::read_dir(run).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let known = [
        "config.toml",
        "model.safetensors",
        "tokenizer.json",
        "trainer.safetensors",
        "metrics.csv",
        ".lock",
    ];
    names.filter(|name| !known.contains(&name.as_str())).collect()
}

fn assert_same(found: &Path, expected: &Path) {
    for ((name, found), (_, expected)) in finished(found).into_iter().zip(finished(expected)) {
        assert!(found == expected, "{name} differs");
    }
    let steps = |run: &Path| fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count();
    assert_eq!(steps(found), steps(expected));
}

#[test]
fn killed_training_resumes_to_the_same_bytes() {
    let folder = folder();
    let path = folder.path();
    expe(path, &format!("{TRAIN} whole")).succeeded();

    let run = path.join("killed");
    let mut random = Random::new(11);
    let mut kills = 0;
    // The first kill precedes every checkpoint. The others come some milliseconds after one: between
    // two steps, within a step, or during the next checkpoint.
    for step in (0..STEPS as usize).step_by(40) {
        let mut child = command(path, &format!("{TRAIN} killed --resume")).spawn().unwrap();
        if step > 0 {
            wait_for_step(&mut child, &run, step);
        }
        sleep(Duration::from_micros(u64::from(random.below(25_000))));
        child.kill().unwrap();
        let done = finish(child);
        if done.code == Some(0) {
            break;
        }
        assert_eq!(done.code, None, "{}", done.stderr);
        kills += 1;
        // Whenever the kill comes, every existing file is complete.
        if run.join("model.safetensors").exists() {
            expe(path, "logits --model killed --tokens 1,2,3").succeeded();
        }
    }
    assert!(kills >= 3, "only {kills} kills");
    expe(path, &format!("{TRAIN} killed --resume")).succeeded();
    assert_same(&run, &path.join("whole"));
    assert_eq!(left_over(&run), Vec::<String>::new());
}

#[test]
fn interrupted_training_saves_and_resumes_to_the_same_bytes() {
    let folder = folder();
    let path = folder.path();
    expe(path, &format!("{TRAIN} whole")).succeeded();
    let run = path.join("stopped");
    for (step, name) in [(1, "-INT"), (60, "-TERM"), (150, "-INT")] {
        let mut child = command(path, &format!("{TRAIN} stopped --resume")).spawn().unwrap();
        wait_for_step(&mut child, &run, step);
        signal(&child, name);
        let message = finish(child).failed(130, &["--resume", "saved at step"]);
        assert!(!message.contains("saved at step 0;"), "{message}");
        assert_eq!(left_over(&run), Vec::<String>::new());
    }
    // Without `--resume`, nothing is overwritten.
    let kept = finished(&run);
    expe(path, &format!("{TRAIN} stopped")).failed(1, &["stopped", "resume"]);
    assert_eq!(finished(&run), kept);
    expe(path, &format!("{TRAIN} stopped --resume")).succeeded();
    assert_same(&run, &path.join("whole"));
    // Resuming a finished run changes nothing.
    expe(path, &format!("{TRAIN} stopped --resume")).succeeded();
    assert_same(&run, &path.join("whole"));
}

#[test]
fn an_interrupted_comparison_resumes() {
    let folder = folder();
    let path = folder.path();
    let compare = |out: &str| {
        format!(
            "compare --config tiny.toml --positions expe,rope --seeds 1 --data stories:3:60k --lengths 1,4 --jobs 1 --out {out} --json {out}.json"
        )
    };
    expe(path, &compare("whole")).succeeded();
    let child = command(path, &compare("stopped")).spawn().unwrap();
    let started = Instant::now();
    let trained = |out: &str| {
        let mut folders = vec![path.join(out)];
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                found += usize::from(entry.file_name() == "trainer.safetensors");
                if entry.path().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        found
    };
    while trained("stopped") < 2 && started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(2));
    }
    signal(&child, "-INT");
    finish(child).failed(130, &[]);
    assert!(!path.join("stopped.json").exists());
    expe(path, &compare("stopped")).succeeded();
    let rows = |out: &str| -> Value {
        serde_json::from_slice(&fs::read(path.join(format!("{out}.json"))).unwrap()).unwrap()
    };
    assert_eq!(rows("stopped"), rows("whole"));
}

#[test]
fn two_trainings_cannot_share_a_folder() {
    let folder = folder();
    let path = folder.path();
    let mut child = command(path, &format!("{TRAIN} run")).spawn().unwrap();
    wait_for_step(&mut child, &path.join("run"), 1);
    expe(path, &format!("{TRAIN} run --resume")).failed(1, &["run", "another process"]);
    finish(child).succeeded();
}

/// Runs the program with a limit on file sizes, which stands in for a full disk: a write fails in the middle.
/// The process ignores the signal that would end it, so the write returns the error.
fn small_disk(folder: &Path, blocks: u32, arguments: &str) -> Done {
    limited(folder, &format!("trap '' XFSZ; ulimit -f {blocks}"), arguments)
}

#[test]
fn a_full_disk_leaves_no_partially_written_file() {
    let folder = folder();
    let path = folder.path();
    expe(path, &format!("{TRAIN} whole")).succeeded();
    // The trainer's state is larger than 16 blocks (of 512 bytes, or 1024 in some shells).
    let failed = small_disk(path, 16, &format!("{TRAIN} run"));
    failed.failed(1, &["trainer.safetensors"]);
    let run = path.join("run");
    assert!(!run.join("trainer.safetensors").exists() && !run.join("model.safetensors").exists());
    assert_eq!(left_over(&run), Vec::<String>::new());
    // With enough space, training resumes or starts.
    expe(path, &format!("{TRAIN} run --resume")).succeeded();
    assert_same(&run, &path.join("whole"));

    let export = "export --model whole --numbers f32 --out model.expe";
    small_disk(path, 2, export).failed(1, &["model.expe"]);
    assert!(!path.join("model.expe").exists());
    expe(path, export).succeeded();
    let kept = fs::read(path.join("model.expe")).unwrap();
    small_disk(path, 2, &export.replace("f32", "f16")).failed(1, &["model.expe"]);
    assert_eq!(fs::read(path.join("model.expe")).unwrap(), kept);
    assert_eq!(
        left_over(path).len(),
        4,
        "tiny.toml, whole, run, model.expe: {:?}",
        left_over(path)
    );

    let text = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let logits = format!("logits --model whole --tokens {text} --json logits.json");
    small_disk(path, 2, &logits).failed(1, &["logits.json"]);
    assert!(!path.join("logits.json").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("tiny.toml"), tiny_config(2, 2)).unwrap();
    expe(path, &format!("{TRAIN} run")).succeeded();
    for arguments in [
        "logits --model run --tokens 1,2 --json /dev/full",
        "export --model run --out /dev/full",
        "eval --model run --data stories:3:60k --lengths 1 --json /dev/full",
    ] {
        expe(path, arguments).failed(1, &["/dev/full"]);
    }
    // Standard output on a full device.
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in
        ["logits --model run --tokens 1,2", "generate --model run --prompt a --tokens 9"]
    {
        let child = command(path, arguments).stdout(full()).spawn().unwrap();
        finish(child).failed(1, &["standard output"]);
    }
}
