use cudarc::driver::CudaSlice;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError};

use super::kernels::{
    Derivatives, Shape, Side, Terms, Turn, fold, place, place_back, rotate, unfold,
};
use crate::ops::cuda::Slopes;
use crate::ops::cuda::context::Context;
use crate::ops::cuda::product::{View, ViewMut, multiply};
use crate::ops::cuda::span::{Span, SpanMut};
use crate::ops::fused::product::Mode;
use crate::ops::{AttentionSites, AttentionWeights, Matrix, Override, Rotary};

/// Projects rows to queries, keys and values with the positions put in.
#[derive(Debug)]
pub struct Inputs {
    /// The rows.
    pub x: Matrix<f32, Cuda>,
    weights: [Matrix<f32, Cuda>; 3],
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
        let AttentionWeights { wq, wk, wv, .. } = *weights;
        Self {
            x,
            weights: [wq.clone(), wk.clone(), wv.clone()],
            shape,
            overrides: sites.overrides.clone(),
            rotary: sites.rotary.clone(),
        }
    }

    /// For queries, keys and values: where they begin, how many there are in a row, and how many columns
    /// of the inputs they leave out.
    fn parts(&self) -> [(usize, usize, usize); 3] {
        let (queries, keys) = (self.shape.queries(), self.shape.keys());
        let skipped = self.overrides.as_ref().map_or(0, |site| site.columns.width);
        [(0, queries, skipped), (queries, keys, skipped), (queries + keys, keys, 0)]
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
        for (weight, (first, outputs, skipped)) in self.weights.iter().zip(self.parts()) {
            multiply(
                context,
                ViewMut::new(SpanMut::from(&mut qkv).after(first), rows, outputs, stride),
                Mode::Set,
                View::new(Span::of(&self.x).after(skipped), rows, width - skipped, width),
                View::new(Span::of(weight).after(skipped), outputs, width - skipped, width)
                    .transposed(),
            )?;
        }
        let terms = match &self.overrides {
            Some(site) => {
                let [wq, wk, _] = &self.weights;
                let query_columns = fold(context, Span::of(wq), &site.columns, width)?;
                let key_columns = fold(context, Span::of(wk), &site.columns, width)?;
                let values = Span::of(&site.queries);
                let folded =
                    place(context, &self.shape, &mut qkv, values, &query_columns, key_columns)?;
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
        let (rows, width) = *self.x.shape();
        let stride = self.shape.stride();
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
        let sides = [Some(Side::Queries), Some(Side::Keys), None];
        let parts = self.weights.iter().zip(self.parts()).zip(sides);
        for ((weight, (first, outputs, skipped)), side) in parts {
            let used = width - skipped;
            let dy = View::new(Span::from(&dqkv).after(first), rows, outputs, stride);
            let dx = slopes.get_or_alloc_mut(&self.x)?;
            multiply(
                context,
                ViewMut::new(SpanMut::from(&mut **dx).after(skipped), rows, used, width),
                Mode::Add,
                dy,
                View::new(Span::of(weight).after(skipped), outputs, used, width),
            )?;
            let dw = slopes.get_or_alloc_mut(weight)?;
            multiply(
                context,
                ViewMut::new(SpanMut::from(&mut **dw).after(skipped), outputs, used, width),
                Mode::Add,
                dy.transposed(),
                View::new(Span::of(&self.x).after(skipped), rows, used, width),
            )?;
            if let (Some((columns, parts)), Some(side)) = (&columns, side) {
                let dw = SpanMut::from(&mut **dw);
                unfold(context, &self.shape, parts, side, columns, dw, width)?;
            }
        }
        Ok(())
    }
}
