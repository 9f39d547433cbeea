//! Training: optimizer, schedule, validation, and crash-safe checkpoints.
//!
//! [`new_dataset`] turns text into tokens, [`run`] trains on them in a *run folder*, and [`TrainedModel`]
//! opens the result:
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the [`RunConfig`](crate::config::RunConfig), written before the first step |
//! | `model.safetensors` | the parameters with the lowest validation loss so far |
//! | `trainer.safetensors` | everything needed to continue: latest and best parameters, moments, step |
//! | `metrics.csv` | one line per step |
//! | `tokenizer.json` | the tokenizer, written before the first step |
//!
//! With `precision = "mixed"`, matrix products have [`f16`](half::f16) operands, everything else is computed in
//! `f32`, and [`LossScale`] keeps gradients in range.
//!
//! `trainer.safetensors` contains the whole state and is replaced atomically. `model.safetensors` is derived from
//! it; if training was killed between the two writes, resuming updates it. The windows and the dropout of a step
//! are functions of the seed and the step, so there is no random generator state to save, and a resumed run ends
//! with the same bytes as one that was never interrupted.

mod dataset;
mod device;
mod error;
mod fitting;
mod folder;
mod host_memory;
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
mod training_device;
mod validation;
mod workers;

pub use dataset::{new_dataset, stored_dataset};
pub use device::BatchDevice;
pub use error::TrainError;
pub use folder::{
    CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, TRAINER_FILE, load_model, read_config,
};
pub use host_memory::available_memory;
pub use lock::RunLock;
pub use loss_scale::LossScale;
pub use memory::Usage;
pub use metrics::Metrics;
pub use optimizer::AdamW;
pub use progress::{Best, Ending, Outcome, Progress};
pub use schedule::learning_rate;
pub use state::State;
pub use stepper::Stepper;
pub use trained::TrainedModel;
pub use trainer::run;
pub use training_device::{OnDevice, TrainingDevice};
pub use validation::{split, validation_loss};
pub use workers::Workers;
