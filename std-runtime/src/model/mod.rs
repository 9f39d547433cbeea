//! The transformer on dfdx: parameters, forward pass, and `model.safetensors`.
//!
//! [`Transformer`] is a pre-norm decoder with runtime sizes, generic over the device and, for
//! tests, over the element. Every number of a position encoding comes from
//! [`expe_core::position`]; [`Sites`] turns them into tensors once per length.

mod checkpoint;
mod error;
mod init;
mod sites;
mod transformer;
mod weights;

pub use checkpoint::{
    Stored, Tensors, from_safetensors, read_tensors, to_safetensors, write_tensors,
};
pub use error::ModelError;
pub use sites::Sites;
pub use transformer::Transformer;
pub use weights::{Kind, Layer, Visit, VisitMut, Weights};
