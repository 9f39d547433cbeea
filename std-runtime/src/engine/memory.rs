use super::EngineError;

/// Size of a cache line in bytes. Vectors in memory with this alignment do not cross a cache line.
const LINE: usize = 64;

/// Words for caches and workspaces, aligned to a cache line.
#[derive(Debug)]
pub(super) struct Words {
    buffer: Vec<u32>,
    start: usize,
    len: usize,
}

impl Words {
    /// Allocates `len` zeroed words. `positions` is reported if there is not enough memory.
    pub fn new(len: usize, positions: usize) -> Result<Self, EngineError> {
        const PADDING: usize = LINE / size_of::<u32>();
        // Checks first whether the memory is available, because `vec!` aborts the process if it is not.
        let probe = len.checked_add(PADDING).map(|len| Vec::<u32>::new().try_reserve_exact(len));
        if !matches!(probe, Some(Ok(()))) {
            return Err(EngineError::Memory { positions });
        }
        let buffer = vec![0; len + PADDING];
        // The offset remains correct, because moving the vector does not move its elements.
        let start = buffer.as_ptr().align_offset(LINE).min(PADDING);
        Ok(Self { buffer, start, len })
    }

    pub fn get(&mut self) -> &mut [u32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}
