//! What the server has of the child's surfaces: a pixmap or a segment of shared
//! memory a slot, made once, at the slot's first frame.

use std::ops::RangeInclusive;

use x11rb::protocol::shm::{ConnectionExt as _, Seg};
use x11rb::protocol::xproto::{ConnectionExt as _, Pixmap};

use super::X11Path;
use super::server::{Request, Server, sent};
use crate::error::Error;
use crate::geometry::SurfaceDescriptor;
use crate::surface::{Lease, SwapchainId};

/// Which surface: a slot of one swapchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) swapchain: SwapchainId,
    pub(super) slot: usize,
}

impl Key {
    pub(super) fn of(lease: &Lease) -> Self {
        Self { swapchain: lease.swapchain_id(), slot: lease.slot() }
    }
}

/// How the server gets at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A pixmap whose memory is the surface.
    Pixmap(Pixmap),
    /// The surface, as memory.
    Segment(Seg),
    /// Not at all: the host sends the pixels.
    Sent,
}

/// What the server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// To share the memory at all.
    Memory,
    /// To make a pixmap of it.
    Pixmap,
    /// What was to be done with one that it had refused.
    Echo,
}

#[derive(Debug)]
struct Buffer {
    key: Key,
    content: Content,
    made_by: RangeInclusive<Request>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    list: Vec<Buffer>,
    /// Errors of requests up to this one are the echo of a refusal.
    refused: Request,
}

impl Buffers {
    /// What the server has of a surface; made now if it has nothing yet.
    pub(super) fn get(
        &mut self,
        server: &Server,
        path: X11Path,
        lease: &Lease,
    ) -> Result<Content, Error> {
        let key = Key::of(lease);
        if path == X11Path::Put {
            return Ok(Content::Sent);
        }
        if let Some(buffer) = self.list.iter().find(|buffer| buffer.key == key) {
            return Ok(buffer.content);
        }
        let descriptor = *lease.surface().descriptor();
        let doing = "passing a surface to the X server";
        let file = lease.surface().memory().handle().try_clone_to_owned();
        let file = file.map_err(|source| Error::Os { doing, source })?;
        let conn = &server.conn;
        let segment = server.id()?;
        // Pixmaps need memory that the server could write, which it does not.
        let first = sent(conn.shm_attach_fd(segment, file, path == X11Path::SharedPut))?;
        let (content, last) = if path == X11Path::SharedPixmap {
            let pixmap = server.id()?;
            let (width, height) = layout(&descriptor);
            let (window, depth) = (server.window, server.visual.depth);
            let last =
                sent(conn.shm_create_pixmap(pixmap, window, width, height, depth, segment, 0))?;
            // The pixmap keeps the memory.
            sent(conn.shm_detach(segment))?;
            (Content::Pixmap(pixmap), last)
        } else {
            (Content::Segment(segment), first)
        };
        self.list.push(Buffer { key, content, made_by: first..=last });
        Ok(content)
    }

    /// Frees what is of other swapchains than the newest, and not in use.
    pub(super) fn free(
        &mut self,
        server: &Server,
        newest: Option<SwapchainId>,
        in_use: impl Fn(Key) -> bool,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        self.list.retain(|buffer| {
            let kept = Some(buffer.key.swapchain) == newest || in_use(buffer.key);
            if !kept && result.is_ok() {
                result = release(server, buffer.content).map(drop);
            }
            kept
        });
        result
    }

    /// What of a surface the server refused, if an error of this request says so.
    pub(super) fn refusal(&self, request: Request) -> Option<Refusal> {
        if request <= self.refused {
            return Some(Refusal::Echo);
        }
        let made = self.list.iter().map(|one| &one.made_by).find(|made| made.contains(&request))?;
        Some(if *made.start() == request { Refusal::Memory } else { Refusal::Pixmap })
    }

    /// Gives all of them up, because the server refused one.
    pub(super) fn give_up(&mut self, server: &Server) -> Result<(), Error> {
        for buffer in self.list.drain(..) {
            self.refused = release(server, buffer.content)?;
        }
        Ok(())
    }
}

/// Frees it. What still reads it keeps the memory until it has.
fn release(server: &Server, content: Content) -> Result<Request, Error> {
    match content {
        Content::Pixmap(pixmap) => sent(server.conn.free_pixmap(pixmap)),
        Content::Segment(segment) => sent(server.conn.shm_detach(segment)),
        Content::Sent => Ok(0),
    }
}

/// Columns and rows of the whole memory: a server's rows have no padding but the
/// one to 32 bits, so a surface's padding is pixels to it, which are not shown.
pub(super) fn layout(surface: &SurfaceDescriptor) -> (u16, u16) {
    let columns = surface.stride() / surface.format().bytes_per_pixel();
    let short = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    (short(columns), short(surface.size().height))
}

/// Whether a surface's rows are short enough for a pixmap.
pub(super) fn has_layout(surface: &SurfaceDescriptor) -> bool {
    const LONGEST: u16 = i16::MAX as u16;
    let (columns, rows) = layout(surface);
    columns <= LONGEST && rows <= LONGEST
}
