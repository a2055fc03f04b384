//! The library's module tree: which file is which module.

use std::collections::BTreeMap;

use super::scan::{only_for_tests, path_attributes};

/// Every Rust file of the project: its path from the project's root with `/`,
/// and its text.
pub(super) type Files = BTreeMap<String, String>;

/// One file of the library.
pub(super) struct Source {
    pub(super) file: String,
    /// Its module's path from the library's root; empty for `lib.rs`.
    pub(super) module: Vec<String>,
    /// Only tests compile it.
    pub(super) test: bool,
    pub(super) ast: syn::File,
}

/// A file that is named but not there, or that is no Rust.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) why: String,
}

/// Parses one file.
pub(super) fn parse(files: &Files, file: &str) -> Result<syn::File, Unreadable> {
    let text = files.get(file).ok_or_else(|| Unreadable {
        file: file.to_owned(),
        line: 1,
        why: "there is no such file".to_owned(),
    })?;
    syn::parse_file(text).map_err(|error| Unreadable {
        file: file.to_owned(),
        line: error.span().start().line,
        why: format!("is no Rust that can be read: {error}"),
    })
}

/// All files that the library compiles, from its root file on.
pub(super) fn walk(files: &Files, root: &str) -> Result<Vec<Source>, Unreadable> {
    let mut sources = Vec::new();
    let mut open = vec![(root.to_owned(), Vec::new(), false)];
    while let Some((file, module, test)) = open.pop() {
        let ast = parse(files, &file)?;
        let (parent, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let home = match name {
            "mod.rs" | "lib.rs" | "main.rs" => parent.to_owned(),
            _ => file.trim_end_matches(".rs").to_owned(),
        };
        children(files, &ast.items, &Place { parent, home, module: &module, test }, &mut open);
        sources.push(Source { file, module, test, ast });
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(sources)
}

struct Place<'a> {
    /// The folder of the file.
    parent: &'a str,
    /// The folder in which the modules declared here lie.
    home: String,
    module: &'a [String],
    test: bool,
}

fn children(
    files: &Files,
    items: &[syn::Item],
    place: &Place<'_>,
    open: &mut Vec<(String, Vec<String>, bool)>,
) {
    for item in items {
        let syn::Item::Mod(item) = item else { continue };
        let name = item.ident.to_string();
        let mut module = place.module.to_vec();
        module.push(name.clone());
        let test = place.test || only_for_tests(&item.attrs);
        if let Some((_, inner)) = &item.content {
            let home = format!("{}/{name}", place.home);
            let place = Place { parent: &home, home: home.clone(), module: &module, test };
            children(files, inner, &place, open);
            continue;
        }
        let paths = path_attributes(&item.attrs);
        for path in &paths {
            let file = normal(&format!("{}/{path}", place.parent));
            open.push((file, module.clone(), test));
        }
        if paths.is_empty() {
            let nested = format!("{}/{name}/mod.rs", place.home);
            let flat = format!("{}/{name}.rs", place.home);
            open.push((if files.contains_key(&nested) { nested } else { flat }, module, test));
        }
    }
}

/// Without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
