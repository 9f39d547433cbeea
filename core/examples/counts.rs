//! One kernel, some times over, for a program that counts instructions: see `tests/bench/counts`.
//!
//! `counts KERNEL TIMES`; without the feature `std` the kernels are the portable ones.

use std::hint::black_box;

use expe_core::F32;
use expe_core::internals::{Inputs, Matrix, Weights, matvec, swiglu};
use expe_core::num::Exact;

/// Width, hidden width and tokens of a prompt's chunk.
const SHAPE: (usize, usize, usize) = (288, 768, 16);

fn main() {
    let (width, hidden, tokens) = SHAPE;
    let mut arguments = std::env::args().skip(1);
    let kernel = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let weights = vec![0.25_f32; hidden * width];
    let (quants, scales) = (vec![3_i8; hidden * width], vec![0.5_f32; hidden]);
    let x = vec![0.5_f32; tokens * hidden];
    let (packed, packed_scales) = (vec![5_i8; tokens * width], vec![0.5_f32; tokens]);
    let mut y = vec![0.0_f32; tokens * hidden];
    for _ in 0..times {
        match kernel.as_str() {
            // A token's products in single precision.
            "matvec" => {
                let inputs = Inputs::new(&x, width).from(tokens * hidden / width - 1);
                matvec::<F32>(&weights, width, inputs, &mut y, hidden);
            }
            // A prompt's products of 8-bit integers.
            "int8" => {
                let weights = Weights::Int8 { scales: &scales, quants: &quants };
                let Some(matrix) = Matrix::new(weights, hidden, width) else { return };
                let inputs = Inputs::new(&x, width).with_quants(&packed, &packed_scales);
                matrix.apply(inputs, &mut y);
            }
            "swiglu" => swiglu::<Exact>(&mut y, &x),
            other => {
                eprintln!("`{other}` is none of matvec, int8, swiglu");
                std::process::exit(2);
            }
        }
        black_box(&mut y);
    }
}
