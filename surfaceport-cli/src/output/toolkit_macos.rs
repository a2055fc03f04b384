//! What of the window is the display's own: nothing, on macOS.

use winit::event_loop::{EventLoop, EventLoopBuilder};
use winit::window::WindowAttributes;

use super::probe::Display;

/// What builds the display's event loop.
pub(super) fn event_loop<T: 'static>(display: Display) -> EventLoopBuilder<T> {
    match display {
        Display::AppKit => EventLoop::with_user_event(),
    }
}

/// A window of this program's: it is named by its title.
pub(super) fn named(attributes: WindowAttributes, _display: Display) -> WindowAttributes {
    attributes
}
