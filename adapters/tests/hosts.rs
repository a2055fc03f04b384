//! Each example runs: frames arrive, and at rest it sleeps.
#![allow(missing_docs)]

use std::process::Command;

#[cfg(target_os = "linux")]
use servers::Kind;

/// An example of this package, which cargo has built beside this test.
fn host(name: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap().join("examples");
    let mut command = Command::new(folder.join(name));
    command.arg("60");
    command
}

#[track_caller]
fn runs(mut host: Command) {
    let output = host.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    let numbers: Vec<u64> = said
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [frames, wakes] = numbers[..] else { panic!("{said}") };
    println!("{}: {}", host.get_program().display(), said.trim());
    assert!(frames >= 60, "{said}");
    // Half a second: what was under way, and the end.
    assert!(wakes <= 10, "it does not sleep: {said}");
}

#[test]
fn calloop() {
    runs(host("calloop_host"));
}

#[test]
fn mio() {
    runs(host("mio_host"));
}

#[test]
fn tokio() {
    runs(host("tokio_host"));
}

#[cfg(target_os = "linux")]
#[test]
fn winit() {
    let Some(server) = servers::start(Kind::Xvfb) else { return };
    let mut host = host("winit_host");
    host.envs(server.environment()).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    runs(host);
}
