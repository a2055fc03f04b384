//! `cargo xtask ci`: everything that CI runs, in its order.

use std::process::Command;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;

use crate::project::{self, Checked, Verdict};
use crate::{asan, counts, disasm, fuzz, host, layers, licences, loom, mac, run, suite};

/// So many lines of what failed are shown once more above the report.
const DETAILS: usize = 200;
/// Seconds for each fuzz target.
const FUZZ_SECONDS: u32 = 20;

/// What `.ci/run` installs: under CI, that one of these is missing is no excuse.
const INSTALLED: [&str; 21] = [
    "strace",
    "valgrind",
    "gcc",
    "g++",
    "xvfb",
    "xwayland",
    "weston",
    "sway",
    "grim",
    "util-linux",
    "tmux",
    "libx11-xcb1",
    "libxcursor1",
    "libxi6",
    "libxkbcommon-x11-0",
    "rustc-web",
    "cargo-web",
    "rust-web-clippy",
    "rust-web-src",
    "lld-22",
    "python3-pip",
];

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Checked,
    /// The folder for builds (`project::target`) that no later step needs.
    last_of: Option<&'static str>,
}

impl Step {
    const fn new(name: &'static str, what: &'static str, run: fn() -> Checked) -> Self {
        Self { name, what, run, last_of: None }
    }

    const fn last_of(mut self, folder: &'static str) -> Self {
        self.last_of = Some(folder);
        self
    }
}

const STEPS: [Step; 15] = [
    Step::new("toolchain", "rustc is the rust-version of Cargo.toml", toolchain),
    Step::new("format", "rustfmt has nothing to change", format),
    Step::new("layers", "who may import whom", layers::run),
    Step::new("clippy", "no warnings", clippy),
    Step::new("docs", "the documentation builds, no warnings", docs).last_of("doc"),
    Step::new("test", "the README's test command", suite::debug).last_of("debug"),
    Step::new("release-test", "the heavy runs", suite::release).last_of("release"),
    Step::new("loom", "every interleaving of the swapchain", || loom::run(None)).last_of("loom"),
    Step::new("fuzz", "the fuzz targets, for a while", || fuzz::search(FUZZ_SECONDS, None))
        .last_of("fuzz"),
    Step::new("asan", "the tests under AddressSanitizer", asan::run).last_of("asan"),
    Step::new("counts", "a frame's instructions, calls and allocations", || {
        counts::run(&counts::Options::default())
    })
    .last_of("callgrind"),
    Step::new("disasm", "no loop in the host's transitions", disasm::run).last_of("disasm"),
    Step::new("mac", "the macOS side, without a Mac", mac::run).last_of("mac"),
    Step::new("licences", "the licences of all dependencies", licences::run),
    Step::new("advisories", "known holes in dependencies", advisories),
];

/// The names of the steps, for the command line.
fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// Which steps are run, and what stays of them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Print the steps and run none
    #[arg(long)]
    list: bool,
    /// Run only this step; may be given more than once
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Remove what was built once no later step needs it: for a machine with little room
    #[arg(long)]
    sweep: bool,
}

/// Runs the steps; whether none failed.
pub(crate) fn run(Options { list, only, sweep }: &Options) -> bool {
    if *list {
        for step in &STEPS {
            println!("{:<14}{}", step.name, step.what);
        }
        return true;
    }
    let under_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut done = Vec::new();
    let mut room = Room::default();
    room.look();
    for step in &STEPS {
        if !only.is_empty() && !only.iter().any(|name| name == step.name) {
            continue;
        }
        println!("\n==== {}: {}", step.name, step.what);
        let start = Instant::now();
        let result = excuses((step.run)(), under_ci);
        let done_step = Done { name: step.name, result, took: start.elapsed() };
        println!("==== {}", done_step.line());
        done.push(done_step);
        room.look();
        if let (true, Some(folder)) = (*sweep, step.last_of) {
            // Room is all that is lost if it can't be removed.
            let _ = std::fs::remove_dir_all(project::target(folder));
        }
    }
    print!("{}{}", room.line(), report(&done));
    done.iter().all(|one| one.result.is_ok())
}

/// How much room the project's disk had: where there was none, all that follows
/// fails, and by whatever it wanted to write.
#[derive(Debug, Default, PartialEq)]
struct Room {
    at_first: Option<u64>,
    at_least: Option<u64>,
}

impl Room {
    fn look(&mut self) {
        let output = Command::new("df").args(["-Pk", "."]).current_dir(project::root()).output();
        let free = output.ok().and_then(|said| Self::read(&String::from_utf8_lossy(&said.stdout)));
        if let Some(free) = free {
            self.at_first.get_or_insert(free);
            self.at_least = Some(self.at_least.map_or(free, |least| least.min(free)));
        }
    }

    /// The KiB free that df(1p) says: the fourth word of its second line.
    fn read(said: &str) -> Option<u64> {
        said.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
    }

    fn line(&self) -> String {
        let (Some(first), Some(least)) = (self.at_first, self.at_least) else {
            return String::new();
        };
        format!("\n==== room: {} MiB free at first, {} at the least\n", first >> 10, least >> 10)
    }
}

struct Done {
    name: &'static str,
    result: Checked,
    took: Duration,
}

impl Done {
    fn line(&self) -> String {
        let (word, text) = match &self.result {
            Ok(Verdict::Passed { summary, .. }) => ("passed", summary),
            Ok(Verdict::NotRun(why)) => ("not run", why),
            Err(why) => ("FAILED", why),
        };
        let text = text.lines().next().unwrap_or_default();
        format!("{:<14}{word:<8}{:>6.1} s  {text}", self.name, self.took.as_secs_f64())
    }

    /// What it has to say beyond that line if it failed, its last lines if it is long.
    fn details(&self) -> Vec<String> {
        let Err(why) = &self.result else { return Vec::new() };
        let lines: Vec<&str> = why.lines().skip(1).collect();
        let last = &lines[lines.len().saturating_sub(DETAILS)..];
        let heading = (!last.is_empty()).then(|| format!("\n==== what failed in {}", self.name));
        heading.into_iter().chain(last.iter().map(|line| (*line).to_owned())).collect()
    }
}

/// The closing report. Its last line is for machines.
fn report(done: &[Done]) -> String {
    let mut lines: Vec<String> = done.iter().flat_map(Done::details).collect();
    lines.extend([String::new(), "==== report".to_owned()]);
    lines.extend(done.iter().map(Done::line));
    for one in done {
        if let Ok(Verdict::Passed { not_run, .. }) = &one.result {
            lines.extend(not_run.iter().map(|what| format!("not run ({}): {what}", one.name)));
        }
    }
    let failed = done.iter().filter(|one| one.result.is_err()).count();
    let skipped = done.iter().filter(|one| matches!(one.result, Ok(Verdict::NotRun(_)))).count();
    let passed = done.len() - failed - skipped;
    lines.push(format!("{passed} passed, {failed} failed, {skipped} skipped"));
    lines.join("\n") + "\n"
}

/// Under CI, what was not run for want of a package that `.ci/run` installs has failed.
fn excuses(result: Checked, under_ci: bool) -> Checked {
    let reasons = match &result {
        Ok(Verdict::Passed { not_run, .. }) => not_run.clone(),
        Ok(Verdict::NotRun(why)) => vec![why.clone()],
        Err(_) => Vec::new(),
    };
    let named = |reason: &&String| {
        let mut words =
            reason.split(|letter: char| letter.is_whitespace() || ",.:;`()".contains(letter));
        words.any(|word| INSTALLED.contains(&word))
    };
    match reasons.iter().find(named) {
        Some(reason) if under_ci => Err(format!("not run, and CI has the package: {reason}")),
        _ => result,
    }
}

/// Runs commands one after the other; all must succeed.
fn all(commands: Vec<Command>) -> Checked {
    let count = commands.len();
    for mut command in commands {
        run::run(&mut command)?.ok()?;
    }
    Ok(Verdict::passed(if count == 1 { "the workspace" } else { "the workspace and fuzz/" }))
}

/// `cargo` with these arguments for the workspace, and for `fuzz/` with its own.
fn twice(workspace: &[&str], in_fuzz: &[&str]) -> Checked {
    let mut first = project::cargo();
    first.args(workspace);
    let mut commands = vec![first];
    if project::root().join("fuzz/Cargo.toml").exists() {
        let mut second = fuzz::cargo();
        second.args(in_fuzz);
        commands.push(second);
    }
    all(commands)
}

fn toolchain() -> Checked {
    let path = project::root().join("Cargo.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("Cargo.toml: {error}"))?;
    let manifest: toml::Table = text.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let wanted = manifest["workspace"]["package"]["rust-version"].as_str().unwrap_or_default();
    Ok(compare(wanted, &host::rustc("release")?))
}

/// An older rustc is refused by cargo, before this.
fn compare(wanted: &str, release: &str) -> Verdict {
    if release == wanted || release.starts_with(&format!("{wanted}.")) {
        Verdict::passed(format!("rustc {release}"))
    } else {
        Verdict::NotRun(format!("the promised rust-version {wanted}: this is rustc {release}"))
    }
}

fn format() -> Checked {
    let arguments = ["fmt", "--all", "--check"];
    twice(&arguments, &arguments)
}

fn clippy() -> Checked {
    let denied = ["--", "-D", "warnings"];
    let workspace = [&["clippy", "--workspace", "--all-targets"][..], &denied].concat();
    twice(&workspace, &[&["clippy", "--locked"][..], &denied].concat())
}

fn docs() -> Checked {
    let mut command = project::cargo();
    command
        .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-Dwarnings");
    all(vec![command])
}

fn advisories() -> Checked {
    let version = project::cargo().args(["deny", "--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Ok(Verdict::NotRun("cargo-deny is not installed".to_owned()));
    }
    let home = std::env::home_dir().unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), Into::into);
    let mut databases = ["advisory-dbs", "advisory-db"].iter().map(|name| cargo.join(name));
    if !databases.any(|path| path.exists()) {
        return Ok(Verdict::NotRun("the advisory database is not on this machine".to_owned()));
    }
    let mut command = project::cargo();
    command.args(["deny", "--offline", "check", "advisories"]);
    run::run(&mut command)?.ok()?;
    Ok(Verdict::passed("no known holes, by the database on this machine"))
}

#[cfg(test)]
mod tests {
    use super::{Done, INSTALLED, Room, STEPS, compare, excuses, report};
    use crate::project::{Checked, Verdict};
    use std::time::Duration;

    fn done(name: &'static str, result: Checked) -> Done {
        Done { name, result, took: Duration::from_millis(1500) }
    }

    fn with(not_run: &str) -> Checked {
        Ok(Verdict::Passed { summary: "all".to_owned(), not_run: vec![not_run.to_owned()] })
    }

    #[test]
    fn the_report_counts_and_names() {
        let text = report(&[
            done("format", Ok(Verdict::passed("the workspace"))),
            done("test", with("strace is missing")),
            done("loom", Err("no model ran\nleft: 1".to_owned())),
            done("advisories", Ok(Verdict::NotRun("no database".to_owned()))),
        ]);
        let wanted = "
==== what failed in loom
left: 1

==== report
format        passed     1.5 s  the workspace
test          passed     1.5 s  all
loom          FAILED     1.5 s  no model ran
advisories    not run    1.5 s  no database
not run (test): strace is missing
2 passed, 1 failed, 1 skipped
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn under_ci_a_missing_package_is_no_excuse() {
        for reason in ["strace is missing", "the C child: no gcc", "`strace`: not found"] {
            assert!(excuses(with(reason), true).is_err(), "{reason}");
            assert!(excuses(with(reason), false).is_ok(), "{reason}");
            assert!(excuses(Ok(Verdict::NotRun(reason.to_owned())), true).is_err(), "{reason}");
        }
        assert!(excuses(with("huge pages are not set up"), true).is_ok());
        assert!(excuses(with("straced"), true).is_ok());
    }

    #[test]
    fn no_room_is_seen() {
        let said = |free: u64| {
            format!(
                "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 9 4 {free} 5% /\n"
            )
        };
        assert_eq!(Room::read(&said(7)), Some(7));
        assert_eq!(Room::read("df: .: no such folder\n"), None);
        assert_eq!(Room::default().line(), "");
        let room = Room { at_first: Some(7 << 20), at_least: Some(5 << 10) };
        assert_eq!(room.line(), "\n==== room: 7168 MiB free at first, 5 at the least\n");
        let mut seen = Room::default();
        seen.look();
        assert!(seen.at_first.is_some_and(|free| free > 0), "{seen:?}");
    }

    /// What one step removes, no later one may have built in.
    #[test]
    fn each_folder_is_swept_once() {
        let mut folders: Vec<_> = STEPS.iter().filter_map(|step| step.last_of).collect();
        let swept = folders.len();
        folders.sort_unstable();
        folders.dedup();
        assert_eq!(folders.len(), swept);
    }

    #[test]
    fn ci_installs_what_it_counts_on() {
        let script = include_str!("../../.ci/run");
        for package in INSTALLED {
            assert!(script.split([' ', '(', ')', '\n']).any(|word| word == package), "{package}");
        }
    }

    #[test]
    fn the_toolchain_is_the_promised_one() {
        assert_eq!(compare("1.95", "1.95.0"), Verdict::passed("rustc 1.95.0"));
        for other in ["1.96.0", "1.950.0", "2.0.0"] {
            assert!(matches!(compare("1.95", other), Verdict::NotRun(_)), "{other}");
        }
    }
}
