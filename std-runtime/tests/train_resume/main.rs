//! Training on the processor: the `cases` shared by all devices, and runs that must not start.

mod cases;

use std::fs;
use std::sync::atomic::AtomicBool;

use cases::{config, contents, dataset, train};
use dfdx::tensor::Cpu;
use expe::train::{RunLock, TRAINER_FILE, TrainError, run};

fn fast() -> Cpu {
    Cpu::default()
}

#[test]
fn concurrent_trainings_are_independent() {
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
fn invalid_runs_do_not_start() {
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
    // The last element of the last tensor becomes NaN.
    let mut damaged = good.clone();
    let end = damaged.len() - 4;
    damaged[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, damaged).unwrap();
    let error = train(&config, folder.path(), true, u64::MAX).unwrap_err();
    assert!(matches!(error, TrainError::File { .. }), "{error:?}");
}
