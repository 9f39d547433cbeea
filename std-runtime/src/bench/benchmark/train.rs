use std::sync::atomic::AtomicBool;

use crate::bench::{
    BenchError, Candidate, Plan, Report, Row, Timer, Times, Training, matmul_rate, profile,
    random_tokens, step_flops,
};
use crate::config::RunConfig;
use crate::device::{ChosenDevice, Cpu};
use crate::train::{OnDevice, TrainingDevice};

/// Benchmark of training steps on random tokens: forward, backward, clipping and AdamW.
#[derive(Debug, Clone)]
pub struct TrainBenchmark {
    /// The configurations, with their names in the report. All have the same vocabulary.
    pub configs: Vec<(String, RunConfig)>,
    /// Number of threads, for the CPU.
    pub threads: usize,
    /// The device.
    pub device: ChosenDevice,
    /// Whether to measure the share of each operation as well; only on the CPU.
    pub profile: bool,
    /// How long to measure.
    pub plan: Plan,
}

impl TrainBenchmark {
    /// Runs the benchmark. Returns `None` if another program controlled `timer` and has the results.
    ///
    /// # Errors
    /// [`BenchError`] for configurations that are not valid or do not fit into memory, and the errors of
    /// `timer`.
    pub fn run<T: Timer>(&self, timer: &T, stop: &AtomicBool) -> Result<Option<Report>, T::Error> {
        let Self { configs, threads, device, plan, .. } = self;
        let Some((_, first)) = configs.first() else { return Ok(Some(Report::new("train"))) };
        for (_, config) in configs {
            config.check().map_err(BenchError::from)?;
        }
        let tokens = random_tokens(first);
        let Some(times) = device.run(Work { benchmark: self, tokens: &tokens, timer })? else {
            return Ok(None);
        };
        // The report is created before `matmul_rate` allocates, so that it contains the peak memory of training.
        let mut report = Report::new("train");
        report.matmul_rate = match device {
            ChosenDevice::Cpu => Some(matmul_rate(*threads, plan.aside())?),
            #[cfg(feature = "cuda")]
            ChosenDevice::Cuda(_) => None,
        };
        report.device = (*device != ChosenDevice::Cpu).then(|| device.to_string());
        for ((name, config), measured) in configs.iter().zip(&times) {
            let flops = step_flops(&config.model, config.train.batch * config.train.accumulate);
            let row = Row::new("train", &config.model, measured, &times[0]);
            report.rows.push(Row {
                candidate: name.clone(),
                dtype: config.train.precision.name().to_owned(),
                threads: *threads,
                tokens: config.tokens_per_step() as usize,
                flops,
                matmul_share: report.matmul_rate.map(|rate| flops / row.seconds.median / rate),
                profile: self.profiled(config, &tokens, stop)?,
                ..row
            });
        }
        Ok(Some(report))
    }

    fn profiled(
        &self,
        config: &RunConfig,
        tokens: &[u32],
        stop: &AtomicBool,
    ) -> Result<Vec<crate::bench::Profiled>, BenchError> {
        if !self.profile {
            return Ok(Vec::new());
        }
        let mut training = Training::new(config, tokens, self.threads, &Cpu::default())?;
        profile(&mut training, self.plan.profile(), stop)
    }
}

/// The measurement, for any device.
struct Work<'a, T> {
    benchmark: &'a TrainBenchmark,
    tokens: &'a [u32],
    timer: &'a T,
}

impl<T: Timer> OnDevice for Work<'_, T> {
    type Output = Option<Vec<Times>>;
    type Error = T::Error;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Self::Output, T::Error> {
        let Self { benchmark, tokens, timer } = self;
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        for (_, config) in &benchmark.configs {
            candidates.push(Box::new(Training::new(config, tokens, benchmark.threads, device)?));
        }
        timer.time(candidates, benchmark.plan)
    }
}
