//! How it ends, and what it leaves.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use surfaceport::{ExitReason, Restart, Timestamp};

use crate::bad::{Bad, stay};
use crate::support::raw::{Setup, packet};
use crate::table::Expect::{Exits, GivesUp, Lives};
use crate::table::Start::{Greeted, Nothing, Shown};
use crate::table::{Behaviour, IGNORED, STALLS, row};

const CODE_7: crate::table::Expect =
    Exits(|reason| *reason == ExitReason::Exited(7), "ended: exit code 7");
const KILLED: crate::table::Expect =
    Exits(|reason| matches!(reason, ExitReason::Signalled { signal: 9, .. }), "ended: signal 9");

fn kill_me(signal: Signal) -> ! {
    // The first SIGSEGV is swallowed: std's handler looks whether it was a stack's end.
    loop {
        rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Something that lives on: a process of this one's group, with all its handles.
#[expect(clippy::zombie_processes, reason = "it is left behind on purpose")]
fn leave_behind(program: &str, arguments: &[&str]) {
    Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap();
}

/// The same with the socket, which is inherited, and this one's output.
fn leave_sleepers(count: usize) {
    (0..count).for_each(|_| leave_behind("sleep", &["30"]));
}

/// Stops this process; a process of another group lets it go on after 200 ms.
fn stop_for_a_while() {
    let me = std::process::id();
    let script = format!("sleep 0.2; kill -CONT {me}");
    leave_behind("setsid", &["sh", "-c", &script]);
    rustix::process::kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
}

/// Draws half a frame.
fn draw_half(bad: &Bad) {
    let slot = usize::try_from(bad.slot()).unwrap();
    rustix::io::pwrite(&bad.surfaces[slot], &[0x77; 2048], 0).unwrap();
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    vec![
        row("exit before Hello", &[59], Nothing, CODE_7, "exits with code 7", |_| std::process::exit(7)),
        row("exit after Hello", &[59], Greeted, CODE_7, "exits with code 7", |_| std::process::exit(7)),
        row("exit while shown", &[59], Shown, CODE_7, "exits with code 7", |_| std::process::exit(7)),
        row("killed before Hello", &[59], Nothing, KILLED, "is killed", |_| kill_me(Signal::KILL)),
        row("killed after Hello", &[59], Greeted, KILLED, "is killed", |_| kill_me(Signal::KILL)),
        row("killed after Setup", &[59], Greeted, KILLED, "is killed before its first frame", |bad| {
            bad.set_up(Setup::small(1));
            kill_me(Signal::KILL);
        }),
        row("killed while it draws", &[60], Shown, KILLED, "is killed with half a frame drawn into a slot of its own", |bad| {
            draw_half(bad);
            kill_me(Signal::KILL);
        }),
        row("killed as it presents", &[59, 60], Shown, KILLED, "is killed right after the word", |bad| {
            bad.live_unheard();
            kill_me(Signal::KILL);
        }),
        row("crash", &[59], Shown,
            Exits(|reason| matches!(reason, ExitReason::Signalled { signal: 11, .. }), "ended: signal 11"),
            "gets SIGSEGV", |_| kill_me(Signal::SEGV)),
        row("abort", &[59], Shown,
            Exits(|reason| matches!(reason, ExitReason::Signalled { signal: 6, .. }), "ended: signal 6"),
            "aborts", |_| std::process::abort()),
        row("forbidden system call", &[75], Shown,
            Exits(|reason| matches!(reason, ExitReason::Signalled { signal: 31, .. }), "ended: signal 31"),
            "gets SIGSYS, as from a system call filter", |_| kill_me(Signal::SYS)),
        row("stopped while it draws", &[55], Shown, Lives(STALLS),
            "is stopped with half a frame drawn, and goes on after 200 ms", |bad| {
                draw_half(bad);
                stop_for_a_while();
                bad.live();
            })
            .limits(|limits| limits.stall(Duration::from_millis(20)))
            .host(|session| session.begin_frame(Timestamp::now())),
        row("stopped for ever", &[55], Shown,
            Exits(|reason| *reason == ExitReason::Stalled, "ended: stalled, by the host's policy"),
            "is stopped; the host's policy is to end it", |_| kill_me(Signal::STOP))
            .limits(|limits| limits.stall(Duration::from_millis(20)).end_stalled(true)),
        row("stopped before Hello", &[5, 55], Nothing,
            crate::table::Expect::Ends(surfaceport::Violation::HandshakeTimeout),
            "is stopped before it says anything (20 ms are granted)", |_| kill_me(Signal::STOP))
            .limits(|limits| limits.handshake(Duration::from_millis(20))),
        row("Bye, and stays", &[59, 64], Shown,
            Exits(|reason| *reason == ExitReason::Closed, "ended: closed"),
            "says Bye and does not end (20 ms are granted)", |bad| { bad.raw.send(&packet(7, &[0; 4]), &[]); }),
        row("leaves processes behind", &[62], Shown, CODE_7,
            "exits while five processes of its group hold all that it had", |_| {
                leave_sleepers(5);
                std::process::exit(7);
            }),
        row("leaves talkers behind", &[62, 13], Shown, CODE_7,
            "exits while a process of its group writes to its output without end", |_| {
                leave_behind("yes", &["i am not gone"]);
                std::process::exit(7);
            }),
        row("zombies", &[63], Shown, CODE_7,
            "never waits for its own children", |_| {
                (0..10).for_each(|_| leave_behind("true", &[]));
                std::process::exit(7);
            }),
        row("ended with its family", &[62], Shown,
            crate::table::Expect::Ends(surfaceport::Violation::UnknownMessage),
            "is ended while five processes of its group hold all that it had", |bad| {
                leave_sleepers(5);
                bad.raw.send(&packet(99, &[]), &[]);
            }),
        row("ignores signals", &[59], Shown, Exits(|reason| *reason == ExitReason::Closed, "ended: closed"),
            "ignores what can be ignored, closes the connection and stays", |bad| {
                leave_behind("sh", &["-c", "trap '' HUP INT QUIT TERM; sleep 30"]);
                bad.raw.send(&packet(7, &[0; 4]), &[]);
                stay();
            }),
        row("crash loop", &[64], Greeted, GivesUp, "exits with code 7, each time that it is started", |_| std::process::exit(7))
            .restart(Restart::default().limit(3).delay(Duration::from_millis(1))),
        row("violation loop", &[64], Greeted, GivesUp, "breaks the protocol, each time that it is started", |bad| {
                bad.raw.send(&packet(99, &[]), &[]);
                stay();
            })
            .restart(Restart::default().limit(3).delay(Duration::from_millis(1))),
        row("clocks that lie", &[56], Shown, Lives(IGNORED),
            "answers begin-frames from the future and from the past", |bad| {
                for time in [0, 1, u64::MAX / 2, u64::MAX] {
                    bad.hookup().store(bad.block() + 256 + 128 * bad.slot() + 8, time);
                    bad.show();
                }
                bad.live();
            })
            .host(|session| session.begin_frame(Timestamp::now())),
        row("signals its own group", &[57, 59], Shown, KILLED,
            "kills its whole group", |_| {
                leave_sleepers(2);
                let me = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
                let _sent = rustix::process::kill_process_group(me, Signal::KILL);
                stay();
            }),
    ]
}
