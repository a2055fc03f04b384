//! The child that waits for the host's display: one bell, two reasons to sleep.

use loom::sync::Arc;
use loom::thread;

use super::honest::check_slots;
use super::{World, explore};
use crate::mode::PresentMode::Mailbox;
use crate::swapchain::begin_frame::{BeginFrame, BeginFrameWord};

/// Child: waits until a frame is wanted for a later time than `last`.
fn wait_begin_frame(word: &BeginFrameWord, world: &World, last: u64) -> u64 {
    loop {
        let state = word.read();
        assert!(state.time >= last, "time went backwards");
        if state.time > last && !state.hidden {
            return state.time;
        }
        if word.sleep(state) {
            world.child_bell.wait();
        }
    }
}

/// The host wants a frame, waits for it, keeps it while it wants the next one.
fn paced(slots: usize, frames: u64, preemptions: Option<usize>) {
    let name = format!("Mailbox, {slots} slots, {frames} frames, paced");
    explore(&name, preemptions, move || {
        let shared = Arc::new((World::new(slots, Mailbox), BeginFrameWord::default()));
        let childs = Arc::clone(&shared);
        let renderer = thread::spawn(move || {
            let (world, begin_frame) = &*childs;
            let mut child = world.child();
            let mut last = 0;
            for _ in 0..frames {
                last = wait_begin_frame(begin_frame, world, last);
                assert_eq!(world.draw(&mut child), None, "a paced frame was superseded");
            }
            child
        });
        let (world, begin_frame) = &*shared;
        let mut host = world.host();
        let mut screen = None;
        for time in 1..=frames {
            if begin_frame.post(BeginFrame { time, hidden: false }) {
                world.child_bell.notify();
            }
            let taken = world.take(&mut host);
            assert_eq!(taken.sequence, time);
            screen.replace(taken).into_iter().for_each(|old| assert!(!world.release(old)));
        }
        screen.into_iter().for_each(|old| assert!(!world.release(old)));
        let mut child = renderer.join().unwrap();
        check_slots(world, &mut child);
    });
}

#[test]
fn a_paced_pair() {
    paced(2, 2, Some(4));
    paced(2, 5, Some(2));
    paced(3, 5, Some(2));
}

/// The host says many things and waits for nothing: the child hears the last.
#[test]
fn nobody_misses_the_last_word() {
    explore("begin-frames, hidden and shown", Some(4), || {
        let shared = Arc::new((World::new(2, Mailbox), BeginFrameWord::default()));
        let childs = Arc::clone(&shared);
        let renderer = thread::spawn(move || {
            let (world, begin_frame) = &*childs;
            let mut last = 0;
            while last < 3 {
                last = wait_begin_frame(begin_frame, world, last);
            }
        });
        let (world, begin_frame) = &*shared;
        for (time, hidden) in [(1, false), (2, true), (2, false), (3, true), (3, false)] {
            if begin_frame.post(BeginFrame { time, hidden }) {
                world.child_bell.notify();
            }
        }
        renderer.join().unwrap();
    });
}
