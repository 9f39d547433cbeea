use crate::{Demo, Error, Machine, story};

/// One or more demos, run one after the other in the same memory.
pub trait Program {
    /// Words of memory that the most demanding one needs.
    const WORDS: usize;

    /// Runs them and logs what they give.
    ///
    /// # Errors
    /// A model is damaged.
    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error>;
}

impl<D: Demo> Program for D {
    const WORDS: usize = D::CACHE + D::WORKSPACE + D::PROMPT.len() + D::TOKENS;

    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error> {
        Ok(story::tell::<D>(memory, machine)?)
    }
}

impl<A: Program, B: Program> Program for (A, B) {
    const WORDS: usize = if A::WORDS > B::WORDS { A::WORDS } else { B::WORDS };

    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error> {
        A::run(memory, machine)?;
        B::run(memory, machine)
    }
}
