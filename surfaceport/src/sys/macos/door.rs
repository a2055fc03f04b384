//! Where a child asks for its end of a connection.
//!
//! A door is a port under a name, with a thread that answers. Who knocks sends
//! a right to answer, once, and nothing else; the kernel says who it is. The
//! answer has both rights of an end, or says that too many wait.
//!
//! No message to a name has a reply port in its header: newer systems hold ports of
//! services to rules for those (`ipc_policy.c` of XNU). The right to answer rides
//! beside it instead.
//!
//! Why a name at all: a child could also inherit a port by
//! `posix_spawnattr_set_registered_ports_np`, without one. That call is private, and
//! nobody says which of the three slots libxpc takes for itself in a new process, so
//! it can't be shown to be sound without a Mac (docs/on-a-mac.md); the bootstrap
//! port can't be replaced, for libxpc keeps the one that it found at its start.

use std::ffi::CString;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::bell::{Bell, Ringer, bell_to_host};
use super::kern::{self, Code, notify};
use super::message::{End, Endpoint, Loose};
use super::process::Exit;
use super::rights::{
    Beside, ReceiveRight, ReceivedMessage, SendOnceRight, SendRight, Taken, Target, send,
};
use super::wait::{Source, WaitSet, What};
use super::{lock, os};
use crate::error::Error;
use crate::sys::Trigger;
use crate::sys::mach_frame::{AuditToken, BODY_BYTES, Disposition, HEADER_BYTES, PORT_BYTES};
use crate::time::Deadline;

/// The messages: "SP", and which.
const KNOCK: i32 = 0x5350_0002;
const COME_IN: i32 = 0x5350_0003;
const BUSY: i32 = 0x5350_0004;
const ARRIVED: i32 = 0x5350_0005;

/// The most that any of them, or a note of the kernel, is long.
const MOST: usize = HEADER_BYTES + BODY_BYTES + 2 * PORT_BYTES + 32;
/// Knocks that are answered before others get a turn.
const AT_ONCE: usize = 32;
/// How long an answer may take, whatever the deadline: the other side has a
/// thread that does nothing else.
const ANSWER: Duration = Duration::from_millis(100);
/// Between two knocks.
const PAUSE: Duration = Duration::from_millis(5);

/// Who may come in.
#[derive(Debug)]
pub(super) enum Guests {
    /// The one process that was started for this, once; the other end is to
    /// take messages of no other.
    Child { pid: u32, end: Arc<End>, loose: Loose },
    /// Anybody of this user.
    Anybody(Arc<Arrivals>),
}

/// Connections that wait to be accepted.
#[derive(Debug)]
pub(super) struct Arrivals {
    queue: Mutex<Vec<Endpoint>>,
    /// A message for each.
    port: ReceiveRight,
}

impl Arrivals {
    /// A full queue makes peers try again.
    const MOST: usize = 16;

    pub(super) fn new() -> Result<Self, Error> {
        let port = ReceiveRight::new(16).map_err(|code| os("listening under a name", code))?;
        Ok(Self { queue: Mutex::default(), port })
    }

    fn is_full(&self) -> bool {
        lock(&self.queue).len() >= Self::MOST
    }

    fn push(&self, endpoint: Endpoint) {
        let mut queue = lock(&self.queue);
        queue.push(endpoint);
        let mut beside = Beside { lent: &[], moved: &mut None };
        // There is room for as many as may wait.
        let _sent = send(Target::Own(&self.port), ARRIVED, &mut beside, &[], 0, 0);
    }

    /// The next one.
    pub(super) fn pop(&self) -> Option<Endpoint> {
        let mut queue = lock(&self.queue);
        if queue.is_empty() {
            return None;
        }
        let _told = self.port.receive(MOST, 0);
        Some(queue.remove(0))
    }

    /// What to wait on for them.
    pub(super) fn source(&self) -> Source<'_> {
        Source(What::Port(&self.port))
    }
}

/// A port under a name, not open yet: whoever looks the name up finds it.
#[derive(Debug)]
pub(super) struct Frame {
    public: ReceiveRight,
}

impl Frame {
    /// Takes a name.
    pub(super) fn check_in(name: &CString) -> Result<Self, Code> {
        kern::check_in(name).map(|name| Self { public: ReceiveRight::own(name) })
    }

    /// Takes one that nobody can guess.
    pub(super) fn random() -> Result<(Self, CString), Error> {
        let doing = "naming a connection";
        let bytes = kern::random().map_err(|source| Error::Os { doing, source })?;
        let number = u128::from_le_bytes(bytes);
        let name = CString::new(format!("surfaceport.{number:032x}")).unwrap_or_default();
        let frame = Self::check_in(&name).map_err(|code| os(doing, code))?;
        Ok((frame, name))
    }

    /// Opens it. It closes by itself when the child has its end, or has ended.
    pub(super) fn open(self, guests: Guests, exit: Option<Arc<Exit>>) -> Result<Door, Error> {
        let (bell, stop) = bell_to_host()?;
        let run = move || {
            // What fails here fails for the guest: nobody answers.
            let _over = answer_all(&self.public, &bell, exit.as_ref(), guests);
        };
        let thread = kern::thread("surfaceport-door", run);
        let thread = thread.map_err(|source| Error::Os { doing: "starting a thread", source })?;
        Ok(Door { stop: Ringer::from_handle(stop), thread: Some(thread) })
    }
}

/// An open door.
#[derive(Debug)]
pub(super) struct Door {
    stop: Ringer,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Leaves it to itself.
    pub(super) fn detach(mut self) {
        self.thread = None;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A thread that can't be told is left to itself.
            if self.stop.insist() {
                let _ended = thread.join();
            }
        }
    }
}

const STOP: u64 = 1;
const KNOCKED: u64 = 2;
const ENDED: u64 = 3;

/// Answers whoever knocks.
fn answer_all(
    public: &ReceiveRight,
    stop: &Bell,
    exit: Option<&Arc<Exit>>,
    mut guests: Guests,
) -> Result<(), Error> {
    let set = WaitSet::new()?;
    set.add(stop.source(), STOP, Trigger::Edge)?;
    set.add(Source(What::Port(public)), KNOCKED, Trigger::Level)?;
    if let Some(exit) = exit {
        set.add(Source(What::Exit(exit)), ENDED, Trigger::Level)?;
    }
    loop {
        let mut over = false;
        set.wait(None, |token| over |= matches!(token, Some(STOP | ENDED)))?;
        for _ in 0..AT_ONCE {
            let message = match public.receive(MOST, 0) {
                Ok(message) => message,
                Err(Code::RCV_TOO_LARGE) => continue,
                Err(_) => break,
            };
            let Some((back, who)) = knock(message) else { continue };
            guests = match guests {
                Guests::Child { pid, end, loose } => {
                    if who.pid() != pid {
                        guests = Guests::Child { pid, end, loose };
                        continue;
                    }
                    end.pin(who);
                    // It has its end now, or is gone.
                    let _answered = come_in(back, loose);
                    return Ok(());
                }
                Guests::Anybody(arrivals) => {
                    if who.euid() == kern::euid() {
                        welcome(back, who, &arrivals);
                    }
                    Guests::Anybody(arrivals)
                }
            };
        }
        if over {
            return Ok(());
        }
    }
}

/// What a knock brings: exactly one right to answer once, and who sent it.
fn knock(mut message: ReceivedMessage) -> Option<(SendOnceRight, AuditToken)> {
    let incoming = message.parse().ok()?;
    let exact = incoming.id == KNOCK
        && !incoming.has_remote
        && incoming.carries(&[Disposition::MoveSendOnce])
        && incoming.payload.is_empty();
    let who = incoming.sender.filter(|who| exact && *who != AuditToken::KERNEL)?;
    match message.take(0) {
        Some(Taken::Once(back)) => Some((back, who)),
        _ => None,
    }
}

/// Gives an end away.
fn come_in(back: SendOnceRight, loose: Loose) -> Result<(), Code> {
    let Loose { receive, peer } = loose;
    let mut moved = Some(receive);
    let mut beside = Beside { lent: &[peer.lend()], moved: &mut moved };
    send(Target::Once(back), COME_IN, &mut beside, &[], 0, 0)
}

/// Connects a guest, if not too many wait.
fn welcome(back: SendOnceRight, who: AuditToken, arrivals: &Arrivals) {
    let connect = || {
        let (own, theirs) = Loose::pair()?;
        Ok::<_, Error>((Endpoint::new(own)?, theirs))
    };
    if arrivals.is_full() {
        let mut beside = Beside { lent: &[], moved: &mut None };
        let _sent = send(Target::Once(back), BUSY, &mut beside, &[], 0, 0);
    } else if let Ok((own, theirs)) = connect() {
        own.end().pin(who);
        if come_in(back, theirs).is_ok() {
            arrivals.push(own);
        }
    }
}

/// What came of knocking.
#[derive(Debug)]
pub(super) enum Answer {
    /// The end, and who gave it.
    End(Endpoint, AuditToken),
    /// Nobody is there.
    Nobody,
    /// Too many wait, and the deadline passed.
    Late,
}

/// Guest: asks for an end under a name.
pub(super) fn ask(name: &CString, deadline: Deadline) -> Result<Answer, Error> {
    let doing = "connecting to a name";
    loop {
        let door = match kern::look_up(name) {
            Ok(name) => SendRight::own(name),
            Err(Code::BOOTSTRAP_UNKNOWN_SERVICE) => return Ok(Answer::Nobody),
            Err(code) => return Err(os(doing, code)),
        };
        let reply = ReceiveRight::new(1).map_err(|code| os(doing, code))?;
        let lent = [reply.make_send_once()];
        let mut beside = Beside { lent: &lent, moved: &mut None };
        let left = |least| {
            let left = deadline.remaining().unwrap_or(Duration::MAX).max(least);
            u32::try_from(left.as_millis()).unwrap_or(u32::MAX - 1)
        };
        let knocked = send(Target::Send(&door), KNOCK, &mut beside, &[], 0, left(Duration::ZERO));
        match knocked {
            Ok(()) => {}
            Err(Code::SEND_INVALID_DEST) => return Ok(Answer::Nobody),
            Err(Code::SEND_TIMED_OUT | Code::SEND_INTERRUPTED) => return Ok(Answer::Late),
            Err(code) => return Err(os(doing, code)),
        }
        match reply.receive(MOST, left(ANSWER)) {
            Ok(message) => match answer(message)? {
                Some(answer) => return Ok(answer),
                None if deadline.passed() => return Ok(Answer::Late),
                None => std::thread::sleep(PAUSE),
            },
            Err(Code::RCV_TIMED_OUT) => return Ok(Answer::Late),
            Err(code) => return Err(os(doing, code)),
        }
    }
}

/// What was answered; `None`: too many wait.
fn answer(mut message: ReceivedMessage) -> Result<Option<Answer>, Error> {
    let incoming = message.parse()?;
    let (id, sender) = (incoming.id, incoming.sender.unwrap_or_default());
    if sender == AuditToken::KERNEL {
        // The right to answer was thrown away: the door is closed.
        debug_assert!(id != notify::NO_SENDERS);
        return Ok(Some(Answer::Nobody));
    }
    let plain = !incoming.has_remote && incoming.payload.is_empty();
    if id == BUSY && plain && incoming.carries(&[]) {
        return Ok(None);
    }
    let exact = plain && incoming.carries(&[Disposition::MoveSend, Disposition::MoveReceive]);
    if id != COME_IN || !exact {
        return Ok(Some(Answer::Nobody));
    }
    // The port first: what can be taken is, and dropped if the rest is missing.
    let (receive, peer) = (message.take(1), message.take(0));
    let (Some(Taken::Receive(receive)), Some(Taken::Send(peer))) = (receive, peer) else {
        return Ok(Some(Answer::Nobody));
    };
    let endpoint = Endpoint::new(Loose { receive, peer })?;
    endpoint.end().pin(sender);
    Ok(Some(Answer::End(endpoint, sender)))
}
