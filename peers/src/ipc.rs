//! ipc-channel: a message a frame that says which of two surfaces, or one that
//! carries the frame as shared memory.

use ipc_channel::TryRecvError;
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};
use serde::{Deserialize, Serialize};
use surfaceport_bench::{
    Child, ChildArguments, Delivery, Failure, Host, Run, Shared, Start, Started, Subject, Touch,
    Wait, look, read, write,
};

const PIXELS: usize = 4096;

/// What a message carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    Index(u64),
    Memory(IpcSharedMemory),
}

type Ends = (IpcSender<u64>, IpcReceiver<Message>);

/// The number of a surface.
pub(crate) struct ByIndex;

/// The frame, in memory of its own.
pub(crate) struct ByMemory;

pub(crate) struct Consumer {
    requests: IpcSender<u64>,
    frames: IpcReceiver<Message>,
    memory: Shared,
    run: Run,
    _child: Started,
}

pub(crate) struct Producer {
    requests: IpcReceiver<u64>,
    frames: IpcSender<Message>,
    memory: Shared,
    fresh: bool,
    run: Run,
}

macro_rules! subject {
    ($type:ident, $name:literal, $fresh:literal) => {
        impl Subject for $type {
            const NAME: &'static str = $name;
            type Host = Consumer;
            type Child = Producer;

            fn can(run: &Run) -> bool {
                // Nothing keeps its child from a surface that is read.
                run.wait == Wait::Asleep
                    && run.delivery == Delivery::Newest
                    && run.touch != Touch::Whole
                    && run.keep_ms == 0
            }

            fn host(start: &Start<'_>) -> Result<Consumer, Failure> {
                let memory = Shared::create(PIXELS + start.run.bytes())?;
                let (server, name) = IpcOneShotServer::<Ends>::new()?;
                let child =
                    start.spawn(vec![name, memory.path().to_string_lossy().into_owned()])?;
                let (_, (requests, frames)) = server.accept()?;
                let run = start.run.clone();
                Ok(Consumer { requests, frames, memory, run, _child: child })
            }

            fn child(arguments: &ChildArguments) -> Result<Producer, Failure> {
                let name = arguments.rest.first().ok_or("no name")?;
                let path = arguments.rest.get(1).ok_or("no memory")?;
                let memory = Shared::open(path.as_ref())?;
                let (request_end, requests) = ipc::channel()?;
                let (frames, frame_end) = ipc::channel()?;
                IpcSender::<Ends>::connect(name.clone())?.send((request_end, frame_end))?;
                let run = arguments.run.clone();
                Ok(Producer { requests, frames, memory, fresh: $fresh, run })
            }
        }
    };
}

subject!(ByIndex, "ipc-channel, an index", false);
subject!(ByMemory, "ipc-channel, fresh memory", true);

fn receive<T: for<'de> Deserialize<'de> + Serialize>(
    wait: Wait,
    receiver: &IpcReceiver<T>,
) -> Result<T, Failure> {
    match wait {
        Wait::Asleep => Ok(receiver.recv()?),
        Wait::Awake => Ok(look(|| match receiver.try_recv() {
            Err(TryRecvError::Empty) => None,
            other => Some(other),
        })??),
    }
}

impl Host for Consumer {
    fn request(&mut self) -> Result<(), Failure> {
        Ok(self.requests.send(0)?)
    }

    fn take(&mut self) -> Result<u64, Failure> {
        match receive(self.run.wait, &self.frames)? {
            Message::Index(_) => {
                // SAFETY: the child writes the next frame when it is asked for
                // it, and stamps only when it is not.
                let frame = unsafe { self.memory.part(PIXELS, self.run.bytes()) };
                Ok(read(frame, self.run.touch))
            }
            Message::Memory(memory) => Ok(read(&memory, self.run.touch)),
        }
    }
}

impl Child for Producer {
    fn wait(&mut self) -> Result<bool, Failure> {
        Ok(receive(self.run.wait, &self.requests).is_ok())
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        if self.fresh {
            let mut memory = IpcSharedMemory::from_byte(0, self.run.bytes());
            // SAFETY: nobody else has it yet.
            let bytes = unsafe { memory.deref_mut() };
            write(bytes, self.run.touch, value);
            return Ok(self.frames.send(Message::Memory(memory))?);
        }
        // SAFETY: as in `take`.
        let frame = unsafe { self.memory.part(PIXELS, self.run.bytes()) };
        write(frame, self.run.touch, value);
        Ok(self.frames.send(Message::Index(value))?)
    }
}
