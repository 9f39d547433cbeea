//! Counts the instructions of the engine on every board, in QEMU, and prints them as a table.
//!
//! ```text
//! cargo run --manifest-path embedded-demo/runner/Cargo.toml --bin bench -- [BOARD]... [--quick]
//! ```

mod models;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    str,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use expe_core::format::Numbers;
use expe_core::Config;
use expe_firmware_runner::{Machine, run};

/// Counts instructions in QEMU.
#[derive(Parser)]
struct Arguments {
    /// The boards, by the names of their folders [default: all that there is a benchmark for].
    boards: Vec<String>,
    /// Only what the tests compare: the kernels, and decoding with the smallest model.
    #[arg(long)]
    quick: bool,
    /// Print lines of `board, work, units, instructions`, with tabs between, instead of tables.
    #[arg(long)]
    lines: bool,
    /// Run one model only: its name, such as `s1-int8-expe`, or `kernels`.
    #[arg(long)]
    only: Option<String>,
    /// A plugin for QEMU, and what it is told, as `FILE,key=value`.
    #[arg(long)]
    plugin: Option<String>,
}

/// A board with a benchmark.
struct Board {
    name: &'static str,
    target: &'static str,
    /// Where its firmware expects a model.
    address: u32,
    floats: bool,
}

const BOARDS: [Board; 5] = [
    Board { name: "mps2-an385", target: "thumbv7m-none-eabi", address: 0x2100_0000, floats: false },
    Board {
        name: "mps2-an386",
        target: "thumbv7em-none-eabihf",
        address: 0x2100_0000,
        floats: true,
    },
    Board {
        name: "mps2-an505",
        target: "thumbv8m.main-none-eabi",
        address: 0x8000_0000,
        floats: false,
    },
    Board {
        name: "mps3-an547",
        target: "thumbv8m.main-none-eabihf",
        address: 0x6000_0000,
        floats: false,
    },
    Board {
        name: "virt",
        target: "riscv32imac-unknown-none-elf",
        address: 0x8100_0000,
        floats: false,
    },
];

/// A count: what was done how many times, and the instructions of all of it.
#[derive(Clone)]
struct Count {
    board: &'static str,
    work: String,
    units: u64,
    instructions: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for name in &arguments.boards {
        ensure!(BOARDS.iter().any(|board| board.name == name), "no benchmark for {name}");
    }
    let named = |board: &&Board| {
        arguments.boards.is_empty() || arguments.boards.iter().any(|name| name == board.name)
    };
    let folder = tempfile::tempdir().context("no room for the models")?;
    let mut counts = Vec::new();
    for board in BOARDS.iter().filter(named) {
        let firmware = build(board)?;
        for model in wanted(&arguments, board) {
            let file = match &model.config {
                Some((config, numbers)) => {
                    let file = folder.path().join(&model.name);
                    models::write(config, *numbers, &file)?;
                    Some(file)
                }
                None => None,
            };
            let log = emulate(board, &firmware, file.as_deref(), arguments.plugin.as_deref())?;
            let found = counts_of(board, &model, &log);
            ensure!(!found.is_empty(), "{} counts nothing: {log}", board.name);
            if arguments.lines {
                for Count { board, work, units, instructions } in &found {
                    println!("{board}\t{work}\t{units}\t{instructions}");
                }
            }
            counts.extend(found);
        }
    }
    if !arguments.lines {
        print(&counts);
    }
    Ok(())
}

/// What is brought along for a run: a model, or nothing for the kernels.
struct Brought {
    name: String,
    config: Option<(Config, Numbers)>,
}

/// The runs for a board.
fn wanted(arguments: &Arguments, board: &Board) -> Vec<Brought> {
    let mut wanted = vec![Brought { name: "kernels".to_owned(), config: None }];
    for (shape, config) in models::SHAPES {
        for (position, encoding) in models::positions(config.width) {
            if shape != "wide" && !["expe", "rope"].contains(&position) {
                continue;
            }
            for (name, numbers) in [("int8", Numbers::Int8), ("f32", Numbers::F32)] {
                let config = Config { position: encoding, ..config };
                let name = format!("{shape}-{name}-{position}");
                if numbers == Numbers::Int8 || board.floats {
                    wanted.push(Brought { name, config: Some((config, numbers)) });
                }
            }
        }
    }
    wanted.retain(|brought| match &arguments.only {
        Some(name) => brought.name == *name,
        None => !arguments.quick || brought.name == "kernels" || brought.name.starts_with("s0"),
    });
    wanted
}

/// Builds a board's benchmark, from the board's folder, which says for which target.
fn build(board: &Board) -> Result<PathBuf> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name = format!("{}-bench", board.name);
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--features", "bench", "--bin", &name])
        .current_dir(demo.join("boards").join(board.name))
        .status()
        .context("cargo is not on the PATH")?;
    ensure!(status.success(), "cannot build {name}");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(demo.join("target"), PathBuf::from);
    let firmware = target.join(board.target).join("release").join(name);
    fs::canonicalize(&firmware).with_context(|| format!("no firmware {}", firmware.display()))
}

/// Runs a benchmark and gives its log.
fn emulate(
    board: &Board,
    firmware: &Path,
    model: Option<&Path>,
    plugin: Option<&str>,
) -> Result<String> {
    let mut machine = Machine::new(board.name.to_owned(), firmware)?;
    if let Some(model) = model {
        machine = machine.with_file(model, board.address)?;
    }
    if let Some(plugin) = plugin {
        machine = machine.with_plugin(plugin);
    }
    let mut log = Vec::new();
    let status = run(&machine, Duration::from_secs(600), &mut log)?;
    let log = String::from_utf8(log)?;
    if status != 0 {
        bail!("{}: {log}", board.name);
    }
    Ok(log)
}

/// The counts in a log: `measured WORK: INSTRUCTIONS in UNITS`.
fn counts_of(board: &Board, brought: &Brought, log: &str) -> Vec<Count> {
    let count = |line: &str| {
        let (work, numbers) = line.strip_prefix("measured ")?.rsplit_once(": ")?;
        let (instructions, units) = numbers.split_once(" in ")?;
        let work = match brought.config {
            Some(_) => format!("{} in {work}", brought.name),
            None => work.to_owned(),
        };
        let (units, instructions) = (units.parse().ok()?, instructions.parse().ok()?);
        Some(Count { board: board.name, work, units, instructions })
    };
    log.lines().filter_map(count).collect()
}

/// Prints tables: decoding, kernels, and what position encodings add to a model without one.
fn print(counts: &[Count]) {
    println!("| board | work | instructions | units | per unit |\n|---|---|---:|---:|---:|");
    for Count { board, work, units, instructions } in counts {
        let each = *instructions as f64 / *units as f64;
        println!("| {board} | {work} | {instructions} | {units} | {each:.2} |");
    }
    let layers = models::SHAPES[2].1.layers as f64;
    println!(
        "\nWhat positions add to a model without any, per token and layer (288 wide, 6 heads):\n"
    );
    println!("| board | arithmetic | position | instructions |\n|---|---|---|---:|");
    for Count { board, work, units, instructions } in counts {
        let Some((position, numbers)) = named_position(work) else { continue };
        let base = work.replacen(&format!("-{position} "), "-none ", 1);
        let same = |count: &&Count| count.board == *board && count.work == base;
        if let Some(none) = counts.iter().find(same).filter(|_| position != "none") {
            let more = (*instructions as f64 - none.instructions as f64) / *units as f64 / layers;
            println!("| {board} | {numbers} | {position} | {more:.0} |");
        }
    }
}

/// The position encoding in the name of work with a wide model, and what it is computed in.
fn named_position(work: &str) -> Option<(&str, String)> {
    let (numbers, rest) = work.strip_prefix("wide-")?.split_once('-')?;
    let (position, arithmetic) = rest.split_once(" in ")?;
    Some((position, format!("{numbers} in {arithmetic}")))
}
