//! `--verify` finds what is wrong: children that lie, run by `host`.
#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::hash::Hasher as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use support::{assert_adds_up, assert_none_left, number, run};
use surfaceport::{Canvas, Damage, Deadline, Error, Outcome, Renderer, Size, SwapchainDescriptor};
use twox_hash::XxHash3_64;

/// What `--verify` wants in a frame's user data: see `demo --help`.
struct Stamp {
    hash: u64,
    child: u64,
    sequence: u64,
}

impl Stamp {
    fn of<'a>(rows: impl Iterator<Item = &'a mut [u8]>, sequence: u64) -> Self {
        let mut hasher = XxHash3_64::new();
        rows.for_each(|row| hasher.write(row));
        Self { hash: hasher.finish(), child: std::process::id().into(), sequence }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let words = [self.hash, self.child, self.sequence].map(u64::to_le_bytes).concat();
        [b"spstamp1".to_vec(), words].concat()
    }
}

const LIE: &str = "SURFACEPORT_TEST_LIE";

/// Not a test of its own: the child, when `host` starts this binary.
#[test]
fn child() {
    let Ok(lie) = std::env::var(LIE) else { return };
    match draw(&lie) {
        Ok(()) | Err(Error::HostGone) => std::process::exit(0),
        Err(error) => panic!("{error}"),
    }
}

fn draw(lie: &str) -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(Size::new(64, 64)))?;
    loop {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        let sequence = swapchain.presented() + 1;
        canvas.bytes_mut().fill(sequence as u8);
        stamp(&mut canvas, sequence, lie);
        let id = canvas.present(Damage::FULL)?;
        if lie == "later" {
            // Only once the host has looked.
            while !swapchain
                .outcomes()
                .any(|of| matches!(of, (it, Outcome::Shown { .. }) if it == id))
            {
                std::thread::sleep(Duration::from_millis(1));
                while renderer.dispatch()?.is_some() {}
            }
            scribble();
        }
        swapchain.wait_begin_frame(Deadline::NEVER)?;
    }
}

fn stamp(canvas: &mut Canvas<'_>, sequence: u64, lie: &str) {
    let mut stamp = Stamp::of(canvas.rows_mut(), sequence);
    match lie {
        "unstamped" => return,
        "torn" => canvas.bytes_mut()[9000] ^= 1,
        "child" => stamp.child += 1,
        "sequence" => stamp.sequence -= 1,
        "sometimes" if sequence.is_multiple_of(3) => return,
        _ => {}
    }
    canvas.set_user_data(&stamp.to_bytes());
}

/// Writes into every surface, whoever has it.
fn scribble() {
    for entry in std::fs::read_dir("/proc/self/fd").expect("handles").flatten() {
        let is_memory = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"));
        let Some(file) = File::options().write(true).open(entry.path()).ok().filter(|_| is_memory)
        else {
            continue;
        };
        if file.metadata().is_ok_and(|data| data.len() == 64 * 64 * 4) {
            file.write_all_at(&[0xee; 16], 8000).expect("it is not sealed against writing");
        }
    }
}

fn shown(lie: &str) -> support::Said {
    let this = std::env::current_exe().expect("a path");
    let this = this.to_str().expect("text");
    // By the environment, which the child inherits.
    let said = support::program(lie)
        .env(LIE, lie)
        .args(["host", "--headless", "--verify", "--json", "--frames", "12", "--"])
        .args([this, "--exact", "child", "--nocapture"])
        .output()
        .expect("the program starts");
    assert_none_left(lie);
    support::Said {
        code: said.status.code(),
        stdout: String::from_utf8(said.stdout).expect("text"),
        stderr: String::from_utf8(said.stderr).expect("text"),
    }
}

#[test]
fn an_honest_child_of_any_program_is_verified() {
    let said = shown("none");
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.json();
    assert_adds_up(&line);
    assert!(number(&line, "presented") >= 12, "{line}");
    assert_eq!([number(&line, "torn"), number(&line, "foreign")], [0, 0], "{line}");
    assert_eq!(number(&line, "verified"), number(&line, "shown"), "{line}");
}

#[test]
fn lies_are_found() {
    for (lie, count) in
        [("torn", "torn"), ("later", "torn"), ("child", "foreign"), ("sequence", "foreign")]
    {
        let said = shown(lie);
        assert_eq!(said.code, Some(3), "{lie}: {said:?}");
        assert!(said.stderr.contains("verification failed"), "{lie}: {said:?}");
        let line = said.json();
        assert_adds_up(&line);
        assert!(number(&line, count) >= 2, "{lie}: {line}");
        let other = if count == "torn" { "foreign" } else { "torn" };
        assert_eq!(number(&line, other), 0, "{lie}: {line}");
    }
}

#[test]
fn frames_without_a_stamp_are_not_taken_for_verified() {
    let said = shown("unstamped");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("carry no stamp"), "{said:?}");
    let said = shown("sometimes");
    assert_eq!(said.code, Some(3), "{said:?}");
}

#[test]
fn the_demo_is_verified_at_full_size() {
    let said = run(
        "full size",
        &["demo", "--headless", "--verify", "--json", "--frames", "20", "--size", "1920x1080"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(number(&said.json(), "torn"), 0);
}
