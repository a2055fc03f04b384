//! A pane that is a part of a terminal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use surfaceport::{
    Applied, CopyReason, Error, Fit, Format, Lease, Outcome, Pane, PaneError, PaneStats, Scale,
    Size, Timestamp,
};

use super::graphics::Graphics;
use super::picture::{self, Blocks, Picture};
use super::screen::Screen;

/// Where a pane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    /// How often the terminal was cleared: what was there is gone.
    pub(super) cleared: u32,
    /// Its first cell: across, down.
    pub(super) at: (u32, u32),
    pub(super) cells: Size,
    /// A cell's pixels.
    pub(super) cell: Size,
    /// What the child is to draw.
    pub(super) pixels: Size,
}

/// Frames as pictures in a terminal, as often as it takes them.
pub(super) struct TerminalPane {
    screen: Rc<RefCell<Screen>>,
    graphics: Graphics,
    blocks: Blocks,
    /// Where it is to be, and where it was drawn last.
    area: Rc<Cell<Area>>,
    drawn: Area,
    period: Duration,
    next_tick: Timestamp,
    picture: Picture,
    out: String,
    on_display: Option<Lease>,
    stats: PaneStats,
}

impl TerminalPane {
    pub(super) fn new(
        screen: Rc<RefCell<Screen>>,
        graphics: Graphics,
        area: Rc<Cell<Area>>,
        fps: f64,
    ) -> Self {
        let true_color = matches!(graphics, Graphics::Blocks { true_color: true });
        Self {
            screen,
            graphics,
            blocks: Blocks::new(true_color),
            drawn: area.get(),
            area,
            // With 0 the terminal alone sets the pace.
            period: Duration::try_from_secs_f64(1.0 / fps).unwrap_or_default(),
            next_tick: Timestamp::now(),
            picture: Picture::default(),
            out: String::new(),
            on_display: None,
            stats: PaneStats::default(),
        }
    }

    /// Copies a frame as a picture.
    fn read(&mut self, lease: &Lease) -> Result<(), Error> {
        let view = lease.surface().view()?;
        let format = view.descriptor().format();
        let swapped = match format {
            Format::Bgra8 | Format::Bgrx8 => true,
            Format::Rgba8 => false,
            _ => return Err(PaneError::Format(format).into()),
        };
        let size = lease.size();
        self.picture.size = size;
        self.picture.pixels.clear();
        let mut row = vec![0; size.width as usize * 4];
        for y in 0..size.height {
            view.copy_row(y, &mut row);
            let pixels = row.as_chunks::<4>().0;
            // On black, premultiplied colours are what they are.
            let color = |[a, b, c, _]: &[u8; 4]| if swapped { [*c, *b, *a] } else { [*a, *b, *c] };
            self.picture.pixels.extend(pixels.iter().map(color));
        }
        Ok(())
    }

    /// Writes the picture to the terminal.
    fn write(&mut self) -> bool {
        let area = self.area.get();
        if std::mem::replace(&mut self.drawn, area) != area {
            self.blocks.forget();
        }
        let Area { at, cells, cell, .. } = area;
        self.out.clear();
        // All at once, where a terminal can.
        self.out.push_str("\x1b[?2026h");
        match self.graphics {
            Graphics::Blocks { .. } => {
                let picture = self.picture.scaled(Size::new(cells.width, cells.height * 2));
                self.blocks.write(&picture, at, &mut self.out);
            }
            Graphics::Kitty => {
                let number = at.1 * 1000 + at.0 + 1;
                picture::write_kitty(&self.picture, number, at, cells, &mut self.out);
            }
            Graphics::Sixel => {
                // Whole sixels, so that the last ones do not scroll the screen.
                let height = (cells.height * cell.height / 6 * 6).max(6);
                let size = Size::new(cells.width * cell.width, height);
                let picture = self.picture.scaled(size);
                if picture::write_sixel(&picture, at, &mut self.out).is_err() {
                    self.graphics = Graphics::Blocks { true_color: false };
                }
            }
        }
        self.out.push_str("\x1b[?2026l");
        self.screen.borrow_mut().write(self.out.as_bytes())
    }
}

impl Pane for TerminalPane {
    fn size(&self) -> Size {
        self.area.get().pixels
    }

    fn resize(&mut self, _size: Size, _scale: Scale, _fit: Fit) -> Result<Applied, Error> {
        // Its place is the terminal's matter; a picture of any size fills it.
        Ok(Applied::Now)
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        let begun = Timestamp::now();
        self.stats.presented += 1;
        self.stats.copy_reason = Some(CopyReason::Missing("a way to read surfaces: a terminal"));
        if let Err(error) = self.read(&lease) {
            lease.report(Outcome::Lost);
            self.stats.lost += 1;
            return Err(error);
        }
        if self.write() {
            lease.report(Outcome::Shown { at: Timestamp::now() });
            self.stats.shown += 1;
            self.stats.host_copies += 1;
        } else {
            // The loop finds out and ends.
            lease.report(Outcome::Lost);
            self.stats.lost += 1;
        }
        self.on_display = Some(lease);
        // A slow terminal is left as much time as it took.
        let now = Timestamp::now();
        self.next_tick = (begun + self.period).max(now + now.since(begun));
        Ok(())
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if now < self.next_tick {
            return Ok(None);
        }
        // Until a frame comes and says better.
        self.next_tick = now + self.period.max(Duration::from_millis(1));
        Ok(Some(now))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        Some(self.next_tick)
    }

    fn stats(&self) -> PaneStats {
        self.stats
    }
}
