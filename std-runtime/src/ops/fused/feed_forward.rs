use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape};
use expe_core::Activation;

use super::buffer::Buffer;
use super::linear::Linear;
use super::product::Mode;
use super::residual::residual_start;
use super::storage::{put, record, take, tensor, values};
use super::vector::{sigmoid, vectorised};
use crate::ops::profile::Operation;
use crate::ops::{FeedForward, Matrix};

/// `√(8/π)`: `gelu(x) = x·σ(z)` with `z = √(8/π)·(x + 0.044715·x³)`.
const GELU: f32 = 1.595_769;
const CUBIC: f32 = GELU * 0.044_715;

/// `residual + w2·act(w1·x)`, or `residual + w2·(silu(w1·x) ⊙ w3·x)`.
///
/// What the tape keeps are the inputs of the activation; its results are computed again.
///
/// # Errors
/// The device's.
pub fn feed_forward<T: Tape<f32, Cpu>>(
    residual: Option<Matrix<f32, Cpu, T>>,
    x: Matrix<f32, Cpu, T>,
    weights: &FeedForward<'_, f32, Cpu>,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let (x, tape) = x.split_tape();
    let (rows, width) = *x.shape();
    let hidden = weights.w1.shape().0;
    let (mut y, mode, pass_on, mut tape) = residual_start(residual, rows * width, tape);
    let (w1, w2, w3) = (weights.w1.clone(), weights.w2.clone(), weights.w3.cloned());
    let activation = weights.activation;
    let wide = Linear::new(rows, width, hidden, weights.precision);
    let narrow = Linear::new(rows, hidden, width, weights.precision);
    let inner = |w: &Matrix<f32, Cpu>| {
        let mut inner = Buffer::new(rows * hidden);
        wide.forward(values(&x), values(w), &mut inner, Mode::Set);
        inner
    };
    let inputs = inner(&w1);
    let gates = match (activation, &w3) {
        (Activation::SwiGlu, Some(w3)) => inner(w3),
        (Activation::SwiGlu, None) => {
            let mut ones = Buffer::new(rows * hidden);
            ones.fill(1.0);
            ones
        }
        _ => Buffer::default(),
    };
    let mut active = Buffer::new(rows * hidden);
    activate(activation, &inputs, &gates, &mut active);
    narrow.forward(&active, values(&w2), &mut y, mode);
    let y = tensor(x.device(), (rows, width), y)?;
    let ghost = y.ghost();
    drop(active);
    record(&mut tape, Operation::FeedForward, move |slopes| {
        let dy = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let (mut inputs, mut gates) = (inputs, gates);
        let mut slope = Buffer::new(rows * hidden);
        narrow.input_slopes(&dy, values(&w2), &mut slope, Mode::Set);
        differentiate(activation, &mut inputs, &mut gates, &mut slope);
        // `slope` holds the activations now, `inputs` and `gates` their derivatives.
        let mut dw2 = take(slopes, &w2)?;
        narrow.weight_slopes(&dy, &slope, &mut dw2, Mode::Add);
        put(slopes, &w2, dw2)?;
        drop(slope);
        let mut dx = take(slopes, &x)?;
        for (w, inner) in [(Some(&w1), &inputs), (w3.as_ref(), &gates)] {
            let Some(w) = w else { continue };
            wide.input_slopes(inner, values(w), &mut dx, Mode::Add);
            let mut dw = take(slopes, w)?;
            wide.weight_slopes(inner, values(&x), &mut dw, Mode::Add);
            put(slopes, w, dw)?;
        }
        put(slopes, &x, dx)?;
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}

/// The result of an activation, element by element.
fn activate(activation: Activation, inputs: &[f32], gates: &[f32], active: &mut [f32]) {
    vectorised(
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
            Activation::SwiGlu => {
                for ((y, x), gate) in active.iter_mut().zip(inputs).zip(gates) {
                    *y = x * sigmoid(*x) * gate;
                }
            }
        },
    );
}

/// `inputs` and `gates` become the loss's derivatives by them, `slope` — its derivatives by the
/// activations — becomes the activations.
fn differentiate(activation: Activation, inputs: &mut [f32], gates: &mut [f32], slope: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || match activation {
            Activation::Gelu => {
                for (x, s) in inputs.iter_mut().zip(slope) {
                    let square = *x * *x;
                    let sigma = sigmoid(*x * (GELU + CUBIC * square));
                    let active = *x * sigma;
                    *x = *s * (sigma + active * (1.0 - sigma) * (GELU + 3.0 * CUBIC * square));
                    *s = active;
                }
            }
            Activation::Relu => {
                for (x, s) in inputs.iter_mut().zip(slope) {
                    let active = if *x < 0.0 { 0.0 } else { *x };
                    *x = if *x > 0.0 { *s } else { 0.0 };
                    *s = active;
                }
            }
            Activation::SwiGlu => {
                for ((x, gate), s) in inputs.iter_mut().zip(gates).zip(slope) {
                    let sigma = sigmoid(*x);
                    let silu = *x * sigma;
                    let active = silu * *gate;
                    *x = *s * *gate * (sigma + silu * (1.0 - sigma));
                    *gate = *s * silu;
                    *s = active;
                }
            }
        },
    );
}
