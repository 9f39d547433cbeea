//! Many parameters at once: the norm of gradients and AdamW.
#![allow(unsafe_code)]

use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::CudaError;

use super::arithmetic;
use super::launch::{LINE, THREADS, kernel_size, launch};
use crate::ops::AdamWStep;
use crate::ops::bridge::Skip;
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// Lists of one launch: addresses and lengths are passed as arguments, which may take 4 KB together.
const LISTS: usize = 96;
const PARAMETERS: usize = 72;
/// The most blocks for one list, and the fewest numbers for one thread.
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

/// See [`Kernels::reduce`](crate::ops::Kernels::reduce). Waits for the device.
pub fn reduce(
    context: &Context,
    mut sums: Vec<DeviceSliceMut<'_>>,
    others: &[Vec<DeviceSlice<'_>>],
) -> Result<f64, CudaError> {
    for other in others {
        for (sum, other) in sums.iter_mut().zip(other) {
            arithmetic::add(context, sum.reborrow(), *other)?;
        }
    }
    let sums: Vec<_> = sums.iter().map(DeviceSliceMut::as_slice).collect();
    squares(context, &sums)
}

/// Computes `Σ x²` over all lists, summed in `f64` in an order that their lengths alone decide. Waits for the
/// device.
fn squares(context: &Context, lists: &[DeviceSlice<'_>]) -> Result<f64, CudaError> {
    let launches: Vec<_> = lists
        .chunks(LISTS)
        .map(|chunk| {
            let longest = chunk.iter().map(DeviceSlice::len).max().unwrap_or(0);
            (chunk, blocks(longest, chunk.len()))
        })
        .collect();
    let all = launches.iter().map(|(_, [shares, lists, _])| shares * lists).sum();
    let mut sums = context.scratch::<f64>(all)?;
    let mut done = 0;
    for (chunk, blocks) in launches {
        let mut arguments = Lists { lists: [0; LISTS], counts: [0; LISTS] };
        let places = arguments.lists.iter_mut().zip(&mut arguments.counts);
        for ((address, count), list) in places.zip(chunk) {
            (*address, *count) = (list.address(), list.len() as u64);
        }
        // SAFETY: each row of blocks has one of the lists, and each block a sum of its own.
        unsafe {
            let to = DeviceSliceMut::from(&mut sums).skip(done);
            let parameters = (arguments, to.address());
            launch(context, ("parameters", "squares"), blocks, LINE, parameters)?;
        }
        done += blocks[0] * blocks[1];
    }
    if done == 0 {
        return Ok(0.0);
    }
    // SAFETY: `done` sums were written, one after the other.
    unsafe {
        let parameters = (&mut sums, kernel_size(done));
        launch(context, ("parameters", "total"), [1, 1, 1], LINE, parameters)?;
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
    gradient: u64,
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

/// Updates that were requested and not yet made; see [`Kernels::update`](crate::ops::Kernels::update).
#[derive(Debug, Default)]
pub struct Updates {
    list: Vec<Parameter>,
    /// Where, and with which constants.
    launch: Option<(Arc<Context>, AdamWStep)>,
    /// Kept until the launch that reads them is queued.
    gradients: Vec<CudaSlice<f32>>,
}

impl Updates {
    /// Adds a parameter. Makes the updates before it first if their launch is full or their step another one.
    ///
    /// # Errors
    /// The driver's.
    ///
    /// # Panics
    /// If the lists differ in length.
    pub fn add(
        &mut self,
        context: &Arc<Context>,
        step: AdamWStep,
        weights: DeviceSliceMut<'_>,
        [first, second]: [DeviceSliceMut<'_>; 2],
        gradient: CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        // Decay differs from parameter to parameter and is passed with it.
        let common = AdamWStep { kept: 1.0, ..step };
        let other = self.launch.as_ref().is_some_and(|(_, step)| *step != common);
        if self.list.len() == PARAMETERS || other {
            self.finish()?;
        }
        let count = weights.len();
        let gradient_slice = DeviceSlice::from(&gradient);
        let counts = [first.len(), second.len(), gradient_slice.len()];
        assert_eq!(counts, [count; 3], "sizes of a parameter");
        self.list.push(Parameter {
            weights: weights.address(),
            first: first.address(),
            second: second.address(),
            gradient: gradient_slice.address(),
            count: count as u64,
            kept: step.kept,
        });
        self.launch = Some((context.clone(), common));
        self.gradients.push(gradient);
        Ok(())
    }

    /// Makes the updates.
    pub fn finish(&mut self) -> Result<(), CudaError> {
        let Some((context, step)) = self.launch.take() else { return Ok(()) };
        let mut arguments = Parameters { list: [Parameter::default(); PARAMETERS] };
        arguments.list.iter_mut().zip(&self.list).for_each(|(to, parameter)| *to = *parameter);
        let longest = self.list.iter().map(|parameter| parameter.count as usize).max();
        let blocks = blocks(longest.unwrap_or(0), self.list.len());
        // SAFETY: each row of blocks has one parameter, whose lists have the same length, as was checked. The
        // gradients are owned here; weights and moments stay where they are until now, as the caller of
        // `Kernels::update` promises.
        unsafe { launch(&context, ("parameters", "adamw"), blocks, LINE, (arguments, step)) }?;
        self.list.clear();
        self.gradients.clear();
        Ok(())
    }
}
