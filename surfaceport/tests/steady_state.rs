//! What a frame costs once all is set up: no allocation, no mapping, no fd, no
//! page fault, on either side; two system calls a hand-off if the host sleeps,
//! none if it is awake.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::counts::{Counts, WATCHDOG};
use support::trace::{Call, MARK, by_name, printed, run_alone, trace};
use support::{hash, parameter, run_child, start, swapchain};
use surfaceport::{Damage, Deadline, Error, Event, Frame, Rect, Renderer, Session, Timestamp};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ended = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: each method only counts, in a thread-local that needs no allocation,
// and passes on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a process has and did so far.
#[derive(Clone, Debug)]
struct Holdings {
    allocations: u64,
    faults: u64,
    mappings: usize,
    fds: usize,
}

impl Holdings {
    fn now() -> Self {
        let mut all = Self { allocations: 0, faults: 0, mappings: 0, fds: 0 };
        all.fds = std::fs::read_dir("/proc/self/fd").unwrap().count();
        all.mappings = std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // minflt, the tenth; the name before it ends with the last bracket.
        let after_name = stat.rsplit(") ").next().unwrap();
        all.faults = after_name.split(' ').nth(7).unwrap().parse().unwrap();
        drop(stat);
        all.allocations = ALLOCATIONS.get();
        all
    }

    /// From the second mark: what came to it since the first.
    fn since(earlier: &Self) -> String {
        // First of all, before this counts its own.
        let allocations = ALLOCATIONS.get() - earlier.allocations;
        let now = Self::now();
        let faults = now.faults - earlier.faults;
        let mappings = now.mappings.abs_diff(earlier.mappings);
        let fds = now.fds.abs_diff(earlier.fds);
        format!("allocations={allocations} faults={faults} mappings={mappings} fds={fds}")
    }
}

/// Where the two processes tell each other how far they are, by calls that the
/// library does not make (pread, pwrite).
struct Side(File);

impl Side {
    fn open() -> Self {
        let path: PathBuf = parameter("SIDE", PathBuf::new());
        Self(File::options().read(true).write(true).open(path).unwrap())
    }

    fn say(&self, who: u64, value: u64) {
        self.0.write_all_at(&value.to_ne_bytes(), who * 8).unwrap();
    }

    /// In the trace: from the first to the second, the calls count.
    fn mark(&self) {
        self.0.write_all_at(MARK, 16).unwrap();
    }

    fn heard(&self, who: u64) -> u64 {
        let mut value = [0; 8];
        self.0.read_exact_at(&mut value, who * 8).unwrap();
        u64::from_ne_bytes(value)
    }

    fn await_other(&self, who: u64, at_least: u64) {
        let start = Instant::now();
        while self.heard(who) < at_least {
            assert!(start.elapsed() < WATCHDOG);
            std::thread::yield_now();
        }
    }
}

const HOST: u64 = 0;
const CHILD: u64 = 1;
/// Set when the host has done counting: what is said from then on costs nothing.
const COUNTED: u64 = 3;
/// Frames before and after those that count.
const LEAD: u64 = 200;

fn await_sleep(stat: &File) {
    let start = Instant::now();
    let mut text = [0; 256];
    while {
        let len = stat.read_at(&mut text, 0).unwrap();
        let state = text[..len].iter().rposition(|byte| *byte == b')').map(|end| text[end + 2]);
        state != Some(b'S')
    } {
        assert!(start.elapsed() < WATCHDOG);
        std::thread::yield_now();
    }
}

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("steady", steady), ("host", host)]);
}

/// A child that draws `FRAMES` in the way of `PACE`, and tells what those in
/// the middle cost.
fn steady() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let pace: String = parameter("PACE", String::new());
    let side = Side::open();
    let stat = File::open(format!("/proc/{}/stat", std::os::unix::process::parent_id())).unwrap();
    let frames: u64 = parameter("FRAMES", 0);
    let mut counts = Counts::default();
    let mut before = Holdings::now();
    let mut cost = String::new();
    for sequence in 1.. {
        // A child that runs free does so for as long as the host counts.
        if sequence > frames && (pace != "free" || side.heard(COUNTED) != 0) {
            break;
        }
        match pace.as_str() {
            "asleep" => {
                side.await_other(HOST, sequence - 1);
                await_sleep(&stat);
            }
            "awake" => side.await_other(HOST, sequence - 1),
            "paced" => drop(swapchain.wait_begin_frame(Deadline::NEVER)?),
            _ => {}
        }
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        canvas.rows_mut().for_each(|row| row.fill(sequence as u8));
        canvas.set_user_data(&sequence.to_ne_bytes());
        canvas.present(Damage::from(Rect::new(0, 0, 7, sequence as u32 % 50)))?;
        counts.presented += 1;
        counts.collect(&swapchain);
        if pace == "awake" {
            side.say(CHILD, sequence);
        }
        if sequence == LEAD {
            before = Holdings::now();
            side.mark();
        } else if sequence == frames - LEAD {
            side.mark();
            cost = Holdings::since(&before);
        }
    }
    let pid = rustix::thread::gettid();
    side.await_other(COUNTED, 1);
    renderer.send(format!("child: pid={pid} {cost}").as_bytes())?;
    counts.settle(&renderer, &swapchain)
}

/// The host of such a child, in a process of its own.
fn host() -> Result<(), Error> {
    let pace: String = parameter("PACE", String::new());
    let frames: u64 = parameter("FRAMES", 0);
    let side = Side::open();
    let mut session = Session::spawn(start("steady"))?;
    let mut before = Holdings::now();
    let mut started = Instant::now();
    let (mut last, mut taken, mut measured) = (0, 0, None);
    let mut held = Vec::with_capacity(3);
    // From present to take, ns; made and touched here, so that it costs nothing.
    let mut latencies = vec![1_u64; 4_000];
    latencies.clear();
    while last < frames || measured.is_none() {
        match pace.as_str() {
            // The first one needs the host's answers before it.
            "awake" if last > 0 => side.await_other(CHILD, last + 1),
            "paced" => session.begin_frame(Timestamp::now()),
            _ => {}
        }
        let frame = session.next_frame(WATCHDOG)?.expect("a frame");
        look(&frame);
        last = frame.id().sequence;
        taken += 1;
        if latencies.len() < latencies.capacity() {
            latencies.push(frame.taken_at().as_nanos() - frame.presented_at().as_nanos());
        }
        // A surface is mapped when it is first looked at: of the first three
        // frames, held together, each has another.
        if held.len() < 3 {
            held.push(Some(frame));
            if held.len() == 3 {
                held.fill_with(|| None);
            }
        }
        if matches!(pace.as_str(), "asleep" | "awake") {
            side.say(HOST, last);
        }
        if taken < LEAD && taken % 40 == 0 {
            // What the child wrote when it started is read now and then, a bit
            // at a time; it is to be over before the counting.
            std::thread::sleep(Duration::from_millis(20));
        }
        if taken == LEAD {
            before = Holdings::now();
            started = Instant::now();
            side.mark();
        } else if taken == frames - 2 * LEAD {
            side.mark();
            let took = started.elapsed();
            let cost = Holdings::since(&before);
            latencies.sort_unstable();
            let nanos = latencies[latencies.len() / 2];
            let (micros, pid) = (took.as_micros(), rustix::thread::gettid());
            side.say(COUNTED, 1);
            measured = Some(format!(
                "host: pid={pid} {cost} taken={} micros={micros} p50_ns={nanos}",
                taken - LEAD
            ));
        }
    }
    println!("{}", measured.expect("enough frames"));
    loop {
        match session.next_frame(WATCHDOG) {
            Ok(frame) => drop(frame.expect("the end")),
            Err(Error::ChildGone(_)) => break,
            Err(error) => return Err(error),
        }
    }
    while let Some(event) = session.dispatch()? {
        if let Event::Message(message) = event {
            println!("{}", String::from_utf8_lossy(&message));
        }
    }
    assert!(Counts::from(session.stats()).is_settled());
    Ok(())
}

/// Reads a frame in both ways that there are.
fn look(frame: &Frame) {
    let view = frame.view().unwrap();
    let rows = (0..view.descriptor().size().height).flat_map(|y| view.row_words(y).unwrap());
    std::hint::black_box(hash(rows));
    let mut row = [0; 64 * 4];
    view.copy_row(5, &mut row);
    std::hint::black_box((row, frame.user_data(), frame.damage()));
}

/// A pair of processes; `f` gets their parameters.
fn pair<T>(pace: &str, frames: u64, fifo: bool, f: impl FnOnce(&[(&str, &str)]) -> T) -> T {
    let side = format!("surfaceport-side-{}-{pace}-{frames}", std::process::id());
    let side = std::env::temp_dir().join(side);
    std::fs::write(&side, [0; 32]).unwrap();
    let frames = frames.to_string();
    let result = f(&[
        ("PACE", pace),
        ("FRAMES", &frames),
        ("SIDE", side.to_str().unwrap()),
        ("FIFO", if fifo { "1" } else { "0" }),
    ]);
    std::fs::remove_file(&side).unwrap();
    result
}

#[test]
fn a_frame_allocates_maps_opens_and_faults_nothing() {
    if support::is_instrumented() {
        println!("not run: counting faults under AddressSanitizer, which adds its own");
        return;
    }
    for (pace, frames, fifo) in [
        ("asleep", 5_000, false),
        ("awake", 20_000, false),
        ("paced", 5_000, false),
        ("free", 20_000, false),
        ("free", 20_000, true),
    ] {
        let output = pair(pace, frames, fifo, |parameters| run_alone("host", parameters));
        let lines = ["host:", "child:"]
            .map(|who| output.lines().find_map(|line| Some(line.split_once(who)?.1)).unwrap());
        for (who, line) in ["host", "child"].into_iter().zip(lines) {
            println!("{pace}{}, {who}:{line}", if fifo { " fifo" } else { "" });
            let cost = ["allocations", "mappings", "fds"].map(|what| printed(line, what));
            assert_eq!(cost, [0; 3], "{pace}: {line}");
            // Not one a thousand frames: what there is, is not the frames'.
            let faults = printed(line, "faults");
            assert!(faults * 1_000 <= frames, "{pace}: {line}");
        }
    }
}

/// The calls of both sides that are the library's: not those by which the two
/// processes of the test wait for each other.
fn of_both<'a>(output: &str, calls: &'a [Call]) -> [Vec<&'a Call>; 2] {
    let own = ["pread64", "pwrite64", "sched_yield"];
    ["host:", "child:"].map(|who| {
        let line = output.lines().find_map(|line| Some(line.split_once(who)?.1)).unwrap();
        let pid = u32::try_from(printed(line, "pid")).unwrap();
        calls.iter().filter(|call| call.pid == pid && !own.contains(&&*call.name)).collect()
    })
}

#[test]
fn a_hand_off_is_two_system_calls_asleep() {
    let frames = 2_000;
    let Some((output, calls)) =
        pair("asleep", frames, false, |parameters| trace("host", parameters))
    else {
        return;
    };
    let [host, child] = of_both(&output, &calls);
    let taken = printed(&output, "taken") as usize;
    let presented = (frames - 2 * LEAD) as usize;
    println!("host, {taken} frames: {:?}", by_name(host.iter().copied()));
    println!("child, {presented} frames: {:?}", by_name(child.iter().copied()));
    // More: a timer that is set now and then, a look around once a second.
    // Less: it is traced, and was seen asleep when it was not yet.
    let about = |frames: usize| frames / 2..=frames + 20;
    assert!(about(taken).contains(&host.len()), "the host: {}", host.len());
    assert!(about(presented).contains(&child.len()), "the child: {}", child.len());
}

#[test]
fn a_hand_off_is_no_system_call_awake() {
    let frames = 5_000;
    let Some((output, calls)) =
        pair("awake", frames, false, |parameters| trace("host", parameters))
    else {
        return;
    };
    let [host, child] = of_both(&output, &calls);
    println!("host, {} frames: {:?}", printed(&output, "taken"), by_name(host.iter().copied()));
    println!("child: {:?}", by_name(child.iter().copied()));
    // It looks for other things than frames every 10 ms, the child every second.
    let time = Duration::from_micros(printed(&output, "micros"));
    println!("in {time:?}");
    assert!(host.len() as u128 <= time.as_millis() / 10 + 5);
    assert!(child.len() as u64 <= 2 * time.as_secs() + 5);
}

#[test]
fn a_begin_frame_and_its_frame_are_two_hand_offs() {
    let frames = 1_000;
    let Some((output, calls)) =
        pair("paced", frames, false, |parameters| trace("host", parameters))
    else {
        return;
    };
    let [host, child] = of_both(&output, &calls);
    let taken = printed(&output, "taken") as usize;
    println!("host, {taken} frames: {:?}", by_name(host.iter().copied()));
    println!("child: {:?}", by_name(child.iter().copied()));
    // Two, and now and then a wake-up that crossed with what it is about.
    let presented = (frames - 2 * LEAD) as usize;
    assert!(host.len() <= taken * 9 / 4 + 20);
    assert!(child.len() <= presented * 9 / 4 + 20);
}
