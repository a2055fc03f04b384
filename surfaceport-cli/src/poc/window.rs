//! The window in which the proof of concept's child is shown.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use surfaceport::os::macos::{PocChild, Waker};
use surfaceport::{Pane as _, PaneWindow, Placement, Scale, Size, WindowPane};
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy};
use winit::window::{Window, WindowId};

use super::{End, Show};

/// The child has done something.
struct Readable;

/// Shows frames until the window is closed, the child ends, or there were enough.
pub(super) fn drive(show: Show) -> anyhow::Result<End> {
    let event_loop = EventLoop::<Readable>::with_user_event().build();
    let event_loop = event_loop.context("can't reach the display")?;
    let mut app = App { show, proxy: event_loop.create_proxy(), open: None, over: None };
    event_loop.run_app(&mut app).context("the display is gone")?;
    app.over.unwrap_or_else(|| Ok(app.show.end(None)))
}

struct App {
    show: Show,
    proxy: EventLoopProxy<Readable>,
    open: Option<Open>,
    over: Option<anyhow::Result<End>>,
}

/// What there is once there is a window.
struct Open {
    // Dropped in this order: the pane goes before the window.
    waker: Waker,
    pane: WindowPane,
    panes: PaneWindow,
    window: Arc<Window>,
}

impl App {
    fn end(&mut self, how: anyhow::Result<End>, event_loop: &ActiveEventLoop) {
        self.over.get_or_insert(how);
        event_loop.exit();
    }

    fn open(&self, event_loop: &ActiveEventLoop) -> anyhow::Result<Open> {
        let Size { width, height } = PocChild::SIZE;
        let attributes = Window::default_attributes()
            .with_title("surfaceport: the proof of concept")
            .with_inner_size(PhysicalSize::new(width, height));
        let window = event_loop.create_window(attributes).context("can't open a window")?;
        let window = Arc::new(window);
        let panes = PaneWindow::new(Arc::clone(&window), size(&window));
        let scale = Scale::from_f64(window.scale_factor());
        let pane = panes.pane(Placement::at(0, 0), size(&window), scale)?;
        let proxy = self.proxy.clone();
        let wake = move || proxy.send_event(Readable).is_ok();
        let waker = Waker::new(&[self.show.host.as_fd()], wake)?;
        let mut open = Open { waker, pane, panes, window };
        open.draw()?;
        Ok(open)
    }
}

impl Open {
    fn draw(&mut self) -> anyhow::Result<()> {
        self.panes.canvas()?.redraw()?;
        Ok(self.pane.parent_committed()?)
    }

    fn hear(&mut self, event: &WindowEvent) -> anyhow::Result<()> {
        match event {
            WindowEvent::Resized(_) | WindowEvent::ScaleFactorChanged { .. } => {
                let (size, scale) =
                    (size(&self.window), Scale::from_f64(self.window.scale_factor()));
                self.panes.canvas()?.resize(size)?;
                // Its surfaces have one size for good.
                self.pane.resize(size, scale, surfaceport::Fit::Scale)?;
                self.draw()
            }
            WindowEvent::RedrawRequested => self.draw(),
            _ => Ok(()),
        }
    }
}

impl ApplicationHandler<Readable> for App {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.open.is_none() {
            match self.open(event_loop) {
                Ok(open) => self.open = Some(open),
                Err(error) => self.end(Err(error), event_loop),
            }
        }
    }

    fn user_event(&mut self, _event_loop: &ActiveEventLoop, _readable: Readable) {}

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _id: WindowId, event: WindowEvent) {
        if matches!(event, WindowEvent::CloseRequested | WindowEvent::Destroyed) {
            let end = self.show.end(None);
            return self.end(Ok(end), event_loop);
        }
        let Some(open) = &mut self.open else { return };
        if let Err(error) = open.hear(&event) {
            self.end(Err(error), event_loop);
        }
    }

    /// After each batch of events, whoever sent them.
    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let Some(open) = &mut self.open else { return };
        match self.show.turn(&mut open.pane) {
            Ok(Err(until)) => {
                open.waker.again();
                let until =
                    until.remaining().map(|left| ControlFlow::WaitUntil(Instant::now() + left));
                event_loop.set_control_flow(until.unwrap_or(ControlFlow::Wait));
            }
            Ok(Ok(end)) => self.end(Ok(end), event_loop),
            Err(error) => self.end(Err(error), event_loop),
        }
    }
}

/// Never empty: a window that is being minimised may say so.
fn size(window: &Window) -> Size {
    let PhysicalSize { width, height } = window.inner_size();
    Size::new(width.max(1), height.max(1))
}
