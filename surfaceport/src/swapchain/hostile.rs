//! A child made of bytes: what the fuzz target `control_page` runs, and the
//! property tests too.
//!
//! The bytes are orders to both sides: nonsense or half-sense for the shared
//! words, and the host's transitions in between. Whatever they say, the host
//! keeps its promises, which are checked after each order.

use super::host::{Account, Host, Taken};
use super::page::Block;
use super::word::{SEQUENCE_SPAN, Word};
use crate::mode::PresentMode;
use crate::sync::Ordering;

/// Reads orders until the bytes end.
struct Orders<'a>(&'a [u8]);

impl Orders<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }
}

/// A host in the middle of a session, and what a plain observer knows of it.
struct Session {
    slots: u8,
    mode: PresentMode,
    account: Account,
    host: Host,
    held: Vec<Taken>,
    last: u64,
}

impl Session {
    fn new(slots: u8, mode: PresentMode) -> Self {
        let (account, host) = (Account::new(), Host::new(slots, mode));
        Self { slots, mode, account, host, held: Vec::new(), last: 0 }
    }

    /// One take; `false` if it ended the session.
    fn take(&mut self, block: &Block) -> bool {
        let ring = block.ring(self.slots);
        let Ok(take) = self.host.take(&self.account, &block.word, ring) else { return false };
        let Some(taken) = take.frame else { return true };
        assert!(taken.slot < self.slots, "a slot that does not exist");
        assert!(self.held.iter().all(|other| other.slot != taken.slot), "a slot held twice");
        assert!(taken.sequence > self.last, "a frame that is not newer");
        assert_eq!(taken.superseded, taken.sequence - self.last - 1, "frames miscounted");
        assert!(self.mode == PresentMode::Mailbox || taken.superseded == 0, "fifo left one out");
        // Whatever the child says of the frame can be read.
        let _ = block.description(taken.slot, self.last, taken.sequence);
        self.last = taken.sequence;
        self.held.push(taken);
        true
    }

    /// Gives back a held frame, if there is one.
    fn release(&mut self, block: &Block, which: u8) {
        if let Some(index) = usize::from(which).checked_rem(self.held.len()) {
            let taken = self.held.swap_remove(index);
            let _ = self.account.release(&block.word, taken.slot);
        }
    }

    /// A frame as it should be, `ahead` of the last and in any slot.
    fn frame(&self, slot: u8, ahead: u8) -> Word {
        Word::frame(slot % self.slots, self.last.wrapping_add(u64::from(ahead)))
    }
}

/// Runs a host over a block whose words are whatever the data says.
///
/// # Panics
///
/// If the host breaks a promise: that is a bug.
pub(crate) fn control_page(data: &[u8]) {
    control_page_over(&Block::default(), data);
}

/// The same over a block that something else may write at the same time.
///
/// # Panics
///
/// As [`control_page`].
pub(crate) fn control_page_over(block: &Block, data: &[u8]) {
    let mut orders = Orders(data);
    let Some(setup) = orders.byte() else { return };
    let mode = if setup & 0x80 == 0 { PresentMode::Mailbox } else { PresentMode::Fifo };
    let slots = (2..=16).nth(usize::from(setup & 0x7f) % 15).unwrap_or(2);
    let mut session = Session::new(slots, mode);
    while obey(&mut orders, block, &mut session).is_some() {
        assert_eq!(session.account.count(), session.held.len() as u64, "the account is wrong");
    }
    end(session, block);
}

/// Writes noise over some words of a block, the main word most of all.
#[cfg(fuzzing)]
pub(crate) fn scribble(block: &Block, seed: &mut u64) {
    for word in block.words().take(32) {
        *seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        word.store(*seed, Ordering::Relaxed);
        let frame = Word::frame((*seed >> 60) as u8, (*seed >> 50) & 0xff);
        block.word.store(frame.0, Ordering::Relaxed);
    }
}

/// What a violation or the end leads to: every frame is given back.
fn end(mut session: Session, block: &Block) {
    while !session.held.is_empty() {
        session.release(block, 0);
    }
    assert_eq!(session.account.count(), 0);
}

/// One order; `None` when there are no more.
fn obey(orders: &mut Orders<'_>, block: &Block, session: &mut Session) -> Option<()> {
    let (word, ring) = (&block.word, block.ring(session.slots));
    match orders.byte()? % 10 {
        0 => word.store(orders.word()?, Ordering::Release),
        1 => _ = word.swap(orders.word()?, Ordering::AcqRel),
        // A frame that could be, with other bits thrown in.
        2 => {
            let frame = session.frame(orders.byte()?, orders.byte()?);
            word.store(frame.0 | (u64::from(orders.byte()?) << 56), Ordering::Release);
        }
        3 => {
            let frame = session.frame(orders.byte()?, orders.byte()?);
            let free = u64::from(orders.byte()?) | (u64::from(orders.byte()?) << 8);
            word.store(frame.0 | free, Ordering::Release);
        }
        // A leap as far as is allowed, towards the end of a u64.
        4 => {
            let far = session.last.wrapping_add(SEQUENCE_SPAN / 2 - 1);
            word.store(Word::frame(orders.byte()? % session.slots, far).0, Ordering::Release);
        }
        // A frame in the ring, as fifo wants it.
        5 => {
            let (slot, ahead) = (orders.byte()?, u64::from(orders.byte()? % 4));
            let sequence = session.last.wrapping_add(ahead);
            let index = usize::try_from(sequence % u64::from(session.slots)).unwrap_or(0);
            let entry = Word::frame(slot % session.slots, sequence);
            ring.get(index)?.store(entry.0, Ordering::Release);
        }
        6 => {
            let index = u16::from_le_bytes([orders.byte()?, orders.byte()?]);
            let value = orders.word()?;
            let words = block.words().count();
            block.words().nth(usize::from(index) % words)?.store(value, Ordering::Release);
        }
        7 => _ = session.host.arm(word),
        8 => session.release(block, orders.byte()?),
        _ => {
            if !session.take(block) {
                let next = Session::new(session.slots, session.mode);
                end(core::mem::replace(session, next), block);
            }
        }
    }
    Some(())
}
