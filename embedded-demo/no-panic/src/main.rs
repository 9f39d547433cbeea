//! Links only if no path of `expe-core` can panic.
//!
//! The panic handler calls a function that is not defined. In a release build the optimizer removes the
//! handler if nothing can reach it; otherwise the linker reports `undefined symbol:
//! the_engine_can_panic` and names the function that panics. The program calls everything that firmware
//! calls, with inputs that the optimizer cannot know. It is never run.
#![no_std]
#![no_main]

mod engine;
mod positions;

use core::hint::black_box;
use core::panic::PanicInfo;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(engine::generate(black_box(engine::Inputs::default())));
    positions::encode_all(black_box(positions::Inputs::default()));
    #[cfg(feature = "deliberate-panic")]
    assert!(black_box(true), "a deliberate panic");
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn the_engine_can_panic() -> !;
    }
    // SAFETY: a program that contains this call cannot be linked.
    unsafe { the_engine_can_panic() }
}
