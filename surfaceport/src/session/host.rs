//! The host's session: a child, its frames, its end and its next life.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Context, Wanted};
use super::event::{Event, MAX_MESSAGES, Stats};
use super::frame::Frame;
use super::generation::Tally;
use crate::bell::{self, HostBell, Ringer};
use crate::channel::Channel;
use crate::child::{Child, Command, Limits, Process};
use crate::error::{Error, Exit, ExitReason, Violation};
use crate::geometry::{Scale, Size};
use crate::input::{Input, PointerAction};
use crate::outcome::Outcome;
use crate::sandbox::Confinement;
use crate::time::{Deadline, Timestamp, spin};
use crate::wait::{Fired, Token, Trigger, WaitSet, from_fd};
use crate::wire::{Configure, FromHost, UserBytes};

/// Rounds of one `dispatch` until it says that nothing is left for now.
const ROUNDS: usize = 8;
/// While frames are always there, other things are looked for this often.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Lends the session's parts to its connection, which is another of them.
macro_rules! context {
    ($session:ident) => {
        Context {
            wait: &$session.wait,
            events: &mut $session.events,
            stats: &mut $session.stats,
            wanted: &$session.wanted,
            limits: &$session.limits,
            now: Timestamp::now(),
            most_events: MAX_MESSAGES,
        }
    };
}

/// A child and its frames.
///
/// It starts the child, hands out its newest frame, keeps the last one valid
/// when the child dies, and starts it again. One thread uses it; frames may be
/// dropped on any.
///
/// Blocking:
///
/// ```no_run
/// use std::time::Duration;
/// use surfaceport::{Command, Session};
///
/// let mut session = Session::spawn(Command::new("my-renderer"))?;
/// while let Some(frame) = session.next_frame(Duration::from_secs(5))? {
///     println!("frame {} of {}", frame.id(), frame.size());
/// } // dropping the frame gives its slot back
/// # Ok::<(), surfaceport::Error>(())
/// ```
///
/// In an event loop: poll the session's fd for reading, and when it is
/// readable, or on any other occasion, [`dispatch`](Self::dispatch) until it
/// says `None`. Only then may the fd be polled again; level- and edge-triggered
/// loops both work.
///
/// ```no_run
/// # let mut session = surfaceport::Session::spawn(surfaceport::Command::new("my-renderer"))?;
/// use surfaceport::Event;
///
/// while let Some(event) = session.dispatch()? {
///     match event {
///         Event::Frame(frame) => println!("frame {}", frame.id()),
///         Event::Exited { exit, restart_in: None } => println!("over: {exit}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), surfaceport::Error>(())
/// ```
#[derive(Debug)]
pub struct Session {
    // The state comes before the wait set: its drop ends the child first.
    state: State,
    wait: WaitSet,
    /// Only waited on.
    _own_bell: HostBell,
    own: Arc<Ringer>,
    command: Option<Command>,
    limits: Limits,
    wanted: Wanted,
    wants_frames: bool,
    spin: Duration,
    /// Frames that were unread when the last child ended, until they are wanted.
    leftover: VecDeque<Frame>,
    events: VecDeque<Event>,
    tally: Arc<Tally>,
    stats: Stats,
    violations: [u64; Violation::ALL.len()],
    /// When children were started again, within the window.
    restarts: VecDeque<Timestamp>,
    wake_at: Option<Timestamp>,
    /// The display had something to say, or the time of `wake_at` came.
    woken: bool,
    polled_at: Timestamp,
    /// Since then there was another look, at a time that the next frame tells.
    just_polled: bool,
    poll_due: bool,
}

#[derive(Debug)]
enum State {
    Running(Box<Connection>),
    /// The next child is started at this time.
    Resting(Timestamp),
    Over(Box<Exit>),
}

impl Session {
    /// Starts a child. It returns at once; that the child connected is an
    /// [`Event::Connected`], and that it did not is the session's end.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`] if the program can't be started, [`Error::Sandbox`] if the
    /// sandbox that was required can't be had, [`Error::HandleLimit`],
    /// [`Error::NoSpace`], [`Error::Unsupported`] or [`Error::Os`] if the system
    /// lacks what it takes.
    pub fn spawn(command: Command) -> Result<Self, Error> {
        let mut session = Self::new(command.get_limits(), Some(command))?;
        session.start()?;
        Ok(session)
    }

    /// A session with a peer that connected by name.
    pub(crate) fn with_peer(child: Child, channel: Channel, limits: Limits) -> Result<Self, Error> {
        let mut session = Self::new(limits, None)?;
        session.connect(child, channel)?;
        Ok(session)
    }

    fn new(limits: Limits, command: Option<Command>) -> Result<Self, Error> {
        let wait = WaitSet::new()?;
        let (own_bell, ringer) = bell::to_host()?;
        wait.add(own_bell.source(), Token::Own, Trigger::Edge)?;
        Ok(Self {
            state: State::Resting(Timestamp::default()),
            wait,
            _own_bell: own_bell,
            own: Arc::new(Ringer::from_handle(ringer)),
            command,
            limits,
            wanted: Wanted::default(),
            wants_frames: true,
            spin: Duration::ZERO,
            leftover: VecDeque::new(),
            events: VecDeque::new(),
            tally: Arc::default(),
            stats: Stats::default(),
            violations: [0; Violation::ALL.len()],
            restarts: VecDeque::new(),
            wake_at: None,
            woken: false,
            polled_at: Timestamp::now(),
            just_polled: false,
            poll_due: false,
        })
    }

    fn start(&mut self) -> Result<(), Error> {
        let Some(command) = &self.command else { return Err(Error::NotConnected) };
        let (child, channel) = Child::spawn(command)?;
        self.connect(child, channel)
    }

    fn connect(&mut self, child: Child, channel: Channel) -> Result<(), Error> {
        let (own, tally) = (Arc::clone(&self.own), Arc::clone(&self.tally));
        let mut cx = context!(self);
        let connection = Connection::new(child, channel, own, tally, &mut cx)?;
        self.state = State::Running(Box::new(connection));
        Ok(())
    }

    /// The next frame: in mailbox the newest, in fifo the one after the last.
    /// `None`: the deadline passed.
    ///
    /// While the child is started again it waits on. Other events are kept for
    /// [`dispatch`](Self::dispatch): up to 1024, of which 256 may be messages, and
    /// with those that a child leaves behind when it ends, 1000.
    ///
    /// # Errors
    ///
    /// [`Error::ChildGone`] when the session is over, with the reason and the
    /// child's last words; [`Error::Os`] if the system fails.
    pub fn next_frame(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Frame>, Error> {
        // One that is there already does not even cost a look at the clock.
        if !self.poll_due {
            // It goes on as it came: to unpack it would be to copy it.
            let ready = self.ready();
            if !matches!(ready, Ok(None)) {
                return ready;
            }
        }
        self.await_frame(deadline.into())
    }

    fn await_frame(&mut self, deadline: Deadline) -> Result<Option<Frame>, Error> {
        loop {
            if self.poll_due {
                self.attend_to(Deadline::NOW)?;
            }
            spin(self.spin, deadline, || self.has_frame() || !self.is_running());
            let ready = self.ready();
            if !matches!(ready, Ok(None)) {
                return ready;
            }
            let armed = self.arm();
            if !armed && let Some(frame) = self.ready()? {
                return Ok(Some(frame));
            }
            self.schedule();
            // A child that sees to it that something always happens, or seems
            // to, does not keep its host beyond the deadline.
            let expired = deadline.passed();
            self.attend_to(if armed { deadline } else { Deadline::NOW })?;
            if expired {
                return self.ready();
            }
        }
    }

    /// Whether the child's next frame seems to be there.
    fn has_frame(&self) -> bool {
        matches!(&self.state, State::Running(connection) if connection.has_frame())
    }

    /// A frame that is there, or the end.
    fn ready(&mut self) -> Result<Option<Frame>, Error> {
        if let Some(frame) = self.leftover.pop_front() {
            return Ok(Some(frame));
        }
        if let Some(frame) = self.take() {
            return Ok(Some(frame));
        }
        match &self.state {
            State::Over(exit) => Err(Error::ChildGone(exit.clone())),
            State::Running(_) | State::Resting(_) => Ok(None),
        }
    }

    /// The next event; `None`: nothing is left, the session's fd may be polled.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] and its like if the system fails. What the child does wrong
    /// is in the reason of its [`Event::Exited`].
    pub fn dispatch(&mut self) -> Result<Option<Event>, Error> {
        for _ in 0..ROUNDS {
            if self.poll_due {
                self.attend_to(Deadline::NOW)?;
            }
            if self.wants_frames
                && let Some(frame) = self.leftover.pop_front()
            {
                return Ok(Some(Event::Frame(frame)));
            }
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.wants_frames
                && let Some(frame) = self.take()
            {
                return Ok(Some(Event::Frame(frame)));
            }
            if self.attend_to(Deadline::NOW)?.any() || !self.events.is_empty() {
                continue;
            }
            if self.wants_frames && !self.arm() {
                continue;
            }
            self.schedule();
            return Ok(None);
        }
        // Something keeps happening. Others have their turn, then we again.
        let _frame_or_not = !self.wants_frames || self.arm();
        self.wait.wake_by(Some(Timestamp::now()));
        Ok(None)
    }

    /// The same, but waits. `None`: the deadline passed, or the session is over.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn next_event(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Event>, Error> {
        let deadline = deadline.into();
        loop {
            let expired = deadline.passed();
            if let Some(event) = self.dispatch()? {
                return Ok(Some(event));
            }
            if expired || self.exit().is_some() {
                return Ok(None);
            }
            self.attend_to(deadline)?;
        }
    }

    /// Waits until there is something to dispatch.
    pub(crate) fn sleep(&mut self, deadline: Deadline) -> Result<(), Error> {
        self.attend_to(deadline).map(drop)
    }

    /// Whether the display had something to say or the time of `wake_at` came,
    /// since this was asked last.
    pub(crate) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// Waits for a display too, for as long as it has something to say.
    pub(crate) fn watch(&self, display: BorrowedFd<'_>) -> Result<(), Error> {
        self.wait.add(from_fd(display), Token::Display, Trigger::Level)
    }

    /// Does so no more.
    pub(crate) fn unwatch(&self, display: BorrowedFd<'_>) {
        self.wait.remove(from_fd(display));
    }

    /// Gives events back that were fetched too early, oldest first.
    pub(crate) fn put_back(&mut self, events: Vec<Event>) {
        for event in events.into_iter().rev() {
            self.events.push_front(event);
        }
    }

    /// Waits for something and handles it.
    fn attend_to(&mut self, deadline: Deadline) -> Result<Fired, Error> {
        let fired = self.wait.wait(deadline)?;
        // The common case, and nothing is to come between a frame and its host.
        if fired.is_only(Token::Bell) && self.wants_frames && self.has_frame() {
            self.just_polled = true;
            return Ok(fired);
        }
        self.polled_at = Timestamp::now();
        self.poll_due = false;
        self.woken |= fired.has(Token::Display);
        if self.wake_at.is_some_and(|at| at <= self.polled_at) {
            self.wake_at = None;
            self.woken = true;
        }
        let wants_frames = self.wants_frames;
        match &mut self.state {
            State::Running(connection) => {
                let mut cx = context!(self);
                if connection.attend(fired, wants_frames, &mut cx)? {
                    self.end_child();
                }
            }
            State::Resting(until) if *until <= self.polled_at => self.restart(),
            State::Resting(_) | State::Over(_) => {}
        }
        Ok(fired)
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// The child's next frame. A violation ends the child; the reason comes with
    /// its exit.
    #[inline]
    fn take(&mut self) -> Option<Frame> {
        let State::Running(connection) = &mut self.state else { return None };
        let frame = connection.take(&self.wait)?;
        if std::mem::take(&mut self.just_polled) {
            self.polled_at = frame.taken_at();
        }
        self.poll_due = frame.taken_at() >= self.polled_at + POLL_EVERY;
        Some(frame)
    }

    fn arm(&mut self) -> bool {
        match &self.state {
            State::Running(connection) => connection.arm(),
            State::Resting(_) | State::Over(_) => true,
        }
    }

    /// Sees that the wait set wakes when something is due.
    fn schedule(&mut self) {
        let due = match &self.state {
            State::Running(connection) => connection.next_wake(&self.limits, self.wants_frames),
            State::Resting(until) => Some(*until),
            State::Over(_) => None,
        };
        self.wait.wake_by([due, self.wake_at].into_iter().flatten().min());
    }

    /// The child is gone: what is left of it, and whether there is a next one.
    fn end_child(&mut self) {
        let resting = State::Resting(Timestamp::default());
        let connection = match std::mem::replace(&mut self.state, resting) {
            State::Running(connection) => connection,
            // It has ended already, on the way here.
            other => {
                self.state = other;
                return;
            }
        };
        let (frames, exit) = connection.end(&self.wait);
        // Those of one child are kept, not of any number of them.
        if !self.wants_frames {
            self.lose_leftover();
        }
        self.leftover.extend(frames);
        self.close(exit);
    }

    fn lose_leftover(&mut self) {
        for mut frame in self.leftover.drain(..) {
            frame.report(Outcome::Lost);
        }
    }

    /// Records an end and decides on a restart.
    fn close(&mut self, exit: Exit) {
        if let ExitReason::Violation(violation) = exit.reason
            && let Some(count) = self.violations.get_mut(violation as usize)
        {
            *count += 1;
        }
        let again = exit.connected
            && !matches!(
                exit.reason,
                ExitReason::Exited(0)
                    | ExitReason::Closed
                    | ExitReason::VersionMismatch { .. }
                    | ExitReason::FeatureMismatch { .. }
                    | ExitReason::NotSandboxed(_)
            );
        let now = Timestamp::now();
        let delay = self.command.as_ref().filter(|_| again).and_then(|command| {
            let restart = command.get_restart();
            while self.restarts.front().is_some_and(|at| now.since(*at) > restart.get_window()) {
                self.restarts.pop_front();
            }
            restart.after(u32::try_from(self.restarts.len()).unwrap_or(u32::MAX))
        });
        self.state = match delay {
            Some(delay) => State::Resting(now + delay),
            None => State::Over(Box::new(exit.clone())),
        };
        let event = Event::Exited { exit, restart_in: delay };
        event.queue(&mut self.events, &mut self.stats, MAX_MESSAGES);
    }

    fn restart(&mut self) {
        self.stats.restarts += 1;
        self.restarts.push_back(self.polled_at);
        if let Err(error) = self.start() {
            let last_lines = vec![error.to_string()];
            let reason = ExitReason::NotStarted;
            self.close(Exit { reason, pid: None, connected: true, last_lines });
        }
    }

    /// Whether the child has said Hello and is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(&self.state, State::Running(connection) if connection.is_live())
    }

    /// How the last child ended, if there will be no other.
    #[must_use]
    pub fn exit(&self) -> Option<&Exit> {
        match &self.state {
            State::Over(exit) => Some(exit),
            State::Running(_) | State::Resting(_) => None,
        }
    }

    /// Whether nothing more will come: no child runs or will be started, and
    /// all its frames were taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.exit().is_some() && self.leftover.is_empty()
    }

    /// The child's process id, while there is one and the kernel tells it.
    #[must_use]
    pub fn child_pid(&self) -> Option<u32> {
        match &self.state {
            State::Running(connection) => connection.child().pid(),
            State::Resting(_) | State::Over(_) => None,
        }
    }

    /// What became of the sandbox that was asked for; `None` without one, and until
    /// the child has said Hello.
    ///
    /// ```no_run
    /// # let session = surfaceport::Session::spawn(surfaceport::Command::new("my-renderer"))?;
    /// if let Some(confinement) = session.sandbox() {
    ///     println!("{confinement}"); // sandbox renderer by Landlock 7, seccomp, limits
    /// }
    /// # Ok::<(), surfaceport::Error>(())
    /// ```
    #[must_use]
    pub fn sandbox(&self) -> Option<&Confinement> {
        match &self.state {
            State::Running(connection) => connection.confinement(),
            State::Resting(_) | State::Over(_) => None,
        }
    }

    pub(crate) fn child_process(&self) -> Option<&Process> {
        match &self.state {
            State::Running(connection) => connection.child().process(),
            State::Resting(_) | State::Over(_) => None,
        }
    }

    /// What became of all frames, and other counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        self.tally.write_to(&mut stats);
        stats
    }

    /// How many children were ended for this.
    #[must_use]
    pub fn violations(&self, violation: Violation) -> u64 {
        self.violations.get(violation as usize).copied().unwrap_or(0)
    }

    /// Whether frames are wanted. While they are not, the session does not
    /// wake for them: in mailbox the newest waits, in fifo the child. What is
    /// unread when the child ends waits, too, until the next one's end.
    pub fn set_wants_frames(&mut self, wanted: bool) {
        let again = wanted && !self.wants_frames;
        self.wants_frames = wanted;
        // The fd may be polled next, without another dispatch.
        if again {
            if !self.leftover.is_empty() || !self.arm() {
                self.wait.wake_by(Some(Timestamp::now()));
            }
            self.schedule();
        }
    }

    /// Sets for how long [`next_frame`](Self::next_frame) looks again before it
    /// sleeps, 10 ms at most; zero by default.
    ///
    /// It saves two system calls a frame where each side has a core of its own
    /// to burn. Where they share one it makes every wait longer: the child
    /// can't run meanwhile.
    pub fn set_spin(&mut self, spin: Duration) {
        self.spin = spin;
    }

    /// Snapshot mode: each frame is copied as it is taken, its slot goes back to
    /// the child at once, and only the copy is shown. Then nothing that a child
    /// does can change a pixel that is on display; a child that draws into a
    /// frame while it is being copied spoils that frame, and no other.
    ///
    /// The copy costs time and memory: up to as many surfaces again as the child
    /// has, beyond `Limits::surface_bytes`. [`Stats::host_copies`] counts them. A
    /// host that holds all copies gets no frame until it drops one; a frame for
    /// whose copy there is no memory is lost. Off by default.
    ///
    /// ```no_run
    /// use surfaceport::{Command, Session};
    ///
    /// let mut session = Session::spawn(Command::new("an-untrusted-renderer"))?;
    /// session.set_snapshots(true);
    /// # Ok::<(), surfaceport::Error>(())
    /// ```
    pub fn set_snapshots(&mut self, on: bool) {
        self.wanted.snapshots = on;
        if let State::Running(connection) = &self.state {
            connection.set_snapshots(on);
        }
    }

    /// Asks the child for surfaces of another size or scale; the number comes
    /// back in the [`Event::Setup`] that answers. A child that is started later
    /// is told at once. `Size::default()` (0x0) leaves the size to the child.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] for a size that no surface can have; [`Error::Os`] if the
    /// system failed to send it.
    pub fn configure(&mut self, size: Size, scale: Scale) -> Result<u32, Error> {
        let wanted = (size != Size::default()).then_some(size);
        if let Some(size) = wanted {
            size.check().map_err(Error::Geometry)?;
        }
        let serial = self.wanted.configure.serial.checked_add(1).unwrap_or(1);
        let configure = Configure { serial, size: wanted, scale };
        self.wanted.configure = configure;
        self.tell(&FromHost::Configure(configure))?;
        Ok(serial)
    }

    /// Says for when the display wants the next frame: a child that waits for
    /// it draws one. Times that do not go forward are moved forward.
    pub fn begin_frame(&mut self, time: Timestamp) {
        let next = self.wanted.begin_frame.time + 1;
        self.wanted.begin_frame.time = time.as_nanos().max(next);
        self.post_begin_frame(true);
    }

    /// The time that `begin_frame` told last.
    pub(crate) fn last_begin_frame(&self) -> Timestamp {
        Timestamp::from_nanos(self.wanted.begin_frame.time)
    }

    /// Says whether anybody can see the frames.
    pub fn set_hidden(&mut self, hidden: bool) {
        if self.wanted.begin_frame.hidden != hidden {
            self.wanted.begin_frame.hidden = hidden;
            self.post_begin_frame(false);
        }
    }

    fn post_begin_frame(&mut self, expects: bool) {
        if let State::Running(connection) = &mut self.state {
            let expects = expects && connection.surfaces().is_some();
            if expects {
                connection.expect_frame();
            }
            connection.post_begin_frame(self.wanted.begin_frame);
            if expects {
                // The caller may well go to sleep without a dispatch.
                self.schedule();
            }
        }
    }

    /// Sends bytes to the child, at most [`MAX_USER_BYTES`](crate::MAX_USER_BYTES).
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`]; [`Error::NotConnected`] if there is no child
    /// to hear them; [`Error::Violation`] if the child does not read, which
    /// ends it.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let message = FromHost::Message(UserBytes::new(bytes)?);
        let mut cx = context!(self);
        match &mut self.state {
            State::Running(connection) if connection.is_live() => {
                connection.send(&message, &mut cx)
            }
            _ => Err(Error::NotConnected),
        }
    }

    /// Sends what the user did in the pane to the child, if it takes input.
    ///
    /// It never waits. For a child that does not read, moves and scrolling
    /// become one input each, and once too much waits, new input is thrown away
    /// and counted ([`Stats::inputs_dropped`]); a key or button that the child
    /// heard of is always released. A child that is started later is told where
    /// the pointer is and whether it has the focus.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] and its like if the system fails. That there is no child at
    /// the moment is no error.
    pub fn send_input(&mut self, input: Input) -> Result<(), Error> {
        match input {
            Input::Pointer { action: PointerAction::Left, .. } => self.wanted.pointer = None,
            Input::Pointer { at, .. } => self.wanted.pointer = Some(at),
            Input::Focus(focus) => self.wanted.focus = focus,
            Input::Key { .. } => {}
        }
        let mut cx = context!(self);
        match &mut self.state {
            State::Running(connection) => match connection.send_input(input, &mut cx) {
                Err(Error::NotConnected) => Ok(()),
                sent => sent,
            },
            State::Resting(_) | State::Over(_) => Ok(()),
        }
    }

    /// Whether there is a child that takes input.
    #[must_use]
    pub fn takes_input(&self) -> bool {
        matches!(&self.state, State::Running(connection) if connection.takes_input())
    }

    /// Sends what a later child is told with Welcome.
    fn tell(&mut self, message: &FromHost<'_>) -> Result<(), Error> {
        let mut cx = context!(self);
        match &mut self.state {
            State::Running(connection) if connection.is_live() => {
                match connection.send(message, &mut cx) {
                    // A child that does not hear it ends, and the next one does.
                    Err(Error::NotConnected | Error::Violation(_)) => Ok(()),
                    told => told,
                }
            }
            _ => Ok(()),
        }
    }

    /// Sees that the session's fd becomes readable at this time at the latest,
    /// for hosts that have something to do then.
    pub fn wake_at(&mut self, time: Timestamp) {
        self.wake_at = Some(time);
        self.wait.wake_by(Some(time));
    }

    /// Ends the child at once, as if it had crashed: it may be started again.
    /// One that connected by name is disconnected.
    pub fn kill_child(&mut self) {
        if let State::Running(connection) = &mut self.state {
            connection.crash(&self.wait);
        }
    }

    /// Forgets that children had to be started again, for a host that meant
    /// them to end: the next one follows after the first delay of
    /// [`Restart`](crate::Restart), and the limit counts from now.
    pub fn forget_restarts(&mut self) {
        self.restarts.clear();
    }

    /// Asks the child to end, and goes on: frames that it has presented, or still
    /// presents, are handed out; then comes [`Event::Exited`], and there is no
    /// other child. One that does not end is for
    /// [`close_child`](Self::close_child).
    pub fn ask_to_end(&mut self) {
        self.command = None;
        let mut cx = context!(self);
        match &mut self.state {
            State::Running(connection) => {
                let _gone = connection.say_bye(&mut cx);
                self.schedule();
            }
            State::Resting(_) => {
                let (reason, last_lines) = (ExitReason::Closed, Vec::new());
                self.close(Exit { reason, pid: None, connected: false, last_lines });
                self.wait.wake_by(Some(Timestamp::now()));
            }
            State::Over(_) => {}
        }
    }

    /// Ends the session politely: asks the child to end, waits for that, and
    /// ends it when the time is over. Frames that are held stay valid. Unread
    /// frames are lost; to have them, call [`ask_to_end`](Self::ask_to_end) and
    /// wait for the child's end first.
    ///
    /// Dropping the session instead ends the child at once.
    pub fn close_child(&mut self, grace: impl Into<Deadline>) -> Exit {
        let grace = grace.into();
        self.wants_frames = false;
        self.ask_to_end();
        loop {
            match &mut self.state {
                State::Over(exit) => {
                    let exit = (**exit).clone();
                    self.lose_leftover();
                    return exit;
                }
                State::Resting(_) => self.ask_to_end(),
                State::Running(connection) if grace.passed() => {
                    connection.condemn(ExitReason::Closed, &self.wait);
                    let killed = Deadline::from(Duration::from_secs(2));
                    while matches!(self.state, State::Running(_)) && !killed.passed() {
                        self.await_end(killed);
                    }
                    self.end_child();
                }
                State::Running(_) => self.await_end(grace),
            }
        }
    }

    /// One wait on the way to the end. What fails on that way is no matter.
    fn await_end(&mut self, deadline: Deadline) {
        self.schedule();
        if self.attend_to(deadline).is_err() {
            self.end_child();
        }
    }
}

impl AsFd for Session {
    /// The fd to poll for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wait.as_fd()
    }
}
