//! Checks what dfdx does not: creating a dfdx device panics where there is no driver or no GPU.
//!
//! The functions are declared again here, with integers as results: a newer driver may return codes that
//! cudarc's enumeration lacks, which would be undefined behavior there.
#![allow(unsafe_code)]

use std::env;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

use super::failure::failure;
use super::library;
use super::ptx::{CAPABILITY, VERSION};
use crate::ops::bridge::{DeviceError, Version};

unsafe extern "C" {
    fn cuInit(flags: c_uint) -> c_int;
    fn cuDriverGetVersion(version: *mut c_int) -> c_int;
    fn cuDeviceGetCount(count: *mut c_int) -> c_int;
    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> c_int;
    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) -> c_int;
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) -> c_int;
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> c_int;
    fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, device: c_int) -> c_int;
    fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> c_int;
    fn cuCtxSetCurrent(context: *mut c_void) -> c_int;
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> c_int;
    fn cuGetErrorString(code: c_int, text: *mut *const c_char) -> c_int;
}

const NO_DEVICE: c_int = 100;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

/// A GPU, as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its ordinal, from 0.
    pub ordinal: usize,
    /// Its name.
    pub name: String,
    /// Its compute capability.
    pub capability: Version,
    /// The size of its memory in bytes.
    pub memory: u64,
}

/// The driver after it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver {
    /// The version of CUDA that it supports.
    pub version: Version,
    /// The number of GPUs that it finds.
    pub count: usize,
}

/// Turns an error code into the driver's text for it.
fn checked(code: c_int) -> Result<(), String> {
    if code == 0 {
        return Ok(());
    }
    let mut text = ptr::null();
    // SAFETY: `text` takes the address of a constant of the driver's, or stays null.
    let words = unsafe {
        cuGetErrorString(code, &raw mut text);
        if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy()) }
    };
    Err(format!("{} (CUDA error {code})", words.unwrap_or_default()))
}

/// Splits CUDA's form of a version: 1000 times the major plus 10 times the minor number.
fn version(number: c_int) -> Version {
    let number = number.unsigned_abs();
    Version { major: number / 1000, minor: number % 1000 / 10 }
}

impl Driver {
    /// Starts the driver.
    ///
    /// # Errors
    /// [`DeviceError::Library`], [`DeviceError::Driver`], [`DeviceError::NoDevice`], and
    /// [`DeviceError::DriverTooOld`] for one that does not understand this build's kernels.
    pub fn start() -> Result<Self, DeviceError> {
        library::open_driver()?;
        let failed = |message| DeviceError::Driver { message };
        let none = || DeviceError::NoDevice { visible: env::var("CUDA_VISIBLE_DEVICES").ok() };
        let (mut number, mut count) = (0, 0);
        // SAFETY: the library is open; these functions only write to the numbers that they are given.
        let (started, counted) = unsafe {
            checked(cuDriverGetVersion(&raw mut number)).map_err(failed)?;
            (cuInit(0), cuDeviceGetCount(&raw mut count))
        };
        if started == NO_DEVICE {
            return Err(none());
        }
        checked(started).and_then(|()| checked(counted)).map_err(failed)?;
        let (found, (major, minor)) = (version(number), VERSION);
        let needed = Version { major, minor };
        if count < 1 {
            return Err(none());
        }
        if found < needed {
            return Err(DeviceError::DriverTooOld { found, needed });
        }
        Ok(Self { version: found, count: usize::try_from(count).unwrap_or_default() })
    }

    /// Describes the GPU `ordinal`.
    ///
    /// # Errors
    /// [`DeviceError::Ordinal`] when there are fewer, [`DeviceError::Failed`].
    pub fn gpu(&self, ordinal: usize) -> Result<Gpu, DeviceError> {
        let wrong = || DeviceError::Ordinal { ordinal, count: self.count };
        let number = c_int::try_from(ordinal).map_err(|_| wrong())?;
        if ordinal >= self.count {
            return Err(wrong());
        }
        let failed = |message| DeviceError::Failed { ordinal, message };
        let (mut device, mut major, mut minor, mut memory) = (0, 0, 0, 0);
        let mut name: [c_char; 256] = [0; 256];
        // SAFETY: the driver is started (`self` is proof of that); these functions only write to
        // what they are given, and the name to no more than its length.
        unsafe {
            checked(cuDeviceGet(&raw mut device, number)).map_err(failed)?;
            checked(cuDeviceGetName(name.as_mut_ptr(), 255, device)).map_err(failed)?;
            checked(cuDeviceGetAttribute(&raw mut major, CAPABILITY_MAJOR, device))
                .map_err(failed)?;
            checked(cuDeviceGetAttribute(&raw mut minor, CAPABILITY_MINOR, device))
                .map_err(failed)?;
            checked(cuDeviceTotalMem_v2(&raw mut memory, device)).map_err(failed)?;
        }
        let name: Vec<u8> = name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
        let capability = Version { major: major.unsigned_abs(), minor: minor.unsigned_abs() };
        let name = String::from_utf8_lossy(&name).into_owned();
        Ok(Gpu { ordinal, name, capability, memory: memory as u64 })
    }

    /// Returns the GPU `ordinal` if this build's kernels run on it.
    ///
    /// # Errors
    /// As [`gpu`](Self::gpu), and [`DeviceError::Capability`].
    pub fn usable(&self, ordinal: usize) -> Result<Gpu, DeviceError> {
        let gpu = self.gpu(ordinal)?;
        let needed = Version { major: CAPABILITY / 10, minor: CAPABILITY % 10 };
        if gpu.capability < needed {
            let Gpu { ordinal, name, capability: found, .. } = gpu;
            return Err(DeviceError::Capability { ordinal, name, found, needed });
        }
        Ok(gpu)
    }
}

impl Gpu {
    /// Returns how many bytes of its memory are free now.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] or [`DeviceError::OutOfMemory`]: asking takes some memory itself.
    pub fn free(&self) -> Result<u64, DeviceError> {
        let number = c_int::try_from(self.ordinal).unwrap_or(c_int::MAX);
        let failed = |message| failure(self.ordinal, message);
        let (mut device, mut free, mut total) = (0, 0, 0);
        let mut context = ptr::null_mut();
        // SAFETY: the driver is started, as a `Gpu` comes from it. The context is retained as long as
        // it is used, and dfdx's own contexts are the same one, counted by the driver.
        unsafe {
            checked(cuDeviceGet(&raw mut device, number)).map_err(failed)?;
            checked(cuDevicePrimaryCtxRetain(&raw mut context, device)).map_err(failed)?;
            let asked = checked(cuCtxSetCurrent(context))
                .and_then(|()| checked(cuMemGetInfo_v2(&raw mut free, &raw mut total)));
            checked(cuDevicePrimaryCtxRelease_v2(device)).map_err(failed)?;
            asked.map_err(failed)?;
        }
        Ok(free as u64)
    }
}
