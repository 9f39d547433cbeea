//! Elementwise arithmetic that the compiler turns into vector instructions.
//!
//! Everything here is plain Rust, `#[inline(always)]`, and without fused multiply-adds: inside
//! [`vectorized`] it is compiled once for each instruction set, and gives the same bits with each.

/// Runs `work` with the widest vector instructions that this processor has. Only what is inlined into it
/// uses them.
#[inline(always)]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The number of interleaved partial sums of a reduction.
const LANES: usize = 32;

/// Computes `Σ f(a_i, b_i)` in `f32`.
#[inline(always)]
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| f(*a, *b)).sum();
    for (a, b) in left.zip(right) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f(*a, *b);
        }
    }
    fold_lanes(sums, |a, b| a + b) + rest
}

/// Computes `Σ f(a_i)` in `f32`.
#[inline(always)]
pub fn sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    sum2(a, a, |a, _| f(a))
}

/// Returns the largest number, ignoring NaNs.
#[inline(always)]
pub fn largest(a: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    let chunks = a.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    for a in chunks {
        for (most, a) in most.iter_mut().zip(a) {
            *most = if *a > *most { *a } else { *most };
        }
    }
    fold_lanes(most, f32::max).max(rest)
}

/// Reduces lanes by halves, so that each step is a vector operation.
#[inline(always)]
fn fold_lanes(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Computes `y ← y + x`.
#[inline(always)]
pub fn add(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

/// Computes `y ← y + factor·x`.
#[inline(always)]
pub fn add_scaled(y: &mut [f32], factor: f32, x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

/// Computes `e^x` with a relative error below `2.5·2^-24`; arguments are clamped to −87 and 88, where results are
/// normal numbers, and a NaN stays one.
///
/// `x = n·ln 2 + r` with `|r| ≤ ln 2/2` (Cody and Waite's two-part `ln 2`), then the Taylor
/// polynomial of degree 7, which is exact to `0.35^8/8! = 5e-9`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// `1.5·2^23`: adding it rounds to an integer, whose bits are then the lowest of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // Puts n + 127 into the exponent; the bits above it are shifted out.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

/// Computes `σ(x) = 1/(1 + e^(−x))`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::super::testing::normal;
    use super::*;

    #[test]
    fn exp_is_as_accurate_as_it_says() {
        let mut worst = 0.0_f64;
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2.5 / f64::from(1 << 24), "{worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!((exp(-1e30), exp(f32::NEG_INFINITY)), (exp(-87.0), exp(-87.0)));
        assert_eq!((exp(1e30), exp(f32::INFINITY)), (exp(88.0), exp(88.0)));
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn instruction_sets_change_no_bit() {
        let x = normal(1000, 1);
        let work = |y: &mut Vec<f32>| {
            y.iter_mut().for_each(|y| *y = exp(*y * 9.0) / (sigmoid(*y) + 2.0));
            (sum(y, |y| y * y), largest(y))
        };
        let (mut a, mut b) = (x.clone(), x);
        assert_eq!(
            work(&mut a),
            vectorized(
                #[inline(always)]
                || work(&mut b)
            )
        );
        assert_eq!(a, b);
    }

    #[test]
    fn reductions_follow_their_definitions() {
        for count in [1, 31, 32, 33, 100] {
            let (a, b) = (normal(count, 2), normal(count, 3));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            // Up to 100 terms of size 9 at most.
            assert!((f64::from(sum2(&a, &b, |a, b| a * b)) - expected).abs() < 900.0 * 6e-8 * 7.0);
            assert_eq!(largest(&a), a.iter().copied().fold(f32::MIN, f32::max));
        }
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }
}
