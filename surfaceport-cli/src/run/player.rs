//! One or more children, each in a pane: what is the same for every output.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use surfaceport::{
    Deadline, Event, Exit, ExitReason, Pane, Sandbox, Session, Stats, Timestamp, View,
};
use tracing::{debug, info, warn};

use super::progress::Progress;
use super::report::{Report, Surfaces};
use super::signals::{Signals, tell};
use super::watch::{Seen, Watched, Watcher};
use super::{Job, sum};

/// How long the children have to end when they are asked to.
const GRACE: Duration = Duration::from_secs(1);
/// How long a display has to say that it has shown the last frame.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Plays children in panes.
///
/// An output's loop: [`dispatch`](Self::dispatch) whenever one of
/// [`fds`](Self::fds) is readable, at `wake_at`, and when the output itself
/// has heard something; at [`Flow::Done`] comes [`finish`](Self::finish).
pub(crate) struct Player<P: Pane> {
    players: Vec<One<P>>,
    signals: Signals,
    progress: Progress,
    /// How many frames each child is to present.
    frames: Option<u64>,
    /// The children are told so.
    counted: bool,
    verify: bool,
    started: Timestamp,
    stop_at: Option<Timestamp>,
    /// How long a child lives from its first frame.
    kill_every: Option<Duration>,
    ending: Option<Ending>,
    surfaces: Option<Surfaces>,
}

/// A child in its pane.
struct One<P> {
    view: View<Watched<P>>,
    stopped: bool,
    kill_at: Option<Timestamp>,
    /// It ended and is not started again.
    gone: bool,
}

/// Whether it goes on.
pub(crate) enum Flow {
    /// Poll; call again at this time at the latest.
    Running { wake_at: Option<Timestamp> },
    /// It is over.
    Done,
}

/// Why it ended.
#[derive(Debug)]
pub(crate) enum End {
    /// All is done that was asked for.
    Finished,
    /// By the user.
    Closed,
    /// A child ended in a way that does not let it start again.
    GaveUp(Box<Exit>),
}

struct Ending {
    end: End,
    at: Timestamp,
    /// When children that are still there are ended by force.
    patience: Timestamp,
}

/// What the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// `q`, a closed window.
    Quit,
    /// `k`.
    KillChild,
    /// Space: stops the children where they are, or lets them go on.
    PauseOrContinue,
}

impl<P: Pane> Player<P> {
    /// Starts a child for each pane.
    pub(crate) fn new(job: &Job, panes: Vec<P>) -> anyhow::Result<Self> {
        let signals = Signals::catch().context("can't listen for signals")?;
        let options = &job.options;
        let started = Timestamp::now();
        let players = panes
            .into_iter()
            .map(|pane| {
                let mut command = job.command.clone().forward_output(true);
                if options.sandbox {
                    command = command.sandbox(Sandbox::Renderer);
                }
                let session = Session::spawn(command)?;
                let view = View::new(session, Watched::new(pane, Watcher::new(options.verify)))?;
                Ok(One { view, stopped: false, kill_at: None, gone: false })
            })
            .collect::<Result<Vec<_>, surfaceport::Error>>()?;
        Ok(Self {
            players,
            signals,
            progress: Progress::start(job.progress, started),
            frames: options.frames,
            counted: job.counted,
            verify: options.verify,
            started,
            stop_at: options.duration.map(|duration| started + duration),
            kill_every: options.kill_child_every,
            ending: None,
            surfaces: None,
        })
    }

    /// Does all that is to be done; never waits.
    pub(crate) fn dispatch(&mut self) -> anyhow::Result<Flow> {
        let asked = self.signals.take();
        if asked > 0 {
            // The second Ctrl-C does not wait for anybody.
            let patience = if self.ending.is_some() || asked > 1 { Duration::ZERO } else { GRACE };
            self.end(End::Closed, patience);
        }
        let now = Timestamp::now();
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stop_at = None;
            self.end(End::Finished, GRACE);
        }
        for index in 0..self.players.len() {
            while let Some(event) = self.players[index].view.dispatch()? {
                self.hear(index, event);
            }
            if let Some(every) = self.kill_every.filter(|_| self.ending.is_none()) {
                self.players[index].kill_when_due(every, now);
            }
        }
        if let (Some(frames), false) = (self.frames, self.counted) {
            let presented = |one: &One<P>| one.view.session().stats().presented;
            if self.players.iter().all(|one| one.gone || presented(one) >= frames) {
                self.end(End::Finished, GRACE);
            }
        }
        if self.players.iter().all(|one| one.view.session().is_over()) {
            self.end(End::Finished, GRACE);
            return Ok(Flow::Done);
        }
        if self.ending.as_ref().is_some_and(|ending| ending.patience <= now) {
            return Ok(Flow::Done);
        }
        let progress_at = self.progress.next();
        if progress_at.is_some_and(|at| at <= now) {
            self.progress.show(now, &self.stats());
        }
        let patience = self.ending.as_ref().map(|ending| ending.patience);
        let all = [self.stop_at, patience, self.progress.next()];
        let kills = self.players.iter().map(|one| one.kill_at);
        Ok(Flow::Running { wake_at: all.into_iter().chain(kills).flatten().min() })
    }

    fn hear(&mut self, index: usize, event: Event) {
        let one = &mut self.players[index];
        match event {
            Event::Connected { pid } => {
                info!(pane = index, pid, "connected");
                if let Some(confinement) = one.view.session().sandbox() {
                    say!("{confinement}");
                }
                one.stopped = false;
                if let Some(frames) = self.frames.filter(|_| self.counted) {
                    let rest = frames.saturating_sub(one.view.session().stats().presented);
                    // One that has ended already does not hear it.
                    let _unheard = one.view.session_mut().send(format!("frames {rest}").as_bytes());
                }
            }
            Event::Setup { generation, surface, slots, mode, .. } => {
                info!(pane = index, generation, size = %surface.size(), slots, ?mode, "set up");
                self.surfaces = Some(Surfaces { size: surface.size(), slots, mode });
            }
            Event::Exited { exit, restart_in } => {
                info!(pane = index, ?restart_in, "{exit}");
                let done = matches!(exit.reason, ExitReason::Exited(0) | ExitReason::Closed);
                one.gone = restart_in.is_none();
                one.kill_at = None;
                if one.gone && !(exit.connected && done) && self.ending.is_none() {
                    self.end(End::GaveUp(Box::new(exit)), GRACE);
                }
            }
            Event::Stalled => warn!(pane = index, "no frame for a while"),
            event => debug!(pane = index, "{event:?}"),
        }
    }

    /// Asks the children to end; what they have presented is still shown.
    fn end(&mut self, end: End, patience: Duration) {
        let at = Timestamp::now();
        if let Some(ending) = &mut self.ending {
            ending.patience = ending.patience.min(at + patience);
            return;
        }
        info!("{end:?}");
        self.stop_at = None;
        self.ending = Some(Ending { end, at, patience: at + patience });
        for one in &mut self.players {
            one.stop(false);
            one.kill_at = None;
            one.view.session_mut().ask_to_end();
        }
    }

    /// What to poll for reading.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let views = self.players.iter().map(|one| one.view.as_fd());
        views.chain([self.signals.as_fd()]).collect()
    }

    /// What the user wants.
    pub(crate) fn key(&mut self, key: Key) {
        match key {
            Key::Quit => self.end(End::Closed, GRACE),
            Key::KillChild => {
                self.players.iter_mut().for_each(One::kill);
            }
            Key::PauseOrContinue => {
                for one in &mut self.players {
                    one.stop(!one.stopped);
                }
            }
        }
    }

    /// A child's frames in its pane: to resize, to hide, to place, to send input.
    /// Its events are the player's.
    pub(crate) fn view_mut(&mut self, pane: usize) -> Option<&mut View<Watched<P>>> {
        self.players.get_mut(pane).map(|one| &mut one.view)
    }

    fn stats(&self) -> Stats {
        sum(self.players.iter().map(|one| one.view.session().stats()))
    }

    /// Ends the children: the account.
    pub(crate) fn finish(mut self) -> anyhow::Result<Report> {
        self.progress.clear();
        let ended_at = self.ending.as_ref().map_or_else(Timestamp::now, |ending| ending.at);
        let mut seen = Seen::default();
        let mut host_copies = 0;
        let panes = self.players.len();
        let mut stats = Vec::with_capacity(panes);
        for mut one in std::mem::take(&mut self.players) {
            one.view.session_mut().close_child(Duration::ZERO);
            one.await_outcomes();
            host_copies += one.view.pane().stats().host_copies;
            seen.add(one.view.pane_mut().observer.finish()?);
            // The pane goes: what it has not shown by now is lost.
            stats.push(one.view.into_session().stats());
        }
        Ok(Report {
            stats: sum(stats.into_iter()),
            end: self.ending.map_or(End::Finished, |ending| ending.end),
            verify: self.verify,
            elapsed: ended_at.since(self.started),
            panes,
            surfaces: self.surfaces,
            seen,
            host_copies,
        })
    }
}

impl<P: Pane> One<P> {
    /// A display says only later that it has shown a frame.
    fn await_outcomes(&mut self) {
        let deadline = Deadline::from(LAST_WORD);
        while !is_settled(self.view.session().stats()) && !deadline.passed() {
            // A display that is gone shows nothing more.
            if self.view.dispatch().is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn kill(&mut self) {
        // It is meant, and no reason to give up.
        self.view.session_mut().forget_restarts();
        self.view.session_mut().kill_child();
        self.kill_at = None;
    }

    /// Each child lives for so long from when it is seen.
    fn kill_when_due(&mut self, every: Duration, now: Timestamp) {
        let child = self.view.session().child_pid();
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill();
        } else if self.kill_at.is_none()
            && child.is_some()
            && self.view.pane().observer.drawn_by() == child
        {
            self.kill_at = Some(now + every);
        }
    }

    /// Stops the child where it is, or lets it go on.
    fn stop(&mut self, stop: bool) {
        let signal = if stop { Signal::STOP } else { Signal::CONT };
        if self.stopped != stop && tell(self.view.session(), signal) {
            self.stopped = stop;
        }
    }
}

/// Whether every frame has its outcome.
fn is_settled(stats: Stats) -> bool {
    stats.presented == stats.shown + stats.superseded + stats.stale + stats.lost
}
