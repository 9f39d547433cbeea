use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the path of the `expe` program: the value of the environment variable `EXPE_PROGRAM`, or else a
/// program built once per test binary, in the profile and target folder of the tests.
///
/// # Panics
/// If the program cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("EXPE_PROGRAM") {
        Some(path) => path.into(),
        None => build().unwrap_or_else(|why| panic!("cannot build expe: {why}")),
    })
}

/// Builds the program with cargo, which sets `CARGO_BIN_EXE_expe` only for the tests of package `expe`.
fn build() -> Result<PathBuf, String> {
    // <target>/<profile>/deps/<this test>
    let tests = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = tests.ancestors().nth(2).ok_or("the tests have no profile folder")?;
    let target = profile.parent().ok_or("the tests have no target folder")?;
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => return Err("the profile folder has no name".into()),
    };
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "expe", "--bin", "expe", "--message-format", "json"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables =
        messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    executables.next_back().ok_or("cargo names no executable".into())
}

/// The result of a finished command.
#[derive(Debug)]
pub struct Done {
    /// Exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Done {
    /// Converts the output of a finished process.
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Returns the result of a command that must succeed.
    ///
    /// # Panics
    /// If the command failed.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Returns the message of a command that must fail with exit code `code`.
    ///
    /// # Panics
    /// If the exit code differs or the message lacks one of `words`.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> String {
        if let Some(problem) = self.problem(code, words) {
            panic!("{problem}");
        }
        self.stderr
    }

    /// Describes how the result differs from a failure with exit code `code` and a message that contains
    /// all `words`; `None` if it does not differ.
    pub fn problem(&self, code: i32, words: &[&str]) -> Option<String> {
        let missing = words.iter().find(|word| !self.stderr.contains(**word));
        let has_message = self.stderr.contains("error: ") && !self.stderr.contains("panicked");
        if self.code == Some(code) && has_message && missing.is_none() {
            return None;
        }
        let Self { code: found, stdout, stderr } = self;
        let missing = missing.map(|word| format!("`{word}` is not in: ")).unwrap_or_default();
        Some(format!("exit code {found:?}, expected {code}; {missing}{stdout}{stderr}"))
    }
}

/// Runs `expe` in `folder` with arguments separated by spaces.
///
/// # Panics
/// If the program cannot be started.
pub fn expe(folder: &Path, arguments: &str) -> Done {
    expe_with(folder, &arguments.split_whitespace().collect::<Vec<_>>())
}

/// Runs `expe` in `folder` with a list of arguments.
///
/// # Panics
/// If the program cannot be started.
pub fn expe_with(folder: &Path, arguments: &[&str]) -> Done {
    let output = Command::new(program()).args(arguments).current_dir(folder).output();
    Done::new(output.expect("expe can be started"))
}

/// Runs `expe` as [`expe()`] does, from a shell that has executed the commands `limits`.
///
/// # Panics
/// If the shell cannot be started.
#[cfg(unix)]
pub fn limited(folder: &Path, limits: &str, arguments: &str) -> Done {
    let script = format!("{limits}; exec \"$0\" {arguments}");
    let mut shell = Command::new("sh");
    let output = shell.arg("-c").arg(script).arg(program()).current_dir(folder).output();
    Done::new(output.expect("a shell can be started"))
}
