//! The host's end of one child: its state from Hello to its end.

mod messages;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, LAST_MESSAGES, Stats};
use super::frame::Frame;
use super::generation::{Current, Generation, Link, Tally};
use super::vigil::Vigil;
use crate::bell::{self, HostBell, Ringer};
use crate::channel::{Channel, Handle};
use crate::child::{Child, Limits};
use crate::error::{Error, Exit, ExitReason, Violation};
use crate::input::Point;
use crate::outcome::Outcome;
use crate::page::Page;
use crate::rate::Allowance;
use crate::sandbox::Confinement;
use crate::swapchain::begin_frame::BeginFrame;
use crate::sync::Ordering;
use crate::time::Timestamp;
use crate::wait::{Fired, Token, Trigger, WaitSet};
use crate::wire::{Agreed, Configure, MAX_SLOTS};

/// How long what a child writes is let pile up.
const OUTPUT_MUTED_FOR: Duration = Duration::from_millis(10);
/// Between attempts to reap a child that is being traced.
const REAP_RETRY: Duration = Duration::from_millis(50);

/// What the host wants of the child; a new child is told at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) configure: Configure,
    pub(super) begin_frame: BeginFrame,
    /// Where the pointer is, while it is in the pane.
    pub(super) pointer: Option<Point>,
    /// Whether keys come here.
    pub(super) focus: bool,
    /// Its frames are copied.
    pub(super) snapshots: bool,
}

/// What the session lends for a while.
pub(super) struct Context<'a> {
    pub(super) wait: &'a WaitSet,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) stats: &'a mut Stats,
    pub(super) wanted: &'a Wanted,
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
    /// Beside how many events another message is kept.
    pub(super) most_events: usize,
}

impl Context<'_> {
    fn push(&mut self, event: Event) {
        event.queue(self.events, self.stats, self.most_events);
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
    /// The child takes input.
    takes_input: bool,
    connected: bool,
    /// What became of its sandbox, when it said Hello.
    confinement: Option<Confinement>,
    /// When the child is ended: no Hello, or no exit.
    deadline: Option<(Timestamp, ExitReason)>,
    current: Option<Current>,
    /// An older generation of which frames are held.
    retiring: Option<Arc<Generation>>,
    /// The last Setup that was accepted.
    generation: u32,
    /// Why the host ended it.
    verdict: Option<ExitReason>,
    messages: Allowance,
    muted_until: Option<Timestamp>,
    /// When to ask again for the status of a child that has ended.
    reap_at: Option<Timestamp>,
    vigil: Vigil,
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
        let snapshots = cx.wanted.snapshots;
        let link = Link::new(page, child_ringer, snapshots, own, tally, child.pid());
        let connection = Self {
            child,
            channel,
            bell: host_bell,
            link: Arc::new(link),
            phase: Phase::Greeting { due: None, handles: Some([host_ringer, child_bell]) },
            takes_input: false,
            connected: false,
            confinement: None,
            deadline: Some((
                cx.now + cx.limits.handshake,
                ExitReason::Violation(Violation::HandshakeTimeout),
            )),
            current: None,
            retiring: None,
            generation: 0,
            verdict: None,
            messages: messages_of(cx.limits),
            muted_until: None,
            reap_at: None,
            vigil: Vigil::default(),
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

    pub(super) fn confinement(&self) -> Option<&Confinement> {
        self.confinement.as_ref()
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    pub(super) fn takes_input(&self) -> bool {
        self.is_live() && self.takes_input
    }

    pub(super) fn surfaces(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// Whether an unread frame seems to be there.
    #[inline]
    pub(super) fn has_frame(&self) -> bool {
        self.current.as_ref().is_some_and(Current::has_frame)
    }

    /// Takes the next frame. A word that can't be ends the child.
    pub(super) fn take(&mut self, wait: &WaitSet) -> Option<Frame> {
        match self.current.as_mut()?.take() {
            Ok(frame) => {
                let frame = frame?;
                self.bell.had_reason();
                self.vigil.restart(frame.taken_at());
                Some(frame)
            }
            Err(violation) => {
                self.condemn(ExitReason::Violation(violation), wait);
                None
            }
        }
    }

    /// Says that the host is going to sleep; `false`: a frame is there.
    pub(super) fn arm(&self) -> bool {
        self.current.as_ref().is_none_or(Current::arm)
    }

    /// Whether frames are copied from now on.
    pub(super) fn set_snapshots(&self, on: bool) {
        self.link.snapshots.store(on, Ordering::Relaxed);
    }

    /// A frame has been asked for.
    pub(super) fn expect_frame(&mut self) {
        // One that rests owes nothing for the time before.
        if self.is_at_rest() {
            self.vigil.restart(Timestamp::now());
        }
        self.vigil.ask(Timestamp::now);
    }

    pub(super) fn post_begin_frame(&self, begin_frame: BeginFrame) {
        if self.link.page.control().begin_frame.post(begin_frame) {
            self.link.ring_child();
        }
    }

    /// When it needs attention although nothing fires.
    pub(super) fn next_wake(&self, limits: &Limits, wants_frames: bool) -> Option<Timestamp> {
        let stall = self.vigil.due_at(limits).filter(|_| wants_frames);
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
        let reason = wants_frames && self.has_frame();
        let rang_for_nothing = fired.has(Token::Bell) && !reason;
        if rang_for_nothing && self.bell.rang_for_nothing(cx.now) {
            cx.wait.remove(self.bell.source());
            cx.stats.bells_muted += 1;
        }
        self.retire_if_over(cx);
        self.check_time(wants_frames, cx);
        if self.link.strain.is_over() && !matches!(self.phase, Phase::Closing) {
            self.condemn(ExitReason::Violation(Violation::CrowdedHandle), cx.wait);
        }
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
        // They come at once, so that the host had no chance to fetch any.
        cx.most_events = LAST_MESSAGES;
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

    /// Reads what the child wrote, and then nothing for a while: nobody waits for
    /// it, and a child may write a byte at a time.
    fn read_output(&mut self, cx: &mut Context<'_>) {
        let more = self.link.strain.of(|| self.child.read_output());
        cx.stats.output_muted += u64::from(more);
        let Some(source) = self.child.output_source() else { return };
        cx.wait.remove(source);
        if !self.child.output_is_closed() {
            self.child.mute_output(Some(cx.now + OUTPUT_MUTED_FOR));
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
        if wants_frames && due(self.vigil.due_at(cx.limits)) {
            self.vigil.pause();
            self.judge_silence(cx);
        }
    }

    /// There was no sign of life for too long, by what the host has seen.
    fn judge_silence(&mut self, cx: &mut Context<'_>) {
        if self.has_frame() {
            cx.stats.bells_lost += 1;
        } else if !self.is_at_rest() {
            cx.stats.stalls += 1;
            cx.push(Event::Stalled);
            if cx.limits.end_stalled {
                self.condemn(ExitReason::Stalled, cx.wait);
            }
        }
    }

    /// Whether the child waits: for a begin-frame, a slot, or an event.
    fn is_at_rest(&self) -> bool {
        self.link.page.control().begin_frame.child_rests()
            || self.current.as_ref().is_some_and(Current::child_sleeps)
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

    /// The end: the frames that are still unread, and the record.
    pub(super) fn end(mut self, wait: &WaitSet) -> (VecDeque<Frame>, Exit) {
        self.unwatch(wait);
        let mut frames = VecDeque::new();
        if let Some(mut current) = self.current.take() {
            // A frame in the word is whole: the child died after it, not in it.
            for _ in 0..MAX_SLOTS {
                match current.take() {
                    Ok(Some(frame)) => frames.push_back(frame),
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

/// What a child may send: a quarter of a second's worth at once.
fn messages_of(limits: &Limits) -> Allowance {
    Allowance::new(Duration::from_secs(1) / limits.message_rate, limits.message_rate / 4)
}
