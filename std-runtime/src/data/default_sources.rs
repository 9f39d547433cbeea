//! Text that exists wherever cargo built this program: the sources of its dependencies.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{DataError, Source};

/// Dependencies whose sources are hand-written prose and code rather than tables, in the order of their use.
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

/// Finds the Rust sources that cargo unpacked to build this program: at most 6 MB from `src/` of a fixed list
/// of dependencies, in the versions of the lock file if it is available, else in the newest version found.
///
/// # Errors
/// [`DataError::NoDefaultSources`] if there are none, as on a machine that has only the binary.
pub fn default_sources() -> Result<Vec<Source>, DataError> {
    let home = cargo_home();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let versions = fs::read_to_string(lock).map(|text| locked_versions(&text)).unwrap_or_default();
    let sources = sources_in(&home.join("registry/src"), &versions);
    if sources.is_empty() { Err(DataError::NoDefaultSources(home)) } else { Ok(sources) }
}

/// `$CARGO_HOME`, else `.cargo` in the home folder.
fn cargo_home() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default();
    set("CARGO_HOME").unwrap_or_else(|| home().join(".cargo"))
}

/// Read the version of every package from a lock file (the last one where there are several).
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

/// Find `NAME-VERSION` in one of the registries; without a version, the newest.
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

/// Split `1.2.3` into numbers; `None` for what is not a released version (or another crate's name).
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
    fn takes_the_locked_version_else_the_newest() {
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
    fn is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let half = MAX_BYTES as usize / 2;
        let files = [("src/a.rs", half), ("src/b.rs", half), ("src/c.rs", half), ("src/d.rs", 0)];
        unpack(&root.path().join("index"), "rayon-1.9.0", &files);
        assert_eq!(sources_in(root.path(), &BTreeMap::new()).len(), 2);
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(sources_in(Path::new("/nonexistent"), &BTreeMap::new()).is_empty());
    }
}
