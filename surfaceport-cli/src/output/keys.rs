//! winit's keys and buttons in the library's words.

use surfaceport::{Button, Input, KeyCode, KeyState, Modifiers};
use winit::event::{ElementState, KeyEvent, MouseButton};
use winit::keyboard::{KeyCode as Code, ModifiersState, PhysicalKey};

/// A key for the child.
pub(super) fn key(event: &KeyEvent, modifiers: Modifiers) -> Input {
    let state = match event.state {
        ElementState::Released => KeyState::Released,
        ElementState::Pressed if event.repeat => KeyState::Repeated,
        ElementState::Pressed => KeyState::Pressed,
    };
    let mut typed = event.text.iter().flat_map(|text| text.chars());
    let character = typed.next().filter(|_| typed.next().is_none());
    let code = match event.physical_key {
        PhysicalKey::Code(code) => usage(code).map_or(KeyCode::UNKNOWN, KeyCode::keyboard),
        PhysicalKey::Unidentified(_) => KeyCode::UNKNOWN,
    };
    Input::Key { code, state, modifiers, character }
}

/// A button, if it has a number.
pub(super) fn button(button: MouseButton) -> Option<Button> {
    match button {
        MouseButton::Left => Some(Button::PRIMARY),
        MouseButton::Right => Some(Button::SECONDARY),
        MouseButton::Middle => Some(Button::MIDDLE),
        MouseButton::Back => Some(Button::BACK),
        MouseButton::Forward => Some(Button::FORWARD),
        MouseButton::Other(number) => Button::new(u8::try_from(number).ok()?),
    }
}

pub(super) fn modifiers(state: ModifiersState) -> Modifiers {
    let all = [
        (state.shift_key(), Modifiers::SHIFT),
        (state.control_key(), Modifiers::CONTROL),
        (state.alt_key(), Modifiers::ALT),
        (state.super_key(), Modifiers::META),
    ];
    let down = all.into_iter().filter(|(down, _)| *down).map(|(_, key)| key);
    down.fold(Modifiers::NONE, |all, key| all | key)
}

/// Keys that stand in the order of the HID usage tables, keyboard page, from
/// these usages on.
const RUNS: &[(u8, &[Code])] = {
    use Code::*;
    &[
        (
            0x04,
            &[
                KeyA,
                KeyB,
                KeyC,
                KeyD,
                KeyE,
                KeyF,
                KeyG,
                KeyH,
                KeyI,
                KeyJ,
                KeyK,
                KeyL,
                KeyM,
                KeyN,
                KeyO,
                KeyP,
                KeyQ,
                KeyR,
                KeyS,
                KeyT,
                KeyU,
                KeyV,
                KeyW,
                KeyX,
                KeyY,
                KeyZ,
                Digit1,
                Digit2,
                Digit3,
                Digit4,
                Digit5,
                Digit6,
                Digit7,
                Digit8,
                Digit9,
                Digit0,
                Enter,
                Escape,
                Backspace,
                Tab,
                Space,
                Minus,
                Equal,
                BracketLeft,
                BracketRight,
                Backslash,
            ],
        ),
        (
            0x33,
            &[
                Semicolon,
                Quote,
                Backquote,
                Comma,
                Period,
                Slash,
                CapsLock,
                F1,
                F2,
                F3,
                F4,
                F5,
                F6,
                F7,
                F8,
                F9,
                F10,
                F11,
                F12,
                PrintScreen,
                ScrollLock,
                Pause,
                Insert,
                Home,
                PageUp,
                Delete,
                End,
                PageDown,
                ArrowRight,
                ArrowLeft,
                ArrowDown,
                ArrowUp,
                NumLock,
                NumpadDivide,
                NumpadMultiply,
                NumpadSubtract,
                NumpadAdd,
                NumpadEnter,
                Numpad1,
                Numpad2,
                Numpad3,
                Numpad4,
                Numpad5,
                Numpad6,
                Numpad7,
                Numpad8,
                Numpad9,
                Numpad0,
                NumpadDecimal,
                IntlBackslash,
                ContextMenu,
            ],
        ),
        (
            0xe0,
            &[
                ControlLeft,
                ShiftLeft,
                AltLeft,
                SuperLeft,
                ControlRight,
                ShiftRight,
                AltRight,
                SuperRight,
            ],
        ),
    ]
};

fn usage(code: Code) -> Option<u8> {
    RUNS.iter().find_map(|(first, run)| {
        let place = run.iter().position(|each| *each == code)?;
        first.checked_add(u8::try_from(place).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the HID usage tables, a few of each run.
    #[test]
    fn keys_have_the_usages_of_the_tables() {
        for (code, expected) in [
            (Code::KeyA, 0x04),
            (Code::KeyZ, 0x1d),
            (Code::Digit1, 0x1e),
            (Code::Digit0, 0x27),
            (Code::Space, 0x2c),
            (Code::Backslash, 0x31),
            (Code::Semicolon, 0x33),
            (Code::CapsLock, 0x39),
            (Code::F12, 0x45),
            (Code::ArrowUp, 0x52),
            (Code::NumLock, 0x53),
            (Code::NumpadDecimal, 0x63),
            (Code::ContextMenu, 0x65),
            (Code::ControlLeft, 0xe0),
            (Code::SuperRight, 0xe7),
        ] {
            assert_eq!(usage(code), Some(expected), "{code:?}");
        }
        assert_eq!(usage(Code::BrowserBack), None);
    }
}
