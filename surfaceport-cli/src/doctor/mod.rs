//! `doctor`: what this machine can do, and what follows from it.

mod displays;
mod kernel;

use std::io::Write as _;

use serde::Serialize;

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
