//! A window: winit's loop, and panes of the best kind that the display allows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use surfaceport::os::Waker;
use surfaceport::{
    Applied, Input, Modifiers, Pane as _, PaneWindow, Placement, Point, PointerAction, Rect, Scale,
    Size, Timestamp, WindowPane,
};
use winit::application::ApplicationHandler;
use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::event::{ElementState, KeyEvent, MouseScrollDelta, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoopProxy};
use winit::keyboard::Key as Logical;
use winit::window::{Window, WindowId};

use super::keys;
use super::probe::Display;
use super::record::{self, Recorded, Recording};
use super::toolkit;
use crate::options::{Grid, Options};
use crate::run::{Flow, Job, Key, Player, Report};

/// What a notch of a wheel scrolls by, in logical pixels: three lines.
const NOTCH: f64 = 48.0;
/// How often the title says how fast it is.
const TITLE_EVERY: Duration = Duration::from_secs(1);
/// Sessions have something to do.
struct Readable;

/// Plays until the window is closed, or the end.
pub(crate) fn drive(
    job: &Job,
    display: Display,
    recorder: Option<record::Shared>,
) -> anyhow::Result<Report> {
    let mut builder = toolkit::event_loop::<Readable>(display);
    let event_loop = builder.build().context("can't reach the display")?;
    let mut app =
        App { job, display, recorder, proxy: event_loop.create_proxy(), open: None, failed: None };
    event_loop.run_app(&mut app).context("the display is gone")?;
    match (app.failed, app.open) {
        (Some(error), _) => Err(error),
        (None, Some(open)) => open.player.finish(),
        (None, None) => anyhow::bail!("the display opened no window"),
    }
}

struct App<'a> {
    job: &'a Job,
    display: Display,
    recorder: Option<record::Shared>,
    proxy: EventLoopProxy<Readable>,
    open: Option<Open>,
    failed: Option<anyhow::Error>,
}

/// What there is once there is a window.
struct Open {
    // Dropped in this order: the thread has no fd that is closed, and the panes
    // go before the window.
    waker: Waker,
    player: Player<Recorded<WindowPane>>,
    panes: PaneWindow,
    window: Arc<Window>,
    grid: Grid,
    pointer: Pointer,
    modifiers: Modifiers,
    focused: bool,
    rate: Rate,
}

/// Where the pointer is and to whom it belongs.
#[derive(Default)]
struct Pointer {
    at: PhysicalPosition<f64>,
    /// The pane that it is in.
    pane: Option<usize>,
    /// Buttons that are down: while there are any it stays with its pane.
    down: u32,
}

impl App<'_> {
    fn fail_on<T>(&mut self, result: anyhow::Result<T>, event_loop: &ActiveEventLoop) -> Option<T> {
        result
            .map_err(|error| {
                self.failed.get_or_insert(error);
                event_loop.exit();
            })
            .ok()
    }
}

impl ApplicationHandler<Readable> for App<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.open.is_none() {
            let open = Open::new(self, event_loop);
            self.open = self.fail_on(open, event_loop);
        }
    }

    fn user_event(&mut self, _event_loop: &ActiveEventLoop, _readable: Readable) {}

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _id: WindowId, event: WindowEvent) {
        if let Some(open) = &mut self.open {
            let heard = open.hear(event);
            self.fail_on(heard, event_loop);
        }
    }

    /// After each batch of events, whoever sent them.
    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let Some(open) = &mut self.open else { return };
        let flow = open.player.dispatch();
        match self.fail_on(flow, event_loop) {
            Some(Flow::Running { wake_at }) => {
                let Some(open) = &mut self.open else { return };
                open.say_rate();
                open.waker.again();
                let now = (Instant::now(), Timestamp::now());
                let flow = wake_at.map(|at| ControlFlow::WaitUntil(now.0 + at.since(now.1)));
                event_loop.set_control_flow(flow.unwrap_or(ControlFlow::Wait));
            }
            Some(Flow::Done) => event_loop.exit(),
            None => {}
        }
    }
}

impl Open {
    fn new(app: &App<'_>, event_loop: &ActiveEventLoop) -> anyhow::Result<Self> {
        let App { job, display, recorder, proxy, .. } = app;
        let Options { size, panes: grid, .. } = job.options;
        let attributes = Window::default_attributes()
            .with_title("surfaceport")
            .with_inner_size(PhysicalSize::new(size.width, size.height));
        let attributes = toolkit::named(attributes, *display);
        let window = event_loop.create_window(attributes).context("can't open a window")?;
        let window = Arc::new(window);
        let size = inner_size(&window);
        let shared = PaneWindow::new(Arc::clone(&window), size);
        let panes = (0..grid.count())
            .map(|pane| {
                let rect = tile(size, grid, pane);
                shared.pane(place(rect), Size::new(rect.width, rect.height), scale(&window))
            })
            .collect::<Result<Vec<_>, _>>()?;
        // Never silent: each way that is not the best says why.
        for step in panes.iter().flat_map(WindowPane::steps) {
            tracing::warn!("{step}");
        }
        let panes = panes.into_iter().map(|pane| Recorded::new(pane, Recording(recorder.clone())));
        let player = Player::new(job, panes.collect())?;
        let proxy = proxy.clone();
        let waker = Waker::new(&player.fds(), move || proxy.send_event(Readable).is_ok())?;
        let mut open = Self {
            waker,
            player,
            panes: shared,
            window,
            grid,
            pointer: Pointer::default(),
            modifiers: Modifiers::NONE,
            focused: false,
            rate: Rate { since: Timestamp::now(), shown: 0 },
        };
        open.draw()?;
        Ok(open)
    }

    fn hear(&mut self, event: WindowEvent) -> anyhow::Result<()> {
        match event {
            WindowEvent::CloseRequested | WindowEvent::Destroyed => self.player.key(Key::Quit),
            WindowEvent::Resized(_) | WindowEvent::ScaleFactorChanged { .. } => self.resize()?,
            WindowEvent::RedrawRequested => self.draw()?,
            WindowEvent::Occluded(hidden) => {
                for pane in 0..self.grid.count() {
                    if let Some(view) = self.player.view_mut(pane) {
                        view.set_hidden(hidden);
                    }
                }
            }
            WindowEvent::Focused(focused) => {
                self.focused = focused;
                let pane = self.key_pane();
                self.send(pane, Input::Focus(focused))?;
            }
            WindowEvent::ModifiersChanged(modifiers) => {
                self.modifiers = keys::modifiers(modifiers.state());
            }
            // Keys that were down before are none of the child's.
            WindowEvent::KeyboardInput { event, is_synthetic: false, .. } => self.key(&event)?,
            WindowEvent::CursorMoved { position, .. } => self.moved(position)?,
            WindowEvent::CursorLeft { .. } if self.pointer.down == 0 => self.enter(None)?,
            WindowEvent::MouseInput { state, button, .. } => {
                let Some(button) = keys::button(button) else { return Ok(()) };
                match state {
                    ElementState::Pressed => {
                        self.pointer.down += 1;
                        self.point(PointerAction::Pressed(button))?;
                    }
                    ElementState::Released => {
                        self.pointer.down = self.pointer.down.saturating_sub(1);
                        self.point(PointerAction::Released(button))?;
                        // It may have been dragged out of its pane.
                        self.moved(self.pointer.at)?;
                    }
                }
            }
            WindowEvent::MouseWheel { delta, .. } => {
                // winit's positive is towards the content's start.
                let notch = NOTCH * self.window.scale_factor();
                let (x, y) = match delta {
                    MouseScrollDelta::LineDelta(x, y) => {
                        (f64::from(x) * notch, f64::from(y) * notch)
                    }
                    MouseScrollDelta::PixelDelta(by) => (by.x, by.y),
                };
                self.point(PointerAction::Scrolled(Point::new(-x, -y)))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn resize(&mut self) -> anyhow::Result<()> {
        let (size, scale) = (inner_size(&self.window), scale(&self.window));
        self.panes.canvas()?.resize(size)?;
        let mut applied = Applied::Now;
        for pane in 0..self.grid.count() {
            let rect = tile(size, self.grid, pane);
            if let Some(view) = self.player.view_mut(pane) {
                applied = applied.and(view.place(place(rect))?);
                applied = applied.and(view.resize(Size::new(rect.width, rect.height), scale)?);
            }
        }
        if applied == Applied::NeedsParentCommit { self.draw() } else { Ok(()) }
    }

    /// Draws what is of the window itself, and commits it: what the panes waited
    /// for is seen.
    fn draw(&mut self) -> anyhow::Result<()> {
        self.panes.canvas()?.redraw()?;
        for pane in 0..self.grid.count() {
            if let Some(view) = self.player.view_mut(pane) {
                view.parent_committed()?;
            }
        }
        Ok(())
    }

    /// The program's own keys; all others are the child's.
    fn key(&mut self, event: &KeyEvent) -> anyhow::Result<()> {
        let own = match &event.logical_key {
            Logical::Character(text) if text == "q" => Some(Key::Quit),
            Logical::Character(text) if text == "k" => Some(Key::KillChild),
            Logical::Named(winit::keyboard::NamedKey::Space) => Some(Key::PauseOrContinue),
            _ => None,
        };
        match own {
            Some(key) if event.state.is_pressed() && !event.repeat => self.player.key(key),
            Some(_) => {}
            None => {
                let pane = self.key_pane();
                self.send(pane, keys::key(event, self.modifiers))?;
            }
        }
        Ok(())
    }

    /// The pane that hears keys: the one under the pointer, or the first.
    fn key_pane(&self) -> usize {
        self.pointer.pane.unwrap_or(0)
    }

    fn moved(&mut self, at: PhysicalPosition<f64>) -> anyhow::Result<()> {
        self.pointer.at = at;
        if self.pointer.down == 0 {
            let size = inner_size(&self.window);
            let hit = |pane: &usize| contains(tile(size, self.grid, *pane), at);
            self.enter((0..self.grid.count()).find(hit))?;
        }
        self.point(PointerAction::Moved)
    }

    /// The pointer changes panes, and with it the focus.
    fn enter(&mut self, pane: Option<usize>) -> anyhow::Result<()> {
        if pane == self.pointer.pane {
            return Ok(());
        }
        let before = self.key_pane();
        self.point(PointerAction::Left)?;
        self.pointer.pane = pane;
        self.point(PointerAction::Entered)?;
        let now = self.key_pane();
        if self.focused && before != now {
            self.send(before, Input::Focus(false))?;
            self.send(now, Input::Focus(true))?;
        }
        Ok(())
    }

    /// Tells the pane that has the pointer what it does.
    fn point(&mut self, action: PointerAction) -> anyhow::Result<()> {
        let Some(pane) = self.pointer.pane else { return Ok(()) };
        let rect = tile(inner_size(&self.window), self.grid, pane);
        let PhysicalPosition { x, y } = self.pointer.at;
        let at = Point::new(x - f64::from(rect.x), y - f64::from(rect.y));
        self.send(pane, Input::Pointer { at, action, modifiers: self.modifiers })
    }

    fn send(&mut self, pane: usize, input: Input) -> anyhow::Result<()> {
        if let Some(view) = self.player.view_mut(pane) {
            view.session_mut().send_input(input)?;
        }
        Ok(())
    }

    /// Says in the title how many frames a second were shown.
    fn say_rate(&mut self) {
        let now = Timestamp::now();
        let time = now.since(self.rate.since);
        if time < TITLE_EVERY {
            return;
        }
        let panes = 0..self.grid.count();
        let shown = panes
            .filter_map(|pane| Some(self.player.view_mut(pane)?.pane().stats().shown))
            .sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "exact for 2^53 frames")]
        let rate = (shown - self.rate.shown) as f64 / time.as_secs_f64();
        self.window.set_title(&format!("surfaceport: {rate:.0} fps (q quit, k kill, space pause)"));
        self.rate = Rate { since: now, shown };
    }
}

/// What the title said last.
struct Rate {
    since: Timestamp,
    shown: u64,
}

/// Never empty: a window that is being minimised may say so.
fn inner_size(window: &Window) -> Size {
    let PhysicalSize { width, height } = window.inner_size();
    Size::new(width.max(1), height.max(1))
}

fn scale(window: &Window) -> Scale {
    Scale::from_f64(window.scale_factor())
}

/// A pane's share of the window; together they cover all of it.
fn tile(window: Size, grid: Grid, pane: usize) -> Rect {
    let pane = u32::try_from(pane).unwrap_or(u32::MAX);
    let (column, row) = (pane % grid.columns, pane / grid.columns);
    let edge = |len: u32, at: u32, of: u32| {
        u32::try_from(u64::from(len) * u64::from(at) / u64::from(of)).unwrap_or(len)
    };
    let (left, right) =
        (edge(window.width, column, grid.columns), edge(window.width, column + 1, grid.columns));
    let (top, bottom) =
        (edge(window.height, row, grid.rows), edge(window.height, row + 1, grid.rows));
    Rect::new(left, top, (right - left).max(1), (bottom - top).max(1))
}

fn place(rect: Rect) -> Placement {
    let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    Placement::at(whole(rect.x), whole(rect.y))
}

fn contains(rect: Rect, at: PhysicalPosition<f64>) -> bool {
    let within = |at: f64, from: u32, len: u32| {
        (f64::from(from)..f64::from(from) + f64::from(len)).contains(&at)
    };
    within(at.x, rect.x, rect.width) && within(at.y, rect.y, rect.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_window_and_no_pixel_twice() {
        let grid: Grid = "3x2".parse().unwrap();
        let window = Size::new(101, 67);
        let mut covered = vec![0_u8; 101 * 67];
        for pane in 0..grid.count() {
            let rect = tile(window, grid, pane);
            for y in rect.y..rect.y + rect.height {
                for x in rect.x..rect.x + rect.width {
                    covered[(y * 101 + x) as usize] += 1;
                    let at = PhysicalPosition::new(f64::from(x) + 0.5, f64::from(y));
                    assert!(contains(rect, at));
                }
            }
        }
        assert!(covered.iter().all(|count| *count == 1));
    }

    #[test]
    fn a_window_of_one_pixel_has_panes_all_the_same() {
        let grid: Grid = "2x2".parse().unwrap();
        for pane in 0..4 {
            let rect = tile(Size::new(1, 1), grid, pane);
            assert_eq!((rect.width, rect.height), (1, 1));
        }
    }
}
