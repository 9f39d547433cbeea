//! The boards, and how their firmware is built and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A board.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Name of its folder and of QEMU's machine.
    pub name: &'static str,
    pub processor: &'static str,
    /// Demos in the order in which it runs them.
    pub demos: &'static [&'static str],
}

/// The demos of most boards.
const INTEGER: &[&str] = &["pocket", "stories"];
/// The demos of a board with an FPU and enough RAM.
const ALL: &[&str] = &["pocket", "stories", "stories-in-floats"];

const BOARDS: [Board; 7] = [
    Board { name: "microbit", processor: "Cortex-M0", demos: &["pocket"] },
    Board { name: "mps2-an385", processor: "Cortex-M3", demos: INTEGER },
    Board { name: "mps2-an386", processor: "Cortex-M4F", demos: ALL },
    Board { name: "netduinoplus2", processor: "Cortex-M4F", demos: INTEGER },
    Board { name: "mps2-an505", processor: "Cortex-M33", demos: INTEGER },
    Board { name: "mps3-an547", processor: "Cortex-M55", demos: INTEGER },
    Board { name: "virt", processor: "riscv32imac", demos: INTEGER },
];

/// The ELF files of a board.
#[derive(Debug)]
pub struct Firmware {
    /// Runs the demos.
    pub demo: PathBuf,
    /// Overflows the stack.
    pub overflow: PathBuf,
    /// Generates a very long story.
    pub endless: Option<PathBuf>,
}

/// The result of running a firmware.
#[derive(Debug)]
pub struct Run {
    /// Decoded log.
    pub log: String,
    /// Exit status of the runner; see [`IDLE`].
    pub status: Option<i32>,
}

/// Exit status of the runner for a firmware that idles after an error.
pub const IDLE: Option<i32> = Some(3);

fn embedded_demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo")
}

/// Returns all boards with their firmware, which is built once, one board after the other: in parallel they
/// would wait for cargo's lock.
pub fn all() -> &'static [(Board, Firmware)] {
    static ALL: OnceLock<Vec<(Board, Firmware)>> = OnceLock::new();
    ALL.get_or_init(|| {
        BOARDS
            .into_iter()
            .map(|board| {
                let firmware = build(board.name);
                (board, firmware)
            })
            .collect()
    })
}

/// Builds a board's firmware in the board's folder, whose configuration names the target.
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
    let binary = |suffix: &str| {
        files.iter().find(|file| file.ends_with(format!("{board}{suffix}"))).cloned()
    };
    Firmware {
        demo: binary("").expect("every board has a demo"),
        overflow: binary("-overflow").expect("every board has a binary that overflows"),
        endless: binary("-endless"),
    }
}

/// Builds the demo of the Cortex-M33 with DSP instructions, which QEMU's Cortex-M33 has. The build uses its own
/// target folder, because the flag would force a rebuild of everything.
pub fn with_dsp() -> (Board, PathBuf) {
    let [.., board, _, _] = BOARDS;
    assert_eq!(board.name, "mps2-an505");
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
            .expect("the runner can be started");
        let log = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{}: {log}{errors}", self.name);
        Run { log, status: output.status.code() }
    }
}
