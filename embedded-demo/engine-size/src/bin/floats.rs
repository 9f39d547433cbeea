//! Single precision with ExPE.
#![no_std]
#![no_main]

use core::hint::black_box;

use engine_size::{decode, expe};
use expe_core::{F32, Float};

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(decode::<Float, F32, _>(expe));
    loop {
        core::hint::spin_loop();
    }
}
