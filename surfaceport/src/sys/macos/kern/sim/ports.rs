//! Ports, queues and the tables of names (`ipc_port.c`, `ipc_right.c`,
//! `ipc_kmsg.c`, `ipc_notify.c`).

use std::collections::VecDeque;
use std::sync::Arc;

use super::Kernel;
use super::memory::{Block, SurfaceObject};
use super::tasks::TaskId;
use crate::sys::mach_frame::{
    AUDIT_TRAILER_BYTES, AuditToken, BODY_BYTES, Disposition, HEADER_BYTES, PORT_BYTES,
};
use crate::sys::macos::kern::{Code, DEAD, Name, notify};

pub(super) type PortId = u64;

/// What a port stands for.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Plain,
    Memory(Arc<Block>),
    Surface(Arc<SurfaceObject>),
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) kind: Kind,
    pub(super) receiver: Receiver,
    queue: VecDeque<Message>,
    limit: usize,
    /// Send rights, in tables and in messages.
    senders: usize,
    /// Send rights that were ever made here.
    made: u32,
    no_senders: Option<PortId>,
    requests: Vec<Request>,
    sequence: u32,
    /// Messages that ever came.
    pub(super) posted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    Task(TaskId),
    /// On its way in a message.
    Transit,
    Kernel,
}

/// Somebody wants to hear when there is room.
#[derive(Debug)]
struct Request {
    task: TaskId,
    name: Name,
    notify: PortId,
    armed: bool,
}

/// A right in a message. A dead one is a send right to nothing.
#[derive(Clone, Copy, Debug)]
enum Carried {
    Receive(PortId),
    Send(Option<PortId>),
    SendOnce(Option<PortId>),
}

#[derive(Debug)]
struct Message {
    id: i32,
    rights: Vec<Carried>,
    payload: Vec<u8>,
    sender: AuditToken,
    /// The right that it was sent to: it counts until the message is received.
    to: Carried,
}

impl Message {
    fn bytes(&self) -> usize {
        let body = if self.rights.is_empty() { 0 } else { BODY_BYTES };
        HEADER_BYTES + body + self.rights.len() * PORT_BYTES + self.payload.len()
    }
}

/// A name in a task's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sys::macos) struct Entry {
    /// `None`: a dead name.
    pub(super) port: Option<PortId>,
    pub(super) receive: bool,
    pub(super) send: u32,
    pub(super) send_once: bool,
    pub(super) dead: u32,
}

impl Kernel {
    pub(super) fn new_port(&mut self, receiver: Receiver, limit: usize, kind: Kind) -> PortId {
        self.last_port += 1;
        let port = Port {
            kind,
            receiver,
            queue: VecDeque::new(),
            limit,
            senders: 0,
            made: 0,
            no_senders: None,
            requests: Vec::new(),
            sequence: 0,
            posted: 0,
        };
        self.ports.insert(self.last_port, port);
        self.last_port
    }

    pub(super) fn entry(&mut self, task: TaskId, name: Name) -> Option<&mut Entry> {
        self.tasks.get_mut(&task)?.names.get_mut(&name)
    }

    fn new_name(&mut self, task: TaskId, entry: Entry) -> Name {
        let Some(task) = self.tasks.get_mut(&task) else { return 0 };
        // As XNU's look: an index and a generation.
        task.last_name += 0x100;
        let name = task.last_name | 0x3;
        task.names.insert(name, entry);
        name
    }

    /// The name under which a task knows a port's send and receive rights.
    fn name_of(&mut self, task: TaskId, port: PortId) -> Name {
        let known = self.tasks.get(&task).and_then(|task| {
            let shared = |entry: &&Entry| entry.port == Some(port) && !entry.send_once;
            task.names.iter().find(|(_, entry)| shared(entry)).map(|(name, _)| *name)
        });
        known.unwrap_or_else(|| self.new_name(task, Entry { port: Some(port), ..Entry::default() }))
    }

    pub(super) fn add_receive(&mut self, task: TaskId, port: PortId) -> Name {
        let name = self.name_of(task, port);
        if let Some(entry) = self.entry(task, name) {
            entry.receive = true;
        }
        if let Some(port) = self.ports.get_mut(&port) {
            port.receiver = Receiver::Task(task);
        }
        name
    }

    /// Puts a send right that exists already into a table.
    fn put_send(&mut self, task: TaskId, port: PortId) -> Name {
        let name = self.name_of(task, port);
        if let Some(entry) = self.entry(task, name) {
            entry.send += 1;
            if entry.send > 1 {
                // One name with many references is one right.
                self.fewer_senders(port);
            }
        }
        name
    }

    /// Makes a send right, and puts it into a table.
    pub(super) fn make_send(&mut self, task: TaskId, port: PortId) -> Name {
        self.more_senders(port, true);
        self.put_send(task, port)
    }

    fn more_senders(&mut self, port: PortId, made: bool) {
        if let Some(port) = self.ports.get_mut(&port) {
            port.senders += 1;
            port.made += u32::from(made);
        }
    }

    fn fewer_senders(&mut self, id: PortId) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        port.senders = port.senders.checked_sub(1).expect("there are senders");
        if port.senders > 0 {
            return;
        }
        if port.receiver == Receiver::Kernel {
            self.destroy(id);
        } else {
            self.tell_no_senders(id);
        }
    }

    fn tell_no_senders(&mut self, id: PortId) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        let (made, Some(notify)) = (port.made, port.no_senders.take()) else { return };
        self.notify(notify, notify::NO_SENDERS, Some(made));
    }

    /// A message of the kernel's own, to a send-once right that it uses up.
    fn notify(&mut self, to: PortId, id: i32, value: Option<u32>) {
        // NDR_record_t: little-endian, IEEE floats, ASCII (mach/ndr.h).
        let payload = value.map(|value| {
            [[0, 0, 0, 0, 1, 0, 0, 0].to_vec(), value.to_le_bytes().to_vec()].concat()
        });
        let message = Message {
            id,
            rights: Vec::new(),
            payload: payload.unwrap_or_default(),
            sender: AuditToken::KERNEL,
            to: Carried::SendOnce(Some(to)),
        };
        self.post(to, message);
    }

    fn post(&mut self, to: PortId, message: Message) {
        match self.ports.get_mut(&to) {
            Some(port) => {
                port.queue.push_back(message);
                port.posted += 1;
            }
            None => self.throw_away(message.rights),
        }
    }

    fn throw_away(&mut self, rights: Vec<Carried>) {
        for right in rights {
            match right {
                Carried::Receive(port) => self.destroy(port),
                Carried::Send(Some(port)) => self.fewer_senders(port),
                Carried::SendOnce(Some(port)) => self.notify(port, notify::SEND_ONCE, None),
                Carried::Send(None) | Carried::SendOnce(None) => {}
            }
        }
    }

    /// The end of a port: its messages go with it, and its names die.
    fn destroy(&mut self, id: PortId) {
        let Some(port) = self.ports.remove(&id) else { return };
        self.services.retain(|_, service| *service != id);
        let mut references = Vec::new();
        for (task_id, task) in &mut self.tasks {
            for (name, entry) in &mut task.names {
                if entry.port == Some(id) {
                    let dead = entry.send + u32::from(entry.send_once);
                    *entry = Entry { dead, ..Entry::default() };
                    references.push((*task_id, *name));
                }
            }
            task.names.retain(|_, entry| entry.port.is_some() || entry.dead > 0);
        }
        for request in port.requests {
            // The notification has a reference of its own.
            if let Some(entry) = self.entry(request.task, request.name) {
                entry.dead += 1;
                self.notify(request.notify, notify::DEAD_NAME, Some(request.name));
            } else {
                self.notify(request.notify, notify::SEND_ONCE, None);
            }
        }
        if let Some(notify) = port.no_senders {
            self.notify(notify, notify::SEND_ONCE, None);
        }
        for message in port.queue {
            self.throw_away(message.rights);
        }
    }

    // What follows are the calls.

    pub(super) fn insert_send(&mut self, task: TaskId, name: Name) -> Code {
        match self.entry(task, name) {
            Some(Entry { port: Some(port), receive: true, .. }) => {
                let port = *port;
                self.make_send(task, port);
                Code::SUCCESS
            }
            Some(_) => Code::INVALID_RIGHT,
            None => Code::INVALID_NAME,
        }
    }

    /// `mach_port_deallocate`: one reference of a send, send-once or dead name.
    pub(super) fn deallocate(&mut self, task: TaskId, name: Name) -> Code {
        let Some(entry) = self.entry(task, name) else { return Code::INVALID_NAME };
        let (port, mut gone) = (entry.port, None);
        if entry.dead > 0 {
            entry.dead -= 1;
        } else if entry.send_once {
            entry.send_once = false;
            gone = port.map(|port| Carried::SendOnce(Some(port)));
        } else if entry.send > 0 {
            entry.send -= 1;
            gone = port.filter(|_| entry.send == 0).map(|port| Carried::Send(Some(port)));
        } else {
            return Code::INVALID_RIGHT;
        }
        let empty = Entry { port, ..Entry::default() } == *entry;
        if empty {
            if let Some(task) = self.tasks.get_mut(&task) {
                task.names.remove(&name);
            }
            for port in self.ports.values_mut() {
                port.requests.retain(|request| (request.task, request.name) != (task, name));
            }
        }
        self.throw_away(gone.into_iter().collect());
        Code::SUCCESS
    }

    pub(super) fn destruct(&mut self, task: TaskId, name: Name) -> Code {
        match self.entry(task, name) {
            Some(Entry { port: Some(port), receive: true, .. }) => {
                let port = *port;
                self.destroy(port);
                Code::SUCCESS
            }
            Some(_) => Code::INVALID_RIGHT,
            None => Code::INVALID_NAME,
        }
    }

    /// `mach_port_request_notification` with MAKE_SEND_ONCE: the earlier
    /// request, as a name in the task's table, or 0.
    pub(super) fn request(
        &mut self,
        task: TaskId,
        name: Name,
        id: i32,
        notify: Name,
    ) -> Result<Name, Code> {
        let notify = match self.entry(task, notify) {
            Some(Entry { port: Some(port), receive: true, .. }) => *port,
            _ => return Err(Code::INVALID_RIGHT),
        };
        let entry = *self.entry(task, name).ok_or(Code::INVALID_NAME)?;
        let earlier = match (id, entry.port) {
            (notify::NO_SENDERS, Some(port)) if entry.receive => {
                let port_state = self.ports.get_mut(&port).ok_or(Code::INVALID_NAME)?;
                let earlier = port_state.no_senders.replace(notify);
                if port_state.senders == 0 {
                    self.tell_no_senders(port);
                }
                earlier
            }
            (notify::SEND_POSSIBLE, Some(port)) if entry.send > 0 || entry.send_once => {
                let port = self.ports.get_mut(&port).ok_or(Code::INVALID_NAME)?;
                let known = |one: &Request| (one.task, one.name) == (task, name);
                let earlier = port.requests.iter().position(known);
                let earlier = earlier.map(|at| port.requests.remove(at).notify);
                port.requests.push(Request { task, name, notify, armed: false });
                earlier
            }
            // A dead name: the notification comes at once, with a reference.
            (notify::SEND_POSSIBLE, None) => {
                if let Some(entry) = self.entry(task, name) {
                    entry.dead += 1;
                }
                self.notify(notify, notify::DEAD_NAME, Some(name));
                None
            }
            _ => return Err(Code::INVALID_RIGHT),
        };
        let put = |port| {
            self.new_name(task, Entry { port: Some(port), send_once: true, ..Entry::default() })
        };
        Ok(earlier.map_or(0, put))
    }

    /// Takes a right out of a table, into a message.
    fn copy_in(&mut self, task: TaskId, name: Name, how: Disposition) -> Result<Carried, Code> {
        if name == DEAD {
            return Ok(Carried::Send(None));
        }
        let entry = self.entry(task, name).ok_or(Code::INVALID_NAME)?;
        let Some(port) = entry.port else {
            // A dead name can be copied and moved; what is made needs a port.
            return match how {
                Disposition::CopySend => Ok(Carried::Send(None)),
                Disposition::MoveSend | Disposition::MoveSendOnce => {
                    self.deallocate(task, name);
                    Ok(Carried::Send(None))
                }
                _ => Err(Code::INVALID_RIGHT),
            };
        };
        match how {
            Disposition::CopySend if entry.send > 0 => {
                self.more_senders(port, false);
                Ok(Carried::Send(Some(port)))
            }
            Disposition::MakeSend if entry.receive => {
                self.more_senders(port, true);
                Ok(Carried::Send(Some(port)))
            }
            Disposition::MakeSendOnce if entry.receive => Ok(Carried::SendOnce(Some(port))),
            Disposition::MoveSend if entry.send > 0 => {
                self.more_senders(port, false);
                self.deallocate(task, name);
                Ok(Carried::Send(Some(port)))
            }
            Disposition::MoveSendOnce if entry.send_once => {
                self.forget(task, name);
                Ok(Carried::SendOnce(Some(port)))
            }
            Disposition::MoveReceive if entry.receive => {
                entry.receive = false;
                if entry.send == 0 {
                    self.forget(task, name);
                }
                if let Some(port) = self.ports.get_mut(&port) {
                    port.receiver = Receiver::Transit;
                }
                Ok(Carried::Receive(port))
            }
            _ => Err(Code::INVALID_RIGHT),
        }
    }

    fn forget(&mut self, task: TaskId, name: Name) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.names.remove(&name);
        }
    }

    /// Puts a right out of a message into a table: its name and what it is now.
    fn copy_out(&mut self, task: TaskId, right: Carried) -> (Name, Disposition) {
        let alive = |port: Option<PortId>| port.filter(|port| self.ports.contains_key(port));
        match right {
            Carried::Receive(port) => (self.add_receive(task, port), Disposition::MoveReceive),
            Carried::Send(port) => match alive(port) {
                Some(port) => (self.put_send(task, port), Disposition::MoveSend),
                None => (DEAD, Disposition::MoveSend),
            },
            Carried::SendOnce(port) => match alive(port) {
                Some(port) => {
                    let entry = Entry { port: Some(port), send_once: true, ..Entry::default() };
                    (self.new_name(task, entry), Disposition::MoveSendOnce)
                }
                None => (DEAD, Disposition::MoveSendOnce),
            },
        }
    }

    /// `mach_msg` with MACH_SEND_MSG. `Err(None)`: there is no room, and the
    /// message is as it was; the caller waits, or gives up by `give_back`.
    pub(super) fn send(
        &mut self,
        task: TaskId,
        buffer: &[u8],
        last_try: bool,
    ) -> Result<Sent, Code> {
        let word = |at: usize| buffer.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let field = |at| word(at).ok_or(Code::SEND_MSG_TOO_SMALL);
        let (bits, size, remote) = (field(0)?, field(4)?, field(8)?);
        if size as usize != buffer.len() || size % 4 != 0 || (size as usize) < HEADER_BYTES {
            return Err(Code::SEND_MSG_TOO_SMALL);
        }
        let how = u8::try_from(bits & 0x1f).ok().and_then(Disposition::sent);
        let how = how.ok_or(Code::SEND_INVALID_DATA)?;
        // The voucher's name is not looked at where the bits say that there is none
        // (`ipc_kmsg_copyin_header`).
        if bits & !0x8000_001f != 0 || word(12) != Some(0) {
            return Err(Code::SEND_INVALID_DATA);
        }
        // Where it goes is looked at before anything is taken.
        let port = match self.entry(task, remote) {
            Some(Entry { port: Some(port), .. }) => *port,
            _ => return Err(Code::SEND_INVALID_DEST),
        };
        let once = how == Disposition::MoveSendOnce;
        let full = |port: &Port| port.queue.len() >= port.limit && !once;
        let is_full = self.ports.get(&port).is_some_and(full);
        if is_full && !last_try {
            return Ok(Sent::NoRoom);
        }
        let to = self.copy_in(task, remote, how).map_err(|_| Code::SEND_INVALID_DEST)?;
        let (mut rights, mut payload_at) = (Vec::new(), HEADER_BYTES);
        if bits & 0x8000_0000 != 0 {
            let count = field(24)? as usize;
            payload_at += BODY_BYTES + count * PORT_BYTES;
            for index in 0..count {
                let at = HEADER_BYTES + BODY_BYTES + index * PORT_BYTES;
                let name = field(at)?;
                let how = buffer.get(at + 10).copied().and_then(Disposition::sent);
                let right = how.ok_or(Code::INVALID_RIGHT);
                match right.and_then(|how| self.copy_in(task, name, how)) {
                    Ok(right) => rights.push(right),
                    Err(_) => {
                        // What was taken so far is destroyed, the rest is not
                        // looked at (`ipc_kmsg_clean_descriptors`).
                        rights.push(to);
                        self.throw_away(rights);
                        return Err(Code::SEND_INVALID_RIGHT);
                    }
                }
            }
        }
        let payload = buffer.get(payload_at..).ok_or(Code::SEND_MSG_TOO_SMALL)?.to_vec();
        let sender = self.tasks.get(&task).map(|task| task.token).unwrap_or_default();
        let id = i32::from_le_bytes(field(20)?.to_le_bytes());
        if is_full {
            return Ok(Sent::HandBack(self.hand_back(task, to, id, rights, payload)));
        }
        let message = Message { id, rights, payload, sender, to };
        match self.ports.get(&port).map(|port| &port.kind) {
            Some(Kind::Plain) => self.post(port, message),
            // The kernel's own ports take what they don't know, and drop it.
            _ => {
                self.throw_away(message.rights);
                self.used_up(to);
            }
        }
        Ok(Sent::Done)
    }

    fn used_up(&mut self, to: Carried) {
        if let Carried::Send(Some(port)) = to {
            self.fewer_senders(port);
        }
    }

    /// The message that a failed send leaves in the buffer, each right in it
    /// put back into the table (`mach_msg_receive_pseudo`).
    fn hand_back(
        &mut self,
        task: TaskId,
        to: Carried,
        id: i32,
        rights: Vec<Carried>,
        payload: Vec<u8>,
    ) -> Vec<u8> {
        let (remote, how) = self.copy_out(task, to);
        let rights: Vec<_> = rights.into_iter().map(|right| self.copy_out(task, right)).collect();
        encode(u32::from(how as u8), [remote, 0], id, &rights, &payload)
    }

    /// Arms a request: the send that failed asked for it.
    pub(super) fn arm(&mut self, task: TaskId, name: Name) {
        let Some(Entry { port: Some(port), .. }) = self.entry(task, name) else { return };
        let port = *port;
        let requests = self.ports.get_mut(&port).map(|port| &mut port.requests);
        for request in requests.into_iter().flatten() {
            request.armed |= (request.task, request.name) == (task, name);
        }
    }

    /// Whether a name is that of a port in this task's hands.
    pub(super) fn receives(&mut self, task: TaskId, name: Name) -> Option<PortId> {
        self.entry(task, name).filter(|entry| entry.receive)?.port
    }

    /// Whether messages wait, and how many ever came.
    pub(super) fn waiting(&self, port: PortId) -> Option<(bool, u64)> {
        self.ports.get(&port).map(|port| (!port.queue.is_empty(), port.posted))
    }

    /// `mach_msg` with MACH_RCV_MSG: the message and its trailer, or `None`.
    pub(super) fn receive(
        &mut self,
        task: TaskId,
        name: Name,
        room: usize,
        audit: bool,
    ) -> Result<Option<Vec<u8>>, Code> {
        let id = self.receives(task, name).ok_or(Code::RCV_INVALID_NAME)?;
        let port = self.ports.get_mut(&id).ok_or(Code::RCV_INVALID_NAME)?;
        let was_full = port.queue.len() >= port.limit;
        let Some(message) = port.queue.pop_front() else { return Ok(None) };
        port.sequence += 1;
        let sequence = port.sequence;
        if was_full && port.queue.len() < port.limit {
            let (armed, others) =
                std::mem::take(&mut port.requests).into_iter().partition(|one| one.armed);
            port.requests = others;
            for request in Vec::<Request>::into_iter(armed) {
                self.notify(request.notify, notify::SEND_POSSIBLE, Some(request.name));
            }
        }
        self.used_up(message.to);
        let trailer = if audit { AUDIT_TRAILER_BYTES } else { 8 };
        if message.bytes() + trailer > room {
            self.throw_away(message.rights);
            return Err(Code::RCV_TOO_LARGE);
        }
        let rights: Vec<_> =
            message.rights.iter().map(|right| self.copy_out(task, *right)).collect();
        // The type of the right that it was sent to (`ipc_kmsg_copyout_header`).
        let once = matches!(message.to, Carried::SendOnce(_));
        let local = if once { 0x1200 } else { 0x1100 };
        let mut bytes = encode(local, [0, name], message.id, &rights, &message.payload);
        let size = u32::try_from(trailer).unwrap_or(0);
        let token = message.sender.0;
        let words = [0, size, sequence, token[1], token[2]].into_iter().chain(token);
        bytes.extend(words.flat_map(u32::to_le_bytes).take(trailer));
        Ok(Some(bytes))
    }

    /// `mach_msg_destroy` of libsyscall: the rights that a buffer names.
    pub(super) fn message_destroy(&mut self, task: TaskId, buffer: &[u8]) {
        let word = |at: usize| {
            buffer.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes)
        };
        let (Some(bits), Some(remote)) = (word(0), word(8)) else { return };
        self.destroy_named(task, remote, u8::try_from(bits & 0x1f).unwrap_or(0));
        if bits & 0x8000_0000 == 0 {
            return;
        }
        for index in 0..word(24).unwrap_or(0) as usize {
            let at = HEADER_BYTES + BODY_BYTES + index * PORT_BYTES;
            let (Some(name), Some(how)) = (word(at), buffer.get(at + 10)) else { return };
            self.destroy_named(task, name, *how);
        }
    }

    fn destroy_named(&mut self, task: TaskId, name: Name, how: u8) {
        if name == 0 || name == DEAD {
            return;
        }
        match Disposition::sent(how) {
            Some(Disposition::MoveReceive) => {
                self.destruct(task, name).ok().expect("the message names a receive right");
            }
            Some(Disposition::MoveSend | Disposition::MoveSendOnce) => {
                self.deallocate(task, name).ok().expect("the message names a right");
            }
            // Made and given back: whoever waits for an answer hears of it.
            Some(Disposition::MakeSendOnce) => {
                if let Some(port) = self.receives(task, name) {
                    self.notify(port, notify::SEND_ONCE, None);
                }
            }
            Some(Disposition::MakeSend | Disposition::CopySend) | None => {}
        }
    }

    /// The end of a task: everything in its table is given back.
    pub(super) fn clear_names(&mut self, task: TaskId) {
        let names = self.tasks.get(&task).map(|task| task.names.clone()).unwrap_or_default();
        for (name, entry) in names {
            if entry.receive {
                let _gone = self.destruct(task, name);
            }
        }
        let left = self.tasks.get(&task).map(|task| task.names.clone()).unwrap_or_default();
        for (name, entry) in left {
            for _ in 0..entry.send + entry.dead + u32::from(entry.send_once) {
                let _gone = self.deallocate(task, name);
            }
        }
    }
}

/// What became of a send.
#[derive(Debug)]
pub(super) enum Sent {
    Done,
    NoRoom,
    /// The buffer's new content.
    HandBack(Vec<u8>),
}

fn encode(
    bits: u32,
    [remote, local]: [Name; 2],
    id: i32,
    rights: &[(Name, Disposition)],
    payload: &[u8],
) -> Vec<u8> {
    let complex = !rights.is_empty();
    let body = if complex { BODY_BYTES + rights.len() * PORT_BYTES } else { 0 };
    let size = u32::try_from(HEADER_BYTES + body + payload.len()).expect("it was sent");
    let bits = bits | if complex { 0x8000_0000 } else { 0 };
    let mut out: Vec<u8> =
        [bits, size, remote, local, 0].into_iter().flat_map(u32::to_le_bytes).collect();
    out.extend(id.to_le_bytes());
    if complex {
        out.extend(u32::try_from(rights.len()).expect("they were sent").to_le_bytes());
    }
    for (name, how) in rights {
        out.extend(name.to_le_bytes());
        out.extend([0, 0, 0, 0, 0, 0, *how as u8, 0]);
    }
    out.extend(payload);
    out
}
