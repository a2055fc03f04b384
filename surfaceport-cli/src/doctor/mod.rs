//! `doctor`: what this machine can do, and what follows from it.

#[cfg(target_os = "linux")]
mod displays;
#[cfg(target_os = "macos")]
mod displays_macos;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "macos")]
mod kernel_macos;

use std::io::Write as _;

use serde::Serialize;

use crate::output::{self, Display};
#[cfg(target_os = "macos")]
use {displays_macos as displays, kernel_macos as kernel};

/// `doctor`'s options.
#[derive(clap::Args)]
#[command(
    after_help = "A line starts with ✓ (there), ✗ (not there) or – (not known, or not needed)."
)]
pub(crate) struct DoctorOptions {
    /// Print the findings as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    topic: &'static str,
    /// `null`: not known, or no matter.
    there: Option<bool>,
    found: String,
    /// What follows from it.
    so: &'static str,
}

/// A finding by whether it is there, with what follows in either case.
fn finding(
    topic: &'static str,
    there: bool,
    found: impl Into<String>,
    (if_there, if_not): (&'static str, &'static str),
) -> Finding {
    let so = if there { if_there } else { if_not };
    Finding { topic, there: Some(there), found: found.into(), so }
}

/// Whether there can be a window.
fn window(best: Option<Display>, reasons: &[String]) -> Finding {
    let found = best.map_or_else(|| reasons.join("; "), |display| format!("{display:?}"));
    let so = ("`surfaceport demo` opens one", "`surfaceport demo` goes on without one");
    finding("window", best.is_some(), found, so)
}

/// What this terminal can show.
fn terminal() -> Finding {
    let so = ("`surfaceport demo --terminal` shows frames in it", "no frames can be shown in it");
    match output::terminal::graphics() {
        Ok(graphics) => finding("terminal", true, graphics, so),
        Err(why_not) => finding("terminal", false, why_not, so),
    }
}

/// Looks at everything and prints what it found.
pub(crate) fn run(options: &DoctorOptions) -> anyhow::Result<()> {
    let findings: Vec<_> = kernel::look().into_iter().chain(displays::look()).collect();
    let text = if options.json {
        serde_json::to_string(&findings)? + "\n"
    } else {
        findings.iter().map(Finding::line).collect()
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

impl Finding {
    fn line(&self) -> String {
        let mark = match self.there {
            Some(true) => '✓',
            Some(false) => '✗',
            None => '–',
        };
        format!("{mark} {:<22} {}\n  {:<22} → {}\n", self.topic, self.found, "", self.so)
    }
}
