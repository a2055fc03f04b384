//! A child in C, written from PROTOCOL.md alone, under a real session: what it
//! takes to draw from another language is in that page.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command as Compiler, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use support::{check, has_ended, parameter, pidfd, run_child, start_plain};
use surfaceport::{
    Command, Error, Event, Exit, ExitReason, Frame, Limits, MAX_USER_BYTES, Outcome, Restart,
    Scale, Session, Size, Timestamp,
};

const PATIENCE: Duration = Duration::from_secs(20);

const CHILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/child.c");

/// Compiles a source, with these flags beside the usual ones. `None`: there is
/// nothing to do it with, and that was printed.
fn compiled(name: &str, source: &Path, flags: &[&str]) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Under a name of its own until it is whole: others may compile it too.
    let fresh = program.with_added_extension(std::process::id().to_string());
    let output = Compiler::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2"])
        .args(flags)
        .arg("-o")
        .args([&fresh, source])
        .output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::rename(fresh, &program).unwrap();
            Some(program)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("not run: the C child needs a C compiler (gcc)");
            None
        }
        Err(error) => panic!("cc: {error}"),
    }
}

fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| compiled("c_child", CHILD.as_ref(), &[])).clone()
}

/// With checks of every access, which not every C compiler brings.
fn sanitized() -> Option<PathBuf> {
    const FLAGS: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let name = format!("sanitized_probe.{}", std::process::id());
    let probe = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = probe.with_added_extension("c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let output = Compiler::new("cc").args(FLAGS).arg("-o").args([&probe, &source]).output();
    let _none = std::fs::remove_file(source);
    let _none = std::fs::remove_file(probe);
    if output.is_ok_and(|output| !output.status.success()) {
        println!("not run: the C child under sanitizers needs gcc's libasan and libubsan");
        return None;
    }
    compiled("c_child_sanitized", CHILD.as_ref(), &FLAGS)
}

/// Starts the child with arguments. A crash is not hidden by a restart.
fn command(program: &Path, arguments: &str) -> Command {
    Command::new(program).args(arguments.split_whitespace()).restart(Restart::never())
}

/// Frames, each checked by its content, until `enough` says so. Other events
/// come first; an end that nobody asked for is a failure.
fn watch(session: &mut Session, mut enough: impl FnMut(&mut Session, Event) -> bool) {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing more comes; {:?}", session.stats());
        let frame = match session.next_frame(Duration::from_millis(50)) {
            Ok(frame) => frame,
            Err(error) => panic!("{error}"),
        };
        session.set_wants_frames(false);
        while let Some(event) = session.dispatch().unwrap() {
            if enough(session, event) {
                return;
            }
        }
        session.set_wants_frames(true);
        if let Some(frame) = frame {
            check_all(&frame, session.child_pid());
            if enough(session, Event::Frame(frame)) {
                return;
            }
        }
    }
}

/// Checks a frame's content, and that it is of the generation that it claims.
fn check_all(frame: &Frame, pid: Option<u32>) {
    assert_eq!(check(frame, pid), Ok(()), "frame {}", frame.id());
    let generation = u64::from_le_bytes(frame.user_data().as_chunks().0[3]);
    assert_eq!(generation, u64::from(frame.id().generation));
}

/// All frames until the child ends by itself.
fn frames(session: &mut Session, mut each: impl FnMut(Frame)) -> Exit {
    loop {
        let pid = session.child_pid();
        match session.next_frame(PATIENCE) {
            Ok(Some(frame)) => {
                check_all(&frame, pid.or(session.child_pid()));
                each(frame);
            }
            Ok(None) => panic!("no frame; {:?}", session.stats()),
            Err(Error::ChildGone(exit)) => {
                let stats = session.stats();
                assert_eq!(
                    stats.presented,
                    stats.shown + stats.superseded + stats.stale + stats.lost
                );
                return *exit;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says Bye, after which the child ends by itself.
fn close(session: &mut Session) -> Exit {
    let start = Instant::now();
    let exit = session.close_child(PATIENCE);
    assert!(start.elapsed() < PATIENCE, "it did not end by itself");
    assert_eq!(exit.reason, ExitReason::Closed, "{exit}");
    let presented = said(&exit, "presented");
    let stats = session.stats();
    assert!(presented >= stats.presented, "{presented} {stats:?}");
    assert_eq!(stats.presented, stats.shown + stats.superseded + stats.stale + stats.lost);
    exit
}

/// What the child said of its frames at its end, by name.
fn said(exit: &Exit, name: &str) -> u64 {
    let line = exit.last_lines.last().expect("a last line");
    let mut words = line.split(' ').skip_while(|word| *word != name);
    words.nth(1).unwrap().parse().unwrap()
}

fn mailbox(program: &Path, slots: usize, count: u64) {
    let arguments = format!("mailbox {slots} {count}");
    let mut session = Session::spawn(command(program, &arguments)).unwrap();
    let mut last = 0;
    let exit = frames(&mut session, |frame| {
        assert!(frame.id().sequence > last);
        last = frame.id().sequence;
    });
    assert_eq!(exit.reason, ExitReason::Exited(0), "{exit}");
    assert_eq!(last, count, "the last frame was not shown");
    assert_eq!(session.stats().presented, count);
    assert_eq!(said(&exit, "presented"), count);
}

fn fifo(program: &Path, slots: usize, count: u64) {
    let arguments = format!("fifo {slots} {count}");
    let mut session = Session::spawn(command(program, &arguments)).unwrap();
    let mut last = 0;
    let exit = frames(&mut session, |frame| {
        assert_eq!(frame.id().sequence, last + 1);
        last += 1;
    });
    assert_eq!(exit.reason, ExitReason::Exited(0), "{exit}");
    assert_eq!(last, count);
    assert_eq!(session.stats().shown, count);
}

#[test]
fn mailbox_frames_are_whole() {
    let Some(program) = program() else { return };
    mailbox(&program, 3, 30_000);
}

#[test]
fn fifo_shows_every_frame_in_order() {
    let Some(program) = program() else { return };
    fifo(&program, 3, 10_000);
}

#[test]
fn any_number_of_slots() {
    let Some(program) = program() else { return };
    for slots in 2..=16 {
        mailbox(&program, slots, 500);
        fifo(&program, slots, 500);
    }
}

/// One frame that needs no begin-frame, then one for each.
fn paced(program: &Path, mode: &str, count: u64) {
    let arguments = format!("{mode} 3 0 paced");
    let mut session = Session::spawn(command(program, &arguments)).unwrap();
    let first = session.next_frame(PATIENCE).unwrap().unwrap();
    assert_eq!((first.id().sequence, first.begin_frame()), (1, None));
    drop(first);
    for sequence in 2..=count {
        // Now and then the child has time to fall asleep.
        if sequence % 16 == 0 {
            assert!(session.next_frame(Duration::from_millis(5)).unwrap().is_none());
        }
        let time = Timestamp::now();
        session.begin_frame(time);
        let frame = session.next_frame(PATIENCE).unwrap().unwrap();
        check_all(&frame, session.child_pid());
        assert_eq!((frame.id().sequence, frame.begin_frame()), (sequence, Some(time)));
        assert!(frame.presented_at() >= time && frame.presented_at() <= frame.taken_at());
    }
    let exit = close(&mut session);
    assert_eq!(said(&exit, "shown"), count);
}

#[test]
fn begin_frames_pace_it() {
    let Some(program) = program() else { return };
    paced(&program, "mailbox", 500);
    paced(&program, "fifo", 500);
}

/// Sizes one after the other, and many at once, of which the last one counts.
fn resized(program: &Path, arguments: &str) {
    let mut session = Session::spawn(command(program, arguments)).unwrap();
    let sizes = [Size::new(300, 200), Size::new(1, 1), Size::new(33, 77), Size::new(640, 480)];
    let mut wanted = 0;
    let mut expected = Size::new(64, 64);
    for round in 0..12 {
        if round > 0 {
            for size in sizes.iter().cycle().skip(round).take(1 + round % 3 * 20) {
                wanted = session.configure(*size, Scale::ONE).unwrap();
                expected = *size;
            }
        }
        let mut answered = None;
        watch(&mut session, |_, event| match event {
            Event::Setup { generation, serial, surface, .. } => {
                if serial == wanted {
                    assert_eq!(surface.size(), expected);
                    answered = Some(generation);
                }
                false
            }
            Event::Frame(frame) => Some(frame.id().generation) == answered,
            _ => false,
        });
    }
    // It keeps two generations at most, and no handles of them.
    let of_child = |file| format!("/proc/{}/{file}", session.child_pid().unwrap());
    let mappings = std::fs::read_to_string(of_child("maps")).unwrap();
    let mapped = mappings.lines().filter(|line| line.contains("/memfd:surface ")).count();
    assert!(mapped <= 2 * 4, "{mapped} surfaces are mapped");
    let handles = std::fs::read_dir(of_child("fd")).unwrap();
    let targets = handles.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let memory = targets.filter(|target| target.to_string_lossy().starts_with("/memfd:")).count();
    assert_eq!(memory, 0, "handles of memory are open");
    close(&mut session);
}

#[test]
fn it_follows_every_size() {
    let Some(program) = program() else { return };
    for arguments in ["mailbox 3 0", "mailbox 2 0 paced", "fifo 4 0", "fifo 2 0 paced"] {
        resized(&program, arguments);
    }
}

/// A size that the host refuses, for its memory: the child goes on as it was.
#[test]
fn a_refused_size_changes_nothing() {
    let Some(program) = program() else { return };
    let limits = Limits::default().surface_bytes(4 << 20);
    let mut session = Session::spawn(command(&program, "mailbox 3 0").limits(limits)).unwrap();
    let size_after = |session: &mut Session, count: u64| {
        let until = session.stats().shown + count;
        let mut size = Size::default();
        watch(session, |session, event| {
            if let Event::Frame(frame) = event {
                size = frame.size();
            }
            session.stats().shown >= until
        });
        size
    };
    assert_eq!(size_after(&mut session, 10), Size::new(64, 64));
    session.configure(Size::new(1000, 1000), Scale::ONE).unwrap();
    watch(&mut session, |session, _| session.stats().setups_refused == 1);
    assert_eq!(size_after(&mut session, 10), Size::new(64, 64));
    session.configure(Size::new(400, 300), Scale::ONE).unwrap();
    watch(&mut session, |_, event| matches!(event, Event::Setup { generation: 2, serial: 2, .. }));
    assert_eq!(size_after(&mut session, 10), Size::new(400, 300));
    assert_eq!(session.stats().setups_refused, 1);
    close(&mut session);
}

/// Messages come back as they went, whatever their length.
fn echoed(program: &Path, arguments: &str) {
    let mut session = Session::spawn(command(program, arguments)).unwrap();
    watch(&mut session, |_, event| matches!(event, Event::Connected { .. }));
    for (fill, length) in (1..).zip([0, 1, 7, 8, 1000, MAX_USER_BYTES - 1, MAX_USER_BYTES]) {
        let sent = vec![fill; length];
        session.send(&sent).unwrap();
        watch(&mut session, |_, event| match event {
            Event::Message(bytes) => {
                assert!(bytes == sent, "{} bytes came back of {length}", bytes.len());
                true
            }
            _ => false,
        });
    }
    close(&mut session);
}

#[test]
fn it_sends_messages_back() {
    let Some(program) = program() else { return };
    echoed(&program, "mailbox 3 0");
    echoed(&program, "mailbox 3 0 paced");
}

/// What it learns of its frames is what the host counts, of every kind.
#[test]
fn outcomes_account_for_every_frame() {
    const COUNT: u64 = 20_000;
    let Some(program) = program() else { return };
    for mode in ["mailbox 2", "mailbox 3", "fifo 3"] {
        let arguments = format!("{mode} {COUNT} stay");
        let mut session = Session::spawn(command(&program, &arguments)).unwrap();
        let mut taken = 0;
        watch(&mut session, |session, event| {
            let Event::Frame(mut frame) = event else { return false };
            taken += 1;
            if taken % 3 == 0 {
                frame.report(Outcome::Lost);
            }
            if taken == 2 {
                // What is unread of the old size when the new one comes is stale:
                // time for something to be.
                std::thread::sleep(Duration::from_millis(5));
                session.configure(Size::new(80, 60), Scale::ONE).unwrap();
                session.set_wants_frames(false);
                while !matches!(session.dispatch().unwrap(), Some(Event::Setup { .. })) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                session.set_wants_frames(true);
            }
            drop(frame);
            session.stats().presented == COUNT
        });
        let exit = close(&mut session);
        let stats = session.stats();
        let named = ["presented", "shown", "superseded", "stale", "lost", "missed"];
        let [presented, shown, superseded, stale, lost, missed] =
            named.map(|name| said(&exit, name));
        assert_eq!((presented, missed), (COUNT, 0), "{exit}");
        assert_eq!((presented, shown), (stats.presented, stats.shown));
        assert_eq!((superseded, stale, lost), (stats.superseded, stats.stale, stats.lost));
        assert_eq!(presented, shown + superseded + stale + lost);
        assert!(lost > 0 && stale > 0, "{exit}");
    }
}

/// A picture that takes over only what the damage says is the frame's.
#[test]
fn its_damage_is_all_that_changed() {
    let Some(program) = program() else { return };
    for arguments in ["mailbox 4 5000 partial", "fifo 3 2000 partial"] {
        let mut session = Session::spawn(command(&program, arguments)).unwrap();
        let mut picture = vec![0; 64 * 64 * 4];
        let mut rows_taken = 0;
        let exit = frames(&mut session, |frame| {
            let mut whole = vec![0; picture.len()];
            frame.copy_to(&mut whole).unwrap();
            let everything = [frame.size().into()];
            for rect in frame.damage().rects().unwrap_or(&everything) {
                assert_eq!((rect.x, rect.width), (0, 64));
                rows_taken += u64::from(rect.height);
                let [from, to] = [rect.y, rect.y + rect.height].map(|y| y as usize * 64 * 4);
                picture[from..to].copy_from_slice(&whole[from..to]);
            }
            assert!(picture == whole, "frame {}: {:?}", frame.id(), frame.damage());
        });
        assert_eq!(exit.reason, ExitReason::Exited(0), "{exit}");
        // A mailbox host that is slow misses more than the ring tells of.
        let partial = rows_taken < 32 * session.stats().shown;
        assert!(partial || arguments.starts_with("mailbox"), "{rows_taken} rows");
    }
}

/// Under a shell, which tells the exit code: after a Bye the host does not say it.
fn in_shell(program: &Path, arguments: &str, report: &str) -> Command {
    let script = format!("'{}' {arguments}; echo \"code $?\" >{report}", program.display());
    Command::new("/bin/sh").args(["-c", &script]).restart(Restart::never())
}

#[test]
fn bye_ends_it_with_code_0() {
    let Some(program) = program() else { return };
    for arguments in ["mailbox 3 0", "mailbox 2 0 paced", "fifo 2 0", "fifo 2 5 stay"] {
        let mut session = Session::spawn(in_shell(&program, arguments, "&2")).unwrap();
        let held = session.next_frame(PATIENCE).unwrap().unwrap();
        assert_eq!(session.close_child(PATIENCE).last_lines.last().unwrap(), "code 0");
        check_all(&held, None);

        // Before it had a chance to say Hello.
        let mut session = Session::spawn(in_shell(&program, arguments, "&2")).unwrap();
        assert_eq!(session.close_child(PATIENCE).last_lines.last().unwrap(), "code 0");
    }
}

/// The process in the middle: it starts the C child, says which process that is,
/// holds a frame and is killed.
fn host() -> Result<(), Error> {
    let [program, arguments, report] =
        ["PROGRAM", "ARGUMENTS", "REPORT"].map(|name| parameter::<String>(name, String::new()));
    let command = in_shell(Path::new(&program), &arguments, &report).die_with_host(false);
    let mut session = Session::spawn(command).unwrap();
    let _held = session.next_frame(PATIENCE).unwrap().unwrap();
    println!("READY {}", session.child_pid().unwrap());
    std::thread::sleep(PATIENCE);
    Ok(())
}

/// Not a test of its own: what the next one starts.
#[test]
fn child() {
    run_child(&[("host", host)]);
}

/// Drawing, asleep for a begin-frame, for a slot, for a message.
#[test]
fn its_hosts_death_ends_it() {
    let Some(program) = program() else { return };
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_child_outlived");
    for arguments in ["mailbox 3 0", "mailbox 3 0 paced", "fifo 2 0", "mailbox 3 2 stay"] {
        let _old = std::fs::remove_file(&report);
        let mut host = start_plain("host")
            .env("PROGRAM", &program)
            .env("ARGUMENTS", arguments)
            .env("REPORT", &report)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
        let shell = lines
            .filter_map(|line| Some(pidfd(line.split_once("READY ")?.1.parse().unwrap())))
            .next()
            .expect("a child");
        std::thread::sleep(Duration::from_millis(20));
        host.kill().unwrap();
        host.wait().unwrap();
        assert!(has_ended(&shell, PATIENCE), "{arguments}: it lives on");
        assert_eq!(std::fs::read_to_string(&report).unwrap(), "code 0\n", "{arguments}");
    }
}

/// Ended in mid-frame: what was shown stays whole.
fn killed(program: &Path, arguments: &str) {
    for after in 1..20 {
        let mut session = Session::spawn(command(program, arguments)).unwrap();
        let pid = loop {
            let frame = session.next_frame(PATIENCE).unwrap().unwrap();
            if frame.id().sequence >= after {
                break session.child_pid();
            }
        };
        let held = session.next_frame(PATIENCE).unwrap().unwrap();
        session.kill_child();
        loop {
            match session.next_frame(PATIENCE) {
                Ok(Some(frame)) => check_all(&frame, pid),
                Ok(None) => panic!("it does not die"),
                Err(Error::ChildGone(exit)) => {
                    assert!(matches!(exit.reason, ExitReason::Signalled { signal: 9, .. }));
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        check_all(&held, pid);
        drop(held);
        let stats = session.stats();
        assert_eq!(stats.presented, stats.shown + stats.superseded + stats.stale + stats.lost);
    }
}

#[test]
fn its_death_leaves_whole_frames() {
    let Some(program) = program() else { return };
    killed(&program, "mailbox 3 0");
    killed(&program, "fifo 3 0");
}

/// All of it once more where reads and writes out of place are found.
#[test]
fn no_byte_out_of_place() {
    let Some(program) = sanitized() else { return };
    mailbox(&program, 3, 2000);
    fifo(&program, 16, 500);
    paced(&program, "mailbox", 50);
    resized(&program, "mailbox 3 0");
    echoed(&program, "fifo 3 0");
}

/// The page's own code for the control page, piece after piece.
#[test]
fn the_code_of_the_page_compiles() {
    let page = include_str!("../../PROTOCOL.md");
    let chapter = page.split_once("\n## Control page").expect("the chapter").1;
    let chapter = chapter.split_once("\n## ").expect("another chapter").0;
    let pieces = chapter.split("```c\n").skip(1).map(|piece| piece.split("```").next().unwrap());
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("control_page.c");
    std::fs::write(&source, pieces.collect::<String>()).unwrap();
    compiled("control_page.o", &source, &["-c", "-Wno-unused-function"]);
}
