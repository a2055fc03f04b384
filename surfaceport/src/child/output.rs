//! What a child writes to stdout and stderr: the last lines are kept.

use std::collections::VecDeque;
use std::io::Write as _;

use crate::sys::{PipeRead, Source, StderrPipe};
use crate::time::Timestamp;

const KEPT_LINES: usize = 20;
const LINE_BYTES: usize = 1024;
/// Bytes that are read in one go, so that a child that writes without end does
/// not keep the host from its work.
const BUDGET: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct Output {
    pipe: StderrPipe,
    forward: bool,
    lines: VecDeque<String>,
    partial: Vec<u8>,
    pub(super) closed: bool,
    pub(super) muted_until: Option<Timestamp>,
}

impl Output {
    pub(super) fn new(pipe: StderrPipe, forward: bool) -> Self {
        let (lines, partial) = (VecDeque::new(), Vec::new());
        Self { pipe, forward, lines, partial, closed: false, muted_until: None }
    }

    /// Reads up to the budget. `true`: there is more.
    pub(super) fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        for _ in 0..BUDGET / buffer.len() {
            match self.pipe.read(&mut buffer) {
                PipeRead::Bytes(count) => self.take(buffer.get(..count).unwrap_or(&[])),
                PipeRead::Empty => return false,
                PipeRead::End => {
                    self.closed = true;
                    return false;
                }
            }
        }
        true
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.partial.len());
            let line = piece.strip_suffix(b"\n");
            self.partial.extend(line.unwrap_or(piece).iter().take(room));
            if line.is_some() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        if self.forward {
            // Not eprintln!, which panics where stderr is closed.
            let _nowhere = writeln!(std::io::stderr(), "{line}");
        }
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Reads what is left when the child has ended.
    pub(super) fn finish(&mut self) {
        // The pipe holds 64 KiB; a grandchild that goes on writing is not waited for.
        for _ in 0..4 {
            if !self.read() {
                break;
            }
        }
        if !self.partial.is_empty() {
            self.end_line();
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }

    pub(super) fn source(&self) -> Source<'_> {
        self.pipe.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Spawn;

    fn run(script: &str) -> Vec<String> {
        let spawn = Spawn {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            ..Spawn::default()
        };
        let spawned = spawn.start().unwrap();
        let mut output = Output::new(spawned.stderr, false);
        while !output.closed {
            output.read();
        }
        output.finish();
        output.into_lines()
    }

    #[test]
    fn keeps_the_last_twenty_lines() {
        let lines = run("i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done");
        let expected: Vec<_> = (30..50).map(|i| format!("line {i}")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn keeps_an_unfinished_line_and_cuts_a_long_one() {
        let lines = run("printf '%05000d' 7; echo; printf 'no newline'");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), LINE_BYTES);
        assert_eq!(lines[1], "no newline");
    }
}
