//! One or more children, each in a pane: what is the same for every output.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, pidfd_send_signal};
use surfaceport::os::linux::child_pidfd;
use surfaceport::{Event, Exit, ExitReason, Pane, Restart, Session, Timestamp, View};

use super::signals::Signals;
use super::{Job, Report};

/// How long the children have to end when they are asked to.
const GRACE: Duration = Duration::from_secs(1);

/// Plays children in panes.
///
/// An output's loop: [`dispatch`](Self::dispatch) whenever one of
/// [`fds`](Self::fds) is readable, at `wake_at`, and when the output itself
/// has heard something; stop at [`Flow::Done`].
pub(crate) struct Player<P: Pane> {
    players: Vec<One<P>>,
    signals: Signals,
    frames: Option<u64>,
    counted: bool,
    started: Timestamp,
    stop_at: Option<Timestamp>,
    kill_every: Option<Duration>,
    kill_at: Option<Timestamp>,
    end: Option<End>,
}

/// A child in its pane.
struct One<P> {
    view: View<P>,
    stopped: bool,
    over: bool,
}

/// Whether it goes on.
pub(crate) enum Flow {
    /// Poll; call again at this time at the latest.
    Running { wake_at: Option<Timestamp> },
    /// [`Player::finish`] is next.
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
        let restart = match options.kill_child_every {
            Some(_) => Restart::default().limit(u32::MAX).window(Duration::ZERO),
            None => Restart::default(),
        };
        let players = panes
            .into_iter()
            .map(|pane| {
                let command = job.command.clone().forward_output(true).restart(restart);
                let view = View::new(Session::spawn(command)?, pane)?;
                Ok(One { view, stopped: false, over: false })
            })
            .collect::<Result<Vec<_>, surfaceport::Error>>()?;
        Ok(Self {
            players,
            signals,
            frames: options.frames,
            counted: job.counted,
            started,
            stop_at: options.duration.map(|duration| started + duration),
            kill_every: options.kill_child_every,
            kill_at: options.kill_child_every.map(|every| started + every),
            end: None,
        })
    }

    /// Does all that is to be done; never waits.
    pub(crate) fn dispatch(&mut self) -> anyhow::Result<Flow> {
        if self.signals.take() > 0 {
            self.key(Key::Quit);
        }
        let now = Timestamp::now();
        if self.stop_at.is_some_and(|at| at <= now) {
            self.end.get_or_insert(End::Finished);
        }
        if let (Some(at), Some(every)) = (self.kill_at, self.kill_every)
            && at <= now
        {
            self.key(Key::KillChild);
            self.kill_at = Some(now + every);
        }
        for one in self.players.iter_mut().filter(|one| !one.over) {
            while let Some(event) = one.view.dispatch()? {
                match event {
                    Event::Connected { .. } => {
                        if let Some(frames) = self.frames.filter(|_| self.counted) {
                            let rest = frames.saturating_sub(one.view.session().stats().presented);
                            let message = format!("frames {rest}");
                            one.view.session_mut().send(message.as_bytes())?;
                        }
                    }
                    Event::Exited { exit, restart_in: None } => {
                        one.over = true;
                        if !exit.connected || exit.reason != ExitReason::Exited(0) {
                            self.end.get_or_insert(End::GaveUp(Box::new(exit)));
                        }
                    }
                    _ => {}
                }
            }
            let presented = one.view.session().stats().presented;
            one.over |= self.frames.is_some_and(|frames| presented >= frames);
        }
        if self.players.iter().all(|one| one.over) {
            self.end.get_or_insert(End::Finished);
        }
        if self.end.is_some() {
            return Ok(Flow::Done);
        }
        let wake_at = [self.stop_at, self.kill_at].into_iter().flatten().min();
        Ok(Flow::Running { wake_at })
    }

    /// What to poll for reading.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let views = self.players.iter().map(|one| one.view.as_fd());
        views.chain([self.signals.as_fd()]).collect()
    }

    /// What the user wants.
    pub(crate) fn key(&mut self, key: Key) {
        match key {
            Key::Quit => {
                self.end.get_or_insert(End::Closed);
            }
            Key::KillChild => {
                for one in &mut self.players {
                    one.stopped = false;
                    one.view.session_mut().kill_child();
                }
            }
            Key::PauseOrContinue => {
                for one in &mut self.players {
                    one.stopped = !one.stopped;
                    let signal = if one.stopped { Signal::STOP } else { Signal::CONT };
                    if let Some(process) = child_pidfd(one.view.session()) {
                        // One that has just ended need not be stopped.
                        let _ended = pidfd_send_signal(process, signal);
                    }
                }
            }
        }
    }

    /// A child's frames in its pane: to resize, to hide, to place. Its events are
    /// the player's.
    pub(crate) fn view_mut(&mut self, pane: usize) -> Option<&mut View<P>> {
        self.players.get_mut(pane).map(|one| &mut one.view)
    }

    /// Ends the children: the account.
    pub(crate) fn finish(mut self) -> Report {
        let elapsed = Timestamp::now().since(self.started);
        let mut stats = surfaceport::Stats::default();
        for one in &mut self.players {
            one.view.session_mut().close_child(GRACE);
            let its = one.view.session().stats();
            stats.presented += its.presented;
            stats.shown += its.shown;
            stats.superseded += its.superseded;
            stats.stale += its.stale;
            stats.lost += its.lost;
            stats.restarts += its.restarts;
        }
        Report { end: self.end.unwrap_or(End::Finished), stats, elapsed }
    }
}
