//! Training: optimiser, schedule, validation, and checkpoints that survive `kill -9`.
//!
//! [`run`] owns a *run folder*:
//!
//! | file | what it holds |
//! |---|---|
//! | `config.toml` | the [`RunConfig`](crate::config::RunConfig), written before the first step |
//! | `model.safetensors` | the parameters with the lowest validation loss so far |
//! | `trainer.safetensors` | everything needed to go on: latest and best parameters, moments, step |
//! | `metrics.csv` | one line per step |
//! | `tokenizer.json` | the tokenizer, written before the first step |
//!
//! With `precision = "mixed"` products are computed from [`f16`](half::f16) factors, everything else stays `f32`,
//! and [`LossScale`] keeps gradients in range.
//!
//! `trainer.safetensors` is complete in itself and is replaced in one rename; `model.safetensors`
//! follows from it. Training that is killed between the two is put right on resuming. The windows
//! and the dropout of a step are pure functions of seed and step, so there is no generator state,
//! and what is resumed ends with the same bytes as what was never stopped.

mod dataset;
mod device;
mod error;
mod fitting;
mod folder;
mod lock;
mod loss_scale;
mod memory;
mod metrics;
mod optimizer;
mod progress;
mod schedule;
mod state;
mod stepper;
mod trained;
mod trainer;
mod validation;
mod workers;

pub use dataset::{new_dataset, stored_dataset};
pub use device::{OnDevice, TrainingDevice};
pub use error::TrainError;
pub use folder::{
    CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, TRAINER_FILE, load_model, read_config,
};
pub use lock::RunLock;
pub use loss_scale::LossScale;
pub use memory::{Usage, available as available_memory};
pub use metrics::Metrics;
pub use optimizer::AdamW;
pub use progress::{Best, Ending, Outcome, Progress};
pub use schedule::learning_rate;
pub use state::State;
pub use stepper::Stepper;
pub use trained::TrainedModel;
pub use trainer::run;
pub use validation::{split, validation_loss};
pub use workers::Workers;
