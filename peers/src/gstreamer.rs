//! GStreamer: buffers through shmsink and shmsrc, written where the sink wants
//! them, or copied there by it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{AllocationParams, Allocator, Buffer, ClockTime, Pipeline, Sample, State};
use gstreamer_app::{AppSink, AppSrc};
use surfaceport_bench::{
    Child, ChildArguments, Delivery, Failure, Host, PATIENCE, Run, Start, Started, Subject, Wait,
    look, read, write,
};

/// Buffers in the sink's own shared memory.
pub(crate) struct InPlace;

/// Buffers of the child's, which the sink copies.
pub(crate) struct Copied;

/// Looks now and then for what `look` finds; `otherwise` says that it did not come.
fn find<T>(
    pause: Duration,
    otherwise: &str,
    mut look: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            return Err(otherwise.into());
        }
        std::thread::sleep(pause);
    }
}

/// A pipeline that is stopped when it is dropped.
struct Running(Pipeline);

impl Running {
    fn new(description: &str) -> Result<Self, Failure> {
        gstreamer::init()?;
        let pipeline = gstreamer::parse::launch(description)?;
        Ok(Self(pipeline.downcast().map_err(|_| "no pipeline")?))
    }

    fn element<T: IsA<gstreamer::Element>>(&self, name: &str) -> Result<T, Failure> {
        let element = self.0.by_name(name).and_then(|element| element.downcast().ok());
        element.ok_or_else(|| format!("no {name}").into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _stopped = self.0.set_state(State::Null);
    }
}

/// One direction, the end that sends.
struct Sender {
    source: AppSrc,
    allocator: Option<(Allocator, AllocationParams)>,
    len: usize,
    _running: Running,
}

impl Sender {
    fn new(path: &Path, len: usize, slots: usize, in_place: bool) -> Result<Self, Failure> {
        let running = Running::new(&format!(
            "appsrc name=source block=true max-buffers=1 caps=application/x-surface \
             ! shmsink socket-path={} shm-size={} sync=false async=false enable-last-sample=false",
            path.display(),
            slots * (len + 4096) + (64 << 10)
        ))?;
        running.0.set_state(State::Playing)?;
        let source: AppSrc = running.element("source")?;
        let allocator = if in_place { Some(offered(&source)?) } else { None };
        Ok(Self { source, allocator, len, _running: running })
    }

    fn buffer(&self) -> Result<Buffer, Failure> {
        let Some((allocator, parameters)) = &self.allocator else {
            return Ok(Buffer::with_size(self.len)?);
        };
        // While the other side has all of the shared memory, the allocator gives some of the
        // process's own. The sink would copy that, and wait for room to which it comes only by
        // what stands behind it.
        let memory = find(Duration::from_micros(20), "the other side gives nothing back", || {
            let memory = allocator.alloc(self.len, Some(parameters))?;
            Ok((memory.allocator() == Some(allocator)).then_some(memory))
        })?;
        let mut buffer = Buffer::new();
        buffer.get_mut().ok_or("a new buffer is ours")?.append_memory(memory);
        Ok(buffer)
    }

    fn send(&self, fill: impl FnOnce(&mut [u8])) -> Result<(), Failure> {
        let mut buffer = self.buffer()?;
        fill(&mut buffer.get_mut().ok_or("a new buffer is ours")?.map_writable()?);
        self.source.push_buffer(buffer)?;
        Ok(())
    }
}

/// The allocator that the sink offers to who feeds it.
fn offered(source: &AppSrc) -> Result<(Allocator, AllocationParams), Failure> {
    let pad = source.static_pad("src").ok_or("no pad")?;
    look(|| {
        let mut query = gstreamer::query::Allocation::new(source.caps().as_ref(), false);
        let asked = pad.peer_query(&mut query);
        let mut offers = query.allocation_params().filter(|_| asked);
        offers.find_map(|(allocator, parameters)| Some((allocator?.to_owned(), parameters)))
    })
}

/// One direction, the end that receives.
struct Receiver {
    sink: AppSink,
    _running: Running,
}

impl Receiver {
    fn new(path: &Path, delivery: Delivery) -> Result<Self, Failure> {
        find(Duration::from_millis(1), "the other side does not listen", || {
            let running = Running::new(&format!(
                "shmsrc socket-path={} is-live=true \
                 ! appsink name=sink sync=false async=false enable-last-sample=false \
                 max-buffers=1 drop={}",
                path.display(),
                delivery == Delivery::Newest
            ))?;
            // The other side may not listen yet.
            if !path.exists() || running.0.set_state(State::Playing).is_err() {
                return Ok(None);
            }
            Ok(Some(Self { sink: running.element("sink")?, _running: running }))
        })
    }

    fn receive(&self) -> Result<Sample, Failure> {
        let patience = ClockTime::from_nseconds(u64::try_from(PATIENCE.as_nanos())?);
        let sample = self.sink.try_pull_sample(patience);
        sample.ok_or_else(|| "the other side does not answer".into())
    }
}

pub(crate) struct Consumer {
    frames: Receiver,
    requests: Sender,
    kept: Option<Sample>,
    run: Run,
    _child: Started,
    _folder: Folder,
}

pub(crate) struct Producer {
    requests: Receiver,
    frames: Sender,
    run: Run,
}

/// Where a run's sockets are: the sink of a pipeline that failed leaves its own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: String) -> io::Result<Self> {
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map(|()| Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

fn sockets(folder: &Path) -> [PathBuf; 2] {
    ["frames", "requests"].map(|what| folder.join(what))
}

macro_rules! subject {
    ($type:ident, $name:literal, $in_place:literal) => {
        impl Subject for $type {
            const NAME: &'static str = $name;
            type Host = Consumer;
            type Child = Producer;

            fn can(run: &Run) -> bool {
                // Its own threads always sleep for one another.
                run.wait == Wait::Asleep
            }

            fn host(start: &Start<'_>) -> Result<Consumer, Failure> {
                let folder = Folder::new(start.name())?;
                let [frames, requests] = sockets(&folder.0);
                let run = start.run.clone();
                let requests = Sender::new(&requests, 8, run.slots, true)?;
                let child = start.spawn(vec![folder.0.to_string_lossy().into_owned()])?;
                let frames = Receiver::new(&frames, run.delivery)?;
                Ok(Consumer { frames, requests, kept: None, run, _child: child, _folder: folder })
            }

            fn child(arguments: &ChildArguments) -> Result<Producer, Failure> {
                let folder = arguments.rest.first().ok_or("no folder")?;
                let [frames, requests] = sockets(folder.as_ref());
                let run = arguments.run.clone();
                let requests = Receiver::new(&requests, Delivery::Newest)?;
                let frames = Sender::new(&frames, run.bytes(), run.slots, $in_place)?;
                Ok(Producer { requests, frames, run })
            }
        }
    };
}

subject!(InPlace, "GStreamer shm, in place", true);
subject!(Copied, "GStreamer shm, copied", false);

impl Consumer {
    fn read(&self, sample: &Sample) -> Result<u64, Failure> {
        let buffer = sample.buffer().ok_or("no buffer")?;
        Ok(read(&buffer.map_readable()?, self.run.touch))
    }
}

impl Host for Consumer {
    fn request(&mut self) -> Result<(), Failure> {
        self.requests.send(|_| {})
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let sample = self.frames.receive()?;
        let value = self.read(&sample)?;
        if self.run.keep_ms > 0 {
            self.kept = Some(sample);
        }
        Ok(value)
    }

    fn look_again(&mut self) -> Result<u64, Failure> {
        let sample = self.kept.take().ok_or("no frame is kept")?;
        self.read(&sample)
    }
}

impl Child for Producer {
    fn wait(&mut self) -> Result<bool, Failure> {
        self.requests.receive().map(|_| true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        self.frames.send(|frame| write(frame, self.run.touch, value))
    }
}
