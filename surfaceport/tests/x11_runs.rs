//! Long runs in a window on X11, each alone in the process: what is counted is
//! the process's. `cargo xtask panes` runs them with larger numbers.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use support::counts::Random;
use support::desk::{Desk, SMALL, desk, run_until};
use support::pattern::{Mark, patterned};
use support::{open_fds, parameter, run_child, start};
use surfaceport::{
    Error, Fit, Lease, Observe, Observed, Pane, ResizePolicy, Scale, Session, Size, View,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

/// One after the other: they count what the process has, and use.
#[test]
fn runs() {
    frames_are_whole_and_in_order();
    resizes_are_clean_and_leave_nothing();
}

/// Looks at each frame twice between its take and its release.
#[derive(Default)]
struct Checking {
    on_display: Option<(Lease, Mark)>,
    frames: u64,
    bytes: Vec<u8>,
}

impl Checking {
    /// Copies the frame out, without mapping it: it must be whole.
    fn look(&mut self, lease: &Lease) -> Mark {
        let surface = lease.surface();
        let size = surface.descriptor().size();
        self.bytes.resize((size.width * size.height * 4) as usize, 0);
        surface.copy_to(&mut self.bytes).unwrap();
        Mark::of_bytes(&self.bytes, size).unwrap()
    }

    fn look_again(&mut self) {
        if let Some((lease, mark)) = self.on_display.take() {
            assert_eq!(self.look(&lease), mark, "the frame changed while it was held");
        }
    }
}

impl Observe for Checking {
    fn frame(&mut self, lease: &Lease) -> Result<(), Error> {
        let mark = self.look(lease);
        if let Some((_, last)) = &self.on_display
            && last.child == mark.child
        {
            assert!(mark.sequence > last.sequence, "{mark:?} after {last:?}");
        }
        self.look_again();
        self.on_display = Some((lease.share(), mark));
        self.frames += 1;
        Ok(())
    }
}

/// Whether this process has mapped any surface of a child.
fn maps_surfaces() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| line.contains("/memfd:surfaceport (deleted)"))
}

fn frames_are_whole_and_in_order() {
    let frames: u64 = parameter("PANE_FRAMES", 600);
    let Some(desk) = desk(800, 600, &[]) else { return };
    let session = Session::spawn(start("patterned")).unwrap();
    let mut view =
        View::new(session, Observed::new(desk.pane(SMALL), Checking::default())).unwrap();
    let mut random = Random::new(7);
    let (mut shots, mut last) = (0_u64, 0);
    while view.pane().observer.frames < frames {
        let next = view.pane().observer.frames + 1 + random.below(20);
        run_until(&mut view, |view| view.pane().observer.frames >= next);
        let seen = desk.look_at_pane(SMALL).frame();
        assert!(seen.sequence >= last, "out of order on the screen");
        last = seen.sequence;
        shots += 1;
        assert!(!maps_surfaces(), "the host looks at no surface's pixels in place");
    }
    let stats = view.pane().stats();
    assert_eq!(stats.host_copies, 0);
    // Every slot comes back: all but the one on display and one under way.
    view.pane_mut().observer.look_again();
    view.session_mut().close_child(Duration::from_secs(5));
    let mut session = view.into_session();
    while session.dispatch().unwrap().is_some() {}
    let all = session.stats();
    assert_eq!(all.presented, all.shown + all.superseded + all.stale + all.lost, "{all:?}");
    println!("{frames} frames and {shots} screenshots: {stats:?}");
}

/// The pane's window and what is in it, at one time.
fn look_at_window(desk: &Desk, window: u32) -> (Size, support::desk::Shot) {
    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::ConnectionExt as _;
    desk.conn.grab_server().unwrap();
    let geometry = desk.conn.get_geometry(window).unwrap().reply().unwrap();
    let size = Size::new(geometry.width.into(), geometry.height.into());
    let shot = desk.look_at_pane(size);
    desk.conn.ungrab_server().unwrap();
    desk.conn.flush().unwrap();
    (size, shot)
}

fn resizes_are_clean_and_leave_nothing() {
    let resizes: u64 = parameter("PANE_RESIZES", 100);
    let Some(desk) = desk(800, 600, &[]) else { return };
    let patience = Duration::from_secs(2);
    for policy in [ResizePolicy::Show(Fit::Hold), ResizePolicy::Block(patience)] {
        let held = matches!(policy, ResizePolicy::Show(_));
        let session = Session::spawn(start("patterned")).unwrap();
        let mut view = View::new(session, desk.pane(SMALL)).unwrap().resize_policy(policy);
        let mut random = Random::new(11);
        run_until(&mut view, |view| view.pane().stats().shown >= 3);
        // What there is of a generation or two is there now.
        let mut belongings = Vec::new();
        let mut side = |smallest| smallest + u32::try_from(random.below(400)).unwrap();
        let mut wrong = 0;
        for step in 0..=resizes {
            let size = Size::new(side(40), side(10));
            let size = if step == 0 || step == resizes { SMALL } else { size };
            view.resize(size, Scale::ONE).unwrap();
            let window = view.pane().window();
            let mut looks = step % 3 + 1;
            run_until(&mut view, |view| {
                // Never blank, never stretched: a whole frame of its own size, as
                // much of it as there is room for, and black around it.
                let (size, shot) = look_at_window(&desk, window);
                let seen = shot.frame();
                wrong += u32::from(seen.size != size);
                looks = looks.saturating_sub(1);
                looks == 0 && (step % 5 != 0 || !view.is_resizing())
            });
            if step == 0 || step == resizes {
                run_until(&mut view, |view| !view.is_resizing());
                let shown = view.pane().stats().shown + 10;
                run_until(&mut view, |view| view.pane().stats().shown >= shown);
                belongings.push(open_fds().len());
                assert!(!maps_surfaces());
            }
        }
        assert_eq!(belongings.first(), belongings.last(), "fds");
        let missed = view.blocks_missed();
        assert!(held || wrong == 0 || missed > 0, "{wrong} looks at frames of a wrong size");
        println!("{resizes} resizes, {policy:?}: {wrong} looks at a held frame, {missed} missed");
    }
}
