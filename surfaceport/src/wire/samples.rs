//! One of each message and the edges of its fields: the first thing that tests
//! and fuzzers look at.

use crate::format::{ColorSpace, Format};
use crate::geometry::{MAX_SIDE, MAX_STRIDE, Scale, Size, SurfaceDescriptor};
use crate::input::{Button, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};
use crate::mode::PresentMode;

use super::{
    Bye, Configure, FromChild, FromHost, Hello, MAX_SLOT_SLACK, Refusal, Refused, Setup, UserBytes,
    Welcome, feature,
};

fn setup(size: Size, format: Format, stride: u32) -> Option<Setup> {
    let surface = SurfaceDescriptor::with_stride(size, format, stride).ok()?;
    Some(Setup {
        generation: 1,
        configure_serial: 1,
        surface,
        slots: 3,
        mode: PresentMode::Mailbox,
        bytes_per_slot: surface.bytes().next_multiple_of(4096),
    })
}

/// What a child may say, by name.
pub(crate) fn from_child() -> Vec<(&'static str, FromChild<'static>)> {
    let mut samples = vec![
        ("hello", FromChild::Hello(Hello { features: 0, ..Hello::OURS })),
        ("hello_input", FromChild::Hello(Hello::OURS)),
        (
            "hello_all_features",
            FromChild::Hello(Hello {
                version_min: 1,
                version_max: u16::MAX,
                features: u64::MAX,
                required: feature::INPUT | feature::DMABUF,
            }),
        ),
        ("bye", FromChild::Bye(Bye::default())),
        ("bye_unknown_reason", FromChild::Bye(Bye { reason: u32::MAX })),
    ];
    for (name, text) in
        [("message_empty", ""), ("message", "hello"), ("message_text", "{\"zoom\":1.5}")]
    {
        samples
            .extend(UserBytes::new(text.as_bytes()).map(|text| (name, FromChild::Message(text))));
    }
    let hd = Size::new(1920, 1080);
    let small = setup(Size::new(64, 64), Format::Bgra8, 256);
    let setups = [
        ("setup", setup(hd, Format::Bgra8, 7680)),
        ("setup_small", small.map(|setup| Setup { bytes_per_slot: 64 * 256, ..setup })),
        ("setup_bgrx8", setup(hd, Format::Bgrx8, 8192)),
        ("setup_rgba8", setup(hd, Format::Rgba8, 7680)),
        ("setup_bgr10a2", setup(hd, Format::Bgr10a2, 7680)),
        (
            "setup_rgba16f_p3",
            setup(hd, Format::Rgba16f, 15360).map(|setup| Setup {
                surface: setup.surface.with_color_space(ColorSpace::DisplayP3),
                ..setup
            }),
        ),
        (
            "setup_largest",
            setup(Size::new(MAX_SIDE, MAX_SIDE), Format::Rgba16f, MAX_STRIDE).map(|setup| Setup {
                generation: u32::MAX,
                configure_serial: u32::MAX,
                surface: setup.surface.with_color_space(ColorSpace::Bt2020Pq),
                slots: 16,
                mode: PresentMode::Fifo,
                bytes_per_slot: setup.surface.bytes() + MAX_SLOT_SLACK,
            }),
        ),
        (
            "setup_smallest",
            setup(Size::new(1, 1), Format::Bgra8, 256).map(|setup| Setup {
                configure_serial: 0,
                surface: setup.surface.with_color_space(ColorSpace::LinearSrgb),
                slots: 2,
                bytes_per_slot: 256,
                ..setup
            }),
        ),
        ("setup_fifo", small.map(|setup| Setup { mode: PresentMode::Fifo, slots: 4, ..setup })),
    ];
    samples.extend(
        setups
            .into_iter()
            .filter_map(|(name, setup)| setup.map(|setup| (name, FromChild::Setup(setup)))),
    );
    samples
}

/// What a host may say, by name.
pub(crate) fn from_host() -> Vec<(&'static str, FromHost<'static>)> {
    let hd = Size::new(1920, 1080);
    let configure = Configure { serial: 1, size: Some(hd), scale: Scale::ONE };
    let welcome = Welcome {
        version: 1,
        page_bytes: 8192,
        features: 0,
        configure,
        max_size: Size::new(8192, 8192),
        max_slots: 16,
        max_bytes: 1 << 30,
    };
    let refused = |subject, why| FromHost::Refused(Refused { subject, why });
    let mut samples = vec![
        ("welcome", FromHost::Welcome(welcome)),
        (
            "welcome_childs_choice",
            FromHost::Welcome(Welcome { configure: Configure::default(), ..welcome }),
        ),
        (
            "welcome_extremes",
            FromHost::Welcome(Welcome {
                version: u16::MAX,
                page_bytes: u32::MAX,
                features: u64::MAX,
                configure: Configure {
                    serial: u32::MAX,
                    size: Some(Size::new(MAX_SIDE, MAX_SIDE)),
                    scale: Scale::from_f64(16.0),
                },
                max_size: Size::new(MAX_SIDE, MAX_SIDE),
                max_slots: 2,
                max_bytes: u64::MAX,
            }),
        ),
        ("retired", FromHost::Retired { generation: 1 }),
        ("retired_last", FromHost::Retired { generation: u32::MAX }),
        ("configure", FromHost::Configure(configure)),
        (
            "configure_hidpi",
            FromHost::Configure(Configure {
                serial: 2,
                size: Some(Size::new(1, 16_384)),
                scale: Scale::from_f64(1.5),
            }),
        ),
        (
            "configure_childs_choice",
            FromHost::Configure(Configure { serial: 3, size: None, scale: Scale::ONE }),
        ),
        ("bye", FromHost::Bye(Bye::default())),
        ("bye_unknown_reason", FromHost::Bye(Bye { reason: 7 })),
        ("refused_version", refused(0, Refusal::Version { min: 1, max: 1 })),
        ("refused_features", refused(0, Refusal::Features { missing: feature::DMABUF })),
        ("refused_quota", refused(2, Refusal::OverQuota { asked: 1 << 33, granted: 1 << 20 })),
        ("refused_size", refused(2, Refusal::OverSize { asked: Size::new(9000, 1), largest: hd })),
        ("refused_resources", refused(u32::MAX, Refusal::Resources)),
    ];
    samples.extend(inputs().into_iter().map(|(name, input)| (name, FromHost::Input(input))));
    for (name, text) in [("message_empty", ""), ("message", "hello")] {
        samples.extend(UserBytes::new(text.as_bytes()).map(|text| (name, FromHost::Message(text))));
    }
    samples
}

/// What a user may do, by name.
fn inputs() -> Vec<(&'static str, Input)> {
    let at = Point::new(10.5, 20.0);
    let all = Modifiers::SHIFT | Modifiers::CONTROL | Modifiers::ALT | Modifiers::META;
    let key = |code, state, modifiers, character| Input::Key { code, state, modifiers, character };
    let (a, none) = (KeyCode::keyboard(0x04), Modifiers::NONE);
    let mut samples = vec![
        ("pointer_entered", Input::pointer(at, PointerAction::Entered)),
        (
            "pointer_moved_far",
            Input::Pointer {
                at: Point::from_256ths(i32::MIN, i32::MAX),
                action: PointerAction::Moved,
                modifiers: all,
            },
        ),
        ("pointer_left", Input::pointer(Point::default(), PointerAction::Left)),
        ("pointer_pressed", Input::pointer(at, PointerAction::Pressed(Button::PRIMARY))),
        ("pointer_scrolled", Input::pointer(at, PointerAction::Scrolled(Point::new(0.0, -53.25)))),
        ("key_pressed", key(a, KeyState::Pressed, Modifiers::SHIFT, Some('A'))),
        ("key_repeated", key(a, KeyState::Repeated, none, Some('a'))),
        ("key_released", key(KeyCode::ESCAPE, KeyState::Released, none, None)),
        ("key_of_a_terminal", key(KeyCode::UNKNOWN, KeyState::Pressed, none, Some(char::MAX))),
        ("focus", Input::Focus(true)),
        ("focus_lost", Input::Focus(false)),
    ];
    samples.extend(
        Button::new(u8::MAX).map(|last| {
            ("pointer_released_last", Input::pointer(at, PointerAction::Released(last)))
        }),
    );
    samples
}
