//! Running a command: its output is shown as it comes, and kept.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// No step of CI takes so long, unless it hangs.
const LIMIT: Duration = Duration::from_secs(45 * 60);
/// Nor does what is asked for by a number of one's own.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a process that outlives its parent may hold the output open.
const GRACE: Duration = Duration::from_secs(5);

/// What a command has left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Both outputs, in the order in which they came.
    pub(crate) output: String,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
}

impl Ran {
    /// The output of a command that succeeded.
    pub(crate) fn ok(self) -> Result<String, String> {
        match self.failure {
            None => Ok(self.output),
            Some(why) => Err(why),
        }
    }
}

/// Which lines of a command's output are shown; all are kept.
type Choice = Box<dyn FnMut(&str) -> bool + Send>;

/// Runs a command to its end, or to the limit.
pub(crate) fn run(command: &mut Command) -> Result<Ran, String> {
    run_within(LIMIT, command, Box::new(|_| true))
}

/// The same for one that may take as long as one likes.
pub(crate) fn run_long(command: &mut Command) -> Result<Ran, String> {
    run_within(LONG, command, Box::new(|_| true))
}

/// The same for a command that says more than is worth showing.
pub(crate) fn run_showing(
    command: &mut Command,
    choice: impl FnMut(&str) -> bool + Send + 'static,
) -> Result<Ran, String> {
    run_within(LIMIT, command, Box::new(choice))
}

fn run_within(limit: Duration, command: &mut Command, choice: Choice) -> Result<Ran, String> {
    let name = shown(command);
    println!("$ {name}");
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let other = writer.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(writer).stderr(other);
    let child = command.spawn().map_err(failed)?;
    // The command holds our ends of the pipe: without this it never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let output = Arc::new(Mutex::new(String::new()));
    let (ended, end) = mpsc::channel();
    let kept = Arc::clone(&output);
    std::thread::spawn(move || {
        keep(BufReader::new(reader), &kept, choice);
        // Nobody hears it if the command was given up on.
        let _ = ended.send(());
    });
    let failure = match wait(child, limit).map_err(failed)? {
        Some(status) if status.success() => None,
        Some(status) => Some(status.to_string()),
        None => Some(format!("no end after {} minutes", limit.as_secs() / 60)),
    };
    let _ = end.recv_timeout(GRACE);
    let output = output.lock().map_or_else(|bad| bad.into_inner().clone(), |text| text.clone());
    let failure = failure.map(|why| blame(&short(command), &why, &output));
    Ok(Ran { output, failure })
}

/// What failed, how, and the last error that it printed, with what it lists: for the
/// report, far below the output.
fn blame(command: &str, why: &str, output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with("error: ")) else {
        return format!("{command}: {why}");
    };
    let listed = lines[at + 1..].iter().take_while(|line| line.starts_with(' '));
    let listed = listed.filter(|_| lines[at].ends_with(':')).map(|line| line.trim());
    let error: Vec<&str> = std::iter::once(lines[at]).chain(listed).collect();
    format!("{command}: {why}: {}", error.join(" "))
}

/// `cargo test`
fn short(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).display().to_string();
    let first = command.get_args().next().map(|one| one.display().to_string());
    first.map_or_else(|| name.clone(), |first| format!("{name} {first}"))
}

/// Shows what is chosen of what comes, and keeps all, line by line.
fn keep(mut from: impl BufRead, kept: &Mutex<String>, mut choice: Choice) {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        if choice(text.trim_end()) {
            print!("{text}");
            let _ = std::io::stdout().flush();
        }
        if let Ok(mut kept) = kept.lock() {
            kept.push_str(&text);
        }
        line.clear();
    }
}

/// Waits for the end, `None` if it did not come: then the command and all that
/// it started are ended.
fn wait(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            for process in descendants(child.id()) {
                // The shell's own: a small Debian has no other.
                let _ = Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).status();
            }
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes below one, by `/proc`; none where there is no `/proc`.
fn descendants(of: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let text = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name stands in parentheses and may hold anything.
        let parent = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse::<u32>().ok()) {
            parents.push((process, parent));
        }
    }
    let mut found = vec![of];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|one| one.1 == parent).map(|one| one.0));
        at += 1;
    }
    found.split_off(1)
}

/// The command as one would type it, with what it adds to the environment.
fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={:?}", name.display(), value.display().to_string()));
        }
    }
    let program = Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(command.get_program()).display().to_string());
    words.extend(command.get_args().map(|one| one.display().to_string()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{blame, descendants, keep, run, shown, wait};
    use std::process::{Command, Stdio};
    use std::sync::Mutex;
    use std::time::Duration;

    #[test]
    fn both_outputs_are_kept_in_order() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; exit 3"]);
        let ran = run(&mut command).expect("it starts");
        assert_eq!(ran.output, "one\ntwo\nthree\n");
        assert_eq!(ran.failure.as_deref(), Some("sh -c: exit status: 3"));
        assert!(run(&mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn the_last_error_is_quoted() {
        let output = "error: one\nerror: two\n  error: three\nthe end\n";
        assert_eq!(
            blame("cargo doc", "exit status: 1", output),
            "cargo doc: exit status: 1: error: two"
        );
        let output = "error: 2 targets failed:\n    `--test a`\n    `--test b`\nthe end\n";
        assert_eq!(
            blame("cargo test", "exit status: 101", output),
            "cargo test: exit status: 101: error: 2 targets failed: `--test a` `--test b`"
        );
    }

    #[test]
    fn broken_text_is_kept() {
        let kept = Mutex::new(String::new());
        keep(&b"a\xffb\nno newline"[..], &kept, Box::new(|line| line != "no newline"));
        assert_eq!(*kept.lock().expect("unharmed"), "a\u{fffd}b\nno newline");
    }

    #[test]
    fn the_limit_ends_all_of_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600; true"]).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let id = child.id();
        while descendants(id).len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let below = descendants(id);
        assert_eq!(wait(child, Duration::ZERO).expect("it can be waited for"), None);
        let gone = |process: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
            stat.map_or(true, |text| text.contains(") Z"))
        };
        while !below.iter().all(gone) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--lib"]).env("RUSTFLAGS", "--cfg loom").env_remove("X");
        assert_eq!(shown(&command), "RUSTFLAGS=\"--cfg loom\" cargo test --lib");
    }
}
