//! What it sends as handles.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use surfaceport::Violation;

use super::messages::pair;
use crate::bad::{Bad, meanwhile};
use crate::support::raw::{Raw, Setup, hello, packet, packet_of, surface};
use crate::table::Expect::{Ends, Lives};
use crate::table::Start::{Greeted, Nothing, Shown};
use crate::table::{Behaviour, IGNORED, row};

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

fn memory(flags: MemfdFlags, len: u64, seals: SealFlags, allocated: bool) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | flags;
    let fd = rustix::fs::memfd_create("bad", flags).unwrap();
    rustix::fs::ftruncate(&fd, len).unwrap();
    if allocated {
        rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, len).unwrap();
    }
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    fd
}

fn plain(len: u64, seals: SealFlags) -> OwnedFd {
    memory(MemfdFlags::empty(), len, seals, true)
}

/// The same memory through another description.
fn reopened(fd: &OwnedFd, flags: OFlags) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

fn shm() -> OwnedFd {
    let path = format!("/dev/shm/surfaceport-{}", std::process::id());
    std::fs::write(&path, vec![0; 4096]).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.into()
}

fn beside(bad: &Bad, message: &[u8], count: usize) {
    let null = null();
    bad.raw.send(message, &vec![null.as_fd(); count]);
}

fn setup_with(bad: &Bad, count: usize) {
    let one = surface(4096);
    bad.raw.send(&packet_of(&Setup::small(1)), &vec![one.as_fd(); count]);
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    vec![
        row("handle beside Hello", &[16], Nothing, Ends(Violation::UnexpectedHandles),
            "sends /dev/null along", |bad| beside(bad, &hello(1, 1, 0, 0), 1)),
        row("handle beside a message", &[16], Shown, Ends(Violation::UnexpectedHandles),
            "sends /dev/null along", |bad| beside(bad, &packet(6, b"hi"), 1)),
        row("handle beside Bye", &[16], Shown, Ends(Violation::UnexpectedHandles),
            "sends /dev/null along", |bad| beside(bad, &packet(7, &[0; 4]), 1)),
        row("17 handles", &[17], Nothing, Ends(Violation::TooManyHandles),
            "sends one more than any message has", |bad| beside(bad, &hello(1, 1, 0, 0), 17)),
        row("64 handles", &[17], Greeted, Ends(Violation::TooManyHandles),
            "sends more than the host has room for", |bad| beside(bad, &packet(6, b"hi"), 64)),
        row("handles in every message", &[16, 17], Shown, Ends(Violation::TooManyHandles),
            "floods the host with messages of 17 handles", |bad| loop { beside(bad, &packet(6, b"hi"), 17); }),
        row("2 surfaces for 3", &[18], Greeted, Ends(Violation::MissingHandles),
            "sends fewer than it says", |bad| setup_with(bad, 2)),
        row("no surfaces", &[18], Greeted, Ends(Violation::MissingHandles),
            "sends none of those that it says", |bad| setup_with(bad, 0)),
        row("4 surfaces for 3", &[17], Greeted, Ends(Violation::TooManyHandles),
            "sends more than it says", |bad| setup_with(bad, 4)),
        row("a pipe for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends a pipe", |bad| bad.send_surface(rustix::pipe::pipe().unwrap().0)),
        row("a program for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends its own program file", |bad| bad.send_surface(std::fs::File::open("/proc/self/exe").unwrap())),
        row("a directory for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends /", |bad| bad.send_surface(std::fs::File::open("/").unwrap())),
        row("a device for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends /dev/zero", |bad| bad.send_surface(std::fs::File::open("/dev/zero").unwrap())),
        row("a file in /dev/shm for a surface", &[21], Greeted, Ends(Violation::NotSealed),
            "sends memory that can't be sealed", |bad| bad.send_surface(shm())),
        row("the socket for a surface", &[21, 28], Greeted, Ends(Violation::NotMemory),
            "sends its own end of the connection", |bad| bad.send_surface(&bad.raw)),
        row("the bell for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends the eventfd back", |bad| bad.send_surface(&bad.hookup().to_host)),
        row("an epoll set for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends an epoll set that watches the bell", |bad| {
                use rustix::event::epoll;
                let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
                let data = epoll::EventData::new_u64(0);
                epoll::add(&set, &bad.hookup().to_host, data, epoll::EventFlags::IN).unwrap();
                bad.send_surface(set);
            }),
        row("the control page for a surface", &[21], Greeted, Ends(Violation::WrongLength),
            "sends the page back", |bad| bad.send_surface(&bad.hookup().page)),
        row("a path for a surface", &[21], Greeted, Ends(Violation::NotMemory),
            "sends memory opened with O_PATH", |bad| bad.send_surface(reopened(&surface(4096), OFlags::PATH))),
        row("unsealed memory", &[22], Greeted, Ends(Violation::NotSealed),
            "sends memory that it can still cut short", |bad| bad.send_surface(plain(4096, SealFlags::empty()))),
        row("seals that can be added to", &[22], Greeted, Ends(Violation::NotSealed),
            "leaves the seal on sealing away", |bad| bad.send_surface(plain(4096, SealFlags::SHRINK | SealFlags::GROW))),
        row("memory that can grow", &[22], Greeted, Ends(Violation::NotSealed),
            "leaves the seal on growing away", |bad| bad.send_surface(plain(4096, SealFlags::SHRINK | SealFlags::SEAL))),
        row("memory sealed against writing", &[22], Greeted, Ends(Violation::SealedAgainstWrite),
            "sends memory that a display server refuses", |bad| bad.send_surface(plain(4096, SEALS | SealFlags::FUTURE_WRITE))),
        row("short memory", &[22], Greeted, Ends(Violation::WrongLength),
            "sends half the memory that it says", |bad| bad.send_surface(plain(2048, SEALS))),
        row("long memory", &[22], Greeted, Ends(Violation::WrongLength),
            "sends twice the memory that it says", |bad| bad.send_surface(plain(8192, SEALS))),
        row("memory with holes", &[22], Greeted, Ends(Violation::Sparse),
            "sends memory that was never allocated", |bad| bad.send_surface(memory(MemfdFlags::empty(), 4096, SEALS, false))),
        row("memory that is cut short later", &[22], Shown, Lives(IGNORED),
            "tries to truncate a surface that is shown; the kernel refuses", |bad| {
                for surface in &bad.surfaces {
                    assert!(rustix::fs::ftruncate(surface, 0).is_err());
                    assert!(rustix::fs::ftruncate(surface, 1 << 20).is_err());
                }
                bad.live();
            }),
        row("memory that forbids execution", &[23], Greeted, Lives(IGNORED),
            "has one seal more than it must, as MFD_NOEXEC_SEAL adds", |bad| {
                let three: Vec<_> = (0..3).map(|_| {
                    // Before Linux 6.3 the flag is unknown.
                    rustix::fs::memfd_create("x", MemfdFlags::NOEXEC_SEAL)
                        .map_or_else(|_| surface(4096), |_| memory(MemfdFlags::NOEXEC_SEAL, 4096, SEALS, true))
                }).collect();
                let handles: Vec<_> = three.iter().map(AsFd::as_fd).collect();
                bad.raw.send(&packet_of(&Setup::small(1)), &handles);
                bad.surfaces = three;
                bad.live();
            }),
        row("huge pages", &[24], Greeted, Ends(Violation::HugePages),
            "sends memory whose pages can be taken from under a reader", |bad| {
                let huge = MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
                let fd = memory(huge, 2 << 20, SEALS, false);
                bad.send_setup_with(2 << 20, fd);
            }),
        row("a hole in a shown surface", &[25], Shown, Lives(IGNORED),
            "punches the pages out of the surface that is shown", |bad| {
                let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                for surface in &bad.surfaces {
                    rustix::fs::fallocate(surface, punch, 0, 4096).unwrap();
                }
                bad.live();
            })
            .spoils(),
        row("read-only memory", &[26], Greeted, Ends(Violation::ReadOnlyHandle),
            "sends memory that is open for reading only", |bad| bad.send_surface(reopened(&surface(4096), OFlags::RDONLY))),
        row("the page reopened", &[26], Shown, Lives(IGNORED),
            "opens the control page again by /proc, and writes there", |bad| {
                let page = reopened(&bad.hookup().page, OFlags::RDWR);
                let _written = rustix::io::pwrite(&page, &[0xff; 8], 0);
                bad.live();
            }),
        row("flags of shared descriptions", &[27], Shown, Lives(IGNORED),
            "makes everything blocking, moves offsets, takes locks", |bad| {
                let hookup = bad.hookup();
                let all = [hookup.page.as_fd(), hookup.to_host.as_fd(), hookup.to_child.as_fd(), bad.raw.as_fd()];
                for fd in all {
                    rustix::fs::fcntl_setfl(fd, OFlags::empty()).unwrap();
                    let _seekable = rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(12345));
                    let _lockable = rustix::fs::flock(fd, rustix::fs::FlockOperation::LockExclusive);
                }
                bad.live();
            }),
        row("fills everything it shares", &[27, 54], Shown, Lives(IGNORED),
            "clears O_NONBLOCK everywhere, and fills the eventfd, the socket and stderr to the brim", |bad| {
                for fd in [bad.hookup().to_host.as_fd(), bad.hookup().to_child.as_fd(), bad.raw.as_fd()] {
                    rustix::fs::fcntl_setfl(fd, OFlags::empty()).unwrap();
                }
                let (bell, raw) = (bad.second_hookup(), bad.raw.try_clone());
                meanwhile(move || { let _full = rustix::io::write(&bell.to_host, &(u64::MAX - 1).to_ne_bytes()); });
                meanwhile(move || { raw.send(&packet(6, &[0; 16_000]), &[]); });
                meanwhile(|| eprint!("{}", "x".repeat(4096)));
                std::thread::sleep(Duration::from_millis(20));
                bad.live_unheard();
            })
            .host(|session| {
                session.begin_frame(surfaceport::Timestamp::now());
                let _full = session.send(b"go on");
            }),
        row("sockets in sockets", &[28], Greeted, Ends(Violation::UnexpectedHandles),
            "sends cycles of sockets that hold one another", |bad| {
                let (a, b) = pair();
                for _ in 0..8 {
                    Raw::from_fd(a.try_clone().unwrap()).send(b"x", &[a.as_fd(), b.as_fd()]);
                    Raw::from_fd(b.try_clone().unwrap()).send(b"x", &[a.as_fd(), b.as_fd()]);
                }
                bad.raw.send(&packet(6, b"x"), &[a.as_fd(), b.as_fd()]);
            }),
        row("sealed twice, sent thrice", &[35], Greeted, Lives(IGNORED),
            "has one memory behind all three slots", |bad| {
                let one = surface(4096);
                bad.raw.send(&packet_of(&Setup::small(1)), &[one.as_fd(); 3]);
                bad.surfaces = (0..3).map(|_| one.try_clone().unwrap()).collect();
                bad.live();
            })
            .spoils(),
    ]
}
