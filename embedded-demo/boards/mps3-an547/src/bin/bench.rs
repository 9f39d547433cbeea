//! Counts instructions; see `expe_demo_platform::bench`.
#![no_std]
#![no_main]

expe_demo_platform::bench!(
    cortex_m_rt::entry,
    expe_demo_cortex_m::measure,
    [32_000_000],
    0x6000_0000,
    false
);
