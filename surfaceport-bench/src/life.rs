//! What is not a frame: start, resize and end of a child; and many children.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use surfaceport::{
    Command, Damage, Deadline, Error, Event, Frame, Limits, Renderer, RendererEvent, Restart,
    Scale, Session, Size, SwapchainDescriptor, Timestamp,
};

use crate::board::PATIENCE;
use crate::results::Grid;
use crate::subject::Failure;
use crate::usage::Usage;

/// The child's name on its command line.
pub(crate) const NAME: &str = "life";

/// The child: a frame whenever one is wanted, or so many a second.
fn draw(fps: u32) -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let make = |size: Option<Size>| {
        renderer.swapchain(SwapchainDescriptor::new(size.unwrap_or(Size::new(64, 64))))
    };
    let mut swapchain = make(renderer.wanted_size())?;
    let begin = Instant::now();
    for frame in 0_u32.. {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, .. } => swapchain = make(size)?,
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        if fps == 0 {
            swapchain.wait_begin_frame(Deadline::NEVER)?;
        } else {
            let due = Duration::from_secs_f64(f64::from(frame) / f64::from(fps));
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        swapchain.acquire(Deadline::NEVER)?.present(Damage::FULL)?;
    }
    Ok(())
}

/// The child. Its end is the host's doing, mostly.
pub(crate) fn child(fps: u32) -> Result<(), Failure> {
    match draw(fps) {
        Err(Error::HostGone) => Ok(()),
        done => Ok(done?),
    }
}

fn spawn(fps: u32) -> Result<Session, Failure> {
    // Once after its last frame, it is looked whether a child rests: soon, so that
    // this is over when anything is measured.
    let limits = Limits::default().stall(Duration::from_millis(100));
    let command = Command::new(std::env::current_exe()?)
        .args([crate::CHILD, NAME, &fps.to_string()])
        .limits(limits)
        .restart(Restart::never());
    Ok(Session::spawn(command)?)
}

fn next_frame(session: &mut Session) -> Result<Frame, Failure> {
    Ok(session.next_frame(PATIENCE)?.ok_or("no frame came")?)
}

/// Measures the times of a child's life.
pub(crate) fn life(rounds: usize, name: &str) -> Result<Grid, Failure> {
    let ms = |start: Instant| start.elapsed().as_secs_f64() * 1000.0;
    let (mut starts, mut resizes, mut deaths) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let start = Instant::now();
        let mut session = spawn(0)?;
        drop(next_frame(&mut session)?);
        starts.push(ms(start));
        for step in 0..4 {
            let size = Size::new(640 + 16 * step, 480 + 8 * u32::try_from(round % 16)?);
            let start = Instant::now();
            session.configure(size, Scale::ONE)?;
            while next_frame(&mut session)?.size() != size {}
            resizes.push(ms(start));
        }
        let start = Instant::now();
        session.kill_child();
        while !matches!(session.next_event(PATIENCE)?, Some(Event::Exited { .. })) {
            if start.elapsed() > PATIENCE {
                return Err("the child does not end".into());
            }
        }
        deaths.push(ms(start));
    }
    let mut grid = Grid::new(name, &["p50, ms", "p99, ms"]);
    for (what, mut times) in [
        ("start of the process to its first frame", starts),
        ("Configure to the first frame of the new size", resizes),
        ("SIGKILL to the event", deaths),
    ] {
        times.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            times.get((times.len() - 1) * percent / 100).copied().unwrap_or(f64::NAN)
        };
        grid.row(what, &[at(50), at(99)]);
    }
    Ok(grid)
}

/// What one host thread spends on many children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaled {
    /// The host's processor time for a frame, µs.
    pub(crate) cpu_us: f64,
    /// From present to take, µs, the median.
    pub(crate) p50_us: f64,
    /// And of a hundred the slowest but one.
    pub(crate) p99_us: f64,
    /// Frames a second of all children.
    pub(crate) fps: f64,
    /// The host's own memory for a child, KiB.
    pub(crate) kib_per_child: f64,
    /// The host's fds for a child.
    pub(crate) fds_per_child: f64,
}

fn own_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

fn open_fds() -> f64 {
    std::fs::read_dir("/proc/self/fd").map_or(f64::NAN, |entries| entries.count() as f64)
}

/// One host thread with so many children at 30 frames a second, and so many
/// that rest.
///
/// # Errors
///
/// If there are not so many children to be had.
pub(crate) fn scale(active: usize, idle: usize, time: Duration) -> Result<Scaled, Failure> {
    let (kib, fds) = (own_kib(), open_fds());
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut sessions = Vec::new();
    for index in 0..active + idle {
        let mut session = spawn(if index < active { 30 } else { 0 })?;
        drop(next_frame(&mut session)?);
        while session.dispatch()?.is_some() {}
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&set, session.as_fd(), data, epoll::EventFlags::IN)?;
        sessions.push(session);
    }
    let children = (active + idle) as f64;
    let (kib, fds) = ((own_kib() - kib) / children, (open_fds() - fds) / children);
    let mut latencies = Vec::new();
    let mut ready = Vec::with_capacity(active + idle);
    let mut before = Usage::now(0);
    let mut begin = Instant::now();
    let mut warm = false;
    let patience = rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 };
    while !warm || begin.elapsed() < time {
        if !warm && begin.elapsed() > time / 4 {
            (warm, before, begin) = (true, Usage::now(0), Instant::now());
            latencies.clear();
        }
        ready.clear();
        epoll::wait(&set, rustix::buffer::spare_capacity(&mut ready), Some(&patience))?;
        for event in &ready {
            let index = usize::try_from(event.data.u64())?;
            let Some(session) = sessions.get_mut(index) else { continue };
            while let Some(event) = session.dispatch()? {
                if let Event::Frame(frame) = event {
                    let taken = Timestamp::now();
                    latencies.push(taken.since(frame.presented_at()).as_nanos() as f64 / 1000.0);
                }
            }
        }
    }
    let frames = latencies.len() as f64;
    let cpu = Usage::now(0).since(before).cpu_ns as f64;
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort_unstable_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let at = latencies.len().saturating_sub(1) * percent / 100;
        latencies.get(at).copied().unwrap_or(f64::NAN)
    };
    Ok(Scaled {
        cpu_us: cpu / 1000.0 / frames,
        p50_us: percentile(50),
        p99_us: percentile(99),
        fps: frames / seconds,
        kib_per_child: kib,
        fds_per_child: fds,
    })
}
