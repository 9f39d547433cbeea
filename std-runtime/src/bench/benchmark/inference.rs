use expe_core::internals::Execution;
use expe_core::{Config, Model};

use crate::bench::{
    BenchError, Inference, NamedPositions, Plan, Report, Row, Task, Timer, candidates,
    forward_flops, matmul_rate, random_model, read_bytes, read_rate, read_rate_of,
};
use crate::engine::ModelFile;
use crate::export::Scheme;

/// A model to measure.
#[derive(Debug)]
pub struct Measured {
    /// Its name in the report.
    pub name: String,
    /// How the weights of its layers are stored.
    pub dtype: String,
    /// The model.
    pub file: ModelFile,
}

impl Measured {
    /// Creates an entry for a model file.
    ///
    /// # Errors
    /// [`BenchError::Engine`] when it is not a model.
    pub fn from_file(name: String, file: ModelFile) -> Result<Self, BenchError> {
        let dtype = stored(&file.model()?);
        Ok(Self { name, dtype, file })
    }

    /// Creates one random model per encoding and scheme.
    ///
    /// # Errors
    /// Same as [`random_model`].
    pub fn random(
        config: &Config,
        positions: &NamedPositions,
        schemes: &[Scheme],
    ) -> Result<Vec<Self>, BenchError> {
        let mut models = Vec::new();
        for (position, encoding) in positions {
            let config = Config { position: *encoding, ..*config };
            for scheme in schemes {
                let dtype = scheme.to_string();
                let name = match (positions.len(), schemes.len()) {
                    (1, _) => dtype.clone(),
                    (_, 1) => position.clone(),
                    _ => format!("{position} {dtype}"),
                };
                models.push(Self { name, dtype, file: random_model(&config, *scheme)? });
            }
        }
        Ok(models)
    }
}

/// Describes how the weights of the layers are stored.
fn stored(model: &Model<'_>) -> String {
    let matrix =
        model.tensors().find(|t| t.shape.id.kind.is_matrix() && !t.shape.id.kind.is_vocabulary());
    let dtype = matrix.map_or_else(String::new, |matrix| matrix.dtype.to_string());
    match model.execution() {
        Execution::Float => dtype,
        Execution::Integer => format!("{dtype}, integers alone"),
    }
}

/// Benchmark of the engine on one thread: reading a prompt, or decoding token by token.
#[derive(Debug)]
pub struct InferenceBenchmark {
    /// The models, which are measured in turns.
    pub models: Vec<Measured>,
    /// The task.
    pub task: Task,
    /// How long to measure.
    pub plan: Plan,
}

impl InferenceBenchmark {
    /// Runs the benchmark. Returns `None` if another program controlled `timer` and has the results.
    ///
    /// # Errors
    /// [`BenchError`] for models that cannot be run or do not support enough positions, and the errors of
    /// `timer`.
    pub fn run<T: Timer>(&self, timer: &T) -> Result<Option<Report>, T::Error> {
        let Self { models: measured, task, plan } = self;
        let models = measured.iter().map(|measured| measured.file.model());
        let models = models.collect::<Result<Vec<_>, _>>().map_err(BenchError::from)?;
        let mut buffers = Inference::all_buffers(&models, *task)?;
        let Some(times) = timer.time(candidates(&models, &mut buffers, *task)?, *plan)? else {
            return Ok(None);
        };
        let (work, past) = match *task {
            Task::Prefill { .. } => ("prefill", None),
            Task::Decode { past, .. } => ("decode", Some(past)),
        };
        let decoding = past.is_some();
        let mut report = Report::new(work);
        report.read_rate = decoding.then(|| read_rate(plan.aside()));
        report.matmul_rate = if decoding { None } else { Some(matmul_rate(1, plan.aside())?) };
        let (tokens, keys) = (task.tokens(), task.mean_keys());
        for ((measured, model), times_of) in measured.iter().zip(&models).zip(&times) {
            let config = model.config();
            let seconds = times_of.spread().median;
            // For a prompt, only the logits of the last token are computed.
            let head = if decoding { 0.0 } else { 2.0 * (config.vocab * config.width) as f64 };
            let flops = forward_flops(config, keys, decoding) * tokens as f64 + head;
            let bytes = decoding.then(|| read_bytes(model, keys));
            let rate = bytes.map(|bytes| bytes * tokens as f64 / seconds);
            let share = |best: Option<f64>| Some(rate? / best?);
            let cached = bytes.map(|bytes| read_rate_of(bytes as usize, plan.aside()));
            report.rows.push(Row {
                candidate: measured.name.clone(),
                dtype: measured.dtype.clone(),
                tokens,
                past,
                bytes_per_token: bytes,
                read_share: share(report.read_rate),
                cached_read_share: share(cached),
                flops,
                matmul_share: report.matmul_rate.map(|best| flops / seconds / best),
                ..Row::new(work, config, times_of, &times[0])
            });
        }
        Ok(Some(report))
    }
}
