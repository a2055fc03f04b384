//! What of the window is the display's own.

use winit::event_loop::{EventLoop, EventLoopBuilder};
use winit::platform::wayland::{EventLoopBuilderExtWayland as _, WindowAttributesExtWayland};
use winit::platform::x11::{EventLoopBuilderExtX11 as _, WindowAttributesExtX11};
use winit::window::WindowAttributes;

use super::probe::Display;

/// What builds the display's event loop.
pub(super) fn event_loop<T: 'static>(display: Display) -> EventLoopBuilder<T> {
    let mut builder = EventLoop::with_user_event();
    match display {
        Display::Wayland => builder.with_wayland(),
        Display::X11 => builder.with_x11(),
    };
    builder
}

/// A window of this program's, by what window managers know it.
pub(super) fn named(attributes: WindowAttributes, display: Display) -> WindowAttributes {
    let name = "surfaceport";
    match display {
        Display::Wayland => WindowAttributesExtWayland::with_name(attributes, name, ""),
        Display::X11 => WindowAttributesExtX11::with_name(attributes, name, name),
    }
}
