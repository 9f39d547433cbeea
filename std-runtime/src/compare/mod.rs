//! A grid of models that differ in their position encoding alone, trained and measured against length.
//!
//! A comparison owns a folder:
//!
//! | file | what it holds |
//! |---|---|
//! | `runs/NAME-seedN/` | the run folder of one model, see [`train`](crate::train) |
//! | `runs/NAME-seedN/rows-….json` | what was measured of it |
//!
//! It is resumable cell by cell: what is trained or measured already is not done again.

mod error;
mod grid;
mod spec;

pub use error::CompareError;
pub use grid::{Event, Plan, run};
pub use spec::{PositionSpec, SpecError, amend};
