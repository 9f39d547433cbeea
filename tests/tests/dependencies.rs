//! Every dependency comes from crates.io under a license that `deny.toml` allows. `cargo deny check`
//! checks more, and is not installed everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

const DENY: &str = include_str!("../../deny.toml");

/// The strings of the list `allow` in `deny.toml`.
fn allowed() -> Vec<String> {
    let list = DENY.split("\nallow = [").nth(1).and_then(|rest| rest.split(']').next());
    list.expect("a list").split('"').skip(1).step_by(2).map(str::to_string).collect()
}

/// Whether an SPDX expression, or an older one with `/` for "or", can be met with `allowed` licenses.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let permitted = any(&mut words, allowed);
    permitted && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut permitted = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all(words, allowed);
    }
    permitted
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut permitted = license(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= license(words, allowed);
    }
    permitted
}

fn license(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let permitted = any(words, allowed);
        return words.next() == Some(")") && permitted;
    }
    let mut name = words.next().unwrap_or_default().to_string();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&name)
}

/// The targets that the project is built for. Packages for others are not downloaded.
const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "thumbv6m-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// The packages that the workspace in `folder` depends on.
fn packages(folder: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(TARGETS.iter().flat_map(|target| ["--filter-platform", target]))
        .current_dir(folder)
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

#[test]
fn dependencies_have_allowed_licenses_and_come_from_crates_io() {
    let allowed = allowed();
    for folder in ["", "embedded-demo", "embedded-demo/runner"] {
        let packages = packages(&root().join(folder));
        assert!(packages.len() > 10, "{folder}: {} packages", packages.len());
        for package in packages {
            let (name, license) = (&package["name"], package["license"].as_str());
            let license = license.unwrap_or_else(|| panic!("{name} names no license"));
            let exception = format!(r#"{{ allow = ["{license}"], crate = {name} }}"#);
            let permitted = permits(license, &allowed) || DENY.contains(&exception);
            assert!(permitted, "{name} has the license {license}");
            let source = package["source"].as_str();
            assert!(source.is_none_or(|source| source == CRATES_IO), "{name} is from {source:?}");
        }
    }
}

#[test]
fn license_expressions_are_evaluated() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"].map(str::to_string);
    for (expression, permitted) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND Zlib", true),
        ("(MIT AND GPL-3.0-only) OR Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT Zlib", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(permits(expression, &allowed), permitted, "{expression}");
    }
}
