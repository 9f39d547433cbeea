//! Every arithmetic with every cache format and every position encoding.
#![no_std]
#![no_main]

use core::hint::black_box;

use engine_size::{any, decode};
use expe_core::{F16, F32, Float, I8, Integer};

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(decode::<Integer, I8, _>(any));
    black_box(decode::<Float, F32, _>(any));
    black_box(decode::<Float, F16, _>(any));
    black_box(decode::<Float, I8, _>(any));
    loop {
        core::hint::spin_loop();
    }
}
