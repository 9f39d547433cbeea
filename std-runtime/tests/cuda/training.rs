//! Training on a GPU: the same tests as on the processor, and a comparison with training on the processor.

#[path = "../train_resume/cases.rs"]
mod cases;

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dfdx::shapes::Shape;
use dfdx::tensor::{Cpu, Tensor};
use expe::config::{RunConfig, TrainConfig};
use expe::data::Dataset;
use expe::model::{Kind, VisitMut};
use expe::ops::Backend;
use expe::train::{Ending, State, Stepper, TrainingDevice, run};
use expe_core::internals::Random;

use super::fast;
use cases::dataset;

fn config(name: &str, steps: u64) -> RunConfig {
    let train = TrainConfig {
        seed: 3,
        validate_every: 20,
        validation_tokens: 64,
        ..TrainConfig::new(steps, 4, 3e-3)
    };
    RunConfig { train, ..cases::config(name) }
}

/// Changes every parameter by this fraction of itself, up or down.
struct Nudge(f32, Random);

impl<D: Backend> VisitMut<f32, D> for Nudge {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        _: Kind,
        parameter: &mut Tensor<S, f32, D>,
    ) -> Result<(), Infallible> {
        let mut values = parameter.as_vec();
        for x in &mut values {
            *x *= if self.1.next_u64().is_multiple_of(2) { 1.0 + self.0 } else { 1.0 - self.0 };
        }
        parameter.copy_from(&values);
        Ok(())
    }
}

/// Returns the losses of all steps, starting from parameters that are changed by `nudge`.
fn losses<D: TrainingDevice>(
    device: &D,
    config: &RunConfig,
    data: &Dataset,
    nudge: f32,
) -> Vec<f64> {
    let mut state = State::new(config, device).unwrap();
    state.model.weights.visit_mut(&mut Nudge(nudge, Random::new(7))).unwrap();
    let mut stepper = Stepper::new(config, data.train(), state).unwrap();
    (0..config.train.steps).map(|_| stepper.step().unwrap().loss).collect()
}

/// Returns the largest relative difference of two curves.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / a).fold(0.0, f64::max)
}

/// The limit is measured on the CPU, by starting from parameters that are changed by the error of a gradient
/// (`400·2^-24`, see `model.rs`), as if the rounding errors of all steps came at once. Both curves are within this
/// distance of the exact one.
#[test]
fn the_loss_curve_is_that_of_the_cpu() {
    let (device, data) = (fast(), dataset(1));
    let config = config("expe", 200);
    let exact = losses(&Cpu::default(), &config, &data, 0.0);
    let nudged = losses(&Cpu::default(), &config, &data, 400.0 / (1 << 24) as f32);
    let found = losses(&device, &config, &data, 0.0);
    assert!(exact[199] < 0.75 * exact[0], "nothing is learned: {exact:?}");
    let (limit, off) = (apart(&exact, &nudged), apart(&exact, &found));
    assert!(limit < 0.02, "a limit of {limit} shows nothing");
    assert!(off < limit, "{off:e} apart, {limit:e} allowed");
}

/// Trains until step `until` and returns the losses.
fn train<D: TrainingDevice>(
    device: &D,
    config: &RunConfig,
    data: &Dataset,
    folder: &Path,
    until: u64,
) -> Vec<f64> {
    let stop = AtomicBool::new(false);
    let mut losses = Vec::new();
    let outcome = run(device, config, data, folder, true, &stop, &mut |now| {
        losses.push(now.loss);
        if now.step >= until {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let ending = outcome.unwrap().ending;
    assert_eq!(ending == Ending::Finished, until >= config.train.steps);
    losses
}

/// Half of the steps run on one device, half on the other. The limit is measured as for whole curves.
#[test]
fn checkpoints_go_from_one_device_to_the_other() {
    let (gpu, cpu, data) = (fast(), Cpu::default(), dataset(1));
    let config = config("exqpe", 40);
    let exact = losses(&cpu, &config, &data, 0.0);
    let limit = apart(&exact, &losses(&cpu, &config, &data, 400.0 / (1 << 24) as f32));
    let [there, back] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let first = train(&cpu, &config, &data, there.path(), 20);
    let second = train(&gpu, &config, &data, there.path(), 40);
    assert!(apart(&exact, &[first, second].concat()) < limit);
    let first = train(&gpu, &config, &data, back.path(), 20);
    let second = train(&cpu, &config, &data, back.path(), 40);
    assert!(apart(&exact, &[first, second].concat()) < limit);
}
