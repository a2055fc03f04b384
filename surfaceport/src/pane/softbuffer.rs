//! Frames copied into the host's window: for displays that can't read a child's
//! surfaces themselves.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;

use raw_window_handle::{HasDisplayHandle, HasWindowHandle};
use softbuffer::SoftBufferError;

use super::ticker::Ticker;
use super::{Applied, CopyReason, Fit, Pane, PaneStats, Placement};
use crate::error::{Error, PaneError};
use crate::format::Format;
use crate::geometry::{Rect, Scale, Size};
use crate::outcome::Outcome;
use crate::surface::Lease;
use crate::time::Timestamp;

/// What a window needs to be drawn into.
trait Handles: HasDisplayHandle + HasWindowHandle {}
impl<T: HasDisplayHandle + HasWindowHandle> Handles for T {}

type Surface = softbuffer::Surface<Rc<dyn Handles>, Rc<dyn Handles>>;

/// A host's window into which frames are copied.
///
/// It is drawn as a whole: the host's fill, and on it the panes, later ones
/// above earlier ones. A host that draws something itself uses a pane that
/// leaves its window alone.
///
/// ```no_run
/// use raw_window_handle::{HasDisplayHandle, HasWindowHandle};
/// use surfaceport::{
///     Command, Error, Placement, Session, Size, SoftbufferPane, SoftbufferWindow, View,
/// };
///
/// /// Two children side by side in a window of any toolkit.
/// fn show(
///     toplevel: impl HasDisplayHandle + HasWindowHandle + 'static,
/// ) -> Result<[View<SoftbufferPane>; 2], Error> {
///     let window = SoftbufferWindow::new(toplevel, Size::new(1280, 480))?;
///     let view = |x| {
///         let pane = window.pane(Size::new(640, 480), Placement::at(x, 0));
///         View::new(Session::spawn(Command::new("my-renderer"))?, pane)
///     };
///     Ok([view(0)?, view(640)?])
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SoftbufferWindow {
    shared: Rc<RefCell<Shared>>,
}

impl SoftbufferWindow {
    /// A window of this size in pixels; keeps the handle for as long as it or a
    /// pane lives.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`] if the window has no handle, or one of a display that
    /// can't be drawn into; [`Error::Geometry`] for a size that is none.
    pub fn new(
        window: impl HasDisplayHandle + HasWindowHandle + 'static,
        size: Size,
    ) -> Result<Self, Error> {
        let window: Rc<dyn Handles> = Rc::new(window);
        let context = softbuffer::Context::new(Rc::clone(&window))
            .map_err(|error| unreachable_server(&error))?;
        let surface = Surface::new(&context, window).map_err(|error| unreachable_server(&error))?;
        let mut shared = Shared {
            surface,
            size,
            fill: [0; 3],
            tiles: Vec::new(),
            next_key: 0,
            all_is_due: true,
            row: Vec::new(),
            columns: Vec::new(),
        };
        shared.resize(size)?;
        Ok(Self { shared: Rc::new(RefCell::new(shared)) })
    }

    /// The colour where no frame is, and behind transparent ones: red, green,
    /// blue. It is black at first; seen with the next drawing.
    pub fn set_fill(&self, color: [u8; 3]) {
        let mut shared = self.shared.borrow_mut();
        (shared.fill, shared.all_is_due) = (color, true);
    }

    /// The window has another size; seen with the next drawing, which a pane's
    /// resize is, too.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] for a size that is none; [`Error::Pane`] if the display
    /// is gone or refuses.
    pub fn resize(&self, size: Size) -> Result<(), Error> {
        self.shared.borrow_mut().resize(size)
    }

    /// Draws the whole window anew: the system asks for it.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`] if the display is gone or refuses.
    pub fn redraw(&self) -> Result<(), Error> {
        self.shared.borrow_mut().draw(None)
    }

    /// A pane in it, above those that are there, at 60 frames a second.
    #[must_use]
    pub fn pane(&self, size: Size, placement: Placement) -> SoftbufferPane {
        let mut shared = self.shared.borrow_mut();
        shared.next_key += 1;
        let key = shared.next_key;
        let fit = Fit::default();
        shared.tiles.push(Tile { key, placement, size, fit, lease: None });
        SoftbufferPane {
            shared: Rc::clone(&self.shared),
            key,
            size,
            scale: Scale::ONE,
            ticker: Ticker::new(60.0),
            stats: PaneStats { copy_reason: Some(CopyReason::Asked), ..PaneStats::default() },
        }
    }
}

/// A pane whose frames the host copies into its window.
///
/// It shows the newest frame at the rate that it is told
/// ([`refresh_rate`](Self::refresh_rate)): such a window does not say when it
/// was shown. Every frame that it shows counts as a copy
/// ([`PaneStats::host_copies`]).
#[derive(Debug)]
pub struct SoftbufferPane {
    shared: Rc<RefCell<Shared>>,
    key: u64,
    size: Size,
    scale: Scale,
    ticker: Ticker,
    stats: PaneStats,
}

impl SoftbufferPane {
    /// Sets the frames a second; zero and less is as many as come.
    #[must_use]
    pub fn refresh_rate(mut self, hertz: f64) -> Self {
        self.ticker = Ticker::new(hertz);
        self
    }

    /// Sets the scale that the child is told before any resize.
    #[must_use]
    pub fn at_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Says why frames are copied, if it is not that the host asked for it.
    #[must_use]
    pub fn because(mut self, reason: CopyReason) -> Self {
        self.stats.copy_reason = Some(reason);
        self
    }

    fn change(&self, change: impl FnOnce(&mut Tile)) -> Result<Applied, Error> {
        let mut shared = self.shared.borrow_mut();
        if let Some(tile) = shared.tiles.iter_mut().find(|tile| tile.key == self.key) {
            let before = (tile.placement, tile.size, tile.fit);
            change(tile);
            if before != (tile.placement, tile.size, tile.fit) {
                shared.draw(None)?;
            }
        }
        Ok(Applied::Now)
    }
}

impl Pane for SoftbufferPane {
    fn size(&self) -> Size {
        self.size
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        (self.size, self.scale) = (size, scale);
        self.change(|tile| (tile.size, tile.fit) = (size, fit))
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.change(|tile| tile.placement = placement)
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        self.ticker.shown();
        self.stats.presented += 1;
        let drawn = self.shared.borrow_mut().show(self.key, &lease);
        if let Err(error) = drawn {
            lease.report(Outcome::Lost);
            self.stats.lost += 1;
            return Err(error);
        }
        lease.report(Outcome::Shown { at: Timestamp::now() });
        self.stats.shown += 1;
        self.stats.host_copies += 1;
        Ok(())
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.ticker.poll(now))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.ticker.next()
    }

    fn stats(&self) -> PaneStats {
        self.stats
    }
}

impl Drop for SoftbufferPane {
    fn drop(&mut self) {
        // Not while the window is being drawn, which calls nothing of the host.
        let mut shared = self.shared.borrow_mut();
        shared.tiles.retain(|tile| tile.key != self.key);
        shared.all_is_due = true;
    }
}

/// What the panes of a window share.
struct Shared {
    surface: Surface,
    size: Size,
    fill: [u8; 3],
    /// From the lowest to the highest.
    tiles: Vec<Tile>,
    next_key: u64,
    /// More has changed than the next frame covers.
    all_is_due: bool,
    /// Kept between frames, so that none allocates: a row's pixels, and which of
    /// them each column of the pane shows.
    row: Vec<u32>,
    columns: Vec<Option<usize>>,
}

/// A pane in the window.
struct Tile {
    key: u64,
    placement: Placement,
    size: Size,
    fit: Fit,
    /// The frame that is shown: the window's next buffer may need it again.
    lease: Option<Lease>,
}

impl Shared {
    fn resize(&mut self, size: Size) -> Result<(), Error> {
        size.check().map_err(Error::Geometry)?;
        if let (Some(width), Some(height)) =
            (NonZeroU32::new(size.width), NonZeroU32::new(size.height))
        {
            self.surface.resize(width, height).map_err(|error| refused(&error))?;
        }
        (self.size, self.all_is_due) = (size, true);
        Ok(())
    }

    /// Shows a frame in a tile; if that fails, the one before stays.
    fn show(&mut self, key: u64, lease: &Lease) -> Result<(), Error> {
        let format = lease.surface().descriptor().format();
        if to_argb(format).is_none() {
            return Err(PaneError::Format(format).into());
        }
        let Some(tile) = self.tiles.iter_mut().find(|tile| tile.key == key) else { return Ok(()) };
        let before = tile.lease.replace(lease.share());
        let drawn = self.draw(Some(key));
        if drawn.is_err()
            && let Some(tile) = self.tiles.iter_mut().find(|tile| tile.key == key)
        {
            tile.lease = before;
        }
        drawn
    }

    /// Draws one tile, or all there is.
    fn draw(&mut self, only: Option<u64>) -> Result<(), Error> {
        let window = Rect::from(self.size);
        let place = only.and_then(|key| {
            let tile = self.tiles.iter().find(|tile| tile.key == key)?;
            let others = self.tiles.iter().filter(|tile| tile.key != key);
            let place = tile.seen(self.size);
            let overlaps = |other: &Tile| !intersection(other.seen(self.size), place).is_empty();
            (!others.into_iter().any(overlaps)).then_some(place)
        });
        let mut buffer = self.surface.buffer_mut().map_err(|error| refused(&error))?;
        // Of an older buffer nobody knows what has changed since.
        let place = place.filter(|_| buffer.age() == 1 && !self.all_is_due).unwrap_or(window);
        let [red, green, blue] = self.fill.map(u32::from);
        let fill = red << 16 | green << 8 | blue;
        if place == window {
            buffer.fill(fill);
        }
        for tile in &self.tiles {
            if place == window || Some(tile.key) == only {
                let mut canvas = Canvas { pixels: &mut buffer, size: self.size, fill };
                tile.draw(&mut canvas, &mut self.row, &mut self.columns)?;
            }
        }
        let damage = NonZeroU32::new(place.width)
            .zip(NonZeroU32::new(place.height))
            .map(|(width, height)| softbuffer::Rect { x: place.x, y: place.y, width, height });
        // Outside of the window there is nothing to present.
        if let Some(damage) = damage {
            buffer.present_with_damage(&[damage]).map_err(|error| refused(&error))?;
            self.all_is_due = false;
        }
        Ok(())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftbufferWindow")
            .field("size", &self.size)
            .field("panes", &self.tiles.len())
            .finish_non_exhaustive()
    }
}

/// The window's pixels.
struct Canvas<'a> {
    pixels: &'a mut [u32],
    size: Size,
    fill: u32,
}

impl Tile {
    /// The part of it that is seen, in the tile's own pixels, if any.
    fn visible(&self, window: Size) -> Rect {
        if !self.placement.visible {
            return Rect::default();
        }
        let span = |at: i32, len: u32, window: u32, (from, to): (u32, u32)| {
            let (at, end) = (i64::from(at), i64::from(window));
            let from = (-at).max(from.into()).max(0);
            let to = (end - at).min(to.into()).min(len.into());
            (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(to - from).unwrap_or(0))
        };
        let Placement { x, y, clip, .. } = self.placement;
        let clip = clip.unwrap_or_else(|| self.size.into()).clipped(self.size);
        let columns = (clip.x, clip.x + clip.width);
        let rows = (clip.y, clip.y + clip.height);
        let (left, width) = span(x, self.size.width, window.width, columns);
        let (top, height) = span(y, self.size.height, window.height, rows);
        Rect::new(left, top, width, height)
    }

    /// The same in the window's pixels.
    fn seen(&self, window: Size) -> Rect {
        let visible = self.visible(window);
        if visible.is_empty() {
            return Rect::default();
        }
        let Placement { x, y, .. } = self.placement;
        Rect {
            x: visible.x.saturating_add_signed(x),
            y: visible.y.saturating_add_signed(y),
            ..visible
        }
    }

    fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        row: &mut Vec<u32>,
        columns: &mut Vec<Option<usize>>,
    ) -> Result<(), Error> {
        let Some(lease) = &self.lease else { return Ok(()) };
        let (view, frame) = (lease.surface().view()?, lease.size());
        let Some(to_argb) = to_argb(view.descriptor().format()) else { return Ok(()) };
        let (visible, seen) = (self.visible(canvas.size), self.seen(canvas.size));
        let across = visible.x..visible.x + visible.width;
        columns.clear();
        columns.extend(across.map(|x| {
            let source = self.fit.source(x, self.size.width, frame.width)?;
            usize::try_from(source).ok()
        }));
        let rows = canvas.pixels.chunks_exact_mut(canvas.size.width as usize);
        let mut in_row = None;
        for (y, pixels) in (visible.y..visible.y + visible.height).zip(rows.skip(seen.y as usize)) {
            let (from, len) = (seen.x as usize, seen.width as usize);
            let Some(pixels) = pixels.get_mut(from..from + len) else { continue };
            let Some(source) = self.fit.source(y, self.size.height, frame.height) else {
                pixels.fill(canvas.fill);
                continue;
            };
            if in_row.replace(source) != Some(source) {
                row.clear();
                // Pairs of pixels, the first in the word's first bytes.
                let words = view.row_words(source).into_iter().flatten();
                let words = words.map(|word| u64::from_le_bytes(word.to_ne_bytes()));
                #[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
                let halves = words.flat_map(|word| [word as u32, (word >> 32) as u32]);
                row.extend(halves.take(frame.width as usize).map(to_argb));
            }
            for (pixel, column) in pixels.iter_mut().zip(columns.iter()) {
                let source = column.and_then(|column| row.get(column));
                *pixel = source.map_or(canvas.fill, |argb| over(*argb, canvas.fill));
            }
        }
        Ok(())
    }
}

fn intersection(one: Rect, other: Rect) -> Rect {
    let x = one.x.max(other.x);
    let y = one.y.max(other.y);
    let right = (one.x + one.width).min(other.x + other.width);
    let bottom = (one.y + one.height).min(other.y + other.height);
    Rect::new(x, y, right.saturating_sub(x), bottom.saturating_sub(y))
}

/// A premultiplied pixel on the fill.
fn over(argb: u32, fill: u32) -> u32 {
    let through = 255 - (argb >> 24);
    if through == 0 {
        return argb & 0x00ff_ffff;
    }
    [0, 8, 16].into_iter().fold(0, |pixel, shift| {
        let channel = |color: u32| color >> shift & 0xff;
        let sum = channel(argb) + (channel(fill) * through + 127) / 255;
        pixel | sum.min(255) << shift
    })
}

/// How pixels of four bytes, as a little-endian number, become premultiplied
/// ARGB; `None`: they are no such pixels.
fn to_argb(format: Format) -> Option<fn(u32) -> u32> {
    match format {
        Format::Bgra8 => Some(|pixel| pixel),
        Format::Bgrx8 => Some(|pixel| pixel | 0xff00_0000),
        Format::Rgba8 => {
            Some(|pixel| pixel & 0xff00_ff00 | (pixel & 0xff) << 16 | pixel >> 16 & 0xff)
        }
        Format::Bgr10a2 => Some(|pixel| {
            let channel = |shift: u32| pixel >> shift >> 2 & 0xff;
            ((pixel >> 30) * 85) << 24 | channel(20) << 16 | channel(10) << 8 | channel(0)
        }),
        _ => None,
    }
}

fn unreachable_server(error: &SoftBufferError) -> Error {
    match error {
        SoftBufferError::RawWindowHandle(_) => PaneError::NoWindow,
        error => PaneError::NoServer { what: in_words(error) },
    }
    .into()
}

fn refused(error: &SoftBufferError) -> Error {
    PaneError::Refused { what: in_words(error), fatal: false }.into()
}

/// The error and what is behind it.
fn in_words(error: &SoftBufferError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(placement: Placement, size: Size) -> Tile {
        Tile { key: 0, placement, size, fit: Fit::Hold, lease: None }
    }

    #[test]
    fn a_pane_is_seen_within_its_window_and_its_clip() {
        let (window, size) = (Size::new(100, 50), Size::new(40, 30));
        let cases = [
            (Placement::at(0, 0), Rect::new(0, 0, 40, 30), Rect::new(0, 0, 40, 30)),
            (Placement::at(-10, -5), Rect::new(10, 5, 30, 25), Rect::new(0, 0, 30, 25)),
            (Placement::at(90, 45), Rect::new(0, 0, 10, 5), Rect::new(90, 45, 10, 5)),
            (
                Placement::at(70, 0).clipped(Rect::new(5, 6, 100, 10)),
                Rect::new(5, 6, 25, 10),
                Rect::new(75, 6, 25, 10),
            ),
        ];
        for (placement, visible, seen) in cases {
            let tile = tile(placement, size);
            assert_eq!((tile.visible(window), tile.seen(window)), (visible, seen), "{placement:?}");
        }
        for placement in [
            Placement::at(100, 0),
            Placement::at(0, -30),
            Placement::at(i32::MIN, i32::MAX),
            Placement::at(0, 0).hidden(),
            Placement::at(0, 0).clipped(Rect::new(40, 0, 9, 9)),
        ] {
            assert!(tile(placement, size).seen(window).is_empty(), "{placement:?}");
        }
    }

    #[test]
    fn what_is_transparent_shows_the_fill() {
        assert_eq!(over(0xff12_3456, 0x00ff_ffff), 0x0012_3456);
        assert_eq!(over(0, 0x0012_3456), 0x0012_3456);
        // Half of white, premultiplied, on red.
        assert_eq!(over(0x8080_8080, 0x00ff_0000), 0x00ff_8080);
    }

    #[test]
    fn pixels_of_every_format_of_four_bytes_are_known() {
        let argb =
            |format, bytes| to_argb(format).map(|to_argb| to_argb(u32::from_le_bytes(bytes)));
        assert_eq!(argb(Format::Bgra8, [1, 2, 3, 4]), Some(0x0403_0201));
        assert_eq!(argb(Format::Bgrx8, [1, 2, 3, 0]), Some(0xff03_0201));
        assert_eq!(argb(Format::Rgba8, [1, 2, 3, 4]), Some(0x0401_0203));
        let bgr10 = (3 << 30 | 1023_u32 << 20 | 512 << 10 | 4).to_le_bytes();
        assert_eq!(argb(Format::Bgr10a2, bgr10), Some(0xffff_8001));
        assert_eq!(argb(Format::Rgba16f, [0; 4]), None);
    }
}
