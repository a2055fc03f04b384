//! A child (or peer) that speaks the protocol by hand, from PROTOCOL.md, and so
//! can break it.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketAddrUnix, SocketType, UCred,
};
use rustix::process::{PidfdFlags, PidfdGetfdFlags};

/// One end of a connection, blocking.
#[derive(Debug)]
pub struct Raw(OwnedFd);

/// What came with Welcome.
#[derive(Debug)]
pub struct Hookup {
    pub welcome: Vec<u8>,
    pub page: OwnedFd,
    pub to_host: OwnedFd,
    pub to_child: OwnedFd,
}

/// The fields of a Setup; all of them can be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub generation: u32,
    pub width: u32,
    pub height: u32,
    pub stride: u32,
    pub slots: u32,
    pub fifo: bool,
    pub bytes_per_slot: u64,
}

impl Setup {
    /// 16 x 16, three slots, mailbox.
    pub fn small(generation: u32) -> Self {
        Self {
            generation,
            width: 16,
            height: 16,
            stride: 256,
            slots: 3,
            fifo: false,
            bytes_per_slot: 4096,
        }
    }
}

impl Raw {
    /// The socket that this process was started with.
    pub fn inherited() -> Self {
        let number = std::env::var("SURFACEPORT_FD").unwrap().parse().unwrap();
        let me = rustix::process::getpid();
        let me = rustix::process::pidfd_open(me, PidfdFlags::empty()).unwrap();
        let fd = rustix::process::pidfd_getfd(&me, number, PidfdGetfdFlags::empty());
        Self(fd.unwrap())
    }

    /// A connection to a socket file.
    pub fn connect(path: &std::path::Path) -> Self {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        Self(socket)
    }

    /// A connection that came otherwise.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a packet with the sender's credentials (SCM_CREDENTIALS) beside it.
    pub fn send_credentials(&self, bytes: &[u8]) -> bool {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let me = UCred {
            pid: rustix::process::getpid(),
            uid: rustix::process::getuid(),
            gid: rustix::process::getgid(),
        };
        assert!(control.push(SendAncillaryMessage::ScmCredentials(me)));
        let bytes = [IoSlice::new(bytes)];
        rustix::net::sendmsg(&self.0, &bytes, &mut control, SendFlags::NOSIGNAL).is_ok()
    }

    /// Sends one packet. `false`: the host is gone.
    pub fn send(&self, bytes: &[u8], handles: &[BorrowedFd<'_>]) -> bool {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(64))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !handles.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(handles)));
        }
        let bytes = [IoSlice::new(bytes)];
        rustix::net::sendmsg(&self.0, &bytes, &mut control, SendFlags::NOSIGNAL).is_ok()
    }

    /// Receives one packet. `None`: the host is gone.
    pub fn receive(&self) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; 20_000];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(64))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&self.0, &mut buffers, &mut control, flags).ok()?;
        let mut handles = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                handles.extend(rights);
            }
        }
        bytes.truncate(received.bytes);
        (!bytes.is_empty()).then_some((bytes, handles))
    }

    /// Says Hello and waits for Welcome.
    pub fn greet(&self) -> Hookup {
        self.send(&hello(1, 1, 0, 0), &[]);
        let (welcome, handles) = self.receive().expect("a Welcome");
        assert_eq!(welcome[0], 2, "{welcome:?}");
        let [page, to_host, to_child] = handles.try_into().unwrap();
        Hookup { welcome, page, to_host, to_child }
    }

    /// Sends a Setup with surfaces that are as they should be.
    pub fn set_up(&self, setup: &Setup) -> Vec<OwnedFd> {
        let surfaces: Vec<_> = (0..setup.slots).map(|_| surface(setup.bytes_per_slot)).collect();
        let handles: Vec<_> = surfaces.iter().map(AsFd::as_fd).collect();
        self.send(&packet_of(setup), &handles);
        surfaces
    }

    /// Closes the connection, whoever else has the socket.
    pub fn shut_down(&self) {
        self.shut(Shutdown::Both);
    }

    /// Closes a direction.
    pub fn shut(&self, how: Shutdown) {
        rustix::net::shutdown(&self.0, how).unwrap();
    }

    /// Another handle of the same connection, for a thread.
    pub fn try_clone(&self) -> Self {
        Self(self.0.try_clone().unwrap())
    }
}

impl AsFd for Raw {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Hookup {
    /// Another handle of all of it, for a thread.
    pub fn try_clone(&self) -> Self {
        Self {
            welcome: self.welcome.clone(),
            page: self.page.try_clone().unwrap(),
            to_host: self.to_host.try_clone().unwrap(),
            to_child: self.to_child.try_clone().unwrap(),
        }
    }

    /// Reads a word of the control page.
    pub fn load(&self, offset: u64) -> u64 {
        let mut word = [0; 8];
        rustix::io::pread(&self.page, &mut word[..], offset).unwrap();
        u64::from_ne_bytes(word)
    }

    /// Where a generation's block starts.
    pub fn block(generation: u32) -> u64 {
        1280 + 6400 * u64::from(generation % 2)
    }

    /// Writes a word of the control page.
    pub fn store(&self, offset: u64, word: u64) {
        rustix::io::pwrite(&self.page, &word.to_ne_bytes(), offset).unwrap();
    }

    /// Publishes a frame, whether it may be or not.
    pub fn publish(&self, generation: u32, slot: u64, sequence: u64) {
        self.store(Self::block(generation), frame_word(slot, sequence));
        self.ring();
    }

    /// Rings the host.
    pub fn ring(&self) {
        let _hint = rustix::io::write(&self.to_host, &1_u64.to_ne_bytes());
    }
}

/// The word that publishes a frame.
pub fn frame_word(slot: u64, sequence: u64) -> u64 {
    (slot + 1) << 16 | sequence << 24
}

/// Memory as a surface should be.
pub fn surface(bytes: u64) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("raw", flags).unwrap();
    rustix::fs::ftruncate(&fd, bytes).unwrap();
    rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, bytes).unwrap();
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    fd
}

/// A packet of this kind.
pub fn packet(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + body.len()).unwrap();
    [&kind.to_le_bytes(), &len.to_le_bytes(), body].concat()
}

pub fn hello(min: u16, max: u16, features: u64, required: u64) -> Vec<u8> {
    let mut body = b"SPRT".to_vec();
    body.extend(min.to_le_bytes());
    body.extend(max.to_le_bytes());
    body.extend(features.to_le_bytes());
    body.extend(required.to_le_bytes());
    packet(1, &body)
}

pub fn packet_of(setup: &Setup) -> Vec<u8> {
    let words = [
        setup.generation,
        0,
        setup.width,
        setup.height,
        u32::from_le_bytes(*b"AR24"),
        0,
        setup.stride,
        setup.slots,
        u32::from(setup.fifo),
        0,
    ];
    let mut body: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    body.extend(setup.bytes_per_slot.to_le_bytes());
    packet(3, &body)
}
