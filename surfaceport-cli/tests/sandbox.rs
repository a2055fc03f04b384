//! The demo's child draws the same frames in a sandbox as without.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;

use servers::landlock;
use surfaceport::{Command, Error, Event, Restart, Sandbox, Session, Size};

const DEMO: &str = env!("CARGO_BIN_EXE_surfaceport");
const FRAMES: u64 = 12;
const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80">
<rect width="120" height="80" fill="#fd8"/><circle cx="60" cy="40" r="30" fill="#36c"/>
<text x="10" y="40" font-size="20">inside</text></svg>"##;

fn skip() -> bool {
    let ready = surfaceport::os::linux::has_seccomp() && surfaceport::os::linux::landlock_abi() > 0;
    let instrumented = std::env::var_os("ASAN_OPTIONS").is_some();
    if !ready || instrumented {
        println!("not run: the demo in a sandbox, which needs Landlock, seccomp, and no sanitizer");
    }
    !ready || instrumented
}

/// The pixels of all frames of a scene.
fn frames(scene: &Path, sandbox: Option<Sandbox>) -> Vec<Vec<u8>> {
    let mut command = Command::new(DEMO)
        .args(["demo-child", "--mode=fifo", "--record-fps=60", "--counted", "--scene"])
        .arg(scene)
        .restart(Restart::never());
    if scene.is_absolute() {
        command = command.sandbox_read(scene);
    }
    if let Some(level) = sandbox {
        // Without Landlock there is a gap.
        let whole = surfaceport::os::linux::landlock_abi() > 0;
        command = if whole { command.require_sandbox(level) } else { command.sandbox(level) };
    }
    let mut session = Session::spawn(command).expect("the demo's child starts");
    session.configure(Size::new(160, 120), surfaceport::Scale::default()).expect("a size");
    let mut frames = Vec::new();
    loop {
        match session.next_event(Duration::from_secs(20)).expect("the child lives") {
            Some(Event::Connected { .. }) => {
                assert_eq!(session.sandbox().map(surfaceport::Confinement::level), sandbox);
                session.send(format!("frames {FRAMES}").as_bytes()).expect("it listens");
                session.begin_frame(surfaceport::Timestamp::now());
            }
            Some(Event::Frame(frame)) => {
                let mut pixels = vec![0; 160 * 120 * 4];
                frame.copy_to(&mut pixels).expect("its pixels");
                frames.push(pixels);
                session.begin_frame(surfaceport::Timestamp::now());
            }
            Some(Event::Exited { exit, .. }) => {
                assert_eq!(exit.reason, surfaceport::ExitReason::Exited(0), "{exit}");
                return frames;
            }
            Some(_) => {}
            None => panic!("nothing for 20 s after {} frames", frames.len()),
        }
    }
}

#[test]
fn frames_are_the_same_in_a_sandbox() {
    if skip() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("surfaceport-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let picture = folder.join("picture.svg");
    std::fs::write(&picture, PICTURE).expect("a picture");
    for scene in [Path::new("portable"), Path::new("pattern"), &picture] {
        let open = frames(scene, None);
        assert_eq!(open.len() as u64, FRAMES);
        assert!(open.iter().any(|frame| *frame != open[0]) || scene == picture);
        for level in [Sandbox::Renderer, Sandbox::Gpu] {
            assert!(frames(scene, Some(level)) == open, "{}: {level}", scene.display());
        }
    }
    // A picture that it may not read, and that nobody let it.
    let command = Command::new(DEMO).args(["demo-child", "--scene"]).arg(&picture);
    let command = command.restart(Restart::never()).sandbox(Sandbox::Renderer);
    let mut session = Session::spawn(command).expect("the demo's child starts");
    let Err(Error::ChildGone(exit)) = session.next_frame(Duration::from_secs(20)) else {
        panic!("it read a file that is not its own");
    };
    assert!(!exit.connected, "{exit}");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

/// Runs the demo's own frames in its sandbox: what it says.
fn demo() -> String {
    let output = Program::new(DEMO)
        .args(["demo", "--headless", "--frames", "10", "--verify", "--sandbox"])
        .output()
        .expect("the demo runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_demo_says_what_its_sandbox_is() {
    if skip() {
        return;
    }
    let said = demo();
    let abi = surfaceport::os::linux::landlock_abi();
    assert!(said.contains(&format!("sandbox renderer by Landlock {abi}, seccomp")), "{said}");
    assert!(!said.contains("but"), "{said}");
}

/// Which version a process is started to see.
const OLD_KERNEL: &str = "SURFACEPORT_TEST_LANDLOCK";

/// Not a test of its own: what the next one starts.
#[test]
fn on_an_old_kernel() {
    let Ok(abi) = std::env::var(OLD_KERNEL) else { return };
    let abi: u32 = abi.parse().expect("a version");
    // Before any child: all are started from a thread that this one starts.
    landlock::become_old(abi, landlock::ENOSYS);
    assert_eq!(surfaceport::os::linux::landlock_abi(), abi);
    let said = demo();
    let means = match abi {
        0 => "sandbox renderer by seccomp, limits, but files are not confined".to_owned(),
        abi => format!("sandbox renderer by Landlock {abi}, seccomp, limits"),
    };
    assert!(said.contains(&means), "{said}");
    assert_eq!(said.contains("but"), abi == 0, "{said}");
    let scene = Path::new("portable");
    let open = frames(scene, None);
    for level in [Sandbox::Renderer, Sandbox::Gpu] {
        assert!(frames(scene, Some(level)) == open, "{level}");
    }
}

#[test]
fn the_demo_draws_on_every_version_of_landlock() {
    if skip() {
        return;
    }
    for abi in landlock::versions(surfaceport::os::linux::landlock_abi()) {
        let output = Program::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "on_an_old_kernel", "--nocapture"])
            .env(OLD_KERNEL, abi.to_string())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "Landlock {abi}: {said}");
    }
}
