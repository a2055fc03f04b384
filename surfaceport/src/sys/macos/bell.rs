//! Wake-ups: a port of its own for each bell, with room for one message.
//!
//! A ring is the smallest of messages, sent without waiting: if one is there
//! already it fails, and the two are one. Whoever hears it takes it out before
//! looking for what it was rung for, so no ring is lost.

use std::sync::{Arc, Mutex};

use super::kern::Code;
use super::rights::{Beside, ReceiveRight, SendRight, Target, send};
use super::wait::{Source, What};
use super::{Handle, lock, os};
use crate::error::Error;

/// The id of a ring: that of the PoC's swap message.
const RING: i32 = 2000;
/// As long as that one: a number follows, of which nothing is made.
const PAYLOAD: [u8; 4] = [0; 4];
/// At most this many are taken out at once; one has room.
const RINGS: usize = 4;

/// The port that is rung, and whether it was.
#[derive(Debug)]
pub(super) struct BellPort {
    port: ReceiveRight,
    rung: Mutex<bool>,
}

impl BellPort {
    fn new(port: ReceiveRight) -> Arc<Self> {
        Arc::new(Self { port, rung: Mutex::new(false) })
    }

    pub(super) fn port(&self) -> &ReceiveRight {
        &self.port
    }

    /// Whether it was rung since it was emptied.
    pub(super) fn is_rung(&self) -> bool {
        *lock(&self.rung)
    }

    /// Takes out what rings, whatever it says: it is a hint. Whether anything
    /// did.
    pub(super) fn take_ring(&self) -> bool {
        let mut rung = false;
        for _ in 0..RINGS {
            match self.port.receive(64, 0) {
                Ok(_) | Err(Code::RCV_TOO_LARGE) => rung = true,
                Err(_) => break,
            }
        }
        *lock(&self.rung) |= rung;
        rung
    }
}

/// The end that is waited on; nothing, if it was made from another kind of
/// handle.
#[derive(Debug)]
pub(crate) struct Bell(Option<Arc<BellPort>>);

/// The end that rings; nothing, likewise.
#[derive(Debug)]
pub(crate) struct Ringer(Option<SendRight>);

fn new() -> Result<(ReceiveRight, SendRight), Error> {
    let failed = |code| os("creating a bell", code);
    let port = ReceiveRight::new(1).map_err(failed)?;
    let ringer = port.sender().map_err(failed)?;
    Ok((port, ringer))
}

/// A bell for the host, and the handle by which the child rings it.
pub(crate) fn bell_to_host() -> Result<(Bell, Handle), Error> {
    let (port, ringer) = new()?;
    Ok((Bell(Some(BellPort::new(port))), Handle::Send(ringer)))
}

/// What the host rings the child with, and the handle that the child waits on.
pub(crate) fn bell_to_child() -> Result<(Ringer, Handle), Error> {
    let (port, ringer) = new()?;
    Ok((Ringer(Some(ringer)), Handle::Receive(Mutex::new(Some(port)))))
}

impl Ringer {
    /// The child's ringer, as it came with Welcome.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        match handle {
            Handle::Send(right) => Self(Some(right)),
            Handle::Receive(_) => Self(None),
        }
    }

    /// Wakes the other side. It is a hint: where it can't be given, the bell is
    /// full of earlier ones or nobody is there any more.
    pub(crate) fn ring(&self) {
        if let Some(right) = &self.0 {
            let mut beside = Beside { lent: &[], moved: &mut None };
            let _hint = send(Target::Send(right), RING, &mut beside, &PAYLOAD, 0, 0);
        }
    }
}

impl Ringer {
    /// Wakes the other side, which must hear it: tries again if the kernel
    /// fails. Whether it will.
    pub(super) fn insist(&self) -> bool {
        const TRIES: usize = 8;
        let Some(right) = &self.0 else { return false };
        (0..TRIES).any(|_| {
            let mut beside = Beside { lent: &[], moved: &mut None };
            let rung = send(Target::Send(right), RING, &mut beside, &PAYLOAD, 0, 0);
            // It is ringing already, or nobody is there any more.
            matches!(rung, Ok(()) | Err(Code::SEND_TIMED_OUT | Code::SEND_INVALID_DEST))
        })
    }
}

impl Bell {
    /// The child's bell, as it came with Welcome.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        match handle {
            Handle::Receive(slot) => Self(lock(&slot).take().map(BellPort::new)),
            // One that never rings.
            Handle::Send(_) => Self(None),
        }
    }

    /// Child: empties the bell.
    pub(crate) fn drain(&self) {
        if let Some(bell) = &self.0 {
            bell.take_ring();
            *lock(&bell.rung) = false;
        }
    }

    /// What to wait on, edge-triggered.
    pub(crate) fn source(&self) -> Source<'_> {
        Source(self.0.as_ref().map_or(What::Nothing, What::Bell))
    }
}
