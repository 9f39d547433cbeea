//! The pages of the project: their code is the code that is compiled, and their links lead to files.

use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLE: &str = include_str!("../../core/examples/firmware.rs");

#[test]
fn firmware_examples_are_the_compiled_one() {
    let start = EXAMPLE.find("use expe_core").expect("the example has imports");
    let end = EXAMPLE.find("\nfn main()").expect("the example has a main function");
    let shown = EXAMPLE[start..end].trim_end();
    for (name, readme) in [
        ("README.md", include_str!("../../README.md")),
        ("core/README.md", include_str!("../../core/README.md")),
    ] {
        assert!(readme.contains(shown), "{name} shows other code than core/examples/firmware.rs");
    }
}

/// The Markdown files below `folder`, build folders left out.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project can be read") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The targets of the links in a page, without those in code blocks.
fn links(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    let targets = text.flat_map(|text| text.split("](").skip(1));
    targets.filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn links_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    pages(&root, &mut found);
    assert!(found.len() > 5, "{found:?}");
    let mut broken = Vec::new();
    for page in found {
        let text = fs::read_to_string(&page).expect("a page can be read");
        let folder = page.parent().expect("a page lies in a folder");
        let elsewhere = |link: &str| link.contains("://") || link.starts_with('#');
        for link in links(&text).into_iter().filter(|link| !elsewhere(link)) {
            let target = link.split('#').next().unwrap_or(link);
            if !folder.join(target).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn links_are_found_outside_of_code() {
    let page = "[a](one.md) ![b](two.svg)\n```rust\nlet x = a[0](three);\n```\n[c](https://d.e/f)";
    assert_eq!(links(page), ["one.md", "two.svg", "https://d.e/f"]);
}
