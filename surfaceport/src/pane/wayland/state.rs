//! What the compositor says, in the order in which it said it.

use std::time::Duration;

use wayland_client::protocol::{
    wl_buffer, wl_callback, wl_compositor, wl_region, wl_registry, wl_shm, wl_shm_pool,
    wl_subcompositor, wl_subsurface, wl_surface,
};
use wayland_client::{Connection, Dispatch, Proxy, QueueHandle, WEnum, delegate_noop};
use wayland_protocols::wp::fractional_scale::v1::client::{
    wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
    wp_fractional_scale_v1::{self, WpFractionalScaleV1},
};
use wayland_protocols::wp::presentation_time::client::{
    wp_presentation::{self, WpPresentation},
    wp_presentation_feedback::{self, WpPresentationFeedback},
};
use wayland_protocols::wp::viewporter::client::{
    wp_viewport::WpViewport, wp_viewporter::WpViewporter,
};

use super::feedback::on_our_clock;
use crate::geometry::Scale;
use crate::time::Timestamp;

/// What a callback is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callback {
    /// Everything asked before has been answered.
    Done,
    /// The compositor wants a frame after the one of this number.
    Frame(u64),
    /// The change of this number has come to the display, and so has the
    /// parent's commit that it waited for.
    Applied(u64),
}

/// Something that the compositor said and that the pane has not handled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has let go of the buffer with this key.
    Released(u64),
    /// It showed the frame of this number.
    Shown { frame: u64, at: Option<Timestamp>, refresh: Duration },
    /// It did not.
    Discarded(u64),
    /// See [`Callback`].
    Called(Callback),
}

/// What is known of the compositor.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Number, interface and version of all that it offers.
    pub(super) globals: Vec<(u32, String, u32)>,
    /// Pixel formats of shared memory.
    pub(super) formats: Vec<wl_shm::Format>,
    /// The clock of presentation times.
    pub(super) clock: Option<u32>,
    /// The scale at which it shows the pane.
    pub(super) preferred_scale: Option<Scale>,
    pub(super) said: Vec<Said>,
}

impl State {
    /// Binds one of the globals; `None`: the compositor does not offer it.
    pub(super) fn bind<I>(
        &self,
        registry: &wl_registry::WlRegistry,
        version: u32,
        queue: &QueueHandle<Self>,
    ) -> Option<I>
    where
        I: Proxy + 'static,
        Self: Dispatch<I, ()>,
    {
        let wanted = I::interface().name;
        let (name, _, offered) =
            self.globals.iter().find(|(_, interface, _)| interface == wanted)?;
        Some(registry.bind(*name, version.min(*offered), queue, ()))
    }
}

impl Dispatch<wl_registry::WlRegistry, ()> for State {
    fn event(
        state: &mut Self,
        _: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event {
            state.globals.push((name, interface, version));
        }
    }
}

impl Dispatch<wl_shm::WlShm, ()> for State {
    fn event(
        state: &mut Self,
        _: &wl_shm::WlShm,
        event: wl_shm::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_shm::Event::Format { format: WEnum::Value(format) } = event {
            state.formats.push(format);
        }
    }
}

impl Dispatch<wl_callback::WlCallback, Callback> for State {
    fn event(
        state: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        what: &Callback,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.said.push(Said::Called(*what));
    }
}

impl Dispatch<wl_buffer::WlBuffer, u64> for State {
    fn event(
        state: &mut Self,
        _: &wl_buffer::WlBuffer,
        _: wl_buffer::Event,
        key: &u64,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.said.push(Said::Released(*key));
    }
}

impl Dispatch<WpPresentation, ()> for State {
    fn event(
        state: &mut Self,
        _: &WpPresentation,
        event: wp_presentation::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wp_presentation::Event::ClockId { clk_id } = event {
            state.clock = Some(clk_id);
        }
    }
}

impl Dispatch<WpPresentationFeedback, u64> for State {
    fn event(
        state: &mut Self,
        _: &WpPresentationFeedback,
        event: wp_presentation_feedback::Event,
        frame: &u64,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wp_presentation_feedback::Event::Presented {
                tv_sec_hi,
                tv_sec_lo,
                tv_nsec,
                refresh,
                ..
            } => {
                let seconds = u64::from(tv_sec_hi) << 32 | u64::from(tv_sec_lo);
                let at = Duration::from_secs(seconds) + Duration::from_nanos(tv_nsec.into());
                let at = state.clock.and_then(|clock| on_our_clock(clock, at));
                let refresh = Duration::from_nanos(refresh.into());
                state.said.push(Said::Shown { frame: *frame, at, refresh });
            }
            wp_presentation_feedback::Event::Discarded => state.said.push(Said::Discarded(*frame)),
            _ => {}
        }
    }
}

impl Dispatch<WpFractionalScaleV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &WpFractionalScaleV1,
        event: wp_fractional_scale_v1::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wp_fractional_scale_v1::Event::PreferredScale { scale } = event {
            state.preferred_scale = Scale::from_120ths(scale);
        }
    }
}

delegate_noop!(State: wl_compositor::WlCompositor);
delegate_noop!(State: wl_region::WlRegion);
delegate_noop!(State: wl_shm_pool::WlShmPool);
delegate_noop!(State: wl_subcompositor::WlSubcompositor);
delegate_noop!(State: wl_subsurface::WlSubsurface);
delegate_noop!(State: ignore wl_surface::WlSurface);
delegate_noop!(State: WpFractionalScaleManagerV1);
delegate_noop!(State: WpViewport);
delegate_noop!(State: WpViewporter);
