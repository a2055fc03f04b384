//! Snapshot mode: what is shown is the host's own copy, which no child can
//! change.

use std::sync::{Arc, OnceLock};

use super::generation::Link;
use crate::error::Error;
use crate::outcome::{FrameId, Outcome};
use crate::surface::{Lease, Lessor, Surface, SwapchainId};
use crate::sync::{AtomicU32, Ordering};

/// The host's copies of one generation's frames: as many as the generation has
/// slots, made when they are needed.
#[derive(Debug)]
pub(super) struct Copies {
    id: SwapchainId,
    link: Arc<Link>,
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    surface: OnceLock<Arc<Surface>>,
    /// Leases of it; none, and it can be written.
    leases: AtomicU32,
}

impl Copies {
    pub(super) fn new(link: Arc<Link>, slots: u8) -> Self {
        let slots = (0..slots).map(|_| Slot::default()).collect();
        Self { id: SwapchainId::new(), link, slots }
    }

    /// The first that nobody shows.
    fn free(&self) -> Option<(u8, &Slot)> {
        (0..).zip(&self.slots).find(|(_, slot)| slot.leases.load(Ordering::Acquire) == 0)
    }

    /// Whether all are shown: then no frame can be taken until one comes back.
    pub(super) fn are_all_held(&self) -> bool {
        self.free().is_none()
    }

    /// Copies a frame; its slot goes back to the child.
    pub(super) fn copy(self: &Arc<Self>, mut lease: Lease) -> Result<Lease, Error> {
        let copied = self.free().ok_or(Error::NoFreeSlot).and_then(|(number, slot)| {
            let copy = match slot.surface.get() {
                Some(copy) => copy,
                None => {
                    let copy = Arc::new(Surface::create(*lease.surface().descriptor())?);
                    slot.surface.get_or_init(|| copy)
                }
            };
            copy.copy_from(lease.surface())?;
            slot.leases.store(1, Ordering::Relaxed);
            Ok((number, Arc::clone(copy)))
        });
        match copied {
            Ok((number, copy)) => {
                let lessor = Arc::clone(self);
                Ok(lease.moved_to(copy, lessor, number))
            }
            Err(error) => {
                lease.report(Outcome::Lost);
                Err(error)
            }
        }
    }
}

impl Lessor for Copies {
    fn id(&self) -> SwapchainId {
        self.id
    }

    fn child_pid(&self) -> Option<u32> {
        self.link.child_pid
    }

    fn share(&self, slot: u8) {
        if let Some(slot) = self.slots.get(usize::from(slot)) {
            slot.leases.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give_back(&self, slot: u8) {
        let waited_for = self.are_all_held();
        let leases = self.slots.get(usize::from(slot)).map(|slot| &slot.leases);
        if leases.is_some_and(|leases| leases.fetch_sub(1, Ordering::AcqRel) == 1) && waited_for {
            self.link.own.ring();
        }
    }

    fn report(&self, id: FrameId, outcome: Outcome) {
        self.link.report(id, outcome);
    }
}
