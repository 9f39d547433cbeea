/// Counts executed instructions.
pub trait InstructionCounter {
    /// Reads a clock that advances with the executed instructions.
    fn now(&self) -> Moment;

    /// Returns the exact number of instructions between two moments, or `None` if they cannot be counted.
    fn instructions(&self, from: Moment, to: Moment) -> Option<u64>;
}

/// A reading of a clock. Only differences are meaningful.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Ticks of the clock.
    pub ticks: u64,
    /// Number of times the clock itself has interrupted the program.
    pub interrupts: u32,
}
