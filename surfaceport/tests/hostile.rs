//! The hostile child: a program that speaks the protocol by hand and breaks it
//! in every way of the table, against a real host with two well-behaved children
//! beside it.
//!
//! `cargo xtask hostile --rounds 1000 --hosts 4`, `--only NAME`, `--list`. The table is in
//! `misbehave/behaviours/`, its documentation, `docs/hostile-child.md`, is made of it.
#![cfg(target_os = "linux")]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod misbehave;
mod support;

use std::time::{Duration, Instant};

use misbehave::bad::Bad;
use misbehave::{bad, behaviours, faults, figures, gaps, host, page, table};
use support::trace::PROGRESS;
use table::{Behaviour, Start};

/// Which behaviour a process is started for.
const BEHAVIOUR: &str = "SURFACEPORT_TEST_BEHAVIOUR";

/// Not a test of its own: what the others start.
#[test]
fn child() {
    if let Ok(name) = std::env::var(BEHAVIOUR) {
        let table = behaviours::all();
        let behaviour = table.iter().find(|one| one.name == name).expect("a known behaviour");
        Bad::begin(behaviour.start).misbehave(behaviour);
    }
    let own: &[support::Role<'_>] = &[
        ("suffering host", suffering_host),
        ("figures", figure),
        ("short life", figures::short_life),
        ("flood", figures::flood),
    ];
    support::run_child(&[support::roles::ROLES, own].concat());
}

/// What is asked for, by name; all of them if nothing is.
fn wanted() -> Vec<Behaviour> {
    let only = std::env::var("HOSTILE_ONLY").ok();
    let named = |one: &Behaviour| only.as_ref().is_none_or(|only| one.name == only);
    let wanted: Vec<_> = behaviours::all().into_iter().filter(named).collect();
    assert!(!wanted.is_empty(), "no behaviour has this name: {only:?}");
    wanted
}

/// In a process of its own, in which every handle, thread and child counts.
#[test]
fn every_behaviour() {
    // Each of several hosts takes its part of the rounds.
    let hosts = support::parameter("HOSTILE_HOSTS", 1);
    std::thread::scope(|scope| {
        for _ in 0..hosts {
            scope.spawn(|| println!("{}", support::trace::run_alone("suffering host", &[])));
        }
    });
}

fn suffering_host() -> Result<(), surfaceport::Error> {
    let rounds = match (cfg!(debug_assertions), support::is_instrumented()) {
        (false, false) => 10,
        _ => 1,
    };
    // Who asks for a number may wait for hours.
    let tells = std::env::var_os("HOSTILE_ROUNDS").is_some();
    let rounds = support::parameter("HOSTILE_ROUNDS", rounds);
    let wanted = wanted();
    let mut host = host::Host::new();
    let mut told = Instant::now();
    for round in 0..rounds {
        if tells && told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            eprintln!("{PROGRESS}{round} of {rounds} rounds");
        }
        for behaviour in &wanted {
            host.suffer(behaviour);
        }
        host.end_of_round(round);
    }
    println!("{} behaviours, {rounds} rounds: {}", wanted.len(), host.report());
    Ok(())
}

/// The figures, moderately: `cargo xtask figure` has larger numbers.
#[test]
fn figures_beside_a_hostile_child() {
    for figure in ["restarts", "deaths", "neighbours"] {
        println!("{}", support::trace::run_alone("figures", &[("FIGURE", figure)]));
    }
}

fn figure() -> Result<(), surfaceport::Error> {
    match support::parameter("FIGURE", String::new()).as_str() {
        "restarts" => figures::restarts(),
        "deaths" => figures::deaths(),
        "neighbours" => figures::neighbours(),
        other => panic!("no figure {other}"),
    }
    Ok(())
}

/// One of them, alone.
#[test]
#[ignore = "as long as one likes: cargo xtask figure NAME --number N"]
fn one_figure() {
    println!("{}", support::trace::run_alone("figures", &[]));
}

#[test]
fn the_table_is_complete() {
    let table = behaviours::all();
    assert!(table.len() >= 80, "{}", table.len());
    for (i, one) in table.iter().enumerate() {
        assert!(table[..i].iter().all(|other| other.name != one.name), "{} twice", one.name);
        assert!(one.start != Start::Nothing || !one.what.is_empty());
    }
    for row in 1..=84 {
        let tried = table.iter().any(|one| one.rows.contains(&row));
        let elsewhere = faults::ELSEWHERE.iter().any(|(rows, _)| rows.contains(&row));
        assert!(tried || elsewhere, "row B{row} is neither in the table nor explained");
    }
}

/// What SAFETY.md and the page name as proof is there: `tests/FILE.rs: NAME`.
#[test]
fn the_tests_that_are_named_exist() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let pages = [std::fs::read_to_string(format!("{root}../SAFETY.md")).unwrap(), page::page()];
    let mut named = 0;
    for words in pages.iter().flat_map(|page| page.split('`')) {
        let Some((file, test)) = words.split_once(".rs: ") else { continue };
        let text = std::fs::read_to_string(format!("{root}{file}.rs")).unwrap_or_default();
        let before = text.split(&format!("fn {test}(")).next().unwrap();
        assert!(before.len() < text.len(), "{file}.rs has no test {test}");
        let test_above = before.lines().rev().take(4).any(|line| line.trim() == "#[test]");
        assert!(test_above, "{test} in {file}.rs is no test");
        named += 1;
    }
    assert!(named >= 35, "{named}");
}

/// The page says what the table says. With `HOSTILE_WRITE` it is written anew.
#[test]
fn the_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hostile-child.md");
    let page = page::page();
    if std::env::var_os("HOSTILE_WRITE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page, "docs/hostile-child.md is old: cargo xtask hostile --write");
}

#[test]
#[ignore = "prints the table: cargo xtask hostile --list"]
fn list() {
    for one in behaviours::all() {
        println!("{:<40} {}", one.name, one.expect.text());
    }
}
