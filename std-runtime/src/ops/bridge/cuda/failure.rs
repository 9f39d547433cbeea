use super::library;
use crate::ops::bridge::{DeviceError, is_out_of_memory};

/// Turns a message of the driver or of one of its libraries into an error.
pub(super) fn failure(ordinal: usize, message: String) -> DeviceError {
    let of_compiler = ["NvrtcError(", "CompileError"].iter().any(|sign| message.contains(sign));
    if let (true, Err(missing)) = (of_compiler, library::open_compiler()) {
        return missing;
    }
    if is_out_of_memory(&message) {
        DeviceError::OutOfMemory { ordinal, message }
    } else {
        DeviceError::Failed { ordinal, message }
    }
}
