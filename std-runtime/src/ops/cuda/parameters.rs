//! Whole lists of buffers at once: what [`Backend`](crate::device::Backend) needs.
#![allow(unsafe_code)]

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Tensor};

use super::context::Context;
use super::kernels;
use super::launch::{LINE, THREADS, int, launch};
use super::span::{Span, SpanMut};
use crate::device::AdamWStep;

/// `x ← x + y`.
///
/// # Errors
/// The driver's.
pub fn add(x: &mut CudaSlice<f32>, y: &CudaSlice<f32>) -> Result<(), CudaError> {
    kernels::add(&*Context::of_buffer(x)?, x.into(), y.into())
}

/// `x ← factor·x`.
///
/// # Errors
/// The driver's.
pub fn scale(x: &mut CudaSlice<f32>, factor: f32) -> Result<(), CudaError> {
    kernels::scale(&*Context::of_buffer(x)?, x.into(), factor)
}

/// What is in a buffer, which is left with one number of any value.
///
/// # Errors
/// The driver's, when memory runs out.
pub fn take(buffer: &mut CudaSlice<f32>) -> Result<CudaSlice<f32>, CudaError> {
    Context::of_buffer(buffer)?.take(buffer)
}

/// Lists of one launch: addresses and lengths travel as arguments, which may take 4 KB together.
const LISTS: usize = 96;
const PARAMETERS: usize = 72;
/// Blocks for one list at most, and numbers for one thread at least.
const BLOCKS: usize = 512;
const NUMBERS: usize = 8;

fn blocks(longest: usize, lists: usize) -> [usize; 3] {
    [longest.div_ceil(THREADS * NUMBERS).min(BLOCKS), lists, 1]
}

/// `Lists` of `parameters.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Lists {
    lists: [u64; LISTS],
    counts: [u64; LISTS],
}

// SAFETY: plain numbers, laid out as the kernel's own structure of the same fields.
unsafe impl DeviceRepr for Lists {}

/// `Σ x²` over all buffers, summed in `f64` in an order that their lengths alone decide. Waits for the
/// device.
///
/// # Errors
/// The driver's.
pub fn squares(buffers: &[&CudaSlice<f32>]) -> Result<f64, CudaError> {
    let Some(first) = buffers.first() else { return Ok(0.0) };
    let context = Context::of_buffer(first)?;
    let count = |buffer: &&CudaSlice<f32>| Span::from(*buffer).count();
    let launches: Vec<_> = buffers
        .chunks(LISTS)
        .map(|chunk| (chunk, blocks(chunk.iter().map(count).max().unwrap_or(0), chunk.len())))
        .collect();
    let all = launches.iter().map(|(_, [parts, lists, _])| parts * lists).sum();
    let mut sums = context.scratch::<f64>(all)?;
    let mut done = 0;
    for (chunk, blocks) in launches {
        let mut arguments = Lists { lists: [0; LISTS], counts: [0; LISTS] };
        let places = arguments.lists.iter_mut().zip(&mut arguments.counts);
        for ((address, length), buffer) in places.zip(chunk) {
            let span = Span::from(*buffer);
            (*address, *length) = (span.address(), span.count() as u64);
        }
        // SAFETY: each row of blocks has one of the buffers, and each block a sum of its own.
        unsafe {
            let to = SpanMut::from(&mut sums).after(done);
            let parameters = (arguments, to.address());
            launch(&context, ("parameters", "squares"), blocks, LINE, parameters)?;
        }
        done += blocks[0] * blocks[1];
    }
    if done == 0 {
        return Ok(0.0);
    }
    // SAFETY: `done` sums were written, one after the other.
    unsafe {
        let parameters = (&mut sums, int(done));
        launch(&context, ("parameters", "total"), [1, 1, 1], LINE, parameters)?;
    }
    context.first(&sums)
}

/// `Parameter` of `parameters.cu`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Parameter {
    weights: u64,
    first: u64,
    second: u64,
    slopes: u64,
    count: u64,
    kept: f32,
}

/// `Parameters` of `parameters.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Parameters {
    list: [Parameter; PARAMETERS],
}

// SAFETY: plain numbers, laid out as the kernel's own structures of the same fields.
unsafe impl DeviceRepr for Parameters {}
// SAFETY: plain numbers, laid out as the kernel's own structure of the same fields.
unsafe impl DeviceRepr for AdamWStep {}

/// Parameters that are yet to be changed by a step, for one launch; see
/// [`Backend::gather`](crate::device::Backend::gather).
#[derive(Debug, Default)]
pub struct Changes {
    list: Vec<Parameter>,
    step: Option<AdamWStep>,
    /// Kept until the launch that reads them is queued.
    gradients: Vec<CudaSlice<f32>>,
}

impl Changes {
    /// Add a parameter; those before it are changed now if their launch is full or their step another.
    ///
    /// # Errors
    /// The driver's.
    ///
    /// # Panics
    /// If the buffers differ in length.
    pub fn add<S: Shape>(
        &mut self,
        step: AdamWStep,
        weight: &mut Tensor<S, f32, Cuda>,
        moments: [&mut CudaSlice<f32>; 2],
        gradient: CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        // What is left of a weight differs from tensor to tensor and is no part of the launch's step.
        let common = AdamWStep { kept: 1.0, ..step };
        if self.list.len() == PARAMETERS || self.step.is_some_and(|step| step != common) {
            self.make()?;
        }
        let weights = SpanMut::of(weight);
        let [first, second] = moments.map(SpanMut::from);
        let slopes = Span::from(&gradient);
        let count = weights.count();
        let counts = [first.count(), second.count(), slopes.count()];
        assert_eq!(counts, [count; 3], "sizes of a parameter");
        self.list.push(Parameter {
            weights: weights.address(),
            first: first.address(),
            second: second.address(),
            slopes: slopes.address(),
            count: count as u64,
            kept: step.kept,
        });
        self.step = Some(common);
        self.gradients.push(gradient);
        Ok(())
    }

    /// Change the parameters.
    ///
    /// # Errors
    /// The driver's.
    pub fn make(&mut self) -> Result<(), CudaError> {
        let (Some(step), Some(gradient)) = (self.step.take(), self.gradients.first()) else {
            return Ok(());
        };
        let context = Context::of_buffer(gradient)?;
        let mut arguments = Parameters { list: [Parameter::default(); PARAMETERS] };
        arguments.list.iter_mut().zip(&self.list).for_each(|(to, parameter)| *to = *parameter);
        let longest = self.list.iter().map(|parameter| parameter.count as usize).max();
        let blocks = blocks(longest.unwrap_or(0), self.list.len());
        // SAFETY: each row of blocks has one parameter, whose lists are equally long, as was checked. Those of
        // gradients are owned here; weights and moments outlive this, as whoever gathers them promises.
        unsafe { launch(&context, ("parameters", "adamw"), blocks, LINE, (arguments, step)) }?;
        self.list.clear();
        self.gradients.clear();
        Ok(())
    }
}
