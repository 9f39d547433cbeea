//! The `expe` command.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Training takes and gives back large blocks all the time; the system's allocator returns them to the
/// kernel and has every page of them mapped again, which cost a tenth of a step.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// mimalloc's option of that name, which its bindings of this version (0.1.49) do not name: milliseconds after which freed memory is
/// given back to the system, negative for never.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // A step takes what the one before has freed; to have it cleared and mapped anew each time takes 7 % of a
    // step of a large model. Who sets MIMALLOC_PURGE_DELAY is not overruled.
    #[allow(unsafe_code)]
    // SAFETY: sets a number that the allocator reads; any time and any number will do.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1);
    }
    cli::run()
}

#[cfg(test)]
mod tests {
    use super::PURGE_DELAY;

    /// No other of mimalloc's options is 1000 by default.
    #[test]
    fn the_option_is_the_one_meant() {
        #[allow(unsafe_code)]
        // SAFETY: reads a number.
        let delay = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay, 1000);
    }
}
