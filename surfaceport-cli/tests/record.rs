//! `--record`: the files are the scene, frame by frame, the same each time.

mod support;

use std::path::{Path, PathBuf};

use support::{Folder, Said, frames, picture, run, scene};

fn record(path: &Path, more: &[&str]) -> Said {
    // Each test has a folder of its own.
    let mark = path.parent().expect("a folder").display().to_string();
    let path = path.to_str().expect("text");
    let size = if more.contains(&"--size") { &[][..] } else { &["--size", "320x240"] };
    run(&mark, &[&["demo", "--headless", "--record", path], size, more].concat())
}

/// The same, which must do it.
fn recorded(folder: &Folder, name: &str, more: &[&str]) -> PathBuf {
    let path = folder.0.join(name);
    let said = record(&path, more);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.stderr.contains(&format!("wrote {}", path.display())), "{said:?}");
    path
}

#[test]
fn a_picture_is_the_last_frame() {
    let folder = Folder::new();
    // Frame k is at k / 60 s.
    let path = recorded(&folder, "demo.png", &["--frames", "30"]);
    assert_eq!(picture(&path).differing(&picture(&scene("portable-0500.png"))), 0);
    let svg = scene("balloon.svg");
    let svg = svg.to_str().expect("text");
    let path = recorded(&folder, "svg.png", &["--frames", "42", "--scene", svg]);
    assert_eq!(picture(&path).differing(&picture(&scene("svg-0700.png"))), 0);
    assert_eq!(folder.names().len(), 2, "something is left: {:?}", folder.names());
}

#[test]
fn the_readmes_command_makes_its_picture() {
    let folder = Folder::new();
    let path = recorded(&folder, "demo.png", &["--frames", "40", "--size", "960x600"]);
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures/demo.png");
    assert_eq!(picture(&path).differing(&picture(&shown)), 0);
}

#[test]
fn an_animation_has_every_frame_in_its_place() {
    let folder = Folder::new();
    let path = recorded(&folder, "demo.apng", &["--frames", "5", "--fps", "25"]);
    let (all, delay) = frames(&path);
    assert_eq!((all.len(), delay), (5, Some((1, 25))));
    for (frame, number) in all.iter().zip(["1", "2", "3", "4", "5"]) {
        let path = recorded(&folder, "one.png", &["--frames", number, "--fps", "25"]);
        assert!(*frame == picture(&path), "frame {number}");
    }
    assert!(all[0] != all[1], "nothing moves");
}

#[test]
fn raw_frames_are_the_pixels_alone() {
    let folder = Folder::new();
    let raw = recorded(&folder, "demo.raw", &["--duration", "200ms", "--fps", "20"]);
    let raw = std::fs::read(raw).expect("the file");
    let frame = 320 * 240 * 4;
    assert_eq!(raw.len(), 4 * frame);
    let last = picture(&recorded(&folder, "last.png", &["--frames", "4", "--fps", "20"]));
    let pixels = raw[3 * frame..].as_chunks::<4>().0;
    assert!(pixels.iter().map(|[b, g, r, a]| [*r, *g, *b, *a]).eq(last.pixels));
}

#[test]
fn two_recordings_are_equal_to_the_byte() {
    let folder = Folder::new();
    for name in ["a.png", "a.apng", "a.raw"] {
        let bytes =
            || std::fs::read(recorded(&folder, name, &["--frames", "12"])).expect("the file");
        assert!(bytes() == bytes(), "{name}");
    }
}

#[test]
fn what_cannot_be_recorded_is_said_in_words() {
    let folder = Folder::new();
    for (name, more, words) in [
        ("a.jpg", &[][..], ".apng"),
        ("none/a.png", &[], "none/a.png"),
        ("a.png", &["--panes", "2x1"], "one pane"),
        ("a.png", &["--fps", "0"], "--fps"),
    ] {
        let said = record(&folder.0.join(name), more);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}
