//! The demo in a terminal: tmux, on a socket of its own.
#![cfg(target_os = "linux")]

mod support;

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{Folder, assert_none_left, marked, marking, until};

/// The upper half of a cell.
const HALF_BLOCK: char = '\u{2580}';

/// A tmux server with one terminal in which a shell runs the demo; ended with
/// its value.
struct Tmux {
    mark: &'static str,
    folder: Folder,
}

impl Tmux {
    /// The demo runs, and is to be seen.
    fn start(mark: &'static str) -> Option<Self> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            println!("not run: a terminal needs the package tmux");
            return None;
        }
        let tmux = Self { mark, folder: Folder::new() };
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh"]);
        let (name, value) = marking(mark);
        let script = tmux.folder.0.join("script");
        // It goes on without the terminal, to tell the exit code.
        let text = format!(
            "trap '' HUP\ncd '{}'\nstty -g > before\n\
             {name}='{value}' COLORTERM=truecolor '{}' demo --terminal --time 0.5\n\
             echo $? > code\nstty -g > after\n",
            tmux.folder.0.display(),
            env!("CARGO_BIN_EXE_surfaceport"),
        );
        std::fs::write(&script, text).expect("the script");
        tmux.keys(&[&format!("sh '{}'", script.display()), "Enter"]);
        until("half blocks are on the screen", || {
            tmux.screen().lines().filter(|line| blocks(line) > 40).count() > 10
        });
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.0.join("socket")).args(arguments).stdin(Stdio::null());
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("ASAN_OPTIONS", "detect_leaks=0");
        String::from_utf8_lossy(&command.output().expect("tmux").stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// What the shell wrote into a file.
    fn told(&self, name: &str) -> String {
        let path = self.folder.0.join(name);
        let mut text = String::new();
        until(name, || {
            text = std::fs::read_to_string(&path).unwrap_or_default();
            text.ends_with('\n')
        });
        text
    }

    /// Waits for the end: nobody is left.
    fn assert_ends(&self) {
        assert_eq!(self.told("code"), "0\n", "{}", self.screen());
        assert_none_left(self.mark);
    }

    /// The terminal is as it was: its modes, its screen, its cursor.
    fn assert_restored(&self) {
        assert_eq!(self.told("after"), self.told("before"));
        until("the shell's screen is back", || blocks(&self.screen()) == 0);
        assert_eq!(self.run(&["display", "-p", "#{cursor_flag} #{alternate_on}"]).trim(), "1 0");
    }

    /// The program's process, and not the child's.
    fn program(&self) -> Pid {
        let is_program = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("--terminal")
        };
        let all = marked(self.mark);
        Pid::from_raw(all.into_iter().find(is_program).expect("the program")).expect("an id")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

fn blocks(text: &str) -> usize {
    text.chars().filter(|character| *character == HALF_BLOCK).count()
}

/// All 24-bit colours of a text with escape sequences.
fn colors(text: &str) -> Vec<[u8; 3]> {
    let color = |rest: &str| {
        let end = rest.find('m')?;
        let mut numbers = rest[..end].split(';').map(|number| number.parse().ok());
        Some([numbers.next()??, numbers.next()??, numbers.next()??])
    };
    text.split("8;2;").skip(1).filter_map(color).collect()
}

#[test]
fn the_scene_is_shown_in_half_blocks_and_q_ends_it() {
    let Some(tmux) = Tmux::start("q") else { return };
    until("the last line says the rate", || {
        tmux.screen().lines().last().is_some_and(|line| line.contains("fps"))
    });
    let colors = colors(&tmux.run(&["capture-pane", "-p", "-e"]));
    let has = |what: fn(&[u8; 3]) -> bool| colors.iter().any(what);
    assert!(has(|color| *color == [255; 3]), "no white: {colors:?}");
    assert!(has(|[r, _, b]| *b > 150 && *r < 100), "no blue circle: {colors:?}");
    assert!(has(|[r, _, b]| *r > 150 && *b < 100), "no red rectangle: {colors:?}");
    tmux.keys(&["q"]);
    tmux.assert_ends();
    tmux.assert_restored();
}

#[test]
fn ctrl_c_ends_it() {
    let Some(tmux) = Tmux::start("ctrl-c") else { return };
    tmux.keys(&["C-c"]);
    tmux.assert_ends();
    tmux.assert_restored();
}

#[test]
fn sigterm_ends_it() {
    let Some(tmux) = Tmux::start("sigterm") else { return };
    kill_process(tmux.program(), Signal::TERM).expect("it is there");
    tmux.assert_ends();
    tmux.assert_restored();
}

#[test]
fn it_follows_the_terminals_size() {
    let Some(tmux) = Tmux::start("resized") else { return };
    tmux.run(&["resize-window", "-x", "50", "-y", "15"]);
    until("it fills the new size", || {
        let screen = tmux.screen();
        let lines: Vec<_> = screen.lines().collect();
        // The last one says the rate.
        lines.len() == 15 && lines[..14].iter().all(|line| blocks(line) == 50)
    });
    tmux.keys(&["q"]);
    tmux.assert_ends();
    tmux.assert_restored();
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let Some(tmux) = Tmux::start("gone") else { return };
    tmux.run(&["kill-server"]);
    tmux.assert_ends();
}
