use crate::num::{EXP2_FRACTION_BITS, Exponent, exp2_minus, mul_pow2, saturate};

/// Units of the activations' arguments and results: `2^UNIT`.
const UNIT: Exponent = Exponent(-16);

/// `log2 e` in units of `2^-16`.
const LOG2_E: u64 = 94_548;

/// The logistic function `1/(1 + e^-z)` of `z` in units of `2^-16`; in units of `2^-16`, off by less
/// than `2^-15`.
#[inline]
fn logistic(z: i32) -> u32 {
    // e^-|z| ≤ 1 in units of 2^-30; beyond 31 powers of two it is 0 anyway.
    let exponent = u64::from(z.unsigned_abs().min(1 << 22)) * LOG2_E;
    let power = exp2_minus(((exponent + (1 << 15)) >> 16) as u32);
    // 1/(1 + power), both to 15 digits: a 32-bit division where there is none of 64 bits.
    let sum = (power >> (EXP2_FRACTION_BITS - 1)) + (1 << 15);
    let quotient = (1u32 << 31).checked_div(sum).unwrap_or(0);
    if z < 0 { (1 << 16) - quotient } else { quotient }
}

/// `x·σ(z)`
#[inline]
fn gated(x: i32, z: i32) -> i32 {
    // No more than x, as σ is no more than 1.
    ((i64::from(x) * i64::from(logistic(z) as i32) + (1 << 15)) >> 16) as i32
}

/// GELU in its tanh form, in place, in units of `2^-16`: `x ← x·σ(2z)`, `z = √(2/π)·(x + 0.044715·x³)`;
/// the integer form of [`kernels::gelu`](crate::kernels::gelu). Off by less than `2^-14·|x| + 2^-14`.
#[inline(never)]
pub fn gelu(x: &mut [i32]) {
    /// `2·√(2/π)` in units of `2^-16`
    const SLOPE: i64 = 104_580;
    /// `0.044715` in units of `2^-16`
    const CUBIC: i64 = 2_930;
    for x in x {
        // Beyond ±16 the logistic function is 0 or 1 to all digits.
        let bounded = i64::from((*x).clamp(-(1 << 20), 1 << 20));
        let square = round(bounded * bounded);
        let inner = bounded + round(round(square * CUBIC) * bounded);
        // Below 2^28.
        *x = gated(*x, round(SLOPE * inner) as i32);
    }
}

/// `x·2^UNIT`, rounded half up.
const fn round(x: i64) -> i64 {
    (x + (1 << 15)) >> 16
}

/// SiLU, in place, in units of `2^-16`: `x ← x·σ(x)`; the integer form of
/// [`kernels::silu`](crate::kernels::silu). Off by less than `2^-14·|x| + 2^-14`.
#[inline(never)]
pub fn silu(x: &mut [i32]) {
    for x in x {
        *x = gated(*x, *x);
    }
}

/// The inside of SwiGLU, in place: `x_i ← silu(x_i)·gate_i`, both in units of `2^-16`, the result in
/// units of `2^exponent`; the integer form of [`kernels::swiglu`](crate::kernels::swiglu).
#[inline(never)]
pub fn swiglu(x: &mut [i32], gate: &[i32], exponent: Exponent) {
    // Saturating: with wrapping arithmetic the loop takes 7 % more instructions on a Cortex-M55.
    let by = (2 * UNIT.0).saturating_sub(exponent.0);
    if let cut @ 0..32 = by.saturating_neg().saturating_sub(1) {
        // The common case, in few instructions.
        gate_all(x, gate, |product| rounded(product >> cut));
    } else {
        gate_all(x, gate, |product| saturate(mul_pow2(product, by)));
    }
}

/// `x_i ← value(silu(x_i)·gate_i)`
#[inline(always)]
fn gate_all(x: &mut [i32], gate: &[i32], value: impl Fn(i64) -> i32) {
    for (x, gate) in x.iter_mut().zip(gate) {
        *x = value(i64::from(gated(*x, *x)) * i64::from(*gate));
    }
}

/// Half of `x`, rounded up, saturating; at least one bit of `x` is free.
#[inline(always)]
const fn rounded(x: i64) -> i32 {
    let low = x as i32;
    if low as i64 == x {
        return (low >> 1).wrapping_add(low & 1);
    }
    saturate(x.wrapping_add(1) >> 1)
}

/// ReLU, in place, in any units: `x ← max(x, 0)`, exactly.
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
            // SwiGLU's gate is −3, which multiplies its error.
            for ((found, exact), gate) in found.iter().zip(exact).zip([1.0, 1.0, 3.0, 1.0]) {
                let bound = (value.abs() + 1.0) * gate * 2f64.powi(-14);
                assert!((found - exact).abs() <= bound, "{value}: {found} {exact}");
            }
        }
    }

    #[test]
    fn every_unit_of_swiglu_is_a_scaled_product() {
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
