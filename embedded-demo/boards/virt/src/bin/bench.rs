//! Counts instructions; see `expe_demo_platform::bench`.
#![no_std]
#![no_main]

expe_demo_platform::bench!(riscv_rt::entry, expe_demo_riscv::measure, [], 0x8100_0000, false);
