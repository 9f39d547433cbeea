//! The kernels of the `.cu` files, each with a function that checks that what it is given fits.
#![allow(unsafe_code)]

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;
use expe_core::{Activation, Norm};

use super::context::Context;
use super::launch::{LINE, THREADS, WARP, int, launch, parts, some, warps};
use super::span::{Span, SpanMut};

/// A norm's kind and number.
#[derive(Debug, Clone, Copy)]
pub struct Normed {
    pub width: usize,
    pub epsilon: f32,
    pub norm: Norm,
}

impl Normed {
    fn centred(&self) -> i32 {
        i32::from(self.norm == Norm::LayerNorm)
    }

    fn rows(&self, x: Span<'_>) -> usize {
        x.count() / self.width.max(1)
    }
}

/// `y`: the norm of each row of `x`.
pub fn norm_forward(
    context: &Context,
    kind: Normed,
    x: Span<'_>,
    gain: Span<'_>,
    y: SpanMut<'_>,
) -> Result<(), CudaError> {
    let rows = kind.rows(x);
    assert_eq!((gain.count(), y.count()), (kind.width, rows * kind.width), "sizes of a norm");
    // SAFETY: `x` and `y` are rows of the gain's width.
    unsafe {
        let (width, epsilon, centred) = (int(kind.width), kind.epsilon, kind.centred());
        let parameters =
            (x.address(), gain.address(), y.address(), int(rows), width, epsilon, centred);
        launch(context, ("norm", "norm_forward"), warps(rows), LINE, parameters)
    }
}

/// Adds the derivative by the rows to `dx`; two numbers of each row for [`norm_gain`].
pub fn norm_backward(
    context: &Context,
    kind: Normed,
    x: Span<'_>,
    gain: Span<'_>,
    dy: Span<'_>,
    dx: SpanMut<'_>,
) -> Result<CudaSlice<f32>, CudaError> {
    let rows = kind.rows(x);
    let count = rows * kind.width;
    assert_eq!(
        (gain.count(), dy.count(), dx.count()),
        (kind.width, count, count),
        "sizes of a norm"
    );
    let kept = context.scratch(2 * rows)?;
    // SAFETY: `x`, `dy` and `dx` are rows of the gain's width, `kept` has two numbers for each.
    unsafe {
        let (width, epsilon, centred) = (int(kind.width), kind.epsilon, kind.centred());
        let spans = [x.address(), gain.address(), dy.address(), dx.address()];
        let [x, gain, dy, dx] = spans;
        let parameters = (x, gain, dy, dx, &kept, int(rows), width, epsilon, centred);
        launch(context, ("norm", "norm_backward"), warps(rows), LINE, parameters)?;
    }
    Ok(kept)
}

/// Adds the derivative by the gain to `dgain`.
pub fn norm_gain(
    context: &Context,
    x: Span<'_>,
    dy: Span<'_>,
    kept: &CudaSlice<f32>,
    dgain: SpanMut<'_>,
) -> Result<(), CudaError> {
    let width = dgain.count();
    let rows = x.count() / width.max(1);
    assert_eq!((x.count(), dy.count()), (rows * width, rows * width), "sizes of a norm");
    assert!(Span::from(kept).count() >= 2 * rows, "sizes of a norm");
    let (count, share) = parts(rows);
    let sums = context.scratch::<f32>(count * width)?;
    // SAFETY: as in `norm_backward`; `sums` has `width` numbers for each part.
    unsafe {
        let blocks = [width.div_ceil(WARP), count, 1];
        let (rows, share) = (int(rows), int(share));
        let parameters = (x.address(), dy.address(), kept, &sums, rows, int(width), share);
        launch(context, ("norm", "norm_gain"), blocks, [WARP, THREADS / WARP], parameters)?;
        let blocks = [width.div_ceil(THREADS), 1, 1];
        let parameters = (&sums, dgain.address(), int(count), int(width));
        launch(context, ("norm", "add_parts"), blocks, LINE, parameters)
    }
}

/// How tokens become rows.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    pub length: usize,
    pub width: usize,
    pub scale: f32,
}

/// `x`: the rows of `table` that `tokens` name, scaled, plus the position's rows. No token may lie beyond
/// the table.
pub fn embed_forward(
    context: &Context,
    kind: Embedded,
    table: Span<'_>,
    tokens: Span<'_, usize>,
    [fixed, learned]: [Option<Span<'_>>; 2],
    x: SpanMut<'_>,
) -> Result<(), CudaError> {
    let Embedded { length, width, scale } = kind;
    assert_eq!(x.count(), tokens.count() * width, "sizes of an embedding");
    assert_eq!(table.count() % width.max(1), 0, "sizes of an embedding");
    for rows in [fixed, learned].into_iter().flatten() {
        assert!(rows.count() >= length * width, "sizes of an embedding");
    }
    let address = |rows: Option<Span<'_>>| rows.map_or(0, |rows| rows.address());
    // SAFETY: one row of `x` for each token, `length` rows of positions where there are any; the caller
    // promises the rest.
    unsafe {
        let (fixed, learned) = (address(fixed), address(learned));
        let (length, width) = (int(length.max(1)), int(width));
        let (table, x) = (table.address(), x.address());
        let parameters = (table, tokens.address(), fixed, learned, x, length, width, scale);
        let blocks = [tokens.count(), 1, 1];
        launch(context, ("embedding", "embed_forward"), blocks, [128, 1], parameters)
    }
}

/// Adds the derivative by the table to `dtable`.
pub fn embed_backward(
    context: &Context,
    kind: Embedded,
    dx: Span<'_>,
    tokens: Span<'_, usize>,
    dtable: SpanMut<'_>,
) -> Result<(), CudaError> {
    let Embedded { width, scale, .. } = kind;
    assert_eq!(dx.count(), tokens.count() * width, "sizes of an embedding");
    let rows = tokens.count();
    let blocks = [dtable.count() / width.max(1), width.div_ceil(THREADS), 1];
    // SAFETY: one row of `dx` for each token; each block stays in its row of the table.
    unsafe {
        let (dx, tokens, dtable) = (dx.address(), tokens.address(), dtable.address());
        let parameters = (dx, tokens, dtable, int(rows), int(width), scale);
        launch(context, ("embedding", "embed_backward"), blocks, LINE, parameters)
    }
}

/// Adds the derivative by learned rows to the first `length` of `dlearned`.
pub fn embed_positions(
    context: &Context,
    kind: Embedded,
    dx: Span<'_>,
    dlearned: SpanMut<'_>,
) -> Result<(), CudaError> {
    let count = kind.length * kind.width;
    let sequences = dx.count() / count.max(1);
    assert_eq!(dx.count(), sequences * count, "sizes of an embedding");
    assert!(dlearned.count() >= count, "sizes of an embedding");
    // SAFETY: `dx` is whole sequences of `count` numbers, and so many are written.
    unsafe {
        let parameters = (dx.address(), dlearned.address(), int(sequences), count);
        let blocks = [count.div_ceil(THREADS), 1, 1];
        launch(context, ("embedding", "embed_positions"), blocks, LINE, parameters)
    }
}

fn kind(activation: Activation) -> i32 {
    match activation {
        Activation::Gelu => 0,
        Activation::Relu => 1,
        Activation::SwiGlu => 2,
    }
}

/// `active`: the result of an activation, with gates where there are any.
pub fn activate(
    context: &Context,
    activation: Activation,
    inputs: &CudaSlice<f32>,
    gates: Option<&CudaSlice<f32>>,
    active: &mut CudaSlice<f32>,
    count: usize,
) -> Result<(), CudaError> {
    let all = [Some(inputs), gates, Some(&*active)];
    let fit = all.into_iter().flatten().all(|list| Span::from(list).count() >= count);
    assert!(fit, "sizes of an activation");
    let gates = gates.map_or(0, |gates| Span::from(gates).address());
    // SAFETY: all lists have `count` numbers.
    unsafe {
        let parameters = (kind(activation), inputs, gates, active, count);
        launch(context, ("activation", "activate"), some(count), LINE, parameters)
    }
}

/// `inputs` and `gates` become the loss's derivatives by them, `slope`, its derivatives by the activations,
/// becomes the activations.
pub fn differentiate(
    context: &Context,
    activation: Activation,
    inputs: &mut CudaSlice<f32>,
    gates: Option<&mut CudaSlice<f32>>,
    slope: &mut CudaSlice<f32>,
    count: usize,
) -> Result<(), CudaError> {
    let all = [Some(&*inputs), gates.as_deref(), Some(&*slope)];
    let fit = all.into_iter().flatten().all(|list| Span::from(list).count() >= count);
    assert!(fit, "sizes of an activation");
    let gates = gates.map_or(0, |gates| SpanMut::from(gates).address());
    // SAFETY: all lists have `count` numbers.
    unsafe {
        let parameters = (kind(activation), inputs, gates, slope, count);
        launch(context, ("activation", "differentiate"), some(count), LINE, parameters)
    }
}

/// `scores`: the logarithm of the probability of each row's target. The logits become derivatives of a loss
/// in which each row has the given share, if there is one.
pub fn cross_entropy(
    context: &Context,
    logits: SpanMut<'_>,
    targets: Span<'_, usize>,
    scores: SpanMut<'_>,
    (rows, vocab): (usize, usize),
    share: Option<f32>,
) -> Result<(), CudaError> {
    assert!(targets.count() >= rows && scores.count() >= rows, "sizes of a loss");
    assert!(logits.count() >= rows * vocab, "sizes of a loss");
    // SAFETY: a row of `vocab` logits, a target and a score for each block.
    unsafe {
        let (logits, targets, scores) = (logits.address(), targets.address(), scores.address());
        let parameters = (logits, targets, scores, int(vocab), share.unwrap_or(0.0));
        launch(context, ("cross_entropy", "cross_entropy"), [rows, 1, 1], LINE, parameters)
    }
}

/// `loss`: minus the mean of `scores`.
pub fn mean_loss(context: &Context, scores: Span<'_>, loss: SpanMut<'_>) -> Result<(), CudaError> {
    assert_eq!(loss.count(), 1, "sizes of a loss");
    // SAFETY: one number is written.
    unsafe {
        let parameters = (scores.address(), loss.address(), int(scores.count()));
        launch(context, ("cross_entropy", "mean_loss"), [1, 1, 1], LINE, parameters)
    }
}

/// `y ← y + x`.
pub fn add(context: &Context, y: SpanMut<'_>, x: Span<'_>) -> Result<(), CudaError> {
    assert_eq!(y.count(), x.count(), "sizes of a sum");
    let count = x.count();
    // SAFETY: both have `count` numbers.
    unsafe {
        let parameters = (y.address(), x.address(), count);
        launch(context, ("parameters", "add"), some(count), LINE, parameters)
    }
}

/// `y ← y + factor·slope·x`, with the slope on the device.
pub fn add_scaled(
    context: &Context,
    y: SpanMut<'_>,
    x: Span<'_>,
    slope: &CudaSlice<f32>,
    factor: f32,
) -> Result<(), CudaError> {
    let count = y.count();
    assert!(x.count() >= count && Span::from(slope).count() > 0, "sizes of a sum");
    // SAFETY: both have `count` numbers, the slope is one.
    unsafe {
        let parameters = (y.address(), x.address(), slope, factor, count);
        launch(context, ("parameters", "add_scaled"), some(count), LINE, parameters)
    }
}

/// `x ← factor·x`.
pub fn scale(context: &Context, x: SpanMut<'_>, factor: f32) -> Result<(), CudaError> {
    let count = x.count();
    // SAFETY: `x` has `count` numbers.
    unsafe {
        let parameters = (x.address(), factor, count);
        launch(context, ("parameters", "scale"), some(count), LINE, parameters)
    }
}

/// `x` rounded to `f16`, as bits.
pub fn halve(context: &Context, x: Span<'_>) -> Result<CudaSlice<u16>, CudaError> {
    let count = x.count();
    let y = context.scratch(count)?;
    // SAFETY: both have `count` numbers.
    unsafe {
        let parameters = (x.address(), &y, count);
        launch(context, ("half_precision", "halve"), some(count), LINE, parameters)?;
    }
    Ok(y)
}
