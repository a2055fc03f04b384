//! Frames that are given back from another thread than the session's.

use loom::sync::Arc;
use loom::sync::mpsc::channel;
use loom::thread;

use super::honest::{Seen, check_slots, child};
use super::{World, explore};
use crate::mode::PresentMode::{self, Fifo, Mailbox};
use crate::swapchain::child::Child;
use crate::swapchain::host::Taken;
use crate::sync::Ordering;

/// The session takes while the display's thread gives back.
fn display_thread(name: &str, preemptions: usize, mode: PresentMode, slots: usize, frames: u64) {
    explore(name, Some(preemptions), move || {
        let world = Arc::new(World::new(slots, mode));
        let childs = Arc::clone(&world);
        let renderer = thread::spawn(move || child(&childs, frames));
        let (to_display, shown) = channel::<Option<Taken>>();
        let displays = Arc::clone(&world);
        let display = thread::spawn(move || {
            while let Some(taken) = shown.recv().unwrap() {
                let _last = displays.release(taken);
            }
        });
        let mut host = world.host();
        let mut seen = Seen::default();
        while seen.last < frames {
            let taken = world.take(&mut host);
            seen.add(mode, taken);
            to_display.send(Some(taken)).unwrap();
        }
        to_display.send(None).unwrap();
        display.join().unwrap();
        let (mut child, superseded) = renderer.join().unwrap();
        assert_eq!(seen.taken + superseded, frames);
        check_slots(&world, &mut child);
    });
}

#[test]
fn release_while_taking() {
    for (mode, slots, frames, preemptions) in
        [(Mailbox, 2, 3, 2), (Mailbox, 3, 5, 2), (Fifo, 2, 3, 1), (Fifo, 3, 5, 1)]
    {
        let name = format!("{mode:?}, {slots} slots, {frames} frames, a display thread");
        display_thread(&name, preemptions, mode, slots, frames);
    }
}

/// Once the account says that a generation is over, the child uses its block for
/// another one, in which no late release may give it a slot that it has already.
/// Either the session hears at once that nothing is out, or one release says so.
fn retire(frames: usize, preemptions: Option<usize>) {
    let name = format!("a generation retired while {frames} frames are given back");
    explore(&name, preemptions, move || {
        let world = Arc::new(World::new(3, Fifo));
        let mut renderer = world.child();
        let mut host = world.host();
        let mut displays = Vec::new();
        for _ in 0..frames {
            world.draw(&mut renderer);
            let taken = world.take(&mut host);
            let world = Arc::clone(&world);
            displays
                .push(thread::spawn(move || world.release(taken).then(|| set_up_the_next(&world))));
        }
        let mut next = world.account.retire().then(|| set_up_the_next(&world));
        for display in displays {
            let said_so = display.join().unwrap();
            assert!(next.is_none() || said_so.is_none(), "over twice");
            next = next.or(said_so);
        }
        assert!(world.account.is_over());
        let mut next = next.expect("nobody said that it is over");
        assert_eq!(next.acquire(&world.word), None, "a slot from the old generation");
    });
}

/// The child's next generation in the same block, all slots in use.
fn set_up_the_next(world: &World) -> Child {
    world.word.store(0, Ordering::Release);
    let mut next = Child::new(3, Fifo);
    (0..3).for_each(|_| assert!(next.acquire(&world.word).is_some()));
    next
}

#[test]
fn retire_while_releasing() {
    retire(1, None);
    retire(2, Some(4));
    retire(3, Some(2));
}

/// A session that looks for itself, as it does whenever it wakes.
#[test]
fn over_only_when_it_is() {
    explore("an empty account while a frame is given back", None, || {
        let world = Arc::new(World::new(3, Fifo));
        world.draw(&mut world.child());
        let taken = world.take(&mut world.host());
        let displays = Arc::clone(&world);
        let display = thread::spawn(move || displays.release(taken));
        let retired = world.account.retire();
        let next = world.account.is_over().then(|| set_up_the_next(&world));
        assert!(next.is_some() || !retired);
        display.join().unwrap();
        if let Some(mut next) = next {
            assert_eq!(next.acquire(&world.word), None, "a slot from the old generation");
        }
    });
}
