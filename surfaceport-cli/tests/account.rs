//! The account of `demo` and `host` adds up, whatever happens to the children.

mod support;

use support::{assert_adds_up, number, run};

#[test]
fn every_frame_is_accounted_for_and_whole() {
    for (mode, fps) in [("mailbox", "0"), ("fifo", "0"), ("mailbox", "120"), ("fifo", "120")] {
        let said = run(
            "whole",
            &[
                "demo",
                "--headless",
                "--verify",
                "--json",
                "--frames",
                "90",
                "--size",
                "320x200",
                "--mode",
                mode,
                "--fps",
                fps,
            ],
        );
        assert_eq!(said.code, Some(0), "{said:?}");
        let line = said.json();
        assert_adds_up(&line);
        assert_eq!(number(&line, "presented"), 90);
        for none in ["torn", "foreign", "host_copies", "restarts", "lost", "stale"] {
            assert_eq!(number(&line, none), 0, "{none}: {line}");
        }
        assert_eq!(number(&line, "verified"), number(&line, "shown"));
        if mode == "fifo" {
            assert_eq!(number(&line, "shown"), 90);
        }
        assert_eq!((&line["mode"], &line["size"]), (&mode.into(), &"320x200".into()));
        assert!(line["fps"].as_f64() > Some(0.0));
        assert!(line["handoff_us"]["p99"].as_f64() >= line["handoff_us"]["p50"].as_f64());
    }
}

#[test]
fn fifo_shows_all_that_was_presented_when_the_time_is_over() {
    let said = run(
        "fifo time",
        &["demo", "--headless", "--json", "--duration", "700ms", "--mode", "fifo", "--fps", "0"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.json();
    assert_adds_up(&line);
    assert!(number(&line, "shown") > 0 && line["shown"] == line["presented"], "{line}");
}

#[test]
fn each_pane_has_a_child() {
    let said = run(
        "panes",
        &[
            "demo",
            "--headless",
            "--verify",
            "--json",
            "--panes",
            "3x2",
            "--frames",
            "20",
            "--size",
            "300x200",
        ],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.json();
    assert_adds_up(&line);
    assert_eq!([number(&line, "presented"), number(&line, "children")], [120, 6]);
    assert_eq!(line["size"], "100x100");
}

#[test]
fn children_that_are_killed_are_started_again_and_show_again() {
    let said = run(
        "kills",
        &[
            "demo",
            "--headless",
            "--verify",
            "--json",
            "--panes",
            "2x1",
            "--duration",
            "3s",
            "--kill-child-every",
            "100ms",
        ],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.json();
    assert_adds_up(&line);
    assert_eq!([number(&line, "torn"), number(&line, "foreign")], [0, 0], "{line}");
    // More than the default policy would have borne; each showed a frame, but
    // for the ones that had just been started at the end.
    let restarts = number(&line, "restarts");
    assert!(restarts > 0, "{line}");
    assert!((restarts..=restarts + 2).contains(&number(&line, "children")), "{line}");
}

#[test]
fn a_number_of_frames_is_kept_over_restarts() {
    let said = run(
        "kept",
        &["demo", "--headless", "--json", "--frames", "60", "--kill-child-every", "150ms"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.json();
    assert_adds_up(&line);
    assert_eq!(number(&line, "presented"), 60, "{line}");
    assert!(number(&line, "restarts") > 0, "{line}");
}
