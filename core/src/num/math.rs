use super::exp::exp;

/// The elementary functions of norms, activations, softmax and sampling.
///
/// Position encodings do not use this trait: they compute in integers.
pub trait Math {
    /// `e^x`
    fn exp(x: f32) -> f32;
    /// `√x` for `x ≥ 0`
    fn sqrt(x: f32) -> f32;
    /// `tanh x`
    fn tanh(x: f32) -> f32;
}

/// Accurate functions: `exp` within one unit in the last place, `sqrt` and `tanh` from `libm`.
///
/// Results are bit-identical on every target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exact;

impl Math for Exact {
    #[inline(always)]
    fn exp(x: f32) -> f32 {
        exp(x)
    }

    fn sqrt(x: f32) -> f32 {
        libm::sqrtf(x)
    }

    fn tanh(x: f32) -> f32 {
        libm::tanhf(x)
    }
}

/// Short approximations from `micromath`, for small chips.
///
/// `exp` has a relative error of at most 1 % on `[-80, 80]`, `sqrt` of at most 7 %; `tanh`, which is computed
/// from `exp`, has an absolute error of at most 0.005. Logits differ visibly from those of [`Exact`].
#[cfg(feature = "micromath")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Approximate;

#[cfg(feature = "micromath")]
impl Math for Approximate {
    fn exp(x: f32) -> f32 {
        // Beyond ±80 micromath's exponent arithmetic overflows.
        if x < -80.0 { 0.0 } else { micromath::F32(x.min(80.0)).exp().0 }
    }

    fn sqrt(x: f32) -> f32 {
        micromath::F32(x).sqrt().0
    }

    fn tanh(x: f32) -> f32 {
        // tanh x = 1 − 2 / (e^2x + 1); both ends saturate through exp.
        1.0 - 2.0 / (Self::exp(2.0 * x) + 1.0)
    }
}

#[cfg(all(test, feature = "micromath"))]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_within_their_error_bounds() {
        for step in -8_000..=8_000 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            let relative = (f64::from(Approximate::exp(x)) - exact).abs() / exact;
            assert!(relative < 0.01, "exp({x}): {relative}");
            let tanh = (f64::from(Approximate::tanh(x)) - f64::from(x).tanh()).abs();
            assert!(tanh < 0.005, "tanh({x}): {tanh}");
            let y = x.abs() + 1e-3;
            let sqrt = (f64::from(Approximate::sqrt(y)) / f64::from(y).sqrt() - 1.0).abs();
            assert!(sqrt < 0.07, "sqrt({y}): {sqrt}");
        }
    }
}
