//! Sockets whose other end is raw, and bells whose other end lies.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::event::EventfdFlags;
use rustix::fs::OFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown};
use rustix::pipe::PipeFlags;

use super::super::testing::copies;
use super::*;

/// Sends what the facade would not.
fn send_raw(socket: &OwnedFd, bytes: &[u8], handles: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(handles)));
    let iov = [IoSlice::new(bytes)];
    rustix::net::sendmsg(socket, &iov, &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn too_many_handles_are_a_violation_and_closed() {
    let (own, peer) = Endpoint::pair().unwrap();
    let peer = peer.into_socket();
    let memory = Memory::create("test", 1).unwrap();
    let before = copies(memory.handle());
    let mut handles = Vec::new();
    let mut bytes = [0; 16];
    // 253 is the kernel's limit.
    for count in (17..32).chain([64, 252, 253]) {
        send_raw(&peer, b"many", &vec![memory.handle(); count]);
        send_raw(&peer, b"next", &[memory.handle()]);
        let many = own.receive(&mut bytes, &mut handles);
        assert_violation(many, Violation::TooManyHandles);
        assert!(handles.is_empty());
        assert_eq!(own.receive(&mut bytes, &mut handles).unwrap(), Received::Message(4));
        assert_eq!(copies(memory.handle()), before + 1);
        handles.clear();
    }
}

#[test]
fn handles_close_on_exec() {
    let (own, peer) = Endpoint::pair().unwrap();
    let memory = Memory::create("test", 1).unwrap();
    assert_eq!(peer.send(b"x", &[memory.handle(); 16]).unwrap(), Sent::Done);
    let mut handles = Vec::new();
    own.receive(&mut [0; 8], &mut handles).unwrap();
    assert_eq!(handles.len(), 16);
    assert!(handles.iter().all(|handle| closes_on_exec(handle.as_fd())));
}

#[test]
fn handles_that_nobody_receives_are_closed() {
    // Of a pipe one can see that its other end is closed, in flight or not.
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (own, peer) = Endpoint::pair().unwrap();
    assert_eq!(peer.send(b"x", &[write.as_fd(); 16]).unwrap(), Sent::Done);
    drop((write, peer));
    drop(own);
    assert_eq!(rustix::io::read(&read, &mut [0; 1][..]), Ok(0));
}

#[test]
fn empty_messages_with_handles_are_closed() {
    let (own, peer) = Endpoint::pair().unwrap();
    let memory = Memory::create("test", 1).unwrap();
    let before = copies(memory.handle());
    send_raw(&peer.into_socket(), b"", &[memory.handle(); 3]);
    let mut handles = Vec::new();
    assert_eq!(own.receive(&mut [0; 8], &mut handles).unwrap(), Received::Closed);
    assert!(handles.is_empty());
    assert_eq!(copies(memory.handle()), before);
}

#[test]
fn a_peer_that_shuts_one_way_is_gone() {
    let (own, peer) = Endpoint::pair().unwrap();
    rustix::net::shutdown(peer.into_socket(), Shutdown::Write).unwrap();
    assert_eq!(own.receive(&mut [0; 8], &mut Vec::new()).unwrap(), Received::Closed);

    let (own, peer) = Endpoint::pair().unwrap();
    let peer = peer.into_socket();
    rustix::net::shutdown(&peer, Shutdown::Read).unwrap();
    assert_eq!(own.send(b"x", &[]).unwrap(), Sent::Closed);
}

#[test]
fn a_message_beyond_the_buffer_is_an_error() {
    let (own, peer) = Endpoint::pair().unwrap();
    let long = vec![0; 4 << 20];
    assert!(matches!(own.send(&long, &[]), Err(Error::Os { .. })));
    assert_eq!(own.send(b"x", &[]).unwrap(), Sent::Done);
    assert_eq!(peer.receive(&mut [0; 8], &mut Vec::new()).unwrap(), Received::Message(1));
}

#[test]
fn a_ring_for_nobody_raises_no_signal() {
    alone!("a_ring_for_nobody_raises_no_signal", || {
        // As in a host that is no Rust program.
        // SAFETY: sets the default action, in a process of this test's own.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (ringer, bell) = bell_to_child().unwrap();
        drop(Bell::from_handle(bell));
        for _ in 0..20_000 {
            ringer.ring();
        }
        let (own, peer) = Endpoint::pair().unwrap();
        drop(peer);
        while own.send(b"x", &[]).unwrap() != Sent::Closed {}
    });
}

#[test]
fn a_child_that_makes_its_bell_block_blocks_only_itself() {
    let (ringer, theirs) = bell_to_child().unwrap();
    rustix::fs::fcntl_setfl(&theirs, OFlags::empty()).unwrap();
    for _ in 0..100_000 {
        ringer.ring();
    }
    let (bell, theirs) = bell_to_host().unwrap();
    rustix::fs::fcntl_setfl(&theirs, OFlags::empty()).unwrap();
    rustix::io::write(&theirs, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    let set = WaitSet::new().unwrap();
    set.add(bell.source(), 1, Trigger::Edge).unwrap();
    // Full or emptied behind the host's back: it waits, and goes on.
    for _ in 0..3 {
        set.wait(Some(Duration::from_millis(1)), |_| {}).unwrap();
        rustix::io::read(&theirs, &mut [0; 8][..]).unwrap();
        rustix::io::write(&theirs, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    }
}

#[test]
fn a_bell_may_be_anything_that_a_host_sends() {
    // A trusted host, a wrong handle: nothing hangs.
    let memory = Memory::create("test", 1).unwrap();
    let handle = || memory.handle().try_clone_to_owned().unwrap();
    Ringer::from_handle(handle()).ring();
    Bell::from_handle(handle()).drain();
    let event = rustix::event::eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    Bell::from_handle(event).drain();
}

/// What a ring does to an edge-triggered waiter once the pipe is full is the
/// kernel's business; the child empties it before that.
#[test]
fn a_bell_to_a_child_has_room_for_what_the_child_leaves_in_it() {
    let (ringer, bell) = bell_to_child().unwrap();
    let bell = Bell::from_handle(bell);
    let set = WaitSet::new().unwrap();
    set.add(bell.source(), 1, Trigger::Edge).unwrap();
    for _ in 0..512 {
        let mut fired = 0;
        ringer.ring();
        set.wait(Some(PATIENCE), |_| fired += 1).unwrap();
        assert_eq!(fired, 1);
    }
    bell.drain();
    assert_eq!(rustix::io::read(bell.source(), &mut [0; 8][..]), Err(Errno::AGAIN));
}
