//! The compositor's buffers: one for each slot, made once for each swapchain. A
//! frame that has to be committed again while the compositor still reads it needs
//! another one of the same slot, so that each release says which it is of.

use std::os::fd::AsFd as _;

use wayland_client::QueueHandle;
use wayland_client::protocol::{wl_buffer::WlBuffer, wl_shm, wl_shm::WlShm};

use super::state::State;
use crate::error::PaneError;
use crate::format::Format;
use crate::surface::{Lease, Surface, SwapchainId};

/// A slot of the child, as the compositor knows it.
#[derive(Debug)]
struct Buffer {
    key: u64,
    swapchain: SwapchainId,
    slot: usize,
    buffer: WlBuffer,
    /// Held while the compositor reads the buffer, and for as long as its frame is
    /// on display: it may have to be shown anew.
    lease: Option<Lease>,
    /// From the commit to the compositor's release.
    busy: bool,
}

/// All buffers that the compositor has or may still read.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    all: Vec<Buffer>,
    last_key: u64,
    /// The one on display.
    newest: u64,
}

impl Buffers {
    /// Takes a frame that is going to be committed, instead of the one before:
    /// its slot's buffer, made if it is not there yet.
    ///
    /// It is `queue`'s to hear when the compositor lets go of it.
    pub(super) fn hold(
        &mut self,
        lease: Lease,
        shm: &WlShm,
        formats: &[wl_shm::Format],
        queue: &QueueHandle<State>,
    ) -> Result<WlBuffer, PaneError> {
        let (swapchain, slot) = (lease.swapchain_id(), lease.slot());
        let same = |buffer: &&mut Buffer| {
            (buffer.swapchain, buffer.slot, buffer.busy) == (swapchain, slot, false)
        };
        let (key, wl_buffer) = if let Some(known) = self.all.iter_mut().find(same) {
            known.lease = Some(lease);
            known.busy = true;
            (known.key, known.buffer.clone())
        } else {
            let key = self.last_key + 1;
            let buffer = import(lease.surface(), key, shm, formats, queue)?;
            self.last_key = key;
            let wl_buffer = buffer.clone();
            let lease = Some(lease);
            self.all.push(Buffer { key, swapchain, slot, buffer, lease, busy: true });
            (key, wl_buffer)
        };
        self.newest = key;
        self.tidy();
        Ok(wl_buffer)
    }

    /// The same once more, for the frame on display.
    pub(super) fn hold_again(
        &mut self,
        shm: &WlShm,
        formats: &[wl_shm::Format],
        queue: &QueueHandle<State>,
    ) -> Result<Option<WlBuffer>, PaneError> {
        let newest = self.all.iter().find(|buffer| buffer.key == self.newest);
        let lease = newest.and_then(|buffer| buffer.lease.as_ref().map(Lease::share));
        lease.map(|lease| self.hold(lease, shm, formats, queue)).transpose()
    }

    /// The compositor has let go of a buffer: its slot goes back to the child.
    pub(super) fn release(&mut self, key: u64) {
        if let Some(buffer) = self.all.iter_mut().find(|buffer| buffer.key == key) {
            buffer.busy = false;
        }
        self.tidy();
    }

    /// Gives back what nobody needs. The buffers of other swapchains go too: no
    /// frame of theirs comes any more.
    fn tidy(&mut self) {
        let newest = self.all.iter().find(|buffer| buffer.key == self.newest);
        let current = newest.map(|buffer| buffer.swapchain);
        for buffer in self.all.iter_mut().filter(|buffer| !buffer.busy) {
            if buffer.key != self.newest {
                buffer.lease = None;
            }
        }
        self.all.retain(|buffer| {
            let wanted = buffer.busy || Some(buffer.swapchain) == current;
            if !wanted {
                buffer.buffer.destroy();
            }
            wanted
        });
    }

    /// How many slots are held.
    pub(super) fn held(&self) -> usize {
        let mut slots: Vec<_> = self
            .all
            .iter()
            .filter(|buffer| buffer.lease.is_some())
            .map(|buffer| (buffer.swapchain, buffer.slot))
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots.len()
    }

    /// Destroys all, once the surface that showed them is gone.
    pub(super) fn clear(&mut self) {
        for buffer in self.all.drain(..) {
            buffer.buffer.destroy();
        }
    }
}

/// Shares a surface's memory with the compositor. It has been proved to be sealed
/// against resizing: cut short, it would end the host's own connection.
///
/// Other kinds of memory (a dma-buf) would be imported here.
fn import(
    surface: &Surface,
    key: u64,
    shm: &WlShm,
    formats: &[wl_shm::Format],
    queue: &QueueHandle<State>,
) -> Result<WlBuffer, PaneError> {
    let descriptor = surface.descriptor();
    let format = shm_format(descriptor.format())
        .filter(|format| formats.contains(format))
        .ok_or(PaneError::Format(descriptor.format()))?;
    // All are within MAX_SIDE and MAX_STRIDE; only the whole can be too long.
    let too_large = |_| PaneError::Refused {
        what: format!("{} is more memory than it takes", descriptor.size()),
        fatal: false,
    };
    let length = i32::try_from(surface.memory_bytes()).map_err(too_large)?;
    let [width, height, stride] =
        [descriptor.size().width, descriptor.size().height, descriptor.stride()]
            .map(|value| i32::try_from(value).unwrap_or(i32::MAX));
    let pool = shm.create_pool(surface.memory().handle().as_fd(), length, queue, ());
    let buffer = pool.create_buffer(0, width, height, stride, format, queue, key);
    pool.destroy();
    Ok(buffer)
}

/// The protocol's name of a format.
fn shm_format(format: Format) -> Option<wl_shm::Format> {
    Some(match format {
        Format::Bgra8 => wl_shm::Format::Argb8888,
        Format::Bgrx8 => wl_shm::Format::Xrgb8888,
        Format::Rgba8 => wl_shm::Format::Abgr8888,
        Format::Bgr10a2 => wl_shm::Format::Argb2101010,
        Format::Rgba16f => wl_shm::Format::Abgr16161616f,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_the_protocols_of_the_same_code() {
        for format in Format::ALL {
            let code = match shm_format(format).unwrap() {
                // These two have numbers of their own, from before.
                wl_shm::Format::Argb8888 => Format::Bgra8.fourcc(),
                wl_shm::Format::Xrgb8888 => Format::Bgrx8.fourcc(),
                other => u32::from(other),
            };
            assert_eq!(code, format.fourcc(), "{format}");
        }
    }
}
