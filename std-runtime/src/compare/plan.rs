use std::path::PathBuf;

use crate::config::{PositionSpec, RunConfig, SpecError};
use crate::device::ChosenDevice;
use crate::eval::Lengths;

/// What to train and to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The configuration of every model, except for the position encoding and the seed.
    pub base: RunConfig,
    /// The position encodings.
    pub specs: Vec<PositionSpec>,
    /// Number of models per encoding, with the seeds 0, 1, …
    pub seeds: u64,
    /// The lengths, and how much text to measure at each.
    pub lengths: Lengths,
    /// The device that models are trained and measured on.
    pub device: ChosenDevice,
    /// Number of models that are trained at the same time.
    pub jobs: usize,
    /// The folder of the comparison.
    pub folder: PathBuf,
}

/// One model to train, and the encodings to evaluate it with.
pub(super) struct Cell<'p> {
    pub name: String,
    pub config: RunConfig,
    pub variants: Vec<&'p PositionSpec>,
}

impl Plan {
    /// Plans one model per encoding in `specs` (see [`PositionSpec`]; duplicates are dropped), on the CPU, with
    /// one job per processor.
    ///
    /// # Errors
    /// [`SpecError`] for a specification that cannot be parsed.
    pub fn new<S: AsRef<str>>(
        base: RunConfig,
        specs: &[S],
        lengths: Lengths,
        folder: impl Into<PathBuf>,
    ) -> Result<Self, SpecError> {
        let model = &base.model;
        let mut parsed: Vec<PositionSpec> = Vec::new();
        for spec in specs {
            let spec = PositionSpec::parse(spec.as_ref(), model.width, model.context)?;
            if !parsed.contains(&spec) {
                parsed.push(spec);
            }
        }
        let device = ChosenDevice::default();
        let (jobs, folder) = (device.jobs(), folder.into());
        Ok(Self { base, specs: parsed, seeds: 1, lengths, device, jobs, folder })
    }

    /// Returns the folder that the model of `spec` and `seed` is trained in.
    pub fn run_folder(&self, spec: &PositionSpec, seed: u64) -> PathBuf {
        self.cell_folder(&cell_name(spec, seed))
    }

    pub(super) fn cell_folder(&self, name: &str) -> PathBuf {
        self.folder.join("runs").join(name)
    }

    /// Returns the models of the plan. Encodings that differ only in evaluation share a model.
    pub(super) fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for seed in 0..self.seeds {
            for spec in &self.specs {
                let name = cell_name(spec, seed);
                if let Some(cell) = cells.iter_mut().find(|cell| cell.name == name) {
                    cell.variants.push(spec);
                    continue;
                }
                let mut config = self.base.clone();
                config.train.seed = seed;
                config.model.position = spec.trained;
                cells.push(Cell { name, config, variants: vec![spec] });
            }
        }
        cells
    }
}

fn cell_name(spec: &PositionSpec, seed: u64) -> String {
    format!("{}-seed{seed}", file_name(&spec.trained_label))
}

/// Returns `label` with `_` in place of characters that are not safe in a file name.
pub(super) fn file_name(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._=".contains(c) { c } else { '_' };
    label.chars().map(plain).collect()
}
