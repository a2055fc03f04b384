//! The pane's two surfaces.
//!
//! The *anchor*, one transparent pixel, is a subsurface of the host's window and
//! moves with it. The *content*, which shows the child's frames, is a subsurface
//! of the anchor: its place in the pane takes effect with the anchor's commit,
//! which is the pane's own, and not with the window's, which is the toolkit's.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use rustix::fs::{MemfdFlags, SealFlags};
use wayland_client::QueueHandle;
use wayland_client::protocol::{
    wl_buffer::WlBuffer, wl_compositor::WlCompositor, wl_shm, wl_shm::WlShm,
    wl_subcompositor::WlSubcompositor, wl_subsurface::WlSubsurface, wl_surface::WlSurface,
};
use wayland_protocols::wp::viewporter::client::{
    wp_viewport::WpViewport, wp_viewporter::WpViewporter,
};

use super::layout::{Layout, logical};
use super::state::{Callback, State};
use crate::error::PaneError;
use crate::geometry::{Damage, Scale};
use crate::pane::{Placement, Stacking};

/// The pane's part of the window's tree.
#[derive(Debug)]
pub(super) struct Surfaces {
    parent: WlSurface,
    anchor: WlSurface,
    anchor_role: WlSubsurface,
    /// What makes the anchor, and all below it, seen.
    pixel: WlBuffer,
    pub(super) content: WlSurface,
    content_role: WlSubsurface,
    viewport: WpViewport,
    /// The anchor has its pixel.
    mapped: bool,
    /// Everything waits for the window's commit.
    waiting: bool,
    layout: Option<Layout>,
}

impl Surfaces {
    pub(super) fn new(
        parent: WlSurface,
        compositor: &WlCompositor,
        subcompositor: &WlSubcompositor,
        viewporter: &WpViewporter,
        shm: &WlShm,
        queue: &QueueHandle<State>,
    ) -> Result<Self, PaneError> {
        let pixel = transparent_pixel(shm, queue)?;
        let anchor = compositor.create_surface(queue, ());
        let anchor_role = subcompositor.get_subsurface(&anchor, &parent, queue, ());
        anchor_role.set_desync();
        let content = compositor.create_surface(queue, ());
        let content_role = subcompositor.get_subsurface(&content, &anchor, queue, ());
        content_role.set_desync();
        // Clicks go through to the host's window.
        let nowhere = compositor.create_region(queue, ());
        anchor.set_input_region(Some(&nowhere));
        content.set_input_region(Some(&nowhere));
        nowhere.destroy();
        let viewport = viewporter.get_viewport(&content, queue, ());
        // The anchor is there from the window's next commit, so that the first
        // frame needs none of its own.
        anchor.attach(Some(&pixel), 0, 0);
        anchor.damage_buffer(0, 0, 1, 1);
        anchor.commit();
        Ok(Self {
            parent,
            anchor,
            anchor_role,
            pixel,
            content,
            content_role,
            viewport,
            mapped: true,
            waiting: false,
            layout: None,
        })
    }

    /// Its place in the window, from the window's next commit.
    pub(super) fn place(&self, placement: &Placement, scale: Scale) {
        let [x, y] = [placement.x, placement.y].map(|at| logical(at.into(), scale));
        self.anchor_role.set_position(x, y);
    }

    /// Above or below the host's drawing, from the window's next commit.
    pub(super) fn stack(&self, stacking: Stacking) {
        match stacking {
            Stacking::Above => self.anchor_role.place_above(&self.parent),
            Stacking::Below => self.anchor_role.place_below(&self.parent),
        }
    }

    /// From now on everything waits for the window's next commit, which
    /// `change` names in the callback.
    pub(super) fn synchronise(&mut self, change: u64, queue: &QueueHandle<State>) {
        self.waiting = true;
        self.anchor_role.set_sync();
        // It would wait with its parent anyway; but wlroots forgets what waits in
        // a surface that is not told so itself.
        self.content_role.set_sync();
        let _callback = self.anchor.frame(queue, Callback::Applied(change));
    }

    /// It does not wait any more.
    pub(super) fn desynchronise(&mut self) {
        self.waiting = false;
        self.anchor_role.set_desync();
        self.content_role.set_desync();
    }

    /// Shows the content as laid out, or nothing, and commits it: with this
    /// buffer, of which so much has changed, or with the one that it has. Whether it comes back from nothing,
    /// which is seen from the window's next commit.
    pub(super) fn show(
        &mut self,
        layout: Option<Layout>,
        frame: Option<(&WlBuffer, &Damage)>,
    ) -> bool {
        // What concerns both surfaces is seen in one step: the content's state
        // waits for the anchor's commit.
        let moved = layout.map(|it| it.offset) != self.layout.map(|it| it.offset);
        let mapped = layout.is_some();
        let both = moved || mapped != self.mapped || self.waiting;
        if both && !self.waiting {
            self.content_role.set_sync();
        }
        let changed = layout.filter(|layout| Some(*layout) != self.layout);
        if let Some(layout) = changed {
            let [x, y, width, height] = layout.source;
            self.viewport.set_source(x, y, width, height);
            self.viewport.set_destination(layout.destination.0, layout.destination.1);
            self.content_role.set_position(layout.offset.0, layout.offset.1);
        }
        if let Some((buffer, damage)) = frame {
            self.content.attach(Some(buffer), 0, 0);
            // What is seen now and was not before counts as changed.
            self.damage(if changed.is_some() || both { &Damage::FULL } else { damage });
        }
        self.content.commit();
        if both {
            if mapped != self.mapped {
                self.anchor.attach(mapped.then_some(&self.pixel), 0, 0);
            }
            // weston draws what is new below the anchor only if the anchor is.
            self.anchor.damage_buffer(0, 0, 1, 1);
            self.anchor.commit();
        }
        if both && !self.waiting {
            self.content_role.set_desync();
        }
        let returned = mapped && !self.mapped;
        self.mapped = mapped;
        // Out of sight the viewport keeps what it had.
        self.layout = layout.or(self.layout);
        returned
    }

    fn damage(&self, damage: &Damage) {
        let Some(rects) = damage.rects() else {
            self.content.damage_buffer(0, 0, i32::MAX, i32::MAX);
            return;
        };
        for rect in rects {
            let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height]
                .map(|value| i32::try_from(value).unwrap_or(i32::MAX));
            self.content.damage_buffer(x, y, width, height);
        }
    }

    /// Commits what `synchronise` and `place` asked, where nothing else does.
    pub(super) fn commit(&self) {
        self.anchor.commit();
    }

    /// Takes the pane out of the window, at once.
    pub(super) fn destroy(&self) {
        self.viewport.destroy();
        self.content_role.destroy();
        self.content.destroy();
        self.anchor_role.destroy();
        self.anchor.destroy();
        self.pixel.destroy();
    }
}

/// A buffer of one pixel that nobody sees.
fn transparent_pixel(shm: &WlShm, queue: &QueueHandle<State>) -> Result<WlBuffer, PaneError> {
    const PIXEL: [u8; 4] = [0; 4];
    let refused = |error: std::io::Error| PaneError::NoServer { what: error.to_string() };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create("surfaceport-pane", flags)
        .map_err(|errno| refused(errno.into()))?;
    let mut memory = std::fs::File::from(memory);
    memory.write_all(&PIXEL).map_err(refused)?;
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW)
        .map_err(|errno| refused(errno.into()))?;
    let pool = shm.create_pool(memory.as_fd(), 4, queue, ());
    // Its release says nothing to anybody: no buffer has this key.
    let buffer = pool.create_buffer(0, 1, 1, 4, wl_shm::Format::Argb8888, queue, 0);
    pool.destroy();
    Ok(buffer)
}
