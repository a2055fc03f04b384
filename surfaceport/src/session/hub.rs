//! What a child's renderer and swapchains share: the connection to the host.
//!
//! The child trusts the host, but outlives its death: every call that waits
//! hears of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::event::RendererEvent;
use crate::bell::{ChildBell, Ringer};
use crate::channel::{BorrowedHandle, Channel, Incoming, Sent};
use crate::error::{Error, Violation};
use crate::input::{Gate, Input, Verdict};
use crate::outcome::{FrameId, Outcome};
use crate::page::Page;
use crate::swapchain::feedback::{FEEDBACK_ENTRIES, FeedbackReader};
use crate::time::{Deadline, Timestamp};
use crate::wait::{Token, Trigger, WaitSet};
use crate::wire::{
    Bye, Configure, FromChild, FromHost, Hello, Refusal, VERSIONS, Welcome, feature,
};

/// How often a child that never has to wait looks whether the host still lives.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) page: Page,
    pub(super) host: Ringer,
    pub(super) welcome: Welcome,
    wait: WaitSet,
    channel: RefCell<Channel>,
    bell: RefCell<ChildBell>,
    events: RefCell<VecDeque<RendererEvent>>,
    gate: RefCell<Gate>,
    /// The last Configure that came, and whether it was handed out.
    configure: Cell<Configure>,
    configure_is_news: Cell<bool>,
    /// The serial of the last Configure of which the renderer's user knows.
    pub(super) known_serial: Cell<u32>,
    /// The newest generation.
    pub(super) generation: Cell<u32>,
    /// Its memory in bytes, and that of the one before while it is not retired.
    pub(super) bytes: Cell<[u64; 2]>,
    retired: Cell<u32>,
    refused: Cell<Option<(u32, Refusal)>>,
    gone: Cell<bool>,
    looked_at: Cell<Timestamp>,
    rests: Cell<bool>,
    feedback: RefCell<FeedbackReader>,
    /// Frames that this side knows to be superseded: the host never saw them.
    superseded: RefCell<VecDeque<(FrameId, Outcome)>>,
    missed: Cell<u64>,
}

impl Hub {
    /// Says Hello and waits for Welcome.
    pub(super) fn greet(mut channel: Channel, deadline: Deadline) -> Result<Self, Error> {
        let wait = WaitSet::new()?;
        wait.add(channel.source(), Token::Channel, Trigger::Level)?;
        if channel.send_to_host(&FromChild::Hello(Hello::OURS), &[])? != Sent::Done {
            return Err(Error::HostGone);
        }
        let (welcome, handles) = loop {
            match channel.receive_from_host()? {
                Incoming::Message(FromHost::Welcome(welcome), handles) => {
                    break (welcome, std::mem::take(handles));
                }
                Incoming::Message(FromHost::Refused(refused), _) => {
                    return Err(refusal(refused.why));
                }
                // It changed its mind, or died.
                Incoming::Message(FromHost::Bye(_), _) | Incoming::Closed => {
                    return Err(Error::HostGone);
                }
                Incoming::Message(_, _) => return Err(Violation::WrongState.into()),
                Incoming::Empty if deadline.passed() => {
                    return Err(Error::TimedOut { waiting_for: "the host's Welcome" });
                }
                Incoming::Empty => wait.wait(deadline)?,
            };
        };
        Hello::OURS.check(&welcome)?;
        let [page, to_host, to_child] =
            <[_; 3]>::try_from(handles).map_err(|_| Violation::MissingHandles)?;
        let page = Page::adopt(page, welcome.page_bytes)?;
        let bell = ChildBell::new(to_child);
        wait.add(bell.source(), Token::Bell, Trigger::Edge)?;
        Ok(Self {
            page,
            host: Ringer::from_handle(to_host),
            configure: Cell::new(welcome.configure),
            configure_is_news: Cell::new(false),
            known_serial: Cell::new(welcome.configure.serial),
            welcome,
            wait,
            channel: RefCell::new(channel),
            bell: RefCell::new(bell),
            events: RefCell::default(),
            gate: RefCell::default(),
            generation: Cell::new(0),
            bytes: Cell::default(),
            retired: Cell::new(0),
            refused: Cell::new(None),
            gone: Cell::new(false),
            looked_at: Cell::new(Timestamp::now()),
            rests: Cell::new(false),
            feedback: RefCell::default(),
            superseded: RefCell::new(VecDeque::with_capacity(FEEDBACK_ENTRIES)),
            missed: Cell::new(0),
        })
    }

    /// Sleeps until the host rings or says something, or the deadline passes;
    /// handles what it said.
    pub(super) fn attend(&self, deadline: Deadline) -> Result<(), Error> {
        let fired = self.wait.wait(deadline)?;
        if fired.has(Token::Bell) {
            self.bell.borrow_mut().woke();
        }
        if fired.has(Token::Channel) {
            self.listen()?;
        }
        self.looked_at.set(Timestamp::now());
        if self.gone.get() { Err(Error::HostGone) } else { Ok(()) }
    }

    /// The same without waiting, if it was long ago.
    pub(super) fn attend_if_due(&self, now: Timestamp) -> Result<(), Error> {
        if self.gone.get() {
            return Err(Error::HostGone);
        }
        if now < self.looked_at.get() + LOOK_EVERY {
            return Ok(());
        }
        self.attend(Deadline::NOW)
    }

    /// Tells the host that there is nothing to draw until something happens, or
    /// that there is: a child that rests is not taken for one that hangs.
    pub(super) fn set_rests(&self, rests: bool) {
        if self.rests.replace(rests) != rests {
            self.page.control().begin_frame.set_rests(rests);
        }
    }

    fn listen(&self) -> Result<(), Error> {
        let mut channel = self.channel.borrow_mut();
        loop {
            match channel.receive_from_host()? {
                Incoming::Empty => return Ok(()),
                Incoming::Closed => {
                    self.gone.set(true);
                    return Ok(());
                }
                Incoming::Message(FromHost::Retired { generation }, _) => {
                    self.retired.set(generation.max(self.retired.get()));
                }
                Incoming::Message(FromHost::Configure(configure), _) => {
                    self.configure.set(configure);
                    self.configure_is_news.set(true);
                }
                Incoming::Message(FromHost::Refused(refused), _) => {
                    self.refused.set(Some((refused.subject, refused.why)));
                }
                Incoming::Message(FromHost::Message(bytes), _) => {
                    let event = RendererEvent::Message(bytes.get().to_vec());
                    self.events.borrow_mut().push_back(event);
                }
                Incoming::Message(FromHost::Bye(_), _) => {
                    self.events.borrow_mut().push_back(RendererEvent::Bye);
                    // Whatever waits need not wait on: nothing more will come.
                    self.gone.set(true);
                }
                Incoming::Message(FromHost::Input(input), _) => {
                    if self.welcome.features & feature::INPUT == 0 {
                        return Err(Violation::UnknownMessage.into());
                    }
                    self.hear(input);
                }
                Incoming::Message(FromHost::Welcome(_), _) => {
                    return Err(Violation::WrongState.into());
                }
            }
        }
    }

    /// Keeps an input, within bounds: not every renderer asks for events.
    fn hear(&self, input: Input) {
        let mut events = self.events.borrow_mut();
        let queued = |event: &RendererEvent| match event {
            RendererEvent::Input(input) => Some(*input),
            _ => None,
        };
        let waiting = events.iter().filter_map(queued).count();
        let last = events.back().and_then(queued);
        match self.gate.borrow_mut().judge(input, waiting, last) {
            Verdict::Append => events.push_back(RendererEvent::Input(input)),
            Verdict::Replace(merged) => {
                events.pop_back();
                events.push_back(RendererEvent::Input(merged));
            }
            Verdict::Forget | Verdict::Drop => {}
        }
    }

    /// Whether there is a Configure that can be answered now. It can't while
    /// the host still shows the generation before the newest: a third would
    /// have to wait for that, and that waits for the newest's first frame.
    pub(super) fn has_configure(&self) -> bool {
        self.configure_is_news.get() && self.retired.get() + 1 >= self.generation.get()
    }

    /// The next event; Configures coalesce into the last.
    pub(super) fn next_event(&self) -> Option<RendererEvent> {
        if self.has_configure() {
            self.configure_is_news.set(false);
            let Configure { serial, size, scale } = self.learn_configure();
            return Some(RendererEvent::Configure { serial, size, scale });
        }
        self.events.borrow_mut().pop_front()
    }

    /// Makes the fd readable if there is an event: it was heard of by a call
    /// that waited for something else, and its caller may poll the fd next.
    pub(super) fn remind(&self) {
        if self.has_configure() || !self.events.borrow().is_empty() {
            self.wait.wake_by(Some(Timestamp::default()));
        }
    }

    /// The last Configure, told to the renderer's user.
    pub(super) fn learn_configure(&self) -> Configure {
        let configure = self.configure.get();
        self.known_serial.set(configure.serial);
        configure
    }

    /// The last Configure that came.
    pub(super) fn configure(&self) -> Configure {
        self.configure.get()
    }

    /// Sends a message, waiting for room until the deadline.
    pub(super) fn send(
        &self,
        message: &FromChild<'_>,
        handles: &[BorrowedHandle<'_>],
        deadline: Deadline,
    ) -> Result<(), Error> {
        loop {
            let sent = self.channel.borrow().send_to_host(message, handles)?;
            match sent {
                Sent::Done => return Ok(()),
                Sent::Closed => {
                    self.gone.set(true);
                    return Err(Error::HostGone);
                }
                Sent::Full if deadline.passed() => return Err(Error::QueueFull),
                Sent::Full => {
                    self.watch_channel(Trigger::LevelAndRoom);
                    let attended = self.attend(deadline);
                    self.watch_channel(Trigger::Level);
                    self.remind();
                    attended?;
                }
            }
        }
    }

    fn watch_channel(&self, when: Trigger) {
        self.wait.change(self.channel.borrow().source(), Token::Channel, when);
    }

    /// The newest generation that the host let go of.
    pub(super) fn retired(&self) -> u32 {
        self.retired.get()
    }

    /// Why a generation was refused, if it was.
    pub(super) fn refusal_of(&self, generation: u32) -> Option<Error> {
        let (subject, why) = self.refused.get()?;
        (subject == generation).then(|| refusal(why))
    }

    /// Forgets a refusal: the number is used again.
    pub(super) fn forget_refusal(&self) {
        self.refused.set(None);
    }

    /// A frame of this side's own that nobody will see.
    pub(super) fn note(&self, id: FrameId, outcome: Outcome) {
        let mut notes = self.superseded.borrow_mut();
        if notes.len() == FEEDBACK_ENTRIES {
            notes.pop_front();
            self.missed.set(self.missed.get() + 1);
        }
        notes.push_back((id, outcome));
    }

    /// The next outcome, and with it what the host says.
    pub(super) fn next_outcome(&self) -> Option<(FrameId, Outcome)> {
        let noted = self.superseded.borrow_mut().pop_front();
        noted.or_else(|| self.feedback.borrow_mut().next(&self.page.control().feedback))
    }

    /// How many outcomes nobody fetched in time.
    pub(super) fn outcomes_missed(&self) -> u64 {
        self.missed.get() + self.feedback.borrow().missed()
    }
}

impl AsFd for Hub {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wait.as_fd()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // A host that does not hear it hears the connection close.
        let bye = FromChild::Bye(Bye::default());
        let _unheard = self.channel.borrow().send_to_host(&bye, &[]);
    }
}

fn refusal(why: Refusal) -> Error {
    match why {
        Refusal::Version { min, max } => Error::VersionMismatch {
            ours: (*VERSIONS.start(), *VERSIONS.end()),
            theirs: (min, max),
        },
        Refusal::Features { missing } => Error::FeatureMismatch { missing },
        Refusal::OverQuota { asked, granted } => Error::OverQuota { asked, granted },
        Refusal::OverSize { asked, largest } => Error::OverSize { asked, largest },
        Refusal::Resources => Error::Refused,
    }
}
