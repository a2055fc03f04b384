//! The terminal, taken over and given back as it was: at the end, on a panic,
//! on a signal (which the player makes an end of).

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use surfaceport::Size;

/// A cell's pixels where the terminal does not tell.
const CELL: Size = Size::new(8, 16);
/// How much of what was said meanwhile is repeated at the end.
const REPEATED: usize = 8 * 1024;

/// The other screen, cleared, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?2026l\x1b_Ga=d,q=2\x1b\\\x1b[0m\x1b[?25h\x1b[?1049l";

/// What has to be put right.
struct Taken {
    modes: Termios,
    /// Standard error as it was, and where it goes meanwhile.
    stderr: Option<(OwnedFd, std::fs::File)>,
}

/// Taken over at the moment. The hook of a panic needs it, too.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

/// Whether there is a terminal to take over.
pub(super) fn check() -> Result<(), String> {
    if !isatty(io::stdout()) {
        return Err("standard output is no terminal".to_owned());
    }
    match std::env::var("TERM").as_deref() {
        Ok("dumb") | Err(_) => Err("TERM names no terminal that can place a picture".to_owned()),
        Ok(_) => Ok(()),
    }
}

/// The terminal, taken over.
pub(super) struct Screen {
    /// Whether keys come from it.
    keys: bool,
    gone: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> io::Result<Self> {
        let modes = tcgetattr(io::stdout())?;
        let mut raw = modes.clone();
        raw.make_raw();
        let stderr = if isatty(io::stderr()) { Some(hold_stderr()?) } else { None };
        *lock() = Some(Taken { modes, stderr });
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                before(panic);
            }));
        });
        let mut screen = Self { keys: isatty(io::stdin()), gone: false };
        tcsetattr(io::stdout(), OptionalActions::Flush, &raw).inspect_err(|_| leave())?;
        screen.write(ENTER.as_bytes());
        Ok(screen)
    }

    /// Gives the terminal back.
    pub(super) fn leave(&mut self) {
        leave();
    }

    /// Cells across and down, and a cell's pixels.
    pub(super) fn size(&self) -> (Size, Size) {
        let Ok(size) = tcgetwinsize(io::stdout()) else { return (Size::new(80, 24), CELL) };
        let cells = Size::new(size.ws_col.max(1).into(), size.ws_row.max(2).into());
        let cell = Size::new(
            u32::from(size.ws_xpixel) / cells.width,
            u32::from(size.ws_ypixel) / cells.height,
        );
        (cells, if cell.width == 0 || cell.height == 0 { CELL } else { cell })
    }

    /// What to poll for keys.
    pub(super) fn input(&self) -> Option<BorrowedFd<'static>> {
        self.keys.then(rustix::stdio::stdin)
    }

    /// What was typed, without waiting.
    pub(super) fn read(&mut self) -> Vec<u8> {
        self.read_within(std::time::Duration::ZERO)
    }

    /// What is typed within this time.
    pub(super) fn read_within(&mut self, patience: std::time::Duration) -> Vec<u8> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let mut bytes = [0; 256];
        let Some(input) = self.input() else { return Vec::new() };
        let mut polled = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
        let patience = Timespec::try_from(patience).ok();
        if !matches!(poll(&mut polled, patience.as_ref()), Ok(1..)) {
            return Vec::new();
        }
        match rustix::io::read(input, &mut bytes) {
            // Hung up.
            Ok(0) | Err(rustix::io::Errno::IO) => {
                (self.keys, self.gone) = (false, true);
                Vec::new()
            }
            Ok(len) => bytes.get(..len).unwrap_or_default().to_vec(),
            Err(_) => Vec::new(),
        }
    }

    /// Writes, as fast as the terminal takes it. `false`: it is gone.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
            self.gone = true;
        }
        !self.gone
    }

    /// Whether nobody sees it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn clear(&mut self) {
        self.write(b"\x1b_Ga=d,q=2\x1b\\\x1b[0m\x1b[2J");
    }

    /// Writes the last line.
    pub(super) fn say(&mut self, line: &str) {
        let (cells, _) = self.size();
        let line: String = line.chars().take(cells.width as usize).collect();
        self.write(format!("\x1b[{};1H\x1b[0;7m{line}\x1b[0m\x1b[K", cells.height).as_bytes());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what is written to standard error elsewhere: it would be written into
/// the picture.
fn hold_stderr() -> io::Result<(OwnedFd, std::fs::File)> {
    let held = nameless_file()?;
    let stderr = io::stderr().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stderr(&held)?;
    Ok((stderr, held))
}

#[cfg(target_os = "linux")]
fn nameless_file() -> io::Result<std::fs::File> {
    let file = rustix::fs::memfd_create("said", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(std::fs::File::from(file))
}

/// A file that is gone from its folder before anything is in it.
#[cfg(target_os = "macos")]
fn nameless_file() -> io::Result<std::fs::File> {
    let path = std::env::temp_dir().join(format!("surfaceport-said-{}", std::process::id()));
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Puts right what has not been put right yet.
fn leave() {
    let Some(Taken { modes, stderr }) = lock().take() else { return };
    let mut stdout = io::stdout().lock();
    let left = stdout.write_all(LEAVE.as_bytes()).and_then(|()| stdout.flush());
    let _gone = tcsetattr(io::stdout(), OptionalActions::Flush, &modes);
    drop(stdout);
    if left.is_err() {
        // Nobody is there. What is said from now on, by whomever, goes nowhere,
        // instead of failing.
        if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
            let _kept = rustix::stdio::dup2_stdout(&nowhere);
            if stderr.is_some() {
                let _kept = rustix::stdio::dup2_stderr(&nowhere);
            }
        }
        return;
    }
    if let Some((stderr, mut held)) = stderr {
        let _kept = rustix::stdio::dup2_stderr(&stderr);
        let mut said = Vec::new();
        if held.rewind().and_then(|()| held.read_to_end(&mut said)).is_ok() {
            let last = said.len().saturating_sub(REPEATED);
            let _unheard = io::stderr().write_all(&said[last..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const PANIC: &str = "SURFACEPORT_TEST_PANIC";

    /// Not a test of its own: takes a terminal over, and panics.
    #[test]
    fn panics_in_a_terminal() {
        if std::env::var_os(PANIC).is_some() {
            let _screen = Screen::enter().unwrap();
            panic!("on purpose");
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let this = std::env::current_exe().unwrap();
        let name = "output::terminal::screen::tests::panics_in_a_terminal";
        let command = format!("{} --exact {name} --nocapture; stty -a", this.display());
        // script(1), of util-linux, runs it in a terminal of its own.
        let script = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env(PANIC, "1")
            .stdin(Stdio::null())
            .output();
        let Ok(output) = script else {
            println!("not run: needs script: apt install bsdutils");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let at = |what: &str| said.find(what).unwrap_or_else(|| panic!("no {what:?}: {said}"));
        assert!(at(ENTER) < at(LEAVE));
        assert!(at(LEAVE) < at("on purpose"), "said where it can be read");
        assert!(at("on purpose") < at(" icanon") && said.contains(" echo "), "{said}");
    }
}
