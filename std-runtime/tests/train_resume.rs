//! Training that is stopped and resumed, and training that must not start.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dfdx::tensor::Cpu;
use expe_runtime::config::{DataConfig, RunConfig, TokenizerKind, TrainConfig, position};
use expe_runtime::data::{Corpus, Dataset, Source, Tokenizer};
use expe_runtime::train::{
    CONFIG_FILE, Ending, METRICS_FILE, MODEL_FILE, Outcome, RunLock, TRAINER_FILE, TrainError,
    Workers, load_model, run, validation_loss,
};

fn config(name: &str) -> RunConfig {
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
        model: expe_core::model::Config {
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

fn dataset(seed: u64) -> Dataset {
    let corpus = Corpus::open(&[Source::Stories { seed, bytes: 4_000 }]).unwrap();
    Dataset::encode(&corpus, &Tokenizer::Byte).unwrap()
}

/// Train, and ask to stop after step `until`.
fn train(
    config: &RunConfig,
    folder: &Path,
    resume: bool,
    until: u64,
) -> Result<Outcome, TrainError> {
    let stop = AtomicBool::new(false);
    run(&Cpu::default(), config, &dataset(1), folder, resume, &stop, &mut |now| {
        if now.step >= until {
            stop.store(true, Ordering::Relaxed);
        }
    })
}

const FILES: [&str; 4] = [CONFIG_FILE, MODEL_FILE, TRAINER_FILE, METRICS_FILE];

fn contents(folder: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

#[test]
fn stopped_and_resumed_training_ends_with_the_same_bytes() {
    for name in ["expe", "learned"] {
        let config = config(name);
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let outcome = train(&config, whole.path(), false, u64::MAX).unwrap();
        assert_eq!((outcome.ending, outcome.step), (Ending::Finished, 11));
        // On a validation step, off one, twice without progress in between, then to the end.
        for until in [4, 6, 6, 9] {
            let outcome = train(&config, parts.path(), true, until).unwrap();
            assert_eq!(outcome.ending, Ending::Interrupted);
        }
        train(&config, parts.path(), true, u64::MAX).unwrap();
        assert_eq!(contents(whole.path()), contents(parts.path()), "{name}");
    }
}

#[test]
fn a_checkpoint_cut_off_between_two_files_is_put_right() {
    let config = config("expe");
    let folder = tempfile::tempdir().unwrap();
    train(&config, folder.path(), false, 4).unwrap();
    let early = contents(folder.path());
    train(&config, folder.path(), true, u64::MAX).unwrap();
    let late = contents(folder.path());
    // Killed after the new metrics and trainer were in place and before the model was.
    fs::write(folder.path().join(MODEL_FILE), &early[1]).unwrap();
    train(&config, folder.path(), true, u64::MAX).unwrap();
    assert_eq!(contents(folder.path()), late);
    // Killed after the new metrics were in place and before trainer and model were.
    fs::write(folder.path().join(MODEL_FILE), &early[1]).unwrap();
    fs::write(folder.path().join(TRAINER_FILE), &early[2]).unwrap();
    train(&config, folder.path(), true, u64::MAX).unwrap();
    assert_eq!(contents(folder.path()), late);
}

#[test]
fn two_trainings_in_two_threads_do_not_touch_each_other() {
    let config = config("exqpe");
    let alone = tempfile::tempdir().unwrap();
    train(&config, alone.path(), false, u64::MAX).unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    std::thread::scope(|scope| {
        for (threads, folder) in [1, 3].into_iter().zip(&folders) {
            let config = &config;
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| train(config, folder.path(), false, u64::MAX).unwrap());
            });
        }
    });
    for folder in &folders {
        assert_eq!(contents(alone.path()), contents(folder.path()));
    }
}

#[test]
fn the_best_model_is_the_one_that_is_kept() {
    let config = config("rope");
    let folder = tempfile::tempdir().unwrap();
    let outcome = train(&config, folder.path(), false, u64::MAX).unwrap();
    let best = outcome.best.unwrap();
    let (stored, model) = load_model(folder.path(), &Cpu::default()).unwrap();
    assert_eq!(stored, config);
    let sites = model.sites(config.model.context).unwrap();
    let data = dataset(1);
    let workers = Workers::new(1).unwrap();
    let loss = validation_loss(&model, &sites, data.validation(), 64, 1, &workers).unwrap();
    assert_eq!(loss, best.loss);
}

#[test]
fn what_must_not_start_does_not() {
    let config = config("expe");
    let folder = tempfile::tempdir().unwrap();
    train(&config, folder.path(), false, 4).unwrap();
    let before = contents(folder.path());

    let again = train(&config, folder.path(), false, u64::MAX);
    assert!(matches!(again, Err(TrainError::Exists { .. })));

    let mut other = config.clone();
    other.train.batch = 3;
    match train(&other, folder.path(), true, u64::MAX) {
        Err(TrainError::ConfigChanged { stored, given, .. }) => {
            assert_eq!((stored.as_str(), given.as_str()), ("batch = 2", "batch = 3"));
        }
        other => panic!("{other:?}"),
    }

    let stop = AtomicBool::new(false);
    let (device, text) = (Cpu::default(), dataset(2));
    let changed = run(&device, &config, &text, folder.path(), true, &stop, &mut |_| ());
    assert!(matches!(changed, Err(TrainError::DataChanged { .. })));

    let lock = RunLock::acquire(folder.path()).unwrap();
    let locked = train(&config, folder.path(), true, u64::MAX);
    assert!(matches!(locked, Err(TrainError::Locked { .. })));
    drop(lock);

    assert_eq!(contents(folder.path()), before);
}

#[test]
fn damaged_checkpoints_are_errors() {
    let config = config("expe");
    let folder = tempfile::tempdir().unwrap();
    train(&config, folder.path(), false, 4).unwrap();
    let path = folder.path().join(TRAINER_FILE);
    let good = fs::read(&path).unwrap();
    for length in [0, 7, 8, 100, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = train(&config, folder.path(), true, u64::MAX).unwrap_err();
        assert!(error.to_string().contains(TRAINER_FILE), "{error}");
    }
    // The last tensor's last number becomes a NaN.
    let mut damaged = good.clone();
    let end = damaged.len() - 4;
    damaged[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, damaged).unwrap();
    let error = train(&config, folder.path(), true, u64::MAX).unwrap_err();
    assert!(matches!(error, TrainError::File { .. }), "{error:?}");
}

#[test]
fn a_loss_that_is_no_number_stops_training() {
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
