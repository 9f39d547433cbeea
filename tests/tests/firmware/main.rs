//! Runs the firmware of every board in QEMU and compares it with the engine on this machine: the same
//! model and prompt give the same logits, bit for bit, and so the same tokens.
//!
//! `cargo test --package expe-tests --test firmware` prints tables of the boards.

mod boards;
mod counts;
mod elf;
mod host;
mod log;

use std::io::{self, Write as _};
use std::path::Path;

use boards::{IDLE, Run, all};
use expe_core::Model;
use host::Story;

#[test]
fn every_board_generates_the_stories_of_the_host() {
    let mut table = vec![
        "| board | processor | demo | instructions per token | digest of the tokens | of all logits | of the host's logits |".to_owned(),
        "|---|---|---|---:|---|---|---|".to_owned(),
    ];
    let mut memories = vec![
        "| board | code in flash | constants and models in flash | variables in RAM | of which buffers | stack used |".to_owned(),
        "|---|---:|---:|---:|---:|---:|".to_owned(),
    ];
    for (board, firmware) in all() {
        let Run { log, status } = board.run(&firmware.demo);
        assert_eq!(status, Some(0), "{}: {log}", board.name);
        let demos = log::demos(&log);
        let names: Vec<&str> = demos.iter().map(|demo| demo.name.as_str()).collect();
        assert_eq!(names, board.demos, "{}", board.name);
        for demo in demos {
            let expected = host::story(&demo.name, demo.tokens.len(), demo.positions as usize);
            let log::Demo { name, tokens, token_digest, logit_digest, instructions, .. } = demo;
            table.push(format!(
                "| {} | {} | {name} | {instructions} | {token_digest:08x} | {logit_digest:08x} | {:08x} |",
                board.name, board.processor, expected.logit_digest,
            ));
            assert_eq!(Story { tokens, token_digest, logit_digest }, expected, "{}", board.name);
        }
        let log::Memory { code, constants, variables, buffers, stack_used, stack_size } =
            log::memory(&log);
        assert!(stack_used < stack_size, "{}", board.name);
        memories.push(format!(
            "| {} | {code} | {constants} | {variables} | {buffers} | {stack_used} of {stack_size} |",
            board.name,
        ));
    }
    // Not `println`, whose output the test harness captures.
    let (table, memories) = (table.join("\n"), memories.join("\n"));
    writeln!(io::stdout(), "\n{table}\n\n{memories}\n\nall digests equal those of the host")
        .unwrap();
}

#[test]
fn a_cortex_m33_with_dsp_generates_the_stories_of_the_host() {
    let (board, firmware) = boards::with_dsp();
    let plain = all().iter().find(|(plain, _)| *plain == board).unwrap();
    let plain = log::demos(&plain.0.run(&plain.1.demo).log);
    let Run { log, status } = board.run(&firmware);
    assert_eq!(status, Some(0), "{log}");
    let demos = log::demos(&log);
    assert_eq!((demos.len(), plain.len()), (board.demos.len(), board.demos.len()));
    for (demo, plain) in demos.into_iter().zip(plain) {
        let expected = host::story(&demo.name, demo.tokens.len(), demo.positions as usize);
        let log::Demo { tokens, token_digest, logit_digest, instructions, .. } = demo;
        assert_eq!(Story { tokens, token_digest, logit_digest }, expected);
        assert!(instructions < plain.instructions, "the DSP instructions are not used");
    }
}

#[test]
fn a_story_of_20_000_tokens_equals_that_of_the_host() {
    let mut boards =
        all().iter().filter_map(|(board, firmware)| Some((board, firmware.endless.as_ref()?)));
    let (board, firmware) = boards.next().unwrap();
    let Run { log, status } = board.run(firmware);
    assert_eq!(status, Some(0), "{log}");
    let demos = log::demos(&log);
    let [demo] = &demos[..] else { panic!("not exactly one demo: {log}") };
    assert_eq!((demo.generated, demo.positions), (20_000, 64));
    let expected = host::story(&demo.name, 20_000, 64);
    assert_eq!(
        (demo.token_digest, demo.logit_digest),
        (expected.token_digest, expected.logit_digest)
    );
}

/// The linker checks that a program fits a board's memory; this test checks how large its model is.
#[test]
fn small_boards_have_memory_for_useful_models() {
    let parameters = |demo| {
        let model = Model::new(host::model(demo)).unwrap();
        let numbers = |tensor: expe_core::internals::StoredTensor<'_>| {
            tensor.shape.rows * tensor.shape.columns
        };
        model.tensors().map(numbers).sum::<usize>()
    };
    for (name, demo, least_parameters, positions, flash, ram) in [
        ("netduinoplus2", "stories", 250_000, 256, 1 << 20, 128 << 10),
        ("microbit", "pocket", 100_000, 64, 256 << 10, 16 << 10),
    ] {
        let (board, firmware) = all().iter().find(|(board, _)| board.name == name).unwrap();
        let Run { log, .. } = board.run(&firmware.demo);
        assert!(parameters(demo) >= least_parameters);
        let demos = log::demos(&log);
        assert_eq!(demos.iter().find(|one| one.name == demo).unwrap().positions, positions);
        let memory = log::memory(&log);
        assert!(memory.code + memory.constants <= flash, "{name}: {memory:?}");
        assert!(memory.variables + memory.stack_size <= ram, "{name}: {memory:?}");
    }
}

#[test]
fn the_memory_of_a_board_is_what_inspect_reports() {
    let (board, firmware) = all().iter().find(|(board, _)| board.name == "microbit").unwrap();
    let Run { log, .. } = board.run(&firmware.demo);
    let demos = log::demos(&log);
    let [demo] = &demos[..] else { panic!("not exactly one demo: {log}") };
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo/model");
    let inspect = format!("inspect pocket.expe --context {} --json -", demo.positions);
    let report = expe_tests::expe(&models, &inspect).succeeded().stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let reported = &report["memory"][0];
    assert_eq!(reported["cache"], demo.cache);
    assert_eq!(reported["workspace"], demo.workspace);
    // The other buffers are for tokens; the other variables do not belong to the engine.
    let memory = log::memory(&log);
    assert!(memory.buffers >= demo.cache + demo.workspace && memory.variables >= memory.buffers);
}

#[test]
fn the_readme_shows_the_story_of_the_microbit() {
    let (board, firmware) = all().iter().find(|(board, _)| board.name == "microbit").unwrap();
    let Run { log, .. } = board.run(&firmware.demo);
    let lines: Vec<&str> = log.lines().skip(1).take(4).collect();
    assert!(include_str!("../../../README.md").contains(&lines.join("\n")), "{log}");
}

#[test]
fn every_board_detects_a_stack_overflow() {
    for (board, firmware) in all() {
        let Run { log, status } = board.run(&firmware.overflow);
        assert!(log.starts_with("ERROR stack overflow: "), "{}: {log}", board.name);
        assert_eq!((log.lines().count(), status), (2, IDLE), "{}: {log}", board.name);
    }
}

#[test]
fn every_board_rejects_a_damaged_model() {
    let folder = tempfile::tempdir().unwrap();
    for (board, firmware) in all() {
        let damaged = elf::damaged(&firmware.demo, host::model(board.demos[0]));
        let path = folder.path().join(board.name);
        std::fs::write(&path, damaged).unwrap();
        let Run { log, status } = board.run(&path);
        assert!(log.starts_with("ERROR Engine(Format(Checksum"), "{}: {log}", board.name);
        assert_eq!((log.lines().count(), status), (2, IDLE), "{}: {log}", board.name);
    }
}

#[test]
fn two_runs_take_the_same_number_of_instructions() {
    for name in ["microbit", "virt"] {
        let (board, firmware) = all().iter().find(|(board, _)| board.name == name).unwrap();
        assert_eq!(board.run(&firmware.demo).log, board.run(&firmware.demo).log);
    }
}

/// Without an FPU the compiler calls a routine for every operation on floats.
#[test]
fn no_board_links_routines_for_floats() {
    for (board, firmware) in all() {
        let routines =
            elf::symbols(&firmware.demo).into_iter().filter(|name| elf::is_soft_float(name));
        assert_eq!(routines.collect::<Vec<_>>(), [""; 0], "{}", board.name);
    }
}

#[test]
fn the_integer_arithmetic_does_not_use_the_fpu() {
    let floats = |name| {
        let (_, firmware) = all().iter().find(|(board, _)| board.name == name).unwrap();
        elf::float_instructions(&firmware.demo)
    };
    assert_eq!(floats("netduinoplus2"), 0);
    assert!(floats("mps2-an386") > 100, "its demos include one in floats");
}

/// The code of `core::fmt` that formats the message of a panic would take kilobytes.
#[test]
fn no_board_links_the_formatting_of_panics() {
    for (board, firmware) in all() {
        let mut symbols = elf::symbols(&firmware.demo).into_iter();
        assert_eq!(symbols.find(|symbol| symbol.contains("4core3fmt")), None, "{}", board.name);
    }
}
