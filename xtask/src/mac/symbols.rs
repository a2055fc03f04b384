//! Every symbol that the project declares by hand must be in a list of Apple's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

use crate::project;

/// Where such declarations may stand.
const SOURCES: [&str; 4] = [
    "surfaceport/src/sys/macos",
    "surfaceport/src/os/macos",
    "surfaceport/src/pane",
    "surfaceport-cli/src",
];

/// Holds them against the lists; how many there are.
pub(super) fn check(sdk: &Path) -> Result<usize, String> {
    let mut known = BTreeSet::new();
    for file in files(sdk, "tbd")? {
        known.extend(exported(&read(&file)?));
    }
    let mut declared = Vec::new();
    for source in SOURCES {
        for file in files(&project::root().join(source), "rs")? {
            let text = read(&file)?;
            let names = declarations(&text).map_err(|why| format!("{}: {why}", file.display()))?;
            declared.extend(names.into_iter().map(|name| (file.clone(), name)));
        }
    }
    let unknown: Vec<String> = declared
        .iter()
        .filter(|(_, name)| !known.contains(name))
        .map(|(file, name)| format!("{}: {name} is in no library", file.display()))
        .collect();
    if unknown.is_empty() { Ok(declared.len()) } else { Err(unknown.join("; ")) }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The files below a folder that end so; none where there is no folder.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The symbols of a text-based stub library, without C's underscore.
fn exported(tbd: &str) -> impl Iterator<Item = String> {
    let words = tbd.split(|letter: char| letter.is_whitespace() || ",[]'\"".contains(letter));
    words.filter_map(|word| word.strip_prefix('_')).map(str::to_owned)
}

/// The functions and statics in the `extern` blocks of a file.
fn declarations(text: &str) -> Result<Vec<String>, String> {
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    let mut found = Found(Vec::new());
    found.visit_file(&file);
    Ok(found.0)
}

struct Found(Vec<String>);

impl Visit<'_> for Found {
    fn visit_foreign_item(&mut self, item: &syn::ForeignItem) {
        let (name, attributes) = match item {
            syn::ForeignItem::Fn(one) => (&one.sig.ident, &one.attrs),
            syn::ForeignItem::Static(one) => (&one.ident, &one.attrs),
            _ => return,
        };
        let named = attributes.iter().find_map(|attribute| {
            let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
            let syn::Expr::Lit(value) = &pair.value else { return None };
            let syn::Lit::Str(text) = &value.lit else { return None };
            pair.path.is_ident("link_name").then(|| text.value())
        });
        self.0.push(named.unwrap_or_else(|| name.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::{declarations, exported};

    #[test]
    fn declarations_are_found() {
        let text = r#"
            unsafe extern "C" {
                fn mach_msg(buffer: *mut u8) -> i32;
                pub(crate) safe fn getpid() -> i32;
                #[link_name = "real$NAME"]
                static other: u32;
            }
            mod inner { unsafe extern "C-unwind" { fn deep(); } }
            fn not_this() {}
        "#;
        assert_eq!(
            declarations(text),
            Ok(["mach_msg", "getpid", "real$NAME", "deep"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn symbols_are_found() {
        let tbd =
            "exports:\n  - targets: [ arm64-macos ]\n    symbols: [ _a, '_b$X', __c,\n      _d ]\n";
        let found: Vec<String> = exported(tbd).collect();
        assert_eq!(found, ["a", "b$X", "_c", "d"]);
    }
}
