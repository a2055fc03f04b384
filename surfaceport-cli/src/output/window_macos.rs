//! A window: none yet.

use super::Display;
use super::record;
use crate::run::{Job, Report};

/// Never called: there is no display.
pub(crate) fn drive(
    _job: &Job,
    display: Display,
    _recorder: Option<record::Shared>,
) -> anyhow::Result<Report> {
    match display {}
}
