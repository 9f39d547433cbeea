//! What the engine takes, in instructions: decoding with a model that is brought along, and single
//! kernels. `embedded-demo/bench` runs it on every board and prints the numbers as a table.

mod decode;
mod kernels;

use core::hint::black_box;

use expe_core::format::Execution;
use expe_core::{F32, Float, I8, Integer, Model};

use crate::{Error, Machine};

/// Words of memory that the largest benchmark needs; with `floats` its cache has four bytes per element.
pub const fn words(floats: bool) -> usize {
    if floats { 256 * 1024 } else { 88 * 1024 }
}

/// Measures decoding with the model `file`, or the kernels if it is empty; `FLOATS` where the
/// processor has them.
///
/// # Errors
/// Those of the engine.
pub fn run<const FLOATS: bool>(
    file: &'static [u8],
    memory: &mut [u32],
    machine: &impl Machine,
) -> Result<(), Error> {
    if file.is_empty() {
        kernels::integers(memory, machine);
        if FLOATS {
            kernels::floats(memory, machine);
        }
        return Ok(());
    }
    let model = Model::new(file)?;
    if model.execution() == Execution::Integer {
        decode::decode::<Integer, I8>("integers", &model, memory, machine)?;
    }
    if FLOATS {
        decode::decode::<Float, F32>("floats", &model, memory, machine)?;
    }
    Ok(())
}

/// Logs the instructions of `work`, which does `units` of what `name` says.
fn measure<T>(name: &str, units: u32, machine: &impl Machine, work: impl FnOnce() -> T) -> T {
    let (empty, result) = (count(machine, || ()).0, count(machine, work));
    match (result.0, empty) {
        (Some(all), Some(empty)) => {
            defmt::println!("measured {=str}: {=u64} in {=u32}", name, all - empty, units);
        }
        _ => defmt::println!("instructions cannot be counted here"),
    }
    result.1
}

#[inline(never)]
fn count<T>(machine: &impl Machine, work: impl FnOnce() -> T) -> (Option<u64>, T) {
    let before = machine.now();
    let result = black_box(work());
    let after = machine.now();
    (machine.instructions(before, after), result)
}
