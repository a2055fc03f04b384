//! Both sides of the proof of concept that this library comes from: a host for
//! its child, and a child for its parent.
//!
//! Its child looks a public name up, sends the ports of two surfaces, and from
//! then on says which of the two it has drawn. Nothing ever goes back: so a
//! child draws into what is on display, and neither side is told that the other
//! one is there. What could be mended on one side is: the kernel says who sends,
//! every message is checked, every right is given back.

use std::ffi::CString;
use std::time::Duration;

use super::kern::{self, Code};
use super::process::{Process, Spawn, StderrPipe};
use super::rights::{Beside, ReceiveRight, ReceivedMessage, SendRight, Taken, Target, send};
use super::surface::SurfaceMemory;
use super::wait::{Source, WaitSet, What};
use super::{BorrowedHandle, Handle, os};
use crate::error::{Error, ExitReason, Violation};
use crate::format::Format;
use crate::geometry::SurfaceDescriptor;
use crate::sys::mach_frame::AuditToken;
use crate::sys::mach_frame::poc::{MOST, Message, NAME, SURFACES};
use crate::sys::{PipeRead, Sent, Trigger};

/// What it draws in.
const FORMAT: Format = Format::Bgra8;
/// Messages of strangers that one look passes over.
const PASSED_OVER: usize = 64;
/// How long its parent may be busy. (Its own child waits for ever.)
const PATIENCE: Duration = Duration::from_millis(100);

/// The parent's part.
#[derive(Debug)]
pub(crate) struct PocHost {
    /// Given up first: who asks for the name then finds nobody.
    port: ReceiveRight,
    process: Process,
    output: StderrPipe,
    /// The process that was started, from its first message on: this one, not
    /// another with its number.
    child: Option<AuditToken>,
    is_set_up: bool,
    has_ended: bool,
    set: WaitSet,
}

/// What a host hears.
#[derive(Debug)]
pub(crate) enum PocNews {
    /// The child's surfaces, and what they are; once, before all else.
    SetUp([(SurfaceMemory, SurfaceDescriptor); SURFACES]),
    /// One of them is to be shown.
    Swap(usize),
    /// The child is gone, and all that it said has been heard.
    Ended(ExitReason),
}

impl PocHost {
    /// Takes the name, and starts the child.
    pub(crate) fn start(spawn: &Spawn) -> Result<Self, Error> {
        let name = CString::new(NAME).map_err(|_| Error::BadName(NAME.into()))?;
        let port = kern::check_in(&name).map(ReceiveRight::own);
        let port = port.map_err(|code| match code {
            Code::BOOTSTRAP_SERVICE_ACTIVE | Code::BOOTSTRAP_NAME_IN_USE => {
                Error::NameInUse(NAME.into())
            }
            code => os("listening under a name", code),
        })?;
        let (process, output) = spawn.launch(spawn.environment())?;
        let set = WaitSet::new()?;
        set.add(Source(What::Port(&port)), 0, Trigger::Level)?;
        set.add(process.source(), 1, Trigger::Level)?;
        set.add(output.source(), 2, Trigger::Level)?;
        Ok(Self { port, process, output, child: None, is_set_up: false, has_ended: false, set })
    }

    /// What the child has said, without waiting.
    ///
    /// A violation is the child's: nothing more is to be expected of it.
    pub(crate) fn next(&mut self) -> Result<Option<PocNews>, Error> {
        for _ in 0..PASSED_OVER {
            let message = match self.port.receive(MOST, 0) {
                Ok(message) => message,
                // Whoever sent that, it is gone, with all its rights.
                Err(Code::RCV_TOO_LARGE) => continue,
                // It had ended before this look: there is nothing more to come.
                Err(Code::RCV_TIMED_OUT) if self.has_ended => {
                    return Ok(self.process.reap().map(PocNews::Ended));
                }
                Err(Code::RCV_TIMED_OUT) => {
                    self.has_ended = self.process.ended(Duration::ZERO);
                    if !self.has_ended {
                        return Ok(None);
                    }
                    continue;
                }
                Err(code) => return Err(os("receiving a message", code)),
            };
            if self.is_of_child(&message) {
                return self.hear(message).map(Some);
            }
        }
        Ok(None)
    }

    /// Anybody can look the name up and send here; the kernel says who did.
    /// While the child is not reaped, nobody else has its number.
    fn is_of_child(&mut self, message: &ReceivedMessage) -> bool {
        let Some(sender) = message.sender() else { return false };
        match self.child {
            Some(child) => child == sender,
            None if sender.pid() == self.process.pid() => {
                self.child = Some(sender);
                true
            }
            None => false,
        }
    }

    fn hear(&mut self, mut message: ReceivedMessage) -> Result<PocNews, Error> {
        match Message::parse(&message.parse()?)? {
            Message::Setup if self.is_set_up => Err(Violation::WrongState.into()),
            Message::Setup => {
                let mut surface = |index| match message.take(index) {
                    Some(Taken::Send(port)) => SurfaceMemory::look_up(port, FORMAT),
                    _ => Err(Violation::MissingHandles.into()),
                };
                let surfaces = [surface(0)?, surface(1)?];
                self.is_set_up = true;
                Ok(PocNews::SetUp(surfaces))
            }
            Message::Swap(_) if !self.is_set_up => Err(Violation::WrongState.into()),
            Message::Swap(index) => Ok(PocNews::Swap(index)),
        }
    }

    /// What the child writes to stdout and stderr.
    pub(crate) fn read_output(&self, buffer: &mut [u8]) -> PipeRead {
        let read = self.output.read(buffer);
        if read == PipeRead::End {
            self.set.remove(self.output.source());
        }
        read
    }

    /// The child's process id.
    #[cfg(target_os = "macos")]
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sleeps until there is something to hear or to read.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.set.wait(timeout, |_| ())
    }
}

#[cfg(target_os = "macos")]
impl std::os::fd::AsFd for PocHost {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.set.as_fd()
    }
}

/// The child's part.
#[derive(Debug)]
pub(crate) struct PocChild(SendRight);

impl PocChild {
    /// Finds the parent.
    pub(crate) fn connect() -> Result<Self, Error> {
        let name = CString::new(NAME).map_err(|_| Error::BadName(NAME.into()))?;
        match kern::look_up(&name) {
            Ok(parent) => Ok(Self(SendRight::own(parent))),
            Err(Code::BOOTSTRAP_UNKNOWN_SERVICE) => Err(Error::NoSuchName(NAME.into())),
            Err(code) => Err(os("connecting to a name", code)),
        }
    }

    /// Sends the surfaces. Their handles have done their work then, and are to be
    /// forgotten: while there is one, its surface counts as used.
    pub(crate) fn set_up(&self, surfaces: [BorrowedHandle<'_>; SURFACES]) -> Result<Sent, Error> {
        let [Handle::Send(first), Handle::Send(second)] = surfaces else {
            return Err(Violation::UnexpectedHandles.into());
        };
        let mut beside = Beside { lent: &[first.lend(), second.lend()], moved: &mut None };
        self.say(Message::Setup, &mut beside)
    }

    /// Has one of them shown. A parent that is busy for long misses it.
    pub(crate) fn swap(&self, index: usize) -> Result<Sent, Error> {
        self.say(Message::Swap(index), &mut Beside { lent: &[], moved: &mut None })
    }

    fn say(&self, message: Message, beside: &mut Beside<'_>) -> Result<Sent, Error> {
        let patience = u32::try_from(PATIENCE.as_millis()).unwrap_or(0);
        let to = Target::Send(&self.0);
        match send(to, message.id(), beside, &message.payload(), 0, patience) {
            Ok(()) => Ok(Sent::Done),
            Err(Code::SEND_INVALID_DEST) => Ok(Sent::Closed),
            Err(Code::SEND_TIMED_OUT | Code::SEND_INTERRUPTED) => Ok(Sent::Full),
            Err(code) => Err(os("sending a message", code)),
        }
    }
}
