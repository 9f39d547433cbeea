use core::hint::black_box;

use expe_core::internals::{self, Exponent, Inputs, Matrix, Multiplier, Random, Weights, integer};
use expe_core::num::Exact;
use zerocopy::{FromBytes, IntoBytes};

use super::measure;
use crate::memory::take;
use crate::{Error, InstructionCounter};

/// Length of the rows for norm, quantization, softmax and activations.
const ROW: usize = 128;

/// Numbers of rows and columns of the matrices.
const MATRICES: [(usize, usize); 2] = [(128, 128), (128, 352)];

/// Unit of the integers in rows: they represent multiples of `2^UNIT`.
const UNIT: Exponent = Exponent(-16);

/// Measures the kernels of integer arithmetic.
pub fn integers(memory: &mut [u32], counter: &impl InstructionCounter) -> Result<(), Error> {
    let mut random = Random::new(1);
    let names = ["int8 matrix 128 x 128, requantized", "int8 matrix 128 x 352, requantized"];
    for (name, (rows, columns)) in names.into_iter().zip(MATRICES) {
        let mut memory = &mut *memory;
        let outputs = take(&mut memory, rows)?;
        let x = take(&mut memory, columns / 4)?;
        let scales = take(&mut memory, rows)?;
        let weights = take(&mut memory, rows * columns / 4)?;
        for word in x.iter_mut().chain(weights.iter_mut()) {
            *word = random.next_u32() & 0x7f7f_7f7f;
        }
        // The bits of floats from 0.001 to 0.002.
        scales.fill_with(|| 0x3a83_126f + (random.next_u32() >> 10));
        let (Ok(x), Ok(quants), Ok(scales), Ok(outputs)) = (
            FromBytes::ref_from_bytes(x.as_bytes()),
            FromBytes::ref_from_bytes(weights.as_bytes()),
            FromBytes::ref_from_bytes(scales.as_bytes()),
            <[i32]>::mut_from_bytes(outputs.as_mut_bytes()),
        ) else {
            return Err(Error::MemoryTooSmall);
        };
        let Some(matrix) = Matrix::new(Weights::Int8 { scales, quants }, rows, columns) else {
            return Err(Error::MemoryTooSmall);
        };
        let inputs = Inputs::<i32>::new(&[], columns).with_quants(x, &[0.025]);
        let (matrix, inputs) = (black_box(matrix), black_box(inputs));
        measure(name, (rows * columns) as u32, counter, || {
            integer::project(&matrix, inputs, UNIT, outputs);
        });
    }

    let mut x = [0i32; ROW];
    let mut gate = [0i32; ROW];
    let mut y = [0i32; ROW];
    let mut quants = [0i8; ROW];
    // From -4 to 4.
    x.fill_with(|| random.next_u32() as i32 >> 13);
    gate.fill_with(|| random.next_u32() as i32 >> 13);
    let epsilon = Multiplier::from_f32(black_box(1e-5));
    measure("integer norm", ROW as u32, counter, || {
        integer::norm(black_box(&x), UNIT, false, &[1.25; ROW], epsilon, &mut y, &mut quants)
    });
    measure("integer quantization", ROW as u32, counter, || {
        integer::quantize(black_box(&x), Multiplier::power_of_two(UNIT), &mut quants)
    });
    y = x;
    measure("integer softmax", ROW as u32, counter, || integer::softmax(black_box(&mut y)));
    y = x;
    measure("integer SwiGLU", ROW as u32, counter, || {
        integer::swiglu(black_box(&mut y), &gate, UNIT);
    });
    y = x;
    measure("integer GELU", ROW as u32, counter, || integer::gelu(black_box(&mut y)));
    Ok(())
}

/// Measures the kernels in single precision.
pub fn floats(memory: &mut [u32], counter: &impl InstructionCounter) -> Result<(), Error> {
    let mut random = Random::new(2);
    let names = ["f32 matrix 128 x 128", "f32 matrix 128 x 352"];
    for (name, (rows, columns)) in names.into_iter().zip(MATRICES) {
        let mut memory = &mut *memory;
        let outputs = take(&mut memory, rows)?;
        let x = take(&mut memory, columns)?;
        let weights = take(&mut memory, rows * columns)?;
        for word in x.iter_mut().chain(weights.iter_mut()) {
            *word = random.normal().to_bits();
        }
        let (Ok(x), Ok(weights), Ok(outputs)) = (
            FromBytes::ref_from_bytes(x.as_bytes()),
            FromBytes::ref_from_bytes(weights.as_bytes()),
            <[f32]>::mut_from_bytes(outputs.as_mut_bytes()),
        ) else {
            return Err(Error::MemoryTooSmall);
        };
        let Some(matrix) = Matrix::new(Weights::F32(weights), rows, columns) else {
            return Err(Error::MemoryTooSmall);
        };
        let (matrix, inputs) = (black_box(matrix), black_box(Inputs::new(x, columns)));
        measure(name, (rows * columns) as u32, counter, || matrix.apply(inputs, outputs));
    }

    let mut x = [0f32; ROW];
    let mut gate = [0f32; ROW];
    let mut y = [0f32; ROW];
    let mut quants = [0i8; ROW];
    x.fill_with(|| random.normal());
    gate.fill_with(|| random.normal());
    measure("f32 norm", ROW as u32, counter, || {
        internals::rms_norm::<Exact>(black_box(&x), &[1.25; ROW], 1e-5, &mut y);
    });
    measure("f32 quantization", ROW as u32, counter, || {
        internals::quantize(black_box(&x), &mut quants)
    });
    y = x;
    measure("f32 softmax", ROW as u32, counter, || internals::softmax::<Exact>(black_box(&mut y)));
    y = x;
    measure("f32 SwiGLU", ROW as u32, counter, || {
        internals::swiglu::<Exact>(black_box(&mut y), &gate);
    });
    y = x;
    measure("f32 GELU", ROW as u32, counter, || internals::gelu::<Exact>(black_box(&mut y)));
    Ok(())
}
