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
    keeps: Keeps,
}

/// When the host gives a frame back.
#[derive(Clone, Copy, Debug)]
enum Keeps {
    /// At once.
    Nothing,
    /// When it has taken the next one.
    UntilTheNext,
    /// When there is a next one, before it takes that: so after a take it sleeps
    /// with nothing left to give back, and that take has to wake the child.
    UntilThereIsANext,
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
    assert_eq!(world.account.count(), 0);
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
        let mut screen = None;
        while seen.last < case.frames {
            if let (Keeps::UntilThereIsANext, Some(_)) = (case.keeps, screen) {
                world.await_frame(&host);
                let _last = screen.take().map(|old| world.release(old));
            }
            let taken = world.take(&mut host);
            seen.add(case.mode, taken);
            let old = match case.keeps {
                Keeps::Nothing => Some(taken),
                _ => screen.replace(taken),
            };
            let _last = old.map(|old| world.release(old));
        }
        let _last = screen.map(|old| world.release(old));
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

/// The host takes a few frames, each after it gave back the one before, and then
/// does nothing at all until the child is done: with two slots more than that
/// one frame, the child never waits for it.
fn holds_one(name: &str, preemptions: Option<usize>, case: Case, takes: usize) {
    explore(name, preemptions, move || {
        let world = Arc::new(World::new(case.slots, case.mode));
        let childs = Arc::clone(&world);
        let thread = thread::spawn(move || child(&childs, case.frames));
        let mut host = world.host();
        let mut screen = None;
        for _ in 0..takes {
            let _last = screen.take().map(|old| world.release(old));
            screen = world.poll(&mut host);
        }
        let (mut child, _) = thread.join().unwrap();
        let _last = screen.map(|old| world.release(old));
        while let Some(taken) = world.poll(&mut host) {
            let _last = world.release(taken);
        }
        check_slots(&world, &mut child);
    });
}

#[test]
fn a_child_that_never_waits() {
    for (slots, frames, preemptions, takes) in [(3, 3, None, 2), (3, 5, Some(6), 3)] {
        let name = format!("Mailbox, {slots} slots, {frames} frames, the host stops");
        let case = Case { mode: Mailbox, slots, frames, keeps: Keeps::UntilThereIsANext };
        holds_one(&name, preemptions, case, takes);
    }
}

/// Mode, slots, frames, what the host keeps, bound on preemptions.
#[test]
fn to_the_last_frame() {
    for (mode, slots, frames, keeps, preemptions) in [
        (Mailbox, 2, 2, Keeps::Nothing, None),
        (Mailbox, 2, 5, Keeps::Nothing, Some(4)),
        (Mailbox, 3, 5, Keeps::Nothing, Some(4)),
        (Mailbox, 2, 5, Keeps::UntilTheNext, Some(2)),
        (Mailbox, 3, 5, Keeps::UntilTheNext, Some(4)),
        (Mailbox, 2, 5, Keeps::UntilThereIsANext, Some(3)),
        (Mailbox, 3, 5, Keeps::UntilThereIsANext, Some(4)),
        (Fifo, 2, 2, Keeps::Nothing, None),
        (Fifo, 2, 5, Keeps::Nothing, Some(2)),
        (Fifo, 3, 5, Keeps::Nothing, Some(2)),
        (Fifo, 2, 3, Keeps::UntilTheNext, Some(3)),
        (Fifo, 3, 5, Keeps::UntilTheNext, Some(2)),
        (Fifo, 2, 5, Keeps::UntilThereIsANext, Some(1)),
        (Fifo, 3, 5, Keeps::UntilThereIsANext, Some(2)),
    ] {
        let name = format!("{mode:?}, {slots} slots, {frames} frames, keeps {keeps:?}");
        to_the_last(&name, preemptions, Case { mode, slots, frames, keeps });
    }
}

#[test]
fn a_host_that_goes_early() {
    for (mode, slots, frames, preemptions, times) in
        [(Mailbox, 2, 2, None, 2), (Mailbox, 3, 5, Some(4), 3), (Fifo, 3, 3, None, 2)]
    {
        let name = format!("{mode:?}, {slots} slots, {frames} frames, {times} looks");
        looks(&name, preemptions, Case { mode, slots, frames, keeps: Keeps::Nothing }, times);
    }
}
