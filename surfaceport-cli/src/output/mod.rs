//! Where the frames go.

mod keys;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "macos")]
mod probe_macos;
pub(crate) mod record;
pub(crate) mod terminal;
#[cfg(target_os = "linux")]
mod toolkit;
#[cfg(target_os = "macos")]
mod toolkit_macos;
pub(crate) mod window;

use anyhow::bail;

use crate::options::{Options, OutputOptions};
pub(crate) use probe::{Display, display as probe_display};
#[cfg(target_os = "macos")]
use probe_macos as probe;
#[cfg(target_os = "macos")]
use toolkit_macos as toolkit;

/// What shows the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A window of its own.
    Window(Display),
    /// The terminal that the program was started in.
    Terminal,
    /// Nothing does: they are held as a display would hold them.
    Headless,
}

/// The best output that there is, or the one that is asked for; and why it is
/// no better one.
pub(crate) fn choose(options: &Options) -> anyhow::Result<(Output, Vec<String>)> {
    let OutputOptions { window, terminal, headless } = options.output;
    let mut reasons = Vec::new();
    if headless {
        return Ok((Output::Headless, reasons));
    }
    if !terminal {
        let (display, why) = probe::display();
        match display {
            Some(display) => return Ok((Output::Window(display), why)),
            None if window => bail!("there can be no window: {}", why.join("; ")),
            None => reasons.push(format!("no window: {}", why.join("; "))),
        }
    }
    match terminal::check() {
        Ok(()) => return Ok((Output::Terminal, reasons)),
        Err(why) if terminal => bail!("can't show frames in the terminal: {why}"),
        Err(why) => reasons.push(format!("not in the terminal: {why}")),
    }
    Ok((Output::Headless, reasons))
}
