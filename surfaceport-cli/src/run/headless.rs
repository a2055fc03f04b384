//! No display: the loop is one `poll`.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use surfaceport::{Pane, Timestamp};

use super::{Flow, Player, Report};
use crate::options::Options;

/// Nobody sees the frames and nobody can close a window: there is an end.
const UNLESS_TOLD: Duration = Duration::from_secs(10);

/// Sees to it that there is an end.
pub(super) fn limit(options: &mut Options) {
    if options.frames.is_none() && options.duration.is_none() {
        options.duration = Some(UNLESS_TOLD);
        say!(
            "no display: running for {} s; `--record picture.png` makes a picture",
            UNLESS_TOLD.as_secs()
        );
    }
}

/// Plays until the end.
pub(crate) fn drive<P: Pane>(mut player: Player<P>) -> anyhow::Result<Report> {
    loop {
        match player.dispatch()? {
            Flow::Done => return player.finish(),
            Flow::Running { wake_at } => wait(&player, wake_at)?,
        }
    }
}

fn wait<P: Pane>(player: &Player<P>, wake_at: Option<Timestamp>) -> anyhow::Result<()> {
    let fds = player.fds();
    let mut polled: Vec<_> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let patience = wake_at.map(|at| Timespec::try_from(at.since(Timestamp::now()))).transpose()?;
    match rustix::event::poll(&mut polled, patience.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
