//! The firmware of every board, run in QEMU, against the engine on this machine: the same file and
//! prompt give the same tokens, from the same logits to the last bit.
//!
//! `cargo test --package expe-tests --test firmware` prints a table of the boards.

mod boards;
mod elf;
mod host;
mod log;

use std::io::{self, Write as _};

use boards::{IDLE, Run, all};
use host::Story;

#[test]
fn every_board_tells_the_hosts_stories() {
    let mut table = vec![
        "| board | processor | demo | instructions per token | digest of the tokens | digest of the logits |".to_owned(),
        "|---|---|---|---:|---|---|".to_owned(),
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
            let told = host::story(&demo.name, demo.tokens.len(), demo.positions as usize);
            let log::Demo { name, tokens, token_digest, logit_digest, instructions, .. } = demo;
            table.push(format!(
                "| {} | {} | {name} | {instructions} | {token_digest:08x} | {logit_digest:08x} |",
                board.name, board.processor,
            ));
            assert_eq!(Story { tokens, token_digest, logit_digest }, told, "{}", board.name);
        }
        let memory = log::memory(&log);
        memories.push(format!(
            "| {} | {} | {} | {} | {} | {} of {} |",
            board.name,
            memory.code,
            memory.constants,
            memory.variables,
            memory.buffers,
            memory.stack_used,
            memory.stack_size,
        ));
        assert!(memory.stack_used < memory.stack_size);
    }
    // Around the test harness, which would keep the tables to itself.
    let (table, memories) = (table.join("\n"), memories.join("\n"));
    writeln!(io::stdout(), "\n{table}\n\n{memories}\n\nall digests equal the host's").unwrap();
}

#[test]
fn a_stack_that_overflows_is_noticed_on_every_board() {
    for (board, firmware) in all() {
        let Run { log, status } = board.run(&firmware.overflow);
        assert!(log.starts_with("ERROR stack overflow: "), "{}: {log}", board.name);
        assert_eq!((log.lines().count(), status), (2, IDLE), "{}: {log}", board.name);
    }
}

#[test]
fn a_damaged_model_is_refused_on_every_board() {
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
fn a_run_can_be_repeated_to_the_last_instruction() {
    let (board, firmware) = &all()[0];
    assert_eq!(board.run(&firmware.demo).log, board.run(&firmware.demo).log);
}

/// What a panic says is formatted by code of `core::fmt`, which would take kilobytes.
#[test]
fn no_board_can_format_a_panic() {
    for (board, firmware) in all() {
        let mut symbols = elf::symbols(&firmware.demo).into_iter();
        assert_eq!(symbols.find(|symbol| symbol.contains("4core3fmt")), None, "{}", board.name);
    }
}
