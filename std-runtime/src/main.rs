//! The `expe` command.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Training constantly allocates and frees large blocks. The system allocator returns them to the kernel, and
/// mapping their pages again takes about 10 % of the time of a training step.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The mimalloc option `purge_delay`, which version 0.1.49 of the bindings does not define: the delay in
/// milliseconds before freed memory is returned to the system, or a negative value for never.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // Each training step reuses the memory that the previous step freed. If mimalloc returned it to the system,
    // mapping and zeroing it again would take 7 % of the time of a step of a large model. The environment
    // variable MIMALLOC_PURGE_DELAY overrides this default.
    #[allow(unsafe_code)]
    // SAFETY: sets an integer option; mimalloc allows this at any time and accepts any value.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1);
    }
    cli::run()
}

#[cfg(test)]
mod tests {
    use super::PURGE_DELAY;

    /// `purge_delay` is the only mimalloc option whose default is 1000.
    #[test]
    fn the_constant_is_the_purge_delay() {
        #[allow(unsafe_code)]
        // SAFETY: reads an integer option.
        let delay = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay, 1000);
    }
}
