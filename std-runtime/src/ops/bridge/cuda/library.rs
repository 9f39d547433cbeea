//! Opens NVIDIA's libraries for the trampolines that are linked in their place (`trampolines.c`).
#![allow(unsafe_code)]

use std::env;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::OnceLock;

use super::reuse;
use crate::ops::bridge::{DeviceError, Library};

unsafe extern "C" {
    fn expe_cuda_load(library: c_int, path: *const c_char) -> *const c_char;
}

/// Opens the driver's library, once per process.
///
/// # Errors
/// [`DeviceError::Library`].
pub fn open_driver() -> Result<(), DeviceError> {
    static OPENED: OnceLock<Result<(), DeviceError>> = OnceLock::new();
    let opened = || open(Library::Driver, 0, &["libcuda.so.1"]).inspect(|()| reuse::install());
    OPENED.get_or_init(opened).clone()
}

/// Opens cuBLAS, and the run-time compiler where it is installed, once per process.
///
/// # Errors
/// [`DeviceError::Library`] for cuBLAS.
pub fn open_toolkit() -> Result<(), DeviceError> {
    static OPENED: OnceLock<Result<(), DeviceError>> = OnceLock::new();
    let all = || {
        open(Library::Cublas, 1, &["libcublas.so.13", "libcublas.so.12"])?;
        // Nothing that this crate does with a GPU needs it; some operations of dfdx do.
        let _ = open_compiler();
        Ok(())
    };
    OPENED.get_or_init(all).clone()
}

/// Opens the run-time compiler, once per process and after cuBLAS.
///
/// # Errors
/// [`DeviceError::Library`].
pub fn open_compiler() -> Result<(), DeviceError> {
    static OPENED: OnceLock<Result<(), DeviceError>> = OnceLock::new();
    let names = ["libnvrtc.so.13", "libnvrtc.so.12"];
    OPENED.get_or_init(|| open(Library::Nvrtc, 2, &names)).clone()
}

/// Opens the first of `names` that is found where the system's linker looks, else in the folders of
/// an installed toolkit.
fn open(library: Library, index: c_int, names: &[&str]) -> Result<(), DeviceError> {
    let roots = ["CUDA_PATH", "CUDA_ROOT"].into_iter().filter_map(|name| env::var(name).ok());
    let roots: Vec<String> = roots.chain(["/usr/local/cuda".to_owned()]).collect();
    let folders = roots.iter().flat_map(|root| [format!("{root}/lib64/"), format!("{root}/lib/")]);
    let mut first = None;
    for folder in [String::new()].into_iter().chain(folders) {
        for name in names {
            match load(index, &format!("{folder}{name}")) {
                Ok(()) => return Ok(()),
                // Later messages say the same of other folders.
                Err(message) => first.get_or_insert(message),
            };
        }
    }
    Err(DeviceError::Library { library, message: first.unwrap_or_default() })
}

fn load(index: c_int, path: &str) -> Result<(), String> {
    let path = CString::new(path).map_err(|error| error.to_string())?;
    // SAFETY: `index` is that of one of the three tables, `path` ends with a zero byte and lives
    // through the call. The initializers of the `OnceLock`s above are the only callers: they do not
    // run beside each other, because the toolkit's is only opened once the driver's is, the compiler's
    // in it, and nothing calls a library before it is opened.
    let error = unsafe { expe_cuda_load(index, path.as_ptr()) };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the linker's message ends with a zero byte and is valid until the next call.
    let message = unsafe { CStr::from_ptr(error) };
    Err(message.to_string_lossy().into_owned())
}
