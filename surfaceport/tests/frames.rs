//! Frames between two processes, each checked by its content: none torn, none
//! stale, none of another child, and an outcome for each that was presented.
#![allow(missing_docs)]

mod support;

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use support::counts::{
    Counts, Observer, Random, STOP, WATCHDOG, accountant, each_frame, scaled, settle,
};
use support::{frame, free_running, hash, parameter, run_child, start, swapchain, watchdog};
use surfaceport::{
    Canvas, Command, Damage, Deadline, Error, Event, Frame, Lease, Rect, Renderer, Restart,
    Session, Size,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("account", accountant), ("free", free_running), ("repaint", repaint)]);
}

fn account(frames: u64, size: Size, slots: usize, fifo: bool) -> Command {
    start("account")
        .env("FRAMES", frames.to_string())
        .env("SIZE", size.to_string())
        .env("SLOTS", slots.to_string())
        .env("FIFO", u8::from(fifo).to_string())
}

#[test]
fn a_million_small_frames() {
    let frames = parameter("NUMBER", scaled(1_000_000));
    let size = Size::new(64, 64);
    let mut session = Session::spawn(account(frames, size, 3, false)).unwrap();
    let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
    let start = Instant::now();
    each_frame(&mut session, |_, frame| {
        seen.took(&frame);
        seen.look(&frame);
    });
    let counts = settle(&mut session);
    report("64x64", &counts, start.elapsed());
    seen.assert_clean();
    assert_eq!((counts.presented, counts.shown), (frames, seen.taken));
}

#[test]
fn five_thousand_large_frames() {
    let wanted = parameter("NUMBER", scaled(5_000));
    let command = account(u64::MAX, Size::new(1920, 1080), 3, false).env("LISTEN", "1");
    let mut session = Session::spawn(command).unwrap();
    let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
    let start = Instant::now();
    each_frame(&mut session, |session, frame| {
        seen.took(&frame);
        seen.look(&frame);
        if seen.taken == wanted {
            session.send(STOP).unwrap();
        }
    });
    let counts = settle(&mut session);
    report("1920x1080", &counts, start.elapsed());
    seen.assert_clean();
    assert_eq!(counts.shown, seen.taken);
    assert!(counts.shown >= wanted);
}

fn report(what: &str, counts: &Counts, took: Duration) {
    let rate = |count: u64| count as f64 / took.as_secs_f64();
    let (presented, shown) = (rate(counts.presented), rate(counts.shown));
    println!("{what}: {counts:?} in {took:?}: {presented:.0} presented, {shown:.0} shown a second");
}

#[test]
fn fifo_shows_every_frame_in_order() {
    let frames = scaled(20_000);
    for slots in 2..=16 {
        let mut session = Session::spawn(account(frames, Size::new(32, 16), slots, true)).unwrap();
        let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
        let mut held = VecDeque::new();
        let mut random = Random::new(slots as u64);
        each_frame(&mut session, |_, frame| {
            assert_eq!(frame.id().sequence, seen.last + 1);
            seen.took(&frame);
            // All but one slot can be held; the child has to wait, and gets it.
            held.push_back(frame);
            while held.len() >= slots || (!held.is_empty() && random.one_in(3)) {
                seen.look(&held.pop_front().unwrap());
            }
            if seen.last == frames {
                // The child waits for its last outcomes.
                held.clear();
            }
        });
        let counts = settle(&mut session);
        seen.assert_clean();
        assert_eq!((counts.presented, counts.shown), (frames, frames), "{counts:?}");
    }
}

#[test]
fn mailbox_of_any_number_of_slots_and_any_size() {
    let frames = scaled(30_000);
    let sizes = [(1, 1), (7, 3), (64, 64), (333, 17), (1, 500), (16, 16)];
    for slots in 2..=16 {
        let (width, height) = sizes[slots % sizes.len()];
        let size = Size::new(width, height);
        let mut session = Session::spawn(account(frames, size, slots, false)).unwrap();
        let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
        each_frame(&mut session, |_, frame| {
            assert_eq!(frame.size(), size);
            seen.took(&frame);
            seen.look(&frame);
        });
        let counts = settle(&mut session);
        seen.assert_clean();
        assert_eq!((counts.presented, counts.shown), (frames, seen.taken), "{slots} slots");
    }
}

/// Frames are held by several threads, which look at them again and drop them
/// in no order.
#[test]
fn frames_come_back_from_any_thread_in_any_order() {
    let frames = scaled(100_000);
    for (slots, fifo) in [(3, false), (3, true), (8, false), (8, true), (16, true)] {
        let mut session = Session::spawn(account(frames, Size::new(32, 32), slots, fifo)).unwrap();
        let pid = session.child_pid();
        let (mut queues, mut holders) = (Vec::new(), Vec::new());
        for thread in 0..2 {
            let (queue, frames) = mpsc::channel::<Frame>();
            queues.push(queue);
            let hold = slots / 4;
            holders.push(std::thread::spawn(move || {
                hold_and_drop(&frames, hold, pid, &mut Random::new(thread))
            }));
        }
        let mut seen = Observer { pid, ..Observer::default() };
        let mut random = Random::new(slots as u64);
        each_frame(&mut session, |session, frame| {
            assert!(!fifo || frame.id().sequence == seen.last + 1);
            seen.took(&frame);
            if random.one_in(4) {
                drop(frame);
            } else {
                queues[random.below(2) as usize].send(frame).unwrap();
            }
            if seen.last == frames {
                // Nothing must be held when the child waits for its last outcomes.
                queues.clear();
            }
            assert!(session.exit().is_none());
        });
        queues.clear();
        for holder in holders {
            holder.join().unwrap().assert_clean();
        }
        let counts = settle(&mut session);
        seen.assert_clean();
        assert_eq!((counts.presented, counts.shown), (frames, seen.taken), "{counts:?}");
    }
}

fn hold_and_drop(
    frames: &mpsc::Receiver<Frame>,
    hold: usize,
    pid: Option<u32>,
    random: &mut Random,
) -> Observer {
    let mut seen = Observer { pid, ..Observer::default() };
    let mut held = Vec::new();
    while let Ok(frame) = frames.recv() {
        held.push(frame);
        while held.len() > hold {
            let one = held.swap_remove(random.below(held.len() as u64) as usize);
            seen.look(&one);
        }
    }
    seen
}

#[test]
fn children_that_are_killed_leave_nothing_of_theirs() {
    let kills = parameter("NUMBER", scaled(300));
    let restart = Restart::default()
        .limit(u32::MAX)
        .window(Duration::from_millis(1))
        .delay(Duration::from_micros(10));
    let mut random = Random::new(9);
    let mut session = Session::spawn(start("free").env("SLOTS", "4").restart(restart)).unwrap();
    let mut seen = Observer::default();
    let mut kept = None;
    let (mut left, mut total, mut rested) = (1, 0, Instant::now());
    for killed in 0..kills {
        while left > 0 {
            match session.dispatch().unwrap() {
                Some(Event::Connected { pid }) => {
                    seen.assert_clean();
                    total += seen.taken;
                    seen = Observer { pid, ..Observer::default() };
                    left = 1 + random.below(100);
                }
                Some(Event::Frame(frame)) => {
                    seen.took(&frame);
                    left -= 1;
                    // The last one stays on the screen, through its child's death.
                    kept = Some(frame);
                    rested = Instant::now();
                }
                Some(Event::Exited { restart_in: None, exit }) => panic!("{exit}"),
                Some(_) => {}
                None => {
                    assert!(rested.elapsed() < WATCHDOG, "no frame after {killed} kills");
                    support::counts::wait_for(&session);
                }
            }
            if let Some(frame) = &kept {
                assert!(support::check(frame, None).is_ok(), "the kept frame changed");
            }
        }
        session.kill_child();
        // What is left of it does not count.
        left = u64::MAX;
    }
    seen.assert_clean();
    drop(kept);
    session.close_child(Deadline::NOW);
    let counts = Counts::from(session.stats());
    let restarts = session.stats().restarts;
    println!("{total} frames of {} children, {counts:?}", restarts + 1);
    assert!(counts.is_settled(), "{counts:?}");
    assert!(restarts >= kills - 2);
}

/// Looks at each frame that is taken, twice, in either mode, while children are
/// killed at any moment: in fifo each frame that was presented is among them.
fn each_is_whole(number: u64, size: Size, most_of_one: u64) {
    let start_of = |fifo: bool| {
        let restart = Restart::default()
            .limit(u32::MAX)
            .window(Duration::from_millis(1))
            .delay(Duration::from_micros(10));
        let command = start("free").env("SIZE", size.to_string()).env("SLOTS", "3");
        Session::spawn(command.env("FIFO", u8::from(fifo).to_string()).restart(restart)).unwrap()
    };
    let began = Instant::now();
    let (mut random, mut kills, mut unseen) = (Random::new(17), 0, 0);
    for fifo in [true, false] {
        let mut session = start_of(fifo);
        let mut seen = Observer::default();
        let (mut all, mut left) = (0, 1 + random.below(most_of_one));
        while all < number / 2 {
            let frame = session.next_frame(WATCHDOG).unwrap().expect("a frame in time");
            if frame.child_pid() != seen.pid {
                seen.assert_clean();
                seen = Observer { pid: frame.child_pid(), ..Observer::default() };
            }
            assert!(!fifo || frame.id().sequence == seen.last + 1, "{seen:?}");
            seen.took(&frame);
            seen.look(&frame);
            all += 1;
            left -= 1;
            if left == 0 {
                // What it has presented by then is still to be looked at.
                session.kill_child();
                kills += 1;
                left = 1 + random.below(most_of_one);
            }
        }
        seen.assert_clean();
        session.close_child(Deadline::NOW);
        let counts = Counts::from(session.stats());
        assert!(counts.is_settled(), "{counts:?}");
        assert!(counts.shown >= number / 2);
        unseen += counts.superseded;
    }
    println!(
        "{size}: {number} frames looked at twice, half of them in fifo, {unseen} superseded by \
         others in mailbox, {kills} children killed, in {:?}: 0 torn, stale or foreign",
        began.elapsed()
    );
}

#[test]
fn each_small_frame_is_whole() {
    let number = parameter("NUMBER", scaled(200_000));
    each_is_whole(number, Size::new(64, 64), number / 100);
}

#[test]
fn each_large_frame_is_whole() {
    let number = parameter("NUMBER", scaled(500));
    each_is_whole(number, Size::new(1920, 1080), number / 10);
}

/// A child that changes a few rectangles of a picture, says so, and draws into
/// its canvas only what changed since the canvas was drawn last.
fn repaint() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut random = Random::new(parameter("SEED", 1));
    let mut picture = Picture::new(swapchain.surface().size());
    let mut history = VecDeque::new();
    for _ in 0..parameter("FRAMES", u64::MAX) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        // Now and then a canvas comes back without a frame, drawn or not.
        if random.one_in(16) {
            if random.one_in(2) {
                canvas.bytes_mut().fill(0xee);
            }
            drop(canvas);
            canvas = swapchain.acquire(Deadline::NEVER)?;
        }
        let damage = picture.change(&mut random);
        history.push_front(damage);
        history.truncate(32);
        let age = canvas.age() as usize;
        if age == 0 || age > history.len() {
            picture.draw(&mut canvas, &Damage::FULL);
        } else {
            history.iter().take(age).for_each(|damage| picture.draw(&mut canvas, damage));
        }
        canvas.set_user_data(&picture.hash().to_le_bytes());
        canvas.present(damage)?;
    }
    Ok(())
}

/// An image that both sides can tell from others.
struct Picture {
    size: Size,
    pixels: Vec<u32>,
}

impl Picture {
    fn new(size: Size) -> Self {
        Self { size, pixels: vec![0; size.width as usize * size.height as usize] }
    }

    fn change(&mut self, random: &mut Random) -> Damage {
        let mut damage = Damage::NONE;
        // More than a damage can tell apart, and none, are among them.
        for _ in 0..random.below(10) {
            let mut below = |end: u32| random.below(u64::from(end)) as u32;
            let (x, y) = (below(self.size.width), below(self.size.height));
            // Some reach beyond the edges.
            let rect = Rect::new(x, y, 1 + below(24), 1 + below(24));
            let value = below(u32::MAX);
            self.each(&Damage::from(rect), |x, y, pixel| *pixel = value ^ (x << 16) ^ y);
            damage.add(rect);
        }
        if random.one_in(50) { Damage::FULL } else { damage }
    }

    /// The damaged pixels, with their places.
    fn each(&mut self, damage: &Damage, mut pixel: impl FnMut(u32, u32, &mut u32)) {
        let whole = [Rect::from(self.size)];
        for rect in damage.rects().unwrap_or(&whole) {
            let rect = rect.clipped(self.size);
            for y in rect.y..rect.y + rect.height {
                for x in rect.x..rect.x + rect.width {
                    let place = y as usize * self.size.width as usize + x as usize;
                    pixel(x, y, &mut self.pixels[place]);
                }
            }
        }
    }

    fn draw(&mut self, canvas: &mut Canvas<'_>, damage: &Damage) {
        let mut rows: Vec<_> = canvas.rows_mut().collect();
        self.each(damage, |x, y, pixel| {
            rows[y as usize].as_chunks_mut::<4>().0[x as usize] = pixel.to_le_bytes();
        });
    }

    /// Copies what a frame says has changed out of its whole.
    fn update(&mut self, damage: &Damage, whole: &[u8]) {
        let width = self.size.width;
        let whole = whole.as_chunks::<4>().0;
        self.each(damage, |x, y, pixel| {
            *pixel = u32::from_le_bytes(whole[(y * width + x) as usize]);
        });
    }

    fn hash(&self) -> u64 {
        hash(self.pixels.iter().map(|pixel| u64::from(*pixel)))
    }
}

#[test]
fn damage_and_age_never_say_too_little() {
    let frames = scaled(30_000);
    let (mut partial, mut superseded) = (0, 0);
    for (slots, fifo) in [(2, false), (3, false), (3, true), (5, false), (16, false), (16, true)] {
        let size = Size::new(100, 60);
        let command = start("repaint")
            .env("FRAMES", frames.to_string())
            .env("SIZE", size.to_string())
            .env("SLOTS", slots.to_string())
            .env("FIFO", u8::from(fifo).to_string())
            .env("SEED", slots.to_string());
        let mut session = Session::spawn(command).unwrap();
        let mut copy = Picture::new(size);
        let mut whole = vec![0; copy.pixels.len() * 4];
        let mut random = Random::new(slots as u64);
        let mut last = 0;
        each_frame(&mut session, |_, frame| {
            frame.copy_to(&mut whole).unwrap();
            copy.update(&frame.damage(), &whole);
            let claimed = u64::from_le_bytes(*frame.user_data().first_chunk().unwrap());
            assert_eq!(copy.hash(), claimed, "damage of {} misses some", frame.id());
            let pixels = copy.pixels.iter().copied();
            let same =
                pixels.eq(whole.as_chunks().0.iter().map(|pixel| u32::from_le_bytes(*pixel)));
            assert!(same, "frame {} is not what its hash says", frame.id());
            partial +=
                u64::from(frame.damage().rects().is_some() && frame.id().sequence > last + 1);
            last = frame.id().sequence;
            if random.one_in(20) {
                std::thread::sleep(Duration::from_micros(random.below(500)));
            }
        });
        let counts = Counts::from(session.stats());
        assert!(counts.is_settled() && counts.presented == frames, "{counts:?}");
        superseded += counts.superseded;
    }
    println!("{superseded} superseded; {partial} times partial damage of several frames");
    assert!(partial > 0);
}

/// The hash of what a lease's surface holds now.
fn hash_of(lease: &Lease) -> u64 {
    let view = lease.surface().view().unwrap();
    hash((0..lease.size().height).flat_map(|y| view.row_words(y).unwrap()))
}

#[test]
fn a_shared_lease_keeps_its_slot() {
    let _watchdog = watchdog("shared leases");
    let command = start("free").env("SLOTS", "2").env("FIFO", "1");
    let mut session = Session::spawn(command).unwrap();
    let first = frame(&mut session);
    let (user, pid) = (first.user_data(), first.child_pid());
    assert_eq!(pid, session.child_pid());
    let lease = first.into_lease();
    assert_eq!((lease.user_data(), lease.child_pid()), (user, pid));
    assert!(lease.presented_at() <= lease.taken_at());
    let shared = lease.share();
    let again = shared.share();
    drop(lease);
    drop(again);
    assert_eq!(session.stats().shown, 1);
    let second = frame(&mut session);
    // The child has no slot: the first is still held.
    assert!(session.next_frame(Duration::from_millis(50)).unwrap().is_none());
    assert_eq!(hash_of(&shared), u64::from_le_bytes(*user.first_chunk().unwrap()));
    drop(shared);
    assert_eq!(frame(&mut session).id().sequence, 3);
    drop(second);
    // Each frame has one outcome, however many leases there were.
    session.close_child(Duration::from_secs(20));
    let stats = session.stats();
    assert_eq!((stats.presented - stats.lost, stats.shown), (3, 3), "{stats:?}");
}
