//! A session made of orders.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, Shutdown};
use surfaceport::{Event, Frame, Scale, Session, Size, Timestamp};

use crate::{packet, send};

const SLOTS: usize = 3;
/// Two generations of them, and as many of the host's copies.
const MOST_HELD: usize = 4 * SLOTS;

/// Both sides.
struct Play<'a> {
    orders: &'a [u8],
    session: Session,
    socket: OwnedFd,
    page: Option<OwnedFd>,
    bell: Option<OwnedFd>,
    surfaces: Vec<OwnedFd>,
    generation: u32,
    sequence: u64,
    held: Vec<Frame>,
}

/// Plays what the bytes say.
///
/// # Panics
///
/// If the host breaks a promise: that is what the fuzzer looks for.
pub fn run(orders: &[u8]) {
    let (session, socket) = surfaceport::fuzzing::session();
    let surfaces = (0..SLOTS).map(|_| surface()).collect();
    let (page, bell, held) = (None, None, Vec::new());
    let (generation, sequence) = (0, 0);
    let mut play =
        Play { orders, session, socket, page, bell, surfaces, generation, sequence, held };
    while play.step().is_some() {
        assert!(play.held.len() <= MOST_HELD, "more frames than slots");
    }
    play.end();
}

fn surface() -> OwnedFd {
    let fd =
        rustix::fs::memfd_create("s", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&fd, 4096).unwrap();
    rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, 4096).unwrap();
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    fd
}

impl Play<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.orders.split_first()?;
        self.orders = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u64> {
        let (first, rest) = self.orders.split_first_chunk::<8>()?;
        self.orders = rest;
        Some(u64::from_le_bytes(*first))
    }

    fn setup(&self, generation: u32) -> Vec<u8> {
        let format = u32::from_le_bytes(*b"AR24");
        let fields = [generation, 0, 16, 16, format, 0, 256, SLOTS as u32, 0, 0, 4096, 0];
        packet(3, &fields.map(u32::to_le_bytes).concat())
    }

    fn store(&self, offset: u64, word: u64) {
        if let Some(page) = &self.page {
            let _written = rustix::io::pwrite(page, &word.to_ne_bytes(), offset % 14_080 / 8 * 8);
        }
    }

    fn block(&self) -> u64 {
        1280 + 6400 * u64::from(self.generation % 2)
    }

    fn step(&mut self) -> Option<()> {
        match self.byte()? % 20 {
            0 | 1 => {
                let mut hello = b"SPRT\x01\0\x01\0".to_vec();
                hello.extend([0; 16]);
                send(&self.socket, &packet(1, &hello), &[]);
            }
            2 | 3 => {
                self.generation = self.generation.wrapping_add(1);
                self.sequence = 0;
                self.store(self.block(), 0);
                let handles: Vec<_> = self.surfaces.iter().map(AsFd::as_fd).collect();
                send(&self.socket, &self.setup(self.generation), &handles);
            }
            4 => {
                // A Setup with a byte changed.
                let (at, value) = (usize::from(self.byte()?), self.byte()?);
                let mut setup = self.setup(self.generation.wrapping_add(1));
                let len = setup.len();
                setup[at % len] = value;
                let handles: Vec<_> = self.surfaces.iter().map(AsFd::as_fd).collect();
                send(&self.socket, &setup, &handles[..usize::from(value) % (SLOTS + 1)]);
            }
            5 => send(&self.socket, &packet(6, b"message"), &[]),
            6 => send(&self.socket, &packet(7, &[0; 4]), &[]),
            7 => {
                let (kind, len) = (self.byte()?, usize::from(self.byte()?));
                let body: Vec<u8> = (0..len).map_while(|_| self.byte()).collect();
                send(&self.socket, &packet(kind.into(), &body), &[]);
            }
            8 | 9 => {
                // A good frame.
                self.sequence += 1;
                let slot = self.sequence % SLOTS as u64;
                self.store(self.block(), (slot + 1) << 16 | self.sequence << 24);
            }
            10 => {
                let (offset, word) = (self.word()?, self.word()?);
                self.store(offset, word);
            }
            11 => {
                if let Some(bell) = &self.bell {
                    let _rung = rustix::io::write(bell, &1_u64.to_ne_bytes());
                }
            }
            12 | 13 => self.dispatch(),
            14 => {
                if !self.held.is_empty() {
                    self.held.remove(0);
                }
            }
            15 => self.session.begin_frame(Timestamp::now()),
            16 => {
                let side = u32::from(self.byte()?);
                let _size = self.session.configure(Size::new(side, side), Scale::ONE);
                let _sent = self.session.send(b"hello");
            }
            17 => {
                let what = self.byte()?;
                self.session.set_wants_frames(what & 1 == 0);
                self.session.set_snapshots(what & 2 != 0);
                self.session.set_hidden(what & 4 != 0);
            }
            18 => self.listen(),
            _ => match self.byte()? {
                0 => drop(rustix::net::shutdown(&self.socket, Shutdown::Write)),
                1 => drop(rustix::net::shutdown(&self.socket, Shutdown::Read)),
                2 => self.session.kill_child(),
                _ => {}
            },
        }
        Some(())
    }

    fn dispatch(&mut self) {
        while let Some(event) = self.session.dispatch().unwrap() {
            if let Event::Frame(frame) = event {
                self.held.push(frame);
                if self.held.len() > 2 {
                    self.held.remove(0);
                }
            }
        }
    }

    /// Hears what the host said; the first handles are the page and the bells.
    fn listen(&mut self) {
        let mut bytes = [0; 64];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [std::io::IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let Ok(received) = rustix::net::recvmsg(&self.socket, &mut buffers, &mut control, flags)
        else {
            return;
        };
        assert!(!received.flags.contains(ReturnFlags::CTRUNC));
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut rights) = message {
                (self.page, self.bell) = (rights.next(), rights.next());
            }
        }
    }

    /// Ends it: each frame that was known of has its outcome.
    fn end(mut self) {
        self.held.clear();
        self.session.close_child(std::time::Duration::ZERO);
        while let Some(event) = self.session.dispatch().unwrap() {
            drop(event);
        }
        let stats = self.session.stats();
        let outcomes = stats.shown + stats.superseded + stats.stale + stats.lost;
        assert_eq!(stats.presented, outcomes, "{stats:?}");
    }
}
