//! The `expe` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Training takes and gives back large blocks all the time; the system's allocator returns them to the
/// kernel and has every page of them mapped again, which cost a tenth of a step.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    expe_runtime::cli::run()
}
