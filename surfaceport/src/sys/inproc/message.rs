//! Messages with handles: one bounded queue for each direction.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::process::Context;
use super::wait::{Signal, Source};
use super::{BorrowedHandle, Handle, lock};
use crate::error::{Error, Violation};
use crate::sys::{Received, Sent};

/// The most handles that ride beside a message.
const MAX_HANDLES: usize = 16;
/// The most messages that wait to be received.
const MAX_QUEUED: usize = 128;

/// One end of a connection. No call blocks.
#[derive(Debug)]
pub(crate) struct Endpoint(Line);

/// A connection, seen from one end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    own: Arc<End>,
    peer: Arc<End>,
}

/// What belongs to one end. Nobody ever holds the locks of both.
#[derive(Debug)]
struct End {
    inbox: Mutex<Inbox>,
    signal: Arc<Signal>,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<(Vec<u8>, Vec<Handle>)>,
    /// Nobody receives any more.
    closed: bool,
    /// Nobody sends any more.
    last: bool,
}

impl Endpoint {
    /// Two connected ends.
    pub(crate) fn pair() -> Result<(Self, Self), Error> {
        let end = || {
            let end = End { inbox: Mutex::default(), signal: Arc::default() };
            end.signal.room(true);
            Arc::new(end)
        };
        let (a, b) = (end(), end());
        let other = Line { own: Arc::clone(&b), peer: Arc::clone(&a) };
        Ok((Self(Line { own: a, peer: b }), Self(other)))
    }

    /// By which it can be cut.
    pub(super) fn line(&self) -> Line {
        self.0.clone()
    }

    /// The end that this process was started with. It can be had once.
    pub(crate) fn inherited() -> Result<Self, Error> {
        Context::current()
            .and_then(|this| lock(&this.endpoint).take())
            .ok_or(Error::NoHost { variable: "nothing" })
    }

    /// Sends one message, with 16 handles at most.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[BorrowedHandle<'_>]) -> Result<Sent, Error> {
        if handles.len() > MAX_HANDLES {
            return Err(Violation::TooManyHandles.into());
        }
        let mut inbox = lock(&self.0.peer.inbox);
        if inbox.closed {
            return Ok(Sent::Closed);
        }
        if inbox.messages.len() >= MAX_QUEUED {
            return Ok(Sent::Full);
        }
        let handles = handles.iter().map(|handle| handle.duplicate()).collect();
        inbox.messages.push_back((bytes.to_vec(), handles));
        if inbox.messages.len() >= MAX_QUEUED {
            self.0.own.signal.room(false);
        }
        self.0.peer.signal.ready();
        Ok(Sent::Done)
    }

    /// Receives one message into `bytes` and its handles behind those in
    /// `handles`.
    ///
    /// A message that is longer than `bytes` is a violation; what arrived of it
    /// is closed.
    pub(crate) fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
    ) -> Result<Received, Error> {
        let mut inbox = lock(&self.0.own.inbox);
        let Some((message, came)) = inbox.messages.pop_front() else {
            return Ok(if inbox.last { Received::Closed } else { Received::Empty });
        };
        if inbox.messages.is_empty() && !inbox.last {
            self.0.own.signal.empty();
        }
        self.0.peer.signal.room(true);
        drop(inbox);
        if message.is_empty() {
            // As on Linux, where it looks like the end.
            return Ok(Received::Closed);
        }
        let into = bytes.get_mut(..message.len()).ok_or(Violation::LongMessage)?;
        into.copy_from_slice(&message);
        handles.extend(came);
        Ok(Received::Message(message.len()))
    }

    /// What to wait on for messages.
    pub(crate) fn source(&self) -> Source<'_> {
        &self.0.own.signal
    }
}

impl Line {
    /// Ends it, from this end: the peer still receives what was sent; what it
    /// sent is dropped.
    pub(super) fn cut(&self) {
        let unread = {
            let mut inbox = lock(&self.own.inbox);
            inbox.closed = true;
            inbox.last = true;
            self.own.signal.ready();
            std::mem::take(&mut inbox.messages)
        };
        drop(unread);
        let mut inbox = lock(&self.peer.inbox);
        inbox.last = true;
        self.peer.signal.room(true);
        self.peer.signal.ready();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.0.cut();
    }
}
