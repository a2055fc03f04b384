//! Pointer, keys and focus: what only goes to a child that has the feature.

use crate::error::Violation;
use crate::input::{Button, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};

use super::codec::{Reader, Writer};
use super::{MAX_MESSAGE_BYTES, kind, no_handles};

const POINTER_BYTES: usize = 36;
const KEY_BYTES: usize = 24;
const FOCUS_BYTES: usize = 12;

/// Codes of a pointer's actions.
mod action {
    pub(super) const ENTERED: u32 = 0;
    pub(super) const MOVED: u32 = 1;
    pub(super) const LEFT: u32 = 2;
    pub(super) const PRESSED: u32 = 3;
    pub(super) const RELEASED: u32 = 4;
    pub(super) const SCROLLED: u32 = 5;
}

/// Reads the body of a message of one of the three kinds.
pub(super) fn decode(number: u32, body: &[u8], handles: usize) -> Result<Input, Violation> {
    match number {
        kind::POINTER => {
            let mut fields = Reader::fields(body, POINTER_BYTES)?;
            no_handles(handles)?;
            let code = fields.u32()?;
            let modifiers = modifiers(&mut fields)?;
            let at = point(&mut fields)?;
            let (button, distance) = (fields.u32()?, point(&mut fields)?);
            let action = pointer_action(code, button, distance).ok_or(Violation::BadField)?;
            Ok(Input::Pointer { at, action, modifiers })
        }
        kind::KEY => {
            let mut fields = Reader::fields(body, KEY_BYTES)?;
            no_handles(handles)?;
            let code = KeyCode::from_usage(fields.u32()?);
            let state = match fields.u32()? {
                0 => KeyState::Released,
                1 => KeyState::Pressed,
                2 => KeyState::Repeated,
                _ => return Err(Violation::BadField),
            };
            let modifiers = modifiers(&mut fields)?;
            let character = match fields.u32()? {
                0 => None,
                character => Some(char::from_u32(character).ok_or(Violation::BadField)?),
            };
            Ok(Input::Key { code, state, modifiers, character })
        }
        kind::FOCUS => {
            let mut fields = Reader::fields(body, FOCUS_BYTES)?;
            no_handles(handles)?;
            match fields.u32()? {
                0 => Ok(Input::Focus(false)),
                1 => Ok(Input::Focus(true)),
                _ => Err(Violation::BadField),
            }
        }
        _ => Err(Violation::UnknownMessage),
    }
}

/// The packet.
pub(super) fn encode(input: Input, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
    match input {
        Input::Pointer { at, action, modifiers } => {
            let (code, button, distance) = action_parts(action);
            let writer = Writer::begin(out, kind::POINTER).u32(code).u32(modifiers.bits());
            let writer = write_point(writer, at).u32(button);
            write_point(writer, distance).finish()
        }
        Input::Key { code, state, modifiers, character } => {
            let state = match state {
                KeyState::Released => 0,
                KeyState::Pressed => 1,
                KeyState::Repeated => 2,
            };
            Writer::begin(out, kind::KEY)
                .u32(code.usage())
                .u32(state)
                .u32(modifiers.bits())
                .u32(character.map_or(0, u32::from))
                .finish()
        }
        Input::Focus(focused) => Writer::begin(out, kind::FOCUS).u32(focused.into()).finish(),
    }
}

fn modifiers(fields: &mut Reader<'_>) -> Result<Modifiers, Violation> {
    Modifiers::from_bits(fields.u32()?).ok_or(Violation::BadField)
}

fn point(fields: &mut Reader<'_>) -> Result<Point, Violation> {
    Ok(Point::from_256ths(fields.i32()?, fields.i32()?))
}

fn write_point(writer: Writer<'_>, point: Point) -> Writer<'_> {
    let (x, y) = point.to_256ths();
    writer.i32(x).i32(y)
}

/// The action of a message; the fields that it does not use are 0.
fn pointer_action(code: u32, button: u32, distance: Point) -> Option<PointerAction> {
    let button = match (code, button) {
        (action::PRESSED | action::RELEASED, number) => {
            Some(Button::new(u8::try_from(number).ok()?)?)
        }
        (_, 0) => None,
        _ => return None,
    };
    if code != action::SCROLLED && distance != Point::default() {
        return None;
    }
    match (code, button) {
        (action::ENTERED, _) => Some(PointerAction::Entered),
        (action::MOVED, _) => Some(PointerAction::Moved),
        (action::LEFT, _) => Some(PointerAction::Left),
        (action::PRESSED, Some(button)) => Some(PointerAction::Pressed(button)),
        (action::RELEASED, Some(button)) => Some(PointerAction::Released(button)),
        (action::SCROLLED, _) => Some(PointerAction::Scrolled(distance)),
        _ => None,
    }
}

fn action_parts(action: PointerAction) -> (u32, u32, Point) {
    let none = Point::default();
    match action {
        PointerAction::Entered => (action::ENTERED, 0, none),
        PointerAction::Moved => (action::MOVED, 0, none),
        PointerAction::Left => (action::LEFT, 0, none),
        PointerAction::Pressed(button) => (action::PRESSED, button.number().into(), none),
        PointerAction::Released(button) => (action::RELEASED, button.number().into(), none),
        PointerAction::Scrolled(distance) => (action::SCROLLED, 0, distance),
    }
}
