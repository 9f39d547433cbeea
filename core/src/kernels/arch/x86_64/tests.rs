use std::vec;
use std::vec::Vec;

use super::level::Level;
use super::{add_rows_at, each_dot_at, sums, tiles};
use crate::kernels::inputs::QuantRows;
use crate::kernels::kernel::{MAX_TILE_INPUTS, TILE_OUTPUTS};
use crate::kernels::portable::{add_weighted_rows_portable, matvec_portable};
use crate::kernels::{Bf16, F16, F32, GROUP, GROUP_BYTES, I8, Inputs, Stored, dot_int4, dot_int8};
use crate::num::Random;

/// Returns the levels of this processor. There are none without AVX2: then only the portable kernels are used, and
/// there is nothing to compare.
fn levels() -> Vec<Level> {
    let best = Level::found();
    let mut levels: Vec<Level> = best.into_iter().collect();
    if best.is_some_and(|best| best != Level::Avx2) {
        levels.push(Level::Avx2);
    }
    levels
}

fn normals(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.normal()).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.below(256) as u8).collect()
}

/// Checks that the dot products of one format are bit-identical to the portable reference.
fn check_dots<S: Stored>(store: impl Fn(f32) -> S::Bits) {
    let mut random = Random::new(1);
    let cols = (8..40).chain([64, 270, 288, 301]);
    let shapes = cols.flat_map(|cols| {
        [(1, 1), (3, 1), (8, 1), (13, 1), (1, 2), (7, 3), (9, 4), (12, 5), (5, 6), (11, 13)]
            .map(|(outs, rows)| (cols, outs, rows))
    });
    // The last shape has more than one block of weights.
    for (cols, outs, rows) in shapes.chain([(1024, 205, 7)]) {
        for skip in [0, cols % 5] {
            let width = cols + skip;
            let weights: Vec<S::Bits> =
                normals(&mut random, outs * cols).into_iter().map(&store).collect();
            let x = normals(&mut random, rows * width);
            let inputs = Inputs::new(&x, width).skip(skip);
            let start = normals(&mut random, rows * outs);
            for add in [false, true] {
                let mut expected = start.clone();
                matvec_portable::<S>(&weights, cols, inputs, &mut expected, outs, |y, value| {
                    *y = if add { *y + value } else { value };
                });
                for level in levels() {
                    let mut found = start.clone();
                    let weights = S::stored_slice(&weights).unwrap();
                    assert!(each_dot_at(level, weights, cols, &inputs, &mut found, outs, add));
                    let what = (level, cols, outs, rows, skip, add);
                    assert_eq!(bits(&found), bits(&expected), "{what:?}");
                }
            }
        }
    }
}

#[test]
fn dot_products_are_bit_identical_to_portable_ones() {
    check_dots::<F32>(|x| x);
    check_dots::<F16>(|x| F16::narrow(x * 1e-3).unwrap());
    check_dots::<Bf16>(|x| Bf16::narrow(x).unwrap());
    check_dots::<I8>(|x| (x * 50.0) as i8);
}

#[test]
fn halves_are_widened_exactly() {
    // Each row has eight columns; its product with 1, 0, 0, … is its first number.
    let halves: Vec<u16> = (0..=u16::MAX).filter(|bits| F16::is_finite(*bits)).collect();
    let rows: Vec<u16> = halves.iter().flat_map(|half| [*half, 0, 0, 0, 0, 0, 0, 0]).collect();
    for level in levels() {
        let mut found = vec![0.0; halves.len()];
        let weights = F16::stored_slice(&rows).unwrap();
        let inputs = Inputs::new(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 8);
        assert!(each_dot_at(level, weights, 8, &inputs, &mut found, halves.len(), false));
        for (half, found) in halves.iter().zip(found) {
            assert_eq!(F16::widen(*half), found);
        }
    }
}

#[test]
fn slices_of_wrong_lengths_are_left_to_the_portable_kernel() {
    let weights = F32::stored_slice(&[1.0; 18]).unwrap();
    for level in levels() {
        let mut y = [0.0; 2];
        // Inputs of nine elements, of which one is skipped, for weights of nine columns.
        let short = Inputs::new(&[1.0; 18], 9).skip(1);
        assert!(!each_dot_at(level, weights, 9, &short, &mut y, 2, false));
        for (cols, outs) in [(0, 2), (7, 2), (9, 0)] {
            let inputs = Inputs::new(&[1.0; 9], 9);
            assert!(!each_dot_at(level, weights, cols, &inputs, &mut y, outs, false));
        }
        // More outputs than rows of weights, more rows of weights than outputs, an incomplete row.
        let inputs = Inputs::new(&[1.0; 15], 9);
        for (outs, expected) in [(3, [9.0, 9.0, 5.0]), (1, [9.0, 5.0, 5.0])] {
            let mut y = [5.0; 3];
            assert!(each_dot_at(level, weights, 9, &inputs, &mut y, outs, false));
            assert_eq!(y, expected);
        }
        assert!(!sums::sums_int8(level, &[1; 6], 3, &[1; 2], &mut [0; 2]));
        assert!(!sums::sums_int4(level, &[1; 16], &[1], 1, &[1; 33], &mut [0; 1]));
    }
}

#[test]
fn weighted_rows_are_bit_identical_to_portable_ones() {
    let mut random = Random::new(2);
    for width in (1..80).chain([128, 129, 200]) {
        for count in [0, 1, 2, 7, 50] {
            let factors = normals(&mut random, count);
            let matrix = normals(&mut random, count * width);
            let halves: Vec<u16> = matrix.iter().map(|x| F16::narrow(*x).unwrap()).collect();
            let quants: Vec<i8> = matrix.iter().map(|x| (x * 40.0) as i8).collect();
            let start = normals(&mut random, width);
            let mut expected = [start.clone(), start.clone(), start.clone()];
            let [a, b, c] = &mut expected;
            add_weighted_rows_portable::<F32>(&factors, &matrix, a);
            add_weighted_rows_portable::<F16>(&factors, &halves, b);
            add_weighted_rows_portable::<I8>(&factors, &quants, c);
            for level in levels() {
                let matrices = [
                    F32::stored_slice(&matrix),
                    F16::stored_slice(&halves),
                    I8::stored_slice(&quants),
                ];
                for (matrix, expected) in matrices.into_iter().zip(&expected) {
                    let mut found = start.clone();
                    add_rows_at(level, &factors, matrix.unwrap(), &mut found);
                    assert_eq!(bits(&found), bits(expected), "{level:?} {width} {count}");
                }
            }
        }
    }
}

#[test]
fn integer_sums_are_exact() {
    let mut random = Random::new(3);
    for cols in (1..200).chain([288, 768, 1000]) {
        for rows in [1, 3, 4, 8, 11] {
            // All bytes, including −128, which quantization never produces.
            let x: Vec<i8> = bytes(&mut random, cols).into_iter().map(|x| x as i8).collect();
            let weights: Vec<i8> =
                bytes(&mut random, rows * cols).into_iter().map(|x| x as i8).collect();
            let expected: Vec<i32> = weights.chunks(cols).map(|row| dot_int8(row, &x)).collect();
            let groups = cols.div_ceil(GROUP);
            let quants = bytes(&mut random, rows * groups * GROUP_BYTES);
            let factors = bytes(&mut random, rows * groups);
            let expected4: Vec<i32> = quants
                .chunks(groups * GROUP_BYTES)
                .zip(factors.chunks(groups))
                .map(|(quants, factors)| dot_int4(quants, factors, &x))
                .collect();
            for level in levels() {
                let mut found = vec![9; rows + 1];
                assert!(sums::sums_int8(level, &weights, cols, &x, &mut found));
                assert_eq!((&found[..rows], found[rows]), (&expected[..], 9), "{level:?} {cols}");
                assert!(sums::sums_int4(level, &quants, &factors, groups, &x, &mut found));
                assert_eq!((&found[..rows], found[rows]), (&expected4[..], 9), "{level:?}");
            }
        }
    }
}

/// Tiles of rows and several inputs: all sums of the tile are written, and nothing outside of it.
#[test]
fn integer_tiles_are_exact() {
    const OLD: i32 = 77;
    let mut random = Random::new(4);
    let cols = (1..130usize).chain([191, 192, 193, 256, 270, 288, 301, 768]);
    let mut tiles = 0;
    for (round, cols) in cols.enumerate() {
        let groups = cols.div_ceil(GROUP);
        for (rows, count) in [(4, 2), (5, 3), (7, 16), (64, 5), (63, 17), (11, 1), (3, 4)] {
            let (skip, stride) = (round % 4, cols + round % 4 + round % 3);
            // The last input ends with the slice.
            let len = count * stride - (stride - cols - skip);
            let x: Vec<i8> = bytes(&mut random, len).into_iter().map(|x| x as i8).collect();
            let inputs = (0..count).map(|c| &x[c * stride + skip..][..cols]);
            let weights: Vec<i8> =
                bytes(&mut random, rows * cols).into_iter().map(|x| x as i8).collect();
            let quants = bytes(&mut random, rows * groups * GROUP_BYTES);
            let factors = bytes(&mut random, rows * groups);
            let x = QuantRows { data: &x[skip..], stride, most: count };
            for level in levels() {
                let mut found = [[OLD; TILE_OUTPUTS]; MAX_TILE_INPUTS];
                let done = tiles::int8(level, &weights, cols, rows, &x, &mut found);
                let mut found4 = [[OLD; TILE_OUTPUTS]; MAX_TILE_INPUTS];
                let done4 = tiles::int4(level, &quants, &factors, cols, rows, &x, &mut found4);
                let what = (level, cols, rows, count, skip, stride);
                if rows < 4 {
                    assert_eq!((done, done4), (0, 0), "{what:?}");
                }
                tiles += done.min(done4);
                assert!(
                    done <= count.min(MAX_TILE_INPUTS) && done4 <= count.min(MAX_TILE_INPUTS),
                    "{what:?}"
                );
                assert!(rows < 4 || cols < 16 || done == count.min(MAX_TILE_INPUTS), "{what:?}");
                // If the last group is incomplete, the last input may remain; more of them if inputs are short.
                assert!(
                    rows < 4 || cols < 32 || done4 + 1 >= count.min(MAX_TILE_INPUTS),
                    "{what:?}"
                );
                for (c, x) in inputs.clone().enumerate().take(MAX_TILE_INPUTS) {
                    let sums = weights.chunks(cols).map(|row| dot_int8(row, x));
                    let expected: Vec<i32> = sums.collect();
                    let (sums, rest) = found[c].split_at(rows);
                    assert!(
                        sums == if c < done { &expected } else { &[OLD; TILE_OUTPUTS][..rows] }
                    );
                    assert!(rest.iter().all(|sum| *sum == OLD), "{what:?}");
                    let quants = quants.chunks(groups * GROUP_BYTES).zip(factors.chunks(groups));
                    let expected: Vec<i32> =
                        quants.map(|(quants, factors)| dot_int4(quants, factors, x)).collect();
                    let (sums, rest) = found4[c].split_at(rows);
                    let wanted =
                        if c < done4 { &expected[..] } else { &[OLD; TILE_OUTPUTS][..rows] };
                    assert_eq!(sums, wanted, "{what:?}");
                    assert!(rest.iter().all(|sum| *sum == OLD), "{what:?}");
                }
            }
        }
    }
    assert!(tiles > 1000 || levels().is_empty(), "{tiles}");
}

#[test]
fn largest_integer_sums_fit() {
    for level in levels() {
        for (w, x) in [(-128, 127), (-128, -128), (127, 127), (127, -128)] {
            let (weights, x) = (vec![w; 1 << 17], vec![x; 1 << 17]);
            // −128·−128 in all columns is 2^31, which wraps in both kernels.
            let mut found = [0];
            assert!(sums::sums_int8(level, &weights, 1 << 17, &x, &mut found));
            assert_eq!(found, [dot_int8(&weights, &x)]);
            let four = weights.repeat(4);
            let inputs = QuantRows { data: &x, stride: 1, most: 1 };
            let mut block = [[0; TILE_OUTPUTS]; MAX_TILE_INPUTS];
            assert_eq!(tiles::int8(level, &four, 1 << 17, 4, &inputs, &mut block), 1);
            assert_eq!(block[0][..4], [found[0]; 4]);
        }
        for (quant, x) in [(0x88, 127), (0x77, 127), (0x88, -128)] {
            let (quants, factors, x) = (vec![quant; 1 << 12], vec![255; 1 << 8], vec![x; 1 << 13]);
            let mut found = [0];
            assert!(sums::sums_int4(level, &quants, &factors, 1 << 8, &x, &mut found));
            assert_eq!(found, [dot_int4(&quants, &factors, &x)]);
            let (quants, factors) = (quants.repeat(4), factors.repeat(4));
            let inputs = QuantRows { data: &x, stride: 1, most: 1 };
            let mut block = [[0; TILE_OUTPUTS]; MAX_TILE_INPUTS];
            assert_eq!(tiles::int4(level, &quants, &factors, 1 << 13, 4, &inputs, &mut block), 1);
            assert_eq!(block[0][..4], [found[0]; 4]);
        }
    }
}
