//! Training for long takes no more memory than training for short, with the allocator that `expe` uses.
#![cfg(target_os = "linux")]
// An allocator cannot be counted without.
#![expect(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use expe::bench::{Training, random_tokens};
use expe::config::preset;
use expe::device::Cpu;
use mimalloc::MiMalloc;

/// The allocator, and the bytes that were asked of it and not given back.
struct Counted;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is MiMalloc's; the counter changes nothing of it. `realloc` and `alloc_zeroed` are those
// of the trait, by way of these two.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { MiMalloc.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

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
/// What may be in use more than before, in bytes: less than one a step, so that whatever a step leaves behind
/// is seen.
const LEFT: usize = (STEPS - WARM) as usize / 2;
/// What is allowed to an allocator that lays things out differently now and then: 256 bytes a step.
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
    // It would have been seen: the same number of steps that leave a byte behind.
    for _ in WARM..STEPS {
        std::mem::forget(black_box(Box::new(1_u8)));
    }
    assert!(IN_USE.load(Relaxed).saturating_sub(in_use) >= LEFT, "a leak goes unnoticed");
}
