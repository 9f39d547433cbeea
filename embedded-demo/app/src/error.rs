/// Why there is no story.
#[derive(Debug, Clone, Copy, PartialEq, defmt::Format)]
#[non_exhaustive]
pub enum Error {
    /// The model in flash is damaged, or the engine refuses.
    Engine(expe_core::Error),
    /// The buffers are in use: the stories are told once.
    Running,
}

impl From<expe_core::Error> for Error {
    fn from(error: expe_core::Error) -> Self {
        Self::Engine(error)
    }
}
