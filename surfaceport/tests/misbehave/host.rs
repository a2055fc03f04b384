//! The host's side: it shows two good children, and suffers a bad one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;
use surfaceport::{Command, Event, Exit, ExitReason, Frame, Listener, Session, Violation};

use crate::bad::ALIVE;
use crate::gaps::Gaps;
use crate::support::counts::Observer;
use crate::support::{
    crash_as_ever, hash, is_instrumented, name_directory, open_fds, start, start_plain, watchdog,
};
use crate::table::{Behaviour, Expect, OF_THE_WORD, Start};
use crate::{BEHAVIOUR, support};

/// Between two frames of the neighbours, unless a figure wants another rate.
const TICK: Duration = Duration::from_millis(4);
/// Longer than this no neighbour may wait for its next frame, on a machine that
/// has other things to do as well.
const STARVED: Duration = Duration::from_secs(10);
/// How long to wait for what is to come.
fn patience() -> Duration {
    Duration::from_secs(support::parameter("HOSTILE_PATIENCE", 30))
}

/// A good child, and what the host sees of it.
#[derive(Debug)]
pub struct Neighbour {
    session: Session,
    observer: Observer,
    pixels: Vec<u8>,
    last: Instant,
    pub gaps: Gaps,
}

impl Neighbour {
    fn start() -> Self {
        let session = Session::spawn(start("paced")).unwrap();
        let observer = Observer { pid: session.child_pid(), ..Observer::default() };
        let pixels = vec![0; 64 * 64 * 4];
        Self { session, observer, pixels, last: Instant::now(), gaps: Gaps::default() }
    }

    fn attend(&mut self) {
        while let Some(event) = self.session.dispatch().unwrap() {
            match event {
                Event::Frame(frame) => self.look(&frame),
                Event::Exited { exit, .. } => panic!("a good child ended: {exit}"),
                _ => {}
            }
        }
        assert!(self.last.elapsed() < STARVED, "a neighbour starves: {:?}", self.observer);
    }

    /// Checks a frame by a copy of it: a view would map it, and mappings are
    /// counted.
    fn look(&mut self, frame: &Frame) {
        frame.copy_to(&mut self.pixels).unwrap();
        let words = self.pixels.as_chunks::<8>().0.iter();
        let seen = hash(words.map(|word| u64::from_ne_bytes(*word)));
        let user = frame.user_data();
        let [claimed, id, sequence] = [0, 1, 2].map(|i| u64::from_le_bytes(user.as_chunks().0[i]));
        let order = frame.id().sequence;
        self.observer.taken += 1;
        self.observer.torn += u64::from(seen != claimed);
        self.observer.foreign += u64::from(Some(id) != self.observer.pid.map(u64::from));
        self.observer.stale += u64::from(sequence != order);
        self.observer.disordered += u64::from(order <= self.observer.last);
        self.observer.last = order;
        self.observer.assert_clean();
        let now = Instant::now();
        self.gaps.note(now - self.last);
        self.last = now;
    }
}

/// What a host has of the system's.
#[derive(Debug, PartialEq)]
pub struct Holdings {
    fds: Vec<String>,
    shared_memory: usize,
    threads: usize,
    children: Vec<u32>,
}

impl Holdings {
    pub fn count() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let shared_memory = maps.lines().filter(|line| line.contains("/memfd:")).count();
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        let me = std::process::id();
        let children = processes().filter(|one| one.parent == me).map(|one| one.pid).collect();
        Self { fds: open_fds(), shared_memory, threads, children }
    }
}

/// A line of /proc/PID/stat.
struct Process {
    pid: u32,
    state: char,
    parent: u32,
    group: u32,
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        let [parent, group] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
        Some(Process { pid, state, parent, group })
    })
}

/// Whether anything of a process group still runs, or could.
fn is_left(group: u32) -> bool {
    let number = Pid::from_raw(group.cast_signed()).unwrap();
    // The dead that nobody has waited for yet are among those of the kernel's answer.
    rustix::process::test_kill_process_group(number).is_ok()
        && processes().any(|one| one.group == group && !matches!(one.state, 'Z' | 'X'))
}

/// What became of one bad child, or of all that one peer connected as.
#[derive(Debug, Default)]
struct Fate {
    exits: Vec<(Exit, bool)>,
    alive: bool,
    shown: Option<(Frame, u64)>,
}

impl Fate {
    fn take(&mut self, event: Event, pixels: &mut [u8]) {
        match event {
            Event::Frame(frame) => {
                self.alive |= frame.user_data().starts_with(ALIVE);
                let seen = look(&frame, pixels);
                self.shown = Some((frame, seen));
            }
            Event::Exited { exit, restart_in } => self.exits.push((exit, restart_in.is_some())),
            _ => {}
        }
    }
}

fn look(frame: &Frame, pixels: &mut [u8]) -> u64 {
    frame.copy_to(pixels).unwrap();
    hash(pixels.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)))
}

#[derive(Debug)]
pub struct Host {
    neighbours: [Neighbour; 2],
    /// Between two frames of theirs.
    pub tick: Duration,
    next_tick: Instant,
    listener: Listener,
    name: String,
    /// What was there after the last behaviour.
    holdings: Option<Holdings>,
    resident: Vec<u64>,
    done: u64,
}

impl Host {
    pub fn new() -> Self {
        let name = format!("test.hostile.{}", std::process::id());
        let mut host = Self {
            neighbours: [Neighbour::start(), Neighbour::start()],
            tick: TICK,
            next_tick: Instant::now(),
            listener: Listener::bind(&name).unwrap(),
            name,
            holdings: None,
            resident: Vec::new(),
            done: 0,
        };
        host.let_neighbours_show(20);
        host
    }

    /// Runs one behaviour, and holds the host to what the table says.
    pub fn suffer(&mut self, behaviour: &Behaviour) {
        let _watchdog = watchdog(behaviour.name);
        let before = self.holdings.take().unwrap_or_else(Holdings::count);
        let shown = self.neighbours.each_ref().map(|one| one.observer.taken);
        if behaviour.start == Start::Peer {
            self.suffer_peer(behaviour);
        } else {
            self.suffer_child(behaviour);
        }
        while self.neighbours.iter().zip(shown).any(|(one, shown)| one.observer.taken < shown + 2) {
            self.turn(&mut []);
        }
        let until = Instant::now() + patience();
        loop {
            let after = Holdings::count();
            if after == before {
                self.holdings = Some(after);
                break;
            }
            let name = behaviour.name;
            assert!(Instant::now() < until, "{name}: left {after:#?}, of {before:#?}");
            self.turn(&mut []);
        }
        self.done += 1;
    }

    fn suffer_child(&mut self, behaviour: &Behaviour) {
        let name = behaviour.name;
        let mut command: Command = start("bad")
            .env(BEHAVIOUR, name)
            .env("RUST_BACKTRACE", "0")
            .limits(behaviour.limits)
            .restart(behaviour.restart);
        if let Some((name, value)) = crash_as_ever() {
            command = command.env(name, value);
        }
        let mut sessions = vec![Session::spawn(command).unwrap()];
        let pid = sessions[0].child_pid().unwrap();
        let fate = self.watch(behaviour, &mut sessions);
        Self::judge(behaviour, &sessions, &fate);
        if let Some((frame, seen)) = &fate.shown
            && !behaviour.spoils
        {
            let mut pixels = vec![0; 4096];
            assert_eq!(look(frame, &mut pixels), *seen, "{name}: what is shown changed");
        }
        drop(sessions);
        drop(fate);
        let until = Instant::now() + patience();
        while is_left(pid) {
            assert!(Instant::now() < until, "{name}: something is left of its group");
            self.turn(&mut []);
        }
    }

    fn suffer_peer(&mut self, behaviour: &Behaviour) {
        let mut peer = start_plain("bad")
            .env(BEHAVIOUR, behaviour.name)
            .env("NAME", &self.name)
            .envs(crash_as_ever())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let limits = behaviour.limits;
        let listener = Listener::bind(&format!("{}.x", self.name)).unwrap();
        self.listener = std::mem::replace(&mut self.listener, listener).limits(limits);
        let mut sessions = Vec::new();
        let fate = self.watch(behaviour, &mut sessions);
        Self::judge(behaviour, &sessions, &fate);
        assert!(peer.try_wait().unwrap().is_none(), "{}: it lives on", behaviour.name);
        peer.kill().unwrap();
        peer.wait().unwrap();
        // What it left in the queue.
        while self.listener.accept(Duration::ZERO).unwrap().is_some() {}
    }

    /// Until what is to come has come.
    fn watch(&mut self, behaviour: &Behaviour, sessions: &mut Vec<Session>) -> Fate {
        let until = Instant::now() + patience();
        let mut fate = Fate::default();
        let mut pixels = vec![0; 4096];
        loop {
            if behaviour.start == Start::Peer
                && let Some(session) = self.listener.accept(Duration::ZERO).unwrap()
            {
                sessions.push(session);
            }
            self.turn(sessions);
            for session in &mut *sessions {
                (behaviour.host)(session);
                while let Some(event) = session.dispatch().unwrap() {
                    fate.take(event, &mut pixels);
                }
            }
            let over = match behaviour.expect {
                Expect::Lives(counter) => {
                    fate.alive && sessions.iter().any(|one| (counter.1)(&one.stats()) > 0)
                }
                Expect::GivesUp => fate.exits.iter().any(|(_, again)| !again),
                _ => !fate.exits.is_empty(),
            };
            if over {
                return fate;
            }
            let stats = sessions.iter().map(Session::stats).collect::<Vec<_>>();
            let name = behaviour.name;
            let ended =
                behaviour.start != Start::Peer && fate.exits.iter().any(|(_, again)| !again);
            assert!(!ended && Instant::now() < until, "{name}: {fate:#?}\n{stats:#?}");
        }
    }

    fn judge(behaviour: &Behaviour, sessions: &[Session], fate: &Fate) {
        let name = behaviour.name;
        let counted = |violation| sessions.iter().map(|one| one.violations(violation)).sum::<u64>();
        let violations: Vec<_> =
            Violation::ALL.iter().filter(|one| counted(**one) > 0).copied().collect();
        let total: u64 = violations.iter().map(|one| counted(*one)).sum();
        let reasons: Vec<_> = fate.exits.iter().map(|(exit, _)| exit.reason.clone()).collect();
        let said = format!("{name}: {fate:#?} {violations:?}");
        match behaviour.expect {
            Expect::Ends(violation) => {
                assert_eq!(reasons[0], ExitReason::Violation(violation), "{said}");
                assert_eq!((violations, total), (vec![violation], 1), "{said}");
                let text = fate.exits[0].0.to_string();
                assert!(text.contains(&format!("breaking the protocol: {violation}")), "{text}");
            }
            Expect::EndsByWord => {
                assert!(violations.iter().all(|one| OF_THE_WORD.contains(one)), "{said}");
                assert_eq!((reasons.len(), total), (1, 1), "{said}");
            }
            Expect::Exits(is_right, _) => {
                assert!(is_right(&reasons[0]) && total == 0, "{said}");
            }
            Expect::GivesUp => {
                assert_eq!(sessions[0].stats().restarts, 3, "{said}");
                assert_eq!(reasons.len(), 4, "{said}");
                assert!(sessions[0].exit().is_some(), "{said}");
            }
            Expect::Lives(_) => {
                assert!(sessions.iter().any(Session::is_connected), "{said}");
                assert_eq!(total, 0, "{said}");
            }
        }
    }

    /// Waits for something to happen, and lets the neighbours draw.
    fn turn(&mut self, sessions: &mut [Session]) {
        let left = self.next_tick.saturating_duration_since(Instant::now());
        let mut polled: Vec<_> = self.neighbours.iter().map(|one| &one.session).collect();
        polled.extend(sessions.iter());
        let mut polled: Vec<_> =
            polled.into_iter().map(|one| PollFd::new(one, PollFlags::IN)).collect();
        polled.push(PollFd::new(&self.listener, PollFlags::IN));
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let _signal = rustix::event::poll(&mut polled, Some(&left));
        if Instant::now() >= self.next_tick {
            self.next_tick = Instant::now() + self.tick;
            for one in &mut self.neighbours {
                one.session.begin_frame(surfaceport::Timestamp::now());
            }
        }
        for one in &mut self.neighbours {
            one.attend();
        }
    }

    /// Shows the neighbours for so long beside other children, whose events are
    /// thrown away; the intervals between the neighbours' frames.
    pub fn observe(&mut self, others: &mut [Session], time: Duration) -> Gaps {
        let until = Instant::now() + time;
        self.neighbours.iter_mut().for_each(|one| one.gaps = Gaps::default());
        while Instant::now() < until {
            self.turn(others);
            for one in &mut *others {
                while one.dispatch().unwrap().is_some() {}
            }
        }
        self.gaps()
    }

    /// The intervals between the neighbours' frames.
    fn gaps(&self) -> Gaps {
        let mut all = Gaps::default();
        self.neighbours.iter().for_each(|one| all.add(&one.gaps));
        all
    }

    fn let_neighbours_show(&mut self, frames: u64) {
        let wanted = self.neighbours.each_ref().map(|one| one.observer.taken + frames);
        while self.neighbours.iter().zip(wanted).any(|(one, wanted)| one.observer.taken < wanted) {
            self.turn(&mut []);
        }
    }

    /// The host's memory does not grow from round to round.
    pub fn end_of_round(&mut self, round: u64) {
        self.resident.push(resident());
        let (first, last) = (self.resident[self.resident.len().min(3) - 1], resident());
        if !is_instrumented() {
            assert!(last < first + (4 << 20), "round {round}: {first} to {last} bytes resident");
        }
    }

    pub fn report(&self) -> String {
        let gaps = self.gaps();
        let grown = self.resident.last().unwrap().saturating_sub(self.resident[0]) >> 10;
        format!(
            "{} times hostile, 0 host failures; the neighbours' {} frames: 99th percentile of the \
             interval {:?}; {grown} KiB more resident than after the first round",
            self.done,
            gaps.count(),
            gaps.percentile(99)
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for name in [self.name.clone(), format!("{}.x", self.name)] {
            let _gone = std::fs::remove_file(name_directory().join(format!("{name}.lock")));
        }
    }
}

/// Bytes of this process in memory.
pub fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}
