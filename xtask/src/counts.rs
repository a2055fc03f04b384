//! `cargo xtask counts`: what a frame costs in instructions, system calls and
//! allocations. They repeat on any machine, as times do not: so this, and no time,
//! is what CI holds against what is written down.

use std::collections::BTreeMap;
use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::run;

/// What is expected, from the project's root.
const FILE: &str = "surfaceport-bench/counts.toml";
/// The program that is watched, with a host and a child in one thread.
const PROGRAM: &str = "surfaceport-lockstep";
/// Enough that what happens once, or once in 10 ms, does not show.
const FRAMES: u32 = 4000;
/// Instructions may differ by so much of a hundred, or by so many: another
/// compiler's or processor's choice, a timer that fell into the run.
const TOLERANCE: f64 = 4.0;
const SLACK: f64 = 12.0;

const SCENARIOS: [(&str, [&str; 2]); 4] = [
    ("mailbox-awake", ["mailbox", "awake"]),
    ("mailbox-asleep", ["mailbox", "asleep"]),
    ("fifo-awake", ["fifo", "awake"]),
    ("fifo-asleep", ["fifo", "asleep"]),
];
/// The functions of `lockstep::step`.
const STEPS: [&str; 6] = ["rest", "acquire", "present", "wake", "take", "release"];

/// `counts`'s options.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Write down what was counted as what is expected from now on
    #[arg(long)]
    write: bool,
}

/// What a step costs a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    instructions: f64,
    calls: f64,
}

/// What a frame costs, by step.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counted {
    steps: BTreeMap<String, Cost>,
    allocations: f64,
}

impl Counted {
    /// All steps together.
    fn frame(&self) -> Cost {
        self.steps.values().fold(Cost::default(), |sum, cost| Cost {
            instructions: sum.instructions + cost.instructions,
            calls: sum.calls + cost.calls,
        })
    }
}

pub(crate) fn run(options: &Options) -> Checked {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(Verdict::NotRun("counting instructions needs the package valgrind".to_owned()));
    }
    let mut build = project::cargo();
    // See surfaceport/Cargo.toml: it may use no call that valgrind does not know.
    build.env("RUSTFLAGS", "--cfg callgrind").env("CARGO_TARGET_DIR", project::target("callgrind"));
    build.args(["build", "--release", "--package", "surfaceport-bench", "--bin", PROGRAM]);
    run::run(&mut build)?.ok()?;
    let mut all = BTreeMap::new();
    for (name, arguments) in SCENARIOS {
        all.insert(name.to_owned(), count(arguments)?);
    }
    print!("{}", table(&all));
    let path = project::root().join(FILE);
    let failed = |error: std::io::Error| format!("{FILE}: {error}");
    if options.write {
        std::fs::write(&path, text(&all)).map_err(failed)?;
        return Ok(Verdict::passed(format!("written to {FILE}")));
    }
    let wanted = parse(&std::fs::read_to_string(&path).map_err(failed)?)?;
    let wrong = compare(&wanted, &all);
    if wrong.is_empty() {
        return Ok(Verdict::passed(format!("{} scenarios as {FILE} has them", all.len())));
    }
    Err(format!(
        "{}\nIf this is meant, write it down: cargo xtask counts --write, and say why in the commit",
        wrong.join("\n")
    ))
}

/// Runs a scenario under callgrind.
fn count(arguments: [&str; 2]) -> Result<Counted, String> {
    let program = project::target("callgrind").join("release").join(PROGRAM);
    let out = std::env::temp_dir().join(format!("surfaceport-counts-{}", std::process::id()));
    let mut command = Command::new("valgrind");
    command
        // Mangled names are the same for each version of valgrind.
        .args(["--tool=callgrind", "--demangle=no", "--collect-systime=yes"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(arguments)
        .arg(FRAMES.to_string());
    let output = run::run(&mut command)?.ok()?;
    let profile = std::fs::read_to_string(&out);
    let _removed = std::fs::remove_file(&out);
    let profile = profile.map_err(|error| format!("callgrind's output: {error}"))?;
    let steps = costs(&profile)?;
    let allocations = output
        .lines()
        .find_map(|line| line.strip_prefix("allocations: ")?.trim().parse::<f64>().ok())
        .ok_or("the program did not say its allocations")?;
    Ok(Counted { steps, allocations: allocations / f64::from(FRAMES) })
}

/// The costs of the steps with all that they call, from a profile: where one is
/// called, the line after `calls=` has them.
fn costs(profile: &str) -> Result<BTreeMap<String, Cost>, String> {
    let mut columns = Vec::new();
    let mut steps: BTreeMap<String, Cost> = BTreeMap::new();
    let mut called = None;
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        if let Some(events) = line.strip_prefix("events: ") {
            columns = events.split_whitespace().collect();
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = STEPS.iter().find(|step| name.contains(&format!("4step{}{step}", step.len())));
        } else if line.starts_with("calls=")
            && let (Some(step), Some(costs)) = (called, lines.next())
        {
            let numbers = || costs.split_whitespace().skip(1);
            let of = |event: &str| {
                let at = columns.iter().position(|column| *column == event)?;
                numbers().nth(at).map_or(Some(0.0), |number| number.parse::<f64>().ok())
            };
            let cost = steps.entry((*step).to_owned()).or_default();
            cost.instructions += of("Ir").unwrap_or(0.0) / f64::from(FRAMES);
            cost.calls += of("sysCount").unwrap_or(0.0) / f64::from(FRAMES);
        }
    }
    if ["acquire", "present", "release"].iter().all(|step| steps.contains_key(*step)) {
        Ok(steps)
    } else {
        Err(format!("callgrind did not see the steps of a frame, only {:?}", steps.keys()))
    }
}

fn table(all: &BTreeMap<String, Counted>) -> String {
    let mut out = String::from("a frame's instructions (and system calls)\n");
    for (name, counted) in all {
        let sum = counted.frame().instructions;
        let steps = STEPS.iter().filter_map(|step| Some((step, counted.steps.get(*step)?)));
        let steps = steps
            .map(|(step, cost)| format!("{step} {:.0} ({:.2})", cost.instructions, cost.calls));
        let steps: Vec<_> = steps.collect();
        out += &format!("{name:<16}{sum:>7.0}: {}\n", steps.join(", "));
    }
    out
}

/// What is written down.
fn text(all: &BTreeMap<String, Counted>) -> String {
    let mut out = String::from(
        "# What a frame costs: instructions of each step with all that it calls, by callgrind;\n\
         # system calls; allocations. A host and a child in one thread, 64x64, release build,\n\
         # x86-64. Under valgrind each reading of the clock is a system call, too.\n\
         # `cargo xtask counts` compares, `cargo xtask counts --write` writes this.\n",
    );
    for (name, counted) in all {
        out += &format!("\n[{name}]\n");
        for step in STEPS {
            if let Some(cost) = counted.steps.get(step) {
                out += &format!(
                    "{step} = {{ instructions = {:.0}, calls = {:.2} }}\n",
                    cost.instructions, cost.calls
                );
            }
        }
        out += &format!("allocations = {:.2}\n", counted.allocations);
    }
    out
}

fn parse(text: &str) -> Result<BTreeMap<String, Counted>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("{FILE}: {error}"))?;
    let number = |value: Option<&toml::Value>| {
        value.and_then(|value| value.as_float().or(value.as_integer().map(|whole| whole as f64)))
    };
    let scenario = |value: &toml::Value| {
        let table = value.as_table()?;
        let mut counted =
            Counted { allocations: number(table.get("allocations"))?, ..Counted::default() };
        for (step, cost) in table.iter().filter(|(step, _)| *step != "allocations") {
            let instructions = number(cost.get("instructions"))?;
            let calls = number(cost.get("calls"))?;
            counted.steps.insert(step.clone(), Cost { instructions, calls });
        }
        Some(counted)
    };
    let all = table.iter().map(|(name, value)| Some((name.clone(), scenario(value)?)));
    all.collect::<Option<_>>().ok_or_else(|| format!("{FILE}: not as this writes it"))
}

/// What is more than expected. What is less is for whoever made it so to write down.
fn compare(wanted: &BTreeMap<String, Counted>, found: &BTreeMap<String, Counted>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, found) in found {
        let Some(wanted) = wanted.get(name) else {
            wrong.push(format!("{name} is not in {FILE}"));
            continue;
        };
        if found.allocations > wanted.allocations + 0.005 {
            let (was, is) = (wanted.allocations, found.allocations);
            wrong.push(format!("{name}: {is:.2} allocations a frame, expected {was:.2}"));
        }
        // Steps may share their work otherwise; a frame must not take more.
        let (is, was) = (found.frame(), wanted.frame());
        if is.instructions > was.instructions * (1.0 + TOLERANCE / 100.0) + SLACK {
            wrong.push(format!(
                "{name}: a frame takes {:.0} instructions, expected {:.0}",
                is.instructions, was.instructions
            ));
        }
        if is.calls > was.calls + 0.05 {
            wrong.push(format!(
                "{name}: a frame makes {:.2} system calls, expected {:.2}",
                is.calls, was.calls
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{Cost, FRAMES, compare, costs, parse, text};
    use std::collections::BTreeMap;

    const PROFILE: &str = "\
events: Ir sysCount sysTime
fn=_ZN17surfaceport_bench8lockstep8lockstep17h00E
10 50
cfn=_ZN17surfaceport_bench8lockstep4step7acquire17h01E
calls=4000 20
11 400000
cfn=_ZN17surfaceport_bench8lockstep4step7present17h02E
calls=3999 20
12 799800 3999 7
cfn=_ZN17surfaceport_bench8lockstep4step7present17h02E
calls=1 20
13 200 1 1
cfn=_ZN17surfaceport_bench8lockstep4step7release17h03E
calls=4000 20
14 40000
cfn=_ZN4core9something4elseE
calls=7 20
15 4000000000
";

    #[test]
    fn what_callgrind_wrote_is_read_and_written_down() {
        assert_eq!(FRAMES, 4000);
        let steps = costs(PROFILE).unwrap();
        assert_eq!(steps["acquire"], Cost { instructions: 100.0, calls: 0.0 });
        assert_eq!(steps["present"], Cost { instructions: 200.0, calls: 1.0 });
        assert_eq!(steps["release"], Cost { instructions: 10.0, calls: 0.0 });
        assert!(costs("events: Ir\n").is_err());
        let all = BTreeMap::from([("one".to_owned(), super::Counted { steps, allocations: 0.0 })]);
        assert_eq!(parse(&text(&all)).unwrap(), all);
    }

    #[test]
    fn more_is_wrong_and_a_little_or_less_is_not() {
        let with = |instructions: f64, calls: f64, allocations: f64| {
            let steps = BTreeMap::from([("take".to_owned(), Cost { instructions, calls })]);
            BTreeMap::from([("one".to_owned(), super::Counted { steps, allocations })])
        };
        let wanted = with(1000.0, 1.0, 0.0);
        for (found, wrong) in [
            (with(1035.0, 1.0, 0.0), 0),
            (with(1060.0, 1.0, 0.0), 1),
            (with(900.0, 1.0, 0.0), 0),
            (with(1000.0, 1.01, 0.0), 0),
            (with(1000.0, 2.0, 0.01), 2),
            (with(1000.0, 0.0, 0.0), 0),
        ] {
            assert_eq!(compare(&wanted, &found).len(), wrong, "{found:?}");
        }
        assert_eq!(compare(&BTreeMap::new(), &wanted).len(), 1);
    }
}
