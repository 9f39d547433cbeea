use super::EngineError;

/// Bytes of a cache line. Vectors loaded from memory aligned to it do not cross a line.
const LINE: usize = 64;

/// Words for caches and workspaces, aligned to a cache line.
#[derive(Debug)]
pub(super) struct Words {
    buffer: Vec<u32>,
    start: usize,
    len: usize,
}

impl Words {
    /// Allocates `len` zeros, for `positions` positions.
    pub fn new(len: usize, positions: usize) -> Result<Self, EngineError> {
        const MOST: usize = LINE / size_of::<u32>();
        // Tried first, because `vec!` aborts the process if there is too little memory.
        let probe = len.checked_add(MOST).map(|len| Vec::<u32>::new().try_reserve_exact(len));
        if !matches!(probe, Some(Ok(()))) {
            return Err(EngineError::Memory { positions });
        }
        let buffer = vec![0; len + MOST];
        // Moving the vector does not move its elements, so the offset stays right.
        let start = buffer.as_ptr().align_offset(LINE).min(MOST);
        Ok(Self { buffer, start, len })
    }

    pub fn get(&mut self) -> &mut [u32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}
