//! The rules, over what the files say.

use std::collections::BTreeMap;

use super::scan::{Fact, Seen, scan, unsafe_lines};
use super::table::{
    ANY, FREE, IMPURE, PLATFORM, PLATFORM_WORDS, PURE_LAYER, Row, SYNC, TABLE, UNSAFE,
};
use super::tree::{Files, Source, Unreadable, parse, walk};

/// The library's folder.
const LIBRARY: &str = "surfaceport/src/";
const ROOT: &str = "surfaceport/src/lib.rs";
const OWN: &str = "surfaceport";
/// Not part of the product, so free to look everywhere.
const CHECKS: &str = "xtask/";

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) rule: &'static str,
    pub(super) what: String,
}

/// What the check has seen.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// Files of the library, imports of its own modules, other files.
    pub(super) sources: usize,
    pub(super) imports: usize,
    pub(super) others: usize,
    /// Lines of an allow-list that nothing uses.
    pub(super) unused: Vec<String>,
}

impl Report {
    fn find(&mut self, file: &str, line: usize, rule: &'static str, what: impl Into<String>) {
        self.findings.push(Finding { file: file.to_owned(), line, rule, what: what.into() });
    }

    fn unreadable(&mut self, one: Unreadable) {
        self.find(&one.file, one.line, "every file is read", one.why);
    }
}

/// Checks all files. `crates` are the library's dependencies, as code names them.
pub(super) fn check(files: &Files, crates: &[String]) -> Report {
    let mut result = Report::default();
    match walk(files, ROOT) {
        Ok(sources) => library(&mut result, files, &sources, crates),
        Err(error) => result.unreadable(error),
    }
    for file in files.keys().filter(|file| !file.starts_with(LIBRARY) && !file.starts_with(CHECKS))
    {
        result.others += 1;
        match parse(files, file) {
            Ok(ast) => public_only(&mut result, file, &scan(&ast, OWN, &[], false)),
            Err(error) => result.unreadable(error),
        }
    }
    unsafe_words(&mut result, files);
    result.findings.sort();
    result.findings.dedup();
    result
}

fn library(result: &mut Report, files: &Files, sources: &[Source], crates: &[String]) {
    result.sources = sources.len();
    for file in files.keys().filter(|file| file.starts_with(LIBRARY)) {
        if !sources.iter().any(|source| source.file == *file) {
            result.find(file, 1, "every file is checked", "no `mod` leads to this file");
        }
    }
    let scanned: Vec<(&Source, Vec<Seen>)> = sources
        .iter()
        .map(|source| (source, scan(&source.ast, OWN, &source.module, source.test)))
        .collect();
    let shown = re_exports(&scanned);
    for (source, seen) in &scanned {
        let owner = Owner::of(source);
        if let Owner::Unknown(name) = owner {
            if !source.test && source.module.len() == 1 {
                result.find(
                    &source.file,
                    1,
                    "import table",
                    format!("{name} has no line in the table (xtask/src/layers/table.rs)"),
                );
            }
            continue;
        }
        if let Owner::Row(row) = owner
            && row.layer == PURE_LAYER
            && source.module.len() == 1
            && !forbids_unsafe(&source.ast)
        {
            result.find(
                &source.file,
                1,
                "pure modules",
                "the module must begin with #![forbid(unsafe_code)]",
            );
        }
        for one in seen {
            fact(result, source, &owner, one, &shown, crates);
        }
    }
}

/// Whose line of the table a file falls under.
enum Owner<'a> {
    Row(&'static Row),
    Free,
    Unknown(&'a str),
}

impl<'a> Owner<'a> {
    fn of(source: &'a Source) -> Self {
        let Some(name) = source.module.first() else { return Self::Free };
        if FREE.contains(&name.as_str()) {
            return Self::Free;
        }
        row_of(name).map_or(Self::Unknown(name), Self::Row)
    }
}

fn row_of(module: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.modules.contains(&module))
}

/// What `lib.rs` shows at the library's root, and the module it comes from: so
/// that `crate::Session` counts as `session`.
fn re_exports(scanned: &[(&Source, Vec<Seen>)]) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for (_, seen) in scanned.iter().filter(|(source, _)| source.module.is_empty()) {
        for one in seen {
            if let Fact::Own(path) | Fact::Other(path) = &one.fact
                && let [module, .., name] = path.as_slice()
                && row_of(module).is_some()
            {
                shown.insert(name.clone(), module.clone());
            }
        }
    }
    shown
}

fn fact(
    result: &mut Report,
    source: &Source,
    owner: &Owner<'_>,
    seen: &Seen,
    shown: &BTreeMap<String, String>,
    crates: &[String],
) {
    let file = source.file.as_str();
    match &seen.fact {
        Fact::Own(path) if !seen.test => {
            if let Owner::Row(row) = owner {
                result.imports += 1;
                if let Some(what) = import(&source.module[0], row, path, shown) {
                    result.find(file, seen.line, "import table", what);
                }
            }
        }
        Fact::Other(path) => other_path(result, source, owner, seen, path, crates),
        Fact::Cfg(word, fenced) => {
            if PLATFORM_WORDS.contains(&word.as_str()) && !within(PLATFORM, file) {
                result.find(
                    file,
                    seen.line,
                    "platform",
                    format!("cfg({word}) may stand only in {}", PLATFORM.join(", ")),
                );
            }
            if word == "loom" && !(*fenced || seen.test || file == SYNC || file == ROOT) {
                result.find(
                    file,
                    seen.line,
                    "loom",
                    "cfg(loom) may stand only in sync.rs and on tests: the model check must \
                     cover the code that ships",
                );
            }
        }
        Fact::PathAttribute(path) if !file.starts_with("surfaceport/src/sys/") => {
            result.find(
                file,
                seen.line,
                "import table",
                format!("#[path = \"{path}\"] may stand only in sys/"),
            );
        }
        _ => {}
    }
}

/// Whether `module` may name this path of the library; if not, what is wrong.
fn import(
    module: &str,
    row: &Row,
    path: &[String],
    shown: &BTreeMap<String, String>,
) -> Option<String> {
    let Some(first) = path.first() else {
        return Some(format!("{module} imports the library's root itself: name the module"));
    };
    let (target, by) = match (row_of(first), shown.get(first)) {
        (Some(_), _) => (first.as_str(), String::new()),
        (None, Some(home)) => (home.as_str(), format!(" (by crate::{first})")),
        (None, None) => {
            return Some(format!("{module} imports crate::{first}: name the module it comes from"));
        }
    };
    let allowed = target == module
        || row.also.contains(&target)
        || row_of(target).is_some_and(|target| row.layers.contains(&target.layer));
    let layer = row_of(target).map_or(0, |row| row.layer);
    (!allowed).then(|| {
        format!(
            "{module} (layer {}) imports {target} (layer {layer}){by}; it may import {}",
            row.layer,
            may(row),
        )
    })
}

fn may(row: &Row) -> String {
    let layers: Vec<String> = row.layers.iter().map(|layer| format!("layer {layer}")).collect();
    let also = row.also.iter().map(|one| (*one).to_owned());
    layers.into_iter().chain(also).collect::<Vec<_>>().join(", ")
}

/// A path that is not the library's own: std's, or a dependency's.
fn other_path(
    result: &mut Report,
    source: &Source,
    owner: &Owner<'_>,
    seen: &Seen,
    path: &[String],
    crates: &[String],
) {
    let (file, line) = (source.file.as_str(), seen.line);
    let written = path.join("::");
    let first = path.first().map_or("", String::as_str);
    if first == "loom" && file != SYNC && !seen.test {
        result.find(file, line, "loom", format!("{written}: loom is named only in sync.rs"));
    }
    if seen.test {
        return;
    }
    let atomics = path.windows(2).any(|pair| pair == ["sync", "atomic"]) || first == "atomic";
    let std = matches!(first, "std" | "core" | "alloc");
    let rest: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
    let by_glob = std && matches!(rest.as_slice(), ["*"] | ["sync", "*"]);
    if (atomics || by_glob) && file != SYNC {
        result.find(file, line, "atomics", format!("{written}: use crate::sync"));
    }
    let Owner::Row(row) = owner else { return };
    let dependency = crates.iter().any(|one| one == first) && first != "loom";
    if dependency && row.crates != ANY && !row.crates.contains(&first) {
        result.find(
            file,
            line,
            "import table",
            format!("{} may not name the dependency {first} ({written})", source.module[0]),
        );
    }
    if row.layer == PURE_LAYER {
        let path = if first == "core" || first == "alloc" {
            [&["std".to_owned()], &path[1..]].concat()
        } else {
            path.to_vec()
        };
        let impure = IMPURE.iter().any(|bad| path.len() >= bad.len() && path[..bad.len()] == **bad);
        let clock = path.len() > 1 && path.last().is_some_and(|last| last == "now");
        if impure || clock {
            result.find(
                file,
                line,
                "pure modules",
                format!("{written}: no handle, no I/O and no clock in layer {PURE_LAYER}"),
            );
        }
    }
}

/// Command line, examples, benches, tests: the public API, no way round it.
fn public_only(result: &mut Report, file: &str, seen: &[Seen]) {
    for one in seen {
        match &one.fact {
            Fact::PathAttribute(path) => result.find(
                file,
                one.line,
                "public API only",
                format!("#[path = \"{path}\"]: no file is shared by its path"),
            ),
            Fact::Include(what) if what.contains("surfaceport/src") || what.contains("../src") => {
                result.find(
                    file,
                    one.line,
                    "public API only",
                    format!("includes the library's source: {what}"),
                );
            }
            _ => {}
        }
    }
}

fn unsafe_words(result: &mut Report, files: &Files) {
    let mut used = vec![false; UNSAFE.len()];
    for (file, text) in files {
        // What cannot be read has been reported.
        let Ok(tokens) = text.parse() else { continue };
        let lines = unsafe_lines(tokens);
        if lines.is_empty() {
            continue;
        }
        let mut allowed = false;
        for (entry, used) in UNSAFE.iter().zip(&mut used) {
            if within(&[entry.0], file) {
                allowed = true;
                *used = true;
            }
        }
        if !allowed {
            for line in lines {
                result.find(
                    file,
                    line,
                    "unsafe",
                    "this file is not on the list of those that may (UNSAFE in \
                     xtask/src/layers/table.rs)",
                );
            }
        }
    }
    result.unused =
        UNSAFE.iter().zip(&used).filter(|one| !one.1).map(|one| one.0.0.to_owned()).collect();
}

/// Whether a file is on a list of files and folders.
fn within(list: &[&str], file: &str) -> bool {
    list.iter().any(|one| if one.ends_with('/') { file.starts_with(one) } else { file == *one })
}

fn forbids_unsafe(ast: &syn::File) -> bool {
    ast.attrs.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("forbid") => {
            list.tokens.to_string().split(',').any(|lint| lint.trim() == "unsafe_code")
        }
        _ => false,
    })
}
