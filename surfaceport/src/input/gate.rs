//! What becomes of input that waits for a slow reader.
//!
//! A child may be stopped, or busy, while its user goes on: what waits for it
//! is bounded all the same, and no key is down for ever because its release was
//! thrown away. So what begins is taken in only if there is room for its end,
//! too, and ends are taken in if their beginning was.

use super::{Button, Input, KeyCode, KeyState, PointerAction};

/// Inputs that wait, and ends of what has begun that may have to.
const ROOM: usize = 64;

/// What has begun and not ended, as far as the reader knows or will know.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    begun: Vec<Begun>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Inside,
    Focus,
    Button(Button),
    Key(KeyCode),
}

/// What to do with an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Put it behind what waits.
    Append,
    /// Put this in place of the last one that waits.
    Replace(Input),
    /// Forget it: it ends what the reader never heard of.
    Forget,
    /// Throw it away: there is no room.
    Drop,
}

impl Gate {
    /// Judges an input while so many wait. `last` is what waits behind all
    /// else, if that is an input.
    pub(crate) fn judge(&mut self, input: Input, waiting: usize, last: Option<Input>) -> Verdict {
        if let Some(merged) = last.and_then(|last| merge(last, input)) {
            return Verdict::Replace(merged);
        }
        if let Some(end) = ends(input) {
            let before = self.begun.len();
            self.begun.retain(|begun| !is_over(*begun, end));
            return if self.begun.len() < before { Verdict::Append } else { Verdict::Forget };
        }
        let begins = begins(input).filter(|begins| !self.begun.contains(begins));
        let needed = if begins.is_some() { 2 } else { 1 };
        if waiting + self.begun.len() + needed > ROOM {
            return Verdict::Drop;
        }
        self.begun.extend(begins);
        Verdict::Append
    }
}

fn begins(input: Input) -> Option<Begun> {
    match input {
        Input::Pointer { action: PointerAction::Entered, .. } => Some(Begun::Inside),
        Input::Pointer { action: PointerAction::Pressed(button), .. } => {
            Some(Begun::Button(button))
        }
        Input::Key { state: KeyState::Pressed, code, .. } => Some(Begun::Key(code)),
        Input::Focus(true) => Some(Begun::Focus),
        _ => None,
    }
}

fn ends(input: Input) -> Option<Begun> {
    match input {
        Input::Pointer { action: PointerAction::Left, .. } => Some(Begun::Inside),
        Input::Pointer { action: PointerAction::Released(button), .. } => {
            Some(Begun::Button(button))
        }
        Input::Key { state: KeyState::Released, code, .. } => Some(Begun::Key(code)),
        Input::Focus(false) => Some(Begun::Focus),
        _ => None,
    }
}

/// A pointer that leaves ends its buttons, a lost focus the keys.
fn is_over(begun: Begun, end: Begun) -> bool {
    match (begun, end) {
        (Begun::Button(_), Begun::Inside) | (Begun::Key(_), Begun::Focus) => true,
        (begun, end) => begun == end,
    }
}

/// One input that says what two do.
fn merge(first: Input, second: Input) -> Option<Input> {
    let (
        Input::Pointer { action: first, modifiers: before, .. },
        Input::Pointer { at, action, modifiers },
    ) = (first, second)
    else {
        let repeats = matches!(second, Input::Key { state: KeyState::Repeated, .. });
        return (repeats && first == second).then_some(second);
    };
    if before != modifiers {
        return None;
    }
    match (first, action) {
        (PointerAction::Moved, PointerAction::Moved) => Some(second),
        (PointerAction::Scrolled(one), PointerAction::Scrolled(other)) => {
            let action = PointerAction::Scrolled(one.plus(other));
            Some(Input::Pointer { at, action, modifiers })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Modifiers, Point};
    use super::*;

    fn pointer(action: PointerAction) -> Input {
        Input::pointer(Point::new(1.0, 2.0), action)
    }

    fn key(usage: u8, state: KeyState) -> Input {
        let (modifiers, character) = (Modifiers::NONE, None);
        Input::Key { code: KeyCode::keyboard(usage), state, modifiers, character }
    }

    fn inputs() -> impl Strategy<Value = Input> {
        let button = (1..4_u8).prop_map(|number| Button::new(number).unwrap());
        prop_oneof![
            Just(pointer(PointerAction::Entered)),
            Just(pointer(PointerAction::Moved)),
            Just(pointer(PointerAction::Left)),
            Just(pointer(PointerAction::Scrolled(Point::new(0.0, 3.0)))),
            button.clone().prop_map(|button| pointer(PointerAction::Pressed(button))),
            button.prop_map(|button| pointer(PointerAction::Released(button))),
            (0..100_u8).prop_map(|usage| key(usage, KeyState::Pressed)),
            (0..100_u8).prop_map(|usage| key(usage, KeyState::Repeated)),
            (0..100_u8).prop_map(|usage| key(usage, KeyState::Released)),
            any::<bool>().prop_map(Input::Focus),
        ]
    }

    /// What is down after these, as the user of the queue has it.
    fn down<'a>(inputs: impl Iterator<Item = &'a Input>) -> Vec<Begun> {
        let mut down = Vec::new();
        for input in inputs {
            if let Some(end) = ends(*input) {
                down.retain(|begun| !is_over(*begun, end));
            }
            down.extend(begins(*input).filter(|begun| !down.contains(begun)));
        }
        down
    }

    proptest! {
        /// A reader that reads now and then: what waits is bounded, and nothing
        /// is down for it that is not down for the user.
        #[test]
        fn nothing_stays_down_and_the_queue_is_bounded(
            steps in prop::collection::vec((inputs(), prop::bool::weighted(0.05)), 0..600),
        ) {
            let mut gate = Gate::default();
            let (mut heard, mut waiting, mut said) = (Vec::new(), Vec::new(), Vec::new());
            for (input, reads) in steps {
                said.push(input);
                match gate.judge(input, waiting.len(), waiting.last().copied()) {
                    Verdict::Append => waiting.push(input),
                    Verdict::Replace(merged) => *waiting.last_mut().unwrap() = merged,
                    Verdict::Forget | Verdict::Drop => {}
                }
                prop_assert!(waiting.len() <= ROOM);
                if reads {
                    heard.append(&mut waiting);
                }
            }
            heard.append(&mut waiting);
            let down_there = down(said.iter());
            for begun in down(heard.iter()) {
                prop_assert!(down_there.contains(&begun), "{begun:?} stays down");
            }
        }
    }

    #[test]
    fn what_a_reader_missed_of_moving_and_scrolling_is_one_input() {
        let mut gate = Gate::default();
        let far = Input::pointer(Point::new(9.0, 9.0), PointerAction::Moved);
        let moved = pointer(PointerAction::Moved);
        assert_eq!(gate.judge(far, 1, Some(moved)), Verdict::Replace(far));
        let scroll = |y| pointer(PointerAction::Scrolled(Point::new(0.0, y)));
        let verdict = gate.judge(scroll(2.0), 1, Some(scroll(3.0)));
        assert_eq!(verdict, Verdict::Replace(scroll(5.0)));
        let repeat = key(4, KeyState::Repeated);
        assert_eq!(gate.judge(repeat, 1, Some(repeat)), Verdict::Replace(repeat));
        // A press between keeps its place.
        let press = pointer(PointerAction::Pressed(Button::PRIMARY));
        assert_eq!(gate.judge(press, 1, Some(moved)), Verdict::Append);
        assert_eq!(gate.judge(moved, 2, Some(press)), Verdict::Append);
    }

    #[test]
    fn the_end_of_what_was_taken_always_finds_room() {
        let mut gate = Gate::default();
        let mut waiting = 0;
        let taken = (0..=255_u8)
            .take_while(|usage| {
                let verdict = gate.judge(key(*usage, KeyState::Pressed), waiting, None);
                waiting += usize::from(verdict == Verdict::Append);
                verdict == Verdict::Append
            })
            .count();
        assert_eq!(taken, ROOM / 2);
        for usage in 0..=255_u8 {
            let verdict = gate.judge(key(usage, KeyState::Released), waiting, None);
            let known = usize::from(usage) < taken;
            assert_eq!(verdict, if known { Verdict::Append } else { Verdict::Forget });
            waiting += usize::from(known);
        }
        assert_eq!(waiting, ROOM);
    }
}
