use core::marker::PhantomData;

use super::arch;
use super::kernel::Kernel;
use crate::num::Math;

/// Returns `x·σ(z)` with the logistic function `σ`. If `e^-z` overflows, the result is `x / ∞ = 0`.
#[inline(always)]
fn gated<M: Math>(x: f32, z: f32) -> f32 {
    x / (1.0 + M::exp(-z))
}

/// Applies GELU in its tanh form in place: `x ← x/2·(1 + tanh z)`, `z = √(2/π)·(x + 0.044715·x³)`
/// (Hendrycks and Gimpel 2016, <https://arxiv.org/abs/1606.08415>).
///
/// It is computed as the equal `x·σ(2z)`, which avoids cancellation at negative `x`.
pub fn gelu<M: Math>(x: &mut [f32]) {
    arch::vectorized(Gelu::<M>(x, PhantomData));
}

struct Gelu<'a, M>(&'a mut [f32], PhantomData<M>);

impl<M: Math> Kernel for Gelu<'_, M> {
    #[inline(always)]
    fn run(self) {
        /// `2·√(2/π)`
        const SLOPE: f32 = 1.595_769;
        const CUBIC: f32 = 0.044_715;
        for x in self.0 {
            *x = gated::<M>(*x, SLOPE * (*x + CUBIC * *x * *x * *x));
        }
    }
}

/// Applies SiLU in place: `x ← x·σ(x) = x / (1 + e^-x)`.
pub fn silu<M: Math>(x: &mut [f32]) {
    arch::vectorized(Silu::<M>(x, PhantomData));
}

struct Silu<'a, M>(&'a mut [f32], PhantomData<M>);

impl<M: Math> Kernel for Silu<'_, M> {
    #[inline(always)]
    fn run(self) {
        for x in self.0 {
            *x = gated::<M>(*x, *x);
        }
    }
}

/// Applies the gate of SwiGLU in place: `x_i ← silu(x_i)·gate_i`.
pub fn swiglu<M: Math>(x: &mut [f32], gate: &[f32]) {
    arch::vectorized(SwiGlu::<M>(x, gate, PhantomData));
}

struct SwiGlu<'a, M>(&'a mut [f32], &'a [f32], PhantomData<M>);

impl<M: Math> Kernel for SwiGlu<'_, M> {
    #[inline(always)]
    fn run(self) {
        for (x, gate) in self.0.iter_mut().zip(self.1) {
            *x = gated::<M>(*x, *x) * gate;
        }
    }
}

/// Applies ReLU in place: `x ← max(x, 0)`; NaN stays NaN.
pub fn relu(x: &mut [f32]) {
    for x in x {
        *x = if *x < 0.0 { 0.0 } else { *x };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Exact;

    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

    #[test]
    fn activations_are_within_their_error_bounds() {
        for step in -4_000..=4_000 {
            let x = step as f32 / 100.0;
            let wide = f64::from(x);
            let mut y = [x, x, x, x];
            let [a, b, c, d] = &mut y;
            gelu::<Exact>(core::slice::from_mut(a));
            silu::<Exact>(core::slice::from_mut(b));
            swiglu::<Exact>(core::slice::from_mut(c), &[-3.0]);
            relu(core::slice::from_mut(d));
            let z = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
            let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
            // The exponent has `roundings` relative rounding errors, each of which changes e^-z by |z|·u;
            // exp is within 2u, and the sum, the quotient and a product add one rounding each. Where e^-z
            // is infinite, the result is 0; the exact value is less than |x| over the largest float.
            let check = |found: f32, expected: f64, exponent: f64, roundings: f64| {
                let relative = (roundings * exponent.abs() + 6.0) * ROUNDOFF;
                let bound = relative * expected.abs() + 3.0 * wide.abs() / f64::from(f32::MAX);
                assert!((f64::from(found) - expected).abs() <= bound, "{x}: {found} {expected}");
            };
            check(y[0], wide * logistic(2.0 * z), 2.0 * z, 8.0);
            check(y[1], wide * logistic(wide), wide, 0.0);
            check(y[2], -3.0 * wide * logistic(wide), wide, 0.0);
            assert_eq!(y[3], if x > 0.0 { x } else { 0.0 });
        }
    }

    #[test]
    fn vectorized_kernels_are_bit_identical_to_portable_ones() {
        let x: [f32; 99] = core::array::from_fn(|i| (i as f32 - 50.0) * 0.37);
        let gate = x.map(|x| 1.0 - x);
        let (mut found, mut portable) = ([x; 3], [x; 3]);
        let [a, b, c] = &mut found;
        gelu::<Exact>(a);
        silu::<Exact>(b);
        swiglu::<Exact>(c, &gate);
        let [a, b, c] = &mut portable;
        Gelu::<Exact>(a, PhantomData).run();
        Silu::<Exact>(b, PhantomData).run();
        SwiGlu::<Exact>(c, &gate, PhantomData).run();
        assert_eq!(found, portable);
    }

    #[test]
    fn extreme_inputs_saturate() {
        let mut x = [f32::MAX, f32::MIN, -1e20, 1e20];
        gelu::<Exact>(&mut x);
        assert_eq!(x, [f32::MAX, 0.0, 0.0, 1e20]);
        let mut x = [f32::MAX, f32::MIN];
        silu::<Exact>(&mut x);
        assert_eq!(x, [f32::MAX, 0.0]);
    }

    #[cfg(feature = "micromath")]
    #[test]
    fn approximate_activations_are_within_one_percent() {
        for step in -3_000..=3_000 {
            let x = step as f32 / 100.0;
            let mut y = [[x], [x], [x], [x]];
            let [a, b, c, d] = &mut y;
            gelu::<Exact>(a);
            gelu::<crate::num::Approximate>(b);
            silu::<Exact>(c);
            silu::<crate::num::Approximate>(d);
            for [[exact], [found]] in [[*a, *b], [*c, *d]] {
                // The exponential is within 1 %, and so is one plus it; the quotient is within 1/0.99.
                // Beyond -80 the exponential saturates and the result is below |x|·e^-80.
                let bound = exact.abs() * (1.0 / 0.99 - 1.0 + 1e-5) + x.abs() * 2e-35;
                assert!((found - exact).abs() <= bound, "{x}: {found} {exact}");
            }
        }
    }
}
