//! What `demo` and `host` have in common.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use surfaceport::Size;

/// Where and how to show a child's frames.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    /// The picture's size in pixels, all panes together.
    #[arg(long, value_name = "WxH", default_value = "640x480")]
    pub(crate) size: Size,
    /// How many children, each in a pane of its own.
    #[arg(long, value_name = "CxR", default_value = "1x1")]
    pub(crate) panes: Grid,
    /// Frames a second; 0 is as many as come. A window goes by its display.
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = frame_rate)]
    pub(crate) fps: f64,
    /// End after so many presented frames of each child.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) frames: Option<u64>,
    /// End after so long: 500ms, 10s, 2m.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Kill the child every so often; it is started again.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) kill_child_every: Option<Duration>,
    /// Check every frame: whole, of the right child, in its place.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Keep the children from the system: no files, no sockets, no processes.
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Print the account as one line of JSON, last on stdout.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what is shown: the last frame (.png), all frames (.apng), or their
    /// pixels (.raw).
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// Where the frames go; the best that there is, if not said.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct OutputOptions {
    /// Show the frames in a window.
    #[arg(long)]
    pub(crate) window: bool,
    /// Show the frames in the terminal.
    #[arg(long)]
    pub(crate) terminal: bool,
    /// Show nothing: hold the frames as a display would, and count them.
    #[arg(long)]
    pub(crate) headless: bool,
}

/// Panes side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
}

impl Grid {
    /// Each pane is a process with half a dozen handles.
    const MOST: u32 = 64;

    pub(crate) fn count(self) -> usize {
        self.columns as usize * self.rows as usize
    }
}

impl FromStr for Grid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (columns, rows) = text.split_once('x').ok_or("write columns x rows, as in 2x1")?;
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
        let grid = Self { columns: number(columns)?, rows: number(rows)? };
        match grid.columns.checked_mul(grid.rows) {
            Some(1..=Self::MOST) => Ok(grid),
            _ => Err(format!("1 to {} panes are possible", Self::MOST)),
        }
    }
}

impl std::fmt::Display for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}

impl Options {
    /// One pane's share of the whole.
    pub(crate) fn pane_size(&self) -> Size {
        let share = |whole: u32, parts: u32| (whole / parts).max(1);
        Size::new(
            share(self.size.width, self.panes.columns),
            share(self.size.height, self.panes.rows),
        )
    }
}

fn frame_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=10_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0 (as many as come) to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_columns_by_rows() {
        assert_eq!("3x2".parse(), Ok(Grid { columns: 3, rows: 2 }));
        for bad in ["", "3", "0x1", "x", "3x", "9x9", "-1x2", "65536x65536"] {
            assert!(bad.parse::<Grid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn frame_rates_are_numbers_that_can_be_kept() {
        assert_eq!(frame_rate("0"), Ok(0.0));
        assert_eq!(frame_rate("59.94"), Ok(59.94));
        for bad in ["-1", "nan", "inf", "1e9", "fast"] {
            assert!(frame_rate(bad).is_err(), "{bad}");
        }
    }
}
