//! Counts the instructions of the engine on every board in QEMU and prints them as a table.
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
use expe_core::Config;
use expe_core::internals::DType;
use expe_firmware_runner::Machine;

/// Counts instructions in QEMU.
#[derive(Parser)]
struct Arguments {
    /// Names of boards [default: all that have a benchmark].
    boards: Vec<String>,
    /// Run only what the tests compare: the kernels, and decoding with the smallest model.
    #[arg(long)]
    quick: bool,
    /// Print tab-separated lines of `board, work, units, instructions` instead of tables.
    #[arg(long)]
    lines: bool,
    /// Run only one model, such as `s1-int8-expe`, or `kernels`.
    #[arg(long)]
    only: Option<String>,
    /// A plugin for QEMU and its arguments, as `FILE,key=value`.
    #[arg(long)]
    plugin: Option<String>,
}

/// A board with a benchmark.
struct Board {
    name: &'static str,
    target: &'static str,
    /// Whether its benchmark also measures floating-point arithmetic.
    floats: bool,
}

const BOARDS: [Board; 5] = [
    Board { name: "mps2-an385", target: "thumbv7m-none-eabi", floats: false },
    Board { name: "mps2-an386", target: "thumbv7em-none-eabihf", floats: true },
    Board { name: "mps2-an505", target: "thumbv8m.main-none-eabi", floats: false },
    Board { name: "mps3-an547", target: "thumbv8m.main-none-eabihf", floats: false },
    Board { name: "virt", target: "riscv32imac-unknown-none-elf", floats: false },
];

/// A measurement: the instructions of `units` repetitions of `work`.
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
    let selected = |board: &&Board| {
        arguments.boards.is_empty() || arguments.boards.iter().any(|name| name == board.name)
    };
    let folder = tempfile::tempdir().context("cannot create a folder for the models")?;
    let mut counts = Vec::new();
    for board in BOARDS.iter().filter(selected) {
        let firmware = build(board)?;
        for run in runs(&arguments, board) {
            let file = match &run.model {
                Some((config, dtype)) => {
                    let file = folder.path().join(&run.name);
                    models::write(config, *dtype, &file)?;
                    Some(file)
                }
                None => None,
            };
            let log = emulate(board, &firmware, file.as_deref(), arguments.plugin.as_deref())?;
            let found = parse_counts(board, &run, &log);
            ensure!(!found.is_empty(), "no counts in the log of {}: {log}", board.name);
            if arguments.lines {
                for Count { board, work, units, instructions } in &found {
                    println!("{board}\t{work}\t{units}\t{instructions}");
                }
            }
            counts.extend(found);
        }
    }
    if !arguments.lines {
        print_tables(&counts);
    }
    Ok(())
}

/// A run of a benchmark: decoding with a model, or the kernels.
struct Run {
    name: String,
    model: Option<(Config, DType)>,
}

/// Returns the runs that `arguments` select for a board.
fn runs(arguments: &Arguments, board: &Board) -> Vec<Run> {
    let mut runs = vec![Run { name: "kernels".to_owned(), model: None }];
    for (shape, config) in models::SHAPES {
        for (position, encoding) in models::positions(config.width) {
            if shape != "wide" && !["expe", "rope"].contains(&position) {
                continue;
            }
            for (name, dtype) in [("int8", DType::Int8), ("f32", DType::F32)] {
                let config = Config { position: encoding, ..config };
                let name = format!("{shape}-{name}-{position}");
                if dtype == DType::Int8 || board.floats {
                    runs.push(Run { name, model: Some((config, dtype)) });
                }
            }
        }
    }
    runs.retain(|run| match &arguments.only {
        Some(name) => run.name == *name,
        None => !arguments.quick || run.name == "kernels" || run.name.starts_with("s0"),
    });
    runs
}

/// Builds the benchmark of a board in its folder, whose configuration sets the target.
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

/// Runs a benchmark and returns its log.
fn emulate(
    board: &Board,
    firmware: &Path,
    model: Option<&Path>,
    plugin: Option<&str>,
) -> Result<String> {
    let mut machine = Machine::new(board.name.to_owned(), firmware)?;
    if let Some(model) = model {
        machine = machine.with_model(model)?;
    }
    if let Some(plugin) = plugin {
        machine = machine.with_plugin(plugin);
    }
    let mut log = Vec::new();
    let status = expe_firmware_runner::run(&machine, Duration::from_secs(600), &mut log)?;
    let log = String::from_utf8(log)?;
    if status != 0 {
        bail!("{}: {log}", board.name);
    }
    Ok(log)
}

/// Parses the counts in a log from lines of the form `measured WORK: INSTRUCTIONS in UNITS`.
fn parse_counts(board: &Board, run: &Run, log: &str) -> Vec<Count> {
    let count = |line: &str| {
        let (work, counts) = line.strip_prefix("measured ")?.rsplit_once(": ")?;
        let (instructions, units) = counts.split_once(" in ")?;
        let work = match run.model {
            Some(_) => format!("{} in {work}", run.name),
            None => work.to_owned(),
        };
        let (units, instructions) = (units.parse().ok()?, instructions.parse().ok()?);
        Some(Count { board: board.name, work, units, instructions })
    };
    log.lines().filter_map(count).collect()
}

/// Prints two tables: all counts, and the instructions that position encodings add to a model without one.
fn print_tables(counts: &[Count]) {
    println!("| board | work | instructions | units | per unit |\n|---|---|---:|---:|---:|");
    for Count { board, work, units, instructions } in counts {
        let per_unit = *instructions as f64 / *units as f64;
        println!("| {board} | {work} | {instructions} | {units} | {per_unit:.2} |");
    }
    let layers = models::SHAPES[2].1.layers as f64;
    println!(
        "\nInstructions that positions add to a model without any, per token and layer (width 288, 6 heads):\n"
    );
    println!("| board | arithmetic | position | instructions |\n|---|---|---|---:|");
    for Count { board, work, units, instructions } in counts {
        let Some((position, arithmetic)) = parse_position(work) else { continue };
        let base = work.replacen(&format!("-{position} "), "-none ", 1);
        let is_base = |count: &&Count| count.board == *board && count.work == base;
        if let Some(none) = counts.iter().find(is_base).filter(|_| position != "none") {
            let more = (*instructions as f64 - none.instructions as f64) / *units as f64 / layers;
            println!("| {board} | {arithmetic} | {position} | {more:.0} |");
        }
    }
}

/// Parses the name of work with a wide model. Returns the position encoding, and the number format and arithmetic.
fn parse_position(work: &str) -> Option<(&str, String)> {
    let (format, rest) = work.strip_prefix("wide-")?.split_once('-')?;
    let (position, arithmetic) = rest.split_once(" in ")?;
    Some((position, format!("{format} in {arithmetic}")))
}
