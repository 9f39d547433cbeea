//! Default training text: the sources of this program's dependencies, which exist wherever Cargo built it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{DataError, Source};

/// Dependencies whose sources are mostly hand-written code and comments rather than tables, in order of
/// preference.
const CRATES: [&str; 23] = [
    "dfdx",
    "rayon",
    "plotters",
    "tokenizers",
    "serde_json",
    "itertools",
    "clap_builder",
    "half",
    "indicatif",
    "toml_edit",
    "regex-automata",
    "regex",
    "rand",
    "aho-corasick",
    "walkdir",
    "tempfile",
    "memchr",
    "hashbrown",
    "smallvec",
    "rayon-core",
    "serde_core",
    "syn",
    "libm",
];

/// Largest size of the text, in bytes.
const MAX_BYTES: u64 = 6_000_000;

/// Finds Rust sources that Cargo unpacked to build this program.
///
/// Returns at most 6 MB from the `src` folders of a fixed list of dependencies. Uses the versions in the lock file
/// if it is available, otherwise the newest version found.
///
/// # Errors
/// [`DataError::NoDefaultSources`] if there are none, for example on a machine that has only the binary.
pub fn default_sources() -> Result<Vec<Source>, DataError> {
    let home = cargo_home();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let versions = fs::read_to_string(lock).map(|text| locked_versions(&text)).unwrap_or_default();
    let sources = sources_in(&home.join("registry/src"), &versions);
    if sources.is_empty() { Err(DataError::NoDefaultSources(home)) } else { Ok(sources) }
}

/// Returns `$CARGO_HOME` if it is set, otherwise `.cargo` in the home folder.
fn cargo_home() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default();
    set("CARGO_HOME").unwrap_or_else(|| home().join(".cargo"))
}

/// Reads the version of every package from a lock file. If there are several, the last one is returned.
fn locked_versions(lock: &str) -> BTreeMap<String, String> {
    let value = |line: &str, key: &str| -> Option<String> {
        Some(line.strip_prefix(key)?.trim().trim_matches('"').to_owned())
    };
    let mut versions = BTreeMap::new();
    let mut name = None;
    for line in lock.lines() {
        if let Some(found) = value(line, "name =") {
            name = Some(found);
        } else if let Some((name, version)) =
            value(line, "version =").and_then(|version| Some((name.take()?, version)))
        {
            versions.insert(name, version);
        }
    }
    versions
}

fn sources_in(registries: &Path, versions: &BTreeMap<String, String>) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut bytes = 0;
    for name in CRATES {
        let Some(folder) = crate_folder(registries, name, versions.get(name)) else { continue };
        for entry in WalkDir::new(folder.join("src")).sort_by_file_name().into_iter().flatten() {
            let rust = entry.path().extension().is_some_and(|extension| extension == "rs");
            let Ok(metadata) = entry.metadata() else { continue };
            if !rust || !metadata.is_file() || metadata.len() == 0 {
                continue;
            }
            if bytes + metadata.len() <= MAX_BYTES {
                bytes += metadata.len();
                sources.push(Source::Path(entry.into_path()));
            }
        }
    }
    sources
}

/// Finds the folder `NAME-VERSION` in one of the registries, or the newest version if `version` is `None` or
/// missing.
fn crate_folder(registries: &Path, name: &str, version: Option<&String>) -> Option<PathBuf> {
    let mut found: Vec<(Vec<u64>, PathBuf)> = Vec::new();
    for registry in WalkDir::new(registries).min_depth(1).max_depth(1).sort_by_file_name() {
        let Ok(registry) = registry else { continue };
        if let Some(version) = version {
            let folder = registry.path().join(format!("{name}-{version}"));
            if folder.is_dir() {
                return Some(folder);
            }
        }
        for entry in WalkDir::new(registry.path()).min_depth(1).max_depth(1).sort_by_file_name() {
            let Ok(entry) = entry else { continue };
            let folder = entry.file_name().to_string_lossy();
            let version = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            if let Some(numbers) = version.and_then(version_numbers) {
                found.push((numbers, entry.into_path()));
            }
        }
    }
    found.into_iter().max().map(|(_, folder)| folder)
}

/// Splits `1.2.3` into numbers. Returns `None` for a prerelease or for the rest of another crate's name.
fn version_numbers(version: &str) -> Option<Vec<u64>> {
    let (numbers, _build) = version.split_once('+').unwrap_or((version, ""));
    numbers.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(registry: &Path, name: &str, files: &[(&str, usize)]) {
        for (file, len) in files {
            let path = registry.join(name).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x".repeat(*len)).unwrap();
        }
    }

    fn names(sources: &[Source], root: &Path) -> Vec<String> {
        let name = |source: &Source| match source {
            Source::Path(path) => path.strip_prefix(root).unwrap().display().to_string(),
            Source::Rust | Source::Stories { .. } => panic!("{source}"),
        };
        sources.iter().map(name).collect()
    }

    #[test]
    fn uses_the_locked_version_or_else_the_newest() {
        let root = tempfile::tempdir().unwrap();
        let registry = root.path().join("index");
        unpack(&registry, "rayon-1.9.0", &[("src/lib.rs", 1)]);
        unpack(&registry, "rayon-1.10.0", &[("src/lib.rs", 1), ("build.rs", 1), ("src/a.md", 1)]);
        unpack(&registry, "rayon-core-1.99.0", &[("src/lib.rs", 1)]);
        let none = BTreeMap::new();
        assert_eq!(
            names(&sources_in(root.path(), &none), &registry),
            ["rayon-1.10.0/src/lib.rs", "rayon-core-1.99.0/src/lib.rs"]
        );
        let lock = "[[package]]\nname = \"rayon\"\nversion = \"1.9.0\"\nsource = \"x\"\n";
        assert_eq!(
            names(&sources_in(root.path(), &locked_versions(lock)), &registry),
            ["rayon-1.9.0/src/lib.rs", "rayon-core-1.99.0/src/lib.rs"]
        );
    }

    #[test]
    fn total_size_is_limited() {
        let root = tempfile::tempdir().unwrap();
        let half = MAX_BYTES as usize / 2;
        let files = [("src/a.rs", half), ("src/b.rs", half), ("src/c.rs", half), ("src/d.rs", 0)];
        unpack(&root.path().join("index"), "rayon-1.9.0", &files);
        assert_eq!(sources_in(root.path(), &BTreeMap::new()).len(), 2);
    }

    #[test]
    fn a_missing_registry_has_no_sources() {
        assert!(sources_in(Path::new("/nonexistent"), &BTreeMap::new()).is_empty());
    }
}
