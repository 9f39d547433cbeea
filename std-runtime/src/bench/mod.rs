//! Benchmarks of this machine: training steps, decoding and prompts, timed through the same code that training
//! and text generation run. No other module of the library uses this one.
//!
//! Each benchmark is a whole job that returns a [`Report`], such as [`TrainBenchmark`]. It measures
//! [`Candidate`]s that take turns in [rounds](alternate), so that disturbances of the machine affect all of
//! them. Reports contain the median over the rounds for each candidate, and the median of the ratios within
//! the rounds for two candidates, with quartiles. Times are related to the limits of the machine, measured in
//! the same run: reading memory sequentially ([`read_rate`]) and multiplying large matrices
//! ([`matmul_rate`]).

mod benchmark;
mod error;
mod evaluation;
mod inference;
mod machine;
mod matmul;
mod positions;
mod profile;
mod random_model;
mod read;
mod report;
mod rounds;
mod scaling;
mod shape;
mod spread;
mod training;
mod work;

pub use benchmark::{
    EvalBenchmark, InferenceBenchmark, Measured, PositionsBenchmark, ScalingBenchmark,
    TrainBenchmark,
};
pub use error::BenchError;
pub use evaluation::Evaluation;
pub use inference::{Inference, Task, candidates, read_bytes};
pub use machine::{Machine, peak_memory};
pub use matmul::matmul_rate;
pub use positions::{PositionCost, Variant, position_costs};
pub use profile::{Profiled, profile};
pub use random_model::random_model;
pub use read::{read_rate, read_rate_of};
pub use report::{Report, Row, Slope};
pub use rounds::{Candidate, Plan, Timer, Times, alternate};
pub use scaling::{Length, by_length};
pub use shape::{NamedPositions, SHAPES, Sizes, positions, resized, shape};
pub use spread::Spread;
pub use training::{Training, random_tokens};
pub use work::{forward_flops, step_flops};
