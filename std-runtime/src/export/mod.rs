//! Export of trained models as `.expe` files.
//!
//! [`quantized`] creates the file in memory, [`save`] writes it to disk. The writer of `expe-core` implements the
//! layout of the file, the folding of the overridden columns and the rounding to floating-point types; this module
//! gives it the tensors. [`quantize`](crate::quantize) rounds weights to integers.

mod error;
mod model;
mod scheme;
mod write;

pub use error::ExportError;
pub use model::{Exported, float, quantized};
pub use scheme::{Scheme, UnknownScheme};
pub use write::{save, write};
