//! What belongs to a device: modules of kernels, cuBLAS, memory.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::cublas::CudaBlas;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::{CudaDevice, CudaFunction, CudaSlice, DeviceRepr, DriverError, result, sys};
use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Storage, Tensor, ZerosTensor};

use super::span::{Place, Span, SpanMut};
use crate::device::cuda::ptx;

/// The modules of kernels, `NAME.cu` each, and the kernels in them.
const MODULES: &[(&str, &[&str])] = &[
    ("activation", &["activate", "differentiate"]),
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
    ("embedding", &["embed_forward", "embed_backward", "embed_positions"]),
    ("half_precision", &["halve"]),
    ("norm", &["norm_forward", "norm_backward", "norm_gain", "add_parts"]),
    ("parameters", &["add", "add_scaled", "scale", "squares", "total", "adamw"]),
    ("position", &["fold", "place", "place_back", "column_slopes", "unfold", "rotate"]),
];

/// One for each device, for as long as the program runs.
static CONTEXTS: Mutex<BTreeMap<usize, Arc<Context>>> = Mutex::new(BTreeMap::new());

/// A device with its kernels.
#[derive(Debug)]
pub struct Context {
    device: Arc<CudaDevice>,
    /// A handle is not for two threads at once.
    blas: Mutex<CudaBlas>,
    /// The functions of the modules that were loaded, by module and name.
    functions: Mutex<BTreeMap<(&'static str, &'static str), CudaFunction>>,
}

impl Context {
    /// That of the device on which `tensor` lies.
    ///
    /// # Errors
    /// The device's.
    pub fn of<S: Shape>(tensor: &Tensor<S, f32, Cuda>) -> Result<Arc<Self>, CudaError> {
        Self::get(Place::of(tensor).device, || {
            let buffer = Storage::<f32>::try_alloc_len(tensor.device(), 1)?;
            Ok(buffer.device())
        })
    }

    /// That of the device on which `buffer` lies.
    ///
    /// # Errors
    /// The device's.
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

    /// The kernel `name` of the module `module`, which is loaded when it is first needed.
    ///
    /// # Errors
    /// The driver's.
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

    /// Make the device the calling thread's.
    ///
    /// # Errors
    /// The driver's.
    pub fn bind(&self) -> Result<(), CudaError> {
        Ok(self.device.bind_to_thread()?)
    }

    /// cuBLAS.
    pub fn blas(&self) -> MutexGuard<'_, CudaBlas> {
        lock(&self.blas)
    }

    /// `count` numbers of any value.
    ///
    /// # Errors
    /// The driver's, when memory runs out.
    pub fn scratch<E: DeviceRepr>(&self, count: usize) -> Result<CudaSlice<E>, CudaError> {
        // SAFETY: what the numbers are is undefined, but any bits are a number, and nothing but kernels
        // reads them. One number is the least that every device can allocate.
        Ok(unsafe { self.device.alloc(count.max(1)) }?)
    }

    /// Take a gradient out of those of a backward pass, so that its memory is free again once it is used.
    ///
    /// # Errors
    /// The driver's.
    pub fn take(&self, slope: &mut CudaSlice<f32>) -> Result<CudaSlice<f32>, CudaError> {
        Ok(std::mem::replace(slope, self.scratch(1)?))
    }

    /// `values` on the device.
    ///
    /// # Errors
    /// The driver's, when memory runs out.
    pub fn upload<E: DeviceRepr + Unpin>(&self, values: Vec<E>) -> Result<CudaSlice<E>, CudaError> {
        Ok(self.device.htod_copy(values)?)
    }

    /// Copy `src` to the beginning of `dst`.
    ///
    /// # Errors
    /// The driver's.
    ///
    /// # Panics
    /// If `dst` is shorter.
    pub fn copy(&self, dst: SpanMut<'_>, src: Span<'_>) -> Result<(), CudaError> {
        assert!(src.count() <= dst.count(), "a copy beyond its place");
        if src.count() == 0 {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: both are runs of memory of this device, `dst` at least as long as `src` and borrowed
        // exclusively, so they do not overlap; memory is freed in the stream's order.
        unsafe {
            let bytes = size_of::<f32>() * src.count();
            let stream = *self.device.cu_stream();
            result::memcpy_dtod_async(dst.address(), src.address(), bytes, stream)?;
        }
        Ok(())
    }

    /// Copy the first of `numbers` to the host; waits for all that was queued before.
    ///
    /// # Errors
    /// The driver's.
    pub fn first(&self, numbers: &CudaSlice<f64>) -> Result<f64, CudaError> {
        let mut first = [0.0];
        self.device.dtoh_sync_copy_into(&numbers.slice(..1), &mut first)?;
        Ok(first[0])
    }
}

/// A tensor of zeros, for an operation to write to.
///
/// # Errors
/// The device's, when memory runs out.
pub fn fresh<S: Shape>(device: &Cuda, shape: S) -> Result<Tensor<S, f32, Cuda>, CudaError> {
    device.try_zeros_like(&shape)
}

/// A lock; what it holds stays whole when a thread that holds it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
