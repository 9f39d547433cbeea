//! Benchmarks of this machine: training steps, decoding and prompts, timed with the same code that training and
//! text generation use. No other module of the library depends on this one.
//!
//! Each benchmark, such as [`TrainBenchmark`], returns a [`Report`]. It measures several [`Candidate`]s that take
//! turns in [rounds](alternate), so that disturbances of the machine affect all of them. Reports contain, with
//! quartiles, the median time of each candidate over the rounds, and the median over the rounds of the ratio of two
//! candidates in the same round. Times are compared with the limits of the machine, measured in the same run:
//! sequential memory reads ([`read_rate`]) and products of large matrices ([`matmul_rate`]).

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
