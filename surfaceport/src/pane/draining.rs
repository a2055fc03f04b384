//! Frames that were replaced, while the display may still read them.
//!
//! On macOS the window server does not say when it has let go of a surface; it
//! can only be asked whether anybody uses it (`IOSurfaceIsInUse`). A frame goes
//! back to the child when the answer was no at two successive ticks after the
//! commit that replaced it: one could fall between a commit and the moment when
//! the server begins to use what was committed.
//!
//! Surfaces may stay in use for good (after a change of the GPU, for example).
//! After [`PATIENCE`] ticks the child is to be asked for new surfaces, and once
//! such are on display the stuck frame is let go of: the child draws no more into
//! surfaces that it has replaced.

use std::time::Duration;

use crate::time::Timestamp;

/// Ticks after which a surface that is in use counts as stuck (as many as Firefox
/// waits for, in `SurfacePoolCA`).
pub(super) const PATIENCE: u32 = 30;

/// How often to look when no ticks come: the window is covered, or nothing moves.
pub(super) const IDLE: Duration = Duration::from_millis(100);

/// Unused ticks in a row that it takes.
const UNUSED: u32 = 2;

/// The frames: `T` is dropped when its surface is free. `S` says of which set of
/// surfaces it is.
#[derive(Debug)]
pub(super) struct Draining<T, S> {
    frames: Vec<Waiting<T, S>>,
    /// The set that new surfaces were asked for instead of.
    asked_for: Option<S>,
    looked: Timestamp,
}

#[derive(Debug)]
struct Waiting<T, S> {
    frame: T,
    set: S,
    /// Ticks since it was replaced, and of these the last ones unused.
    ticks: u32,
    unused: u32,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Frames that went back.
    pub(super) released: usize,
    /// Frames that were let go of although they are in use: their surfaces have
    /// been replaced.
    pub(super) given_up: usize,
    /// A surface of the set on display stays in use: ask the child for new ones.
    /// Said once for a set.
    pub(super) wants_new: bool,
}

impl<T, S: PartialEq + Copy> Draining<T, S> {
    pub(super) fn new() -> Self {
        Self { frames: Vec::new(), asked_for: None, looked: Timestamp::from_nanos(0) }
    }

    /// A frame was replaced, and the change committed.
    pub(super) fn replaced(&mut self, now: Timestamp, frame: T, set: S) {
        if self.is_empty() {
            self.looked = now;
        }
        self.frames.push(Waiting { frame, set, ticks: 0, unused: 0 });
    }

    /// Whether frames wait.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many do.
    #[allow(dead_code, reason = "a layer asks; where there is none, this is only tested")]
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// When to look if no tick comes before.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        (!self.is_empty()).then(|| self.looked + IDLE)
    }

    /// At a tick, or when it is time for a look: lets go of what nobody uses.
    /// `on_display` is the set of the frame that is shown.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        on_display: Option<S>,
        in_use: impl Fn(&T) -> bool,
    ) -> Looked {
        self.looked = now;
        let mut looked = Looked::default();
        let mut stuck = None;
        self.frames.retain_mut(|waiting| {
            waiting.ticks = waiting.ticks.saturating_add(1);
            waiting.unused = if in_use(&waiting.frame) { 0 } else { waiting.unused + 1 };
            if waiting.unused >= UNUSED {
                looked.released += 1;
                return false;
            }
            if waiting.ticks >= PATIENCE {
                if on_display.is_some_and(|set| set != waiting.set) {
                    looked.given_up += 1;
                    return false;
                }
                stuck = Some(waiting.set);
            }
            true
        });
        if stuck.is_some() && stuck != self.asked_for {
            self.asked_for = stuck;
            looked.wants_new = true;
        }
        looked
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use super::*;

    /// A surface, which says when it is let go of.
    struct Surface(u8, Rc<RefCell<Vec<u8>>>);

    impl Drop for Surface {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }

    /// A display that uses what it is told.
    #[derive(Default)]
    struct Display {
        draining: Option<Draining<Surface, u32>>,
        used: BTreeSet<u8>,
        gone: Rc<RefCell<Vec<u8>>>,
        ticks: u64,
    }

    impl Display {
        fn replaced(&mut self, surface: u8, set: u32) {
            let surface = Surface(surface, Rc::clone(&self.gone));
            let draining = self.draining.get_or_insert_with(Draining::new);
            let now = Timestamp::from_nanos(self.ticks);
            draining.replaced(now, surface, set);
        }

        fn tick(&mut self, set: u32) -> Looked {
            self.ticks += 1;
            let now = Timestamp::from_nanos(self.ticks);
            let Some(draining) = &mut self.draining else { return Looked::default() };
            draining.look(now, Some(set), |surface| self.used.contains(&surface.0))
        }

        fn gone(&self) -> Vec<u8> {
            self.gone.borrow().clone()
        }
    }

    #[test]
    fn a_frame_goes_back_at_the_second_unused_tick() {
        let mut display = Display::default();
        display.replaced(1, 0);
        assert_eq!(display.tick(0), Looked::default());
        assert_eq!(display.tick(0), Looked { released: 1, ..Looked::default() });
        assert_eq!(display.gone(), [1]);
        assert_eq!(display.tick(0), Looked::default());
    }

    #[test]
    fn two_unused_ticks_are_not_enough_unless_they_are_successive() {
        let mut display = Display::default();
        display.replaced(1, 0);
        for _ in 0..5 {
            display.used.clear();
            display.tick(0);
            display.used.insert(1);
            display.tick(0);
        }
        assert_eq!(display.gone(), [0_u8; 0]);
        display.used.clear();
        display.tick(0);
        display.tick(0);
        assert_eq!(display.gone(), [1]);
    }

    #[test]
    fn each_frame_waits_for_itself() {
        let mut display = Display::default();
        display.used.insert(1);
        display.replaced(1, 0);
        display.replaced(2, 0);
        display.tick(0);
        display.replaced(3, 0);
        display.tick(0);
        assert_eq!(display.gone(), [2]);
        assert_eq!(display.draining.as_ref().map(Draining::len), Some(2));
        display.tick(0);
        assert_eq!(display.gone(), [2, 3]);
    }

    #[test]
    fn a_surface_that_stays_in_use_is_replaced_and_then_given_up() {
        let mut display = Display::default();
        display.used.insert(1);
        display.replaced(1, 0);
        for _ in 1..PATIENCE {
            assert_eq!(display.tick(0), Looked::default());
        }
        assert!(display.tick(0).wants_new, "the child is asked");
        for _ in 0..100 {
            assert_eq!(display.tick(0), Looked::default(), "once, and held until it has answered");
        }
        assert_eq!(display.tick(1), Looked { given_up: 1, ..Looked::default() });
        assert_eq!(display.gone(), [1]);
    }

    #[test]
    fn the_next_set_can_be_stuck_too() {
        let mut display = Display::default();
        display.used.extend([1, 2]);
        display.replaced(1, 0);
        for _ in 0..PATIENCE {
            display.tick(0);
        }
        display.replaced(2, 1);
        let asked = (0..PATIENCE).filter(|_| display.tick(1).wants_new).count();
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_frame_of_an_older_set_is_held_for_as_long_as_it_is_used_and_not_stuck() {
        let mut display = Display::default();
        display.used.insert(1);
        display.replaced(1, 0);
        for _ in 1..PATIENCE {
            display.tick(1);
        }
        assert_eq!(display.gone(), [0_u8; 0]);
    }

    #[test]
    fn without_ticks_it_looks_by_the_clock_and_only_while_frames_wait() {
        let mut draining = Draining::new();
        assert_eq!(draining.next_look(), None);
        let start = Timestamp::from_nanos(4_000_000_000);
        draining.replaced(start, (), 0);
        assert_eq!(draining.next_look(), Some(start + IDLE));
        let now = Timestamp::from_nanos(5_000_000_000);
        draining.look(now, Some(0), |()| true);
        assert_eq!(draining.next_look(), Some(now + IDLE));
        draining.look(now, Some(0), |()| false);
        draining.look(now, Some(0), |()| false);
        assert!(draining.is_empty() && draining.next_look().is_none());
    }
}
