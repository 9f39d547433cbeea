//! Tests on a GPU. `tests/gpu` runs them and fails without one; `tests/run` runs them on an emulated device.

mod evaluation;
mod mixed;
mod model;
mod operations;
mod parameters;
mod training;

use expe::device::{Cuda, cuda};
use expe::ops::bridge::Bridge;
use expe::ops::{reduce, tensor};

/// Opens the GPU once for each test thread.
fn fast() -> Cuda {
    thread_local!(static DEVICE: Cuda = cuda::open(0).unwrap());
    DEVICE.with(Clone::clone)
}

#[test]
fn buffers_hold_the_numbers_of_the_host() {
    let device = cuda::open(0).unwrap();
    let values: Vec<f32> = (0..1000).map(|x| x as f32 - 300.5).collect();
    let x = tensor(&device, (values.len(),), &values).unwrap();
    assert_eq!(x.as_vec(), values);
    let mut gradients = dfdx::tensor::Gradients::<f32, Cuda>::leaky();
    let buffer = gradients.get_or_alloc_mut(&x).unwrap();
    device.overwrite(buffer, &values).unwrap();
    let shards = [(); 2].map(|()| vec![buffer.clone()]);
    let (sums, squares) = reduce::<Cuda>(shards.into()).unwrap();
    let doubled: Vec<f32> = values.iter().map(|x| 2.0 * x).collect();
    assert_eq!(device.download(&sums[0]).unwrap(), doubled);
    // Halves below 2^11: every sum is exact.
    assert_eq!(squares, doubled.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>());
}
