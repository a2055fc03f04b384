//! A host with an event loop of its own: the session is one fd among others.
//! Here the other is stdin: a line ends it.
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use surfaceport::{Command, Event, Session, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let child = std::env::current_exe()?.with_file_name("smallest_child");
    let mut session = Session::spawn(Command::new(child))?;
    let end = Instant::now() + Duration::from_secs(3);
    let mut frames = 0;
    loop {
        // All that there is, until nothing is left: then the fd may be polled.
        while let Some(event) = session.dispatch()? {
            match event {
                Event::Frame(frame) => {
                    frames += 1;
                    drop(frame); // shown
                    session.begin_frame(Timestamp::now());
                }
                Event::Exited { exit, restart_in } => println!("{exit}; again in {restart_in:?}"),
                event => println!("{event:?}"),
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || session.exit().is_some() {
            break;
        }
        let stdin = std::io::stdin();
        let mut polled = [
            PollFd::from_borrowed_fd(session.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
        ];
        poll(&mut polled, Some(&Timespec::try_from(left)?))?;
        if polled.iter().skip(1).any(|stdin| stdin.revents().contains(PollFlags::IN)) {
            break;
        }
    }
    println!("{frames} frames, {:?}", session.stats());
    Ok(())
}
