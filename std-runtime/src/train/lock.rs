use std::fs::{self, File};
use std::io;
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::TrainError;

/// An exclusive lock on a run folder, held until it is dropped or the process ends, even if it is killed.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks `folder`, and creates it if it does not exist.
    ///
    /// # Errors
    /// [`TrainError::Locked`] while another process holds the lock, [`TrainError::Io`] for a folder that
    /// cannot be written to.
    pub fn acquire(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(".lock");
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot lock {}: {error}", path.display()))
        };
        fs::create_dir_all(folder).map_err(named)?;
        let file = File::options().create(true).append(true).open(&path).map_err(named)?;
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Locked { folder: folder.into() }),
            Err(TryLockError::Error(error)) => Err(named(error).into()),
        }
    }
}
