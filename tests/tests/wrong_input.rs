//! Wrong arguments, text and files give an exit code and a message that says what is wrong, where, and what to do,
//! and leave nothing half-done. A panic never counts as a message.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use expe_tests::{Done, expe, expe_with, limited, program, tiny_config};
use tempfile::TempDir;

/// Returns a folder with a trained run `run`, its file `model.expe`, and `tiny.toml`.
fn kept() -> &'static Path {
    static KEPT: OnceLock<TempDir> = OnceLock::new();
    let folder = KEPT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("tiny.toml"), tiny_config(4, 2)).unwrap();
        expe(path, "train --config tiny.toml --data stories:1:30k --out run").succeeded();
        expe(path, "export --model run --numbers f32 --out model.expe").succeeded();
        folder
    });
    folder.path()
}

/// Returns a copy of [`kept`] that a test may damage.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    for name in
        ["config.toml", "model.safetensors", "tokenizer.json", "trainer.safetensors", "metrics.csv"]
    {
        fs::copy(kept().join("run").join(name), folder.path().join("run").join(name)).unwrap();
    }
    for name in ["tiny.toml", "model.expe"] {
        fs::copy(kept().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Runs a command that must fail and records a problem instead of panicking, so that one run shows all problems.
fn check(problems: &mut Vec<String>, folder: &Path, command: &str, code: i32, words: &[&str]) {
    if let Some(problem) = expe(folder, command).problem(code, words) {
        problems.push(format!("expe {command}\n    {problem}"));
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let mut problems = Vec::new();
    for (arguments, word) in [
        ("fly", "fly"),
        ("train", "--out"),
        ("train --out a --config tiny.toml --preset demo", "--preset"),
        ("train --out a --steps many", "many"),
        ("train --out a --seed -1", "-1"),
        ("train --out a --device gpu", "gpu"),
        ("train --out a --data stories:1:2X", "stories:1:2X"),
        ("eval --model run --lengths a", "a"),
        ("export --model run --numbers int99 --out a.expe", "int99"),
        ("export --model run", "--out"),
        ("generate --model run", "--prompt"),
        ("generate --model run --prompt a --tokens -3", "-3"),
        ("logits --model run", "--tokens"),
        ("logits --model run --tokens 1,b", "b"),
        ("logits --model run --tokens 99999999999", "99999999999"),
        ("inspect", "FILE"),
        ("compare --seeds 0", "0"),
    ] {
        check(&mut problems, kept(), arguments, 2, &[word]);
        assert!(!kept().join("a").exists() && !kept().join("a.expe").exists());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn arguments_without_meaning_are_errors() {
    let mut problems = Vec::new();
    for (arguments, words) in [
        ("train --out a --preset huge --data stories:1:30k", &["huge", "context-64"][..]),
        ("train --out a --config no.toml --data stories:1:30k", &["no.toml"]),
        ("train --out a --config tiny.toml --position up --data stories:1:30k", &["up", "rope"]),
        ("train --out a --config tiny.toml --position expe:step=0 --data stories:1:30k", &["step"]),
        (
            "train --out a --config tiny.toml --position expe:width=99 --data stories:1:30k",
            &["99", "16"],
        ),
        (
            "train --out a --config tiny.toml --position expe:color=1 --data stories:1:30k",
            &["color"],
        ),
        ("train --out a --config tiny.toml --position alibi:x=1 --data stories:1:30k", &["x"]),
        (
            "train --out a --config tiny.toml --position rope:factor=3 --data stories:1:30k",
            &["factor", "scaling"],
        ),
        (
            "train --out a --config tiny.toml --position rope:scaling=linear:factor=0.5 \
             --data stories:1:30k",
            &["factor", "at least 1"],
        ),
        ("train --out a --config tiny.toml --steps 0 --data stories:1:30k", &["steps"]),
        (
            "train --out a --config tiny.toml --seed 18446744073709551615 --data stories:1:30k",
            &["seed"],
        ),
        ("train --out a --config tiny.toml", &["--data"]),
        (
            "train --out a --config tiny.toml --device cuda --data stories:1:30k",
            &["--features cuda", "--device cpu"],
        ),
        (
            "train --out a --config tiny.toml --device cuda:1 --data stories:1:30k",
            &["built without CUDA"],
        ),
        ("train --out run --config tiny.toml --data stories:1:30k", &["run", "resume"]),
        ("train --out run --resume --data stories:2:30k", &["run", "--data"]),
        ("train --out run --resume --seed 9 --data stories:1:30k", &["seed", "9"]),
        ("train --out tiny.toml/run --config tiny.toml --data stories:1:30k", &["tiny.toml/run"]),
        ("eval --model run --data stories:1:30k --lengths 0", &["0"]),
        ("eval --model run --data stories:1:30k --lengths 99999999", &["799999992", "--data"]),
        ("eval --model run --data stories:1:30k --lengths 18446744073709551615", &["length"]),
        ("eval --model run", &["--data"]),
        ("eval --model run --data stories:1:30k --device cuda", &["built without CUDA"]),
        ("eval --model model.expe --data stories:1:30k --device cuda", &["model.expe", "--device"]),
        ("eval --model no-run --data stories:1:30k", &["no-run"]),
        ("eval --model run --data stories:1:30k --position-set color=1", &["color"]),
        ("generate --model no.expe --prompt a", &["no.expe"]),
        ("generate --model tiny.toml --prompt a", &["tiny.toml", ".expe"]),
        ("generate --model run --prompt a --temperature=-1", &["-1"]),
        ("generate --model run --prompt a --temperature nan", &["NaN"]),
        ("generate --model run --prompt a --tokens 99999999999999", &["99999999999999"]),
        ("generate --model model.expe --prompt a --tokens 18446744073709551615", &["memory"]),
        ("generate --model model.expe --prompt a --tokens 20000000", &["position"]),
        ("logits --model run --tokens 1,256", &["256"]),
        ("logits --model model.expe --tokens 4294967295", &["4294967295", "256"]),
        ("export --model model.expe --out a.expe", &["model.expe"]),
        ("export --model run --out run", &["run"]),
        ("eval --model run --cache i8 --data stories:1:30k", &["run", "--cache"]),
        ("inspect run", &["run"]),
        ("inspect model.expe --context 8,4294967295", &["4294967295", "positions"]),
        ("inspect model.expe --context 8 --json tiny.toml/a.json", &["tiny.toml/a.json"]),
    ] {
        check(&mut problems, kept(), arguments, 1, words);
        assert!(!kept().join("a/trainer.safetensors").exists(), "{arguments}");
        assert!(!kept().join("a.expe").exists(), "{arguments}");
        let _ = fs::remove_dir_all(kept().join("a"));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    expe_with(kept(), &["generate", "--model", "run", "--prompt", ""]).failed(1, &["prompt"]);
    let not_unicode = Command::new(program()).arg(OsStr::from_bytes(b"tr\xffin")).output();
    Done::new(not_unicode.unwrap()).failed(2, &["tr"]);
}

#[test]
fn missing_or_binary_text_is_an_error() {
    let mut problems = Vec::new();
    let folder = copy();
    let path = folder.path();
    fs::write(path.join("empty.txt"), "").unwrap();
    fs::write(path.join("short.txt"), "abc").unwrap();
    fs::write(path.join("binary.bin"), [0u8, 159, 146, 150, 0, 1, 2, 3].repeat(1_000)).unwrap();
    fs::write(path.join("latin1.txt"), b"caf\xe9 ".repeat(1_000)).unwrap();
    fs::create_dir(path.join("nothing")).unwrap();
    for (data, words) in [
        ("empty.txt", &["empty.txt"][..]),
        ("short.txt", &["short"]),
        ("binary.bin", &["binary.bin"]),
        ("latin1.txt", &["latin1.txt"]),
        ("nothing", &["nothing"]),
        ("no-such-folder", &["no-such-folder"]),
    ] {
        for command in ["train --config tiny.toml --out a", "eval --model run --lengths 1"] {
            check(&mut problems, path, &format!("{command} --data {data}"), 1, words);
            assert!(!path.join("a/config.toml").exists());
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn damaged_run_folders_are_named() {
    let mut problems = Vec::new();
    let train = "train --resume --data stories:1:30k --out run";
    let logits = "logits --model run --tokens 1,2,3";
    let generate = "generate --model run --prompt a --tokens 3";
    for (name, commands) in [
        ("config.toml", &[train, logits, generate][..]),
        ("model.safetensors", &[logits, generate]),
        ("trainer.safetensors", &[train]),
        ("tokenizer.json", &[train, generate]),
    ] {
        let folder = copy();
        let path = folder.path();
        let file = path.join("run").join(name);
        let whole = fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        flipped[20] ^= 0xff;
        for bytes in [&whole[..whole.len() / 2], &[], &[0; 4096], &flipped] {
            fs::write(&file, bytes).unwrap();
            for command in commands {
                check(&mut problems, path, command, 1, &[name]);
            }
            assert_eq!(fs::read(&file).unwrap(), bytes, "{name} was changed");
        }
        if name != "trainer.safetensors" {
            fs::remove_file(&file).unwrap();
            for command in commands {
                check(&mut problems, path, command, 1, &[name]);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// With another model's tokenizer, the same token ids would mean other text.
#[test]
fn the_tokenizer_of_another_model_is_an_error() {
    let mut problems = Vec::new();
    let folder = copy();
    let path = folder.path();
    fs::write(path.join("bpe.toml"), tiny_config(4, 2).replacen("byte", "bpe", 1)).unwrap();
    let config = fs::read_to_string(path.join("bpe.toml")).unwrap();
    fs::write(path.join("bpe.toml"), config.replacen("vocab = 256", "vocab = 300", 1)).unwrap();
    expe(path, "train --config bpe.toml --data stories:1:30k --out bpe").succeeded();
    fs::copy(path.join("bpe/tokenizer.json"), path.join("run/tokenizer.json")).unwrap();
    for command in [
        "generate --model run --prompt the --tokens 3",
        "export --model run --out a.expe",
        "eval --model run --data stories:1:30k --lengths 1",
        "train --resume --data stories:1:30k --out run",
    ] {
        check(&mut problems, path, command, 1, &["300", "256"]);
    }
    assert!(!path.join("a.expe").exists());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn damaged_model_files_are_named() {
    let folder = copy();
    let path = folder.path();
    let whole = fs::read(path.join("model.expe")).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let longer = [&whole[..], &[0; 16]].concat();
    for bytes in [&whole[..whole.len() / 2], &[], &[0; 4096], &flipped, &longer] {
        fs::write(path.join("model.expe"), bytes).unwrap();
        for command in [
            "logits --model model.expe --tokens 1,2,3",
            "generate --model model.expe --prompt a --tokens 3",
            "eval --model model.expe --data stories:1:30k --lengths 1",
            "inspect model.expe",
        ] {
            expe(path, command).failed(1, &["model.expe"]);
        }
    }
}

/// A configuration that does not fit in memory is an error and does not abort the process.
#[test]
fn absurd_sizes_are_errors() {
    let mut problems = Vec::new();
    let folder = copy();
    let path = folder.path();
    let tiny = tiny_config(4, 2);
    for (old, new) in [
        ("width = 16", "width = 16777216"),
        ("vocab = 256", "vocab = 16777217"),
        ("context = 8", "context = 16777216"),
        ("kv_heads = 1\nhead_width = 8", "kv_heads = 2\nhead_width = 8388608"),
    ] {
        let huge = tiny.replacen(old, new, 1);
        assert_ne!(huge, tiny);
        fs::write(path.join("huge.toml"), huge).unwrap();
        // Four gigabytes, so that the test does not fill a machine with much memory.
        let train = "train --config huge.toml --data stories:1:30k --out a";
        let problem = limited(path, "ulimit -v 4000000", train).problem(1, &[]);
        problems.extend(problem.map(|problem| format!("{new}: {problem}")));
        assert!(!path.join("a/model.safetensors").exists());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
