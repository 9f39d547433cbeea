use static_cell::ConstStaticCell;

use crate::Error;

/// The memory of the demos or benchmarks of a board, which declares it as a static:
///
/// ```ignore
/// const WORDS: usize = largest(&[POCKET.words(), STORIES.words()]);
/// static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);
/// ```
pub type Memory<const WORDS: usize> = ConstStaticCell<[u32; WORDS]>;

/// Returns the largest of `sizes`, or 0 if there are none. This is the memory that demos need that run one after the
/// other.
pub const fn largest(sizes: &[usize]) -> usize {
    let mut largest = 0;
    let mut rest = sizes;
    while let [first, others @ ..] = rest {
        if *first > largest {
            largest = *first;
        }
        rest = others;
    }
    largest
}

/// Splits the first `len` words off `memory`.
pub(crate) fn take<'m>(memory: &mut &'m mut [u32], len: usize) -> Result<&'m mut [u32], Error> {
    let (taken, rest) =
        core::mem::take(memory).split_at_mut_checked(len).ok_or(Error::MemoryTooSmall)?;
    *memory = rest;
    Ok(taken)
}
