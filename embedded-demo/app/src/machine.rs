/// What the app wants to know of the hardware it runs on.
pub trait Machine {
    /// The reading of a clock that follows the executed instructions.
    fn now(&self) -> Moment;

    /// The instructions executed between two moments, exactly; `None` where they cannot be counted.
    fn instructions(&self, from: Moment, to: Moment) -> Option<u64>;

    /// Bytes of stack that were ever in use.
    fn stack_used(&self) -> usize;

    /// Bytes of the stack's memory.
    fn stack_size(&self) -> usize;

    /// What the linker has put where.
    fn sections(&self) -> Sections;
}

/// The reading of a clock; only differences mean something.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// What follows the instructions.
    pub ticks: u64,
    /// How often the clock itself has interrupted the program.
    pub interrupts: u32,
}

/// Sizes of the program's sections, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Sections {
    /// Instructions, in flash.
    pub code: usize,
    /// Constants, in flash; the model files are among them.
    pub constants: usize,
    /// Variables with initial values, in RAM; the values are in flash.
    pub data: usize,
    /// Variables that start as zero, in RAM; the engine's buffers are among them.
    pub zeroed: usize,
}
