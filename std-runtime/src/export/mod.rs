//! From a trained model to an `.expe` file.
//!
//! [`quantized`] does the whole job in memory, [`save`] writes the result to disk. The layout of the file,
//! the folding of the overridden columns and the rounding to floating-point types belong to `expe-core`,
//! whose writer reads its tensors from here. [`quantize`](crate::quantize) decides how weights become
//! integers.

mod error;
mod model;
mod scheme;
mod write;

pub use error::ExportError;
pub use model::{Exported, float, quantized};
pub use scheme::{Scheme, UnknownScheme};
pub use write::{save, write};
