//! The window, on Linux.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::Anything;
use adapters::Host;
use surfaceport::os::Waker;
use surfaceport::{Applied, PaneWindow, Placement, Scale, Size, View, WindowPane};
use winit::application::ApplicationHandler;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop, EventLoopProxy};
use winit::window::{Window, WindowId};

/// What wakes the loop: the view has something to say.
struct Readable;

struct App {
    proxy: EventLoopProxy<Readable>,
    open: Option<Open>,
    failed: Option<Anything>,
}

struct Open {
    waker: Waker,
    host: Host<WindowPane>,
    window: Arc<Window>,
}

impl Open {
    fn new(
        event_loop: &ActiveEventLoop,
        proxy: EventLoopProxy<Readable>,
    ) -> Result<Self, Anything> {
        let window = Arc::new(event_loop.create_window(Window::default_attributes())?);
        let size = size(&window);
        let scale = Scale::from_f64(window.scale_factor());
        let panes = PaneWindow::new(Arc::clone(&window), size).require_zero_copy();
        let pane = panes.pane(Placement::at(0, 0), size, scale)?;
        eprintln!("{}", pane.path());
        let host = Host::new(View::new(adapters::session()?, pane)?);
        let wake = move || proxy.send_event(Readable).is_ok();
        let waker = Waker::new(&[host.view.as_fd()], wake)?;
        Ok(Self { waker, host, window })
    }

    fn resize(&mut self) -> Result<(), Anything> {
        let scale = Scale::from_f64(self.window.scale_factor());
        if self.host.view.resize(size(&self.window), scale)? == Applied::NeedsParentCommit {
            // Here a toolkit draws its own part of the window, and commits it.
            self.host.view.parent_committed()?;
        }
        Ok(())
    }
}

/// Never empty.
fn size(window: &Window) -> Size {
    let size = window.inner_size();
    Size::new(size.width.max(1), size.height.max(1))
}

impl App {
    fn end(&mut self, event_loop: &ActiveEventLoop, error: impl Into<Anything>) {
        self.failed = Some(error.into());
        event_loop.exit();
    }
}

impl ApplicationHandler<Readable> for App {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        match Open::new(event_loop, self.proxy.clone()) {
            Ok(open) => self.open = Some(open),
            Err(error) => self.end(event_loop, error),
        }
    }

    fn user_event(&mut self, _event_loop: &ActiveEventLoop, _readable: Readable) {}

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _id: WindowId, event: WindowEvent) {
        let resized = match (&mut self.open, event) {
            (_, WindowEvent::CloseRequested) => {
                event_loop.exit();
                Ok(())
            }
            (Some(open), WindowEvent::Resized(_)) => open.resize(),
            _ => Ok(()),
        };
        resized.unwrap_or_else(|error| self.end(event_loop, error));
    }

    /// After each batch of events, whoever sent them.
    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let Some(open) = &mut self.open else { return };
        match open.host.turn() {
            Ok(true) => open.waker.again(),
            Ok(false) => event_loop.exit(),
            Err(error) => return self.end(event_loop, error),
        }
        let end = open.host.patience().map(|left| std::time::Instant::now() + left);
        let flow = end.map(winit::event_loop::ControlFlow::WaitUntil);
        event_loop.set_control_flow(flow.unwrap_or(winit::event_loop::ControlFlow::Wait));
    }
}

/// Runs until the window is closed.
pub(super) fn run() -> Result<(), Anything> {
    let event_loop = EventLoop::<Readable>::with_user_event().build()?;
    let mut app = App { proxy: event_loop.create_proxy(), open: None, failed: None };
    event_loop.run_app(&mut app)?;
    app.failed.map_or(Ok(()), Err)
}
