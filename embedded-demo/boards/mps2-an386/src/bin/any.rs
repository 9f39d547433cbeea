//! Generates a story with the model file that `EXPE_MODEL` names, which can have any number format and position
//! encoding. `embedded-demo/formats` uses it to compare number formats.
#![no_std]
#![no_main]

use core::marker::PhantomData;

use expe_core::internals::Execution;
use expe_core::position::Position;
use expe_core::{Config, F32, Float, I8, Integer, Model};
use expe_demo_app::{Demo, Error, Memory, largest};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

const MODEL: &[u8] = expe_core::include_model!(env!("EXPE_MODEL"));

/// Training length of the model, which every encoding supports.
const CONTEXT: usize = match Config::from_file(MODEL) {
    Ok(config) => config.context,
    Err(_) => panic!("EXPE_MODEL does not name a model file"),
};

const FLOATS: Demo<Float, F32> = demo("cache in f32");
const FLOATS_OVER_INT8: Demo<Float, I8> = demo("cache in int8");
const INTEGERS: Demo<Integer, I8> = demo("cache in int8");

const fn demo<A, S>(name: &'static str) -> Demo<A, S> {
    Demo {
        name,
        model: MODEL,
        capacity: CONTEXT,
        sinks: None,
        chunk: 1,
        tokens: CONTEXT,
        print: true,
        types: PhantomData,
    }
}

const WORDS: usize = largest(&[FLOATS.words(), FLOATS_OVER_INT8.words(), INTEGERS.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| match execution()? {
        Execution::Float => {
            FLOATS.run_with(position, memory, counter)?;
            FLOATS_OVER_INT8.run_with(position, memory, counter)
        }
        Execution::Integer => INTEGERS.run_with(position, memory, counter),
    })
}

/// Returns the arithmetic that the file was exported for.
#[inline(never)] // so that its stack frame is released before a story starts
fn execution() -> Result<Execution, Error> {
    match &Model::new(MODEL) {
        Ok(model) => Ok(model.execution()),
        Err(error) => Err((*error).into()),
    }
}

/// Returns the position encoding of the model, chosen at run time.
fn position(model: &Model<'static>) -> Result<Position<'static>, Error> {
    Ok(model.position()?)
}
