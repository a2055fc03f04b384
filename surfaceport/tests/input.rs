//! Pointer, keys and focus on their way to a child, and what becomes of them
//! when it does not read, takes none, or dies.
#![cfg(target_os = "linux")]

mod support;

use std::time::Duration;

use rustix::process::Signal;
use support::raw::{Raw, hello};
use support::{
    await_connected, await_sleep, await_stop, event, parameter, run_child, signal, start, watchdog,
};
use surfaceport::{
    Button, Deadline, Error, Event, Input, KeyCode, KeyState, Modifiers, Point, PointerAction,
    Renderer, RendererEvent, Restart, Scale, Session, Size,
};

#[test]
fn child() {
    run_child(&[("echo", echo), ("deaf", deaf), ("spinning", spinning), ("drawing", drawing)]);
}

/// Says what it hears.
fn echo() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Input(input)) => renderer.send(format!("{input:?}").as_bytes())?,
            Some(RendererEvent::Message(bytes)) => renderer.send(&bytes)?,
            Some(RendererEvent::Bye) => return Ok(()),
            _ => {}
        }
    }
}

/// A child of its own making, without the feature: what comes is what it was sent.
fn deaf() -> Result<(), Error> {
    let raw = Raw::inherited();
    raw.send(&hello(1, 1, 0, 0), &[]);
    let (welcome, _) = raw.receive().unwrap();
    assert_eq!(welcome[16..24], [0; 8], "features that were not asked for");
    let (next, _) = raw.receive().unwrap();
    assert_eq!(next[0], 6, "something came before the message");
    raw.send(&next, &[]);
    raw.receive();
    Ok(())
}

/// Waits for frames to be wanted, and asks for no event.
fn drawing() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = support::swapchain(&renderer)?;
    for sequence in 1..=parameter("FRAMES", 2) {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        support::roles::show_one(&swapchain, sequence)?;
    }
    // What was kept for it, when it asks at last.
    let mut kept = 0;
    while let Some(event) = renderer.dispatch()? {
        kept += usize::from(matches!(event, RendererEvent::Input(_)));
    }
    renderer.send(kept.to_string().as_bytes())?;
    renderer.next_event(Deadline::NEVER)?;
    Ok(())
}

/// Never reads.
fn spinning() -> Result<(), Error> {
    let _renderer = Renderer::connect()?;
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn message(session: &mut Session) -> String {
    loop {
        match event(session) {
            Event::Message(bytes) => return String::from_utf8(bytes).unwrap(),
            Event::Exited { exit, .. } => panic!("{exit}"),
            _ => {}
        }
    }
}

fn moved(x: f64) -> Input {
    Input::pointer(Point::new(x, 0.0), PointerAction::Moved)
}

fn key(code: KeyCode, state: KeyState) -> Input {
    Input::Key { code, state, modifiers: Modifiers::NONE, character: Some('x') }
}

#[test]
fn a_child_hears_what_the_user_did() {
    let _watchdog = watchdog("input");
    let mut session = Session::spawn(start("echo")).unwrap();
    assert!(!session.takes_input());
    await_connected(&mut session);
    assert!(session.takes_input());
    let at = Point::new(-3.25, 70_000.0);
    let inputs = [
        Input::Focus(true),
        Input::pointer(at, PointerAction::Entered),
        Input::Pointer {
            at,
            action: PointerAction::Pressed(Button::MIDDLE),
            modifiers: Modifiers::SHIFT | Modifiers::META,
        },
        Input::pointer(at, PointerAction::Released(Button::MIDDLE)),
        Input::pointer(at, PointerAction::Scrolled(Point::new(0.5, -1.0))),
        key(KeyCode::SPACE, KeyState::Pressed),
        key(KeyCode::SPACE, KeyState::Released),
        Input::pointer(at, PointerAction::Left),
        Input::Focus(false),
    ];
    for input in inputs {
        session.send_input(input).unwrap();
        assert_eq!(message(&mut session), format!("{input:?}"));
    }
    assert_eq!(session.stats().inputs_dropped, 0);
}

#[test]
fn a_child_that_takes_no_input_is_sent_none() {
    let _watchdog = watchdog("deaf");
    let mut session = Session::spawn(start("deaf")).unwrap();
    session.send_input(Input::Focus(true)).unwrap();
    await_connected(&mut session);
    assert!(!session.takes_input());
    for x in 0..1000 {
        session.send_input(moved(f64::from(x))).unwrap();
    }
    session.send(b"now").unwrap();
    assert_eq!(message(&mut session), "now");
    assert_eq!(session.stats().inputs_dropped, 0);
}

/// Stopped, it reads nothing, while its user goes on for hours: it is not ended
/// for that, the host keeps little, and in the end nothing is down.
#[test]
fn a_stopped_child_misses_moves_but_no_release() {
    let _watchdog = watchdog("stopped");
    let mut session = Session::spawn(start("echo")).unwrap();
    await_connected(&mut session);
    let pid = session.child_pid().unwrap();
    session.send_input(Input::Focus(true)).unwrap();
    session.send_input(key(KeyCode::UP, KeyState::Pressed)).unwrap();
    for heard in ["Focus(true)", "Pressed"] {
        assert!(message(&mut session).contains(heard));
    }
    signal(pid, Signal::STOP);
    await_stop(pid);
    for x in 0..20_000 {
        session.send_input(moved(f64::from(x % 2000))).unwrap();
        for code in 0..=255 {
            let state = if x % 2 == 0 { KeyState::Pressed } else { KeyState::Released };
            if x < 20 {
                session.send_input(key(KeyCode::keyboard(code), state)).unwrap();
            }
        }
    }
    let configure = session.configure(Size::new(30, 30), Scale::ONE);
    configure.expect("there is room for what is no input");
    session.send_input(key(KeyCode::UP, KeyState::Released)).unwrap();
    session.send_input(Input::Focus(false)).unwrap();
    assert!(session.stats().inputs_dropped > 0);
    session.send(b"end").unwrap();

    signal(pid, Signal::CONT);
    let mut down = std::collections::BTreeSet::from([KeyCode::UP.usage()]);
    let mut heard = 0;
    loop {
        let said = message(&mut session);
        if said == "end" {
            break;
        }
        heard += 1;
        // `Key { code: KeyCode(458834), state: Pressed, …`
        let code = said.split("KeyCode(").nth(1).and_then(|rest| rest.split(')').next());
        if let Some(code) = code.map(|code| code.parse::<u32>().unwrap()) {
            if said.contains("Pressed") {
                down.insert(code);
            } else if said.contains("Released") {
                assert!(down.remove(&code), "released what was not pressed: {said}");
            }
        }
        if said == "Focus(false)" {
            down.clear();
        }
    }
    assert_eq!(down.len(), 0, "{down:?}");
    assert!(heard < 2000, "{heard} of 25,000 were kept");
}

#[test]
fn a_child_that_never_asks_keeps_little() {
    let _watchdog = watchdog("never asks");
    let mut session = Session::spawn(start("drawing")).unwrap();
    await_connected(&mut session);
    let pid = session.child_pid().unwrap();
    // The first frame needs no begin-frame; then it sleeps, and hears.
    drop(support::frame(&mut session));
    for x in 0..3000 {
        let state = if x % 2 == 0 { KeyState::Pressed } else { KeyState::Released };
        session
            .send_input(key(KeyCode::keyboard(4 + u8::try_from(x / 2 % 100).unwrap()), state))
            .unwrap();
        if x % 50 == 0 {
            await_sleep(pid);
        }
    }
    session.begin_frame(surfaceport::Timestamp::now());
    let kept: usize = message(&mut session).parse().unwrap();
    assert!((1..=64).contains(&kept), "{kept}");
}

/// The one that takes over is told where the pointer is, and that keys come.
#[test]
fn the_next_child_knows_pointer_and_focus() {
    let _watchdog = watchdog("takes over");
    let restart = Restart::default().delay(Duration::ZERO);
    let mut session = Session::spawn(start("echo").restart(restart)).unwrap();
    await_connected(&mut session);
    session.send_input(Input::pointer(Point::new(1.0, 1.0), PointerAction::Entered)).unwrap();
    session.send_input(moved(5.0)).unwrap();
    session.send_input(Input::Focus(true)).unwrap();
    session.kill_child();
    while !matches!(event(&mut session), Event::Exited { .. }) {}
    // Released after the child that heard of it died: nobody else is told.
    session.send_input(key(KeyCode::UP, KeyState::Released)).unwrap();
    await_connected(&mut session);
    session.send_input(key(KeyCode::UP, KeyState::Released)).unwrap();
    session.send(b"end").unwrap();
    let entered = Input::pointer(Point::new(5.0, 0.0), PointerAction::Entered);
    assert_eq!(message(&mut session), format!("{entered:?}"));
    assert_eq!(message(&mut session), "Focus(true)");
    assert_eq!(message(&mut session), "end");
}

/// Input alone never ends a child, whatever it does not read.
#[test]
fn a_child_that_never_reads_is_not_ended_for_input() {
    let _watchdog = watchdog("never reads");
    let mut session = Session::spawn(start("spinning")).unwrap();
    await_connected(&mut session);
    for x in 0..5000 {
        let action = if x % 2 == 0 { PointerAction::Entered } else { PointerAction::Left };
        session.send_input(Input::pointer(Point::default(), action)).unwrap();
        while session.dispatch().unwrap().is_some() {}
    }
    assert!(session.takes_input() && session.stats().inputs_dropped > 0);
    assert!(session.exit().is_none());
}
