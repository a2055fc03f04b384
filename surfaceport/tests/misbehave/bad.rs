//! The child's side: good up to a point, and then not.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crate::support::parameter;
use crate::support::raw::{Hookup, Raw, Setup, frame_word, surface};
use crate::table::{Behaviour, Start};

/// What a frame's user data says of a child that goes on.
pub const ALIVE: &[u8; 8] = b"i live! ";

/// A child by hand.
#[derive(Debug)]
pub struct Bad {
    pub raw: Raw,
    hookup: Option<Hookup>,
    pub surfaces: Vec<OwnedFd>,
    pub setup: Setup,
    pub sequence: u64,
}

/// Stays, and does nothing more.
pub fn stay() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Does something for ever, beside what the child does else.
pub fn meanwhile(mut what: impl FnMut() + Send + 'static) {
    std::thread::spawn(move || {
        loop {
            what();
        }
    });
}

impl Bad {
    /// Goes so far.
    pub fn begin(start: Start) -> Self {
        let raw = match start {
            Start::Peer => Self::dial(),
            _ => Raw::inherited(),
        };
        let setup = Setup::small(1);
        let mut bad = Self { raw, hookup: None, surfaces: Vec::new(), setup, sequence: 0 };
        if matches!(start, Start::Greeted | Start::Shown) {
            bad.greet();
        }
        if start == Start::Shown {
            bad.set_up(setup);
            bad.show();
        }
        bad
    }

    /// Connects to the listener.
    pub fn dial() -> Raw {
        let name: String = parameter("NAME", String::new());
        Raw::connect(&crate::support::name_directory().join(format!("{name}.sock")))
    }

    /// Does what it is there for, and stays.
    pub fn misbehave(mut self, behaviour: &Behaviour) -> ! {
        (behaviour.child)(&mut self);
        stay();
    }

    pub fn greet(&mut self) -> &Hookup {
        let hookup = self.raw.greet();
        self.hookup.insert(hookup)
    }

    pub fn hookup(&self) -> &Hookup {
        self.hookup.as_ref().expect("greeted")
    }

    /// A hookup of its own for a thread.
    pub fn second_hookup(&self) -> Hookup {
        self.hookup().try_clone()
    }

    /// A good Setup; frames count from 1 again.
    pub fn set_up(&mut self, setup: Setup) {
        let block = Hookup::block(setup.generation);
        self.hookup().store(block, 0);
        self.surfaces = self.raw.set_up(&setup);
        (self.setup, self.sequence) = (setup, 0);
    }

    /// Where the current generation's block starts.
    pub fn block(&self) -> u64 {
        Hookup::block(self.setup.generation)
    }

    /// The slot that is next by turns.
    pub fn slot(&self) -> u64 {
        self.sequence % u64::from(self.setup.slots)
    }

    /// Draws the next frame and presents it; the host has taken it when this
    /// returns.
    pub fn show(&mut self) {
        self.present(&[0; 8]);
        while self.hookup().load(self.block()) >> 16 & 0xff != 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Takes over the Welcome that came.
    pub fn adopt(&mut self, welcome: Vec<u8>, handles: Vec<OwnedFd>) {
        let [page, to_host, to_child] = handles.try_into().unwrap();
        self.hookup = Some(Hookup { welcome, page, to_host, to_child });
    }

    /// Goes on as if nothing had happened.
    pub fn live(&mut self) {
        self.present(ALIVE);
    }

    /// The same, for one whose bell does not ring any more.
    pub fn live_unheard(&mut self) {
        self.publish(ALIVE);
    }

    fn present(&mut self, user: &[u8; 8]) {
        self.publish(user);
        self.hookup().ring();
    }

    fn publish(&mut self, user: &[u8; 8]) {
        let slot = self.slot();
        let surface = &self.surfaces[usize::try_from(slot).unwrap()];
        let colour = u8::try_from(self.sequence % 251).unwrap();
        let pixels = vec![colour; usize::try_from(self.setup.bytes_per_slot).unwrap()];
        rustix::io::pwrite(surface, &pixels, 0).unwrap();
        let record = self.block() + 256 + 128 * slot;
        self.hookup().store(record + 24, 1);
        self.hookup().store(record + 64, u64::from_ne_bytes(*user));
        self.sequence += 1;
        self.hookup().store(self.block(), frame_word(slot, self.sequence));
    }

    /// Sends the packet of the first Setup with three good surfaces, changed.
    pub fn send_setup(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut packet = crate::support::raw::packet_of(&Setup::small(1));
        change(&mut packet);
        let good: Vec<_> = (0..3).map(|_| surface(4096)).collect();
        let handles: Vec<_> = good.iter().map(AsFd::as_fd).collect();
        self.raw.send(&packet, &handles);
    }

    /// The same with a number changed, by its offset.
    pub fn send_patched(&self, at: usize, value: u64, bytes: usize) {
        self.send_setup(|packet| {
            packet[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        });
    }

    /// Sends a Setup of slots of so many bytes, all of them this memory.
    pub fn send_setup_with(&self, bytes_per_slot: u64, memory: impl AsFd) {
        let packet = crate::support::raw::packet_of(&Setup { bytes_per_slot, ..Setup::small(1) });
        self.raw.send(&packet, &[memory.as_fd(); 3]);
    }

    /// Sends a good first Setup whose last surface is this.
    pub fn send_surface(&self, last: impl AsFd) {
        let good = [surface(4096), surface(4096)];
        let packet = crate::support::raw::packet_of(&Setup::small(1));
        self.raw.send(&packet, &[good[0].as_fd(), good[1].as_fd(), last.as_fd()]);
    }
}
