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
    const WORDS: usize = D::CACHE_LEN + D::WORKSPACE_LEN + D::PROMPT.len() + D::PRINTED_TOKENS;

    #[inline(never)] // so that one demo does not need the stack of all
    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error> {
        // Matched in place: with `?` the stack would hold the decoder twice.
        match &story::decoder::<D>() {
            Ok(decoder) => story::tell::<D>(decoder, memory, machine),
            Err(error) => Err(*error),
        }
    }
}

impl<A: Program, B: Program> Program for (A, B) {
    const WORDS: usize = if A::WORDS > B::WORDS { A::WORDS } else { B::WORDS };

    fn run(memory: &mut [u32], machine: &impl Machine) -> Result<(), Error> {
        A::run(memory, machine)?;
        B::run(memory, machine)
    }
}
