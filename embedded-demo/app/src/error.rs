/// Why a demo or a benchmark stopped.
#[derive(Debug, Clone, Copy, PartialEq, defmt::Format)]
#[non_exhaustive]
pub enum Error {
    /// The model in flash is damaged, or the engine cannot run it.
    Engine(expe_core::Error),
    /// The position encoding of the model is not the one that the firmware was built for.
    OtherPosition,
    /// The memory is too small.
    MemoryTooSmall,
    /// The memory is already in use.
    MemoryTaken,
}

impl<E: Into<expe_core::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}
