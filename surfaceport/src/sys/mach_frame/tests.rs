//! The bytes against a C compiler's, and everything that can be wrong with them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::poc::Message;
use super::*;

fn port(name: Name, disposition: Disposition) -> Port {
    Port { name, disposition }
}

/// A message of the PoC: Setup, two surfaces' ports and nothing else.
fn setup() -> Vec<u8> {
    let ports = [port(0x1234, Disposition::CopySend), port(0x5678, Disposition::CopySend)];
    let to = port(0xabcd, Disposition::CopySend);
    let (id, payload) = (Message::Setup.id(), Message::Setup.payload());
    Outgoing { to, id, ports: &ports, payload: &payload }.encode()
}

/// The other one: Swap, the index of a surface.
fn swap() -> Vec<u8> {
    let to = port(0xabcd, Disposition::CopySend);
    let (id, payload) = (Message::Swap(1).id(), Message::Swap(1).payload());
    Outgoing { to, id, ports: &[], payload: &payload }.encode()
}

/// One of ours: a right, bytes and their length.
fn ours() -> Vec<u8> {
    let to = port(7, Disposition::CopySend);
    let ports = [port(8, Disposition::MoveReceive)];
    Outgoing { to, id: 0x5350_0001, ports: &ports, payload: &with_length(b"hello") }.encode()
}

/// As the kernel hands a message over: rights renamed, a trailer behind.
fn received(mut message: Vec<u8>, token: [u32; 8]) -> Vec<u8> {
    let complex = word(&message, 0).unwrap() & COMPLEX;
    message[..4].copy_from_slice(&(complex | 0x1100).to_le_bytes());
    message[8..12].fill(0);
    for index in 0..if complex == 0 { 0 } else { word(&message, 24).unwrap() as usize } {
        let at = 28 + index * PORT_BYTES + 10;
        message[at] = match message[at] {
            19 | 20 => 17,
            21 => 18,
            other => other,
        };
    }
    let trailer = [0, 52, 1, 501, 20].into_iter().chain(token);
    message.extend(trailer.flat_map(u32::to_le_bytes));
    message
}

const TOKEN: [u32; 8] = [501, 501, 20, 501, 20, 4711, 100_001, 9];

/// The same structures as `mach/message.h` has them (macOS 15.5): field by
/// field, under its pragma, with the PoC's and our messages made of them.
const C: &str = r#"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#pragma pack(4)
typedef struct { uint32_t bits, size, remote, local, voucher; int32_t id; } header;
typedef struct { uint32_t count; } body;
typedef struct {
    uint32_t name, pad1;
    unsigned int pad2 : 16, disposition : 8, type : 8;
} port;
typedef struct { header h; body b; port first, second; } setup;
typedef struct { header h; int32_t index; } swap;
typedef struct { header h; body b; port first; uint32_t length; char text[8]; } ours;
typedef struct { uint32_t val[2]; } security;
typedef struct { uint32_t val[8]; } audit;
typedef struct { uint32_t type, size, seqno; security sender; audit token; } trailer;
#pragma pack()
static void show(const char *name, const void *data, size_t size) {
    printf("%s ", name);
    for (size_t i = 0; i < size; i++) printf("%02x", ((const unsigned char *)data)[i]);
    printf("\n");
}
int main(void) {
    port a = { .name = 0x1234, .disposition = 19 }, b = { .name = 0x5678, .disposition = 19 };
    setup s = { { 0x80000013, sizeof s, 0xabcd, 0, 0, 1000 }, { 2 }, a, b };
    swap w = { { 0x13, sizeof w, 0xabcd, 0, 0, 2000 }, 1 };
    port c = { .name = 8, .disposition = 16 };
    ours o = { { 0x80000013, sizeof o, 7, 0, 0, 0x53500001 }, { 1 }, c, 5, "hello" };
    show("setup", &s, sizeof s);
    show("swap", &w, sizeof w);
    show("ours", &o, sizeof o);
    printf("sizes %zu %zu %zu %zu %zu %zu %zu\n", sizeof(header), sizeof(body), sizeof(port),
           sizeof s, sizeof w, sizeof(trailer), offsetof(trailer, token));
    return 0;
}
"#;

/// What the program above prints; `None` without a C compiler.
fn compiled() -> Option<String> {
    Command::new("gcc").arg("--version").output().ok()?;
    let folder = std::env::temp_dir().join(format!("surfaceport-frame-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, program): (PathBuf, PathBuf) = (folder.join("frame.c"), folder.join("frame"));
    std::fs::write(&source, C).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wall", "-Werror", "-o"]).arg(&program).arg(&source);
    let output = gcc.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_bytes_are_those_of_a_c_compiler() {
    let Some(printed) = compiled() else {
        println!("not run: the C compiler's bytes (package: gcc)");
        return;
    };
    let mut wanted = String::new();
    for (name, bytes) in [("setup", setup()), ("swap", swap()), ("ours", ours())] {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(wanted, "{name} {hex}").unwrap();
    }
    wanted.push_str("sizes 24 4 12 52 28 52 20\n");
    assert_eq!(printed, wanted);
}

#[test]
fn what_is_sent_is_received() {
    let message = received(ours(), TOKEN);
    let incoming = Incoming::parse(&message).unwrap();
    assert_eq!(incoming.id, 0x5350_0001);
    assert!(!incoming.has_remote);
    assert!(incoming.carries(&[Disposition::MoveReceive]));
    assert_eq!(of_length(incoming.payload).unwrap(), b"hello");
    assert_eq!(incoming.sender, Some(AuditToken(TOKEN)));
    assert!(!incoming.is_from_kernel());
    let token = incoming.sender.unwrap();
    assert_eq!((token.pid(), token.euid()), (4711, 501));

    let message = received(setup(), [0; 8]);
    let incoming = Incoming::parse(&message).unwrap();
    assert_eq!(incoming.ports().map(|port| port.name).collect::<Vec<_>>(), [0x1234, 0x5678]);
    assert!(incoming.carries(&[Disposition::MoveSend; 2]));
    assert!(!incoming.carries(&[Disposition::MoveSend]));
    assert!(!incoming.carries(&[Disposition::MoveSend, Disposition::MoveSendOnce]));
    assert!(incoming.payload.is_empty() && incoming.is_from_kernel());
}

/// The table of the layout, byte by byte: what the PoC's two programs say.
#[test]
fn the_messages_of_the_poc_are_these_bytes() {
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.as_chunks().0.iter().copied().map(u32::from_le_bytes).collect()
    };
    // 0x0013_0000: two bytes of nothing, COPY_SEND, and a port's type, 0.
    let port = |name| [name, 0, 0x0013_0000];
    let head = |bits, size, id| [bits, size, 0xabcd, 0, 0, id];
    let whole = [&head(0x8000_0013, 52, 1000)[..], &[2], &port(0x1234), &port(0x5678)].concat();
    assert_eq!((setup().len(), words(&setup())), (52, whole));
    assert_eq!((swap().len(), words(&swap())), (28, [&head(0x13, 28, 2000)[..], &[1]].concat()));
}

#[test]
fn the_messages_of_the_poc_are_taken_exactly() {
    let parsed = |message: &[u8]| Message::parse(&Incoming::parse(message)?);
    let (setup, swap) = (received(setup(), TOKEN), received(swap(), TOKEN));
    assert_eq!(parsed(&setup), Ok(Message::Setup));
    assert_eq!(parsed(&swap), Ok(Message::Swap(1)));
    assert_eq!(sender_of(&setup), Some(AuditToken(TOKEN)));
    let with = |message: &[u8], offset: usize, bytes: &[u8]| {
        let mut message = message.to_vec();
        message[offset..offset + bytes.len()].copy_from_slice(bytes);
        parsed(&message)
    };
    for (index, expected) in [
        (0_i32, Ok(Message::Swap(0))),
        (2, Err(Violation::SlotOutOfRange)),
        (-1, Err(Violation::SlotOutOfRange)),
        (i32::MAX, Err(Violation::SlotOutOfRange)),
        (i32::MIN, Err(Violation::SlotOutOfRange)),
    ] {
        assert_eq!(with(&swap, 24, &index.to_le_bytes()), expected, "{index}");
    }
    for message in [&setup, &swap] {
        // Somebody wants an answer, or says what nobody knows.
        assert_eq!(with(message, 8, &[1]), Err(Violation::BadField));
        assert_eq!(with(message, 20, &[1, 0, 0, 0]), Err(Violation::UnknownMessage));
    }
    // One as the other: a Setup without ports, a Swap with them.
    assert_eq!(with(&swap, 20, &1000_i32.to_le_bytes()), Err(Violation::LengthMismatch));
    assert_eq!(with(&setup, 20, &2000_i32.to_le_bytes()), Err(Violation::UnexpectedHandles));
    // A right of another kind, one port only, one too many.
    assert_eq!(with(&setup, 38, &[18]), Err(Violation::MissingHandles));
    assert_eq!(with(&setup, 50, &[16]), Err(Violation::MissingHandles));
    let ports = |count| vec![port(1, Disposition::CopySend); count];
    for count in [1, 3] {
        let to = port(2, Disposition::CopySend);
        let other = Outgoing { to, id: 1000, ports: &ports(count), payload: &[] }.encode();
        assert_eq!(parsed(&received(other, TOKEN)), Err(Violation::MissingHandles), "{count}");
    }
    for payload in [&[][..], &[0; 8]] {
        let to = port(2, Disposition::CopySend);
        let other = Outgoing { to, id: 2000, ports: &[], payload }.encode();
        assert_eq!(parsed(&received(other, TOKEN)), Err(Violation::LengthMismatch));
    }
}

#[test]
fn a_right_is_taken_once() {
    let mut message = received(setup(), TOKEN);
    assert_eq!([1, 0, 0, 2].map(|index| take_port(&mut message, index)), [0x5678, 0x1234, 0, 0]);
    let left = Incoming::parse(&message).unwrap();
    assert!(left.ports().all(|port| port.name == 0));
    assert_eq!(take_port(&mut [], 0), 0);
}

/// Changes one place of a received Setup.
fn changed(offset: usize, bytes: &[u8]) -> Result<(), Violation> {
    let mut message = received(setup(), TOKEN);
    message[offset..offset + bytes.len()].copy_from_slice(bytes);
    Incoming::parse(&message).map(|_| ())
}

#[test]
fn every_field_is_checked_before_it_is_used() {
    let size = |size: u32| changed(4, &size.to_le_bytes());
    assert_eq!(size(52), Ok(()));
    for short in [0, 4, 20, 23] {
        assert_eq!(size(short), Err(Violation::ShortMessage), "{short}");
    }
    for odd in [25, 26, 51, 53] {
        assert_eq!(size(odd), Err(Violation::LengthMismatch), "{odd}");
    }
    for long in [108, 1 << 20, !3] {
        assert_eq!(size(long), Err(Violation::LongMessage), "{long}");
    }
    // Shorter than its descriptors.
    assert_eq!(size(24), Err(Violation::ShortMessage));
    for short in [28, 40, 48] {
        assert_eq!(size(short), Err(Violation::TooManyHandles), "{short}");
    }
    let count = |count: u32| changed(24, &count.to_le_bytes());
    assert_eq!(count(0), Err(Violation::MissingHandles));
    // The second one is payload then, which whoever wants two will see.
    assert_eq!(count(1), Ok(()));
    for many in [3, 1 << 16, 0x1555_5556, u32::MAX] {
        assert_eq!(count(many), Err(Violation::TooManyHandles), "{many}");
    }
    // Memory, ports in memory, guarded ports, and what nobody knows.
    for kind in 1..=255 {
        for descriptor in [28, 40] {
            assert_eq!(changed(descriptor + 11, &[kind]), Err(Violation::BadField), "{kind}");
        }
    }
    for disposition in 0..=255 {
        let expected =
            if (16..=18).contains(&disposition) { Ok(()) } else { Err(Violation::BadField) };
        assert_eq!(changed(50, &[disposition]), expected, "{disposition}");
    }
    for bit in [5, 13, 21, 30] {
        let bits = (0x8000_1100_u32 | 1 << bit).to_le_bytes();
        assert_eq!(changed(0, &bits), Err(Violation::BadField), "{bit}");
    }
    // Not complex: descriptors are payload, whatever they say.
    assert_eq!(changed(0, &0x1100_u32.to_le_bytes()), Ok(()));
}

#[test]
fn a_trailer_must_have_a_token() {
    let sender = |offset: usize, value: u32| {
        let mut message = received(swap(), TOKEN);
        message[28 + offset..28 + offset + 4].copy_from_slice(&value.to_le_bytes());
        Incoming::parse(&message).unwrap().sender
    };
    assert!(sender(4, 52).is_some());
    for (offset, value) in [(0, 1), (4, 8), (4, 20), (4, 51), (4, 53), (4, u32::MAX)] {
        assert_eq!(sender(offset, value), None, "{offset} {value}");
    }
    assert_eq!(Incoming::parse(&swap()).map(|incoming| incoming.sender), Ok(None));
    // The kernel's own token is nobody else's.
    for index in 0..8 {
        let mut token = [0; 8];
        token[index] = 1;
        let message = received(swap(), token);
        assert!(!Incoming::parse(&message).unwrap().is_from_kernel());
    }
}

#[test]
fn a_payload_has_the_length_that_it_says() {
    for len in 0..20 {
        let bytes = vec![7; len];
        let mut payload = with_length(&bytes);
        payload.resize(payload.len().next_multiple_of(4), 0);
        assert_eq!(of_length(&payload), Ok(&bytes[..]));
        payload.extend([0; 4]);
        assert_eq!(of_length(&payload), Err(Violation::LengthMismatch));
    }
    assert_eq!(of_length(&[1, 0, 0]), Err(Violation::ShortMessage));
    assert_eq!(of_length(&[1, 0, 0, 0]), Err(Violation::LengthMismatch));
    assert_eq!(of_length(&[255; 64]), Err(Violation::LengthMismatch));
    assert_eq!(of_length(&[1, 0, 0, 0, 7, 0, 1, 0]), Err(Violation::LengthMismatch));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn what_is_encoded_decodes(
        id in any::<i32>(),
        names in prop::collection::vec((any::<u32>(), 16_u8..=21), 0..17),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let ports: Vec<_> = names
            .iter()
            .map(|(name, kind)| port(*name, Disposition::sent(*kind).unwrap()))
            .collect();
        let to = port(1, Disposition::CopySend);
        let message = Outgoing { to, id, ports: &ports, payload: &with_length(&bytes) }.encode();
        let message = received(message, TOKEN);
        let incoming = Incoming::parse(&message).unwrap();
        prop_assert_eq!(incoming.id, id);
        prop_assert_eq!(of_length(incoming.payload), Ok(&bytes[..]));
        let came: Vec<_> = incoming.ports().map(|port| port.name).collect();
        let sent: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        prop_assert_eq!(came, sent);
    }
}
