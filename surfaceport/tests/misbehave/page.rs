//! The page that is made of the table: `docs/hostile-child.md`.

use std::fmt::Write as _;

use crate::faults::ELSEWHERE;
use crate::table::{Behaviour, Start};

fn rows(rows: &[u8]) -> String {
    rows.iter().map(|row| format!("B{row}")).collect::<Vec<_>>().join(" ")
}

fn when(start: Start) -> &'static str {
    match start {
        Start::Nothing => "connected",
        Start::Greeted => "greeted",
        Start::Shown => "shown",
        Start::Peer => "by name",
    }
}

fn line(page: &mut String, one: &Behaviour) {
    let Behaviour { name, what, start, expect, .. } = one;
    let spoils = if one.spoils { "; its own pixels may change" } else { "" };
    let (rows, when, expect) = (rows(one.rows), when(*start), expect.text());
    writeln!(page, "| {name} | {rows} | {when} | {what} | {expect}{spoils} |").unwrap();
}

pub fn page() -> String {
    let table = crate::behaviours::all();
    let mut page = format!(
        "\
# The hostile child

This page is made of the table in `surfaceport/tests/misbehave/behaviours`; a test
says when it is old. `cargo xtask hostile --write` makes it anew.

A program that speaks the protocol by hand misbehaves in {} ways, one after the
other, against one host that has two well-behaved children beside it. For each way
the host's answer is compared with the last column, and

- what was counted is just that: one violation of its kind and no other, or the
  count that is named;
- the child that was started is gone, and all of its process group, if it was
  ended; a peer that came by name is disconnected and lives;
- the last frame that was taken stays as it was, where the child does not draw
  into it;
- the two neighbours go on: each gives further frames, all of them whole, in
  order, and its own;
- handles, mappings of shared memory, threads and children of the host are what
  they were before, and its memory does not grow from round to round.

The numbers are those of the catalogue of faults that the library was designed
against.

| behaviour | faults | when | it | what comes of it |
|---|---|---|---|---|
",
        table.len()
    );
    for one in &table {
        line(&mut page, one);
    }
    page.push_str(
        "
*connected*: it has said nothing yet; *greeted*: Hello and Welcome are said; *shown*: the
host shows a frame of it; *by name*: another process, which the host did not start.

## Faults that no child can play, and where they are tried

| faults | where |
|---|---|
",
    );
    for (faults, why) in ELSEWHERE {
        writeln!(page, "| {} | {why} |", rows(faults)).unwrap();
    }
    page
}
