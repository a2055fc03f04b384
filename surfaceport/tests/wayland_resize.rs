//! Many resizes of a Wayland pane, at random: what is on the screen is always a
//! whole frame at its own size, and afterwards the host has what it began with.
//! Alone in its binary, because it counts what the process has. Longer runs:
//! `cargo xtask panes`.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use servers::{Kind, Picture};
use support::counts::Random;
use support::pattern::{Mark, patterned};
use support::window::{AT, HOST, Window, window};
use support::{is_instrumented, open_fds, parameter, run_child, start};
use surfaceport::{
    Applied, Event, Pane, Placement, ResizePolicy, Scale, Session, Size, View, WaylandPane,
};

const HERE: Placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());
/// What the largest pane covers.
const LARGEST: Size = Size::new(600, 400);

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

fn random_size(random: &mut Random) -> Size {
    let mut side = |most: u32| 16 + u32::try_from(random.next() % u64::from(most - 16)).unwrap();
    Size::new(side(LARGEST.width), side(LARGEST.height))
}

/// What a picture shows where the panes are: the frame, if it shows it at its own
/// size in a pane of one of these sizes, and the host's drawing around it.
fn judge(picture: &Picture, panes: &[Size]) -> Result<Mark, String> {
    let mark = Mark::read(|x, y| picture.pixel(AT.0 + x, AT.1 + y));
    let mut first = None;
    for pane in panes {
        let wanted = |x, y| {
            let inside = |size: Size| x < size.width && y < size.height;
            if inside(*pane) && inside(mark.size) { mark.pixel(x, y) } else { HOST }
        };
        match picture.differing([AT.0, AT.1, LARGEST.width, LARGEST.height], wanted) {
            (0, _) => return Ok(mark),
            (count, place) => {
                first.get_or_insert((count, place));
            }
        }
    }
    Err(format!("{mark:?} in {panes:?}: {first:?}"))
}

/// Turns the loops of the pane and of the window for a while, or until `done`.
fn turn(
    window: &mut Window,
    view: &mut View<WaylandPane>,
    patience: Duration,
    done: impl Fn(&View<WaylandPane>) -> bool,
) {
    let until = Instant::now() + patience;
    while Instant::now() < until && !done(view) {
        if let Some(Event::Exited { exit, .. }) = view.next_event(Duration::from_millis(2)).unwrap()
        {
            panic!("{exit}");
        }
        window.turn();
    }
}

/// Resizes at random, under a policy; a picture after most of them.
fn resize_at_random(kind: Kind, window: &mut Window, policy: ResizePolicy, resizes: u64) {
    let mut random = Random::new(resizes + 3);
    let mut size = random_size(&mut random);
    let pane = window.pane(HERE, size);
    window.commit();
    let child = start("patterned").env("SLOW_MS", "3");
    let mut view = View::new(Session::spawn(child).unwrap(), pane).unwrap().resize_policy(policy);
    let long = Duration::from_secs(20);
    turn(window, &mut view, long, |view| view.pane().stats().shown > 2);
    let blocks = matches!(policy, ResizePolicy::Block(_));
    let (mut held, mut pictures) = (0, 0);
    for step in 0..resizes {
        let before = std::mem::replace(&mut size, random_size(&mut random));
        let missed = view.blocks_missed();
        assert_eq!(view.resize(size, Scale::ONE).unwrap(), Applied::NeedsParentCommit);
        // Some hosts take a while to draw their own part.
        if step % 3 == 0 {
            turn(window, &mut view, Duration::from_millis(random.next() % 20), |_| false);
        }
        if step % 5 == 0 {
            // Before the window's commit nothing has changed.
            let picture = window.server.screenshot();
            let mark = judge(&picture, &[before])
                .unwrap_or_else(|error| panic!("{kind:?} {step}: {error}"));
            assert!(!blocks || missed > 0 || mark.size == before, "{kind:?} {step}: {mark:?}");
        }
        window.commit();
        if step % 2 == 0 {
            view.parent_committed().unwrap();
        }
        if step % 4 == 0 {
            // The compositor shows the commit soon, but not at once.
            let picture = window.server.screenshot();
            let mark = judge(&picture, &[size, before])
                .unwrap_or_else(|error| panic!("{kind:?} {step}: {error}"));
            pictures += 1;
            held += u64::from(mark.size != size);
            if blocks && view.blocks_missed() == missed {
                assert!(mark.size == size || mark.size == before, "{kind:?} {step}: {mark:?}");
            }
        }
        turn(window, &mut view, Duration::from_millis(random.next() % 60), |_| false);
    }
    turn(window, &mut view, long, |view| !view.is_resizing());
    let shown = view.pane().stats().shown;
    turn(window, &mut view, long, |view| view.pane().stats().shown > shown + 2);
    let mark = judge(&window.server.screenshot(), &[size]).unwrap();
    assert_eq!(mark.size, size, "{kind:?}: the last size is drawn");
    println!(
        "{kind:?}, {policy:?}: {resizes} resizes, {pictures} pictures, none stretched or blank; \
         {held} showed an older frame, {} waits in vain",
        view.blocks_missed()
    );
}

/// What the host has: handles, and mappings of shared memory.
fn belongings() -> (Vec<String>, BTreeMap<String, usize>) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut mappings = BTreeMap::new();
    for name in maps.lines().filter_map(|line| line.split_once("/memfd:")) {
        *mappings.entry(name.1.to_owned()).or_default() += 1;
    }
    (open_fds(), mappings)
}

#[test]
fn resizes_show_no_wrong_frame_and_leave_nothing_behind() {
    let resizes = parameter("PANE_RESIZES", 100);
    for kind in servers::WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        // What is opened once and stays.
        resize_at_random(kind, &mut window, ResizePolicy::default(), 1);
        window.turn();
        let before = belongings();
        let patience = Duration::from_secs(2);
        for policy in [ResizePolicy::default(), ResizePolicy::Block(patience)] {
            resize_at_random(kind, &mut window, policy, resizes);
        }
        window.turn();
        if !is_instrumented() {
            assert_eq!(belongings(), before, "{kind:?}");
        }
    }
}
