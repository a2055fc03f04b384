//! The proof of concept, both ways: our host with a child that does what the
//! PoC's `child.mm` does, our child with a parent that does what its `parent.mm`
//! does. Theirs are written here call by call, with the bytes as their C
//! compiler lays them out and what their stacks leave in the gaps.

use std::sync::{Mutex, MutexGuard};

use super::super::poc::{PocChild, PocHost, PocNews};
use super::super::{Handle, Memory, SurfaceMemory, kern, lock, testing};
use super::kern::sim::{Snapshot, in_task};
use super::kern::{Geometry, Name, Surface, option};
use super::{PATIENCE, settles, whatever_fails};
use crate::error::{Error, ExitReason, Violation};
use crate::format::Format;
use crate::geometry::{Size, SurfaceDescriptor};
use crate::sync::Ordering;
use crate::sys::{PipeRead, Sent};

const NAME: &std::ffi::CStr = c"com.example.messageport";
/// What a stack had before.
const GARBAGE: u32 = 0x5a5a_5a5a;
/// A surface's width times 4, as Apple silicon aligns it: not as we would.
const ROW: usize = 2432;
const SIDE: usize = 600;
const BGRA: u32 = u32::from_be_bytes(*b"BGRA");

/// There is one name, and each of these tests wants it.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    lock(&ONE)
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().copied().flat_map(u32::to_le_bytes).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().copied().map(u32::from_le_bytes).collect()
}

/// `MachIOSurfaceSetupMessage`
fn setup(to: Name, ports: &[Name]) -> Vec<u8> {
    let count = u32::try_from(ports.len()).unwrap();
    let mut message = vec![0x8000_0013, 28 + 12 * count, to, 0, GARBAGE, 1000, count];
    // name, pad1, and pad2 below disposition 19 and type 0.
    message.extend(ports.iter().flat_map(|port| [*port, GARBAGE, 0x0013_5a5a]));
    bytes(&message)
}

/// `MachIOSurfaceSwapMessage`
fn swap(to: Name, index: u32) -> Vec<u8> {
    bytes(&[0x13, 28, to, 0, GARBAGE, 2000, index])
}

/// `mach_msg` as they call it: it waits for room for ever.
fn tell(mut message: Vec<u8>) {
    assert_eq!(kern::send(&mut message, option::SEND, 0), kern::Code::SUCCESS);
}

fn surface(format: u32) -> Surface {
    let (width, height) = (SIDE, SIDE);
    let geometry = Geometry {
        width,
        height,
        format,
        bytes_per_element: 4,
        element: (1, 1),
        planes: 0,
        bytes_per_row: ROW,
        alloc_size: ROW * height,
    };
    Surface::create(geometry).unwrap()
}

/// The PoC's child, or one that does one thing wrong.
fn child(role: &str) -> i32 {
    let parent = kern::look_up(NAME).unwrap();
    let surfaces = [BGRA, BGRA].map(surface);
    let ports = surfaces.each_ref().map(|surface| surface.create_port().unwrap());
    match role {
        "honest" => {
            testing::say("Sent port right successfully");
            tell(setup(parent, &ports));
            for frame in 0..20 {
                let index = frame % 2;
                let surface = &surfaces[index];
                surface.lock(false).unwrap();
                surface
                    .map()
                    .unwrap()
                    .words()
                    .next()
                    .unwrap()
                    .store(frame as u64, Ordering::Relaxed);
                surface.unlock(false).unwrap();
                tell(swap(parent, u32::try_from(index).unwrap()));
            }
        }
        "swaps first" => tell(swap(parent, 0)),
        "says it twice" => {
            tell(setup(parent, &ports));
            tell(setup(parent, &ports));
        }
        "draws what is not there" => {
            tell(setup(parent, &ports));
            tell(swap(parent, 2));
        }
        "has one" => tell(setup(parent, &ports[..1])),
        "has three" => tell(setup(parent, &[ports[0], ports[1], ports[0]])),
        "has five" => tell(setup(parent, &[ports[0]; 5])),
        "sends memory" => {
            let memory = Memory::create("test", 1).unwrap();
            let Handle::Send(right) = memory.handle() else { panic!("it is a send right") };
            tell(setup(parent, &[ports[0], right.name()]));
        }
        "draws in another format" => {
            let other = surface(u32::from_be_bytes(*b"RGBA")).create_port().unwrap();
            tell(setup(parent, &[ports[0], other]));
        }
        "says what nobody knows" => tell(bytes(&[0x13, 28, parent, 0, 0, 3000, 0])),
        "waits" => {
            testing::rest();
        }
        role => panic!("{role}"),
    };
    0
}

fn host(role: &str) -> Result<PocHost, Error> {
    PocHost::start(&testing::child(child, "sys::macos::tests::poc::child", role))
}

/// What it hears next.
fn next(host: &mut PocHost) -> Result<PocNews, Error> {
    loop {
        if let Some(news) = host.next()? {
            return Ok(news);
        }
        host.wait(Some(PATIENCE))?;
    }
}

#[test]
fn its_child_is_hosted() {
    let _alone = alone();
    in_task(|| {
        let before = Snapshot::take();
        let mut host = host("honest").unwrap();
        let PocNews::SetUp(surfaces) = next(&mut host).unwrap() else { panic!("that comes first") };
        for (_, descriptor) in &surfaces {
            assert_eq!(descriptor.size(), Size::new(600, 600));
            assert_eq!((descriptor.format(), descriptor.stride()), (Format::Bgra8, 2432));
        }
        for frame in 0..20_u64 {
            let news = next(&mut host).unwrap();
            let PocNews::Swap(index) = news else { panic!("{news:?}") };
            assert_eq!(index as u64, frame % 2);
            let mut seen = [0; 8];
            surfaces[index].0.read_at(0, &mut seen).unwrap();
            // Nothing holds the child back: it may be ahead already.
            let drawn = u64::from_ne_bytes(seen);
            assert!(drawn >= frame && drawn % 2 == frame % 2, "{drawn} for {frame}");
        }
        let mut said = [0; 64];
        let read = host.read_output(&mut said);
        assert_eq!(
            (read, &said[..28]),
            (PipeRead::Bytes(28), &b"Sent port right successfully"[..])
        );
        let news = next(&mut host).unwrap();
        assert!(matches!(news, PocNews::Ended(ExitReason::Exited(0))), "{news:?}");
        drop((host, surfaces));
        settles(&before);
    });
}

#[test]
fn its_parent_is_served() {
    let _alone = alone();
    let (found, parent) = std::sync::mpsc::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    // `parent.mm`: it checks in, and receives.
    let thread = std::thread::spawn(move || {
        in_task(|| {
            let port = kern::check_in(NAME).unwrap();
            found.send(()).unwrap();
            let receive = || {
                let mut buffer = vec![0; 120];
                let options = option::RECEIVE;
                assert_eq!(kern::receive(&mut buffer, port, options, 0), kern::Code::SUCCESS);
                words(&buffer)
            };
            let setup = receive();
            assert_eq!((setup[0] & 0x8000_0000, setup[1], setup[5]), (0x8000_0000, 52, 1000));
            assert_eq!(setup[6], 2);
            // A port, and a send right: 17, however it was sent.
            assert_eq!([setup[9] >> 16, setup[12] >> 16], [17, 17]);
            let shown = [setup[7], setup[10]].map(|port| Surface::look_up(port).unwrap());
            for surface in &shown {
                let is = surface.geometry();
                assert_eq!((is.width, is.height, is.format), (SIDE, SIDE, BGRA));
            }
            for frame in 0..6_u64 {
                let swap = receive();
                assert_eq!((swap[0] & 0x8000_0000, swap[1], swap[5]), (0, 28, 2000));
                let surface = &shown[swap[6] as usize];
                assert_eq!(u64::from(swap[6]), frame % 2);
                let first = surface.map().unwrap().words().next().unwrap().load(Ordering::Relaxed);
                // Nothing holds the child back: it may be ahead already.
                assert!(first >= frame && first % 2 == frame % 2, "{first} for {frame}");
            }
            kern::port_destruct(port);
            go_on.send(()).unwrap();
        });
    });
    parent.recv().unwrap();
    in_task(|| {
        let before = Snapshot::take();
        let descriptor = SurfaceDescriptor::new(Size::new(600, 600), Format::Bgra8).unwrap();
        let mut surfaces = [descriptor, descriptor].map(|one| SurfaceMemory::create(&one).unwrap());
        let child = PocChild::connect().unwrap();
        assert_eq!(
            child.set_up(surfaces.each_ref().map(SurfaceMemory::handle)).unwrap(),
            Sent::Done
        );
        surfaces.iter_mut().for_each(SurfaceMemory::forget_handle);
        let maps = surfaces.each_ref().map(|surface| surface.map().unwrap());
        for frame in 0..6_usize {
            let index = frame % 2;
            surfaces[index].begin_drawing();
            testing::words(&maps[index])[0].store(frame as u64, Ordering::Relaxed);
            surfaces[index].end_drawing();
            while child.swap(index).unwrap() == Sent::Full {}
        }
        goes_on.recv().unwrap();
        assert_eq!(child.swap(0).unwrap(), Sent::Closed);
        drop((child, maps, surfaces));
        settles(&before);
    });
    thread.join().unwrap();
}

#[test]
fn a_child_that_breaks_the_rules_leaves_nothing() {
    let _alone = alone();
    for (role, expected) in [
        ("swaps first", Violation::WrongState),
        ("says it twice", Violation::WrongState),
        ("draws what is not there", Violation::SlotOutOfRange),
        ("has one", Violation::MissingHandles),
        ("has three", Violation::MissingHandles),
        ("sends memory", Violation::NotMemory),
        ("draws in another format", Violation::BadFormat),
        ("says what nobody knows", Violation::UnknownMessage),
    ] {
        in_task(|| {
            let before = Snapshot::take();
            let mut host = host(role).unwrap();
            let violation = loop {
                match next(&mut host) {
                    Ok(PocNews::SetUp(_)) => {}
                    Err(Error::Violation(violation)) => break violation,
                    other => panic!("{role}: {other:?}"),
                }
            };
            assert_eq!(violation, expected, "{role}");
            drop(host);
            settles(&before);
        });
    }
    // More than there is room for: it never arrives, nor do its rights.
    in_task(|| {
        let before = Snapshot::take();
        let mut host = host("has five").unwrap();
        let news = next(&mut host).unwrap();
        assert!(matches!(news, PocNews::Ended(ExitReason::Exited(0))), "{news:?}");
        drop(host);
        settles(&before);
    });
}

#[test]
fn strangers_who_know_the_name_are_not_heard() {
    let _alone = alone();
    in_task(|| {
        let mut host = host("waits").unwrap();
        let before = Snapshot::take();
        in_task(|| {
            let parent = kern::look_up(NAME).unwrap();
            let ports = [BGRA, BGRA].map(|format| surface(format).create_port().unwrap());
            tell(setup(parent, &ports));
            tell(swap(parent, 1));
        });
        assert!(host.next().unwrap().is_none());
        assert_eq!(Snapshot::take(), before);
        // And there is one parent at a time.
        let second = PocHost::start(&testing::child(child, "sys::macos::tests::poc::child", ""));
        assert!(matches!(second, Err(Error::NameInUse(_))), "{second:?}");
    });
    in_task(|| assert!(matches!(PocChild::connect(), Err(Error::NoSuchName(_)))));
}

#[test]
fn both_sides_leak_nothing_whatever_fails() {
    let _alone = alone();
    whatever_fails(|| {
        let mut host = host("honest")?;
        let mut kept = Vec::new();
        loop {
            match next(&mut host)? {
                PocNews::SetUp(surfaces) => kept.extend(surfaces),
                PocNews::Swap(_) => {}
                PocNews::Ended(_) => return Ok(()),
            }
        }
    });
    whatever_fails(|| {
        let descriptor = SurfaceDescriptor::new(Size::new(600, 600), Format::Bgra8)?;
        let port = kern::check_in(NAME).map_err(|code| super::os("test", code))?;
        let _port = super::ReceiveRight::own(port);
        let surfaces = [SurfaceMemory::create(&descriptor)?, SurfaceMemory::create(&descriptor)?];
        let child = PocChild::connect()?;
        child.set_up(surfaces.each_ref().map(SurfaceMemory::handle))?;
        // Nobody reads: the queue has room for 5.
        for frame in 0..6 {
            child.swap(frame % 2)?;
        }
        Ok(())
    });
}
