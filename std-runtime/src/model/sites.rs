use dfdx::dtypes::Dtype;
use dfdx::shapes::Shape;
use dfdx::tensor::Tensor;
use expe_core::Config;
use expe_core::position::{ModelDims, Position, PositionEncoding, PositionError, for_each_row};
use expe_core::tensor::Flat;

use super::ModelError;
use crate::ops::composed::{Mask, Rotary, differences};
use crate::ops::{AttentionSites, Backend, Fixed, Override, scalar, tensor};

/// Everything that a forward pass over `length` positions needs besides parameters and tokens; one value serves
/// every batch of that length.
///
/// The rows of a learned table are parameters and stay with them.
#[derive(Debug, Clone)]
pub struct Sites<E: Dtype, D: Backend<E>> {
    /// Positions of a sequence.
    pub length: usize,
    /// *Token embedding*.
    pub embedding: Option<Fixed<E, D>>,
    /// The sites inside attention.
    pub attention: AttentionSites<E, D>,
}

impl<E: Dtype, D: Backend<E>> Sites<E, D> {
    /// Computes the numbers of `config`'s encoding for positions `0..length`.
    ///
    /// # Errors
    /// [`ModelError::Position`] where the encoding cannot be built or refuses one of the positions,
    /// [`ModelError::Device`] when memory runs out.
    pub fn new(config: &Config, length: usize, device: &D) -> Result<Self, ModelError> {
        let name = config.position.name();
        let refused = |source| ModelError::Position { name, source };
        let beyond = |length: usize| {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            refused(PositionError::BeyondLength { position: length, length })
        };
        let positions = u32::try_from(length).map_err(|_| beyond(length))?;
        // The learned rows are parameters that the forward pass reads; zeros are enough here.
        let table = vec![0.0; config.width];
        if config.position.needs_table() && length > config.context {
            return Err(beyond(config.context));
        }
        let Config { width, heads, head_width, .. } = *config;
        let dims = ModelDims { width, heads, head_width };
        let position = Position::new(&config.position, dims, &table).map_err(refused)?;
        let builder = Builder { config, position, positions, device };
        Ok(Self {
            length,
            embedding: builder.embedding(refused)?,
            attention: AttentionSites {
                overrides: builder.overrides(refused)?,
                rotary: builder.rotary(refused)?,
                mask: builder.mask()?,
                slopes: builder.slopes(),
            },
        })
    }
}

/// Computes the fields of [`Sites`].
struct Builder<'a, D> {
    config: &'a Config,
    position: Position<'a>,
    positions: u32,
    device: &'a D,
}

impl<D> Builder<'_, D> {
    fn upload<E: Dtype, S: Shape>(
        &self,
        shape: S,
        values: impl IntoIterator<Item = f64>,
    ) -> Result<Tensor<S, E, D>, ModelError>
    where
        D: Backend<E>,
    {
        let values: Vec<E> = values.into_iter().map(scalar).collect();
        tensor(self.device, shape, &values).map_err(ModelError::device)
    }

    /// Computes one row of `width` numbers for each position; `fill` writes into zeros.
    fn rows(
        &self,
        width: usize,
        fill: impl Fn(u32, &mut [f32]) -> Result<(), PositionError>,
    ) -> Result<Vec<f32>, PositionError> {
        let mut rows = vec![0.0; self.positions as usize * width];
        for_each_row(0, &mut Flat::new(&mut rows, width), fill)?;
        Ok(rows)
    }

    fn embedding<E: Dtype>(
        &self,
        refused: impl Fn(PositionError) -> ModelError,
    ) -> Result<Option<Fixed<E, D>>, ModelError>
    where
        D: Backend<E>,
    {
        if !self.config.position.computes_offsets() {
            return Ok(None);
        }
        let width = self.config.width;
        let rows = self.rows(width, |n, row| self.position.embed(n, row)).map_err(refused)?;
        let shape = (self.positions as usize, width);
        let rows = self.upload(shape, rows.into_iter().map(f64::from))?;
        Ok(Some((scalar(self.position.embedding_scale().into()), rows)))
    }

    fn overrides<E: Dtype>(
        &self,
        refused: impl Fn(PositionError) -> ModelError,
    ) -> Result<Option<Override<E, D>>, ModelError>
    where
        D: Backend<E>,
    {
        let columns = self.position.override_block();
        let (length, width, digits) = (self.positions as usize, self.config.width, columns.digits);
        if digits == 0 {
            return Ok(None);
        }
        let queries =
            self.rows(digits, |n, row| self.position.query_values(n, row)).map_err(&refused)?;
        let keys =
            self.rows(digits, |n, row| self.position.key_values(n, row)).map_err(&refused)?;
        let kept = (0..width).map(|i| f64::from(u8::from(i >= columns.width)));
        let holds = |digit, i| i < columns.width && i / columns.run_width().max(1) == digit;
        let runs = (0..digits)
            .flat_map(|digit| (0..width).map(move |i| f64::from(u8::from(holds(digit, i)))));
        let keys = self.upload((length, digits), keys.into_iter().map(f64::from))?;
        let dense = D::DENSE.then(|| differences(&keys)).transpose();
        Ok(Some(Override {
            columns,
            kept: self.upload((width,), kept)?,
            runs: self.upload((digits, width), runs)?,
            queries: self.upload((length, digits), queries.into_iter().map(f64::from))?,
            differences: dense.map_err(ModelError::device)?,
            keys,
        }))
    }

    fn rotary<E: Dtype>(
        &self,
        refused: impl Fn(PositionError) -> ModelError,
    ) -> Result<Option<Rotary<E, D>>, ModelError>
    where
        D: Backend<E>,
    {
        if !self.position.rotates() {
            return Ok(None);
        }
        let head = self.config.head_width;
        let half = head / 2;
        let table = self.rows(head, |n, row| self.position.rotation(n, row)).map_err(refused)?;
        let (mut cos, mut sin) = (Vec::with_capacity(table.len()), Vec::with_capacity(table.len()));
        for row in table.chunks_exact(head.max(1)) {
            let (cosines, sines) = row.split_at(half);
            cos.extend(cosines.iter().chain(cosines).copied().map(f64::from));
            sin.extend(sines.iter().map(|sine| -f64::from(*sine)));
            sin.extend(sines.iter().copied().map(f64::from));
        }
        let swap = (0..head)
            .flat_map(|i| (0..head).map(move |o| f64::from(u8::from((i + half) % head == o))));
        let shape = (self.positions as usize, head);
        Ok(Some(Rotary {
            cos: self.upload(shape, cos)?,
            sin: self.upload(shape, sin)?,
            swap: self.upload((head, head), swap)?,
        }))
    }

    /// One slope for each head, where scores have any.
    fn slopes(&self) -> Vec<f32> {
        let heads = if self.config.position.has_slopes() { self.config.heads } else { 0 };
        (0..heads).map(|h| self.position.slope(h)).collect()
    }

    fn mask<E: Dtype>(&self) -> Result<Option<Mask<E, D>>, ModelError>
    where
        D: Backend<E>,
    {
        let mask = || Mask::new(self.device, self.positions as usize, &self.slopes());
        D::DENSE.then(mask).transpose().map_err(ModelError::device)
    }
}
