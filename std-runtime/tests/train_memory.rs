//! Memory does not grow with the number of training steps, with the allocator that `expe` uses.
#![cfg(target_os = "linux")]
// Counting allocations needs an allocator of our own, which is unsafe to implement.
#![expect(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use expe::bench::{Training, random_tokens};
use expe::config::preset;
use expe::device::Cpu;
use mimalloc::MiMalloc;

/// The allocator with a counter of the allocated bytes.
struct Counted;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: forwards to MiMalloc; the counter does not affect it. The default `realloc` and `alloc_zeroed` call
// these two methods.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller upholds the contract of the trait.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller upholds the contract of the trait.
        unsafe { MiMalloc.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Returns the resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Steps of training.
const STEPS: u32 = 10_000;
/// Steps after which the allocator has reached its steady state.
const WARM: u32 = 2_000;
/// Allowed growth in bytes: less than one per step, so that any leak of a step is detected.
const LEFT: usize = (STEPS - WARM) as usize / 2;
/// Allowed growth of resident memory, whose layout varies: 256 bytes per step.
const LAID_OUT: u64 = 256 * (STEPS - WARM) as u64;

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
    config.model.position = expe::config::position("expe", 8).unwrap();
    let tokens = random_tokens(&config);
    let mut training = Training::new(&config, &tokens, 2, &Cpu::default()).unwrap();
    let (mut in_use, mut memory) = (0, 0);
    for step in 0..STEPS {
        if step == WARM {
            (in_use, memory) = (IN_USE.load(Relaxed), resident());
        }
        training.step().unwrap();
    }
    let left = IN_USE.load(Relaxed).saturating_sub(in_use);
    assert!(left < LEFT, "{left} bytes more in use after {STEPS} steps than after {WARM}");
    let grown = resident().saturating_sub(memory);
    assert!(grown < LAID_OUT, "{grown} bytes more of memory after {STEPS} steps than after {WARM}");
    // The test detects a leak of one byte per step.
    for _ in WARM..STEPS {
        std::mem::forget(black_box(Box::new(1_u8)));
    }
    assert!(IN_USE.load(Relaxed).saturating_sub(in_use) >= LEFT, "the test misses a leak");
}
