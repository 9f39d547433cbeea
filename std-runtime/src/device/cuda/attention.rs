//! Causal attention on the device.
#![allow(unsafe_code)]

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::{Cuda, CudaError};

use super::launch::{LINE, kernel_size, launch, warp_grid};
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};
use crate::ops::{Layout, SavedAttention};

/// The widest head that there are kernels for.
pub const WIDEST_HEAD: usize = 256;
/// Queries, or keys, of a tile.
const TILE: usize = 64;
/// The shape of a block that works on tiles.
const SQUARE: [usize; 2] = [16, 16];

/// How rows fall into sequences and heads, `Heads` of `heads.cuh`: queries, keys, and values side by side, one
/// row for each position.
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

impl From<&Layout> for Shape {
    fn from(layout: &Layout) -> Self {
        let heads = &layout.heads;
        Self {
            rows: kernel_size(layout.rows()),
            length: kernel_size(heads.length),
            heads: kernel_size(heads.heads()),
            groups: kernel_size(heads.groups),
            width: kernel_size(heads.head_width),
            stride: kernel_size(layout.stride()),
            keys: kernel_size(layout.queries()),
            values: kernel_size(layout.values()),
            digits: kernel_size(layout.digits),
            scale: layout.scale(),
        }
    }
}

/// Returns how many numbers there are when each row, query head, and digit has one.
pub fn factors(layout: &Layout) -> usize {
    layout.rows() * layout.heads.heads() * layout.digits
}

/// Returns how many numbers the queries, keys, and values of all rows are.
pub fn qkv_len(layout: &Layout) -> usize {
    layout.rows() * layout.stride()
}

/// Returns a grid of the tiles of a sequence, `heads`, and the sequences.
fn tiles(layout: &Layout, heads: usize) -> [usize; 3] {
    [layout.heads.length.div_ceil(TILE), heads, layout.heads.batch]
}

/// Returns the kernel for heads of this width: of those for up to 64, 128, and 256 columns.
fn kernel(layout: &Layout, names: [&'static str; 3]) -> (&'static str, &'static str) {
    let [narrow, middle, wide] = names;
    let name = match layout.heads.head_width {
        ..=64 => narrow,
        65..=128 => middle,
        _ => wide,
    };
    ("attention", name)
}

/// What positions add to scores: `Σ_j t_j(n)·(κ_j(m) − κ_j(n))`.
#[derive(Debug)]
pub enum Terms {
    /// Nothing.
    None,
    /// ALiBi: `t` is a head's slope, `κ(m) = m`.
    Slopes(CudaSlice<f32>),
    /// ExPE and ExQPE.
    Folded(Folded),
}

/// The folded columns of ExPE and ExQPE, and what follows from them: see `position.cu`.
#[derive(Debug)]
pub struct Folded {
    /// The key columns, `(digits, keys)`.
    pub key_columns: CudaSlice<f32>,
    /// `t_j` of each row and query head.
    pub factors: CudaSlice<f32>,
}

/// `Terms` of `attention.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct TermAddresses {
    keys: u64,
    factors: u64,
    slopes: u64,
}

// SAFETY: plain numbers, laid out as the kernels' own structure of three pointers.
unsafe impl DeviceRepr for TermAddresses {}

impl TermAddresses {
    /// The addresses of `terms`; `values` are the keys', where positions have any.
    fn new(layout: &Layout, terms: &Terms, values: Option<DeviceSlice<'_>>) -> Self {
        let (mut keys, mut factor, mut slopes) = (0, 0, 0);
        let fit = match (terms, values) {
            (Terms::None, _) => layout.digits == 0,
            (Terms::Slopes(list), _) => {
                let list = DeviceSlice::from(list);
                slopes = list.address();
                list.len() >= layout.heads.heads() && layout.digits == 1
            }
            (Terms::Folded(folded), Some(values)) => {
                let list = DeviceSlice::from(&folded.factors);
                (keys, factor) = (values.address(), list.address());
                values.len() >= layout.heads.length * layout.digits && list.len() >= factors(layout)
            }
            (Terms::Folded(_), None) => false,
        };
        assert!(fit, "sizes of position terms");
        Self { keys, factors: factor, slopes }
    }
}

/// See [`Kernels::attention_forward`](crate::ops::Kernels::attention_forward).
pub fn forward(
    context: &Context,
    layout: &Layout,
    qkv: DeviceSlice<'_>,
    terms: &Terms,
    keys: Option<DeviceSlice<'_>>,
    out: DeviceSliceMut<'_>,
    norms: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let (rows, heads) = (layout.rows(), layout.heads.heads());
    let fit = qkv.len() >= qkv_len(layout)
        && out.len() == rows * layout.queries()
        && norms.len() >= rows * heads;
    assert!(fit, "sizes of attention");
    let names = ["attention_forward_64", "attention_forward_128", "attention_forward_256"];
    // SAFETY: all buffers have the sizes that `layout` gives, as asserted above.
    unsafe {
        let terms = TermAddresses::new(layout, terms, keys);
        let (qkv, out, norms) = (qkv.address(), out.address(), norms.address());
        let parameters = (qkv, out, norms, terms, Shape::from(layout));
        launch(context, kernel(layout, names), tiles(layout, heads), SQUARE, parameters)
    }
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

/// See [`Kernels::attention_backward`](crate::ops::Kernels::attention_backward): scores are computed again, tile by
/// tile. Returns the gradients of the terms' factors, scale included, for ExPE and ExQPE.
pub fn backward(
    context: &Context,
    layout: &Layout,
    saved: &SavedAttention<'_, Cuda>,
    terms: &Terms,
    keys: Option<DeviceSlice<'_>>,
    dqkv: DeviceSliceMut<'_>,
) -> Result<Option<CudaSlice<f32>>, CudaError> {
    let (rows, heads) = (layout.rows(), layout.heads.heads());
    let SavedAttention { qkv, out, norms, dout } = *saved;
    let fit = qkv.len() >= qkv_len(layout)
        && dqkv.len() >= qkv_len(layout)
        && out.len() >= rows * layout.queries()
        && dout.len() >= rows * layout.queries()
        && norms.len() >= rows * heads;
    assert!(fit, "sizes of attention");
    let products = context.scratch::<f32>(rows * heads)?;
    let dfactors = match terms {
        Terms::Folded(_) => Some(context.scratch(factors(layout))?),
        Terms::None | Terms::Slopes(_) => None,
    };
    let terms = TermAddresses::new(layout, terms, keys);
    let shape = Shape::from(layout);
    // SAFETY: all buffers have the sizes that `layout` gives, as asserted above; `dqkv` is written by two kernels, one after the
    // other, and each number by one block.
    unsafe {
        let parameters = (out.address(), dout.address(), &products, shape);
        let blocks = warp_grid(rows * heads);
        launch(context, ("attention", "attention_products"), blocks, LINE, parameters)?;
        let saved = SavedAddresses {
            qkv: qkv.address(),
            dout: dout.address(),
            norms: norms.address(),
            products: DeviceSlice::from(&products).address(),
        };
        let names = ["attention_keys_64", "attention_keys_128", "attention_keys_256"];
        let blocks = tiles(layout, layout.heads.kv_heads);
        let parameters = (saved, dqkv.address(), terms, shape);
        launch(context, kernel(layout, names), blocks, SQUARE, parameters)?;
        let names = ["attention_queries_64", "attention_queries_128", "attention_queries_256"];
        let to = dfactors.as_ref().map_or(0, |list| DeviceSlice::from(list).address());
        let parameters = (saved, dqkv.address(), to, terms, shape);
        launch(context, kernel(layout, names), tiles(layout, heads), SQUARE, parameters)?;
    }
    Ok(dfactors)
}
