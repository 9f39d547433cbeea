//! Turns panics into errors: dfdx and cudarc unwrap results of the driver.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::failure::failure;
use crate::ops::bridge::DeviceError;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// The message of the first panic: what is dropped on the way out may panic over the same cause.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does `work` with the GPU `ordinal`; a panic over a result of the driver, of cuBLAS, or of NVRTC becomes
/// an error and prints nothing. Any other panic continues.
///
/// # Errors
/// [`DeviceError::OutOfMemory`] or [`DeviceError::Failed`].
pub fn guarded<R>(ordinal: usize, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = text(info.payload());
            if GUARDED.get() && is_driver_error(message) {
                MESSAGE
                    .with_borrow_mut(|first| first.get_or_insert(message.to_owned()).truncate(500));
            } else {
                next(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    // Nobody reads the model or its gradients after a panic that left them half changed.
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    let message = MESSAGE.take();
    done.map_err(|payload| match message {
        Some(message) => failure(ordinal, message),
        None => resume(payload),
    })
}

/// Returns the message of a panic. Errors of the driver are formatted into one, so a plain text is not
/// theirs.
fn text(payload: &dyn Any) -> &str {
    payload.downcast_ref::<String>().map_or("", String::as_str)
}

fn resume(payload: Box<dyn Any + Send>) -> DeviceError {
    panic::resume_unwind(payload)
}

/// Returns whether a message shows an error of cudarc in the form that `unwrap` gives it.
fn is_driver_error(message: &str) -> bool {
    ["DriverError(", "CublasError(", "NvrtcError(", "CompileError", "CUDA_ERROR_"]
        .iter()
        .any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_of_the_driver_become_errors() {
        let full = "called `Result::unwrap()` on an `Err` value: \
                    DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let error = guarded(3, || panic!("{full}")).unwrap_err();
        assert_eq!(error, DeviceError::OutOfMemory { ordinal: 3, message: full.into() });
        let unsupported = "CublasError(CUBLAS_STATUS_NOT_SUPPORTED)";
        let error = guarded(1, || guarded(1, || panic!("{unsupported}")));
        assert!(matches!(error, Ok(Err(DeviceError::Failed { ordinal: 1, .. }))), "{error:?}");
        assert_eq!(guarded(0, || 7), Ok(7));
    }

    #[test]
    fn other_panics_continue() {
        let caught = panic::catch_unwind(|| guarded(0, || panic!("a mistake of ours")));
        let payload = caught.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"a mistake of ours"));
    }
}
