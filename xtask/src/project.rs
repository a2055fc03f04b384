//! Where things are, and what a check returns.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How a check ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ran. `not_run` are parts that could not, each with its cause.
    Passed { summary: String, not_run: Vec<String> },
    /// It could not run at all, and why.
    NotRun(String),
}

impl Verdict {
    /// All of it ran.
    pub(crate) fn passed(summary: impl Into<String>) -> Self {
        Self::Passed { summary: summary.into(), not_run: Vec::new() }
    }
}

/// What a check returns; an error says why it failed.
pub(crate) type Checked = Result<Verdict, String>;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The folder for what is built: a folder of its own for each `name`, so that
/// builds with other flags do not push each other out.
pub(crate) fn target(name: &str) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |given| root().join(given));
    base.join(name)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    // What `cargo run` has set for us is not for what we start.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// What `cargo metadata` says.
pub(crate) fn metadata(manifest: &Path, flags: &[&str]) -> Result<serde_json::Value, String> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .args(flags)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata for {}: {}", manifest.display(), text.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}
