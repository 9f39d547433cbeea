//! The `expe` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    expe_runtime::cli::run()
}
