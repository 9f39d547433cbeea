//! The modules of a crate, the names each of them binds, and the paths it writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMacro, ItemMod, ItemUse, UseTree, VisRestricted, Visibility};

use crate::tokens;

/// A module of a crate: a file, or a `mod name { … }` inside one.
pub struct Module {
    /// Names from the crate root to this module; empty for the root.
    pub path: Vec<String>,
    /// The file relative to the crate's source folder, with `/` between names.
    pub file: String,
    /// Names of the items that the module defines, child modules excluded.
    pub items: Vec<String>,
    /// What each imported name stands for.
    pub bindings: BTreeMap<String, Vec<String>>,
    /// The names among `bindings` that the module re-exports.
    pub reexports: Vec<String>,
    /// Paths imported with `*`.
    pub globs: Vec<Vec<String>>,
    /// Every path in the module's code, and every import that is not a re-export.
    pub paths: Vec<Vec<String>>,
}

/// The modules of one crate by path.
pub type Modules = BTreeMap<Vec<String>, Module>;

/// Read a crate from its root file, following its `mod` declarations. Tests are left out: a unit test
/// may use every module.
pub fn read(root: &Path) -> Modules {
    let folder = root.parent().expect("the root file lies in a folder");
    let text = |file: &Path| {
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let mut modules = Modules::new();
    let mut open = vec![(Vec::new(), root.to_path_buf())];
    while let Some((path, file)) = open.pop() {
        let name = relative(folder, &file);
        let parsed = parse(&text(&file), &name);
        for child in add(&mut modules, path.clone(), &name, &parsed) {
            let found =
                candidates(root, &file, &path, &child).into_iter().find(|file| file.exists());
            let found =
                found.unwrap_or_else(|| panic!("{name}: no file for `mod {}`", child.join("::")));
            open.push((child, found));
        }
    }
    modules
}

/// Parse one file.
pub fn parse(text: &str, name: &str) -> File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn relative(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).expect("modules lie in the folder of the root file");
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The files in which the module `child`, declared in `file`, may be.
fn candidates(root: &Path, file: &Path, parent: &[String], child: &[String]) -> [PathBuf; 2] {
    let mut folder = file.parent().expect("a file lies in a folder").to_path_buf();
    if file != root && file.file_stem().is_some_and(|stem| stem != "mod") {
        folder.push(file.file_stem().expect("checked above"));
    }
    for name in &child[parent.len()..child.len() - 1] {
        folder.push(name);
    }
    let name = &child[child.len() - 1];
    [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]
}

/// Add the module `path` of a parsed file and the modules written inside it. Returns the modules that
/// it declares in other files.
pub fn add(modules: &mut Modules, path: Vec<String>, name: &str, file: &File) -> Vec<Vec<String>> {
    let mut elsewhere = Vec::new();
    let mut open = vec![(path, file.items.as_slice())];
    while let Some((path, items)) = open.pop() {
        let mut collector = Collector::new(&path, name);
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            collector.items(item);
            match item {
                Item::Mod(ItemMod { ident, content, .. }) => {
                    let mut child = path.clone();
                    child.push(ident.to_string());
                    match content {
                        Some((_, items)) => open.push((child, items)),
                        None => elsewhere.push(child),
                    }
                }
                item => collector.visit_item(item),
            }
        }
        modules.insert(path, collector.module);
    }
    elsewhere
}

/// Every path in a file, inline modules and tests included.
pub fn all_paths(file: &File) -> Vec<Vec<String>> {
    let mut collector = Collector::new(&[], "");
    collector.visit_file(file);
    let Module { paths, bindings, globs, .. } = collector.module;
    paths.into_iter().chain(bindings.into_values()).chain(globs).collect()
}

/// Whether an item is compiled only for tests.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|condition| condition == "test" || condition == "doctest")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

struct Collector {
    module: Module,
}

impl Collector {
    fn new(path: &[String], file: &str) -> Self {
        Self {
            module: Module {
                path: path.to_vec(),
                file: file.into(),
                items: Vec::new(),
                bindings: BTreeMap::new(),
                reexports: Vec::new(),
                globs: Vec::new(),
                paths: Vec::new(),
            },
        }
    }

    /// Record the name that `item` defines.
    fn items(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Macro(ItemMacro { ident: Some(ident), .. }) => ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.module.items.push(name.to_string());
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String], reexport: bool) {
        let join = |name: &dyn ToString| [prefix, &[name.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(tree) => return self.import(&tree.tree, &join(&tree.ident), reexport),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, prefix, reexport));
            }
            UseTree::Glob(_) => {
                if !reexport {
                    self.module.paths.push(prefix.to_vec());
                }
                return self.module.globs.push(prefix.to_vec());
            }
            UseTree::Name(tree) if tree.ident == "self" => {
                (prefix.last().cloned().unwrap_or_default(), prefix.to_vec())
            }
            UseTree::Name(tree) => (tree.ident.to_string(), join(&tree.ident)),
            UseTree::Rename(tree) if tree.ident == "self" => {
                (tree.rename.to_string(), prefix.to_vec())
            }
            UseTree::Rename(tree) => (tree.rename.to_string(), join(&tree.ident)),
        };
        if reexport {
            self.module.reexports.push(name.clone());
        } else {
            self.module.paths.push(path.clone());
        }
        self.module.bindings.insert(name, path);
    }
}

impl<'a> Visit<'a> for Collector {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let reexport = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, &[], reexport);
    }

    /// `pub(in path)` restricts a name; it imports nothing.
    fn visit_vis_restricted(&mut self, _: &'a VisRestricted) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.module.paths.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// What a macro makes of its input is unknown, so every path in it counts.
    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        tokens::paths(&call.tokens.to_string(), &mut self.module.paths);
    }
}
