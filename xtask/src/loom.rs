//! `cargo xtask loom`: the models of the swapchain, every interleaving.

use crate::project::{self, Checked, Verdict};
use crate::run;
use crate::tests_ran::TestsRan;

/// Runs the models. `preemptions` bounds how often a thread is interrupted;
/// without it each model's own bound counts.
pub(crate) fn run(preemptions: Option<u8>) -> Checked {
    let mut command = project::cargo();
    command
        .args([
            "test",
            "--release",
            "--package",
            "surfaceport",
            "--lib",
            "loom",
            "--",
            "--nocapture",
        ])
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", project::target("loom"));
    if let Some(preemptions) = preemptions {
        command.env("LOOM_MAX_PREEMPTIONS", preemptions.to_string());
    }
    let run = run::run(&mut command)?;
    let ran = TestsRan::read(&run.output);
    match run.failure {
        Some(why) => Err(ran.blame(&why, &run.output)),
        None => judge(ran),
    }
}

fn judge(ran: TestsRan) -> Checked {
    if ran.passed() == 0 {
        return Err("no model ran: no test of the library has `loom` in its name".to_owned());
    }
    Ok(Verdict::Passed { summary: ran.summary(), not_run: ran.not_run })
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::tests_ran::TestsRan;

    #[test]
    fn no_model_is_a_failure() {
        let output = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 9 filtered out\n";
        assert!(judge(TestsRan::read(output)).is_err());
        assert!(judge(TestsRan::read(&output.replace("0 passed", "2 passed"))).is_ok());
    }
}
