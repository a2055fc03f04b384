//! A host with four children on one thread: each has its view, each view is one
//! fd, and one `poll` waits for them all.
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use surfaceport::{Command, Event, HeadlessPane, Session, Size, View};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let child = std::env::current_exe()?.with_file_name("smallest_child");
    let mut views = Vec::new();
    for (side, hertz) in [(100, 60.0), (200, 30.0), (300, 20.0), (400, 10.0)] {
        let session = Session::spawn(Command::new(&child))?;
        let pane = HeadlessPane::new(Size::new(side, side)).refresh_rate(hertz);
        views.push(View::new(session, pane)?);
    }
    let end = Instant::now() + Duration::from_secs(3);
    loop {
        for view in &mut views {
            while let Some(event) = view.dispatch()? {
                if let Event::Exited { exit, .. } = event {
                    println!("{exit}");
                }
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let polled = views.iter().map(|view| PollFd::from_borrowed_fd(view.as_fd(), PollFlags::IN));
        poll(&mut polled.collect::<Vec<_>>(), Some(&Timespec::try_from(left)?))?;
    }
    for view in &views {
        println!("{}: {} frames", view.session().child_pid().unwrap_or(0), view.pane().shown());
    }
    Ok(())
}
