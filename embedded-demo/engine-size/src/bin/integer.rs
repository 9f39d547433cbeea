//! Integer arithmetic with ExPE.
#![no_std]
#![no_main]

use core::hint::black_box;

use engine_size::{decode, expe};
use expe_core::{I8, Integer};

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(decode::<Integer, I8, _>(expe));
    loop {
        core::hint::spin_loop();
    }
}
