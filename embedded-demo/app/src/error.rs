/// Why there is no story.
#[derive(Debug, Clone, Copy, PartialEq, defmt::Format)]
#[non_exhaustive]
pub enum Error {
    /// The model in flash is damaged, or the engine refuses.
    Engine(expe_core::Error),
    /// The model has another position encoding than the firmware is built for.
    OtherPosition,
    /// The buffers are in use: the stories are told once.
    Running,
}

impl<E: Into<expe_core::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}
