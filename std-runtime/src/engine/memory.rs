use super::EngineError;

/// Bytes of a cache line: loads of whole vectors from memory that begins with one do not straddle two.
const LINE: usize = 64;

/// Words for caches and workspaces, from the beginning of a cache line on.
#[derive(Debug)]
pub(super) struct Words {
    buffer: Vec<u32>,
    start: usize,
    len: usize,
}

impl Words {
    /// `len` zeros, for `positions` positions.
    pub fn new(len: usize, positions: usize) -> Result<Self, EngineError> {
        const MOST: usize = LINE / size_of::<u32>();
        // Asked for first, because `vec!` ends the process where there is too little.
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
