//! The table in the README that says which module may import which.

use std::collections::BTreeMap;

use crate::graph::Graph;

/// The table's rows of one package.
pub struct Package {
    /// The packages that it may import.
    pub packages: Vec<String>,
    /// The row of each of its modules, counted from the top.
    pub floors: BTreeMap<String, usize>,
}

/// Read the table under the heading "Architecture": package, packages that it imports, modules.
pub fn read(readme: &str) -> BTreeMap<String, Package> {
    let section = readme.split("\n## Architecture\n").nth(1).expect("the README has the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().skip_while(|line| !line.starts_with("| package "));
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for (row, line) in rows.skip(2).take_while(|line| line.starts_with('|')).enumerate() {
        let cells: Vec<Vec<String>> = line.split('|').skip(1).map(quoted).collect();
        let [name, imports, modules, ..] = cells.as_slice() else {
            panic!("too few cells: {line}")
        };
        let name = name.first().unwrap_or_else(|| panic!("no package: {line}"));
        let package = packages
            .entry(name.clone())
            .or_insert_with(|| Package { packages: imports.clone(), floors: BTreeMap::new() });
        assert_eq!(&package.packages, imports, "{name} has different imports: {line}");
        for module in modules {
            let twice = package.floors.insert(module.clone(), row);
            assert_eq!(twice, None, "{module} of {name} is in two rows");
        }
    }
    packages
}

/// The names in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The top-level module of a file: its folder, or its own name.
pub fn top_level(file: &str) -> &str {
    let name = file.split('/').next().unwrap_or(file);
    name.strip_suffix(".rs").unwrap_or(name)
}

impl Package {
    /// The imports that lead to a row below or to another module of the same row, and the modules that
    /// the table does not name, each with the files' imports. The crate's root imports from every module.
    pub fn violations(&self, files: &Graph) -> BTreeMap<String, Vec<String>> {
        let mut wrong = BTreeMap::new();
        for (file, targets) in files {
            let from = top_level(file);
            if from == "lib" {
                continue;
            }
            let Some(floor) = self.floors.get(from) else {
                wrong.insert(format!("{from} is not in the table"), Vec::new());
                continue;
            };
            for target in targets.iter().filter(|target| top_level(target) != from) {
                let to = top_level(target);
                if self.floors.get(to).is_none_or(|other| other >= floor) {
                    let imports: &mut Vec<_> = wrong.entry(format!("{from} -> {to}")).or_default();
                    imports.push(format!("{file} -> {target}"));
                }
            }
        }
        wrong
    }
}
