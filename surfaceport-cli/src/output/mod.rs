//! Where the frames go.

use crate::options::Options;

/// What shows the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Nothing does: they are held as a display would hold them.
    Headless,
}

/// The best output that there is, or the one that is asked for; and why it is
/// no better one.
pub(crate) fn choose(_options: &Options) -> anyhow::Result<(Output, Vec<String>)> {
    Ok((Output::Headless, Vec::new()))
}
