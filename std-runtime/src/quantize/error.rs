/// Why the matrices of a model cannot be quantized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The model has no tensor of this name.
    #[error("the model has no tensor `{0}`")]
    Missing(String),
    /// The shape of a tensor differs from the one in the configuration.
    #[error("`{name}` has the shape {found:?}, expected {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape according to the configuration.
        expected: [usize; 2],
        /// Actual shape.
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
