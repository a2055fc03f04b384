//! System calls, counted from outside by strace.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::ROLE;

/// One system call of a process.
#[derive(Debug)]
pub struct Call {
    pub pid: u32,
    pub name: String,
    pub text: String,
}

/// Runs this test binary in a role under strace, and what it starts; gives what
/// the role printed, and the calls between the marks. `None`: not to be had.
pub fn trace(role: &str, parameters: &[(&str, &str)]) -> Option<(String, Vec<Call>)> {
    if super::is_instrumented() {
        println!("not run: counting system calls under AddressSanitizer, which adds its own");
        return None;
    }
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        println!("not run: counting system calls needs strace, and the right to trace");
        return None;
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = format!("surfaceport-trace-{}-{next}", std::process::id());
    let file = std::env::temp_dir().join(file);
    let mut command = Command::new("strace");
    command.args(["-f", "-s", "16", "-o"]).arg(&file).arg(std::env::current_exe().unwrap());
    let output = alone(&mut command, role, parameters);
    let text = std::fs::read_to_string(&file).unwrap();
    let _removed = std::fs::remove_file(&file);
    Some((output, calls(&text)))
}

/// What a role says on stderr with this before it, whoever waits sees at once.
pub const PROGRESS: &str = "progress: ";

/// Runs this test binary in a role, with nothing else in its process; gives
/// what it printed.
pub fn run_alone(role: &str, parameters: &[(&str, &str)]) -> String {
    alone(&mut Command::new(std::env::current_exe().unwrap()), role, parameters)
}

fn alone(command: &mut Command, role: &str, parameters: &[(&str, &str)]) -> String {
    let mut process = command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .envs(parameters.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(process.stderr.take().unwrap());
    let errors = std::thread::spawn(move || {
        let mut all = String::new();
        for line in errors.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if line.starts_with(PROGRESS) {
                eprintln!("{line}");
            }
            all.extend([&line, "\n"]);
        }
        all
    });
    let output = process.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = errors.join().unwrap();
    assert!(output.status.success(), "{role}: {printed}{errors}");
    printed
}

/// What a role writes to any file: from the first to the second time, its
/// calls count. Not to stderr, which would wake its host.
pub const MARK: &[u8] = b"-mark-";

fn calls(text: &str) -> Vec<Call> {
    let mut marks = BTreeMap::new();
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines() {
        let Some((pid, text)) = line.split_once(' ') else { continue };
        let pid: u32 = pid.parse().unwrap();
        let text = text.trim_start();
        let marks = marks.entry(pid).or_insert(0);
        if text.contains("\"-mark-\"") {
            *marks += 1;
        } else if text.starts_with("<... ") {
            // The second half of a call, behind something of another process.
            if let Some(index) = open.remove(&pid) {
                calls[index].text.push_str(text);
            }
        } else if *marks == 1
            && let Some((name, _)) = text.split_once('(')
            // Not a signal or an exit.
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            if text.ends_with("<unfinished ...>") {
                open.insert(pid, calls.len());
            }
            calls.push(Call { pid, name: name.into(), text: text.into() });
        }
    }
    calls
}

/// How often each call was made.
pub fn by_name<'a>(calls: impl IntoIterator<Item = &'a Call>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.name.as_str()).or_default() += 1;
    }
    counts
}

/// The number that a role printed behind a word.
pub fn printed(output: &str, word: &str) -> u64 {
    let line = output.lines().find_map(|line| line.split_once(&format!("{word}=")));
    let number = line.unwrap_or_else(|| panic!("no {word} in {output}")).1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().unwrap()
}
