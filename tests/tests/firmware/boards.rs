//! The boards: how their firmware is built and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A board, by the name of its folder and of QEMU's machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    pub name: &'static str,
    pub processor: &'static str,
    /// The demos that it runs.
    pub demos: &'static [&'static str],
}

/// What most boards run.
const INTEGER: &[&str] = &["pocket", "stories"];
/// What a board with an FPU runs too.
const BOTH: &[&str] = &["pocket", "stories", "stories-in-floats"];

const BOARDS: [Board; 7] = [
    Board { name: "microbit", processor: "Cortex-M0", demos: &["pocket"] },
    Board { name: "mps2-an385", processor: "Cortex-M3", demos: INTEGER },
    Board { name: "mps2-an386", processor: "Cortex-M4F", demos: BOTH },
    Board { name: "netduinoplus2", processor: "Cortex-M4F", demos: INTEGER },
    Board { name: "mps2-an505", processor: "Cortex-M33", demos: INTEGER },
    Board { name: "mps3-an547", processor: "Cortex-M55", demos: INTEGER },
    Board { name: "virt", processor: "riscv32imac", demos: INTEGER },
];

/// A board's ELF files.
#[derive(Debug)]
pub struct Firmware {
    /// What the board is for.
    pub demo: PathBuf,
    /// What overflows its stack.
    pub overflow: PathBuf,
    /// A very long story.
    pub endless: Option<PathBuf>,
}

/// What a firmware did.
#[derive(Debug)]
pub struct Run {
    /// The decoded log.
    pub log: String,
    /// The exit status; see [`IDLE`].
    pub status: Option<i32>,
}

/// The exit status for a firmware that idles after an error.
pub const IDLE: Option<i32> = Some(3);

fn embedded_demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo")
}

/// All boards with their firmware, built once; together, for they would only wait for each other.
pub fn all() -> &'static [(Board, Firmware)] {
    static ALL: OnceLock<Vec<(Board, Firmware)>> = OnceLock::new();
    ALL.get_or_init(|| {
        BOARDS.into_iter().map(|board| (build(board.name), board)).map(|(f, b)| (b, f)).collect()
    })
}

/// Builds a board's firmware, from its folder, which says for which target.
fn build(board: &str) -> Firmware {
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--message-format", "json"])
        .current_dir(embedded_demo().join("boards").join(board))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo is on the PATH");
    assert!(output.status.success(), "cannot build {board}");
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let files: Vec<PathBuf> =
        messages.filter_map(|message| Some(message["executable"].as_str()?.into())).collect();
    let named = |suffix: &str| {
        files.iter().find(|file| file.ends_with(format!("{board}{suffix}"))).cloned()
    };
    Firmware {
        demo: named("").expect("every board has a demo"),
        overflow: named("-overflow").expect("every board can overflow"),
        endless: named("-endless"),
    }
}

/// The Cortex-M33's demo for a processor that has the DSP instructions, as the one in QEMU does; in a
/// folder of its own, for the flag would have all else built anew.
pub fn with_dsp() -> (Board, PathBuf) {
    let [.., board, _, _] = BOARDS;
    let folder = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => embedded_demo().join("target"),
    };
    let folder = std::path::absolute(folder.join("dsp")).unwrap();
    let flag = r#"target.thumbv8m.main-none-eabi.rustflags = ["-C", "target-feature=+dsp"]"#;
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--bin", board.name, "--config", flag])
        .arg("--target-dir")
        .arg(&folder)
        .current_dir(embedded_demo().join("boards").join(board.name))
        .status()
        .expect("cargo is on the PATH");
    assert!(status.success(), "cannot build {}", board.name);
    let firmware = folder.join("thumbv8m.main-none-eabi/release").join(board.name);
    (board, firmware)
}

impl Board {
    /// Runs `firmware` on the board.
    pub fn run(&self, firmware: &Path) -> Run {
        let output = Command::new(embedded_demo().join("toolchain/run"))
            .arg(firmware)
            .args(["--machine", self.name])
            .output()
            .expect("the runner is a program");
        let log = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{}: {log}{errors}", self.name);
        Run { log, status: output.status.code() }
    }
}
