//! Complete benchmarks. Each returns a [`Report`](super::Report).

mod eval;
mod inference;
mod positions;
mod scaling;
mod train;

pub use eval::EvalBenchmark;
pub use inference::{InferenceBenchmark, Measured};
pub use positions::PositionsBenchmark;
pub use scaling::ScalingBenchmark;
pub use train::TrainBenchmark;
