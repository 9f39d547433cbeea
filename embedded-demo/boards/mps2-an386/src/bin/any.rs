//! Tells a story with the model file that `EXPE_MODEL` names, in whatever numbers and with whatever
//! position encoding, to see what they take; `../../../../formats` compares them.
#![no_std]
#![no_main]

use core::marker::PhantomData;

use expe_core::format::Execution;
use expe_core::internals::Attend;
use expe_core::position::Position;
use expe_core::{CacheFormat, F32, Float, I8, Integer, Logit, Model};
use expe_demo_app::{Demo, Error, Machine, Memory, Program};

/// The processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

const MODEL: &[u8] = expe_core::include_model!(env!("EXPE_MODEL"));

/// The model in the arithmetic `A` with a cache in the format `S`.
struct Story<A, S>(PhantomData<(A, S)>);

/// A format of the cache.
trait Named: CacheFormat {
    /// What the log calls the demo with it.
    const DEMO: &'static str;
}

impl Named for F32 {
    const DEMO: &'static str = "cache in f32";
}

impl Named for I8 {
    const DEMO: &'static str = "cache in int8";
}

impl<A: Attend<S, Real: Logit>, S: Named> Demo for Story<A, S> {
    const NAME: &'static str = S::DEMO;
    const MODEL: &'static [u8] = MODEL;
    // Every encoding can do the length that the model was trained at.
    const CAPACITY: usize = Self::CONFIG.context;
    const SINKS: Option<usize> = None;
    const CHUNK: usize = 1;
    const TOKENS: usize = Self::CAPACITY;
    type Arithmetic = A;
    type Cache = S;
    type Position = Position<'static>;

    fn position() -> Result<Self::Position, Error> {
        match &Model::new(MODEL) {
            Ok(model) => Ok(model.position()?),
            Err(error) => Err((*error).into()),
        }
    }
}

/// The stories in the arithmetic that the file was exported for.
enum Stories {}

type InFloats = (Story<Float, F32>, Story<Float, I8>);
type InIntegers = Story<Integer, I8>;

impl Program for Stories {
    const WORDS: usize = <(InFloats, InIntegers) as Program>::WORDS;

    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error> {
        match execution()? {
            Execution::Float => InFloats::run(memory, machine),
            Execution::Integer => InIntegers::run(memory, machine),
        }
    }
}

#[inline(never)] // so that the stories do not need its stack
fn execution() -> Result<Execution, Error> {
    match &Model::new(MODEL) {
        Ok(model) => Ok(model.execution()),
        Err(error) => Err((*error).into()),
    }
}

static MEMORY: Memory<Stories, { Stories::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
