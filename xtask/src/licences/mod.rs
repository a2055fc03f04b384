//! `cargo xtask licences`: every package that a build can pull in has a licence
//! that `deny.toml` allows.

mod spdx;

use std::collections::BTreeMap;

use crate::project::{self, Checked, Verdict};

/// Checks the workspace, and what has a lock file of its own: `fuzz/`, and `peers/`,
/// which CI does not build. A lock file that is broken or old is found, too.
pub(crate) fn run() -> Checked {
    let root = project::root();
    let text = std::fs::read_to_string(root.join("deny.toml"))
        .map_err(|error| format!("deny.toml: {error}"))?;
    let allowed = allowed(&text)?;
    let mut packages = BTreeMap::new();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml", "peers/Cargo.toml"] {
        let manifest = root.join(manifest);
        if manifest.exists() {
            read(&project::metadata(&manifest, &["--locked"])?, &mut packages)?;
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused = 0;
    for (package, licence) in &packages {
        match judge(licence.as_deref(), &allowed) {
            Ok(licence) => *counts.entry(licence).or_default() += 1,
            Err(why) => {
                refused += 1;
                println!("{package}: {}: {why}", licence.as_deref().unwrap_or("no licence"));
            }
        }
    }
    for (licence, count) in counts {
        println!("{count:>5}  {licence}");
    }
    if packages.is_empty() {
        return Err("cargo metadata names no packages".to_owned());
    }
    if refused > 0 {
        return Err(format!("{refused} of {} packages are refused", packages.len()));
    }
    Ok(Verdict::passed(format!("{} packages", packages.len())))
}

/// The list in `deny.toml`, which stands nowhere else.
fn allowed(text: &str) -> Result<Vec<String>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
    let list = table
        .get("licenses")
        .and_then(|licenses| licenses.get("allow"))
        .and_then(toml::Value::as_array)
        .ok_or("deny.toml has no [licenses] allow")?;
    list.iter()
        .map(|one| one.as_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .filter(|list| !list.is_empty())
        .ok_or_else(|| "deny.toml: [licenses] allow is no list of names".to_owned())
}

/// Adds the packages of one `cargo metadata`, each with its licence.
fn read(
    metadata: &serde_json::Value,
    packages: &mut BTreeMap<String, Option<String>>,
) -> Result<(), String> {
    let list = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    for package in list {
        let (Some(name), Some(version)) = (package["name"].as_str(), package["version"].as_str())
        else {
            return Err("cargo metadata names a package without name or version".to_owned());
        };
        let licence = package["license"].as_str().map(str::to_owned);
        packages.insert(format!("{name} {version}"), licence);
    }
    Ok(())
}

fn judge<'a>(licence: Option<&'a str>, allowed: &[String]) -> Result<&'a str, String> {
    let licence = licence.ok_or("its manifest names none")?;
    spdx::permits(licence, allowed).map(|()| licence)
}

#[cfg(test)]
mod tests {
    use super::{allowed, judge, read};
    use std::collections::BTreeMap;

    #[test]
    fn the_list_stands_in_deny_toml() {
        let text = include_str!("../../../deny.toml");
        let list = allowed(text).expect("a list");
        assert!(list.iter().any(|one| one == "MIT"), "{list:?}");
        assert!(allowed("").is_err());
        assert!(allowed("[licenses]\nallow = []").is_err());
        assert!(allowed("[licenses]\nallow = [1]").is_err());
    }

    #[test]
    fn a_package_without_a_licence_is_refused() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "version": "1.0.0", "license": "MIT"},
            {"name": "b", "version": "2.0.0", "license": null, "license_file": "LICENSE"},
        ]});
        let mut packages = BTreeMap::new();
        read(&metadata, &mut packages).expect("readable");
        let allowed = ["MIT".to_owned()];
        assert_eq!(judge(packages["a 1.0.0"].as_deref(), &allowed), Ok("MIT"));
        assert!(judge(packages["b 2.0.0"].as_deref(), &allowed).is_err());
        assert!(judge(Some("Zlib"), &allowed).is_err());
        assert!(read(&serde_json::json!({}), &mut packages).is_err());
    }
}
