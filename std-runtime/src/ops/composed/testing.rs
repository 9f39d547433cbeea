//! Random tensors in `f64` and plain references for the tests of the operations.

use dfdx::tensor::Cpu;
use expe_core::internals::Random;

use crate::ops::{Matrix, Vector, tensor};

fn normal(count: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..count).map(|_| f64::from(random.normal())).collect()
}

/// Creates a matrix of normally distributed numbers.
pub fn matrix(rows: usize, columns: usize, seed: u64) -> Matrix<f64, Cpu> {
    tensor(&Cpu::default(), (rows, columns), &normal(rows * columns, seed)).unwrap()
}

/// Creates a vector of normally distributed numbers.
pub fn vector(length: usize, seed: u64) -> Vector<f64, Cpu> {
    tensor(&Cpu::default(), (length,), &normal(length, seed)).unwrap()
}

/// Computes `a·b`, where `inner` is the number of columns of `a` and of rows of `b`.
pub fn product(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let columns = b.len() / inner;
    a.chunks(inner)
        .flat_map(|row| {
            (0..columns)
                .map(move |c| row.iter().zip(b.chunks(columns)).map(|(a, b)| a * b[c]).sum())
        })
        .collect()
}

/// Transposes a matrix with `columns` columns.
pub fn transposed(a: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|c| a.iter().skip(c).step_by(columns).copied()).collect()
}

/// The references do the same few dozen operations on numbers of size 1 to 30 in another order:
/// 30 · 32 · 2^-53 = 1e-13, and ten times that for a margin.
pub fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-12, "[{index}]: {found} against {expected}");
    }
}
