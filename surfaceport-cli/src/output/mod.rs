//! Where the frames go.

mod keys;
mod probe;
mod wake;
pub(crate) mod window;

use anyhow::bail;

use crate::options::{Options, OutputOptions};
pub(crate) use probe::{Display, display as probe_display};

/// What shows the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A window of its own.
    Window(Display),
    /// Nothing does: they are held as a display would hold them.
    Headless,
}

/// The best output that there is, or the one that is asked for; and why it is
/// no better one.
pub(crate) fn choose(options: &Options) -> anyhow::Result<(Output, Vec<String>)> {
    let OutputOptions { window, headless, .. } = options.output;
    if headless {
        return Ok((Output::Headless, Vec::new()));
    }
    let (display, mut reasons) = probe::display();
    if let Some(display) = display {
        return Ok((Output::Window(display), reasons));
    }
    if window {
        bail!("there can be no window: {}", reasons.join("; "));
    }
    reasons.insert(0, "no window".to_owned());
    Ok((Output::Headless, vec![reasons.join(": ")]))
}
