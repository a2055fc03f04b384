//! A session in a pane: pacing, resize, and taking over after a restart.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::error::{Error, Exit};
use crate::geometry::{Damage, Scale, Size};
use crate::outcome::{FrameId, Outcome};
use crate::pane::{Fit, Pane};
use crate::session::{Event, Frame, Session};
use crate::time::{Deadline, Timestamp};

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
    policy: ResizePolicy,
    /// The display can take a frame.
    ready: bool,
    hidden: bool,
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
    /// [`Error::Geometry`] if no surface can have the pane's size.
    pub fn new(mut session: Session, pane: P) -> Result<Self, Error> {
        let serial = session.configure(pane.size(), pane.scale())?;
        Ok(Self {
            session,
            pane,
            policy: ResizePolicy::default(),
            ready: true,
            hidden: false,
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

    /// Gives the pane another size, and asks the child for frames of it.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] for a size that no surface can have, or what the pane
    /// says.
    pub fn resize(&mut self, size: Size, scale: Scale) -> Result<(), Error> {
        self.resizing = Some(self.session.configure(size, scale)?);
        self.answered_by = None;
        match self.policy {
            ResizePolicy::Show(fit) => self.pane.resize(size, scale, fit),
            ResizePolicy::Block(patience) => {
                let answer = self.await_answer(patience.into())?;
                self.pane.resize(size, scale, Fit::Hold)?;
                match answer {
                    Some(frame) => self.show(frame),
                    None => {
                        self.blocks_missed += 1;
                        Ok(())
                    }
                }
            }
        }
    }

    /// The first frame of the size that was asked for. Older ones are skipped:
    /// nothing is shown until it is there.
    fn await_answer(&mut self, deadline: Deadline) -> Result<Option<Frame>, Error> {
        let mut others = Vec::new();
        let mut answer = None;
        self.session.set_wants_frames(true);
        while answer.is_none()
            && let Some(event) = self.session.next_event(deadline)?
        {
            self.note_setup(&event);
            match event {
                Event::Frame(frame) if self.answers(&frame) => answer = Some(frame),
                // The answer to an earlier request, which came too late.
                Event::Frame(frame) if self.fresh.is_some() => self.show(frame)?,
                Event::Frame(mut frame) => {
                    self.missed.union(frame.damage());
                    frame.report(Outcome::Superseded);
                }
                event => others.push(event),
            }
        }
        self.session.put_back(others);
        Ok(answer)
    }

    fn note_setup(&mut self, event: &Event) {
        if let Event::Setup { generation, serial, .. } = event {
            self.fresh = Some(*generation);
            if Some(*serial) == self.resizing {
                self.answered_by = Some(*generation);
            }
        }
    }

    fn answers(&self, frame: &Frame) -> bool {
        self.answered_by == Some(frame.id().generation)
    }

    fn show(&mut self, frame: Frame) -> Result<(), Error> {
        if self.answers(&frame) {
            self.resizing = None;
            self.answered_by = None;
        }
        let id = frame.id();
        self.ready = false;
        self.fresh.take_if(|generation| *generation == id.generation);
        let mut lease = frame.into_lease();
        lease.add_damage(&self.missed);
        self.missed = Damage::FULL;
        self.pane.present(lease)?;
        self.missed = Damage::NONE;
        self.shown = Some(id);
        Ok(())
    }

    /// Says whether anybody can see the pane. A child that is not seen rests.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
        self.session.set_hidden(hidden);
    }

    /// Hears the display, and tells the child when it wants a frame.
    fn tick(&mut self) -> Result<(), Error> {
        if !self.hidden
            && let Some(time) = self.pane.poll_tick(Timestamp::now())?
        {
            self.ready = true;
            self.session.begin_frame(time);
        }
        self.session.set_wants_frames(self.ready || self.fresh.is_some());
        Ok(())
    }

    fn next_tick(&self) -> Option<Timestamp> {
        self.pane.next_wake().filter(|_| !self.hidden)
    }

    /// Shows what there is to show; then the next event that is no frame.
    /// `None`: nothing is left, the view's fd may be polled.
    ///
    /// # Errors
    ///
    /// What the pane or the system says.
    pub fn dispatch(&mut self) -> Result<Option<Event>, Error> {
        loop {
            self.tick()?;
            if let Some(at) = self.next_tick() {
                self.session.wake_at(at);
            }
            match self.session.dispatch()? {
                Some(Event::Frame(frame)) => self.show(frame)?,
                Some(event) => {
                    self.note_setup(&event);
                    return Ok(Some(event));
                }
                None => return Ok(None),
            }
        }
    }

    /// The same, but waits. `None`: the deadline passed, or the session is over.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn next_event(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Event>, Error> {
        let deadline = deadline.into();
        loop {
            self.tick()?;
            let tick = self
                .next_tick()
                .map_or(Deadline::NEVER, |at| Deadline::from(at.since(Timestamp::now())));
            match self.session.next_event(deadline.min(tick))? {
                Some(Event::Frame(frame)) => self.show(frame)?,
                Some(event) => {
                    self.note_setup(&event);
                    return Ok(Some(event));
                }
                None if deadline.passed() || self.session.exit().is_some() => return Ok(None),
                None => {}
            }
        }
    }

    /// Shows frames until the deadline (`None`), or until the child ended and
    /// is not started again. The last frame stays in the pane.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn run(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Exit>, Error> {
        let deadline = deadline.into();
        while let Some(event) = self.next_event(deadline)? {
            if let Event::Exited { exit, restart_in: None } = event {
                return Ok(Some(exit));
            }
        }
        Ok(None)
    }
}

impl<P> AsFd for View<P> {
    /// The fd to poll for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.session.as_fd()
    }
}
