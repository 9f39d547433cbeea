//! Counts instructions; see `expe_demo_platform::bench`.
#![no_std]
#![no_main]

expe_demo_platform::bench!(
    cortex_m_rt::entry,
    expe_demo_cortex_m::measure,
    [20_000_000],
    0x8000_0000,
    false
);
