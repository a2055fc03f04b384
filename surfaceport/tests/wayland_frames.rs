//! Many frames through a Wayland pane: each is looked at twice, and pictures are
//! taken at random. Longer runs: `cargo xtask panes`.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use servers::{Kind, Server};
use support::checked::Checker;
use support::counts::Random;
use support::pattern::{Mark, child_number, patterned};
use support::window::{AT, HOST, Window, frame_at, window};
use support::{parameter, run_child, signal, start};
use surfaceport::{Event, Observed, Pane, Placement, Session, Size, View, WaylandPane};

const SIZE: Size = Size::new(320, 200);
const HERE: Placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

/// Takes pictures of a pane, again and again, until it is told to stop.
struct Photographer {
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<Mark>>,
}

impl Photographer {
    /// The pictures are of this part of the screen, up to `pause` apart. Each must
    /// show a whole frame.
    fn of(server: &Arc<Server>, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(AtomicUsize::new(0));
        let (server, stopped, count) = (Arc::clone(server), Arc::clone(&stop), Arc::clone(&taken));
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(7);
            let mut seen = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                seen.push(frame_at(&server.screenshot(), AT, SIZE));
                count.store(seen.len(), Ordering::Relaxed);
                let millis = u64::try_from(pause.as_millis()).unwrap();
                std::thread::sleep(Duration::from_millis(random.next() % (millis + 1)));
            }
            seen
        });
        Self { stop, taken, thread }
    }

    /// How many pictures there must be for one to have begun after this.
    fn one_more(&self) -> usize {
        self.taken.load(Ordering::Relaxed) + 2
    }

    fn has(&self, pictures: usize) -> bool {
        // One that failed has said why; the end hears of it.
        self.taken.load(Ordering::Relaxed) >= pictures || self.thread.is_finished()
    }

    /// What they showed.
    fn stop(self) -> Vec<Mark> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every picture is whole")
    }
}

type Shown = View<Observed<WaylandPane, Checker>>;

fn view(window: &mut Window) -> Shown {
    let pane = Observed::new(window.pane(HERE, SIZE), Checker::default());
    window.commit();
    View::new(Session::spawn(start("patterned")).unwrap(), pane).unwrap()
}

/// Runs until `done` holds, which must be within a second for each frame shown.
#[track_caller]
fn run_until(window: &mut Window, view: &mut Shown, mut done: impl FnMut(&mut Shown) -> bool) {
    let mut deadline = Instant::now() + Duration::from_secs(20);
    let mut shown = 0;
    while !done(view) {
        let stats = view.pane().stats();
        if stats.shown > shown {
            shown = stats.shown;
            deadline = Instant::now() + Duration::from_secs(20);
        }
        assert!(Instant::now() < deadline, "no frame for 20 s: {stats:?}");
        if let Some(Event::Exited { exit, restart_in: None }) =
            view.next_event(Duration::from_millis(20)).unwrap()
        {
            panic!("{exit}");
        }
        window.turn();
    }
}

/// So many frames, whole and in order, on the screen and in memory.
fn frames_are_whole(kind: Kind) {
    let frames = parameter("PANE_FRAMES", 600);
    let Some(mut window) = window(kind) else { return };
    let mut view = view(&mut window);
    run_until(&mut window, &mut view, |view| view.pane().stats().shown > 0);
    window.await_screen(|picture| picture.pixel(AT.0 + 9, AT.1 + 9) != HOST);
    let photographer = Photographer::of(&window.server, Duration::from_millis(300));
    run_until(&mut window, &mut view, |view| view.pane().stats().shown >= frames);
    let seen = photographer.stop();

    let checker = &view.pane().observer;
    assert_eq!(checker.faults, [""; 0], "{kind:?}");
    assert!(checker.looks >= 2 * frames - 1, "{kind:?}: {} looks", checker.looks);
    assert!(seen.len() > 3, "{kind:?}: {} pictures", seen.len());
    assert!(seen.is_sorted_by_key(|mark| mark.sequence), "{kind:?}: {seen:?}");
    assert!(seen.last().unwrap().sequence <= checker.last_of(seen[0].child));
    let stats = view.pane().stats();
    assert_eq!(stats.host_copies, 0);

    // Every slot comes back: all that were presented are accounted for.
    let mut session = view.into_session();
    session.close_child(Duration::from_secs(5));
    let all = session.stats();
    let accounted = all.shown + all.superseded + all.stale + all.lost;
    assert_eq!(all.presented, accounted, "{kind:?}: {all:?}");
    println!(
        "{kind:?}: {} frames shown, {} looks, {} pictures, 0 torn, 0 out of order",
        stats.shown,
        2 * stats.presented - 1,
        seen.len()
    );
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a long run")]
fn frames_are_whole_and_in_order_on_weston_by_pixman() {
    frames_are_whole(Kind::WestonPixman);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a long run")]
fn frames_are_whole_and_in_order_on_weston_by_gl() {
    frames_are_whole(Kind::WestonGl);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a long run")]
fn frames_are_whole_and_in_order_on_sway() {
    frames_are_whole(Kind::Sway);
}

#[test]
fn a_killed_childs_last_frame_stays_until_the_next_one_draws() {
    for kind in servers::WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window);
        run_until(&mut window, &mut view, |view| view.pane().stats().shown > 5);
        window.await_screen(|picture| picture.pixel(AT.0 + 9, AT.1 + 9) != HOST);
        let photographer = Photographer::of(&window.server, Duration::ZERO);
        let mut children = Vec::new();
        for _ in 0..3 {
            // Each child is in a picture at least.
            let pictures = photographer.one_more();
            run_until(&mut window, &mut view, |_| photographer.has(pictures));
            let pid = view.session().child_pid().unwrap();
            children.push(child_number(pid));
            signal(pid, Signal::KILL);
            run_until(&mut window, &mut view, |view| {
                view.session().child_pid().is_none_or(|next| next != pid)
            });
            // It has ended, and nobody else has drawn.
            let mark = frame_at(&window.server.screenshot(), AT, SIZE);
            assert_eq!(mark.child, child_number(pid), "{kind:?}");
            run_until(&mut window, &mut view, |view| {
                let next = view.session().child_pid().map(child_number);
                next.is_some_and(|next| {
                    next != child_number(pid) && view.pane().observer.last_of(next) > 10
                })
            });
        }
        let pictures = photographer.one_more();
        run_until(&mut window, &mut view, |_| photographer.has(pictures));
        children.push(child_number(view.session().child_pid().unwrap()));
        // One whole frame after the other, of one child after the other: never
        // the host's colour between, which would be no frame.
        let mut seen = photographer.stop();
        let pictures = seen.len();
        assert_eq!(view.pane().observer.faults, [""; 0], "{kind:?}");
        seen.dedup_by_key(|mark| mark.child);
        let seen: Vec<_> = seen.iter().map(|mark| mark.child).collect();
        assert_eq!(seen, children, "{kind:?}: {pictures} pictures");
        println!("{kind:?}: 3 children killed, {pictures} pictures, none blank");
    }
}
