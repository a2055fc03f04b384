//! `cargo xtask layers`: who may import whom, and where `unsafe`, `cfg` of the
//! platform and atomics may stand.

mod cfg;
mod rules;
mod scan;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use crate::project::{self, Checked, Verdict};

/// Checks the whole project.
pub(crate) fn run() -> Checked {
    let root = project::root();
    let mut files = tree::Files::new();
    collect(&root, &root, &mut files)?;
    let result = rules::check(&files, &dependencies()?);
    for one in &result.findings {
        println!("{}:{}: {} [{}]", one.file, one.line, one.what, one.rule);
    }
    for file in &result.unused {
        println!("note: {file} may use `unsafe` and does not");
    }
    let seen = format!(
        "{} files of the library, {} imports within it; {} other files",
        result.sources, result.imports, result.others
    );
    if !result.findings.is_empty() {
        return Err(format!("{} broken rules; {seen}", result.findings.len()));
    }
    if result.sources == 0 || result.imports == 0 || result.others == 0 {
        return Err(format!("there was nothing to check: {seen}"));
    }
    Ok(Verdict::passed(seen))
}

/// Every Rust file below `folder`, by its path from the project's root.
fn collect(root: &Path, folder: &Path, files: &mut tree::Files) -> Result<(), String> {
    let unreadable = |error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, files)?;
            }
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let inside = path.strip_prefix(root).unwrap_or(&path);
            files.insert(inside.to_string_lossy().replace('\\', "/"), text);
        }
    }
    Ok(())
}

/// The library's dependencies, as code names them.
fn dependencies() -> Result<Vec<String>, String> {
    let metadata = project::metadata(&project::root().join("Cargo.toml"), &["--no-deps"])?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let library = packages
        .iter()
        .find(|package| package["name"] == "surfaceport")
        .ok_or("cargo metadata does not name surfaceport")?;
    let list = library["dependencies"].as_array().into_iter().flatten();
    Ok(list
        .filter(|one| one["kind"].is_null())
        .filter_map(|one| one["rename"].as_str().or(one["name"].as_str()))
        .map(|name| name.replace('-', "_"))
        .collect())
}
