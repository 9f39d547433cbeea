use crate::stack;

/// An error after which the program cannot continue.
#[derive(Debug, Clone, Copy)]
pub enum Fault<'a> {
    /// The stack overflowed.
    StackOverflow {
        /// The stack pointer.
        pointer: u32,
        /// The lowest address of the stack.
        end: u32,
    },
    /// The processor could not execute an instruction.
    Exception {
        /// The cause code of the processor, or 0 on processors that have none.
        cause: u32,
        /// The address of the instruction, if the processor reports it; otherwise 0.
        pc: u32,
    },
    /// A panic. The engine cannot panic; the code around it should not.
    Panic {
        /// Source file.
        file: &'a str,
        /// Line number.
        line: u32,
    },
}

/// Maximum distance in bytes of the stack pointer from the end of the stack when a push faults before it updates the
/// stack pointer. It is larger than all registers together.
const ONE_PUSH: u32 = 128;

impl Fault<'_> {
    /// Returns the fault that caused a processor exception: a stack overflow if the stack pointer is at the end of the
    /// stack or below it.
    pub fn from_exception(pointer: u32, cause: u32, pc: u32) -> Self {
        let end = stack::end() as u32;
        if pointer < end.saturating_add(ONE_PUSH) {
            Self::StackOverflow { pointer, end }
        } else {
            Self::Exception { cause, pc }
        }
    }
}

impl defmt::Format for Fault<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match *self {
            Self::StackOverflow { pointer, end } => {
                defmt::write!(
                    f,
                    "stack overflow: pointer {=u32:#010x}, end {=u32:#010x}",
                    pointer,
                    end
                );
            }
            Self::Exception { cause, pc } => {
                defmt::write!(f, "exception {=u32:#x} at {=u32:#010x}", cause, pc);
            }
            Self::Panic { file, line } => defmt::write!(f, "panic at {=str}:{=u32}", file, line),
        }
    }
}
