mod edges;

use proptest::prelude::*;

use crate::error::{Error, Violation};
use crate::format::{ColorSpace, Format};
use crate::geometry::{MAX_SIDE, Scale, Size, SurfaceDescriptor};
use crate::input::{Button, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};
use crate::mode::PresentMode;

use super::version::agree;
use super::*;

/// Both directions, so that every test covers both.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Any<'a> {
    Child(FromChild<'a>),
    Host(FromHost<'a>),
}

impl<'a> Any<'a> {
    fn decode_as(self, packet: &'a [u8], handles: usize) -> Result<Self, Violation> {
        match self {
            Self::Child(_) => FromChild::decode(packet, handles).map(Any::Child),
            Self::Host(_) => FromHost::decode(packet, handles).map(Any::Host),
        }
    }

    fn packet(self) -> Vec<u8> {
        let mut out = [0xEE; MAX_MESSAGE_BYTES];
        match self {
            Self::Child(message) => message.encode(&mut out).to_vec(),
            Self::Host(message) => message.encode(&mut out).to_vec(),
        }
    }

    fn handles(self) -> usize {
        match self {
            Self::Child(message) => message.handles(),
            Self::Host(message) => message.handles(),
        }
    }
}

fn samples() -> Vec<(&'static str, Any<'static>)> {
    let child = samples::from_child().into_iter().map(|(name, sample)| (name, Any::Child(sample)));
    let host = samples::from_host().into_iter().map(|(name, sample)| (name, Any::Host(sample)));
    child.chain(host).collect()
}

fn child_sample(name: &str) -> Any<'static> {
    let found = samples::from_child().into_iter().find(|(each, _)| *each == name);
    Any::Child(found.expect("a sample of this name").1)
}

fn host_sample(name: &str) -> Any<'static> {
    let found = samples::from_host().into_iter().find(|(each, _)| *each == name);
    Any::Host(found.expect("a sample of this name").1)
}

fn with_length(mut packet: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(packet.len()).unwrap();
    packet[4..8].copy_from_slice(&length.to_le_bytes());
    packet
}

#[test]
fn samples_survive_the_trip() {
    assert_eq!(samples().len(), 46, "a sample was lost or added");
    for (name, sample) in samples() {
        let packet = sample.packet();
        assert_eq!(sample.decode_as(&packet, sample.handles()), Ok(sample), "{name}");
    }
}

/// The bytes themselves, as PROTOCOL.md has them.
#[test]
fn bytes_are_as_documented() {
    let hello = b"\x01\0\0\0\x20\0\0\0SPRT\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(child_sample("hello").packet(), hello);
    let setup = b"\x03\0\0\0\x38\0\0\0\x01\0\0\0\x01\0\0\0\x80\x07\0\0\x38\x04\0\0AR24\0\0\0\0\
                  \0\x1e\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\x90\x7e\0\0\0\0\0";
    assert_eq!(child_sample("setup").packet(), setup);
    let message = b"\x06\0\0\0\x0d\0\0\0hello";
    assert_eq!(child_sample("message").packet(), message);
    assert_eq!(host_sample("message").packet(), message);
    let bye = b"\x07\0\0\0\x0c\0\0\0\0\0\0\0";
    assert_eq!(child_sample("bye").packet(), bye);
    assert_eq!(host_sample("bye").packet(), bye);
    let welcome = b"\x02\0\0\0\x40\0\0\0\x01\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\
                    \x80\x07\0\0\x38\x04\0\0\x78\0\0\0\0\x20\0\0\0\x20\0\0\x10\0\0\0\0\0\0\0\
                    \0\0\0\x40\0\0\0\0";
    assert_eq!(host_sample("welcome").packet(), welcome);
    assert_eq!(host_sample("retired").packet(), b"\x04\0\0\0\x0c\0\0\0\x01\0\0\0");
    let configure = b"\x05\0\0\0\x18\0\0\0\x02\0\0\0\x01\0\0\0\0\x40\0\0\xb4\0\0\0";
    assert_eq!(host_sample("configure_hidpi").packet(), configure);
    let pressed = b"\x40\0\0\0\x24\0\0\0\x03\0\0\0\0\0\0\0\x80\x0a\0\0\0\x14\0\0\
                    \x01\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(host_sample("pointer_pressed").packet(), pressed);
    let scrolled = b"\x40\0\0\0\x24\0\0\0\x05\0\0\0\0\0\0\0\x80\x0a\0\0\0\x14\0\0\
                     \0\0\0\0\0\0\0\0\xc0\xca\xff\xff";
    assert_eq!(host_sample("pointer_scrolled").packet(), scrolled);
    let key = b"\x41\0\0\0\x18\0\0\0\x04\0\x07\0\x01\0\0\0\x01\0\0\0\x41\0\0\0";
    assert_eq!(host_sample("key_pressed").packet(), key);
    assert_eq!(host_sample("focus").packet(), b"\x42\0\0\0\x0c\0\0\0\x01\0\0\0");
    let refused = b"\x08\0\0\0\x20\0\0\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x28\x23\0\0\
                    \x38\x04\0\0\x80\x07\0\0";
    assert_eq!(host_sample("refused_size").packet(), refused);
}

#[test]
fn a_cut_or_longer_packet_is_refused() {
    for (name, sample) in samples() {
        let packet = sample.packet();
        let handles = sample.handles();
        for end in 0..packet.len() {
            let cut = &packet[..end];
            let expected =
                if end < 8 { Violation::ShortMessage } else { Violation::LengthMismatch };
            assert_eq!(sample.decode_as(cut, handles), Err(expected), "{name} cut to {end}");
        }
        let longer = [packet.as_slice(), &[0]].concat();
        let found = sample.decode_as(&longer, handles);
        assert_eq!(found, Err(Violation::LengthMismatch), "{name}");

        // The same with the length put right. A user message has any length.
        if matches!(sample, Any::Child(FromChild::Message(_)) | Any::Host(FromHost::Message(_))) {
            continue;
        }
        for end in 8..packet.len() {
            let cut = with_length(packet[..end].to_vec());
            let found = sample.decode_as(&cut, handles);
            assert_eq!(found, Err(Violation::ShortMessage), "{name} cut to {end}");
        }
        let longer = with_length(longer);
        assert_eq!(sample.decode_as(&longer, handles), Err(Violation::LongMessage), "{name}");
    }
}

#[test]
fn handles_are_counted() {
    for (name, sample) in samples() {
        let packet = sample.packet();
        let declared = sample.handles();
        for handles in 0..40 {
            let found = sample.decode_as(&packet, handles);
            let expected = match declared {
                _ if handles == declared => Ok(sample),
                0 => Err(Violation::UnexpectedHandles),
                _ if handles < declared => Err(Violation::MissingHandles),
                _ => Err(Violation::TooManyHandles),
            };
            assert_eq!(found, expected, "{name} with {handles} handles");
        }
    }
}

#[test]
fn a_user_message_may_be_so_long_and_no_longer() {
    let bytes = [7; MAX_USER_BYTES];
    let longest = Any::Child(FromChild::Message(UserBytes::new(&bytes).unwrap()));
    let packet = longest.packet();
    assert_eq!(packet.len(), MAX_MESSAGE_BYTES);
    assert_eq!(longest.decode_as(&packet, 0), Ok(longest));

    let longer = with_length([packet.as_slice(), &[7]].concat());
    assert_eq!(FromChild::decode(&longer, 0), Err(Violation::LongMessage));
    assert_eq!(FromHost::decode(&longer, 0), Err(Violation::LongMessage));
    assert!(matches!(
        UserBytes::new(&[0; MAX_USER_BYTES + 1]),
        Err(Error::MessageTooLong { len: 16_385, max: 16_384 })
    ));
}

#[test]
fn kinds_of_the_other_direction_and_reserved_ones_are_unknown() {
    let from_child = [kind::HELLO, kind::SETUP, kind::MESSAGE, kind::BYE];
    let input = [kind::POINTER, kind::KEY, kind::FOCUS];
    let from_host = [
        &[kind::WELCOME, kind::RETIRED, kind::CONFIGURE, kind::MESSAGE, kind::BYE, kind::REFUSED],
        &input[..],
    ]
    .concat();
    for number in (0..=300).chain([0x0101_0101, u32::MAX]) {
        let packet = with_length([&number.to_le_bytes()[..], &[0; 4]].concat());
        let child = FromChild::decode(&packet, 0);
        assert_eq!(child == Err(Violation::UnknownMessage), !from_child.contains(&number));
        let host = FromHost::decode(&packet, 0);
        assert_eq!(host == Err(Violation::UnknownMessage), !from_host.contains(&number));
    }
}

const MAX_32: u64 = 0xffff_ffff;

/// Every field of every message, with the values that it can't have.
#[test]
fn bad_fields_are_refused() {
    use Violation::*;
    let hello = child_sample("hello");
    let setup = child_sample("setup_small"); // 64x64, stride 256, 3 slots of 16 KiB
    let welcome = host_sample("welcome");
    let configure = host_sample("configure");
    let refused = host_sample("refused_resources");
    let version = host_sample("refused_version");
    let features = host_sample("refused_features");
    let (moved, pressed) = (host_sample("pointer_moved_far"), host_sample("pointer_pressed"));
    let (scrolled, key) = (host_sample("pointer_scrolled"), host_sample("key_pressed"));
    let slot = 64 * 256;
    #[rustfmt::skip]
    let cases: &[(Any<'_>, usize, usize, &[u64], Violation)] = &[
        (hello, 8, 4, &[0, 0x5452_5052, MAX_32], BadMagic),
        (hello, 12, 2, &[0, 2, 0xffff], BadField),       // oldest version: 0, or above the newest
        (hello, 14, 2, &[0], BadField),                  // newest version below the oldest
        (hello, 24, 8, &[1, 1 << 63], BadField),         // requires what it does not have
        (setup, 8, 4, &[0], BadField),                   // generation
        (setup, 16, 4, &[0, 65, 16_385, MAX_32], BadGeometry),
        (setup, 20, 4, &[0, 16_385, MAX_32], BadGeometry),
        (setup, 20, 4, &[65, 16_384], WrongLength),
        (setup, 24, 4, &[0, 1, MAX_32], BadFormat),
        (setup, 28, 4, &[4, MAX_32], BadFormat),
        (setup, 32, 4, &[0, 64, 255, 257, 1 << 31, MAX_32], BadGeometry),
        (setup, 32, 4, &[512, 262_144], WrongLength),
        (setup, 36, 4, &[0, 1, 17, MAX_32], BadSlotCount),
        (setup, 36, 4, &[2], TooManyHandles),
        (setup, 36, 4, &[4, 16], MissingHandles),
        (setup, 40, 4, &[2, MAX_32], BadField), // mode
        (setup, 44, 4, &[1, 1 << 31], BadField),         // reserved
        (setup, 48, 8, &[0, slot - 1, slot + (2 << 20) + 1, 1 << 32, u64::MAX], WrongLength),
        (welcome, 8, 2, &[0], BadField),                 // version
        (welcome, 10, 2, &[1, 1 << 15], BadField),       // reserved
        (welcome, 12, 4, &[0], BadField),                // page's length
        (welcome, 28, 4, &[0, 16_385, MAX_32], BadGeometry),
        (welcome, 32, 4, &[0, 16_385], BadGeometry),
        (welcome, 36, 4, &[0, 1921, MAX_32], BadField),
        (welcome, 40, 4, &[0, 16_385], BadGeometry),
        (welcome, 44, 4, &[0, 16_385], BadGeometry),
        (welcome, 48, 4, &[0, 1, 17, MAX_32], BadSlotCount),
        (welcome, 52, 4, &[1], BadField),                // reserved
        (host_sample("retired"), 8, 4, &[0], BadField),
        (configure, 8, 4, &[0], BadField),
        (configure, 12, 4, &[0, 16_385], BadGeometry),
        (configure, 16, 4, &[0, 16_385], BadGeometry),
        (configure, 20, 4, &[0, 1921], BadField),
        (refused, 12, 4, &[0, 6, MAX_32], BadField),
        (refused, 16, 8, &[1], BadField),
        (refused, 24, 8, &[1], BadField),
        (version, 16, 8, &[1 << 16, u64::MAX], BadField),
        (version, 24, 8, &[1 << 16, u64::MAX], BadField),
        (features, 24, 8, &[1], BadField),
        (moved, 8, 4, &[3, 4, 6, MAX_32], BadField),     // action
        (moved, 12, 4, &[16, 1 << 31, MAX_32], BadField), // modifiers
        (moved, 24, 4, &[1, MAX_32], BadField),          // button of an action without
        (moved, 28, 4, &[1, MAX_32], BadField),          // distance of an action without
        (moved, 32, 4, &[1, MAX_32], BadField),
        (pressed, 8, 4, &[0, 1, 2, 5], BadField),
        (pressed, 24, 4, &[0, 256, 257, MAX_32], BadField),
        (pressed, 28, 4, &[1], BadField),
        (scrolled, 8, 4, &[0, 3], BadField),
        (scrolled, 24, 4, &[1], BadField),
        (key, 12, 4, &[3, MAX_32], BadField),            // state
        (key, 16, 4, &[16, MAX_32], BadField),           // modifiers
        (key, 20, 4, &[0xd800, 0xdfff, 0x11_0000, MAX_32], BadField), // no character
        (host_sample("focus"), 8, 4, &[2, MAX_32], BadField),
    ];
    for (sample, offset, width, values, expected) in cases {
        for value in *values {
            let mut packet = sample.packet();
            packet[*offset..offset + width].copy_from_slice(&value.to_le_bytes()[..*width]);
            let found = sample.decode_as(&packet, sample.handles());
            assert_eq!(found, Err(*expected), "{sample:?}: {value:#x} at {offset}");
        }
    }
}

#[test]
fn a_setups_memory_may_be_rounded_up() {
    let Any::Child(FromChild::Setup(setup)) = child_sample("setup_small") else { panic!() };
    for slack in [0, 1, 4096, 65_536, MAX_SLOT_SLACK] {
        let message = FromChild::Setup(Setup { bytes_per_slot: 64 * 256 + slack, ..setup });
        assert_eq!(FromChild::decode(&Any::Child(message).packet(), 3), Ok(message));
    }
}

#[test]
fn versions_and_features_are_agreed_on() {
    let hello = |min, max, features, required| Hello {
        version_min: min,
        version_max: max,
        features,
        required,
    };
    assert_eq!(negotiate(&Hello::OURS), Ok(Agreed { version: 1, features: SUPPORTED }));
    assert_eq!(
        negotiate(&hello(2, 9, 0, 0)),
        Err(Refused { subject: 0, why: Refusal::Version { min: 1, max: 1 } })
    );
    assert_eq!(
        negotiate(&hello(1, 9, feature::INPUT | feature::DMABUF, feature::DMABUF)),
        Err(Refused { subject: 0, why: Refusal::Features { missing: feature::DMABUF } })
    );

    let (both, refused) = (feature::INPUT | feature::CURSOR, Refusal::Version { min: 3, max: 5 });
    assert_eq!(agree(&hello(1, 2, 0, 0), &(3..=5), both), Err(refused));
    assert_eq!(agree(&hello(6, 7, 0, 0), &(3..=5), both), Err(refused));
    for (min, max, version) in [(1, 3, 3), (1, 9, 5), (4, 4, 4), (5, 9, 5)] {
        let agreed = agree(&hello(min, max, u64::MAX, feature::CURSOR), &(3..=5), both);
        assert_eq!(agreed, Ok(Agreed { version, features: both }));
    }
}

#[test]
fn a_child_checks_what_it_is_given() {
    let Any::Host(FromHost::Welcome(welcome)) = host_sample("welcome") else { panic!() };
    let hello = Hello { version_min: 2, version_max: 3, features: 7, required: 1 };
    let given = |version, features| hello.check(&Welcome { version, features, ..welcome });
    assert_eq!(given(2, 1), Ok(()));
    assert_eq!(given(3, 7), Ok(()));
    for (version, features) in [(1, 1), (4, 1), (2, 0), (2, 6), (2, 9)] {
        assert_eq!(given(version, features), Err(Violation::BadField));
    }
}

fn sizes() -> impl Strategy<Value = Size> {
    (1..=MAX_SIDE, 1..=MAX_SIDE).prop_map(|(width, height)| Size::new(width, height))
}

fn hellos() -> impl Strategy<Value = Hello> {
    (1..=u16::MAX, any::<u16>(), any::<u64>(), any::<u64>()).prop_map(
        |(version_min, other, features, mask)| Hello {
            version_min,
            version_max: version_min.max(other),
            features,
            required: features & mask,
        },
    )
}

fn setups() -> impl Strategy<Value = Setup> {
    let surface = (
        sizes(),
        prop::sample::select(Format::ALL.as_slice()),
        prop::sample::select(ColorSpace::ALL.as_slice()),
        0..4_u32,
    )
        .prop_map(|(size, format, color_space, padding)| {
            let least = SurfaceDescriptor::new(size, format).unwrap().stride();
            SurfaceDescriptor::with_stride(size, format, least + padding * 256)
                .unwrap()
                .with_color_space(color_space)
        });
    (
        1..=u32::MAX,
        any::<u32>(),
        surface,
        MIN_SLOTS..=MAX_SLOTS,
        prop::sample::select(PresentMode::ALL.as_slice()),
        0..=MAX_SLOT_SLACK,
    )
        .prop_map(|(generation, configure_serial, surface, slots, mode, slack)| Setup {
            generation,
            configure_serial,
            surface,
            slots,
            mode,
            bytes_per_slot: surface.bytes() + slack,
        })
}

fn configures(serials: core::ops::RangeInclusive<u32>) -> impl Strategy<Value = Configure> {
    (serials, prop::option::of(sizes()), 1..=1920_u32).prop_map(|(serial, size, scale)| Configure {
        serial,
        size,
        scale: Scale::from_120ths(scale).unwrap(),
    })
}

fn welcomes() -> impl Strategy<Value = Welcome> {
    (
        1..=u16::MAX,
        1..=u32::MAX,
        any::<u64>(),
        configures(0..=u32::MAX),
        sizes(),
        MIN_SLOTS..=MAX_SLOTS,
        any::<u64>(),
    )
        .prop_map(
            |(version, page_bytes, features, configure, max_size, max_slots, max_bytes)| Welcome {
                version,
                page_bytes,
                features,
                configure,
                max_size,
                max_slots,
                max_bytes,
            },
        )
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        any::<(u16, u16)>().prop_map(|(min, max)| Refusal::Version { min, max }),
        any::<u64>().prop_map(|missing| Refusal::Features { missing }),
        any::<(u64, u64)>().prop_map(|(asked, granted)| Refusal::OverQuota { asked, granted }),
        any::<[u32; 4]>().prop_map(|[a, b, c, d]| Refusal::OverSize {
            asked: Size::new(a, b),
            largest: Size::new(c, d),
        }),
        Just(Refusal::Resources),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let points = || any::<(i32, i32)>().prop_map(|(x, y)| Point::from_256ths(x, y));
    let modifiers = || (0..16_u32).prop_map(|bits| Modifiers::from_bits(bits).unwrap());
    let buttons = || (1..=u8::MAX).prop_map(|number| Button::new(number).unwrap());
    let actions = prop_oneof![
        Just(PointerAction::Entered),
        Just(PointerAction::Moved),
        Just(PointerAction::Left),
        buttons().prop_map(PointerAction::Pressed),
        buttons().prop_map(PointerAction::Released),
        points().prop_map(PointerAction::Scrolled),
    ];
    let states =
        prop::sample::select(&[KeyState::Released, KeyState::Pressed, KeyState::Repeated][..]);
    let characters = prop::option::of((1..=char::MAX as u32).prop_filter_map("", char::from_u32));
    prop_oneof![
        (points(), actions, modifiers()).prop_map(|(at, action, modifiers)| Input::Pointer {
            at,
            action,
            modifiers
        }),
        (any::<u32>().prop_map(KeyCode::from_usage), states, modifiers(), characters).prop_map(
            |(code, state, modifiers, character)| Input::Key { code, state, modifiers, character }
        ),
        any::<bool>().prop_map(Input::Focus),
    ]
}

/// Any message; user messages borrow the bytes.
fn messages(text: &[u8]) -> impl Strategy<Value = Any<'_>> {
    let text = UserBytes::new(text).unwrap();
    let bye = any::<u32>().prop_map(|reason| Bye { reason });
    let input = inputs().prop_map(|input| Any::Host(FromHost::Input(input)));
    let host_bye = bye.clone().prop_map(|bye| Any::Host(FromHost::Bye(bye)));
    prop_oneof![
        hellos().prop_map(|hello| Any::Child(FromChild::Hello(hello))),
        setups().prop_map(|setup| Any::Child(FromChild::Setup(setup))),
        Just(Any::Child(FromChild::Message(text))),
        bye.prop_map(|bye| Any::Child(FromChild::Bye(bye))),
        welcomes().prop_map(|welcome| Any::Host(FromHost::Welcome(welcome))),
        (1..=u32::MAX).prop_map(|generation| Any::Host(FromHost::Retired { generation })),
        configures(1..=u32::MAX).prop_map(|configure| Any::Host(FromHost::Configure(configure))),
        Just(Any::Host(FromHost::Message(text))),
        // It takes no more than ten that borrow.
        prop_oneof![host_bye, input],
        (any::<u32>(), refusals())
            .prop_map(|(subject, why)| Any::Host(FromHost::Refused(Refused { subject, why }))),
    ]
}

/// What every decoder promises, whatever the bytes: no panic, and what decodes
/// encodes to the same bytes.
fn check_promise(packet: &[u8], handles: usize) {
    let children = FromChild::decode(packet, handles).map(Any::Child);
    let hosts = FromHost::decode(packet, handles).map(Any::Host);
    for message in children.into_iter().chain(hosts) {
        assert_eq!(message.packet(), packet);
        assert_eq!(message.handles(), handles);
    }
}

proptest! {
    #[test]
    fn messages_survive_the_trip(
        message in messages(b"some text"),
    ) {
        let packet = message.packet();
        prop_assert_eq!(message.decode_as(&packet, message.handles()), Ok(message));
    }

    #[test]
    fn user_messages_survive_the_trip(bytes in prop::collection::vec(any::<u8>(), 0..=2000)) {
        let message = Any::Child(FromChild::Message(UserBytes::new(&bytes).unwrap()));
        let packet = message.packet();
        prop_assert_eq!(message.decode_as(&packet, 0), Ok(message));
    }

    #[test]
    fn any_bytes_keep_the_promise(
        packet in prop::collection::vec(any::<u8>(), 0..200),
        handles in 0..20_usize,
    ) {
        check_promise(&packet, handles);
        if packet.len() >= 8 {
            check_promise(&with_length(packet), handles);
        }
    }

    /// One known kind, the right length, and anything for fields.
    #[test]
    fn any_fields_keep_the_promise(
        kind in prop_oneof![0..10_u32, 64..70_u32],
        body in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..60),
        handles in 0..18_usize,
    ) {
        check_promise(&with_length([&kind.to_le_bytes(), &[0; 4], &body[..]].concat()), handles);
    }

    /// A real message with one byte changed.
    #[test]
    fn a_changed_byte_keeps_the_promise(
        message in messages(b"some text"),
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
        handles in 0..18_usize,
    ) {
        let mut packet = message.packet();
        let place = place.index(packet.len());
        packet[place] = value;
        check_promise(&packet, message.handles());
        check_promise(&packet, handles);
    }
}
