use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape};
use dfdx::tensor_ops::{Device, ReshapeTo};
use expe_core::Activation;

use super::Matrix;
use super::bridge::record;
use super::kernels::Kernels;
use super::linear::{Factors, Linear};
use super::residual::Destination;
use super::trace::{self, Operation, Pass};
use super::view::Mode;
use crate::config::Precision;

/// The parameters of an MLP.
#[derive(Debug)]
pub struct FeedForward<'a, E: Dtype, D: Device<E>> {
    /// First projection, `[hidden, width]`.
    pub w1: &'a Matrix<E, D>,
    /// Second projection, `[width, hidden]`.
    pub w2: &'a Matrix<E, D>,
    /// Gated projection (SwiGLU only), `[hidden, width]`.
    pub w3: Option<&'a Matrix<E, D>>,
    /// The nonlinearity.
    pub activation: Activation,
    /// The precision of the projections, on devices that offer a choice.
    pub precision: Precision,
}

/// Computes `residual + w2·act(w1·x)`, or `residual + w2·(silu(w1·x) ⊙ w3·x)`.
///
/// The tape keeps the inputs of the activation; the activations are computed again.
pub fn feed_forward<D: Kernels, T: Tape<f32, D>>(
    residual: Option<Matrix<f32, D, T>>,
    x: Matrix<f32, D, T>,
    weights: &FeedForward<'_, f32, D>,
) -> Result<Matrix<f32, D, T>, D::Err> {
    let _span = trace::operation(Operation::FeedForward, Pass::Forward);
    let (x, tape) = x.try_contiguous()?.split_tape();
    let queue = D::queue(&x)?;
    let (rows, width) = *x.shape();
    let hidden = weights.w1.shape().0;
    let (mut to, mut tape) = Destination::new(&queue, residual, &x, (rows, width), tape)?;
    let (w1, w2, w3) = (weights.w1.clone(), weights.w2.clone(), weights.w3.cloned());
    let (activation, precision) = (weights.activation, weights.precision);
    let wide = Linear::new(rows, width, hidden);
    let narrow = Linear::new(rows, hidden, width);

    let factors = Factors::<D>::new(&queue, precision);
    let xs = factors.of(D::slice(&x))?;
    let inner = |w: &Matrix<f32, D>| -> Result<D::Buffer, D::Err> {
        let mut inner = D::scratch(&queue, rows * hidden)?;
        let w = factors.of(D::slice(w))?;
        wide.forward(&queue, xs.all(), w.all(), D::write(&mut inner), Mode::Set)?;
        Ok(inner)
    };
    let mut inputs = inner(&w1)?;
    let mut gates = w3.as_ref().map(inner).transpose()?;
    drop(xs);
    {
        let mut active = D::scratch(&queue, rows * hidden)?;
        let gates = gates.as_ref().map(D::read);
        let to_active = D::write(&mut active);
        D::activation_forward(&queue, activation, D::read(&inputs), gates, to_active)?;
        let actives = factors.of(D::read(&active))?;
        let ws = factors.of(D::slice(&w2))?;
        let y = D::slice_mut(&mut to.matrix);
        narrow.forward(&queue, actives.all(), ws.all(), y, to.mode)?;
    }
    let (y, residual) = to.finish();
    record(&mut tape, &queue.clone(), &y, move |gradients, dy| {
        let _span = trace::operation(Operation::FeedForward, Pass::Backward);
        let factors = Factors::<D>::new(&queue, precision);
        {
            let dys = factors.of(dy)?;
            let mut active = D::scratch(&queue, rows * hidden)?;
            {
                let (ws, gradient) = (factors.of(D::slice(&w2))?, D::write(&mut active));
                narrow.input_gradient(&queue, dys.all(), ws.all(), gradient, Mode::Set)?;
            }
            let gates = gates.as_mut().map(D::write);
            let (inputs, gradient) = (D::write(&mut inputs), D::write(&mut active));
            D::activation_backward(&queue, activation, inputs, gates, gradient)?;
            // `active` holds the activations now, `inputs` and `gates` their own gradients.
            let (actives, dw2) = (factors.of(D::read(&active))?, gradients.of(&w2)?);
            narrow.weight_gradient(&queue, dys.all(), actives.all(), dw2, Mode::Add)?;
        }
        let xs = factors.of(D::slice(&x))?;
        for (w, inner) in [(Some(&w1), Some(&inputs)), (w3.as_ref(), gates.as_ref())] {
            let (Some(w), Some(inner)) = (w, inner) else { continue };
            let inner = factors.of(D::read(inner))?;
            {
                let ws = factors.of(D::slice(w))?;
                wide.input_gradient(&queue, inner.all(), ws.all(), gradients.of(&x)?, Mode::Add)?;
            }
            wide.weight_gradient(&queue, inner.all(), xs.all(), gradients.of(w)?, Mode::Add)?;
        }
        residual.backward(&queue, gradients, dy)
    });
    Ok(y.put_tape(tape))
}
