/// Counts executed instructions.
pub trait InstructionCounter {
    /// Reads a clock that follows the executed instructions.
    fn now(&self) -> Moment;

    /// Returns the exact number of instructions between two moments; `None` where they cannot be
    /// counted.
    fn instructions(&self, from: Moment, to: Moment) -> Option<u64>;
}

/// The reading of a clock; only differences are meaningful.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Ticks of the clock.
    pub ticks: u64,
    /// How often the clock itself has interrupted the program.
    pub interrupts: u32,
}
