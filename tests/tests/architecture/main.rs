//! Imports go one way: between packages and between the modules of each, as the table in the README
//! says, and never in a cycle between folders or files. Unit tests may import anything.

mod graph;
mod source;
mod table;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;
use table::Package;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

fn table() -> BTreeMap<String, Package> {
    table::read(include_str!("../../../README.md"))
}

/// Every violation between the files of one crate, with the imports that cause it.
fn check(name: &str, package: &Package, files: &Graph) -> BTreeMap<String, Vec<String>> {
    let mut found = package.violations(files);
    for (kind, graph) in [("folders", &graph::folders(files)), ("files", files)] {
        for cycle in graph::cycles(graph) {
            let imports = graph::imports(graph, |from, to| {
                [from, to].iter().all(|node| cycle.iter().any(|inside| inside == node))
            });
            found.insert(format!("cycle of {kind}: {}", cycle.join(", ")), imports);
        }
    }
    found
        .into_iter()
        .map(|(violation, imports)| (format!("{name}: {violation}"), imports))
        .collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table = table();
    let mut found = BTreeMap::new();
    for (name, crate_root) in [
        ("core", "core/src/lib.rs"),
        ("std-runtime", "std-runtime/src/lib.rs"),
        ("std-runtime", "std-runtime/src/main.rs"),
    ] {
        let modules = source::read(&root().join(crate_root));
        found.extend(check(name, &table[name], &graph::files(&modules)));
    }
    for (name, package) in &table {
        let folder = root().join(name).join("src");
        let exists = |module: &str| {
            folder.join(module).is_dir() || folder.join(module).with_extension("rs").is_file()
        };
        let missing = package.floors.keys().filter(|module| !exists(module));
        found.extend(missing.map(|module| (format!("{name}: no module {module}"), Vec::new())));
    }
    assert!(found.is_empty(), "imports that the README's table forbids: {found:#?}");
}

/// The picture shows the modules of std-runtime and then those of core, each from the top down.
#[test]
fn the_picture_shows_the_modules_in_the_order_of_the_table() {
    let picture = include_str!("../../../std-runtime/docs/architecture.svg");
    let boxes = picture.split(r#"class="t">"#).skip(1).filter_map(|rest| rest.split('<').next());
    let names: Vec<&str> = boxes.flat_map(|title| title.split(", ")).collect();
    let table = table();
    let (upper, rest) = names.split_at(table["std-runtime"].floors.len());
    let (lower, _) = rest.split_at(table["core"].floors.len());
    for (package, names) in [("std-runtime", upper), ("core", lower)] {
        let floors = &table[package].floors;
        let rows: Vec<usize> = names.iter().filter_map(|name| floors.get(*name).copied()).collect();
        assert_eq!(rows.len(), names.len(), "the picture of {package} shows {names:?}");
        assert!(rows.is_sorted_by(|upper, lower| upper >= lower), "{package}: {names:?}");
    }
}

#[test]
fn packages_import_only_the_packages_of_the_table() {
    let crates =
        BTreeMap::from([("expe_core", "core"), ("expe", "std-runtime"), ("expe_tests", "tests")]);
    // Cargo itself rules out that `core` imports a package that depends on it.
    for (name, package) in table().into_iter().filter(|(name, _)| name != "core") {
        let mut open = vec![root().join(&name)];
        let mut seen = 0;
        while let Some(path) = open.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(&path).expect("a folder of the project can be read");
                let paths = entries.map(|entry| entry.expect("an entry can be read").path());
                open.extend(paths.filter(|path| !path.ends_with("target")));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                seen += 1;
                check_packages(&name, &package, &crates, &path);
            }
        }
        assert!(seen > 0, "no source file in {name}");
    }
}

fn check_packages(name: &str, package: &Package, crates: &BTreeMap<&str, &str>, file: &Path) {
    let text = fs::read_to_string(file).expect("a source file can be read");
    let parsed = source::parse(&text, &file.display().to_string());
    for path in source::all_paths(&parsed).into_iter().filter(|path| path.len() > 1) {
        let Some(imported) = path.first().and_then(|first| crates.get(first.as_str())) else {
            continue;
        };
        let allowed = *imported == name || package.packages.iter().any(|name| name == imported);
        assert!(allowed, "{}: {name} may not import {imported}", file.display());
    }
}

/// The imports between the files of a crate that is given as text.
fn planted(files: &[(&[&str], &str, &str)]) -> Graph {
    let mut modules = source::Modules::new();
    for (path, file, text) in files {
        let path = path.iter().map(|name| name.to_string()).collect();
        source::add(&mut modules, path, file, &source::parse(text, file));
    }
    graph::files(&modules)
}

fn violations(files: &Graph) -> Vec<String> {
    check("core", &table::read(TABLE)["core"], files).into_keys().collect()
}

const TABLE: &str = "
## Architecture

| package | imports | modules |
|---|---|---|
| `core` | | `low` |
| `core` | | `one`, `two` |
";

#[test]
fn an_import_that_goes_up_is_found_however_it_is_written() {
    for text in [
        "use crate::one::Thing;",
        "use crate::{one::{Thing, make}};",
        "use super::one as renamed;",
        "fn f() { crate::one::make(); }",
        "fn f(thing: &super::one::Thing) {}",
        "fn f() { use crate::one::*; }",
        "fn f() { assert!(crate::one::make() > 0); }",
        "mod inner { use super::super::one::Thing; }",
        "use crate::Thing;",
        "impl From<crate::Thing> for u8 {}",
    ] {
        let files = planted(&[
            (&[], "lib.rs", "mod low; mod one; pub use one::Thing;"),
            (&["low"], "low/mod.rs", text),
            (&["one"], "one.rs", "pub struct Thing; pub fn make() {}"),
        ]);
        assert_eq!(violations(&files), ["core: low -> one"], "{text}");
    }
}

#[test]
fn an_import_that_goes_down_and_a_unit_test_are_allowed() {
    let files = planted(&[
        (&[], "lib.rs", "mod low; mod one; pub use one::Thing;"),
        (&["low"], "low.rs", "pub fn f() {} #[cfg(test)] mod tests { use crate::one::Thing; }"),
        (&["one"], "one.rs", "use crate::low::f; pub(super) struct Thing; use core::fmt;"),
    ]);
    assert_eq!(violations(&files), [""; 0]);
}

#[test]
fn modules_of_one_row_and_modules_that_the_table_lacks_are_found() {
    let files = planted(&[
        (&[], "lib.rs", ""),
        (&["one"], "one.rs", "use crate::two::f;"),
        (&["two"], "two.rs", "pub fn f() {}"),
        (&["three"], "three.rs", ""),
    ]);
    assert_eq!(violations(&files), ["core: one -> two", "core: three is not in the table"]);
}

#[test]
fn cycles_between_files_and_between_folders_are_found() {
    let files = planted(&[
        (&[], "lib.rs", ""),
        (&["low"], "low/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use c::d::D;"),
        (&["low", "a"], "low/a.rs", "use super::b::B; pub struct A;"),
        (&["low", "b"], "low/b.rs", "pub struct B(super::A);"),
        (&["low", "c"], "low/c/mod.rs", "pub mod d; pub mod e;"),
        (&["low", "c", "d"], "low/c/d.rs", "use crate::low::f::g::G; pub struct D;"),
        (&["low", "c", "e"], "low/c/e.rs", "pub struct E;"),
        (&["low", "f"], "low/f/mod.rs", "pub mod g; mod h;"),
        (&["low", "f", "g"], "low/f/g.rs", "pub struct G;"),
        (&["low", "f", "h"], "low/f/h.rs", "use crate::low::c::e::E;"),
    ]);
    let expected =
        ["core: cycle of files: low/a.rs, low/b.rs", "core: cycle of folders: low/c, low/f"];
    assert_eq!(violations(&files), expected);
}
