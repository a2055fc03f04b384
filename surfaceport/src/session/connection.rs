//! The host's end of one child: its state from Hello to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, Stats};
use super::frame::Frame;
use super::generation::{Current, Generation, Link, Retired, Tally};
use crate::bell::{self, HostBell, Ringer};
use crate::channel::{Channel, Handle, Incoming, Sent, borrow};
use crate::child::{Child, Limits};
use crate::error::{Error, Exit, ExitReason, Violation};
use crate::outcome::Outcome;
use crate::page::Page;
use crate::swapchain::begin_frame::BeginFrame;
use crate::time::Timestamp;
use crate::wait::{Fired, Token, Trigger, WaitSet};
use crate::wire::{
    Agreed, Bye, Configure, FromChild, FromHost, Hello, MAX_SLOTS, Refusal, Refused, Setup,
    VERSIONS, Welcome, negotiate,
};

/// Messages that are handled at one wake-up; then others have their turn.
const MESSAGE_BUDGET: usize = 64;
/// Messages of a child that has ended: more than its socket holds, unless a
/// grandchild goes on.
const LAST_MESSAGES: usize = 1024;
/// How long a child that sends more is not listened to.
const MUTED_FOR: Duration = Duration::from_millis(2);
/// How long a child that writes a lot is not read.
const OUTPUT_MUTED_FOR: Duration = Duration::from_millis(10);
/// Between attempts to reap a child that is being traced.
const REAP_RETRY: Duration = Duration::from_millis(50);
/// Between attempts to send the Welcome's handles.
const WELCOME_RETRY: Duration = Duration::from_millis(20);
/// How long a child with which nothing is in common may take to say so.
const INCOMPATIBLE_GRACE: Duration = Duration::from_secs(1);

/// What the host wants of the child; a new child is told at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) configure: Configure,
    pub(super) begin_frame: BeginFrame,
}

/// What the session lends for a while.
pub(super) struct Context<'a> {
    pub(super) wait: &'a WaitSet,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) stats: &'a mut Stats,
    pub(super) wanted: &'a Wanted,
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    fn push(&mut self, event: Event) {
        event.queue(self.events, self.stats);
    }
}

#[derive(Debug)]
enum Phase {
    /// Hello has not come, or could not be answered yet.
    Greeting {
        /// The answer that is due: the handles could not be sent yet.
        due: Option<(Agreed, Timestamp)>,
        /// What the child is sent with Welcome.
        handles: Option<[Handle; 2]>,
    },
    /// Both sides know each other.
    Live,
    /// The last word is said, or the child's end of the channel is closed.
    Closing,
}

/// One child, connected or about to be.
#[derive(Debug)]
pub(super) struct Connection {
    child: Child,
    channel: Channel,
    bell: HostBell,
    link: Arc<Link>,
    phase: Phase,
    connected: bool,
    /// When the child is ended: no Hello, or no exit.
    deadline: Option<(Timestamp, ExitReason)>,
    current: Option<Current>,
    /// An older generation of which frames are held.
    retiring: Option<Arc<Generation>>,
    /// The last Setup that was accepted.
    generation: u32,
    /// Why the host ended it.
    verdict: Option<ExitReason>,
    muted_until: Option<Timestamp>,
    /// When to ask again for the status of a child that has ended.
    reap_at: Option<Timestamp>,
    /// Since when a frame is being waited for.
    stalled_since: Option<Timestamp>,
}

impl Connection {
    /// A connection to a child that was just started or has just connected.
    pub(super) fn new(
        child: Child,
        channel: Channel,
        own: Arc<Ringer>,
        tally: Arc<Tally>,
        cx: &mut Context<'_>,
    ) -> Result<Self, Error> {
        let page = Page::create()?;
        let (host_bell, host_ringer) = bell::to_host()?;
        let (child_ringer, child_bell) = bell::to_child()?;
        page.control().begin_frame.post(cx.wanted.begin_frame);
        let connection = Self {
            child,
            channel,
            bell: host_bell,
            link: Arc::new(Link::new(page, child_ringer, own, tally)),
            phase: Phase::Greeting { due: None, handles: Some([host_ringer, child_bell]) },
            connected: false,
            deadline: Some((
                cx.now + cx.limits.handshake,
                ExitReason::Violation(Violation::HandshakeTimeout),
            )),
            current: None,
            retiring: None,
            generation: 0,
            verdict: None,
            muted_until: None,
            reap_at: None,
            stalled_since: None,
        };
        connection.watch(cx.wait).inspect_err(|_| connection.unwatch(cx.wait))?;
        Ok(connection)
    }

    fn watch(&self, wait: &WaitSet) -> Result<(), Error> {
        wait.add(self.bell.source(), Token::Bell, Trigger::Edge)?;
        wait.add(self.channel.source(), Token::Channel, Trigger::Level)?;
        if let Some(source) = self.child.process_source() {
            wait.add(source, Token::Process, Trigger::Level)?;
        }
        if let Some(source) = self.child.output_source() {
            wait.add(source, Token::Output, Trigger::Level)?;
        }
        Ok(())
    }

    /// Takes all that it added out of the wait set.
    fn unwatch(&self, wait: &WaitSet) {
        wait.remove(self.bell.source());
        wait.remove(self.channel.source());
        if let Some(source) = self.child.process_source() {
            wait.remove(source);
        }
        if let Some(source) = self.child.output_source() {
            wait.remove(source);
        }
    }

    pub(super) fn child(&self) -> &Child {
        &self.child
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    pub(super) fn surfaces(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// Takes the next frame. A word that can't be ends the child.
    pub(super) fn take(&mut self, wait: &WaitSet) -> Result<Option<Frame>, Violation> {
        let Some(current) = &mut self.current else { return Ok(None) };
        match current.take() {
            Ok(None) => Ok(None),
            Ok(Some(frame)) => {
                self.bell.had_reason();
                self.stalled_since = None;
                Ok(Some(frame))
            }
            Err(violation) => {
                self.condemn(ExitReason::Violation(violation), wait);
                Err(violation)
            }
        }
    }

    /// Says that the host is going to sleep; `false`: a frame is there.
    pub(super) fn arm(&self) -> bool {
        self.current.as_ref().is_none_or(Current::arm)
    }

    /// A frame has been asked for.
    pub(super) fn expect_frame(&mut self, now: Timestamp) {
        self.stalled_since.get_or_insert(now);
    }

    pub(super) fn post_begin_frame(&self, begin_frame: BeginFrame) {
        if self.link.page.control().begin_frame.post(begin_frame) {
            self.link.child.ring();
        }
    }

    /// When it needs attention although nothing fires.
    pub(super) fn next_wake(&self, limits: &Limits, wants_frames: bool) -> Option<Timestamp> {
        let stall = self.stalled_since.filter(|_| wants_frames).map(|since| since + limits.stall);
        let welcome = match &self.phase {
            Phase::Greeting { due: Some((_, at)), .. } => Some(*at),
            _ => None,
        };
        let all = [
            self.deadline.as_ref().map(|(at, _)| *at),
            self.muted_until,
            self.reap_at,
            self.child.output_muted_until(),
            self.bell.muted_until(),
            stall,
            welcome,
        ];
        all.into_iter().flatten().min()
    }

    /// Handles what fired and what is due. `true`: it is over.
    pub(super) fn attend(
        &mut self,
        fired: Fired,
        wants_frames: bool,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let mut result = Ok(());
        if fired.has(Token::Output) {
            self.read_output(cx);
        }
        if fired.has(Token::Channel) && self.muted_until.is_none() {
            result = self.converse(cx);
        }
        let reason = wants_frames && self.current.as_ref().is_some_and(Current::has_frame);
        let rang_for_nothing = fired.has(Token::Bell) && !reason;
        if rang_for_nothing && self.bell.rang_for_nothing(cx.now) {
            cx.wait.remove(self.bell.source());
            cx.stats.bells_muted += 1;
        }
        self.retire_if_over(cx);
        self.check_time(wants_frames, cx);
        let ended = fired.has(Token::Process) || self.verdict.is_some() || !self.child.is_ours();
        let over = ended && self.is_over();
        if over {
            self.hear_out(cx);
        } else if fired.has(Token::Process)
            && let Some(process) = self.child.process_source()
        {
            // Its tracer (a debugger) has yet to let go of it.
            cx.wait.remove(process);
            self.reap_at = Some(cx.now + REAP_RETRY);
        }
        result.map(|()| over)
    }

    /// Handles what a child said before it ended, while it was not listened to.
    fn hear_out(&mut self, cx: &mut Context<'_>) {
        if !self.is_live() {
            return;
        }
        for _ in 0..LAST_MESSAGES {
            match self.next_message(cx) {
                Ok(true) => {}
                Err(Error::Violation(violation)) => {
                    self.condemn(ExitReason::Violation(violation), cx.wait);
                    return;
                }
                Ok(false) | Err(_) => return,
            }
        }
    }

    fn is_over(&mut self) -> bool {
        let disowned = !self.child.is_ours()
            && (self.verdict.is_some() || matches!(self.phase, Phase::Closing));
        disowned || self.child.ended().is_some()
    }

    fn read_output(&mut self, cx: &mut Context<'_>) {
        let more = self.child.read_output();
        let Some(source) = self.child.output_source() else { return };
        if more {
            cx.wait.remove(source);
            self.child.mute_output(Some(cx.now + OUTPUT_MUTED_FOR));
        } else if self.child.output_is_closed() {
            cx.wait.remove(source);
        }
    }

    /// What is due by the clock.
    fn check_time(&mut self, wants_frames: bool, cx: &mut Context<'_>) {
        let now = cx.now;
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if due(self.muted_until) {
            self.muted_until = None;
            // Not in the set while muted; it fires at once if something is there.
            let waits = self.channel.is_waiting();
            let when = if waits { Trigger::LevelAndRoom } else { Trigger::Level };
            let _watched = cx.wait.add(self.channel.source(), Token::Channel, when);
        }
        if due(self.child.output_muted_until()) {
            self.child.mute_output(None);
            if let Some(source) = self.child.output_source() {
                let _watched = cx.wait.add(source, Token::Output, Trigger::Level);
            }
        }
        if due(self.reap_at) {
            self.reap_at = None;
            if let Some(process) = self.child.process_source() {
                let _watched = cx.wait.add(process, Token::Process, Trigger::Level);
            }
        }
        if self.bell.unmute(cx.now) {
            let _watched = cx.wait.add(self.bell.source(), Token::Bell, Trigger::Edge);
        }
        if let Phase::Greeting { due: Some((agreed, at)), .. } = &self.phase
            && *at <= cx.now
        {
            let agreed = *agreed;
            self.welcome(agreed, cx);
        }
        // A child that met its deadline is not blamed for a host that comes late.
        if let Some((_, reason)) = self.deadline.take_if(|(at, _)| *at <= now)
            && self.child.ended().is_none()
        {
            self.condemn(reason, cx.wait);
        }
        if wants_frames && due(self.stalled_since.map(|since| since + cx.limits.stall)) {
            self.stalled_since = None;
            if self.current.as_ref().is_some_and(Current::has_frame) {
                cx.stats.bells_lost += 1;
            } else {
                cx.push(Event::Stalled);
            }
        }
    }

    /// Ends the child: nothing more is heard of it but its end.
    pub(super) fn condemn(&mut self, reason: ExitReason, wait: &WaitSet) {
        let broken = matches!(reason, ExitReason::Violation(_));
        self.verdict.get_or_insert(reason);
        // Its words are not looked at again, or the same would be found for as
        // long as the child lives. Frames that are held stay valid.
        if let Some(current) = self.current.take()
            && !broken
        {
            let _frames_are_lost = current.retire(Outcome::Lost);
        }
        self.deadline = None;
        self.muted_until = None;
        self.phase = Phase::Closing;
        wait.remove(self.channel.source());
        wait.remove(self.bell.source());
        self.child.kill();
        if !self.child.is_ours() {
            // No end of a process will wake the session.
            wait.wake_by(Some(Timestamp::default()));
        }
    }

    /// Ends the child as if it had crashed; one that is not ours is disconnected.
    pub(super) fn crash(&mut self, wait: &WaitSet) {
        if self.child.is_ours() {
            self.child.kill();
        } else {
            self.condemn(ExitReason::Disconnected, wait);
        }
    }

    /// The child closed its end, or both have said all there is to say.
    fn close(&mut self, grace: Duration, reason: ExitReason, cx: &mut Context<'_>) {
        self.phase = Phase::Closing;
        self.muted_until = None;
        self.deadline = Some((cx.now + grace, reason));
        cx.wait.remove(self.channel.source());
    }

    /// Sends Bye: the child is to end.
    pub(super) fn say_bye(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.verdict.get_or_insert(ExitReason::Closed);
        self.send(&FromHost::Bye(Bye::default()), cx)
    }

    /// Sends a message, or queues it.
    pub(super) fn send(
        &mut self,
        message: &FromHost<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let waited = self.channel.is_waiting();
        match self.channel.send_to_child(message, &[]) {
            Ok(Sent::Done) => Ok(()),
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
    fn converse(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.channel.is_waiting() {
            match self.channel.flush() {
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
                Ok(true) => {}
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
        self.muted_until = Some(cx.now + MUTED_FOR);
        cx.wait.remove(self.channel.source());
        Ok(())
    }

    /// Handles one message. `false`: there was none.
    fn next_message(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if matches!(self.phase, Phase::Closing) {
            return Ok(false);
        }
        let live = self.is_live();
        match self.channel.receive_from_child() {
            Ok(Incoming::Empty) => return Ok(false),
            Ok(Incoming::Closed) => {
                self.close(cx.limits.exit, ExitReason::Disconnected, cx);
                return Ok(false);
            }
            Ok(Incoming::Message(FromChild::Hello(hello), _)) => {
                let Phase::Greeting { due: None, .. } = self.phase else {
                    return Err(Violation::WrongState.into());
                };
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
    fn welcome(&mut self, agreed: Agreed, cx: &mut Context<'_>) {
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
                self.stalled_since = Some(cx.now);
                cx.push(Event::Connected { pid: self.child.pid() });
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

    fn retire_if_over(&mut self, cx: &mut Context<'_>) {
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

    /// The end: the frames that are still unread, if they are wanted, and the
    /// record. What is not wanted is lost.
    pub(super) fn end(mut self, wants_frames: bool, wait: &WaitSet) -> (VecDeque<Frame>, Exit) {
        self.unwatch(wait);
        let mut frames = VecDeque::new();
        if let Some(mut current) = self.current.take() {
            // A frame in the word is whole: the child died after it, not in it.
            for _ in 0..MAX_SLOTS {
                match current.take() {
                    Ok(Some(frame)) if wants_frames => frames.push_back(frame),
                    Ok(Some(mut frame)) => frame.report(Outcome::Lost),
                    Ok(None) => break,
                    Err(violation) => {
                        self.verdict = Some(ExitReason::Violation(violation));
                        break;
                    }
                }
            }
        }
        let ended = self.child.ended().cloned();
        let reason = self.verdict.or(ended).unwrap_or(ExitReason::Disconnected);
        (frames, self.child.exit(reason, self.connected))
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
