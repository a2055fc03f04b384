//! A child's whole life, as the layers above lead it: it connects, gets the page
//! and the bells, sends surfaces, draws and rings, sends others when the host wants
//! another size, and is followed by the next child.
//!
//! Each call of the one side fails in turn, while the other side is well.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::super::testing::{self, Spawned};
use super::super::{
    Bell, Endpoint, Handle, Memory, Ringer, SurfaceMemory, WaitSet, bell_to_child, bell_to_host,
    kern, lock,
};
use super::{PATIENCE, Snapshot, descriptor, fail_after, in_task, settles, whatever_fails};
use crate::error::{Error, ExitReason, Violation};
use crate::sys::{Received, Sent, Trigger};

/// Surfaces of a generation.
const SLOTS: usize = 3;
const PAGE: u64 = 16384;

/// Waits for a message with so many handles.
fn hear<const N: usize>(set: &WaitSet, from: &Endpoint) -> Result<[Handle; N], Error> {
    let start = Instant::now();
    let mut handles = Vec::new();
    loop {
        match from.receive(&mut [0; 64], &mut handles)? {
            Received::Message(_) => {
                let missing = |_| Error::Violation(Violation::MissingHandles);
                return handles.try_into().map_err(missing);
            }
            Received::Closed => return Err(Error::HostGone),
            Received::Empty => {}
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::TimedOut { waiting_for: "a message" });
        }
        set.wait(Some(Duration::from_millis(20)), |_| ())?;
    }
}

fn tell(to: &Endpoint, handles: &[&Handle]) -> Result<(), Error> {
    match to.send(b"x", handles)? {
        Sent::Done => Ok(()),
        Sent::Full | Sent::Closed => Err(Error::HostGone),
    }
}

/// The child.
fn live() -> Result<(), Error> {
    let host = Endpoint::inherited()?;
    let set = WaitSet::new()?;
    set.add(host.source(), 1, Trigger::Level)?;
    tell(&host, &[])?;
    let [page, rings, waits] = hear(&set, &host)?;
    let page = Memory::adopt(page, PAGE)?;
    let _mapped = page.map()?;
    let (ringer, bell) = (Ringer::from_handle(rings), Bell::from_handle(waits));
    set.add(bell.source(), 2, Trigger::Edge)?;
    for _generation in 0..2 {
        let mut surfaces = (0..SLOTS)
            .map(|_| SurfaceMemory::create(&descriptor()))
            .collect::<Result<Vec<_>, _>>()?;
        let handles: Vec<_> = surfaces.iter().map(SurfaceMemory::handle).collect();
        tell(&host, &handles)?;
        drop(handles);
        surfaces.iter_mut().for_each(SurfaceMemory::forget_handle);
        for surface in &surfaces {
            let _rows = surface.map()?;
            surface.begin_drawing();
            surface.end_drawing();
            ringer.ring();
        }
        // Another size is wanted.
        hear::<0>(&set, &host)?;
        bell.drain();
    }
    Ok(())
}

/// The host, from the child's start to what it shows at last.
fn serve(spawned: &Spawned, page: &Memory) -> Result<(), Error> {
    let set = WaitSet::new()?;
    let (bell, rings) = bell_to_host()?;
    let (ringer, waits) = bell_to_child()?;
    let child = &spawned.endpoint;
    set.add(child.source(), 1, Trigger::Level)?;
    set.add(spawned.process.source(), 2, Trigger::Level)?;
    set.add(bell.source(), 3, Trigger::Edge)?;
    hear::<0>(&set, child)?;
    tell(child, &[page.handle(), &rings, &waits])?;
    drop((rings, waits));
    let bytes = descriptor().bytes().next_multiple_of(kern::page_size());
    let mut on_display = Vec::new();
    for _generation in 0..2 {
        let next = hear::<SLOTS>(&set, child)?
            .into_iter()
            .map(|handle| SurfaceMemory::import(handle, &descriptor(), bytes))
            .collect::<Result<Vec<_>, _>>()?;
        for surface in &next {
            surface.read_at(0, &mut [0; 8])?;
        }
        // The older ones stay until the newer ones are there.
        drop(std::mem::replace(&mut on_display, next));
        ringer.ring();
        tell(child, &[])?;
    }
    set.remove(spawned.process.source());
    Ok(())
}

#[test]
fn a_life_leaks_nothing_whatever_fails_in_the_host() {
    fn main(_: &str) -> i32 {
        i32::from(live().is_err())
    }
    whatever_fails(|| {
        let page = Memory::create("test", PAGE)?;
        let _mapped = page.map()?;
        // The first child, and the one after it.
        for _ in 0..2 {
            let mut spawned = testing::child(main, "sys::macos::tests::life", "").start()?;
            let served = serve(&spawned, &page);
            spawned.process.kill();
            if spawned.process.ended(PATIENCE) {
                spawned.process.reap();
            }
            served?;
        }
        Ok(())
    });
}

#[test]
fn a_life_leaks_nothing_whatever_fails_in_the_child() {
    /// The call that fails, and whether there was such a one.
    static FAILS: Mutex<(usize, bool)> = Mutex::new((0, false));
    fn main(_: &str) -> i32 {
        let before = Snapshot::take();
        fail_after(Some(lock(&FAILS).0));
        let lived = live();
        lock(&FAILS).1 = fail_after(None);
        settles(&before);
        i32::from(lived.is_err())
    }
    loop {
        in_task(|| {
            let before = Snapshot::take();
            let page = Memory::create("test", PAGE).unwrap();
            let mut spawned =
                testing::child(main, "sys::macos::tests::childs_life", "").start().unwrap();
            // Wherever the child fails, its host hears of it.
            let _served = serve(&spawned, &page);
            assert!(spawned.process.ended(PATIENCE));
            let ended = spawned.process.reap();
            assert!(matches!(ended, Some(ExitReason::Exited(0 | 1))), "{ended:?}");
            drop((spawned, page));
            settles(&before);
        });
        let mut fails = lock(&FAILS);
        if !std::mem::take(&mut fails.1) {
            assert!(fails.0 > 20, "only {} calls could fail", fails.0);
            return;
        }
        fails.0 += 1;
        assert!(fails.0 < 1000, "it never comes to an end");
    }
}
