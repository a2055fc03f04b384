//! `cargo xtask disasm`: the host's transitions have no loop that a child could
//! keep failing.
//!
//! On x86-64 an atomic operation whose result is used can become a loop around
//! `cmpxchg`. The source cannot show that it did not; the machine code does.

mod asm;

use crate::project::{self, Checked, Verdict};
use crate::run;
use asm::{Assembly, Instruction};

/// The module that the host's transitions stand in.
const MODULE: [&str; 2] = ["swapchain", "host"];

/// A transition, and what its machine code must have.
struct Wanted {
    function: &'static str,
    what: &'static str,
    holds: fn(&Instruction<'_>) -> bool,
}

const WANTED: [Wanted; 3] = [
    Wanted { function: "take", what: "an `xchg` with memory", holds: |one| one.is_swap() },
    Wanted { function: "release", what: "a `lock or`", holds: |one| one.is_locked_or() },
    Wanted { function: "arm", what: "a `lock or`", holds: |one| one.is_locked_or() },
];

/// Compiles the library to assembly and looks at it.
pub(crate) fn run() -> Checked {
    if !cfg!(target_arch = "x86_64") {
        return Ok(Verdict::NotRun(format!(
            "the check reads x86-64; this machine is {}",
            std::env::consts::ARCH
        )));
    }
    let target = project::target("disasm");
    let file = target.join("surfaceport.s");
    // What was compiled before leaves no assembly behind again.
    let mut clean = project::cargo();
    clean.args(["clean", "--release", "--package", "surfaceport", "--target-dir"]).arg(&target);
    run::run(&mut clean)?.ok()?;
    let mut build = project::cargo();
    build
        .args(["rustc", "--release", "--package", "surfaceport", "--lib", "--target-dir"])
        .arg(&target)
        .arg("--")
        .arg(format!("--emit=asm={}", file.display()))
        .args(["-Ccodegen-units=1", "-Cdebuginfo=0"]);
    run::run(&mut build)?.ok()?;
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    judge(&text)
}

fn judge(text: &str) -> Checked {
    let assembly = Assembly::read(text);
    let mut wrong = Vec::new();
    let own: Vec<&str> = assembly.functions_in(&MODULE).collect();
    for function in &own {
        for (at, line) in assembly.reached(function) {
            if line.is_compare_and_swap() {
                wrong.push(format!("{function}: `{}` (in {at})", line.text()));
            }
        }
    }
    for wanted in &WANTED {
        let named: Vec<&&str> =
            own.iter().filter(|one| asm::is_function(one, wanted.function)).collect();
        if named.is_empty() {
            wrong.push(format!(
                "{}::{} is not in the assembly: is it #[inline(never)], and used?",
                MODULE.join("::"),
                wanted.function
            ));
        }
        for function in named {
            if !assembly.reached(function).iter().any(|(_, line)| (wanted.holds)(line)) {
                wrong.push(format!("{function} has not {}", wanted.what));
            }
        }
    }
    if wrong.is_empty() {
        let module = MODULE.join("::");
        return Ok(Verdict::passed(format!("{} functions of {module}, no cmpxchg", own.len())));
    }
    for one in &wrong {
        println!("{one}");
    }
    Err(format!("{} findings in the machine code", wrong.len()))
}

#[cfg(test)]
mod tests {
    use super::judge;

    const GOOD: &str = include_str!("fixtures/good.s");
    const LOOP: &str = include_str!("fixtures/loop.s");

    #[test]
    fn swaps_and_locked_ors_pass() {
        assert!(judge(GOOD).is_ok(), "{:?}", judge(GOOD));
    }

    #[test]
    fn a_compare_and_swap_loop_fails() {
        assert!(judge(&format!("{GOOD}{LOOP}")).is_err());
        // Elsewhere it is none of our business: the child may have one.
        let elsewhere = LOOP.replace("4host", "5child");
        assert!(judge(&format!("{GOOD}{elsewhere}")).is_ok());
    }

    #[test]
    fn a_loop_in_what_a_transition_calls_fails() {
        let away = GOOD.replace("4host4Host5judge", "4word4Word5judge");
        assert!(judge(&away).is_ok());
        assert!(judge(&away.replace("setne\t%al", "lock\t\tcmpxchgq\t%rcx, (%rsi)")).is_err());
    }

    /// Each part of the check fails alone.
    #[test]
    fn what_is_missing_fails() {
        for (from, to) in [
            // Inlined away, renamed, in another module.
            ("4take17h", "4tame17h"),
            ("7release17h", "7releasd17h"),
            ("3arm17h", "3ark17h"),
            ("4host", "4hose"),
            // No memory, no lock, another operation.
            ("xchgq\t%r15, (%rsi)", "xchgq\t%r15, %rsi"),
            ("lock\t\torq\t%rdx, (%rsi)", "orq\t%rdx, (%rsi)"),
            ("lock\t\torq\t%rax, (%rdi)", "lock\t\tandq\t%rax, (%rdi)"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            assert!(judge(&GOOD.replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(judge("").is_err());
    }
}
