//! The first way that comes to mind: two surfaces, and a small message a frame
//! that says which; nothing is given back.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use super::eventfd::inherited;
use super::{Child, Failure, Host, Start, Started, Subject, same};
use crate::board;
use crate::run::{ChildArguments, Run, Touch, Wait};
use crate::shared::Shared;

const PIXELS: usize = 4096;
const SURFACES: usize = 2;

/// Swap messages over SOCK_SEQPACKET.
#[derive(Debug)]
pub(crate) struct SeqPacket;

/// Either side.
#[derive(Debug)]
pub(crate) struct Side {
    memory: Shared,
    socket: OwnedFd,
    /// The surface to draw into next, or the one that was taken last.
    next: usize,
    run: Run,
    _child: Option<Started>,
}

impl Subject for SeqPacket {
    const NAME: &'static str = "swap message";
    type Host = Side;
    type Child = Side;

    fn can(_: &Run) -> bool {
        true
    }

    fn host(start: &Start<'_>) -> Result<Side, Failure> {
        let memory = Shared::create(PIXELS + SURFACES * start.run.bytes())?;
        let (ours, theirs) = pair(SocketType::SEQPACKET)?;
        let child = start.spawn(vec![
            memory.path().to_string_lossy().into_owned(),
            theirs.as_raw_fd().to_string(),
        ])?;
        Ok(Side { memory, socket: ours, next: 0, run: start.run.clone(), _child: Some(child) })
    }

    fn child(arguments: &ChildArguments) -> Result<Side, Failure> {
        let path = arguments.rest.first().ok_or("no memory")?;
        let memory = Shared::open(path.as_ref())?;
        let socket = inherited(arguments.rest.get(1))?;
        Ok(Side { memory, socket, next: 0, run: arguments.run.clone(), _child: None })
    }
}

/// A pair of sockets: ours, and one that a child inherits.
pub(super) fn pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd), Failure> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC)?;
    Ok((ours, theirs))
}

impl Side {
    /// The words of a surface of which the run says that they are touched.
    fn words(&self, index: usize) -> impl Iterator<Item = *mut u64> + '_ {
        let offset = PIXELS + index % SURFACES * self.run.bytes();
        let len = match self.run.touch {
            Touch::Nothing => 0,
            Touch::Stamp => 64,
            Touch::Whole => self.run.bytes(),
        };
        self.memory.words(offset, len)
    }

    fn say(&self, word: u64) -> Result<(), Failure> {
        send(&self.socket, &[word.to_ne_bytes(); 2].concat(), SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message; `None`: the other side is gone.
    fn hear(&self) -> Result<Option<u64>, Failure> {
        let mut message = [0; 16];
        let (len, _) = match self.run.wait {
            Wait::Asleep => recv(&self.socket, &mut message, RecvFlags::empty())?,
            Wait::Awake => board::look(|| {
                let heard = recv(&self.socket, &mut message, RecvFlags::DONTWAIT);
                (heard != Err(Errno::AGAIN)).then_some(heard)
            })??,
        };
        Ok(message.first_chunk().filter(|_| len == 16).map(|word| u64::from_ne_bytes(*word)))
    }
}

impl Host for Side {
    fn request(&mut self) -> Result<(), Failure> {
        self.say(0)
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let index = self.hear()?.ok_or("the child is gone")?;
        self.next = usize::try_from(index)?;
        self.look_again()
    }

    fn look_again(&mut self) -> Result<u64, Failure> {
        // SAFETY: mapped, aligned. Nothing keeps the child from drawing into a
        // surface that the host reads: what is torn is counted.
        Ok(same(self.words(self.next).map(|word| unsafe { word.read_volatile() })))
    }
}

impl Child for Side {
    fn wait(&mut self) -> Result<bool, Failure> {
        self.hear().map(|heard| heard.is_some())
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        for word in self.words(self.next) {
            // SAFETY: mapped, aligned, and the host reads it as volatile too.
            unsafe { word.write_volatile(value) };
        }
        self.say(self.next as u64)?;
        self.next = (self.next + 1) % SURFACES;
        Ok(())
    }
}
