use core::marker::PhantomData;

use static_cell::ConstStaticCell;

use crate::Program;

/// The memory of a board's demos `P`, which it declares as a static:
///
/// ```ignore
/// static MEMORY: Memory<Demos, { Demos::WORDS }> = Memory::new();
/// ```
pub struct Memory<P, const WORDS: usize> {
    words: ConstStaticCell<[u32; WORDS]>,
    program: PhantomData<fn() -> P>,
}

impl<P: Program, const WORDS: usize> Memory<P, WORDS> {
    /// Memory of exactly the size that the demos need.
    #[expect(clippy::new_without_default, reason = "it is for statics alone")]
    pub const fn new() -> Self {
        const { assert!(WORDS == P::WORDS, "the memory has not the size that the demos need") };
        Self { words: ConstStaticCell::new([0; WORDS]), program: PhantomData }
    }

    /// The words; `None` the second time.
    pub(crate) fn take(&'static self) -> Option<&'static mut [u32]> {
        let words = self.words.try_take()?;
        Some(words)
    }
}
