//! Training for long takes no more memory than training for short, with the allocator that `expe` uses.
#![cfg(target_os = "linux")]

use std::fs;
use std::hint::black_box;

use expe_runtime::bench::{Training, random_tokens};
use expe_runtime::config::preset;
use expe_runtime::device::Cpu;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Memory that this process has in use, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Steps of training.
const STEPS: u32 = 10_000;
/// Steps after which the allocator has seen all that there is to see.
const WARM: u32 = 2_000;
/// What is allowed to an allocator that lays things out differently now and then: 256 bytes a step. Of the
/// activations and gradients of a step, any one that stayed behind in all four parts would be more.
const ALLOWED: u64 = 256 * (STEPS - WARM) as u64;

#[test]
fn memory_does_not_grow_over_ten_thousand_steps() {
    let mut config = preset("quick").unwrap();
    config.train.batch = 4;
    config.model.layers = 1;
    config.model.width = 8;
    config.model.heads = 2;
    config.model.kv_heads = 2;
    config.model.head_width = 4;
    config.model.hidden = 16;
    config.model.context = 8;
    config.model.position = expe_runtime::config::position("expe", 8).unwrap();
    let tokens = random_tokens(&config);
    let mut training = Training::new(&config, &tokens, 2, &Cpu::default()).unwrap();
    let mut warm = 0;
    for step in 0..STEPS {
        if step == WARM {
            warm = resident();
        }
        training.step().unwrap();
    }
    let grown = resident().saturating_sub(warm);
    assert!(grown < ALLOWED, "{grown} bytes more after {STEPS} steps than after {WARM}");
    // It would have been seen: the same number of steps that leave half a kilobyte behind.
    for _ in WARM..STEPS {
        std::mem::forget(black_box(vec![1_u8; 512]));
    }
    assert!(resident() - warm >= ALLOWED, "a leak goes unnoticed");
}
