//! The pane in an X11 window: the X server reads the child's surface itself.

mod buffers;
mod fit;
mod frames;
mod hear;
mod outbox;
mod paint;
mod pool;
mod server;
mod visual;

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use x11rb::protocol::present::ConnectionExt as _;
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, ConfigureWindowAux, ConnectionExt as _, PropMode, Rectangle,
};
use x11rb::wrapper::ConnectionExt as _;

use self::buffers::{Buffers, Content, Key};
use self::fit::{Place, rectangle};
use self::frames::{Flight, Frames, Held, Reads};
use self::hear::Clock;
use self::paint::Painter;
use self::pool::Pool;
use self::server::{Server, sent};
use super::{Applied, CopyReason, Fit, Pane, PaneStats, Placement};
use crate::error::{Error, PaneError};
use crate::geometry::{Damage, Rect, Scale, Size};
use crate::outcome::{FrameId, Outcome};
use crate::surface::{Lease, SwapchainId};
use crate::time::Timestamp;

const MIT_SHM: &str = "MIT-SHM 1.2";
const SHARED_PIXMAPS: &str = "pixmaps of shared memory";
const REMOTE: &str = "a connection that passes files (it is not on this machine)";
const RENDER: &str = "RENDER 0.10";
const SHAPE: &str = "SHAPE 1.1";

/// A server that is behind says something when it goes on, in most cases.
const RETRY: Duration = Duration::from_millis(20);

/// How frames come to the X server, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum X11Path {
    /// The child's surface is a pixmap of the server's: nobody copies it but the
    /// display.
    SharedPixmap,
    /// The server copies the frame out of the child's surface. Servers that draw
    /// by a GPU have no shared pixmaps.
    SharedPut,
    /// The host copies the frame and sends it. [`PaneStats::copy_reason`] says
    /// why.
    Put,
}

/// A child's frames in a window on X11.
///
/// The pane is a window of its own inside the host's, on a connection of its own.
/// The X server reads the child's surfaces through their file (MIT-SHM 1.2); frames
/// are shown with the display's refresh (Present), which also says when, and
/// paces the child. Where the server lacks one of these, [`path`](Self::path)
/// says what is done instead.
///
/// Clicks go to the host's window, unless [`Placement::input`](super::Placement)
/// says otherwise, and keys always do. An X11 window always hides what its
/// parent draws: to draw above a pane, open a window of your own inside the
/// host's, above it ([`Stacking::Below`](super::Stacking) puts the pane below
/// all of them), or leave a place out of the pane by
/// [`Placement::clip`](super::Placement).
///
/// ```no_run
/// use surfaceport::{Placement, Scale, Session, Size, View, X11Pane};
///
/// fn show<W>(session: Session, window: W) -> Result<View<X11Pane>, surfaceport::Error>
/// where
///     W: raw_window_handle::HasWindowHandle,
/// {
///     let size = Size::new(640, 480);
///     let pane = X11Pane::new(window, Placement::at(200, 40), size, Scale::ONE)?;
///     View::new(session, pane)
/// }
/// ```
#[derive(Debug)]
pub struct X11Pane {
    // The frames come first: when the pane is dropped, they come back before the
    // connection ends.
    frames: Frames,
    server: Server,
    buffers: Buffers,
    painter: Painter,
    pool: Pool,
    clock: Clock,
    path: X11Path,
    reason: Option<CopyReason>,
    size: Size,
    scale: Scale,
    fit: Fit,
    /// A size that is not carried out yet: until the frame under way is shown,
    /// and with the next one if that is there already.
    asked: Option<(Size, Fit)>,
    placement: Placement,
    /// The placement has not been carried out.
    moved: bool,
    mapped: bool,
    /// The window lost some of its pixels.
    exposed: bool,
    serial: u32,
    newest: Option<SwapchainId>,
    stats: PaneStats,
    complaints: VecDeque<PaneError>,
    ended: Option<PaneError>,
    /// Something was written, and perhaps read meanwhile.
    look_again: bool,
    /// The server is behind: when to see whether it takes more.
    retry: Option<Timestamp>,
    region: Vec<Rectangle>,
}

impl X11Pane {
    /// A pane in a window of a toolkit's, on the display that `$DISPLAY` names.
    /// It shows nothing, and hides nothing, before its first frame.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`]: [`PaneError::WrongWindow`] if it is no X11 window,
    /// [`PaneError::NoWindow`], [`PaneError::NoServer`].
    pub fn new(
        window: impl HasWindowHandle,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<Self, Error> {
        let window = window.window_handle().map_err(|_| PaneError::NoWindow)?;
        let window = match window.as_raw() {
            RawWindowHandle::Xcb(handle) => Some(handle.window.get()),
            RawWindowHandle::Xlib(handle) => u32::try_from(handle.window).ok(),
            _ => None,
        };
        let window = window.ok_or(PaneError::WrongWindow { wanted: "a window on X11" })?;
        let pane = Self::in_window(None, window, placement, size)?;
        Ok(Self { scale, ..pane })
    }

    /// A pane in the window of this number, on this display (`":0"`; `None`: the
    /// one that `$DISPLAY` names).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_window(
        display: Option<&str>,
        window: u32,
        placement: Placement,
        size: Size,
    ) -> Result<Self, Error> {
        size.check().map_err(Error::Geometry)?;
        let server = Server::open(display, window, size, placement)?;
        let (path, reason) = server.best;
        Ok(Self {
            frames: Frames::default(),
            buffers: Buffers::default(),
            painter: Painter::default(),
            pool: Pool::default(),
            clock: Clock::new(),
            path,
            reason,
            size,
            scale: Scale::ONE,
            fit: Fit::default(),
            asked: None,
            placement,
            moved: false,
            mapped: false,
            exposed: false,
            serial: 0,
            newest: None,
            stats: PaneStats::default(),
            complaints: VecDeque::new(),
            ended: None,
            look_again: true,
            retry: None,
            region: Vec::new(),
            server,
        })
    }

    /// Uses no better path than this: to see how a host does on servers that have
    /// no better one.
    #[must_use]
    pub fn at_best(mut self, path: X11Path) -> Self {
        if path > self.path {
            self.path = path;
            self.reason = Some(CopyReason::Asked);
        }
        self
    }

    /// How frames come to the server now. It gets worse if the server refuses a
    /// surface, and never better.
    #[must_use]
    pub fn path(&self) -> X11Path {
        self.path
    }

    /// Why it is not a better one.
    #[must_use]
    pub fn path_reason(&self) -> Option<CopyReason> {
        self.reason
    }

    /// Whether frames are shown with the display's refresh, and pace the child by
    /// it. Without the Present extension a timer does.
    #[must_use]
    pub fn is_synchronised(&self) -> bool {
        self.server.presents
    }

    /// The number of the pane's own window: to stack windows of the host's above
    /// or below it, and to select its clicks if it takes them
    /// ([`Placement::input`](super::Placement)).
    #[must_use]
    pub fn window(&self) -> u32 {
        self.server.window
    }

    /// The frame that is on display.
    #[must_use]
    pub fn on_display(&self) -> Option<&Lease> {
        let (key, _) = self.frames.window?;
        self.frames.get(key).map(|held| &held.lease)
    }

    /// Which frame it is.
    #[must_use]
    pub fn frame_id(&self) -> Option<FrameId> {
        self.on_display().map(Lease::id)
    }

    /// Sets the colour around frames that do not fill the pane, as red, green,
    /// blue; black without it.
    ///
    /// # Errors
    ///
    /// [`PaneError::ServerGone`].
    pub fn set_fill(&mut self, colour: [u8; 3]) -> Result<(), Error> {
        let filled = self.server.fill(colour);
        self.noted(filled)?;
        self.exposed = true;
        self.look_again = true;
        Ok(())
    }

    /// Carries out what can be: a new size, a new frame, a repair.
    fn commit(&mut self) -> Result<(), Error> {
        if self.server.is_behind()? {
            self.retry = Some(Timestamp::now() + RETRY);
            return Ok(());
        }
        self.retry = None;
        if std::mem::take(&mut self.moved) {
            self.arrange()?;
        }
        // Whether what is under way has landed yet is not known: what is drawn now
        // may come before it or after it.
        if self.frames.flight.is_some() {
            return Ok(());
        }
        let asked = self.asked.take();
        if let Some((size, fit)) = asked {
            (self.size, self.fit) = (size, fit);
        }
        let first = !self.mapped && self.placement.visible;
        match self.frames.next.take() {
            Some(held) if asked.is_some() || first => self.switch(Some(held))?,
            Some(held) => self.show(held)?,
            None if asked.is_some() => self.switch(None)?,
            None => {}
        }
        if self.frames.flight.is_none()
            && std::mem::take(&mut self.exposed)
            && let Some((key, place)) = self.frames.window
        {
            self.paint(key, place)?;
        }
        Ok(())
    }

    /// Puts the window where it is to be, or takes it away.
    fn arrange(&mut self) -> Result<(), Error> {
        self.server.place(self.placement)?;
        let (conn, window) = (&self.server.conn, self.server.window);
        let filled = self.frames.window.is_some();
        match (self.mapped, self.placement.visible) {
            (true, false) => sent(conn.unmap_window(window)).map(drop)?,
            (false, true) if filled => sent(conn.map_window(window)).map(drop)?,
            _ => {}
        }
        self.mapped = self.placement.visible && (self.mapped || filled);
        Ok(())
    }

    /// Takes a frame over, and says how the server gets at it.
    fn admit(&mut self, held: Held) -> Result<(Key, Content, Place), Error> {
        if self.path == X11Path::SharedPixmap
            && !buffers::has_layout(held.lease.surface().descriptor())
        {
            self.step_down(X11Path::Put, CopyReason::Refused)?;
        }
        let content = self.buffers.get(&self.server, self.path, &held.lease)?;
        let key = held.key();
        let place = Place::new(self.fit, self.size, held.lease.size());
        self.newest = Some(key.swapchain);
        self.frames.hold(held);
        let frames = &self.frames;
        self.buffers.free(&self.server, self.newest, |key| frames.holds(key))?;
        Ok((key, content, place))
    }

    /// Changes the window's size and what is in it in one step: nobody sees one
    /// without the other. Also opens the window, with its first frame.
    fn switch(&mut self, held: Option<Held>) -> Result<(), Error> {
        let new =
            held.map(|held| self.admit(held)).transpose()?.map(|(key, _, place)| (key, place));
        let conn = &self.server.conn;
        let window = self.server.window;
        sent(conn.grab_server())?;
        let extent = rectangle(self.size.into());
        let values = ConfigureWindowAux::new()
            .width(u32::from(extent.width))
            .height(u32::from(extent.height));
        sent(conn.configure_window(window, &values))?;
        if new.is_some() && !self.mapped && self.placement.visible {
            sent(conn.map_window(window))?;
            self.mapped = true;
        }
        let again = self.frames.window.and_then(|(key, _)| {
            let size = self.frames.get(key)?.lease.size();
            Some((key, Place::new(self.fit, self.size, size)))
        });
        let shown = new.or(again);
        let painted = shown.map(|(key, place)| self.paint(key, place)).transpose();
        sent(self.server.conn.ungrab_server())?;
        painted?;
        if let Some((key, place)) = new {
            self.mark(key, place)?;
        }
        Ok(())
    }

    /// Draws a frame into the window, now.
    fn paint(&mut self, key: Key, place: Place) -> Result<(), Error> {
        let Some(held) = self.frames.get(key) else { return Ok(()) };
        let content = self.buffers.get(&self.server, self.path, &held.lease)?;
        let window = self.server.window;
        let read = self.painter.draw(&self.server, window, content, &held.lease, place)?;
        self.frames.read_by(key, read);
        self.frames.window = Some((key, place));
        Ok(())
    }

    /// Asks when the display shows what has been drawn into the window.
    fn mark(&mut self, key: Key, place: Place) -> Result<(), Error> {
        let serial = self.next_serial();
        let (conn, window) = (&self.server.conn, self.server.window);
        let request = if self.server.presents {
            sent(conn.present_notify_msc(window, serial, 0, 1, 0))?
        } else {
            let (mark, kind) = (self.server.mark, u32::from(AtomEnum::CARDINAL));
            sent(conn.change_property32(PropMode::REPLACE, window, mark, kind, &[serial]))?
        };
        self.frames.flight = Some(Flight { key, serial, request, place });
        Ok(())
    }

    /// Shows a frame in a window that is as it is to be.
    fn show(&mut self, held: Held) -> Result<(), Error> {
        let damage = held.damage;
        let (key, content, place) = self.admit(held)?;
        let fits = place.covers() || self.frames.window.is_some_and(|(_, old)| old == place);
        match content {
            Content::Pixmap(pixmap) if self.server.presents && !place.is_scaled() && fits => {
                // What changed is relative to the frame before it.
                let same = self.frames.window.is_some_and(|(_, old)| old == place);
                self.set_region(if same { &damage } else { &Damage::FULL }, place.frame)?;
                let reads = Reads::Surface(key);
                self.present(key, pixmap, self.server.region, place, (place.x, place.y), reads)
            }
            _ => self.show_drawn(key, content, place),
        }
    }

    /// Shows a frame that has to be drawn first.
    fn show_drawn(&mut self, key: Key, content: Content, place: Place) -> Result<(), Error> {
        let target = match self.server.presents {
            true => self.pool.take(&self.server, self.size)?,
            false => None,
        };
        let Some(pixmap) = target else {
            self.paint(key, place)?;
            return self.mark(key, place);
        };
        let Some(held) = self.frames.get(key) else { return Ok(()) };
        let read = self.painter.draw(&self.server, pixmap, content, &held.lease, place)?;
        self.frames.read_by(key, read);
        self.present(key, pixmap, 0, place, (0, 0), Reads::Pool(pixmap))
    }

    fn present(
        &mut self,
        key: Key,
        pixmap: u32,
        region: u32,
        place: Place,
        (x, y): (i16, i16),
        reads: Reads,
    ) -> Result<(), Error> {
        let serial = self.next_serial();
        let (conn, window) = (&self.server.conn, self.server.window);
        // At the next refresh; no fences, for the processor has drawn it.
        let request = sent(conn.present_pixmap(
            window,
            pixmap,
            serial,
            0,
            region,
            x,
            y,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            &[],
        ))?;
        self.frames.presented(serial, reads);
        self.frames.flight = Some(Flight { key, serial, request, place });
        Ok(())
    }

    /// Tells the server what has changed of a frame.
    fn set_region(&mut self, damage: &Damage, frame: Size) -> Result<(), Error> {
        let whole = [Rect::from(frame)];
        self.region.clear();
        let changed = damage.rects().unwrap_or(&whole).iter();
        self.region.extend(changed.map(|rect| rectangle(rect.clipped(frame))));
        let set = self.server.conn.xfixes_set_region(self.server.region, &self.region);
        sent(set).map(drop)
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Uses a worse path from now on, and shows the newest frame by it.
    fn step_down(&mut self, path: X11Path, reason: CopyReason) -> Result<(), Error> {
        self.path = path;
        self.reason = Some(reason);
        self.buffers.give_up(&self.server)?;
        self.frames.forget_presents();
        if let Some(flight) = self.frames.flight.take()
            && let Some(held) = self.frames.take(flight.key)
        {
            if self.frames.window.is_some_and(|(key, _)| key == flight.key) {
                self.frames.window = None;
            }
            if self.frames.next.is_none() {
                self.frames.next = Some(held);
            } else {
                self.give_up(held, Outcome::Superseded);
            }
        }
        self.exposed = true;
        Ok(())
    }

    fn give_up(&mut self, mut held: Held, outcome: Outcome) {
        if held.report(outcome) {
            match outcome {
                Outcome::Superseded => self.stats.superseded += 1,
                _ => self.stats.lost += 1,
            }
        }
    }

    /// After this, all fails.
    fn end(&mut self, error: &PaneError) {
        self.ended = Some(error.clone());
        self.frames.next = None;
        self.frames = Frames::default();
    }

    fn check(&self) -> Result<(), Error> {
        self.ended.clone().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Notes whether the pane is at its end.
    fn noted<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Pane(error)) = &done
            && error.is_final()
        {
            self.end(&error.clone());
        }
        done
    }

    fn commit_and_flush(&mut self) -> Result<(), Error> {
        self.commit()?;
        self.server.flush()
    }
}

impl Pane for X11Pane {
    fn size(&self) -> Size {
        self.asked.map_or(self.size, |(size, _)| size)
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.check()?;
        size.check().map_err(Error::Geometry)?;
        if fit == Fit::Scale && self.server.pictures.is_none() {
            return Err(PaneError::Missing { what: RENDER }.into());
        }
        // Sent with the next frame, or when the pane is heard next: so that a
        // frame of the new size which is there already comes with it.
        self.scale = scale;
        self.asked = Some((size, fit));
        self.look_again = true;
        Ok(Applied::Now)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.check()?;
        self.server.check(placement)?;
        self.placement = placement;
        self.moved = true;
        self.look_again = true;
        let done = self.commit_and_flush();
        self.noted(done).map(|()| Applied::Now)
    }

    fn present(&mut self, lease: Lease) -> Result<(), Error> {
        let mut held = Held::new(lease);
        let format = held.lease.surface().descriptor().format();
        let wrong = (!self.server.visual.shows(format)).then_some(PaneError::Format(format));
        if let Some(error) = self.ended.clone().or(wrong) {
            self.give_up(held, Outcome::Lost);
            return Err(error.into());
        }
        self.stats.presented += 1;
        if let Some(old) = self.frames.next.take() {
            held.damage.union(&old.damage);
            self.give_up(old, Outcome::Superseded);
        }
        self.frames.next = Some(held);
        self.look_again = true;
        let done = self.commit_and_flush();
        self.noted(done)
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.check()?;
        // Writing may read, when the server is behind: then there is more.
        loop {
            let heard = self.hear(now).and_then(|any| self.commit_and_flush().map(|()| any));
            if !self.noted(heard)? {
                break;
            }
        }
        self.look_again = false;
        match self.complaints.pop_front() {
            Some(complaint) => self.noted(Err(complaint.into())),
            None => Ok(self.clock.take_tick(now)),
        }
    }

    fn next_wake(&self) -> Option<Timestamp> {
        if self.look_again || !self.complaints.is_empty() {
            return Some(Timestamp::from_nanos(0));
        }
        [self.clock.next_wake(), self.retry].into_iter().flatten().min()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.server.source())
    }

    fn stats(&self) -> PaneStats {
        let copy_reason = self.reason.filter(|_| self.path == X11Path::Put);
        PaneStats { host_copies: self.painter.copies, copy_reason, ..self.stats }
    }
}
