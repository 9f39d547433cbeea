use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::Matrix;
use super::bridge::{Gradients, Skip, record};
use super::composed::{self, Rotary};
use super::kernels::{Kernels, Positions, SavedAttention, Side, Turn};
use super::layout::{Heads, Layout};
use super::linear::{Factors, Linear};
use super::sites::{AttentionSites, AttentionWeights, Override};
use super::trace::{self, Operation, Pass};
use super::view::Mode;
use crate::config::Precision;

/// Computes causal attention of the rows of `x` over each other and applies positions at their sites: all of an
/// attention layer between its norm and its output projection, without a matrix of scores.
///
/// The tape keeps queries, keys, values, the result, the logarithm of the softmax's denominator for each row and
/// head, and what positions add to scores.
pub fn attend<D: Kernels, T: Tape<f32, D>>(
    x: Matrix<f32, D, T>,
    weights: &AttentionWeights<'_, f32, D>,
    sites: &AttentionSites<f32, D>,
    heads: &Heads,
) -> Result<Matrix<f32, D, T>, D::Err> {
    if heads.head_width > D::WIDEST_HEAD {
        return composed::attend(x, weights, sites, heads);
    }
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let queue = D::queue(&x)?;
    let inputs = Inputs::new(x, weights, sites, heads);
    let layout = inputs.layout;
    let (qkv, terms) = inputs.project(&queue, &sites.slopes)?;
    let mut out = inputs.x.device().output((layout.rows(), layout.queries()))?;
    let mut norms = D::scratch(&queue, layout.rows() * heads.heads())?;
    {
        let _span = trace::operation(Operation::Attention, Pass::Forward);
        let (results, norms) = (D::slice_mut(&mut out), D::write(&mut norms));
        let keys = inputs.keys();
        D::attention_forward(&queue, &layout, D::read(&qkv), &terms, keys, results, norms)?;
    }
    let result = out.clone();
    record(&mut tape, &queue.clone(), &out, move |gradients, dout| {
        let mut dqkv = D::scratch(&queue, layout.rows() * layout.stride())?;
        let of_terms = {
            let _span = trace::operation(Operation::Attention, Pass::Backward);
            let (qkv, out, norms) = (D::read(&qkv), D::slice(&result), D::read(&norms));
            let saved = SavedAttention { qkv, out, norms, dout: D::shorten(dout) };
            let (keys, dqkv) = (inputs.keys(), D::write(&mut dqkv));
            D::attention_backward(&queue, &layout, saved, &terms, keys, dqkv)?
        };
        inputs.backward(&queue, gradients, D::read(&qkv), dqkv, &terms, of_terms)
    });
    Ok(out.put_tape(tape))
}

/// Projects rows to queries, keys, and values with positions.
struct Inputs<D: Kernels> {
    x: Matrix<f32, D>,
    /// Of queries, keys, and values.
    weights: [Matrix<f32, D>; 3],
    precision: Precision,
    layout: Layout,
    overrides: Option<Override<f32, D>>,
    rotary: Option<Rotary<f32, D>>,
}

impl<D: Kernels> Inputs<D> {
    fn new(
        x: Matrix<f32, D>,
        weights: &AttentionWeights<'_, f32, D>,
        sites: &AttentionSites<f32, D>,
        heads: &Heads,
    ) -> Self {
        let AttentionWeights { wq, wk, wv, precision } = *weights;
        let digits = match &sites.overrides {
            Some(site) => site.columns.digits,
            None => usize::from(!sites.slopes.is_empty()),
        };
        Self {
            x,
            weights: [wq.clone(), wk.clone(), wv.clone()],
            precision,
            layout: Layout { heads: *heads, digits },
            overrides: sites.overrides.clone(),
            rotary: sites.rotary.clone(),
        }
    }

    /// The values of keys.
    fn keys(&self) -> Option<D::Slice<'_>> {
        self.overrides.as_ref().map(|site| D::slice(&site.keys))
    }

    fn positions(&self) -> Option<Positions<'_, D>> {
        self.overrides.as_ref().map(|site| Positions {
            columns: site.columns,
            queries: D::slice(&site.queries),
            keys: D::slice(&site.keys),
        })
    }

    /// The projections to queries, keys, and values, with where each begins in a row.
    fn projections(&self) -> [(usize, Linear); 3] {
        let ((rows, inputs), stride) = (*self.x.shape(), self.layout.stride());
        let overridden = self.overrides.as_ref().map_or(0, |site| site.columns.width);
        let (queries, keys) = (self.layout.queries(), self.layout.keys());
        let linear = |outputs, skipped| Linear { rows, inputs, outputs, skipped, stride };
        [
            (0, linear(queries, overridden)),
            (queries, linear(keys, overridden)),
            (self.layout.values(), linear(keys, 0)),
        ]
    }

    /// Computes queries, keys, and values side by side, and what positions add to scores.
    fn project(&self, queue: &D::Queue, slopes: &[f32]) -> Result<(D::Buffer, D::Terms), D::Err> {
        let _span = trace::operation(Operation::Inputs, Pass::Forward);
        let mut qkv = D::scratch(queue, self.layout.rows() * self.layout.stride())?;
        let [wq, wk, _] = &self.weights;
        let positions = self.positions();
        let mut mode = match positions {
            Some(positions) => {
                let (wq, to) = (D::slice(wq), D::write(&mut qkv));
                D::start_queries(queue, &self.layout, positions, wq, to)?
            }
            None => Mode::Set,
        };
        {
            let factors = Factors::<D>::new(queue, self.precision);
            let xs = factors.of(D::slice(&self.x))?;
            for (weight, (first, linear)) in self.weights.iter().zip(self.projections()) {
                let (ws, to) = (factors.of(D::slice(weight))?, D::write(&mut qkv).skip(first));
                linear.forward(queue, xs.all(), ws.all(), to, mode)?;
                mode = Mode::Set;
            }
        }
        let weights = [D::slice(wq), D::slice(wk)];
        let to = D::write(&mut qkv);
        let terms = D::position_terms(queue, &self.layout, positions, weights, slopes, to)?;
        self.rotate(queue, &mut qkv, Turn::Forward)?;
        Ok((qkv, terms))
    }

    fn rotate(&self, queue: &D::Queue, qkv: &mut D::Buffer, turn: Turn) -> Result<(), D::Err> {
        let Some(rotary) = &self.rotary else { return Ok(()) };
        let (cos, sin) = (D::slice(&rotary.cos), D::slice(&rotary.sin));
        D::rotate(queue, &self.layout, D::write(qkv), cos, sin, turn)
    }

    /// Adds the gradients of inputs and weights, given those of the results of [`project`](Self::project).
    fn backward(
        &self,
        queue: &D::Queue,
        gradients: &mut Gradients<'_, D>,
        qkv: D::Slice<'_>,
        mut dqkv: D::Buffer,
        terms: &D::Terms,
        of_terms: D::TermGradients,
    ) -> Result<(), D::Err> {
        let _span = trace::operation(Operation::Inputs, Pass::Backward);
        let layout = &self.layout;
        let folded = match self.positions() {
            Some(positions) => {
                let (to, columns) = (D::write(&mut dqkv), positions.columns);
                let folded =
                    D::positions_backward(queue, layout, positions, terms, of_terms, qkv, to)?;
                Some((columns, folded))
            }
            None => None,
        };
        self.rotate(queue, &mut dqkv, Turn::Back)?;
        let factors = Factors::<D>::new(queue, self.precision);
        let (dys, xs) = (factors.of(D::read(&dqkv))?, factors.of(D::slice(&self.x))?);
        let sides = [Some(Side::Queries), Some(Side::Keys), None];
        for ((weight, (first, linear)), side) in
            self.weights.iter().zip(self.projections()).zip(sides)
        {
            let dy = dys.skip(first);
            {
                let (ws, dx) = (factors.of(D::slice(weight))?, gradients.of(&self.x)?);
                linear.input_gradient(queue, dy, ws.all(), dx, Mode::Add)?;
            }
            let mut dw = gradients.of(weight)?;
            linear.weight_gradient(queue, dy, xs.all(), D::reborrow(&mut dw), Mode::Add)?;
            if let (Some((columns, folded)), Some(side)) = (&folded, side) {
                D::unfold(queue, layout, columns, folded, side, dw, self.x.shape().1)?;
            }
        }
        Ok(())
    }
}
