//! The connection to the X server, what the server can do, and the pane's own
//! window.

use std::os::fd::{AsFd, BorrowedFd};

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::cookie::VoidCookie;
use x11rb::errors::{ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::present::{self, ConnectionExt as _};
use x11rb::protocol::render::{self, ConnectionExt as _, Pictformat};
use x11rb::protocol::shape::{self, ConnectionExt as _};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{
    Atom, BackPixmap, ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt as _,
    CreateGCAux, CreateWindowAux, EventMask, Gcontext, Gravity, StackMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::fit::rectangle;
use super::outbox::{self, Outbox};
use super::visual::Visual;
use super::{MIT_SHM, REMOTE, SHAPE, SHARED_PIXMAPS, X11Path};
use crate::error::{Error, PaneError};
use crate::geometry::{Rect, Size};
use crate::pane::{CopyReason, Placement, Stacking};

/// A connection that never waits for the server, but when it is opened.
pub(super) type Connection = RustConnection<Outbox>;

/// A request that was sent; the number tells when the server has handled it.
pub(super) type Request = u64;

/// The number of a request that has no answer but an error.
pub(super) fn sent(
    request: Result<VoidCookie<'_, Connection>, ConnectionError>,
) -> Result<Request, Error> {
    Ok(request.map_err(gone)?.sequence_number())
}

/// The connection broke.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub(super) fn gone(error: ConnectionError) -> Error {
    PaneError::ServerGone { what: error.to_string() }.into()
}

/// No answer to a request that the pane needs.
fn unanswered(error: ReplyError) -> Error {
    match error {
        ReplyError::ConnectionError(error) => gone(error),
        ReplyError::X11Error(error) => {
            let what = format!("{:?}", error.error_kind);
            PaneError::Refused { what, fatal: true }.into()
        }
    }
}

fn no_id(error: ReplyOrIdError) -> Error {
    match error {
        ReplyOrIdError::IdsExhausted => {
            let what = "no names are left for more pixmaps".to_owned();
            PaneError::Refused { what, fatal: true }.into()
        }
        ReplyOrIdError::ConnectionError(error) => gone(error),
        ReplyOrIdError::X11Error(error) => unanswered(ReplyError::X11Error(error)),
    }
}

/// The connection, with the pane's window and what is needed to draw into it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) conn: Connection,
    pub(super) window: Window,
    pub(super) gc: Gcontext,
    pub(super) visual: Visual,
    /// Whether frames can be shown with the display's refresh.
    pub(super) presents: bool,
    /// The region that a present updates.
    pub(super) region: xfixes::Region,
    /// The window's format for pictures, where there are any.
    pub(super) pictures: Option<Pictformat>,
    /// The property of the pane's own window whose changes mark time.
    pub(super) mark: Atom,
    shapes: bool,
    /// The best way for a frame to come to the server, and why not a better one.
    pub(super) best: (X11Path, Option<CopyReason>),
    stacking: Stacking,
}

impl Server {
    /// Connects, and makes a window inside the host's.
    pub(super) fn open(
        display: Option<&str>,
        host: Window,
        size: Size,
        placement: Placement,
    ) -> Result<Self, Error> {
        let conn = outbox::connect(display)
            .map_err(|error| PaneError::NoServer { what: error.to_string() })?;
        // All is asked at once and heard at once. A display server that is far
        // away is slow to answer.
        for extension in [
            shm::X11_EXTENSION_NAME,
            present::X11_EXTENSION_NAME,
            xfixes::X11_EXTENSION_NAME,
            shape::X11_EXTENSION_NAME,
            render::X11_EXTENSION_NAME,
        ] {
            conn.prefetch_extension_information(extension).map_err(gone)?;
        }
        conn.prefetch_maximum_request_bytes();
        let mark = conn.intern_atom(false, b"_SURFACEPORT_SHOWN").map_err(gone)?;
        let parent = conn.get_window_attributes(host).map_err(gone)?;
        let has = |extension| {
            conn.extension_information(extension).map(|info| info.is_some()).map_err(gone)
        };
        let pixmaps = match has(shm::X11_EXTENSION_NAME)? {
            true => shared_memory(&conn)?,
            false => None,
        };
        let presents = has(xfixes::X11_EXTENSION_NAME)?
            && has(present::X11_EXTENSION_NAME)?
            && presents(&conn)?;
        let shapes = has(shape::X11_EXTENSION_NAME)? && shapes(&conn)?;
        let mark = mark.reply().map_err(unanswered)?.atom;
        let parent = parent.reply().map_err(|error| match error {
            // The one error of this request: there is no such window.
            ReplyError::X11Error(_) => PaneError::NoWindow.into(),
            other => unanswered(other),
        })?;
        let visual = Visual::find(conn.setup(), parent.visual).ok_or(PaneError::NoWindow)?;
        let pictures = match has(render::X11_EXTENSION_NAME)? {
            true => pictures(&conn, visual)?,
            false => None,
        };
        let best = match pixmaps {
            Some(_) if !passes_files(&conn) => (X11Path::Put, Some(CopyReason::Missing(REMOTE))),
            Some(true) => (X11Path::SharedPixmap, None),
            Some(false) => (X11Path::SharedPut, Some(CopyReason::Missing(SHARED_PIXMAPS))),
            None => (X11Path::Put, Some(CopyReason::Missing(MIT_SHM))),
        };
        let id = || conn.generate_id().map_err(no_id);
        let (window, gc, region) = (id()?, id()?, id()?);
        let mut server = Self {
            window,
            gc,
            visual,
            presents,
            region,
            pictures,
            mark,
            shapes,
            best,
            stacking: Stacking::Above,
            conn,
        };
        server.check(placement)?;
        server.make_window(host, size, placement)?;
        server.place(placement)?;
        Ok(server)
    }

    fn make_window(&self, host: Window, size: Size, placement: Placement) -> Result<(), Error> {
        let conn = &self.conn;
        let (x, y) = position(placement);
        // Nothing blanks the picture when the window grows or shrinks, and what
        // is new of it is the host's fill from the first moment.
        let look = CreateWindowAux::new()
            .background_pixel(self.visual.pixel([0; 3]))
            .border_pixel(0)
            .bit_gravity(Gravity::NORTH_WEST)
            .event_mask(
                EventMask::EXPOSURE | EventMask::STRUCTURE_NOTIFY | EventMask::PROPERTY_CHANGE,
            );
        let Rect { width, height, .. } = Rect::from(size);
        let extent = rectangle(Rect::new(0, 0, width, height));
        let class = WindowClass::INPUT_OUTPUT;
        // Depth, visual and colour map are the host window's.
        conn.create_window(
            0,
            self.window,
            host,
            x,
            y,
            extent.width,
            extent.height,
            0,
            class,
            0,
            &look,
        )
        .map_err(gone)?
        .check()
        .map_err(unanswered)?;
        let look = CreateGCAux::new().foreground(self.visual.pixel([0; 3])).graphics_exposures(0);
        sent(conn.create_gc(self.gc, self.window, &look))?;
        if self.presents {
            sent(conn.xfixes_create_region(self.region, &[]))?;
            let events = present::EventMask::COMPLETE_NOTIFY | present::EventMask::IDLE_NOTIFY;
            let id = conn.generate_id().map_err(no_id)?;
            sent(conn.present_select_input(id, self.window, events))?;
        }
        Ok(())
    }

    /// A new name.
    pub(super) fn id(&self) -> Result<u32, Error> {
        self.conn.generate_id().map_err(no_id)
    }

    /// Sends what was written, as far as the server takes it.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.conn.flush().map_err(gone)
    }

    /// Whether the server has not taken all that was sent to it. What changes
    /// meanwhile is sent once, as it is then.
    pub(super) fn is_behind(&self) -> Result<bool, Error> {
        let posted = self.conn.stream().post();
        posted.map(|all| !all).map_err(|error| gone(error.into()))
    }

    /// The connection, for those who wait for it.
    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.conn.stream().as_fd()
    }

    /// Sets the colour around frames.
    pub(super) fn fill(&self, colour: [u8; 3]) -> Result<(), Error> {
        use x11rb::protocol::xproto::ChangeGCAux;
        let pixel = self.visual.pixel(colour);
        sent(self.conn.change_gc(self.gc, &ChangeGCAux::new().foreground(pixel)))?;
        let look = ChangeWindowAttributesAux::new().background_pixel(pixel);
        sent(self.conn.change_window_attributes(self.window, &look)).map(drop)
    }

    /// Moves the window and puts it above or below the host's other windows.
    pub(super) fn place(&mut self, placement: Placement) -> Result<(), Error> {
        let (x, y) = position(placement);
        let mut values = ConfigureWindowAux::new().x(i32::from(x)).y(i32::from(y));
        // Only if it changes: the host may have put a window of its own above.
        if self.stacking != placement.stacking {
            let mode = match placement.stacking {
                Stacking::Above => StackMode::ABOVE,
                Stacking::Below => StackMode::BELOW,
            };
            values = values.stack_mode(mode);
            self.stacking = placement.stacking;
        }
        sent(self.conn.configure_window(self.window, &values))?;
        self.clip(placement)
    }

    /// Whether the window can be so.
    pub(super) fn check(&self, placement: Placement) -> Result<(), Error> {
        if placement.clip.is_some() && !self.shapes {
            return Err(PaneError::Missing { what: SHAPE }.into());
        }
        Ok(())
    }

    /// What of the window is seen, and what of it takes clicks.
    fn clip(&self, placement: Placement) -> Result<(), Error> {
        // Without shapes, what the pane does not ask for goes to the host's
        // window all the same: it is its parent.
        if !self.shapes {
            return Ok(());
        }
        let seen = placement.clip.map(|clip| [clip]);
        self.shape(shape::SK::BOUNDING, seen.as_ref().map(<[Rect; 1]>::as_slice))?;
        let nothing: &[Rect] = &[];
        self.shape(shape::SK::INPUT, (!placement.input).then_some(nothing))
    }

    fn shape(&self, kind: shape::SK, rects: Option<&[Rect]>) -> Result<(), Error> {
        use x11rb::protocol::xproto::ClipOrdering;
        let (conn, window) = (&self.conn, self.window);
        let Some(rects) = rects else {
            let none = u32::from(BackPixmap::NONE);
            return sent(conn.shape_mask(shape::SO::SET, kind, window, 0, 0, none)).map(drop);
        };
        let rects: Vec<_> = rects.iter().copied().map(rectangle).collect();
        let (set, order) = (shape::SO::SET, ClipOrdering::UNSORTED);
        sent(conn.shape_rectangles(set, kind, order, window, 0, 0, &rects)).map(drop)
    }
}

impl Drop for Server {
    /// The connection may outlive this: those who wait for it have it too.
    fn drop(&mut self) {
        let _gone = self.conn.destroy_window(self.window).map(drop);
        let _gone = self.conn.flush();
    }
}

/// Where a window can be, which is not as far as a placement can say.
fn position(placement: Placement) -> (i16, i16) {
    let near = |value: i32| {
        let near = value.clamp(i16::MIN.into(), i16::MAX.into());
        i16::try_from(near).unwrap_or(0)
    };
    (near(placement.x), near(placement.y))
}

/// Whether a file can be passed on this connection.
fn passes_files(conn: &Connection) -> bool {
    use rustix::net::{AddressFamily, getsockname};
    getsockname(conn.stream().as_fd())
        .is_ok_and(|address| address.address_family() == AddressFamily::UNIX)
}

/// Whether it takes shared memory by file, and if so, whether as pixmaps.
fn shared_memory(conn: &Connection) -> Result<Option<bool>, Error> {
    use x11rb::protocol::xproto::ImageFormat;
    let reply = conn.shm_query_version().map_err(gone)?.reply().map_err(unanswered)?;
    if (reply.major_version, reply.minor_version) < (1, 2) {
        return Ok(None);
    }
    let pixmaps = reply.shared_pixmaps && reply.pixmap_format == u8::from(ImageFormat::Z_PIXMAP);
    Ok(Some(pixmaps))
}

fn presents(conn: &Connection) -> Result<bool, Error> {
    let present = conn.present_query_version(1, 0).map_err(gone)?;
    let xfixes = conn.xfixes_query_version(5, 0).map_err(gone)?;
    let present = present.reply().map_err(unanswered)?;
    let xfixes = xfixes.reply().map_err(unanswered)?;
    Ok(present.major_version >= 1 && xfixes.major_version >= 2)
}

fn shapes(conn: &Connection) -> Result<bool, Error> {
    let reply = conn.shape_query_version().map_err(gone)?.reply().map_err(unanswered)?;
    Ok((reply.major_version, reply.minor_version) >= (1, 1))
}

/// The format of a window's pixels as pictures, with transforms and filters.
fn pictures(conn: &Connection, visual: Visual) -> Result<Option<Pictformat>, Error> {
    let version = conn.render_query_version(0, 11).map_err(gone)?;
    let formats = conn.render_query_pict_formats().map_err(gone)?;
    let version = version.reply().map_err(unanswered)?;
    let formats = formats.reply().map_err(unanswered)?;
    if (version.major_version, version.minor_version) < (0, 10) {
        return Ok(None);
    }
    let mut visuals =
        formats.screens.iter().flat_map(|screen| &screen.depths).flat_map(|depth| &depth.visuals);
    Ok(visuals.find(|one| one.visual == visual.id).map(|one| one.format))
}
