use expe_core::Activation;

use super::vector::{sigmoid, vectorized};

/// `√(8/π)`: `gelu(x) = x·σ(z)` with `z = √(8/π)·(x + 0.044715·x³)`.
const GELU: f32 = 1.595_769;
const CUBIC: f32 = GELU * 0.044_715;

/// See [`Kernels::activation_forward`](crate::ops::Kernels::activation_forward).
pub fn forward(activation: Activation, inputs: &[f32], gates: Option<&[f32]>, active: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || match activation {
            Activation::Gelu => {
                for (y, x) in active.iter_mut().zip(inputs) {
                    *y = x * sigmoid(x * (GELU + CUBIC * (x * x)));
                }
            }
            Activation::Relu => {
                for (y, x) in active.iter_mut().zip(inputs) {
                    *y = if *x < 0.0 { 0.0 } else { *x };
                }
            }
            Activation::SwiGlu => match gates {
                Some(gates) => {
                    for ((y, x), gate) in active.iter_mut().zip(inputs).zip(gates) {
                        *y = x * sigmoid(*x) * gate;
                    }
                }
                None => {
                    for (y, x) in active.iter_mut().zip(inputs) {
                        *y = x * sigmoid(*x);
                    }
                }
            },
        },
    );
}

/// See [`Kernels::activation_backward`](crate::ops::Kernels::activation_backward).
pub fn backward(
    activation: Activation,
    inputs: &mut [f32],
    gates: Option<&mut [f32]>,
    gradient: &mut [f32],
) {
    vectorized(
        #[inline(always)]
        || match activation {
            Activation::Gelu => {
                for (x, s) in inputs.iter_mut().zip(gradient) {
                    let square = *x * *x;
                    let sigma = sigmoid(*x * (GELU + CUBIC * square));
                    let active = *x * sigma;
                    *x = *s * (sigma + active * (1.0 - sigma) * (GELU + 3.0 * CUBIC * square));
                    *s = active;
                }
            }
            Activation::Relu => {
                for (x, s) in inputs.iter_mut().zip(gradient) {
                    let active = if *x < 0.0 { 0.0 } else { *x };
                    *x = if *x > 0.0 { *s } else { 0.0 };
                    *s = active;
                }
            }
            Activation::SwiGlu => match gates {
                Some(gates) => {
                    for ((x, gate), s) in inputs.iter_mut().zip(gates).zip(gradient) {
                        let sigma = sigmoid(*x);
                        let silu = *x * sigma;
                        let active = silu * *gate;
                        *x = *s * *gate * (sigma + silu * (1.0 - sigma));
                        *gate = *s * silu;
                        *s = active;
                    }
                }
                None => {
                    for (x, s) in inputs.iter_mut().zip(gradient) {
                        let sigma = sigmoid(*x);
                        let silu = *x * sigma;
                        *x = *s * (sigma + silu * (1.0 - sigma));
                        *s = silu;
                    }
                }
            },
        },
    );
}
