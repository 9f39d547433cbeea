//! The golden vectors in `tests/golden`, computed by the NumPy scripts in the same folder.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// Returns the folder of the golden vectors and their scripts.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Reads the golden vectors in the file `name`.
///
/// # Panics
/// If the file cannot be read or does not have the expected structure.
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = folder().join(name);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
