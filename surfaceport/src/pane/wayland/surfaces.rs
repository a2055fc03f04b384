//! The pane's surfaces.
//!
//! The *anchor*, one transparent pixel, is a subsurface of the host's window and
//! moves with it. The *content*, which shows the child's frames, is a subsurface
//! of the anchor: its place in the pane takes effect with the anchor's commit,
//! which is the pane's own, and not with the window's, which is the toolkit's.
//! Below the content is the *fill*: one pixel, as large as the pane, where a frame
//! leaves some of that free and the host wants no drawing of its own to be seen.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, SealFlags};
use wayland_client::QueueHandle;
use wayland_client::protocol::{
    wl_buffer::WlBuffer, wl_compositor::WlCompositor, wl_region::WlRegion, wl_shm, wl_shm::WlShm,
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
    nowhere: WlRegion,
    fill: Fill,
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
        let (pixel, _memory) = one_pixel(shm, queue)?;
        let (colour, memory) = one_pixel(shm, queue)?;
        let anchor = compositor.create_surface(queue, ());
        let anchor_role = subcompositor.get_subsurface(&anchor, &parent, queue, ());
        anchor_role.set_desync();
        let around = compositor.create_surface(queue, ());
        let fill = Fill {
            role: subcompositor.get_subsurface(&around, &anchor, queue, ()),
            viewport: viewporter.get_viewport(&around, queue, ()),
            surface: around,
            pixel: colour,
            memory,
            wanted: false,
            layout: None,
        };
        let content = compositor.create_surface(queue, ());
        let content_role = subcompositor.get_subsurface(&content, &anchor, queue, ());
        content_role.set_desync();
        // Clicks go through to the host's window.
        let nowhere = compositor.create_region(queue, ());
        for surface in [&anchor, &content, &fill.surface] {
            surface.set_input_region(Some(&nowhere));
        }
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
            nowhere,
            fill,
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

    /// Whether clicks are the content's own, from its next commit.
    pub(super) fn take_input(&self, takes: bool) {
        self.content.set_input_region((!takes).then_some(&self.nowhere));
    }

    /// The colour around frames that do not fill the pane; `None`: the window's
    /// own drawing. Seen with what is shown next.
    pub(super) fn set_fill(&mut self, colour: Option<[u8; 3]>) -> Result<(), PaneError> {
        self.fill.wanted = colour.is_some();
        let Some([red, green, blue]) = colour else { return Ok(()) };
        // The compositor may be reading it: then it sees the one or the other.
        let written = self.fill.memory.write_all_at(&[blue, green, red, 255], 0);
        written.map_err(|error| PaneError::NoServer { what: error.to_string() })?;
        self.fill.layout = None;
        Ok(())
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

    /// Shows the content as laid out in this much of the pane, or nothing, and
    /// commits it: with this buffer, of which so much has changed, or with the one
    /// that it has. Whether it comes back from nothing, which is seen from the
    /// window's next commit.
    pub(super) fn show(
        &mut self,
        layout: Option<Layout>,
        pane: Option<Layout>,
        frame: Option<(&WlBuffer, &Damage)>,
    ) -> bool {
        let fill = pane.filter(|pane| self.fill.wanted && layout.is_some_and(|it| it.leaves(pane)));
        let refilled = fill != self.fill.layout;
        // What concerns both surfaces is seen in one step: the content's state
        // waits for the anchor's commit.
        let moved = layout.map(|it| it.offset) != self.layout.map(|it| it.offset);
        let mapped = layout.is_some();
        let both = moved || mapped != self.mapped || refilled || self.waiting;
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
        if refilled {
            self.fill.show(fill, &self.pixel);
        }
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
        self.fill.destroy();
        self.nowhere.destroy();
        self.anchor_role.destroy();
        self.anchor.destroy();
        self.pixel.destroy();
    }
}

/// What is around the frame.
#[derive(Debug)]
struct Fill {
    surface: WlSurface,
    /// Synchronised, as it is from the start: it is seen with the anchor's commit.
    role: WlSubsurface,
    viewport: WpViewport,
    pixel: WlBuffer,
    memory: File,
    wanted: bool,
    layout: Option<Layout>,
}

impl Fill {
    /// Shows it there, or `nothing`: one transparent pixel. Without any buffer,
    /// wlroots would leave on the screen what there was.
    fn show(&mut self, layout: Option<Layout>, nothing: &WlBuffer) {
        let (offset, destination) =
            layout.map_or(((0, 0), (1, 1)), |layout| (layout.offset, layout.destination));
        self.viewport.set_destination(destination.0, destination.1);
        self.role.set_position(offset.0, offset.1);
        self.surface.attach(Some(if layout.is_some() { &self.pixel } else { nothing }), 0, 0);
        self.surface.damage_buffer(0, 0, 1, 1);
        self.surface.commit();
        self.layout = layout;
    }

    fn destroy(&self) {
        self.viewport.destroy();
        self.role.destroy();
        self.surface.destroy();
        self.pixel.destroy();
    }
}

/// A buffer of one pixel, transparent at first, and its memory.
fn one_pixel(shm: &WlShm, queue: &QueueHandle<State>) -> Result<(WlBuffer, File), PaneError> {
    const PIXEL: [u8; 4] = [0; 4];
    let refused = |error: std::io::Error| PaneError::NoServer { what: error.to_string() };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create("surfaceport-pane", flags)
        .map_err(|errno| refused(errno.into()))?;
    let memory = File::from(memory);
    memory.write_all_at(&PIXEL, 0).map_err(refused)?;
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW)
        .map_err(|errno| refused(errno.into()))?;
    let pool = shm.create_pool(memory.as_fd(), 4, queue, ());
    // Its release says nothing to anybody: no buffer has this key.
    let buffer = pool.create_buffer(0, 1, 1, 4, wl_shm::Format::Argb8888, queue, 0);
    pool.destroy();
    Ok((buffer, memory))
}
