//! The proof of concept that this library comes from runs on macOS alone.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use crate::child::Drawing;
use crate::options::Options;

pub(crate) fn host(_options: &Options, program: &Path) -> anyhow::Result<ExitCode> {
    let program = program.display();
    bail!("--poc: {program} is a program for macOS; run this on a Mac")
}

pub(crate) fn draw(_options: &Options, _drawing: &Drawing) -> anyhow::Result<ExitCode> {
    bail!("--poc-parent: that parent is a program for macOS; run this on a Mac")
}
