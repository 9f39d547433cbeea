//! Each `f32` operation on the processor, see `cases`.

mod cases;

use dfdx::tensor::Cpu;

/// The device whose operations are tested.
type Fast = Cpu;

/// How many sets of random numbers each case is tested with.
const SEEDS: u64 = 3;

fn fast() -> Fast {
    Cpu::default()
}
