//! Wakes a toolkit's event loop when one of some fds is readable.
//!
//! A thread of its own polls them, and the loop hears of it by a proxy: the way
//! that winit offers on every system. Its loop has an fd too, but X11's events
//! can lie in a queue of the library's while that is not readable, so polling it
//! beside others would lose wake-ups.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

/// Wakes a toolkit's event loop by a call, for toolkits that poll no fds of others
/// (winit). A thread waits; it ends when this is dropped.
///
/// ```no_run
/// use std::os::fd::AsFd as _;
/// use surfaceport::{HeadlessPane, View, os::linux::Waker};
///
/// /// `send` is the toolkit's way to wake its loop from another thread; it says
/// /// whether the loop is still there.
/// fn wake_for(
///     view: &mut View<HeadlessPane>,
///     send: impl Fn() -> bool + Send + 'static,
/// ) -> Result<Waker, Box<dyn std::error::Error>> {
///     let waker = Waker::new(&[view.as_fd()], send)?;
///     // In the loop, after each turn:
///     while let Some(_event) = view.dispatch()? {}
///     waker.again();
///     Ok(waker)
/// }
/// ```
#[derive(Debug)]
pub struct Waker {
    again: Option<SyncSender<()>>,
    end: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Waker {
    /// Calls `wake` once when one of the fds is readable, and then only after
    /// [`again`](Self::again).
    ///
    /// # Errors
    ///
    /// If the system has no more files or threads.
    pub fn new(
        fds: &[BorrowedFd<'_>],
        wake: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let fds = fds.iter().map(BorrowedFd::try_clone_to_owned).collect::<io::Result<Vec<_>>>()?;
        let (end, ended) = UnixStream::pair()?;
        // Room for one word: who says it twice means the same.
        let (again, may_go_on) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("wake".to_owned())
            .spawn(move || while poll(&fds, &ended) && wake() && may_go_on.recv().is_ok() {})?;
        Ok(Self { again: Some(again), end: Some(end), thread: Some(thread) })
    }

    /// What was readable has been dealt with: call again when there is more.
    pub fn again(&self) {
        if let Some(again) = &self.again {
            let _said_already = again.try_send(());
        }
    }
}

/// Waits until an fd is readable. `false`: it is to end.
fn poll(fds: &[OwnedFd], ended: &UnixStream) -> bool {
    let all = fds.iter().map(AsFd::as_fd).chain([ended.as_fd()]);
    let mut polled: Vec<_> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    loop {
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => return polled.last().is_some_and(|ended| ended.revents().is_empty()),
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        drop((self.again.take(), self.end.take()));
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_wakes_once_for_each_time_that_it_is_asked() {
        let (mut reader, mut writer) = UnixStream::pair().unwrap();
        let (woken, wakes) = mpsc::channel();
        let waker = Waker::new(&[reader.as_fd()], move || woken.send(()).is_ok()).unwrap();
        assert!(wakes.recv_timeout(Duration::from_millis(20)).is_err());
        writer.write_all(b"x").unwrap();
        wakes.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(wakes.recv_timeout(Duration::from_millis(20)).is_err(), "it was not asked again");
        reader.read_exact(&mut [0]).unwrap();
        waker.again();
        assert!(wakes.recv_timeout(Duration::from_millis(20)).is_err(), "nothing is readable");
        writer.write_all(b"x").unwrap();
        wakes.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(waker); // and its thread ends
        assert!(wakes.recv().is_err());
    }
}
