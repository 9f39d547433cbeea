//! Calls the position encodings with every number format.

use core::hint::black_box;

use expe_core::num::Element;
use expe_core::position::{
    Expe, Exqpe, Growth, ModelDims, Position, PositionConfig, PositionEncoding, override_key_rows,
    override_query_rows,
};
use fixed::types::{I8F8, I16F16};
use half::{bf16, f16};

/// Inputs that are unknown to the optimizer.
#[derive(Clone, Copy)]
pub struct Inputs {
    config: PositionConfig,
    shape: ModelDims,
    table: &'static [f32],
    start: f32,
    step: f32,
    width: usize,
    base: u32,
    digits: u32,
    n: u32,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            config: PositionConfig::None,
            shape: ModelDims { width: 0, heads: 0, head_width: 0 },
            table: &[],
            start: 0.0,
            step: 0.0,
            width: 0,
            base: 0,
            digits: 0,
            n: 0,
        }
    }
}

/// Calls all methods of the encodings.
pub fn encode_all(inputs: Inputs) {
    black_box(any(inputs));
    black_box(of_type::<f32>(inputs));
    black_box(of_type::<f16>(inputs));
    black_box(of_type::<bf16>(inputs));
    black_box(of_type::<I8F8>(inputs));
    black_box(of_type::<I16F16>(inputs));
}

fn any(inputs: Inputs) -> Option<f32> {
    let Inputs { config, shape, table, n, .. } = inputs;
    let position = Position::new(&config, shape, table).ok()?;
    let mut row = black_box([0.0; 16]);
    position.embed(n, &mut row).ok()?;
    position.override_query(n, &mut row).ok()?;
    position.override_key(n, &mut row).ok()?;
    position.rotation(n, &mut row).ok()?;
    black_box(row);
    Some(position.bias(shape.heads, n, n / 2))
}

fn of_type<T: Element>(inputs: Inputs) -> Option<u32> {
    let Inputs { start, step, width, base, digits, n, .. } = inputs;
    let expe = Expe::<T>::new(start, step, width).ok()?;
    let exqpe = Exqpe::<T>::new(start, step, width, base, digits, Growth::Weighted).ok()?;
    let mut rows = black_box([[T::ZERO; 16]; 4]);
    override_query_rows(&expe, n, rows.as_mut_slice()).ok()?;
    override_key_rows(&exqpe, n, rows.as_mut_slice()).ok()?;
    let mut words = black_box([T::ZERO; 4]);
    exqpe.encode(n, &mut words).ok()?;
    black_box(exqpe.decode(&words)?);
    black_box(rows);
    expe.decode(expe.encode(n).ok()?)
}
