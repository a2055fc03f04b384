//! What is no experiment with rounds: counts, a child's life, many children,
//! huge pages.

use std::time::Duration;

use surfaceport::Size;

use crate::counts::{self, Calls};
use crate::experiment::Entry;
use crate::huge;
use crate::life::{Scaled, life, scale};
use crate::measure::Length;
use crate::results::{Grid, Results};
use crate::run::{Placement, Run, Touch, Wait};
use crate::subject::Failure;
use crate::suite::Options;
use crate::target::{Bound, Check};

/// How one is made.
type Make = fn(&Options, &[Entry]) -> Result<Grid, Failure>;

const ASLEEP: &str = "counts of a round trip, asleep";
const AWAKE: &str = "counts of a round trip, awake";
const LIFE: &str = "a child's life";
const MANY: &str = "many children on one host thread, 30 frames a second each";
const HUGE: &str = "huge pages";

/// All of them, by name.
pub(crate) const ALL: [(&str, Make); 5] = [
    // First: what a child takes shows only while no memory is left of earlier runs.
    (MANY, |options, _| many(options)),
    (ASLEEP, |options, subjects| count(ASLEEP, Wait::Asleep, options, subjects)),
    (AWAKE, |options, subjects| count(AWAKE, Wait::Awake, options, subjects)),
    (LIFE, |options, _| life(((200.0 * options.scale) as usize).max(10), LIFE)),
    (HUGE, |_, _| huge::grid()),
];

const CALLS: [&str; 2] = ["system calls: host", "child"];
const COPIED: &str = "bytes through the kernel";
const KEPT: [&str; 4] = ["allocations", "page faults", "mappings", "fds"];

/// What a frame and the request for it cost, of each subject: a round trip is two
/// hand-offs. Numbers of calls are those under strace, the others those of a run
/// without it.
fn count(name: &str, wait: Wait, options: &Options, subjects: &[Entry]) -> Result<Grid, Failure> {
    const FRAMES: u64 = 400;
    let (touch, placement) = (Touch::Stamp, Placement::CoreEach);
    let run = Run { wait, touch, placement, size: Size::new(640, 480), ..Run::default() };
    let mut columns = vec![CALLS[0], CALLS[1], "switches: host", "child"];
    columns.extend(KEPT);
    columns.push(COPIED);
    let mut grid = Grid::new(name, &columns);
    let excuse = counts::excuse();
    grid.notes.extend(excuse.map(|why| format!("not run: {why}")));
    for entry in subjects.iter().filter(|entry| (entry.can)(&run)) {
        eprint!("\r\x1b[K{name}: {}", entry.name);
        let frames = ((20_000.0 * options.scale) as u64).max(2000);
        let length = Length { warm_up: 500, frames, time: Duration::from_secs(5) };
        let sample = match (entry.host)(&run, length) {
            Ok(sample) => sample,
            Err(why) => {
                grid.notes.push(format!("{} failed: {why}", entry.name));
                continue;
            }
        };
        let (host, child) = (sample.host, sample.child);
        let [host_calls, child_calls] = match excuse {
            None => match counts::watch(entry, &run, FRAMES) {
                Ok(calls) => calls.map(Some),
                Err(why) => {
                    grid.notes.push(format!("not counted: {why}"));
                    [None, None]
                }
            },
            Some(_) => [None, None],
        };
        let calls = |calls: Option<Calls>, count: fn(Calls) -> u64| {
            calls.map_or(f64::NAN, |calls| count(calls) as f64 / FRAMES as f64)
        };
        let both = |count: fn(Calls) -> u64| calls(host_calls, count) + calls(child_calls, count);
        let [of_host, of_child] =
            [host, child].map(|usage| move |count: u64| count as f64 / usage.frames as f64);
        grid.row(
            entry.name,
            &[
                calls(host_calls, |calls| calls.all),
                calls(child_calls, |calls| calls.all),
                of_host(host.switches),
                of_child(child.switches),
                of_host(host.allocations) + of_child(child.allocations),
                of_host(host.faults) + of_child(child.faults),
                both(|calls| calls.mappings),
                both(|calls| calls.handles),
                both(|calls| calls.bytes),
            ],
        );
    }
    eprint!("\r\x1b[K");
    grid.notes.push(
        "Both sides together where it does not say which. System calls under strace, which slows \
         both sides: who is seen asleep may differ from a run without it."
            .to_owned(),
    );
    Ok(grid)
}

const HOST_TIME: &str = "host, µs/frame";
const ONE: &str = "1 that draws, 0 that rest";

fn drawing(active: usize, idle: usize) -> String {
    format!("{active} that draw{}, {idle} that rest", if active == 1 { "s" } else { "" })
}

fn many(options: &Options) -> Result<Grid, Failure> {
    let mut grid = Grid::new(
        MANY,
        &[HOST_TIME, "× one child", "p50, µs", "p99, µs", "frames/s", "KiB/child", "fds/child"],
    );
    let time = Duration::from_secs_f64((8.0 * options.scale).max(1.0));
    let counts = [1, 4, 16, 64, 256].into_iter().filter(|count| *count <= options.children);
    let active = counts.clone().map(|count| (count, 0));
    let resting = counts.skip(1).map(|count| (1, count - 1));
    let mut one = None;
    for (active, idle) in active.chain(resting) {
        let name = drawing(active, idle);
        eprint!("\r\x1b[K{MANY}: {name}");
        let scaled = scale(active, idle, time)?;
        let one = *one.get_or_insert(scaled.cpu_us);
        let Scaled { cpu_us, p50_us, p99_us, fps, kib_per_child, fds_per_child } = scaled;
        let ratio = cpu_us / one;
        grid.row(&name, &[cpu_us, ratio, p50_us, p99_us, fps, kib_per_child, fds_per_child]);
    }
    eprint!("\r\x1b[K");
    Ok(grid)
}

/// What of them is promised.
pub(crate) fn checks(results: &Results) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut check = |what: &str, bound: Bound, of: &str, here: Option<f64>| {
        checks.extend(here.map(|here| Check {
            what: what.to_owned(),
            target: format!("{bound}{of}"),
            here,
            met: bound.is_kept(here),
        }));
    };
    let ours = "surfaceport";
    for (name, what, most) in [(ASLEEP, "asleep", 2.0), (AWAKE, "awake", 0.0)] {
        let Some(grid) = results.grid(name) else { continue };
        let calls = CALLS.map(|column| grid.value(ours, column));
        let hand_off = calls[0].zip(calls[1]).map(|(host, child)| (host + child) / 2.0);
        // What both look after now and then is not a hand-off's: a tenth of a call.
        let hand_off = hand_off.map(|calls| (calls * 10.0).round() / 10.0);
        let what_calls = format!("{what}, system calls of a hand-off");
        check(&what_calls, Bound::AtMost(most), "", hand_off);
        for column in KEPT {
            let here = grid.value(ours, column).map(|count| (count * 100.0).round() / 100.0);
            check(&format!("{what}, {column} a frame"), Bound::AtMost(0.0), "", here);
        }
    }
    if let Some(grid) = results.grid(MANY) {
        let one = grid.value(ONE, HOST_TIME);
        for (active, idle) in [(256, 0), (1, 255)] {
            let row = drawing(active, idle);
            let here = grid.value(&row, HOST_TIME).zip(one).map(|(many, one)| many / one);
            let what = format!("host's processor time for a frame, children: {row}");
            check(&what, Bound::AtMost(1.2), " × one child", here);
        }
    }
    checks
}
