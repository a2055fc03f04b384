//! An honest child and an honest host, both asleep whenever they may be.

use std::collections::BTreeSet;

use loom::sync::Arc;
use loom::thread;

use super::{World, explore};
use crate::mode::PresentMode::{self, Fifo, Mailbox};
use crate::swapchain::child::Child;
use crate::swapchain::host::Taken;

#[derive(Clone, Copy)]
struct Case {
    mode: PresentMode,
    slots: usize,
    frames: u64,
    /// How many frames the host keeps on screen until the next one is there.
    keeps: usize,
}

/// What the host saw, checked frame by frame.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) last: u64,
    pub(super) taken: u64,
    superseded: u64,
}

impl Seen {
    pub(super) fn add(&mut self, mode: PresentMode, taken: Taken) {
        assert!(taken.sequence > self.last, "a frame came late or twice");
        assert_eq!(taken.superseded, taken.sequence - self.last - 1);
        if mode == Fifo {
            assert_eq!(taken.superseded, 0, "fifo left out a frame");
        }
        self.last = taken.sequence;
        self.taken += 1;
        self.superseded += taken.superseded;
    }
}

/// The child's thread: presents all frames; how many it superseded.
pub(super) fn child(world: &World, frames: u64) -> (Child, u64) {
    let mut child = world.child();
    let mut superseded = 0;
    for frame in 1..=frames {
        if let Some(old) = world.draw(&mut child) {
            assert_eq!(old, frame - 1);
            superseded += 1;
        }
    }
    (child, superseded)
}

/// When the host has nothing any more, the child has each slot once.
pub(super) fn check_slots(world: &World, child: &mut Child) {
    assert!(world.account.is_empty());
    let slots: Vec<_> = std::iter::from_fn(|| child.acquire(&world.word)).collect();
    assert_eq!(slots.len(), world.surfaces.len(), "a slot is lost, or is there twice: {slots:?}");
    let slots: BTreeSet<_> = slots.into_iter().map(usize::from).collect();
    assert_eq!(slots, (0..world.surfaces.len()).collect());
}

/// The host takes until it has the last frame, so nobody may be left asleep.
fn to_the_last(name: &str, preemptions: Option<usize>, case: Case) {
    explore(name, preemptions, move || {
        let world = Arc::new(World::new(case.slots, case.mode));
        let childs = Arc::clone(&world);
        let thread = thread::spawn(move || child(&childs, case.frames));
        let mut host = world.host();
        let mut seen = Seen::default();
        let mut screen = Vec::new();
        while seen.last < case.frames {
            let taken = world.take(&mut host);
            seen.add(case.mode, taken);
            screen.push(taken);
            if screen.len() > case.keeps {
                assert!(!world.release(screen.remove(0)));
            }
        }
        screen.into_iter().for_each(|taken| assert!(!world.release(taken)));
        let (mut child, superseded) = thread.join().unwrap();
        assert_eq!(seen.last, case.frames, "the last frame was never seen");
        assert_eq!(seen.taken + superseded, case.frames);
        assert_eq!(seen.superseded, superseded);
        assert!(!host.has_unread());
        check_slots(&world, &mut child);
    });
}

/// The host looks a few times and goes: presented = taken + superseded + unread.
fn looks(name: &str, preemptions: Option<usize>, case: Case, times: usize) {
    explore(name, preemptions, move || {
        let world = Arc::new(World::new(case.slots, case.mode));
        let childs = Arc::clone(&world);
        let thread = thread::spawn(move || child(&childs, case.frames));
        let mut host = world.host();
        let mut seen = Seen::default();
        for _ in 0..times {
            if let Some(taken) = world.poll(&mut host) {
                seen.add(case.mode, taken);
                let _last = world.release(taken);
            }
        }
        let (mut child, superseded) = thread.join().unwrap();
        let before = seen.taken;
        while let Some(taken) = world.poll(&mut host) {
            seen.add(case.mode, taken);
            let _last = world.release(taken);
        }
        let unread = seen.taken - before;
        assert!(case.mode == Fifo || unread <= 1, "a mailbox holds one frame");
        assert_eq!(before + superseded + unread, case.frames);
        assert_eq!(seen.superseded, superseded);
        check_slots(&world, &mut child);
    });
}

/// Each case in words: mode, slots, frames, frames kept, bound on preemptions.
#[test]
fn to_the_last_frame() {
    for (mode, slots, frames, keeps, preemptions) in [
        (Mailbox, 2, 2, 0, None),
        (Mailbox, 2, 5, 0, Some(4)),
        (Mailbox, 3, 5, 0, Some(4)),
        (Mailbox, 2, 5, 1, Some(2)),
        (Mailbox, 3, 5, 1, Some(4)),
        (Fifo, 2, 2, 0, None),
        (Fifo, 2, 3, 1, Some(3)),
        (Fifo, 2, 5, 0, Some(2)),
        (Fifo, 3, 5, 0, Some(2)),
        (Fifo, 3, 5, 1, Some(3)),
    ] {
        let name = format!("{mode:?}, {slots} slots, {frames} frames, {keeps} kept");
        to_the_last(&name, preemptions, Case { mode, slots, frames, keeps });
    }
}

#[test]
fn a_host_that_goes_early() {
    for (mode, slots, frames, preemptions, times) in
        [(Mailbox, 2, 2, None, 2), (Mailbox, 3, 5, Some(4), 3), (Fifo, 3, 3, None, 2)]
    {
        let name = format!("{mode:?}, {slots} slots, {frames} frames, {times} looks");
        looks(&name, preemptions, Case { mode, slots, frames, keeps: 0 }, times);
    }
}
