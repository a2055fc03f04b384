//! What the process tests share: children that are this same binary, started
//! again in a role, and frames whose content tells what they are.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

pub mod counts;

use std::time::Duration;

use surfaceport::{
    Canvas, Command, Damage, Deadline, Error, Frame, PresentMode, Renderer, Size, Swapchain,
    SwapchainDescriptor,
};

const ROLE: &str = "SURFACEPORT_TEST_ROLE";

/// This test binary again, in a role. Its one test named `child` runs
/// [`run_child`].
pub fn start(role: &str) -> Command {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
}

/// What a child does, by name.
pub type Role<'a> = (&'a str, fn() -> Result<(), Error>);

/// Runs the role that this process was started for, if it was for one.
pub fn run_child(roles: &[Role<'_>]) {
    let Ok(wanted) = std::env::var(ROLE) else { return };
    let (_, role) = roles.iter().find(|(name, _)| *name == wanted).expect("a known role");
    match role() {
        Ok(()) | Err(Error::HostGone) => std::process::exit(0),
        Err(error) => {
            eprintln!("{wanted}: {error}");
            std::process::exit(1);
        }
    }
}

/// A parameter for a role, from the environment.
pub fn parameter<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A hash of words, four lanes wide: fast enough for millions of frames.
pub fn hash(words: impl Iterator<Item = u64>) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |lane: u64, word: u64| (lane.rotate_left(23) ^ word).wrapping_mul(K);
    // By fold, which runs through nested iterators without asking each for its
    // next; the lanes take turns.
    let lanes = words.fold([1, 2, 3, 4], |[a, b, c, d], word| [b, c, d, mix(a, word)]);
    lanes.into_iter().fold(K, mix)
}

/// Draws a frame that differs from all others in every word, and puts its
/// hash, the child's id and the sequence that it will have into the user data.
pub fn draw(canvas: &mut Canvas<'_>, sequence: u64) {
    let id = u64::from(std::process::id());
    let seed = (id << 40 | sequence).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let words = canvas.bytes_mut().as_chunks_mut::<8>().0;
    for (i, word) in (0_u64..).zip(words.iter_mut()) {
        *word = (seed ^ i.wrapping_mul(0x9e37_79b9)).to_ne_bytes();
    }
    let hash = hash(words.iter().map(|word| u64::from_ne_bytes(*word)));
    let mut user = [0; 24];
    for (to, value) in user.as_chunks_mut().0.iter_mut().zip([hash, id, sequence]) {
        *to = value.to_le_bytes();
    }
    canvas.set_user_data(&user);
}

/// What is wrong with a frame's content.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not the whole of one frame.
    Torn,
    /// It is another frame than the word says.
    Stale,
    /// Another child drew it.
    Foreign,
}

/// Checks a frame by its content.
pub fn check(frame: &Frame, pid: Option<u32>) -> Result<(), Fault> {
    let user = frame.user_data();
    let [claimed, id, sequence] = [0, 1, 2].map(|i| u64::from_le_bytes(user.as_chunks().0[i]));
    let view = frame.view().unwrap();
    let height = view.descriptor().size().height;
    let seen = hash((0..height).flat_map(|y| view.row_words(y).unwrap()));
    if seen != claimed {
        return Err(Fault::Torn);
    }
    if pid.is_some_and(|pid| u64::from(pid) != id) {
        return Err(Fault::Foreign);
    }
    if sequence != frame.id().sequence {
        return Err(Fault::Stale);
    }
    Ok(())
}

/// The usual child's swapchain, by parameters `SIZE`, `SLOTS`, `FIFO`.
pub fn swapchain(renderer: &Renderer) -> Result<Swapchain, Error> {
    let size = parameter("SIZE", Size::new(64, 64));
    let fifo = parameter("FIFO", 0) != 0;
    let mode = if fifo { PresentMode::Fifo } else { PresentMode::Mailbox };
    let descriptor = SwapchainDescriptor::new(size).slots(parameter("SLOTS", 3)).mode(mode);
    renderer.swapchain(descriptor)
}

/// The usual child: draws as fast as it can, up to `FRAMES`, with `PAUSE_US`
/// between frames.
pub fn free_running() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let pause = Duration::from_micros(parameter("PAUSE_US", 0));
    for sequence in 1..=parameter("FRAMES", u64::MAX) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    Ok(())
}

/// The usual child, paced by the host's begin-frames.
pub fn paced() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    for sequence in 1..=parameter("FRAMES", u64::MAX) {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}
