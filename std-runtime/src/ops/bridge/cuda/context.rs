//! What kernels run on: the modules of a device, its cuBLAS handle, and its memory.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::cublas::CudaBlas;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::{CudaDevice, CudaFunction, CudaSlice, DeviceRepr, DriverError, result, sys};
use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Storage, Tensor};

use super::ptx::ptx;
use super::slice::{DeviceSlice, DeviceSliceMut, Place};

/// The modules, one for each `.cu` file in `device/cuda/kernels`, and the kernels in them.
const MODULES: &[(&str, &[&str])] = &[
    ("activation", &["activation_forward", "activation_backward"]),
    ("arithmetic", &["add", "add_scaled", "round_half"]),
    (
        "attention",
        &[
            "attention_products",
            "attention_forward_64",
            "attention_forward_128",
            "attention_forward_256",
            "attention_keys_64",
            "attention_keys_128",
            "attention_keys_256",
            "attention_queries_64",
            "attention_queries_128",
            "attention_queries_256",
        ],
    ),
    ("cross_entropy", &["cross_entropy", "mean_loss"]),
    ("embedding", &["embed_forward", "embed_backward", "position_table_backward"]),
    ("norm", &["norm_forward", "norm_backward", "norm_gain_backward", "add_shares"]),
    ("parameters", &["squares", "total", "adamw"]),
    (
        "position",
        &["fold", "place_queries", "place_queries_backward", "folded_backward", "unfold", "rotate"],
    ),
];

/// The contexts by ordinal, kept for as long as the program runs.
static CONTEXTS: Mutex<BTreeMap<usize, Arc<Context>>> = Mutex::new(BTreeMap::new());

/// A device with its kernels.
#[derive(Debug)]
pub struct Context {
    device: Arc<CudaDevice>,
    /// Two threads must not use a handle at once.
    blas: Mutex<CudaBlas>,
    /// The functions of the modules that were loaded, by module and name.
    functions: Mutex<BTreeMap<(&'static str, &'static str), CudaFunction>>,
}

impl Context {
    /// Returns the context of the device that holds `tensor`.
    ///
    /// # Errors
    /// The driver's, when the context is created.
    pub fn of<S: Shape>(tensor: &Tensor<S, f32, Cuda>) -> Result<Arc<Self>, CudaError> {
        Self::get(Place::of(tensor).device, || {
            let buffer = Storage::<f32>::try_alloc_len(tensor.device(), 1)?;
            Ok(buffer.device())
        })
    }

    /// Returns the context of the device that holds `buffer`.
    ///
    /// # Errors
    /// The driver's, when the context is created.
    pub fn of_buffer(buffer: &CudaSlice<f32>) -> Result<Arc<Self>, CudaError> {
        let device = buffer.device();
        Self::get(*device.cu_device() as usize, || Ok(device))
    }

    fn get(
        number: usize,
        device: impl FnOnce() -> Result<Arc<CudaDevice>, CudaError>,
    ) -> Result<Arc<Self>, CudaError> {
        let mut contexts = lock(&CONTEXTS);
        if let Some(context) = contexts.get(&number) {
            return Ok(context.clone());
        }
        let context = Arc::new(Self::new(device()?)?);
        contexts.insert(number, context.clone());
        Ok(context)
    }

    fn new(device: Arc<CudaDevice>) -> Result<Self, CudaError> {
        let blas = Mutex::new(CudaBlas::new(device.clone())?);
        Ok(Self { device, blas, functions: Mutex::default() })
    }

    /// Returns the kernel `name` of the module `module`, which is loaded when it is first needed.
    pub fn function(
        &self,
        module: &'static str,
        name: &'static str,
    ) -> Result<CudaFunction, CudaError> {
        let mut functions = lock(&self.functions);
        if let Some(function) = functions.get(&(module, name)) {
            return Ok(function.clone());
        }
        let missing = || DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND);
        let major =
            self.device.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor =
            self.device.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let text = ptx(module, (10 * major + minor).unsigned_abs()).ok_or_else(missing)?;
        let (_, names) = MODULES.iter().find(|(known, _)| *known == module).ok_or_else(missing)?;
        let label = format!("expe::{module}");
        self.device.load_ptx(text.into(), &label, names)?;
        for name in *names {
            let function = self.device.get_func(&label, name).ok_or_else(missing)?;
            functions.insert((module, name), function);
        }
        Ok(functions.get(&(module, name)).cloned().ok_or_else(missing)?)
    }

    /// Makes the device the calling thread's current one.
    pub fn bind(&self) -> Result<(), CudaError> {
        Ok(self.device.bind_to_thread()?)
    }

    /// Locks the cuBLAS handle.
    pub fn blas(&self) -> MutexGuard<'_, CudaBlas> {
        lock(&self.blas)
    }

    /// Allocates `count` numbers of any value.
    pub fn scratch<E: DeviceRepr>(&self, count: usize) -> Result<CudaSlice<E>, CudaError> {
        // SAFETY: the values are undefined, but any bits are a number, and only kernels read them. No device
        // can allocate less than one number.
        Ok(unsafe { self.device.alloc(count.max(1)) }?)
    }

    /// Takes a gradient out of a backward pass, so that its memory is freed once it is used.
    pub fn take(&self, gradient: &mut CudaSlice<f32>) -> Result<CudaSlice<f32>, CudaError> {
        Ok(std::mem::replace(gradient, self.scratch(1)?))
    }

    /// Copies `values` to the device.
    pub fn upload<E: DeviceRepr + Unpin>(&self, values: Vec<E>) -> Result<CudaSlice<E>, CudaError> {
        Ok(self.device.htod_copy(values)?)
    }

    /// Copies `src` to the beginning of `dst`.
    ///
    /// # Errors
    /// The driver's.
    ///
    /// # Panics
    /// If `dst` is shorter.
    pub fn copy(&self, dst: DeviceSliceMut<'_>, src: DeviceSlice<'_>) -> Result<(), CudaError> {
        assert!(src.len() <= dst.len(), "a copy beyond its destination");
        if src.len() == 0 {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: both lie in memory of this device, `dst` is at least as long as `src` and borrowed
        // exclusively, so they do not overlap; memory is freed in the stream's order.
        unsafe {
            let bytes = size_of::<f32>() * src.len();
            let stream = *self.device.cu_stream();
            result::memcpy_dtod_async(dst.address(), src.address(), bytes, stream)?;
        }
        Ok(())
    }

    /// Copies the first of `numbers` to the host after waiting for everything that was queued before.
    pub fn first(&self, numbers: &CudaSlice<f64>) -> Result<f64, CudaError> {
        let mut first = [0.0];
        self.device.dtoh_sync_copy_into(&numbers.slice(..1), &mut first)?;
        Ok(first[0])
    }
}

/// Locks a mutex whose value stays valid when a thread panics while it holds the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
