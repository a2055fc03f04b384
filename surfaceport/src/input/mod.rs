//! What a host's window hears of its user, for the child that drew what is
//! there: pointer, keys, focus.

mod gate;

use core::fmt;

pub(crate) use gate::{Gate, Verdict};

/// Something that the user did in the pane.
///
/// The host sends it ([`Session::send_input`](crate::Session::send_input)), the
/// child gets it as [`RendererEvent::Input`](crate::RendererEvent::Input).
///
/// ```
/// use surfaceport::{Button, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};
///
/// let click = Input::Pointer {
///     at: Point::new(10.5, 20.0),
///     action: PointerAction::Pressed(Button::PRIMARY),
///     modifiers: Modifiers::SHIFT,
/// };
/// let space = Input::Key {
///     code: KeyCode::SPACE,
///     state: KeyState::Pressed,
///     modifiers: Modifiers::NONE,
///     character: Some(' '),
/// };
/// assert_ne!(click, space);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// The pointer. One with a button down stays with the pane in which it was
    /// pressed, even outside of it.
    Pointer {
        /// Where, from the pane's top left, in physical pixels: the size that
        /// the last Configure asked for. So a resize does not change what an
        /// input that came before it means, and a frame that is held at its own
        /// size meanwhile has the same pixel there.
        at: Point,
        /// What it does there.
        action: PointerAction,
        /// The modifier keys that are down.
        modifiers: Modifiers,
    },
    /// A key.
    Key {
        /// Which one, by its place on the keyboard.
        code: KeyCode,
        /// What became of it.
        state: KeyState,
        /// The modifier keys that are down.
        modifiers: Modifiers,
        /// What it types in the user's layout, if it is one character.
        character: Option<char>,
    },
    /// Whether keys come to this child. A child that loses the focus takes all
    /// keys for released.
    Focus(bool),
}

impl Input {
    /// A pointer that does something, no modifiers.
    #[must_use]
    pub const fn pointer(at: Point, action: PointerAction) -> Self {
        Self::Pointer { at, action, modifiers: Modifiers::NONE }
    }
}

/// What a pointer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PointerAction {
    /// It is in the pane now.
    Entered,
    /// It moved.
    Moved,
    /// It is there no more; all its buttons count as released.
    Left,
    /// A button went down.
    Pressed(Button),
    /// A button came up.
    Released(Button),
    /// The content is to move by so many pixels: to the left and up, if they are
    /// positive, as a wheel that is turned towards the user has it.
    Scrolled(Point),
}

/// A place or a distance in pixels, kept in 256ths of one.
///
/// ```
/// use surfaceport::Point;
///
/// let point = Point::new(1.5, -0.25);
/// assert_eq!((point.x(), point.y()), (1.5, -0.25));
/// assert_eq!(Point::new(f64::NAN, f64::INFINITY), Point::from_256ths(0, i32::MAX));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Point {
    x: i32,
    y: i32,
}

impl Point {
    /// The nearest point; numbers out of range are clamped, NaN is 0.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Self { x: fixed(x), y: fixed(y) }
    }

    /// From 256ths of a pixel.
    #[must_use]
    pub const fn from_256ths(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    /// Pixels to the right.
    #[must_use]
    pub fn x(self) -> f64 {
        f64::from(self.x) / 256.0
    }

    /// Pixels down.
    #[must_use]
    pub fn y(self) -> f64 {
        f64::from(self.y) / 256.0
    }

    /// Both, in 256ths of a pixel.
    #[must_use]
    pub const fn to_256ths(self) -> (i32, i32) {
        (self.x, self.y)
    }

    /// Both distances, one after the other.
    fn plus(self, other: Self) -> Self {
        Self { x: self.x.saturating_add(other.x), y: self.y.saturating_add(other.y) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
fn fixed(value: f64) -> i32 {
    (value * 256.0).round() as i32
}

/// A pointer's button, by its number in the USB HID button page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Button(u8);

impl Button {
    /// The one for most things, usually the left.
    pub const PRIMARY: Self = Self(1);
    /// The one for menus, usually the right.
    pub const SECONDARY: Self = Self(2);
    /// The middle one, or the wheel.
    pub const MIDDLE: Self = Self(3);
    /// Back.
    pub const BACK: Self = Self(4);
    /// Forward.
    pub const FORWARD: Self = Self(5);

    /// A button; they count from 1.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A key by its place on the keyboard, whatever is printed on it: the usage of
/// the USB HID usage tables, its page in the upper 16 bits.
///
/// It is what keyboards themselves say, the same under every system, and
/// tables from it to other codes (Linux's, the web's `code`) are everywhere.
/// Page 7 has the keyboard: `KeyCode::keyboard(0x04)` is the key that types an
/// `A` in the US layout.
///
/// ```
/// use surfaceport::KeyCode;
///
/// assert_eq!(KeyCode::keyboard(0x2c), KeyCode::SPACE);
/// assert_eq!(KeyCode::SPACE.usage(), 0x0007_002c);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyCode(u32);

impl KeyCode {
    /// Not known: a terminal tells the character alone.
    pub const UNKNOWN: Self = Self(0);
    /// Enter, also called Return.
    pub const ENTER: Self = Self::keyboard(0x28);
    /// Escape.
    pub const ESCAPE: Self = Self::keyboard(0x29);
    /// Backspace.
    pub const BACKSPACE: Self = Self::keyboard(0x2a);
    /// Tab.
    pub const TAB: Self = Self::keyboard(0x2b);
    /// The space bar.
    pub const SPACE: Self = Self::keyboard(0x2c);
    /// The arrow to the right.
    pub const RIGHT: Self = Self::keyboard(0x4f);
    /// The arrow to the left.
    pub const LEFT: Self = Self::keyboard(0x50);
    /// The arrow down.
    pub const DOWN: Self = Self::keyboard(0x51);
    /// The arrow up.
    pub const UP: Self = Self::keyboard(0x52);

    /// A usage of the keyboard page.
    #[must_use]
    pub const fn keyboard(usage: u8) -> Self {
        Self(0x0007_0000 | usage as u32)
    }

    /// A usage of any page, which is in the upper 16 bits.
    #[must_use]
    pub const fn from_usage(usage: u32) -> Self {
        Self(usage)
    }

    /// The usage, its page in the upper 16 bits.
    #[must_use]
    pub const fn usage(self) -> u32 {
        self.0
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// It came up.
    Released,
    /// It went down.
    Pressed,
    /// It is still down, and types again.
    Repeated,
}

/// Modifier keys that are down.
///
/// ```
/// use surfaceport::Modifiers;
///
/// let both = Modifiers::SHIFT | Modifiers::CONTROL;
/// assert!(both.contains(Modifiers::SHIFT) && !both.contains(Modifiers::ALT));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Modifiers(u32);

impl Modifiers {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Shift.
    pub const SHIFT: Self = Self(1 << 0);
    /// Control.
    pub const CONTROL: Self = Self(1 << 1);
    /// Alt, also called Option.
    pub const ALT: Self = Self(1 << 2);
    /// The key with a logo on it, also called Super or Command.
    pub const META: Self = Self(1 << 3);
    const ALL: u32 = 0b1111;

    /// Whether all of `others` are down.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// From the bits of a message; `None` if there are others.
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL == 0 { Some(Self(bits)) } else { None }
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

impl core::ops::BitOr for Modifiers {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl fmt::Debug for Modifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::SHIFT, "shift"),
            (Self::CONTROL, "control"),
            (Self::ALT, "alt"),
            (Self::META, "meta"),
        ];
        let down = names.iter().filter(|(key, _)| self.contains(*key)).map(|(_, name)| name);
        f.debug_set().entries(down).finish()
    }
}
