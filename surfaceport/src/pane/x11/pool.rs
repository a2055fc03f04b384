//! Pixmaps of the pane's size, for frames that can't be presented as they are:
//! stretched, with the host's fill around, or without a pixmap of their own.

use x11rb::protocol::xproto::{ConnectionExt as _, Pixmap};

use super::paint::new_pixmap;
use super::server::{Server, sent};
use crate::error::Error;
use crate::geometry::Size;

/// One is on display, one on its way, one is drawn into.
const MOST: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Pool {
    size: Size,
    /// And whether the server reads it.
    pixmaps: Vec<(Pixmap, bool)>,
}

impl Pool {
    /// A pixmap that nobody reads; it counts as read from now on. `None`: all
    /// are.
    pub(super) fn take(&mut self, server: &Server, size: Size) -> Result<Option<Pixmap>, Error> {
        if self.size != size {
            self.clear(server)?;
            self.size = size;
        }
        if let Some((pixmap, read)) = self.pixmaps.iter_mut().find(|(_, read)| !read) {
            *read = true;
            return Ok(Some(*pixmap));
        }
        if self.pixmaps.len() == MOST {
            return Ok(None);
        }
        let pixmap = new_pixmap(server, size)?;
        self.pixmaps.push((pixmap, true));
        Ok(Some(pixmap))
    }

    /// The server has read it.
    pub(super) fn give_back(&mut self, pixmap: Pixmap) {
        if let Some((_, read)) = self.pixmaps.iter_mut().find(|(one, _)| *one == pixmap) {
            *read = false;
        }
    }

    /// Frees all. What is still being read lives until it has been.
    pub(super) fn clear(&mut self, server: &Server) -> Result<(), Error> {
        for (pixmap, _) in self.pixmaps.drain(..) {
            sent(server.conn.free_pixmap(pixmap))?;
        }
        Ok(())
    }
}
