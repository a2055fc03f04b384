//! Snapshot mode: what is shown is the host's own copy, which no child can
//! change.

use std::sync::Arc;

use super::generation::Link;
use crate::error::Error;
use crate::outcome::{FrameId, Outcome};
use crate::surface::{Lease, Lessor, Slot, Surface, SwapchainId};
use crate::sync::{AtomicU32, Ordering};

/// The host's copies of one generation's frames: as many as the generation has
/// slots, made when they are needed.
#[derive(Debug)]
pub(super) struct Copies {
    lender: Arc<Lender>,
    slots: Vec<Option<Arc<Slot>>>,
}

/// What they share.
#[derive(Debug)]
struct Lender {
    id: SwapchainId,
    link: Arc<Link>,
    /// How many there can be,
    slots: u32,
    /// and how many are shown.
    held: AtomicU32,
}

impl Copies {
    pub(super) fn new(link: Arc<Link>, slots: u8) -> Self {
        let held = AtomicU32::new(0);
        let lender = Lender { id: SwapchainId::new(), link, slots: slots.into(), held };
        Self { lender: Arc::new(lender), slots: vec![None; usize::from(slots)] }
    }

    /// Whether all are shown: then no frame can be taken until one comes back.
    pub(super) fn are_all_held(&self) -> bool {
        // What comes back is free before it is counted so.
        self.lender.held.load(Ordering::Acquire) == self.lender.slots
    }

    /// Copies a frame; its slot goes back to the child.
    pub(super) fn copy(&mut self, mut lease: Lease) -> Result<Lease, Error> {
        match self.copy_of(&lease) {
            Ok(slot) => Ok(lease.moved_to(slot)),
            Err(error) => {
                lease.report(Outcome::Lost);
                Err(error)
            }
        }
    }

    /// The first slot that nobody shows, with the frame in it.
    fn copy_of(&mut self, lease: &Lease) -> Result<&Arc<Slot>, Error> {
        let is_free = |slot: &Option<Arc<Slot>>| slot.as_ref().is_none_or(|slot| slot.is_free());
        let mut slots = (0..).zip(&mut self.slots);
        let (number, place) = slots.find(|(_, slot)| is_free(slot)).ok_or(Error::NoFreeSlot)?;
        let slot = match place.take() {
            Some(slot) => slot,
            None => {
                let surface = Surface::create(*lease.surface().descriptor())?;
                let lessor = Arc::<Lender>::clone(&self.lender);
                Arc::new(Slot::new(lessor, number, surface))
            }
        };
        let slot = place.insert(slot);
        slot.surface().copy_from(lease.surface())?;
        self.lender.held.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }
}

impl Lessor for Lender {
    fn id(&self) -> SwapchainId {
        self.id
    }

    fn child_pid(&self) -> Option<u32> {
        self.link.child_pid
    }

    fn give_back(&self, _slot: u8) {
        if self.held.fetch_sub(1, Ordering::AcqRel) == self.slots {
            self.link.own.ring();
        }
    }

    fn report(&self, id: FrameId, outcome: Outcome) {
        self.link.report(id, outcome);
    }
}
