//! A session in a pane: pacing, resize, and taking over after a restart.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::error::{Error, Exit};
use crate::geometry::{Damage, Scale, Size};
use crate::mode::PresentMode;
use crate::outcome::{FrameId, Outcome};
use crate::pane::{Applied, Fit, Pane, Placement};
use crate::session::{Event, Frame, Session};
use crate::time::{Deadline, Timestamp};

/// Rounds of one `dispatch` until it says that nothing is left for now.
const ROUNDS: usize = 32;

/// Adds a pane's connection to what a session waits for.
fn watch<P: Pane>(session: &Session, pane: &P) -> Result<Option<OwnedFd>, Error> {
    let Some(source) = pane.source() else { return Ok(None) };
    let doing = "watching the display";
    // A handle of its own, to take it out again whatever becomes of the pane.
    let source = source.try_clone_to_owned().map_err(|source| Error::Os { doing, source })?;
    session.watch(source.as_fd())?;
    Ok(Some(source))
}

/// What a pane shows after a resize, until the child's first frame of the new
/// size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizePolicy {
    /// The last frame, fitted.
    Show(Fit),
    /// Nothing changes: [`View::resize`] waits for the new frame, for so long at
    /// most. If it comes too late, which is counted, the last frame is held.
    Block(Duration),
}

impl Default for ResizePolicy {
    fn default() -> Self {
        Self::Show(Fit::Hold)
    }
}

/// A child's frames in a pane.
///
/// It tells the child when the display wants a frame, shows the newest one
/// then, carries a resize through as a transaction, and keeps the last frame on
/// display from the end of one child to the first frame of the next.
///
/// ```no_run
/// use std::time::Duration;
/// use surfaceport::{Command, HeadlessPane, Session, Size, View};
///
/// let session = Session::spawn(Command::new("my-renderer"))?;
/// let mut view = View::new(session, HeadlessPane::new(Size::new(640, 480)))?;
/// view.run(Duration::from_secs(1))?;
/// println!("{} frames", view.pane().shown());
/// # Ok::<(), surfaceport::Error>(())
/// ```
///
/// In an event loop: poll the view's fd for reading, and when it is readable,
/// or the pane's display has something to say, call
/// [`dispatch`](Self::dispatch) until it says `None`.
#[derive(Debug)]
pub struct View<P> {
    session: Session,
    pane: P,
    /// The pane's connection, as the session's wait set knows it.
    source: Option<OwnedFd>,
    policy: ResizePolicy,
    /// The display can take a frame.
    ready: bool,
    hidden: bool,
    /// The display's wish that the child has not been told of.
    tick: Option<Timestamp>,
    /// A frame that was drawn for an earlier tick may be followed by another one
    /// in this tick.
    catches_up: bool,
    /// The child's frames are shown all, in order: none may hide another.
    fifo: bool,
    shown: Option<FrameId>,
    /// The Configure that no generation has answered with a frame yet.
    resizing: Option<u32>,
    /// The generation that answers it.
    answered_by: Option<u32>,
    /// A generation that has shown no frame yet. Its first is wanted whenever
    /// it comes: the child can set up no other before the old one is let go of.
    fresh: Option<u32>,
    /// What changed in frames that the pane refused.
    missed: Damage,
    blocks_missed: u64,
}

impl<P: Pane> View<P> {
    /// Shows a session's frames in a pane; tells the child its size.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] if no surface can have the pane's size; what the
    /// system says.
    pub fn new(mut session: Session, pane: P) -> Result<Self, Error> {
        let serial = session.configure(pane.size(), pane.scale())?;
        let source = watch(&session, &pane)?;
        Ok(Self {
            session,
            pane,
            source,
            policy: ResizePolicy::default(),
            ready: true,
            hidden: false,
            tick: None,
            catches_up: false,
            fifo: false,
            shown: None,
            resizing: Some(serial),
            answered_by: None,
            fresh: None,
            missed: Damage::NONE,
            blocks_missed: 0,
        })
    }

    /// Sets what is shown during a resize.
    #[must_use]
    pub fn resize_policy(mut self, policy: ResizePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The pane.
    pub fn pane(&self) -> &P {
        &self.pane
    }

    /// The pane, to change.
    pub fn pane_mut(&mut self) -> &mut P {
        &mut self.pane
    }

    /// Shows the frames in another pane from now on, and gives the old one back:
    /// after its display died, for example. The child is asked for frames of the
    /// new one's size and draws on; it does not know.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); the view is unchanged then.
    pub fn replace_pane(&mut self, pane: P) -> Result<P, Error> {
        let serial = self.session.configure(pane.size(), pane.scale())?;
        let source = watch(&self.session, &pane)?;
        self.unwatch();
        self.source = source;
        self.resizing = Some(serial);
        self.answered_by = None;
        self.ready = true;
        self.missed = Damage::FULL;
        Ok(std::mem::replace(&mut self.pane, pane))
    }

    /// Ends the view and keeps the session, for a pane of another kind.
    #[must_use]
    pub fn into_session(mut self) -> Session {
        self.unwatch();
        self.session
    }

    fn unwatch(&mut self) {
        if let Some(source) = self.source.take() {
            self.session.unwatch(source.as_fd());
        }
    }

    /// A pane whose display is gone would keep the fd readable for ever.
    fn heard<T>(&mut self, said: Result<T, Error>) -> Result<T, Error> {
        if matches!(&said, Err(Error::Pane(error)) if error.is_final()) {
            self.unwatch();
        }
        said
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to send messages or to end it. Frames are the view's: it
    /// alone calls `next_frame`, `dispatch` and `set_wants_frames`.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The frame that was shown last.
    pub fn shown(&self) -> Option<FrameId> {
        self.shown
    }

    /// Whether a frame of the pane's new size has yet to come.
    pub fn is_resizing(&self) -> bool {
        self.resizing.is_some()
    }

    /// How often [`ResizePolicy::Block`] waited in vain.
    pub fn blocks_missed(&self) -> u64 {
        self.blocks_missed
    }

    /// Gives the pane another size, and asks the child for frames of it. Says
    /// from when the window shows it.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] for a size that no surface can have, or what the pane
    /// says.
    pub fn resize(&mut self, size: Size, scale: Scale) -> Result<Applied, Error> {
        self.resizing = Some(self.session.configure(size, scale)?);
        self.answered_by = None;
        match self.policy {
            ResizePolicy::Show(fit) => {
                let resized = self.pane.resize(size, scale, fit);
                self.heard(resized)
            }
            ResizePolicy::Block(patience) => {
                let answer = self.await_answer(patience.into())?;
                let resized = self.pane.resize(size, scale, Fit::Hold);
                let applied = self.heard(resized)?;
                match answer {
                    Some(frame) => self.show(frame)?,
                    None => self.blocks_missed += 1,
                }
                Ok(applied)
            }
        }
    }

    /// Moves the pane in its window, puts it above or below the host's own
    /// drawing, clips, shows or hides it. The child hears nothing of it.
    ///
    /// # Errors
    ///
    /// What the pane says.
    pub fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        let placed = self.pane.place(placement);
        self.heard(placed)
    }

    /// Says that the window was committed, for which
    /// [`Applied::NeedsParentCommit`] asked.
    ///
    /// # Errors
    ///
    /// What the pane says.
    pub fn parent_committed(&mut self) -> Result<(), Error> {
        let heard = self.pane.parent_committed();
        self.heard(heard)
    }

    /// The first frame of the size that was asked for. Older ones are skipped:
    /// nothing is shown until it is there.
    fn await_answer(&mut self, deadline: Deadline) -> Result<Option<Frame>, Error> {
        let mut others = Vec::new();
        let mut answer = None;
        while answer.is_none() {
            let expired = deadline.passed();
            self.tick()?;
            self.session.set_wants_frames(true);
            let Some(event) = self.session.dispatch()? else {
                if expired || self.session.exit().is_some() {
                    break;
                }
                self.session.sleep(deadline)?;
                continue;
            };
            self.note_setup(&event);
            match event {
                Event::Frame(frame) if self.answers(&frame) => answer = Some(frame),
                // The answer to an earlier request, which came too late.
                Event::Frame(frame) if self.fresh.is_some() => self.show(frame)?,
                Event::Frame(mut frame) => {
                    self.missed.union(&frame.damage());
                    frame.report(Outcome::Superseded);
                }
                event => others.push(event),
            }
        }
        self.session.put_back(others);
        Ok(answer)
    }

    fn note_setup(&mut self, event: &Event) {
        if let Event::Setup { generation, serial, mode, .. } = event {
            self.fresh = Some(*generation);
            self.fifo = *mode == PresentMode::Fifo;
            if Some(*serial) == self.resizing {
                self.answered_by = Some(*generation);
            }
        }
    }

    fn answers(&self, frame: &Frame) -> bool {
        self.answered_by == Some(frame.id().generation)
    }

    /// Whether the child has been asked for a newer frame than this. That one is
    /// shown too, as soon as it is there: else a child that was late once would be
    /// a frame ahead, and each of its frames a tick old, for good.
    fn is_behind(&self, frame: &Frame) -> bool {
        let asked = self.session.last_begin_frame();
        let answers_earlier = frame.begin_frame().is_some_and(|time| time < asked);
        self.ready && self.catches_up && !self.fifo && answers_earlier
    }

    fn show(&mut self, mut frame: Frame) -> Result<(), Error> {
        if self.answers(&frame) {
            self.resizing = None;
            self.answered_by = None;
        }
        let id = frame.id();
        self.ready = self.is_behind(&frame);
        self.catches_up = false;
        self.fresh.take_if(|generation| *generation == id.generation);
        frame.add_damage(&self.missed);
        self.missed = Damage::FULL;
        let presented = self.pane.present(frame.into_lease());
        self.heard(presented)?;
        self.missed = Damage::NONE;
        self.shown = Some(id);
        Ok(())
    }

    /// Says whether anybody can see the pane. A child that is not seen rests.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
        self.session.set_hidden(hidden);
        self.pass_tick();
    }

    fn pass_tick(&mut self) {
        if !self.hidden
            && let Some(time) = self.tick.take()
        {
            self.session.begin_frame(time);
        }
    }

    /// Hears the display, and tells the child when it wants a frame.
    fn tick(&mut self) -> Result<(), Error> {
        // A pane with a connection is heard even while it is hidden: what it
        // says would keep the fd readable.
        if !self.hidden || self.source.is_some() {
            let tick = self.pane.poll_tick(Timestamp::now());
            if let Some(time) = self.heard(tick)? {
                self.ready = true;
                self.catches_up = true;
                self.tick = Some(time);
            }
            if self.pane.wants_new_surfaces() {
                // A child answers every request by a set of new ones.
                self.resizing = Some(self.session.configure(self.pane.size(), self.pane.scale())?);
                self.answered_by = None;
            }
        }
        self.pass_tick();
        self.session.set_wants_frames(self.ready || self.fresh.is_some());
        Ok(())
    }

    /// Shows what there is to show; then the next event that is no frame.
    /// `None`: nothing is left, the view's fd may be polled.
    ///
    /// # Errors
    ///
    /// What the pane or the system says.
    pub fn dispatch(&mut self) -> Result<Option<Event>, Error> {
        for _ in 0..ROUNDS {
            self.tick()?;
            // A pane with a connection has things to do while it is hidden, too.
            let wakes = !self.hidden || self.source.is_some();
            if let Some(at) = self.pane.next_wake().filter(|_| wakes) {
                self.session.wake_at(at);
            }
            match self.session.dispatch()? {
                Some(Event::Frame(frame)) => self.show(frame)?,
                Some(event) => {
                    self.note_setup(&event);
                    return Ok(Some(event));
                }
                // The display said something meanwhile.
                None if self.session.take_woken() => {}
                None => return Ok(None),
            }
        }
        // Something keeps happening. Others have their turn, then we again.
        self.session.wake_at(Timestamp::now());
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
            if expired || self.session.is_over() {
                return Ok(None);
            }
            self.session.sleep(deadline)?;
        }
    }

    /// Shows frames until the deadline (`None`), or until the child ended and
    /// is not started again, and its last frame was shown. That one stays in the
    /// pane.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn run(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Exit>, Error> {
        let deadline = deadline.into();
        let mut end = None;
        while let Some(event) = self.next_event(deadline)? {
            if let Event::Exited { exit, restart_in: None } = event {
                end = Some(exit);
            }
        }
        Ok(end)
    }
}

impl<P> AsFd for View<P> {
    /// The fd to poll for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.session.as_fd()
    }
}
