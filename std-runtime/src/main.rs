//! The `expe` command.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Training allocates and frees large blocks all the time. The system's allocator returns them to the kernel,
/// and mapping their pages again took a tenth of a step.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// mimalloc's option `purge_delay`, which its bindings of version 0.1.49 lack: milliseconds after which freed
/// memory is returned to the system, negative for never.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // A step reuses the memory that the previous one freed; clearing and mapping it again takes 7 % of a step of
    // a large model. The environment variable MIMALLOC_PURGE_DELAY takes precedence.
    #[allow(unsafe_code)]
    // SAFETY: sets a number that the allocator reads; it is valid at any time and with any value.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1);
    }
    cli::run()
}

#[cfg(test)]
mod tests {
    use super::PURGE_DELAY;

    /// No other option of mimalloc has the default 1000.
    #[test]
    fn the_constant_is_the_purge_delay() {
        #[allow(unsafe_code)]
        // SAFETY: reads a number.
        let delay = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay, 1000);
    }
}
