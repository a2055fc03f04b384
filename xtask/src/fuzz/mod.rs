//! `cargo xtask fuzz`: each libFuzzer target of `fuzz/` for a bounded time.
//!
//! The flags that make the compiler count edges stand in `fuzz/.cargo/config.toml`.

mod coverage;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::{host, run};

/// What that file's flags are for.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// One input may take this long; more is a hang.
const INPUT_SECONDS: u32 = 10;

/// A command that runs in `fuzz/`, where cargo finds the flags. Flags in the
/// environment would replace them.
pub(crate) fn cargo() -> Command {
    let mut command = project::cargo();
    command
        .current_dir(project::root().join("fuzz"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", project::target("fuzz"));
    command
}

/// What is to be done with the targets.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long to run each
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Run only this one
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Say how many of the decoders' lines the corpora reach, instead of looking further
    #[arg(long, conflicts_with_all = ["seconds", "target"])]
    coverage: bool,
}

/// Does it.
pub(crate) fn run(options: &Options) -> Checked {
    let host = host::rustc("host")?;
    if host != PLATFORM {
        return Ok(Verdict::NotRun(format!("fuzz/ is set up for {PLATFORM}; this is {host}")));
    }
    if options.coverage {
        return coverage::run();
    }
    search(options.seconds, options.target.as_deref())
}

/// The names of the targets.
fn names() -> Result<Vec<String>, String> {
    let manifest = project::root().join("fuzz/Cargo.toml");
    let names = targets(&project::metadata(&manifest, &["--no-deps"])?)?;
    if names.is_empty() { Err("fuzz/ has no targets".to_owned()) } else { Ok(names) }
}

/// Builds the targets and runs each, or only the one named.
pub(crate) fn search(seconds: u32, only: Option<&str>) -> Checked {
    let fuzz = project::root().join("fuzz");
    let mut targets = names()?;
    targets.retain(|name| only.is_none_or(|only| only == name));
    if let (true, Some(name)) = (targets.is_empty(), only) {
        return Err(format!("fuzz/ has no target {name}"));
    }
    let built = project::target("fuzz");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--target", PLATFORM]);
    run::run(&mut build)?.ok()?;

    let mut done = Vec::new();
    let mut failed = Vec::new();
    for name in &targets {
        let program = built.join(PLATFORM).join("release").join(name);
        let one = Target {
            program,
            corpus: fuzz.join("corpus").join(name),
            dictionary: dictionary(&fuzz.join("dictionaries"), name)?,
            scratch: built.join("run").join(name),
        };
        match one.run(seconds) {
            Ok(inputs) => done.push(format!("{name} {inputs}")),
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    if !failed.is_empty() {
        return Err(failed.join("; "));
    }
    Ok(Verdict::passed(format!("inputs: {}", done.join(", "))))
}

/// The binaries in `fuzz/targets`; others are tools.
fn targets(metadata: &serde_json::Value) -> Result<Vec<String>, String> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let all = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let here = |one: &&serde_json::Value| {
        let path = Path::new(one["src_path"].as_str().unwrap_or_default());
        path.parent().is_some_and(|folder| folder.ends_with("targets"))
    };
    Ok(all.filter(here).filter_map(|one| one["name"].as_str()).map(str::to_owned).collect())
}

/// The target's own dictionary, or that of the wire's words.
fn dictionary(folder: &Path, name: &str) -> Result<Option<PathBuf>, String> {
    let all = if folder.is_dir() { files(folder)? } else { Vec::new() };
    let own = all.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    let wire = all.iter().find(|path| path.file_stem().is_some_and(|stem| stem == "wire"));
    Ok(own.or(wire).cloned())
}

struct Target {
    program: PathBuf,
    /// The checked-in inputs.
    corpus: PathBuf,
    dictionary: Option<PathBuf>,
    /// Where this run writes.
    scratch: PathBuf,
}

impl Target {
    /// How many inputs ran.
    fn run(&self, seconds: u32) -> Result<u64, String> {
        let found = self.scratch.join("corpus");
        let artefacts = self.scratch.join("artefacts");
        fresh(&found)?;
        fresh(&artefacts)?;
        // libFuzzer writes what it finds into the corpus: into a copy.
        if copy(&self.corpus, &found)? == 0 {
            return Err(format!("{} holds no inputs", self.corpus.display()));
        }
        let mut command = Command::new(&self.program);
        command
            .arg(&found)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-artifact_prefix={}/", artefacts.display()))
            .arg("-print_final_stats=1");
        if let Some(dictionary) = &self.dictionary {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        let ran = run::run_long(&mut command)?;
        let left = files(&artefacts)?;
        if !left.is_empty() {
            let paths: Vec<String> = left.iter().map(|one| one.display().to_string()).collect();
            return Err(format!("it fails on {}", paths.join(", ")));
        }
        judge(&ran.ok()?)
    }
}

/// What libFuzzer says: the inputs it ran, and that it could see where they led.
fn judge(output: &str) -> Result<u64, String> {
    let counters = output
        .lines()
        .filter_map(|line| line.split_once(" inline 8-bit counters"))
        .filter_map(|(before, _)| before.rsplit('(').next()?.trim().parse::<u64>().ok());
    if counters.sum::<u64>() == 0 {
        return Err("the target counts no edges: it was built without coverage".to_owned());
    }
    let inputs = output
        .lines()
        .filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .sum();
    if inputs == 0 { Err("it ran no input".to_owned()) } else { Ok(inputs) }
}

fn fresh(folder: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder).map_err(failed)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Copies the files of a folder; how many.
fn copy(from: &Path, to: &Path) -> Result<usize, String> {
    let files = if from.is_dir() { files(from)? } else { Vec::new() };
    for file in &files {
        let target = to.join(file.file_name().unwrap_or_default());
        std::fs::copy(file, target).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(files.len())
}

#[cfg(test)]
mod tests {
    use super::{judge, targets};

    const OUTPUT: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
INFO: Loaded 1 modules   (842 inline 8-bit counters): 842 [0x5581, 0x5582),
Done 9123 runs in 2 second(s)
stat::number_of_executed_units: 9123
stat::peak_rss_mb:              44
";

    #[test]
    fn inputs_are_counted() {
        assert_eq!(judge(OUTPUT), Ok(9123));
    }

    #[test]
    fn a_run_that_did_nothing_fails() {
        for (from, to) in [
            ("9123\nstat", "0\nstat"),
            ("stat::number", "number"),
            ("842 inline", "0 inline"),
            ("8-bit", ""),
        ] {
            assert!(judge(&OUTPUT.replace(from, to)).is_err(), "{to}");
        }
        assert!(judge("").is_err());
    }

    #[test]
    fn targets_lie_in_their_folder() {
        let metadata = serde_json::json!({"packages": [{"targets": [
            {"name": "from_child", "src_path": "/fuzz/targets/from_child.rs"},
            {"name": "seeds", "src_path": "/fuzz/src/seeds.rs"},
        ]}]});
        assert_eq!(targets(&metadata), Ok(vec!["from_child".to_owned()]));
        assert!(targets(&serde_json::json!({})).is_err());
    }
}
