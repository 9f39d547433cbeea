//! Training in a run folder that is interrupted, resumed, killed, or diverges.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use expe::config::{DataConfig, RunConfig, TokenizerKind, TrainConfig, position};
use expe::data::{Corpus, Dataset, Source, Tokenizer};
use expe::train::{
    CONFIG_FILE, Ending, METRICS_FILE, MODEL_FILE, Outcome, TRAINER_FILE, TrainError, Workers,
    load_model, run, validation_loss,
};

use super::fast;

pub fn config(name: &str) -> RunConfig {
    let (width, context) = (16, 8);
    RunConfig {
        data: DataConfig { tokenizer: TokenizerKind::Byte },
        train: TrainConfig {
            seed: 3,
            accumulate: 2,
            dropout: 0.1,
            validate_every: 4,
            validation_tokens: 64,
            warmup: 3,
            ..TrainConfig::new(11, 2, 1e-2)
        },
        model: expe_core::Config {
            vocab: 256,
            width,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head_width: 8,
            hidden: 24,
            context,
            norm: Default::default(),
            epsilon: 1e-5,
            activation: Default::default(),
            tied_head: true,
            position: position(name, width).unwrap(),
        },
    }
}

pub fn dataset(seed: u64) -> Dataset {
    let corpus = Corpus::open(&[Source::Stories { seed, bytes: 4_000 }]).unwrap();
    Dataset::encode(&corpus, &Tokenizer::Byte).unwrap()
}

/// Trains, and requests a stop after step `until`.
pub fn train(
    config: &RunConfig,
    folder: &Path,
    resume: bool,
    until: u64,
) -> Result<Outcome, TrainError> {
    let stop = AtomicBool::new(false);
    run(&fast(), config, &dataset(1), folder, resume, &stop, &mut |now| {
        if now.step >= until {
            stop.store(true, Ordering::Relaxed);
        }
    })
}

const FILES: [&str; 4] = [CONFIG_FILE, MODEL_FILE, TRAINER_FILE, METRICS_FILE];

pub fn contents(folder: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

#[test]
fn resumed_training_ends_with_the_same_bytes() {
    for name in ["expe", "learned"] {
        let config = config(name);
        let [whole, again, parts] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        for folder in [&whole, &again] {
            let outcome = train(&config, folder.path(), false, u64::MAX).unwrap();
            assert_eq!((outcome.ending, outcome.step), (Ending::Finished, 11));
        }
        assert_eq!(contents(whole.path()), contents(again.path()), "{name}");
        // Interrupted at a validation step, between two validations, and without progress; then run to the end.
        for until in [4, 6, 6, 9] {
            let outcome = train(&config, parts.path(), true, until).unwrap();
            assert_eq!(outcome.ending, Ending::Interrupted);
        }
        train(&config, parts.path(), true, u64::MAX).unwrap();
        assert_eq!(contents(whole.path()), contents(parts.path()), "{name}");
    }
}

#[test]
fn a_checkpoint_interrupted_between_two_files_is_repaired() {
    let config = config("expe");
    let folder = tempfile::tempdir().unwrap();
    train(&config, folder.path(), false, 4).unwrap();
    let early = contents(folder.path());
    train(&config, folder.path(), true, u64::MAX).unwrap();
    let late = contents(folder.path());
    // Killed after metrics and trainer were replaced, before the model was.
    fs::write(folder.path().join(MODEL_FILE), &early[1]).unwrap();
    train(&config, folder.path(), true, u64::MAX).unwrap();
    assert_eq!(contents(folder.path()), late);
    // Killed after the metrics were replaced, before trainer and model were.
    fs::write(folder.path().join(MODEL_FILE), &early[1]).unwrap();
    fs::write(folder.path().join(TRAINER_FILE), &early[2]).unwrap();
    train(&config, folder.path(), true, u64::MAX).unwrap();
    assert_eq!(contents(folder.path()), late);
}

#[test]
fn the_model_with_the_lowest_validation_loss_is_kept() {
    let config = config("rope");
    let folder = tempfile::tempdir().unwrap();
    let outcome = train(&config, folder.path(), false, u64::MAX).unwrap();
    let best = outcome.best.unwrap();
    let (stored, model) = load_model(folder.path(), &fast()).unwrap();
    assert_eq!(stored, config);
    let sites = model.sites(config.model.context).unwrap();
    let data = dataset(1);
    let workers = Workers::new(1).unwrap();
    let loss = validation_loss(&model, &sites, data.validation(), 64, 1, &workers).unwrap();
    assert_eq!(loss, best.loss);
}

#[test]
fn a_loss_that_is_not_finite_stops_training() {
    let mut config = config("none");
    config.train.learning_rate = 1e30;
    config.train.warmup = 0;
    let folder = tempfile::tempdir().unwrap();
    let error = train(&config, folder.path(), false, u64::MAX).unwrap_err();
    match error {
        TrainError::NotFinite { step, .. } => assert!((1..11).contains(&step)),
        other => panic!("{other:?}"),
    }
}
