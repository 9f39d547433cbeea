//! Each fused `f32` operation on the processor, see `cases`.

mod cases;

use dfdx::tensor::Cpu;

/// The device whose operations are tested.
type Fast = Cpu;

/// Draws of numbers for each case.
const SEEDS: u64 = 3;

fn fast() -> Fast {
    Cpu::default()
}
