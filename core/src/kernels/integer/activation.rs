use crate::num::{EXP2_FRACTION_BITS, Exponent, exp2_minus, mul_pow2, saturate};

/// The unit of the arguments and results of activations.
const UNIT: Exponent = Exponent(-16);

/// `log2 e` in units of `2^-16`.
const LOG2_E: u64 = 94_548;

/// Computes the logistic function `1/(1 + e^-z)`; argument and result are in units of `2^-16`.
///
/// The error is below `2^-15`.
#[inline]
fn logistic(z: i32) -> u32 {
    // e^-|z| ≤ 1 in units of 2^-30; below 2^-31 it is 0, so z may be clamped.
    let exponent = u64::from(z.unsigned_abs().min(1 << 22)) * LOG2_E;
    let power = exp2_minus(((exponent + (1 << 15)) >> 16) as u32);
    // 1/(1 + power) to 15 digits, which needs a 32-bit division only.
    let sum = (power >> (EXP2_FRACTION_BITS - 1)) + (1 << 15);
    let quotient = (1u32 << 31).checked_div(sum).unwrap_or(0);
    if z < 0 { (1 << 16) - quotient } else { quotient }
}

/// Returns `x·σ(z)`.
#[inline]
fn gated(x: i32, z: i32) -> i32 {
    // Fits because σ is at most 1.
    ((i64::from(x) * i64::from(logistic(z) as i32) + (1 << 15)) >> 16) as i32
}

/// Applies GELU in its tanh form in place: `x ← x·σ(2z)`, `z = √(2/π)·(x + 0.044715·x³)`, in units of `2^-16`.
///
/// The error is below `2^-14·|x| + 2^-14`. The integer form of [`kernels::gelu`](crate::kernels::gelu).
#[inline(never)]
pub fn gelu(x: &mut [i32]) {
    /// `2·√(2/π)` in units of `2^-16`
    const SLOPE: i64 = 104_580;
    /// `0.044715` in units of `2^-16`
    const CUBIC: i64 = 2_930;
    for x in x {
        // Beyond ±16 the logistic function rounds to 0 or 1.
        let bounded = i64::from((*x).clamp(-(1 << 20), 1 << 20));
        let square = round(bounded * bounded);
        let inner = bounded + round(round(square * CUBIC) * bounded);
        // Below 2^28.
        *x = gated(*x, round(SLOPE * inner) as i32);
    }
}

/// Returns `x·2^-16`, rounded half up.
const fn round(x: i64) -> i64 {
    (x + (1 << 15)) >> 16
}

/// Applies SiLU in place: `x ← x·σ(x)`, in units of `2^-16`.
///
/// The error is below `2^-14·|x| + 2^-14`. The integer form of [`kernels::silu`](crate::kernels::silu).
#[inline(never)]
pub fn silu(x: &mut [i32]) {
    for x in x {
        *x = gated(*x, *x);
    }
}

/// Applies the gate of SwiGLU in place: `x_i ← silu(x_i)·gate_i`.
///
/// Both factors are in units of `2^-16`, the result in units of `2^exponent`. The integer form of
/// [`kernels::swiglu`](crate::kernels::swiglu).
#[inline(never)]
pub fn swiglu(x: &mut [i32], gate: &[i32], exponent: Exponent) {
    // Saturating, because with wrapping arithmetic the loop takes 7 % more instructions on a Cortex-M55.
    let by = (2 * UNIT.0).saturating_sub(exponent.0);
    if let cut @ 0..32 = by.saturating_neg().saturating_sub(1) {
        // The common case, in few instructions.
        gate_all(x, gate, |product| half_up(product >> cut));
    } else {
        gate_all(x, gate, |product| saturate(mul_pow2(product, by)));
    }
}

/// Computes `x_i ← value(silu(x_i)·gate_i)` for every element.
#[inline(always)]
fn gate_all(x: &mut [i32], gate: &[i32], value: impl Fn(i64) -> i32) {
    for (x, gate) in x.iter_mut().zip(gate) {
        *x = value(i64::from(gated(*x, *x)) * i64::from(*gate));
    }
}

/// Returns half of `x`, rounded up and saturated; `x` must be below `i64::MAX`.
#[inline(always)]
const fn half_up(x: i64) -> i32 {
    let low = x as i32;
    if low as i64 == x {
        return (low >> 1).wrapping_add(low & 1);
    }
    saturate(x.wrapping_add(1) >> 1)
}

/// Applies ReLU in place, exactly and in any units: `x ← max(x, 0)`.
pub fn relu(x: &mut [i32]) {
    for x in x {
        *x = (*x).max(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    #[test]
    fn activations_are_within_their_bounds() {
        for step in -200_000..=200_000i32 {
            let x = step * 11;
            let value = f64::from(x) / 65_536.0;
            let mut y = [[x]; 4];
            let [a, b, c, d] = &mut y;
            gelu(a);
            silu(b);
            swiglu(c, &[-3 << 16], Exponent(-14));
            relu(d);
            let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
            let z = (2.0 / std::f64::consts::PI).sqrt() * (value + 0.044715 * value.powi(3));
            let exact = [
                value * logistic(2.0 * z),
                value * logistic(value),
                -3.0 * value * logistic(value),
                value.max(0.0),
            ];
            let found = [
                f64::from(y[0][0]) / 65_536.0,
                f64::from(y[1][0]) / 65_536.0,
                f64::from(y[2][0]) / 16_384.0,
                f64::from(y[3][0]) / 65_536.0,
            ];
            // The gate of SwiGLU is −3, which multiplies the error.
            for ((found, exact), gate) in found.iter().zip(exact).zip([1.0, 1.0, 3.0, 1.0]) {
                let bound = (value.abs() + 1.0) * gate * 2f64.powi(-14);
                assert!((found - exact).abs() <= bound, "{value}: {found} {exact}");
            }
        }
    }

    #[test]
    fn swiglu_scales_the_product_to_every_unit() {
        let mut random = Random::new(1);
        for round in 0..40_000 {
            let exponent = round % 50 - 40;
            let mut any = || random.next_u32() as i32 >> random.below(32);
            let (start, gate) = (any(), any());
            let mut x = [start];
            swiglu(&mut x, &[gate], Exponent(exponent));
            let product = i64::from(gated(start, start)) * i64::from(gate);
            assert_eq!(
                x,
                [saturate(mul_pow2(product, -32 - exponent))],
                "{start} {gate} {exponent}"
            );
        }
    }

    #[test]
    fn extreme_inputs_saturate() {
        let mut x = [i32::MAX, i32::MIN, 100 << 16, -100 << 16];
        gelu(&mut x);
        assert!(x[0] >= i32::MAX - (1 << 17) && x[2] >= (100 << 16) - 200 && x[2] <= 100 << 16);
        assert!(x[1].abs() <= 1 << 17 && x[3].abs() <= 200, "{x:?}");
        let mut x = [i32::MAX, i32::MIN];
        swiglu(&mut x, &[i32::MAX, i32::MAX], Exponent(-16));
        assert_eq!(x[0], i32::MAX);
    }
}
