//! `cargo xtask hostile`: the hostile child, for as many rounds as one likes; the
//! tests run the same a few times.

use crate::project::{self, Checked, Verdict};
use crate::run;

/// What is to be done with the table.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often each behaviour is tried
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u64,
    /// So many hosts at once, each with its part of the rounds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    hosts: u64,
    /// Only this one
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// In the debug build
    #[arg(long)]
    debug: bool,
    /// Print the behaviours and what is to come of them, and run none
    #[arg(long)]
    list: bool,
    /// Make docs/hostile-child.md of the table anew
    #[arg(long)]
    write: bool,
}

/// Runs it.
pub(crate) fn run(options: &Options) -> Checked {
    let mut command = project::cargo();
    command.args(["test", "--package", "surfaceport", "--test", "hostile"]);
    if !options.debug && !options.list && !options.write {
        command.arg("--release");
    }
    command.args(["--", "--nocapture", "--exact"]);
    if options.list {
        command.args(["list", "--ignored"]);
    } else if options.write {
        command.arg("the_page_is_the_table").env("HOSTILE_WRITE", "1");
    } else {
        let each = options.rounds.div_ceil(options.hosts);
        command.arg("every_behaviour").env("HOSTILE_ROUNDS", each.to_string());
        command.env("HOSTILE_HOSTS", options.hosts.to_string());
        if let Some(only) = &options.only {
            command.env("HOSTILE_ONLY", only);
        }
    }
    let output = run::run_long(&mut command)?.ok()?;
    if options.list || options.write {
        return Ok(Verdict::passed("the table"));
    }
    let reports = output.lines().filter(|line| line.contains(" times hostile, "));
    let reports: Vec<&str> = reports.collect();
    if (reports.len() as u64) < options.hosts {
        return Err("no behaviour was tried".to_owned());
    }
    Ok(Verdict::passed(reports.join("; ")))
}
