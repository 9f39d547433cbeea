//! The kept vectors of `tests/golden`, which NumPy scripts beside them compute.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// The folder of the kept vectors and their scripts.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Read the kept vectors `name`.
///
/// # Panics
/// When they cannot be read or have another form: the test cannot run.
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = folder().join(name);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
