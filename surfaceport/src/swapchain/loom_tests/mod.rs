//! What must hold under every interleaving and every reordering that the memory
//! model allows, explored by loom:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p surfaceport --lib loom
//! ```
//!
//! Each model prints how many executions it explored. A model's bound on
//! preemptions (switches away from a thread that could go on) stands at its
//! call; `LOOM_MAX_PREEMPTIONS` overrides them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may panic; clippy knows them by `cfg(test)` alone"
)]

mod honest;
mod hostile;
mod pacing;
mod rings;
mod threads;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use loom::cell::Cell;
use loom::sync::Notify;

use super::child::Child;
use super::host::{Account, Host, Taken};
use crate::mode::PresentMode;
use crate::sync::{AtomicU64, Ordering};

/// Explores a model and prints how many executions that took.
fn explore(name: &str, preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let start = Instant::now();
    let executions = count_executions(preemptions, model);
    let seconds = start.elapsed().as_secs_f64();
    report(&format!("{name}: {executions} executions, {}, {seconds:.1} s", bound(preemptions)));
}

/// A model's bound in words.
fn bound(preemptions: Option<usize>) -> String {
    match preemptions {
        _ if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_some() => "LOOM_MAX_PREEMPTIONS".into(),
        Some(bound) => format!("at most {bound} preemptions"),
        None => "no bound".into(),
    }
}

/// Past the test harness, which would swallow it.
fn report(line: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "loom: {line}").unwrap();
}

fn count_executions(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) -> usize {
    let counter = Arc::new(AtomicUsize::new(0));
    let executions = Arc::clone(&counter);
    let mut builder = loom::model::Builder::new();
    if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
        builder.preemption_bound = preemptions;
    }
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}

/// A surface, of which loom reports every access that is not ordered after the
/// other side's last one: a torn frame, whether or not the bytes show it.
struct Surface(Cell<u64>);

impl Surface {
    fn new() -> Self {
        Self(Cell::new(0))
    }

    fn draw(&self, frame: u64) {
        self.0.set(frame);
    }

    fn check(&self, frame: u64) {
        assert_eq!(self.0.get(), frame, "the surface shows another frame");
    }
}

/// What the two sides share: one generation's words, the surfaces, and a bell
/// for each side. A bell's ring is kept until somebody waits for it, rings
/// coalesce, and loom also wakes a waiter once for no reason.
struct World {
    mode: PresentMode,
    word: AtomicU64,
    ring: Vec<AtomicU64>,
    surfaces: Vec<Surface>,
    child_bell: Notify,
    host_bell: Notify,
    account: Account,
}

impl World {
    fn new(slots: usize, mode: PresentMode) -> Self {
        let entries = if mode == PresentMode::Fifo { slots } else { 0 };
        Self {
            mode,
            word: AtomicU64::new(0),
            ring: (0..entries).map(|_| AtomicU64::new(0)).collect(),
            surfaces: (0..slots).map(|_| Surface::new()).collect(),
            child_bell: Notify::new(),
            host_bell: Notify::new(),
            account: Account::new(),
        }
    }

    fn child(&self) -> Child {
        Child::new(self.surfaces.len(), self.mode)
    }

    fn host(&self) -> Host {
        Host::new(u8::try_from(self.surfaces.len()).unwrap(), self.mode)
    }

    /// Child: a slot of its own, asleep until there is one.
    fn acquire(&self, child: &mut Child) -> u8 {
        loop {
            if let Some(slot) = child.acquire(&self.word) {
                return slot;
            }
            if Child::sleep(&self.word) {
                self.child_bell.wait();
            }
        }
    }

    /// Child: draws one frame and presents it; says which it superseded.
    fn draw(&self, child: &mut Child) -> Option<u64> {
        let slot = self.acquire(child);
        self.surfaces[usize::from(slot)].draw(child.next_sequence());
        let presented = child.present(&self.word, &self.ring, slot);
        if presented.ring {
            self.host_bell.notify();
        }
        presented.superseded
    }

    /// Host: the next frame, if there is one. It looks at it, as it does again
    /// in `release`.
    fn poll(&self, host: &mut Host) -> Option<Taken> {
        let take = host.take(&self.account, &self.word, &self.ring).expect("an honest child");
        if take.ring {
            self.child_bell.notify();
        }
        let taken = take.frame?;
        self.surfaces[usize::from(taken.slot)].check(taken.sequence);
        Some(taken)
    }

    /// Host: the next frame, asleep until there is one.
    fn take(&self, host: &mut Host) -> Taken {
        loop {
            if let Some(taken) = self.poll(host) {
                return taken;
            }
            if host.arm(&self.word) {
                self.host_bell.wait();
            }
        }
    }

    /// Host: asleep until a frame is there, and takes none.
    fn await_frame(&self, host: &Host) {
        while host.arm(&self.word) {
            self.host_bell.wait();
        }
    }

    /// Host: looks at a frame once more and gives its slot back. `true`: it was
    /// the last one of a generation that is being retired.
    fn release(&self, taken: Taken) -> bool {
        self.surfaces[usize::from(taken.slot)].check(taken.sequence);
        let released = self.account.release(&self.word, taken.slot);
        if released.ring {
            self.child_bell.notify();
        }
        released.last
    }
}
