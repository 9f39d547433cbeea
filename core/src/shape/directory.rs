use super::{Config, DType, TensorId, TensorKind};

/// A tensor and its shape in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorShape {
    /// Which tensor.
    pub id: TensorId,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl TensorShape {
    /// Returns the bytes of the tensor stored as `dtype`, without padding; `None` past 64 bits.
    pub fn size(&self, dtype: DType) -> Option<u64> {
        dtype.bytes(u64::try_from(self.rows).ok()?, u64::try_from(self.columns).ok()?)
    }
}

/// Returns all tensors of a model of this configuration, in the file's order.
///
/// ```
/// use expe_core::internals::layout;
/// use expe_core::{Activation, Config, Norm};
/// use expe_core::position::PositionConfig;
///
/// let config = Config {
///     vocab: 256, width: 64, layers: 2, heads: 4, kv_heads: 2, head_width: 16, hidden: 128,
///     context: 64, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::SwiGlu,
///     tied_head: true, position: PositionConfig::None,
/// };
/// let embed = layout(&config).next().unwrap();
/// assert_eq!(embed.id.to_string(), "embed.weight");
/// assert_eq!((embed.rows, embed.columns), (256, 64));
/// assert_eq!(layout(&config).count(), 1 + 2 * 9 + 1);
/// ```
pub fn layout(config: &Config) -> impl Iterator<Item = TensorShape> {
    let layers = config.layers.try_into().unwrap_or(u32::MAX);
    let outside = |kind| TensorId { kind, layer: 0 };
    let inside = (0..layers)
        .flat_map(|layer| TensorKind::LAYER.into_iter().map(move |kind| TensorId { kind, layer }));
    TensorKind::FIRST
        .into_iter()
        .map(outside)
        .chain(inside)
        .chain(TensorKind::LAST.into_iter().map(outside))
        .filter_map(|id| {
            let (rows, columns) = id.kind.shape(config)?;
            Some(TensorShape { id, rows, columns })
        })
}
