//! The kernels of `attention.cu` and `position.cu`, each with a function that checks that what it is given
//! fits.
#![allow(unsafe_code)]

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::{Cuda, CudaError};
use expe_core::position::OverrideBlock;

use crate::ops::cuda::context::Context;
use crate::ops::cuda::launch::{LINE, THREADS, WARP, int, launch, parts, warps};
use crate::ops::cuda::span::{Span, SpanMut};
use crate::ops::{AttentionSites, Heads};

/// Queries, or keys, of a tile.
const TILE: usize = 64;
/// Threads of a block that works on tiles.
const SQUARE: [usize; 2] = [16, 16];

/// How rows fall into sequences and heads, `Heads` of `heads.cuh`: queries, keys and values side by side,
/// one row a position.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Shape {
    rows: i32,
    length: i32,
    heads: i32,
    groups: i32,
    width: i32,
    stride: i32,
    keys: i32,
    values: i32,
    digits: i32,
    scale: f32,
}

// SAFETY: plain numbers, laid out as the kernels' own structure of the same fields.
unsafe impl DeviceRepr for Shape {}

impl Shape {
    pub fn new(heads: &Heads, sites: &AttentionSites<f32, Cuda>) -> Self {
        let digits = match &sites.overrides {
            Some(site) => site.columns.digits,
            None => usize::from(!sites.slopes.is_empty()),
        };
        let keys = heads.heads() * heads.head_width;
        let values = keys + heads.kv_heads * heads.head_width;
        Self {
            rows: int(heads.batch * heads.length),
            length: int(heads.length),
            heads: int(heads.heads()),
            groups: int(heads.groups),
            width: int(heads.head_width),
            stride: int(2 * values - keys),
            keys: int(keys),
            values: int(values),
            digits: int(digits),
            scale: (1.0 / (heads.head_width as f64).sqrt()) as f32,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Width of a row of queries, keys and values.
    pub fn stride(&self) -> usize {
        self.stride as usize
    }

    /// Width of all queries of a row; where keys begin.
    pub fn queries(&self) -> usize {
        self.keys as usize
    }

    /// Where values begin.
    pub fn values(&self) -> usize {
        self.values as usize
    }

    /// Width of all keys of a row, and of all values.
    pub fn keys(&self) -> usize {
        self.values() - self.queries()
    }

    fn digits(&self) -> usize {
        self.digits as usize
    }

    fn heads(&self) -> usize {
        self.heads as usize
    }

    fn head_width(&self) -> usize {
        self.width as usize
    }

    fn fits_qkv(&self, qkv: &CudaSlice<f32>) -> bool {
        fits(qkv, self.rows() * self.stride())
    }

    /// One number for each row, query head and digit.
    fn factors(&self) -> usize {
        self.rows() * self.heads() * self.digits()
    }

    /// Tiles of a sequence, heads, sequences.
    fn tiles(&self, heads: usize) -> [usize; 3] {
        let length = self.length as usize;
        [length.div_ceil(TILE), heads, self.rows() / length.max(1)]
    }

    /// The kernel for heads of this width, of those for up to 64, 128 and 256 columns.
    fn kernel(&self, names: [&'static str; 3]) -> (&'static str, &'static str) {
        let [narrow, middle, wide] = names;
        let name = match self.width {
            ..=64 => narrow,
            65..=128 => middle,
            _ => wide,
        };
        ("attention", name)
    }
}

fn fits(slice: &CudaSlice<f32>, count: usize) -> bool {
    Span::from(slice).count() >= count
}

/// The folded columns of ExPE and ExQPE, and what comes of them: see `position.cu`.
#[derive(Debug)]
pub struct Folded {
    /// The key columns, `(digits, keys)`.
    key_folded: CudaSlice<f32>,
    /// `t_j` of each row and query head.
    factors: CudaSlice<f32>,
}

/// What positions add to scores: `Σ_j t_j(n)·(κ_j(m) − κ_j(n))`.
#[derive(Debug)]
pub enum Terms {
    /// Nothing.
    None,
    /// `t` is a head's slope, `κ(m) = m`: ALiBi.
    Slopes(CudaSlice<f32>),
    /// ExPE and ExQPE.
    Folded(Folded, dfdx::tensor::Tensor<(usize, usize), f32, Cuda>),
}

/// `Terms` of `attention.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Addresses {
    keys: u64,
    factors: u64,
    slopes: u64,
}

// SAFETY: plain numbers, laid out as the kernels' own structure of three pointers.
unsafe impl DeviceRepr for Addresses {}

impl Terms {
    fn addresses(&self, shape: &Shape) -> Addresses {
        let (mut keys, mut factors, mut slopes) = (0, 0, 0);
        match self {
            Self::None => assert_eq!(shape.digits, 0, "sizes of position terms"),
            Self::Slopes(list) => {
                assert!(fits(list, shape.heads()) && shape.digits == 1, "sizes of position terms");
                slopes = Span::from(list).address();
            }
            Self::Folded(folded, list) => {
                let list = Span::of(list);
                let count = shape.length as usize * shape.digits();
                let fit = list.count() >= count && fits(&folded.factors, shape.factors());
                assert!(fit, "sizes of position terms");
                (keys, factors) = (list.address(), Span::from(&folded.factors).address());
            }
        }
        Addresses { keys, factors, slopes }
    }
}

/// The sums of the weights' columns that hold each digit, `(digits, outputs)`.
pub fn fold(
    context: &Context,
    weight: Span<'_>,
    columns: &OverrideBlock,
    width: usize,
) -> Result<CudaSlice<f32>, CudaError> {
    let outputs = weight.count() / width.max(1);
    assert!(columns.width <= width && weight.count() == outputs * width, "sizes of columns");
    let folded = context.scratch(columns.digits * outputs)?;
    // SAFETY: the columns of all digits lie in a row; one number is written for each digit and row.
    unsafe {
        let (digits, run) = (int(columns.digits), int(columns.run_width()));
        let parameters = (weight.address(), &folded, int(outputs), int(width), digits, run);
        launch(context, ("position", "fold"), warps(outputs), LINE, parameters)?;
    }
    Ok(folded)
}

/// Add positions to the queries: `values`, `(length, digits)`, times folded columns.
pub fn place(
    context: &Context,
    shape: &Shape,
    qkv: &mut CudaSlice<f32>,
    values: Span<'_>,
    query_folded: &CudaSlice<f32>,
    key_folded: CudaSlice<f32>,
) -> Result<Folded, CudaError> {
    let digits = shape.digits();
    let fit = shape.fits_qkv(qkv)
        && values.count() >= shape.length as usize * digits
        && fits(query_folded, digits * shape.queries())
        && fits(&key_folded, digits * shape.keys());
    assert!(fit, "sizes of positions");
    let factors = context.scratch(shape.factors())?;
    // SAFETY: all lists have the sizes that the shape says.
    unsafe {
        let columns = (query_folded, &key_folded);
        let parameters = (qkv, values.address(), columns.0, columns.1, &factors, *shape);
        let blocks = warps(shape.rows() * shape.heads());
        launch(context, ("position", "place"), blocks, LINE, parameters)?;
    }
    Ok(Folded { key_folded, factors })
}

/// The derivatives by folded columns: those by `u_j` and by `w_j`, in parts.
#[derive(Debug)]
pub struct ColumnSlopes {
    parts: CudaSlice<f32>,
    count: usize,
}

/// Which weights' columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Queries,
    Keys,
}

/// Carry the derivatives by factors on to the queries', and find those by the folded columns.
pub fn place_back(
    context: &Context,
    shape: &Shape,
    qkv: &CudaSlice<f32>,
    folded: &Folded,
    values: Span<'_>,
    derivatives: &mut Derivatives,
) -> Result<ColumnSlopes, CudaError> {
    let Derivatives { dqkv, dfactors } = derivatives;
    let digits = shape.digits();
    let fit = shape.fits_qkv(qkv)
        && shape.fits_qkv(dqkv)
        && fits(dfactors, shape.factors())
        && values.count() >= shape.length as usize * digits
        && fits(&folded.key_folded, digits * shape.keys());
    assert!(fit, "sizes of positions");
    let (count, share) = parts(shape.rows());
    let parts = context.scratch(count * 2 * digits * shape.queries())?;
    // SAFETY: all lists have the sizes that the shape says; each part has a number for either side, each digit and
    // each column.
    unsafe {
        let blocks = warps(shape.rows() * shape.heads());
        let parameters = (&mut *dqkv, &folded.key_folded, &*dfactors, *shape);
        launch(context, ("position", "place_back"), blocks, LINE, parameters)?;
        let blocks = [shape.queries().div_ceil(WARP), count, digits];
        let slopes = (&*dqkv, &*dfactors);
        let parameters = (qkv, slopes.0, values.address(), slopes.1, &parts, int(share), *shape);
        let threads = [WARP, THREADS / WARP];
        launch(context, ("position", "column_slopes"), blocks, threads, parameters)?;
    }
    Ok(ColumnSlopes { parts, count })
}

/// Add the derivatives by folded columns to those by the weights that they were summed from.
pub fn unfold(
    context: &Context,
    shape: &Shape,
    slopes: &ColumnSlopes,
    side: Side,
    columns: &OverrideBlock,
    dweight: SpanMut<'_>,
    width: usize,
) -> Result<(), CudaError> {
    let outputs = if side == Side::Queries { shape.queries() } else { shape.keys() };
    assert!(columns.width <= width && columns.digits == shape.digits(), "sizes of columns");
    assert_eq!(dweight.count(), outputs * width, "sizes of columns");
    // SAFETY: the parts are those of this shape, the columns of all digits lie in a row of the weights.
    unsafe {
        let (kind, count) = (i32::from(side == Side::Keys), int(slopes.count));
        let sizes = (int(outputs), int(width), int(columns.run_width()));
        let dweight = dweight.address();
        let parameters = (&slopes.parts, dweight, kind, count, sizes.0, sizes.1, sizes.2, *shape);
        let blocks = warps(outputs * shape.digits());
        launch(context, ("position", "unfold"), blocks, LINE, parameters)
    }
}

/// Which way heads are turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Forward,
    Back,
}

/// Turn the heads of queries and keys by their positions' angles.
pub fn rotate(
    context: &Context,
    shape: &Shape,
    qkv: &mut CudaSlice<f32>,
    cos: Span<'_>,
    sin: Span<'_>,
    turn: Turn,
) -> Result<(), CudaError> {
    let count = shape.length as usize * shape.head_width();
    let fit = shape.fits_qkv(qkv) && cos.count() >= count && sin.count() >= count;
    assert!(fit && shape.width % 2 == 0, "sizes of rotations");
    // SAFETY: all lists have the sizes that the shape says, and halves of heads do not overlap.
    unsafe {
        let (turned, back) = (int(shape.values() / shape.head_width()), turn == Turn::Back);
        let parameters = (qkv, cos.address(), sin.address(), turned, i32::from(back), *shape);
        launch(context, ("position", "rotate"), [shape.rows(), 1, 1], LINE, parameters)
    }
}

/// Write the result to `out`; the logarithm of the sum of the exponentials of all scores of each row and
/// head.
pub fn forward(
    context: &Context,
    shape: &Shape,
    qkv: &CudaSlice<f32>,
    terms: &Terms,
    out: SpanMut<'_>,
) -> Result<CudaSlice<f32>, CudaError> {
    assert!(shape.fits_qkv(qkv), "sizes of attention");
    assert_eq!(out.count(), shape.rows() * shape.queries(), "sizes of attention");
    let mut norms = context.scratch(shape.rows() * shape.heads())?;
    let names = ["attention_forward_64", "attention_forward_128", "attention_forward_256"];
    // SAFETY: all lists have the sizes that the shape says.
    unsafe {
        let parameters = (qkv, out.address(), &mut norms, terms.addresses(shape), *shape);
        let blocks = shape.tiles(shape.heads());
        launch(context, shape.kernel(names), blocks, SQUARE, parameters)?;
    }
    Ok(norms)
}

/// What [`forward`] left for its derivative, and the derivative of its result.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// Queries, keys and values.
    pub qkv: &'a CudaSlice<f32>,
    /// The results.
    pub out: Span<'a>,
    /// The logarithms of the sums.
    pub norms: &'a CudaSlice<f32>,
    /// The derivative by the results.
    pub dout: &'a CudaSlice<f32>,
}

/// `Saved` of `attention.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct SavedAddresses {
    qkv: u64,
    dout: u64,
    norms: u64,
    products: u64,
}

// SAFETY: plain numbers, laid out as the kernels' own structure of four pointers.
unsafe impl DeviceRepr for SavedAddresses {}

/// The derivatives of [`forward`].
#[derive(Debug)]
pub struct Derivatives {
    /// By queries as far as they meet keys, keys and values.
    pub dqkv: CudaSlice<f32>,
    /// By the factors of the terms, scale included; for ExPE and ExQPE.
    dfactors: CudaSlice<f32>,
}

/// The derivatives of [`forward`]; scores are computed again, tile by tile.
pub fn backward(
    context: &Context,
    shape: &Shape,
    saved: &Saved<'_>,
    terms: &Terms,
) -> Result<Derivatives, CudaError> {
    let (rows, heads) = (shape.rows(), shape.heads());
    let fit = shape.fits_qkv(saved.qkv)
        && saved.out.count() >= rows * shape.queries()
        && fits(saved.dout, rows * shape.queries())
        && fits(saved.norms, rows * heads);
    assert!(fit, "sizes of attention");
    let products = context.scratch::<f32>(rows * heads)?;
    let dqkv = context.scratch(rows * shape.stride())?;
    let folded = matches!(terms, Terms::Folded(..));
    let dfactors = context.scratch(if folded { shape.factors() } else { 0 })?;
    let addresses = terms.addresses(shape);
    let address = |list| Span::from(list).address();
    // SAFETY: all lists have the sizes that the shape says; `dqkv` is written to by two kernels, one after the
    // other, and each number by one block.
    unsafe {
        let parameters = (saved.out.address(), saved.dout, &products, *shape);
        launch(
            context,
            ("attention", "attention_products"),
            warps(rows * heads),
            LINE,
            parameters,
        )?;
        let saved = SavedAddresses {
            qkv: address(saved.qkv),
            dout: address(saved.dout),
            norms: address(saved.norms),
            products: address(&products),
        };
        let names = ["attention_keys_64", "attention_keys_128", "attention_keys_256"];
        let blocks = shape.tiles(heads / shape.groups as usize);
        let parameters = (saved, &dqkv, addresses, *shape);
        launch(context, shape.kernel(names), blocks, SQUARE, parameters)?;
        let names = ["attention_queries_64", "attention_queries_128", "attention_queries_256"];
        let to = if folded { address(&dfactors) } else { 0 };
        let parameters = (saved, &dqkv, to, addresses, *shape);
        launch(context, shape.kernel(names), shape.tiles(heads), SQUARE, parameters)?;
    }
    Ok(Derivatives { dqkv, dfactors })
}
