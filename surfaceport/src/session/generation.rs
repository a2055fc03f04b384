//! A generation of surfaces on the host's side, and what its frames share with
//! the session: they outlive it, and come back from any thread.

use std::sync::{Arc, Mutex, PoisonError};

use super::event::Stats;
use super::frame::Frame;
use super::snapshot::Copies;
use super::strain::Strain;
use crate::bell::Ringer;
use crate::channel::Handle;
use crate::error::{Error, Violation};
use crate::mode::PresentMode;
use crate::outcome::{FrameId, Outcome};
use crate::page::Page;
use crate::surface::{Lessor, Slot, Surface, SwapchainId};
use crate::swapchain::feedback::FeedbackWriter;
use crate::swapchain::host::{Account, Host};
use crate::swapchain::page::Block;
use crate::swapchain::word::Word;
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::time::Timestamp;
use crate::wire::Setup;

/// Counts of what became of frames; the session's, shared by all its children.
#[derive(Debug, Default)]
pub(super) struct Tally {
    presented: AtomicU64,
    shown: AtomicU64,
    superseded: AtomicU64,
    stale: AtomicU64,
    lost: AtomicU64,
    host_copies: AtomicU64,
}

impl Tally {
    /// Frames came to be known of, some of which others superseded.
    fn presented(&self, count: u64, superseded: u64) {
        // Only the session counts these, in one thread at a time.
        let presented = self.presented.load(Ordering::Relaxed);
        self.presented.store(presented.wrapping_add(count), Ordering::Relaxed);
        if superseded != 0 {
            self.count(Outcome::Superseded, superseded);
        }
    }

    fn count(&self, outcome: Outcome, count: u64) {
        let counter = match outcome {
            Outcome::Shown { .. } => &self.shown,
            Outcome::Superseded => &self.superseded,
            Outcome::Stale => &self.stale,
            Outcome::Lost => &self.lost,
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Copies the counts out.
    pub(super) fn write_to(&self, stats: &mut Stats) {
        stats.presented = self.presented.load(Ordering::Relaxed);
        stats.shown = self.shown.load(Ordering::Relaxed);
        stats.superseded = self.superseded.load(Ordering::Relaxed);
        stats.stale = self.stale.load(Ordering::Relaxed);
        stats.lost = self.lost.load(Ordering::Relaxed);
        stats.host_copies = self.host_copies.load(Ordering::Relaxed);
    }
}

/// What all generations of one connection share.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) page: Page,
    /// Wakes the child.
    child: Ringer,
    /// What that costs, and the other calls on what the child holds.
    pub(super) strain: Strain,
    /// Frames are copied, and only the copies shown.
    pub(super) snapshots: AtomicBool,
    /// Wakes the session, when the last frame of an old generation is dropped.
    pub(super) own: Arc<Ringer>,
    pub(super) tally: Arc<Tally>,
    pub(super) child_pid: Option<u32>,
    /// Private to the host and held for a few stores only; frames are dropped
    /// from any thread.
    feedback: Mutex<FeedbackWriter>,
}

impl Link {
    pub(super) fn new(
        page: Page,
        child: Ringer,
        snapshots: bool,
        own: Arc<Ringer>,
        tally: Arc<Tally>,
        child_pid: Option<u32>,
    ) -> Self {
        let (strain, feedback) = (Strain::default(), Mutex::default());
        let snapshots = AtomicBool::new(snapshots);
        Self { page, child, strain, snapshots, own, tally, child_pid, feedback }
    }

    /// Wakes the child, unless that has become too dear.
    pub(super) fn ring_child(&self) {
        if !self.strain.is_over() {
            self.strain.of(|| self.child.ring());
            if self.strain.is_over() {
                // The session is to end it.
                self.own.ring();
            }
        }
    }

    pub(super) fn report(&self, id: FrameId, outcome: Outcome) {
        self.tally.count(outcome, 1);
        let mut writer = self.feedback.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(&self.page.control().feedback, id, outcome);
    }
}

/// One Setup, and which of its slots are held.
#[derive(Debug)]
pub(super) struct Generation {
    id: SwapchainId,
    number: u32,
    /// Of all its surfaces, in bytes.
    bytes: u64,
    link: Arc<Link>,
    account: Account,
}

impl Generation {
    fn block(&self) -> &Block {
        self.link.page.control().block(self.number)
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of memory of its surfaces.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it has been retired and none of its frames is held.
    pub(super) fn is_over(&self) -> bool {
        self.account.is_over()
    }
}

impl Lessor for Generation {
    fn id(&self) -> SwapchainId {
        self.id
    }

    fn child_pid(&self) -> Option<u32> {
        self.link.child_pid
    }

    fn give_back(&self, slot: u8) {
        let released = self.account.release(&self.block().word, slot);
        if released.ring {
            self.link.ring_child();
        }
        if released.last {
            self.link.own.ring();
        }
    }

    fn report(&self, id: FrameId, outcome: Outcome) {
        self.link.report(id, outcome);
    }
}

/// The generation that frames are taken of.
#[derive(Debug)]
pub(super) struct Current {
    generation: Arc<Generation>,
    slots: Vec<Arc<Slot>>,
    count: u8,
    host: Host,
    mode: PresentMode,
    last: u64,
    copies: Copies,
}

impl Current {
    /// Takes over the surfaces of a Setup, once each is proved harmless.
    pub(super) fn import(
        setup: &Setup,
        handles: impl Iterator<Item = Handle>,
        link: &Arc<Link>,
    ) -> Result<Self, Error> {
        let surfaces = handles
            .map(|handle| Surface::import(handle, setup.surface, setup.bytes_per_slot))
            .collect::<Result<Vec<_>, Error>>()?;
        let generation = Arc::new(Generation {
            id: SwapchainId::new(),
            number: setup.generation,
            bytes: surfaces.iter().map(Surface::memory_bytes).sum(),
            link: Arc::clone(link),
            account: Account::new(),
        });
        let slot = |(number, surface)| {
            let lessor = Arc::<Generation>::clone(&generation);
            Arc::new(Slot::new(lessor, number, surface))
        };
        let slots = (0..).zip(surfaces).map(slot).collect();
        let host = Host::new(setup.slots, setup.mode);
        let copies = Copies::new(Arc::clone(link), setup.slots);
        let (count, mode) = (setup.slots, setup.mode);
        Ok(Self { generation, slots, count, host, mode, last: 0, copies })
    }

    /// What it takes frames of.
    pub(super) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Whether an unread frame seems to be there.
    pub(super) fn has_frame(&self) -> bool {
        self.word().slot_field() != 0 || self.host.has_unread()
    }

    /// Whether the child waits for a slot, by what it says.
    pub(super) fn child_sleeps(&self) -> bool {
        self.word().child_sleeps()
    }

    fn word(&self) -> Word {
        Word(self.generation.block().word.load(Ordering::Relaxed))
    }

    /// Whether frames have to be copied, and there is no place for a copy: the
    /// host has all of them.
    fn has_no_place(&self) -> bool {
        self.generation.link.snapshots.load(Ordering::Relaxed) && self.copies.are_all_held()
    }

    /// Says that the host is going to sleep; `false`: a frame is there.
    pub(super) fn arm(&self) -> bool {
        self.has_no_place() || self.host.arm(&self.generation.block().word)
    }

    /// Takes the next frame.
    pub(super) fn take(&mut self) -> Result<Option<Frame>, Violation> {
        if self.has_no_place() {
            return Ok(None);
        }
        let generation = &self.generation;
        let block = generation.block();
        let ring = block.ring(self.count);
        let take = self.host.take(&generation.account, &block.word, ring)?;
        let link = &generation.link;
        if take.ring {
            link.ring_child();
        }
        let Some(taken) = take.frame else { return Ok(None) };
        let slot = self.slots.get(usize::from(taken.slot)).ok_or(Violation::SlotOutOfRange)?;
        link.tally.presented(1 + taken.superseded, taken.superseded);
        let whole = slot.surface().descriptor().size();
        block.keep(taken.slot, self.last, taken.sequence, slot.said());
        self.last = taken.sequence;
        let id = FrameId { generation: generation.number, sequence: taken.sequence };
        // From here on the slot comes back in any case.
        let mut lease = slot.lease(id, Timestamp::now());
        if !slot.said().fit(whole) {
            lease.report(Outcome::Lost);
            return Err(Violation::BadGeometry);
        }
        if link.snapshots.load(Ordering::Relaxed) {
            // Without memory for the copy the frame is lost; others may follow.
            let Ok(copy) = self.copies.copy(lease) else { return Ok(None) };
            link.tally.host_copies.fetch_add(1, Ordering::Relaxed);
            lease = copy;
        }
        Ok(Some(Frame::new(lease)))
    }

    /// No more frames are taken of this: what is unread has this outcome. The
    /// generation, if frames of it are still held.
    pub(super) fn retire(mut self, outcome: Outcome) -> Result<Retired, Violation> {
        let generation = self.generation;
        let block = generation.block();
        let ring = block.ring(self.count);
        let first = self.last + 1;
        let drained = self.host.drain(&generation.account, &block.word, ring)?;
        let link = &generation.link;
        link.tally.presented(drained.unread + drained.superseded, drained.superseded);
        // In mailbox there is one, behind those that it superseded.
        let first =
            if self.mode == PresentMode::Mailbox { first + drained.superseded } else { first };
        for sequence in first..first + drained.unread {
            link.report(FrameId { generation: generation.number, sequence }, outcome);
        }
        let over = generation.account.retire();
        Ok(if over { Retired::Over(generation.number) } else { Retired::Held(generation) })
    }
}

/// A generation of which no more frames are taken.
#[derive(Debug)]
pub(super) enum Retired {
    /// Nothing of it is held.
    Over(u32),
    /// Some of its frames are.
    Held(Arc<Generation>),
}
