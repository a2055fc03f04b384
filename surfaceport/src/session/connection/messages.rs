//! What the host and a child say to each other.

use std::time::Duration;

use super::{Connection, Context, Phase};
use crate::channel::{Handle, Incoming, Sent, borrow};
use crate::error::{Error, ExitReason, Violation};
use crate::input::{Input, PointerAction};
use crate::outcome::Outcome;
use crate::session::event::Event;
use crate::session::generation::{Current, Retired};
use crate::wait::{Token, Trigger};
use crate::wire::{
    Agreed, Bye, FromChild, FromHost, Hello, MAX_SLOTS, Refusal, Refused, Setup, VERSIONS, Welcome,
    feature, negotiate,
};

/// Messages that are handled at one wake-up; then others have their turn.
const MESSAGE_BUDGET: usize = 64;
/// How long a child that sends more, or too many over time, is not listened to.
const MUTED_FOR: Duration = Duration::from_millis(10);
/// Between attempts to send the Welcome's handles.
const WELCOME_RETRY: Duration = Duration::from_millis(20);
/// How long a child with which nothing is in common may take to say so.
const INCOMPATIBLE_GRACE: Duration = Duration::from_secs(1);

impl Connection {
    /// Sends Bye, once: the child is to end.
    pub(in crate::session) fn say_bye(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.verdict.is_some() {
            return Ok(());
        }
        self.verdict = Some(ExitReason::Closed);
        self.send(&FromHost::Bye(Bye::default()), cx)
    }

    /// Sends a message, or queues it.
    pub(in crate::session) fn send(
        &mut self,
        message: &FromHost<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let waited = self.channel.is_waiting();
        let sent = self.link.strain.of(|| self.channel.send_to_child(message, &[]));
        self.see_to(sent, waited, cx)
    }

    /// Sends an input to a child that takes any.
    pub(in crate::session) fn send_input(
        &mut self,
        input: Input,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if !self.takes_input() {
            return Ok(());
        }
        let waited = self.channel.is_waiting();
        match self.link.strain.of(|| self.channel.send_input(input)) {
            Ok(Some(sent)) => self.see_to(Ok(sent), waited, cx),
            Ok(None) => {
                cx.stats.inputs_dropped += 1;
                Ok(())
            }
            Err(error) => self.see_to(Err(error), waited, cx),
        }
    }

    /// What follows from an attempt to send, before which messages waited or not.
    fn see_to(
        &mut self,
        sent: Result<Sent, Error>,
        waited: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        match sent {
            Ok(Sent::Done) => {
                if self.link.strain.is_over() {
                    // The child is to be ended, and nothing may fire for that.
                    cx.wait.wake_by(Some(cx.now));
                }
                Ok(())
            }
            Ok(Sent::Full) => {
                if !waited && self.muted_until.is_none() {
                    cx.wait.change(self.channel.source(), Token::Channel, Trigger::LevelAndRoom);
                }
                Ok(())
            }
            // Its end will be heard of in its own time.
            Ok(Sent::Closed) => Err(Error::NotConnected),
            Err(Error::Violation(violation)) => {
                self.condemn(ExitReason::Violation(violation), cx.wait);
                Err(violation.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Handles messages, up to the budget.
    pub(super) fn converse(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.channel.is_waiting() {
            match self.link.strain.of(|| self.channel.flush()) {
                Ok(true) => cx.wait.change(self.channel.source(), Token::Channel, Trigger::Level),
                Ok(false) => {}
                Err(error) => {
                    self.condemn(ExitReason::Closed, cx.wait);
                    return Err(error);
                }
            }
        }
        for _ in 0..MESSAGE_BUDGET {
            match self.next_message(cx) {
                Ok(true) if self.messages.spend(cx.now) => {}
                Ok(true) => break,
                Ok(false) => return Ok(()),
                Err(Error::Violation(violation)) => {
                    self.condemn(ExitReason::Violation(violation), cx.wait);
                    return Ok(());
                }
                Err(error) => {
                    self.condemn(ExitReason::Closed, cx.wait);
                    return Err(error);
                }
            }
        }
        if matches!(self.phase, Phase::Closing) {
            return Ok(());
        }
        cx.stats.messages_muted += 1;
        self.muted_until = Some(cx.now + MUTED_FOR);
        cx.wait.remove(self.channel.source());
        Ok(())
    }

    /// Handles one message. `false`: there was none.
    pub(super) fn next_message(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if matches!(self.phase, Phase::Closing) {
            return Ok(false);
        }
        let live = self.is_live();
        match self.link.strain.of(|| self.channel.receive_from_child()) {
            Ok(Incoming::Empty) => return Ok(false),
            Ok(Incoming::Closed) => {
                self.close(cx.limits.exit, ExitReason::Disconnected, cx);
                return Ok(false);
            }
            Ok(Incoming::Message(FromChild::Hello(hello), _)) => {
                let Phase::Greeting { due: None, .. } = self.phase else {
                    return Err(Violation::WrongState.into());
                };
                match self.child.confinement() {
                    Ok(confinement) => self.confinement = confinement,
                    Err(gap) => {
                        self.condemn(ExitReason::NotSandboxed(gap), cx.wait);
                        return Ok(false);
                    }
                }
                match negotiate(&hello) {
                    Ok(agreed) => self.welcome(agreed, cx),
                    Err(refused) => {
                        self.send(&FromHost::Refused(refused), cx)?;
                        self.verdict = Some(mismatch(&hello, refused.why));
                        self.close(INCOMPATIBLE_GRACE, ExitReason::Closed, cx);
                    }
                }
            }
            Ok(Incoming::Message(_, _)) if !live => return Err(Violation::WrongState.into()),
            Ok(Incoming::Message(FromChild::Setup(setup), handles)) => {
                let handles = std::mem::take(handles);
                self.set_up(&setup, handles, cx)?;
            }
            Ok(Incoming::Message(FromChild::Message(bytes), _)) => {
                let event = Event::Message(bytes.get().to_vec());
                cx.push(event);
            }
            Ok(Incoming::Message(FromChild::Bye(_), _)) => {
                self.close(cx.limits.exit, ExitReason::Closed, cx);
            }
            // Only a Setup has handles; which one it was is lost with them.
            Err(Error::HandleLimit { .. }) if live => self.refuse(Refusal::Resources, cx)?,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Answers Hello with the page and the bells.
    pub(super) fn welcome(&mut self, agreed: Agreed, cx: &mut Context<'_>) {
        let Phase::Greeting { handles, .. } = &mut self.phase else { return };
        let Some(bells) = handles.take() else { return };
        let welcome = FromHost::Welcome(Welcome {
            version: agreed.version,
            page_bytes: self.link.page.len(),
            features: agreed.features,
            configure: cx.wanted.configure,
            max_size: cx.limits.surface_size,
            max_slots: MAX_SLOTS,
            max_bytes: cx.limits.surface_bytes,
        });
        let [to_host, to_child] = &bells;
        let page = self.link.page.handle();
        let sent = self.channel.send_to_child(&welcome, &[page, borrow(to_host), borrow(to_child)]);
        match sent {
            Ok(Sent::Done) => {
                self.phase = Phase::Live;
                self.connected = true;
                self.deadline = None;
                self.vigil.restart(cx.now);
                cx.push(Event::Connected { pid: self.child.pid() });
                self.takes_input = agreed.features & feature::INPUT != 0;
                // A child that takes over finds the pointer where it is.
                let pointer = cx.wanted.pointer;
                let enter = pointer.map(|at| Input::pointer(at, PointerAction::Entered));
                let focus = cx.wanted.focus.then_some(Input::Focus(true));
                for input in enter.into_iter().chain(focus) {
                    // What it missed because it died at once is no matter.
                    let _told = self.send_input(input, cx);
                }
            }
            // This user has too many handles in flight (a child's doing,
            // maybe): try again until the handshake's deadline.
            Ok(Sent::Full) | Err(_) => {
                let due = Some((agreed, cx.now + WELCOME_RETRY));
                self.phase = Phase::Greeting { due, handles: Some(bells) };
            }
            // Its end is heard of in its own time.
            Ok(Sent::Closed) => {}
        }
    }

    fn refuse(&mut self, why: Refusal, cx: &mut Context<'_>) -> Result<(), Error> {
        cx.stats.setups_refused += 1;
        // The number is not used up: the next Setup has it again.
        let subject = self.generation.wrapping_add(1);
        match self.send(&FromHost::Refused(Refused { subject, why }), cx) {
            Err(Error::NotConnected) => Ok(()),
            sent => sent,
        }
    }

    /// A new generation.
    fn set_up(
        &mut self,
        setup: &Setup,
        handles: Vec<Handle>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.retire_if_over(cx);
        if setup.generation != self.generation.wrapping_add(1) {
            return Err(Violation::WrongGeneration.into());
        }
        if self.retiring.is_some() {
            return Err(Violation::TooManyGenerations.into());
        }
        let (asked, largest) = (setup.surface.size(), cx.limits.surface_size);
        if !asked.fits(largest) {
            return self.refuse(Refusal::OverSize { asked, largest }, cx);
        }
        let asked = setup.bytes_per_slot.saturating_mul(setup.slots.into());
        let used = self.current.as_ref().map_or(0, |current| current.generation().bytes());
        let granted = cx.limits.surface_bytes.saturating_sub(used);
        if asked > granted {
            return self.refuse(Refusal::OverQuota { asked, granted }, cx);
        }
        let next = match Current::import(setup, handles.into_iter(), &self.link) {
            Err(Error::HandleLimit { .. } | Error::NoSpace { .. }) => {
                return self.refuse(Refusal::Resources, cx);
            }
            next => next?,
        };
        self.generation = setup.generation;
        if let Some(old) = self.current.replace(next) {
            match old.retire(Outcome::Stale)? {
                Retired::Held(generation) => self.retiring = Some(generation),
                Retired::Over(generation) => self.say_retired(generation, cx)?,
            }
        }
        cx.push(Event::Setup {
            generation: setup.generation,
            serial: setup.configure_serial,
            surface: setup.surface,
            slots: setup.slots.into(),
            mode: setup.mode,
        });
        Ok(())
    }

    pub(super) fn retire_if_over(&mut self, cx: &mut Context<'_>) {
        if let Some(generation) = self.retiring.take_if(|generation| generation.is_over()) {
            // A child that is gone need not be told.
            let _gone = self.say_retired(generation.number(), cx);
        }
    }

    fn say_retired(&mut self, generation: u32, cx: &mut Context<'_>) -> Result<(), Error> {
        match self.send(&FromHost::Retired { generation }, cx) {
            Err(Error::NotConnected) => Ok(()),
            sent => sent,
        }
    }
}

/// What the record of a child says that nothing is in common with.
fn mismatch(hello: &Hello, why: Refusal) -> ExitReason {
    match why {
        Refusal::Features { missing } => ExitReason::FeatureMismatch { missing },
        _ => ExitReason::VersionMismatch {
            ours: (*VERSIONS.start(), *VERSIONS.end()),
            theirs: (hello.version_min, hello.version_max),
        },
    }
}
