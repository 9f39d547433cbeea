//! Comparison of models that differ only in their position encoding, by perplexity at several lengths.
//!
//! [`Plan`] describes the models to train; [`run`] trains them and returns the measured rows. A comparison owns
//! a folder:
//!
//! | file | content |
//! |---|---|
//! | `runs/NAME-seedN/` | the run folder of one model, see [`train`](crate::train) |
//! | `runs/NAME-seedN/rows-….json` | the rows measured for it |
//!
//! Finished trainings and measurements are not repeated when a comparison is run again.

mod error;
mod facts;
mod grid;
mod plan;

pub use error::CompareError;
pub use facts::facts;
pub use grid::{Event, run};
pub use plan::Plan;
