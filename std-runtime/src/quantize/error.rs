/// Why the matrices of a model cannot be quantized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The model has no tensor of this name.
    #[error("the model has no tensor `{0}`")]
    Missing(String),
    /// A tensor has another shape than the configuration gives it.
    #[error("`{name}` has the shape {found:?}, expected {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape that the configuration gives it.
        expected: [usize; 2],
        /// Its shape.
        found: Vec<usize>,
    },
    /// A weight is infinite or not a number.
    #[error("`{name}` has the weight {weight}, which no integer can represent")]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// The weight, as text.
        weight: String,
    },
}
