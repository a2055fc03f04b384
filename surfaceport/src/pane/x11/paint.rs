//! Drawing a frame into something of the server's: the pane's window, or a
//! pixmap that is presented later.

use x11rb::connection::RequestConnection as _;
use x11rb::protocol::render::{
    ConnectionExt as _, CreatePictureAux, Fixed, PictOp, Pictformat, Repeat, Transform,
};
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat, Pixmap};

use super::buffers::{self, Content};
use super::fit::{Place, rectangle};
use super::server::{Request, Server, sent};
use crate::error::Error;
use crate::geometry::{Rect, Size, SurfaceDescriptor};
use crate::surface::Lease;

/// A frame's pixels as bytes.
const Z: u8 = 2;
/// Bytes of a PutImage before its pixels, with the longer length.
const PUT_HEADER: usize = 28;

/// Draws frames; keeps what it needs for it.
#[derive(Debug, Default)]
pub(super) struct Painter {
    /// A pixmap of a frame's size, for frames that need two steps.
    scratch: Option<(Pixmap, Size)>,
    /// A frame's pixels on their way, where the host copies them.
    bytes: Vec<u8>,
    /// How many frames the host copied.
    pub(super) copies: u64,
}

impl Painter {
    /// Draws a frame at its place and the host's fill around it. The last
    /// request: when it has been handled, the surface has been read.
    pub(super) fn draw(
        &mut self,
        server: &Server,
        target: Drawable,
        content: Content,
        lease: &Lease,
        place: Place,
    ) -> Result<Request, Error> {
        let margins: Vec<_> = place.margins().collect();
        if !margins.is_empty() {
            sent(server.conn.poly_fill_rectangle(target, server.gc, &margins))?;
        }
        match content {
            Content::Pixmap(pixmap) if !place.is_scaled() => {
                copy(server, pixmap, target, place.frame, (place.x, place.y))
            }
            Content::Segment(_) if !place.is_scaled() => {
                put(server, content, lease, target, (place.x, place.y))
            }
            Content::Pixmap(pixmap) if is_bare(lease) => scale(server, pixmap, target, place),
            _ => {
                // A frame that is exactly as large as its pixmap: nothing from
                // beside it can bleed into its edges.
                let scratch = self.scratch(server, place.frame)?;
                match content {
                    Content::Pixmap(pixmap) => {
                        copy(server, pixmap, scratch, place.frame, (0, 0))?;
                    }
                    Content::Segment(_) => {
                        put(server, content, lease, scratch, (0, 0))?;
                    }
                    Content::Sent => self.send(server, lease, scratch)?,
                }
                if place.is_scaled() {
                    scale(server, scratch, target, place)
                } else {
                    copy(server, scratch, target, place.frame, (place.x, place.y))
                }
            }
        }
    }

    fn scratch(&mut self, server: &Server, size: Size) -> Result<Pixmap, Error> {
        if let Some((pixmap, has)) = self.scratch {
            if has == size {
                return Ok(pixmap);
            }
            sent(server.conn.free_pixmap(pixmap))?;
            self.scratch = None;
        }
        let pixmap = new_pixmap(server, size)?;
        self.scratch = Some((pixmap, size));
        Ok(pixmap)
    }

    /// Copies the pixels out and sends them.
    fn send(&mut self, server: &Server, lease: &Lease, target: Pixmap) -> Result<(), Error> {
        let surface = lease.surface();
        let descriptor = surface.descriptor();
        let row_bytes = descriptor.row_bytes() as usize;
        self.bytes.resize(row_bytes * descriptor.size().height as usize, 0);
        surface.copy_to(&mut self.bytes)?;
        self.copies += 1;
        let room = server.conn.maximum_request_bytes().saturating_sub(PUT_HEADER);
        let rows = (room / row_bytes).max(1);
        let mut y = 0;
        for chunk in self.bytes.chunks(rows * row_bytes) {
            let height = u32::try_from(chunk.len() / row_bytes).unwrap_or(0);
            let at = rectangle(Rect::new(0, y, descriptor.size().width, height));
            sent(server.conn.put_image(
                ImageFormat::Z_PIXMAP,
                target,
                server.gc,
                at.width,
                at.height,
                0,
                at.y,
                0,
                server.visual.depth,
                chunk,
            ))?;
            y += height;
        }
        Ok(())
    }
}

/// A pixmap of the window's depth.
pub(super) fn new_pixmap(server: &Server, size: Size) -> Result<Pixmap, Error> {
    let pixmap = server.id()?;
    let extent = rectangle(size.into());
    let depth = server.visual.depth;
    sent(server.conn.create_pixmap(depth, pixmap, server.window, extent.width, extent.height))?;
    Ok(pixmap)
}

/// Whether a frame is all that is in its pixmap.
fn is_bare(lease: &Lease) -> bool {
    let surface = lease.surface().descriptor();
    lease.size() == surface.size() && surface.stride() == surface.row_bytes()
}

fn copy(
    server: &Server,
    from: Pixmap,
    to: Drawable,
    size: Size,
    (x, y): (i16, i16),
) -> Result<Request, Error> {
    let extent = rectangle(size.into());
    let (width, height) = (extent.width, extent.height);
    sent(server.conn.copy_area(from, to, server.gc, 0, 0, x, y, width, height))
}

/// The server copies the frame out of the surface.
fn put(
    server: &Server,
    content: Content,
    lease: &Lease,
    to: Drawable,
    (x, y): (i16, i16),
) -> Result<Request, Error> {
    let Content::Segment(segment) = content else { return Ok(0) };
    let surface: &SurfaceDescriptor = lease.surface().descriptor();
    let (columns, rows) = buffers::layout(surface);
    let extent = rectangle(lease.size().into());
    sent(server.conn.shm_put_image(
        to,
        server.gc,
        columns,
        rows,
        0,
        0,
        extent.width,
        extent.height,
        x,
        y,
        server.visual.depth,
        Z,
        false,
        segment,
        0,
    ))
}

/// Draws a pixmap, stretched, over all of the pane.
fn scale(server: &Server, from: Pixmap, to: Drawable, place: Place) -> Result<Request, Error> {
    let conn = &server.conn;
    let format: Pictformat = server.pictures.unwrap_or(0);
    let (source, target) = (server.id()?, server.id()?);
    // At the edges the frame's own pixels go on.
    let edges = CreatePictureAux::new().repeat(Repeat::PAD);
    sent(conn.render_create_picture(source, from, format, &edges))?;
    sent(conn.render_create_picture(target, to, format, &CreatePictureAux::new()))?;
    let matrix = Transform {
        matrix11: ratio(place.frame.width, place.size.width),
        matrix22: ratio(place.frame.height, place.size.height),
        matrix33: ratio(1, 1),
        ..Transform::default()
    };
    sent(conn.render_set_picture_transform(source, matrix))?;
    sent(conn.render_set_picture_filter(source, b"bilinear", &[]))?;
    let extent = rectangle(place.size.into());
    let drawn = sent(conn.render_composite(
        PictOp::SRC,
        source,
        0_u32,
        target,
        0,
        0,
        0,
        0,
        place.x,
        place.y,
        extent.width,
        extent.height,
    ))?;
    sent(conn.render_free_picture(source))?;
    sent(conn.render_free_picture(target))?;
    Ok(drawn)
}

/// A fraction as the protocol has it, in 65536ths.
fn ratio(of: u32, to: u32) -> Fixed {
    let ratio = (u64::from(of) << 16) / u64::from(to.max(1));
    Fixed::try_from(ratio).unwrap_or(Fixed::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_fixed_point() {
        assert_eq!(ratio(1, 1), 1 << 16);
        assert_eq!(ratio(1, 2), 1 << 15);
        assert_eq!(ratio(3, 2), 3 << 15);
        assert_eq!(ratio(1, 0), 1 << 16);
        assert_eq!(ratio(u32::MAX, 1), Fixed::MAX);
    }
}
