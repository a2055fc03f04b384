//! Messages and handles over an endpoint.

use std::collections::VecDeque;
use std::fmt;

use crate::error::{Error, Violation};
use crate::input::{Gate, Input, Verdict};
pub(crate) use crate::sys::{BorrowedHandle, Handle, Sent, Source, borrow};
use crate::sys::{Endpoint, Received};
use crate::wire::{FromChild, FromHost, MAX_MESSAGE_BYTES};

/// Messages that wait for room; a peer that lets more pile up does not read.
/// Input is not among them: it has a limit of its own, and is thrown away.
const MAX_QUEUED: usize = 64;

/// One side of the connection.
pub(crate) struct Channel {
    endpoint: Endpoint,
    inbox: Box<[u8; MAX_MESSAGE_BYTES]>,
    handles: Vec<Handle>,
    outbox: VecDeque<Vec<u8>>,
    gate: Gate,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.outbox.len();
        f.debug_struct("Channel")
            .field("endpoint", &self.endpoint)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

/// What came.
#[derive(Debug)]
pub(crate) enum Incoming<'a, M> {
    /// A message, and the handles beside it, as many as it declares. Those that
    /// are left in place are closed with the next message.
    Message(M, &'a mut Vec<Handle>),
    /// Nothing at the moment.
    Empty,
    /// The peer is gone.
    Closed,
}

impl Channel {
    /// A channel over a connected endpoint.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            inbox: Box::new([0; MAX_MESSAGE_BYTES]),
            handles: Vec::new(),
            outbox: VecDeque::new(),
            gate: Gate::default(),
        }
    }

    /// Host: the next message of the child.
    pub(crate) fn receive_from_child(&mut self) -> Result<Incoming<'_, FromChild<'_>>, Error> {
        self.receive(FromChild::decode)
    }

    /// Child: the next message of the host.
    pub(crate) fn receive_from_host(&mut self) -> Result<Incoming<'_, FromHost<'_>>, Error> {
        self.receive(FromHost::decode)
    }

    fn receive<'a, M>(
        &'a mut self,
        decode: impl FnOnce(&'a [u8], usize) -> Result<M, Violation>,
    ) -> Result<Incoming<'a, M>, Error> {
        self.handles.clear();
        match self.endpoint.receive(self.inbox.as_mut_slice(), &mut self.handles)? {
            Received::Empty => Ok(Incoming::Empty),
            Received::Closed => Ok(Incoming::Closed),
            Received::Message(len) => {
                let packet = self.inbox.get(..len).ok_or(Violation::LongMessage)?;
                match decode(packet, self.handles.len()) {
                    Ok(message) => Ok(Incoming::Message(message, &mut self.handles)),
                    Err(violation) => {
                        self.handles.clear();
                        Err(violation.into())
                    }
                }
            }
        }
    }

    /// Host: sends a message, or queues it behind others that wait for room. A
    /// message with handles is the first and finds room. A Configure takes the
    /// place of one that waits: a window that is being resized does not make a
    /// busy child look like one that does not read.
    pub(crate) fn send_to_child(
        &mut self,
        message: &FromHost<'_>,
        handles: &[BorrowedHandle<'_>],
    ) -> Result<Sent, Error> {
        debug_assert_eq!(message.handles(), handles.len());
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let packet = message.encode(&mut buffer);
        if self.outbox.is_empty() {
            match self.endpoint.send(packet, handles)? {
                Sent::Full if handles.is_empty() => {}
                sent => return Ok(sent),
            }
        }
        if matches!(message, FromHost::Configure(_)) {
            let is_configure =
                |queued: &[u8]| matches!(FromHost::decode(queued, 0), Ok(FromHost::Configure(_)));
            self.outbox.retain(|queued| !is_configure(queued));
        }
        let others = self.outbox.iter().filter(|queued| queued_input(queued).is_none()).count();
        if others >= MAX_QUEUED && !matches!(message, FromHost::Input(_)) {
            return Err(Violation::NotReading.into());
        }
        self.outbox.push_back(packet.to_vec());
        Ok(Sent::Full)
    }

    /// Host: sends an input, queues it, or joins it to one that waits. `None`: it
    /// was thrown away, because too much waits.
    pub(crate) fn send_input(&mut self, input: Input) -> Result<Option<Sent>, Error> {
        let waiting = self.outbox.iter().filter(|queued| queued_input(queued).is_some()).count();
        let last = self.outbox.back().and_then(|queued| queued_input(queued));
        match self.gate.judge(input, waiting, last) {
            Verdict::Append => self.send_to_child(&FromHost::Input(input), &[]).map(Some),
            Verdict::Replace(merged) => {
                self.outbox.pop_back();
                let mut buffer = [0; MAX_MESSAGE_BYTES];
                self.outbox.push_back(FromHost::Input(merged).encode(&mut buffer).to_vec());
                Ok(Some(Sent::Full))
            }
            Verdict::Forget => Ok(Some(Sent::Done)),
            Verdict::Drop => Ok(None),
        }
    }

    /// Child: sends a message, if there is room.
    pub(crate) fn send_to_host(
        &self,
        message: &FromChild<'_>,
        handles: &[BorrowedHandle<'_>],
    ) -> Result<Sent, Error> {
        debug_assert_eq!(message.handles(), handles.len());
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        self.endpoint.send(message.encode(&mut buffer), handles)
    }

    /// Sends what waits. `true`: nothing waits any more.
    pub(crate) fn flush(&mut self) -> Result<bool, Error> {
        while let Some(packet) = self.outbox.front() {
            if self.endpoint.send(packet, &[])? == Sent::Full {
                return Ok(false);
            }
            self.outbox.pop_front();
        }
        Ok(true)
    }

    /// Whether messages wait for room.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// What to wait on.
    pub(crate) fn source(&self) -> Source<'_> {
        self.endpoint.source()
    }
}

/// The input in a packet, if it is one.
fn queued_input(packet: &[u8]) -> Option<Input> {
    match FromHost::decode(packet, 0) {
        Ok(FromHost::Input(input)) => Some(input),
        _ => None,
    }
}
