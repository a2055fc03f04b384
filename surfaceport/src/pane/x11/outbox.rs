//! The connection's stream: what the server does not take now waits here, so
//! that no write ever waits for the server.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use x11rb::errors::{ConnectError, DisplayParsingError};
use x11rb::reexports::x11rb_protocol::{parse_display, xauth};
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};

/// A stream whose writes never wait.
#[derive(Debug)]
pub(super) struct Outbox {
    stream: DefaultStream,
    waiting: Mutex<VecDeque<Letter>>,
}

/// Bytes, and the files that go with them.
#[derive(Debug)]
struct Letter {
    bytes: Vec<u8>,
    sent: usize,
    files: Vec<OwnedFd>,
}

/// Connects to the display of this name (`None`: the one of `$DISPLAY`).
pub(super) fn connect(
    display: Option<&str>,
) -> std::result::Result<RustConnection<Outbox>, ConnectError> {
    let display = parse_display::parse_display(display)?;
    let mut failure = ConnectError::from(DisplayParsingError::Unknown);
    for address in display.connect_instruction() {
        match DefaultStream::connect(&address) {
            Ok((stream, (family, peer))) => {
                let auth = xauth::get_auth(family, &peer, display.display);
                // Without a cookie, a server that wants one refuses.
                let (name, data) = auth.ok().flatten().unwrap_or_default();
                let stream = Outbox { stream, waiting: Mutex::default() };
                let screen = usize::from(display.screen);
                return RustConnection::connect_to_stream_with_auth_info(
                    stream, screen, name, data,
                );
            }
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

impl Outbox {
    /// Sends what waits, as far as the server takes it. Whether all was sent.
    pub(super) fn post(&self) -> Result<bool> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(letter) = waiting.front_mut() {
            let rest = letter.bytes.get(letter.sent..).unwrap_or_default();
            match send(self.stream.as_fd(), rest, &mut letter.files) {
                Ok(count) => letter.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if letter.sent >= letter.bytes.len() {
                waiting.pop_front();
            }
        }
        Ok(true)
    }
}

/// Sends as much as there is room for.
fn send(socket: BorrowedFd<'_>, bytes: &[u8], files: &mut Vec<OwnedFd>) -> Result<usize> {
    let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let rights = SendAncillaryMessage::ScmRights(&borrowed);
    let mut space = vec![MaybeUninit::uninit(); if files.is_empty() { 0 } else { rights.size() }];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(rights) {
        return Err(ErrorKind::InvalidInput.into());
    }
    // A server that died is an error here, and no signal to the host.
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            done => break done?,
        }
    };
    files.clear();
    Ok(sent)
}

impl Stream for Outbox {
    fn poll(&self, mode: PollMode) -> Result<()> {
        // There is always room to write. Only the pane's opening waits to read,
        // for the answers to what it asked.
        if mode.writable() {
            return Ok(());
        }
        while !self.post()? {
            self.stream.poll(PollMode::Writable)?;
        }
        self.stream.poll(mode)
    }

    fn read(&self, buf: &mut [u8], fds: &mut Vec<OwnedFd>) -> Result<usize> {
        self.stream.read(buf, fds)
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<OwnedFd>) -> Result<usize> {
        let sent = match self.post()? {
            true => match send(self.stream.as_fd(), buf, fds) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                sent => sent?,
            },
            false => 0,
        };
        if let Some(rest) = buf.get(sent..).filter(|rest| !rest.is_empty()) {
            let letter = Letter { bytes: rest.to_vec(), sent: 0, files: std::mem::take(fds) };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(letter);
        }
        Ok(buf.len())
    }
}

impl AsFd for Outbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
