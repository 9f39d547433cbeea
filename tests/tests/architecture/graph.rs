//! Which file imports from which, and the cycles among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Module, Modules};

/// For every file, the other files of its crate that it imports from.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// What a path leads to.
enum Target<'a> {
    Module(&'a Module),
    /// An item, in this file.
    Item(&'a str),
}

/// The imports between the files of a crate. A re-export is not an import: a path through it leads to
/// the file that defines the item.
pub fn files(modules: &Modules) -> Graph {
    let mut graph = Graph::new();
    for module in modules.values() {
        let targets = graph.entry(module.file.clone()).or_default();
        for path in &module.paths {
            let single = path.len() == 1 && !module.reexports.contains(&path[0]);
            if single || path.is_empty() {
                continue;
            }
            match resolve(modules, module, path, 0) {
                Some(Target::Item(file)) => targets.insert(file.into()),
                Some(Target::Module(module)) => targets.insert(module.file.clone()),
                None => false,
            };
        }
    }
    for (file, targets) in &mut graph {
        targets.remove(file);
    }
    graph
}

/// Follow a path from a module; `None` where it leaves the crate.
fn resolve<'a>(
    modules: &'a Modules,
    from: &'a Module,
    path: &[String],
    depth: usize,
) -> Option<Target<'a>> {
    if depth > 16 {
        return None;
    }
    let mut module = from;
    let mut rest = path;
    while let [first, after @ ..] = rest {
        module = match first.as_str() {
            "crate" => &modules[&Vec::new()],
            "self" => module,
            "super" => &modules[&module.path[..module.path.len().checked_sub(1)?].to_vec()],
            _ => break,
        };
        rest = after;
    }
    let anchored = rest.len() < path.len();
    for (at, name) in rest.iter().enumerate() {
        let is_last = at + 1 == rest.len();
        match lookup(modules, module, name, is_last, depth) {
            Some(Target::Module(next)) => module = next,
            Some(item) => return Some(item),
            None if at == 0 && !anchored => return None,
            None => return Some(Target::Item(&module.file)),
        }
    }
    Some(Target::Module(module))
}

/// What a name means in a module.
fn lookup<'a>(
    modules: &'a Modules,
    module: &'a Module,
    name: &str,
    is_last: bool,
    depth: usize,
) -> Option<Target<'a>> {
    let child = modules.get(&[module.path.as_slice(), &[name.to_string()]].concat());
    let defined = module.items.iter().any(|item| item == name);
    if defined && (is_last || child.is_none()) {
        return Some(Target::Item(&module.file));
    }
    if let Some(child) = child {
        return Some(Target::Module(child));
    }
    if let Some(path) = module.bindings.get(name) {
        return resolve(modules, module, path, depth + 1);
    }
    module.globs.iter().find_map(|path| match resolve(modules, module, path, depth + 1)? {
        Target::Module(target) if target.path != module.path => {
            lookup(modules, target, name, is_last, depth + 1)
        }
        _ => None,
    })
}

/// The imports between sibling folders, from those between files.
pub fn folders(files: &Graph) -> Graph {
    let mut graph = Graph::new();
    for (from, targets) in files {
        for to in targets {
            if let Some((from, to)) = siblings(from, to) {
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    graph
}

/// The two folders in one folder that hold the two files; `None` if one of them lies there itself.
fn siblings(one: &str, other: &str) -> Option<(String, String)> {
    let (one, other) = (one.split('/').collect::<Vec<_>>(), other.split('/').collect::<Vec<_>>());
    let common = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let folder = |path: &[&str]| (path.len() > common + 1).then(|| path[..=common].join("/"));
    Some((folder(&one)?, folder(&other)?))
}

/// The imports between two nodes that are `wanted`.
pub fn imports(graph: &Graph, wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let all = graph.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)));
    let wanted = all.filter(|(from, to)| wanted(from, to));
    wanted.map(|(from, to)| format!("{from} -> {to}")).collect()
}

/// The cycles of a graph: the largest sets of nodes each of which reaches all others of its set.
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|node| (node.as_str(), reachable(graph, node))).collect();
    let mut found = BTreeSet::new();
    for (node, reached) in &reach {
        if reached.contains(node) {
            let back = |other: &&&str| reach.get(**other).is_some_and(|from| from.contains(node));
            found.insert(reached.iter().filter(back).map(|name| name.to_string()).collect());
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = graph.get(from).into_iter().flatten().map(String::as_str).collect();
    while let Some(node) = open.pop() {
        if found.insert(node) {
            open.extend(graph.get(node).into_iter().flatten().map(String::as_str));
        }
    }
    found
}
