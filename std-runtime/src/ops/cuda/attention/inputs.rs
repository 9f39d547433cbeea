use cudarc::driver::CudaSlice;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError};

use super::kernels::{
    Derivatives, Shape, Side, Terms, Turn, fold, place, place_back, rotate, unfold,
};
use crate::ops::cuda::Slopes;
use crate::ops::cuda::context::Context;
use crate::ops::cuda::linear::Products;
use crate::ops::cuda::span::{Span, SpanMut};
use crate::ops::fused::linear::Linear;
use crate::ops::fused::product::Mode;
use crate::ops::{AttentionSites, AttentionWeights, Matrix, Override, Precision, Rotary};

/// Projects rows to queries, keys and values with the positions put in.
#[derive(Debug)]
pub struct Inputs {
    /// The rows.
    pub x: Matrix<f32, Cuda>,
    weights: [Matrix<f32, Cuda>; 3],
    precision: Precision,
    shape: Shape,
    overrides: Option<Override<f32, Cuda>>,
    rotary: Option<Rotary<f32, Cuda>>,
}

impl Inputs {
    pub fn new(
        x: Matrix<f32, Cuda>,
        weights: &AttentionWeights<'_, f32, Cuda>,
        sites: &AttentionSites<f32, Cuda>,
        shape: Shape,
    ) -> Self {
        let AttentionWeights { wq, wk, wv, precision } = *weights;
        Self {
            x,
            weights: [wq.clone(), wk.clone(), wv.clone()],
            precision,
            shape,
            overrides: sites.overrides.clone(),
            rotary: sites.rotary.clone(),
        }
    }

    /// For queries, keys and values: where they begin in a row, and their products.
    fn parts<'a>(&self, context: &'a Context) -> [(usize, Products<'a>); 3] {
        let (queries, keys) = (self.shape.queries(), self.shape.keys());
        let skipped = self.overrides.as_ref().map_or(0, |site| site.columns.width);
        let ((rows, inputs), stride) = (*self.x.shape(), self.shape.stride());
        let precision = self.precision;
        let part = |first, outputs, skipped| {
            let linear = Linear { rows, inputs, outputs, skipped, stride, precision };
            (first, Products { context, linear })
        };
        let values = queries + keys;
        [part(0, queries, skipped), part(queries, keys, skipped), part(values, keys, 0)]
    }

    /// Queries, keys and values side by side, and what positions add to scores.
    pub fn project(
        &self,
        context: &Context,
        slopes: &[f32],
    ) -> Result<(CudaSlice<f32>, Terms), CudaError> {
        let (rows, width) = *self.x.shape();
        let stride = self.shape.stride();
        let mut qkv = context.scratch(rows * stride)?;
        let parts = self.parts(context);
        let [(_, any), ..] = &parts;
        let xs = any.factor(Span::of(&self.x))?;
        for (weight, (first, products)) in self.weights.iter().zip(parts) {
            let to = SpanMut::from(&mut qkv).after(first);
            products.forward(&xs, &products.factor(Span::of(weight))?, to, Mode::Set)?;
        }
        let terms = match &self.overrides {
            Some(site) => {
                let [wq, wk, _] = &self.weights;
                let query_folded = fold(context, Span::of(wq), &site.columns, width)?;
                let key_folded = fold(context, Span::of(wk), &site.columns, width)?;
                let values = Span::of(&site.queries);
                let folded =
                    place(context, &self.shape, &mut qkv, values, &query_folded, key_folded)?;
                Terms::Folded(folded, site.keys.clone())
            }
            None if slopes.is_empty() => Terms::None,
            None => Terms::Slopes(context.upload(slopes.to_vec())?),
        };
        self.rotate(context, &mut qkv, Turn::Forward)?;
        Ok((qkv, terms))
    }

    fn rotate(
        &self,
        context: &Context,
        qkv: &mut CudaSlice<f32>,
        turn: Turn,
    ) -> Result<(), CudaError> {
        let Some(rotary) = &self.rotary else { return Ok(()) };
        let (cos, sin) = (Span::of(&rotary.cos), Span::of(&rotary.sin));
        rotate(context, &self.shape, qkv, cos, sin, turn)
    }

    /// Carry the derivatives of attention by [`project`](Self::project)'s result on to inputs and weights.
    pub fn differentiate(
        &self,
        context: &Context,
        slopes: &mut Slopes,
        qkv: &CudaSlice<f32>,
        terms: &Terms,
        mut derivatives: Derivatives,
    ) -> Result<(), CudaError> {
        let width = self.x.shape().1;
        let columns = match (terms, &self.overrides) {
            (Terms::Folded(folded, _), Some(site)) => {
                let values = Span::of(&site.queries);
                let shape = &self.shape;
                let slopes = place_back(context, shape, qkv, folded, values, &mut derivatives)?;
                Some((site.columns, slopes))
            }
            _ => None,
        };
        let Derivatives { mut dqkv, .. } = derivatives;
        self.rotate(context, &mut dqkv, Turn::Back)?;
        let parts = self.parts(context);
        let [(_, any), ..] = &parts;
        let (dys, xs) = (any.factor(Span::from(&dqkv))?, any.factor(Span::of(&self.x))?);
        let sides = [Some(Side::Queries), Some(Side::Keys), None];
        let parts = self.weights.iter().zip(parts).zip(sides);
        for ((weight, (first, products)), side) in parts {
            let dx = slopes.get_or_alloc_mut(&self.x)?;
            let (dy, w) = (dys.after(first), products.factor(Span::of(weight))?);
            products.input_slopes(dy, &w, (&mut **dx).into(), Mode::Add)?;
            let dw = slopes.get_or_alloc_mut(weight)?;
            products.weight_slopes(dys.after(first), &xs, (&mut **dw).into(), Mode::Add)?;
            if let (Some((columns, parts)), Some(side)) = (&columns, side) {
                let dw = SpanMut::from(&mut **dw);
                unfold(context, &self.shape, parts, side, columns, dw, width)?;
            }
        }
        Ok(())
    }
}
