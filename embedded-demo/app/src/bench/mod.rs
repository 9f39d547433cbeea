//! Benchmarks that count instructions: decoding with a model that the emulator loads, and individual kernels.
//! `bench` in `embedded-demo/runner` runs them on the boards and prints the counts as a table.

mod decode;
mod kernels;

use core::hint::black_box;

use expe_core::internals::Execution;
use expe_core::{F32, Float, I8, Integer, Model};

use crate::{Error, InstructionCounter};

/// Words of memory for the benchmarks of integer arithmetic.
pub const INTEGER_WORDS: usize = 88 * 1024;
/// Words of memory for the benchmarks of integer and floating-point arithmetic.
pub const FLOAT_WORDS: usize = 256 * 1024;

/// Measures integer arithmetic: decoding with the model `file`, or the kernels if `file` is empty.
///
/// # Errors
/// [`Error::Engine`] for a damaged model, [`Error::MemoryTooSmall`] for a model that is too large.
pub fn integers(
    file: &'static [u8],
    memory: &mut [u32],
    counter: &impl InstructionCounter,
) -> Result<(), Error> {
    if file.is_empty() {
        return kernels::integers(memory, counter);
    }
    let model = Model::new(file)?;
    match model.execution() {
        Execution::Integer => decode::decode::<Integer, I8>("integers", &model, memory, counter),
        Execution::Float => Ok(()),
    }
}

/// Measures single precision, and integer arithmetic if the model was exported for it: decoding with the model
/// `file`, or the kernels if `file` is empty.
///
/// # Errors
/// [`Error::Engine`] for a damaged model, [`Error::MemoryTooSmall`] for a model that is too large.
pub fn integers_and_floats(
    file: &'static [u8],
    memory: &mut [u32],
    counter: &impl InstructionCounter,
) -> Result<(), Error> {
    integers(file, memory, counter)?;
    if file.is_empty() {
        return kernels::floats(memory, counter);
    }
    decode::decode::<Float, F32>("floats", &Model::new(file)?, memory, counter)
}

/// Runs `work`, which performs `units` units of the work `name`, and logs the number of instructions.
fn measure<T>(
    name: &str,
    units: u32,
    counter: &impl InstructionCounter,
    work: impl FnOnce() -> T,
) -> T {
    let (overhead, ()) = count(counter, || ());
    let (total, result) = count(counter, work);
    match (total, overhead) {
        (Some(total), Some(overhead)) => {
            defmt::println!("measured {=str}: {=u64} in {=u32}", name, total - overhead, units);
        }
        _ => defmt::println!("instructions cannot be counted here"),
    }
    result
}

#[inline(never)]
fn count<T>(counter: &impl InstructionCounter, work: impl FnOnce() -> T) -> (Option<u64>, T) {
    let before = counter.now();
    let result = black_box(work());
    let after = counter.now();
    (counter.instructions(before, after), result)
}
