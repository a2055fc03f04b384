//! What rustc says of itself and of this machine.

use std::process::Command;

/// The value of one line of `rustc -vV`: `host`, `release`.
pub(crate) fn rustc(key: &str) -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .current_dir(crate::project::root())
        .output()
        .map_err(|error| format!("rustc -vV: {error}"))?;
    value(&String::from_utf8_lossy(&output.stdout), key)
        .ok_or_else(|| format!("rustc -vV names no {key}"))
}

fn value(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn rustc_says_what_it_is() {
        let text = "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(value(text, "host").as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(value(text, "hos"), None);
    }
}
