//! Live in the terminal: by kitty's graphics, by sixels or by half blocks.

mod graphics;
mod pane;
mod picture;
mod screen;

use std::cell::{Cell, RefCell};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use surfaceport::{Input, KeyCode, KeyState, Modifiers, Pane as _, Scale, Size, Timestamp};

use self::pane::{Area, TerminalPane};
use self::screen::Screen;
use crate::options::Grid;
use crate::output::record::{self, Recorded, Recording};
use crate::run::{Flow, Job, Key, Player, Report};

/// How often the last line says how fast it is.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Whether frames can be shown there, and if not, why.
pub(crate) fn check() -> Result<(), String> {
    screen::check()
}

/// How frames would be shown there, by asking it; if they can't, why.
pub(crate) fn graphics() -> Result<&'static str, String> {
    check()?;
    let mut screen = Screen::enter().map_err(|error| error.to_string())?;
    let graphics = graphics::ask(&mut screen);
    screen.leave();
    Ok(graphics.name())
}

/// Plays until `q`, Ctrl-C, the terminal's end, or the end.
pub(crate) fn drive(job: &Job, recorder: Option<&record::Shared>) -> anyhow::Result<Report> {
    let mut screen = Screen::enter().context("can't take over the terminal")?;
    let graphics = graphics::ask(&mut screen);
    let screen = Rc::new(RefCell::new(screen));
    let grid = job.options.panes;
    let mut layout = Layout::of(&screen.borrow(), grid, job.options.size, 0);
    let areas: Vec<_> =
        (0..grid.count()).map(|pane| Rc::new(Cell::new(layout.area(pane)))).collect();
    let panes = areas.iter().map(|area| {
        let (screen, area) = (Rc::clone(&screen), Rc::clone(area));
        let pane = TerminalPane::new(screen, graphics, area, job.options.fps);
        Recorded::new(pane, Recording(recorder.cloned()))
    });
    let mut player = Player::new(job, panes.collect())?;
    let (mut resized, by_signal) = UnixStream::pair()?;
    resized.set_nonblocking(true)?;
    let winch = signal_hook::consts::SIGWINCH;
    let winch = signal_hook::low_level::pipe::register(winch, by_signal)?;
    let mut status = Status { since: Timestamp::now(), shown: 0 };
    let mut ended = Ok(());
    loop {
        match player.dispatch() {
            Ok(Flow::Running { wake_at }) => {
                let status_at = status.since + STATUS_EVERY;
                let wake_at = wake_at.map_or(status_at, |at| at.min(status_at));
                wait(&player, &screen.borrow(), &resized, wake_at)?;
            }
            Ok(Flow::Done) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
        let typed = screen.borrow_mut().read();
        for byte in typed {
            hear(&mut player, byte)?;
        }
        if resized.read(&mut [0; 64]).is_ok() {
            layout = Layout::of(&screen.borrow(), grid, job.options.size, layout.cleared + 1);
            screen.borrow_mut().clear();
            for (pane, place) in areas.iter().enumerate() {
                let area = layout.area(pane);
                place.set(area);
                if let Some(view) = player.view_mut(pane) {
                    view.resize(area.pixels, Scale::ONE)?;
                }
            }
        }
        status.say(&mut player, grid, &mut screen.borrow_mut());
        if screen.borrow().is_gone() {
            player.key(Key::Quit);
        }
    }
    signal_hook::low_level::unregister(winch);
    // First the terminal: what is said from now on is to be read there.
    screen.borrow_mut().leave();
    ended.and_then(|()| player.finish())
}

fn wait(
    player: &Player<Recorded<TerminalPane>>,
    screen: &Screen,
    resized: &UnixStream,
    wake_at: Timestamp,
) -> anyhow::Result<()> {
    let fds = player.fds();
    let all = fds.iter().copied().chain(screen.input()).chain([resized.as_fd()]);
    let mut polled: Vec<_> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let patience = Timespec::try_from(wake_at.since(Timestamp::now()))?;
    match rustix::event::poll(&mut polled, Some(&patience)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The program's own keys; all others are the first child's. A terminal tells
/// the character alone, and nothing of a release.
fn hear(player: &mut Player<Recorded<TerminalPane>>, byte: u8) -> anyhow::Result<()> {
    /// What Ctrl-C types in raw mode.
    const CTRL_C: u8 = 3;
    match byte {
        b'q' | CTRL_C => player.key(Key::Quit),
        b'k' => player.key(Key::KillChild),
        b' ' => player.key(Key::PauseOrContinue),
        byte => {
            let code = match byte {
                b'\r' => KeyCode::ENTER,
                b'\t' => KeyCode::TAB,
                0x1b => KeyCode::ESCAPE,
                0x7f => KeyCode::BACKSPACE,
                _ => KeyCode::UNKNOWN,
            };
            let character = Some(char::from(byte)).filter(char::is_ascii_graphic);
            let Some(view) = player.view_mut(0) else { return Ok(()) };
            for state in [KeyState::Pressed, KeyState::Released] {
                let modifiers = Modifiers::NONE;
                let key = Input::Key { code, state, modifiers, character };
                view.session_mut().send_input(key)?;
            }
        }
    }
    Ok(())
}

/// How the panes share the terminal: all but its last line.
struct Layout {
    grid: Grid,
    cells: Size,
    cell: Size,
    most: Size,
    cleared: u32,
}

impl Layout {
    fn of(screen: &Screen, grid: Grid, most: Size, cleared: u32) -> Self {
        let (cells, cell) = screen.size();
        Self { grid, cells, cell, most, cleared }
    }

    /// A pane's cells, and the pixels that the child is to draw for them: as
    /// many as the cells have, but no more than were asked for.
    fn area(&self, pane: usize) -> Area {
        let pane = u32::try_from(pane).unwrap_or(u32::MAX);
        let Grid { columns, rows } = self.grid;
        let cells = Size::new(
            (self.cells.width / columns).max(1),
            (self.cells.height.saturating_sub(1) / rows).max(1),
        );
        let at = (pane % columns * cells.width, pane / columns * cells.height);
        let (width, height) = (cells.width * self.cell.width, cells.height * self.cell.height);
        let share = |most: u32, parts: u32| f64::from(most / parts);
        let fit = (share(self.most.width, columns) / f64::from(width))
            .min(share(self.most.height, rows) / f64::from(height))
            .min(1.0);
        // Within u32; a float cast saturates.
        let scaled = |pixels: u32| ((f64::from(pixels) * fit) as u32).max(1);
        let Self { cell, cleared, .. } = *self;
        Area { cleared, at, cells, cell, pixels: Size::new(scaled(width), scaled(height)) }
    }
}

/// The last line.
struct Status {
    since: Timestamp,
    shown: u64,
}

impl Status {
    fn say(
        &mut self,
        player: &mut Player<Recorded<TerminalPane>>,
        grid: Grid,
        screen: &mut Screen,
    ) {
        let now = Timestamp::now();
        let time = now.since(self.since);
        if time < STATUS_EVERY {
            return;
        }
        let shown = (0..grid.count())
            .filter_map(|pane| Some(player.view_mut(pane)?.pane().stats().shown))
            .sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "exact for 2^53 frames")]
        let rate = (shown - self.shown) as f64 / time.as_secs_f64();
        screen.say(&format!(" surfaceport: {rate:.0} fps   q quit   k kill   space pause "));
        *self = Self { since: now, shown };
    }
}
