use crate::stack;

/// What no code can go on after.
#[derive(Debug, Clone, Copy)]
pub enum Fault<'a> {
    /// The stack has outgrown its memory.
    StackOverflow {
        /// Where the stack pointer was.
        pointer: u32,
        /// The end of the stack's memory.
        end: u32,
    },
    /// The processor could not execute an instruction.
    Exception {
        /// The processor's code for the reason; 0 where it has none.
        cause: u32,
        /// The instruction, if the processor tells.
        pc: u32,
    },
    /// A panic, which no code of the demo has.
    Panic {
        /// Source file.
        file: &'a str,
        /// Line in it.
        line: u32,
    },
}

/// A push may fault before it has moved the stack pointer past the end, by up to this many bytes:
/// more than all registers take.
const ONE_PUSH: u32 = 128;

impl Fault<'_> {
    /// The fault behind a processor exception: an overflow if the stack pointer was at the end of the
    /// stack or beyond it.
    pub fn of_exception(pointer: u32, cause: u32, pc: u32) -> Self {
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
