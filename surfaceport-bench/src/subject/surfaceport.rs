//! surfaceport, as anybody uses it.

use std::time::Duration;

use surfaceport::{
    Command, Damage, Deadline, Error, Event, Frame, Limits, Renderer, Session, Swapchain,
    SwapchainDescriptor, Timestamp,
};

use super::{Child, Failure, Host, Start, Subject, same, write};
use crate::board::PATIENCE;
use crate::run::{ChildArguments, Run, Task, Touch, Wait};

/// A session and a renderer.
#[derive(Debug)]
pub(crate) struct Surfaceport;

/// The consumer's side.
#[derive(Debug)]
pub(crate) struct Consumer {
    session: Session,
    kept: Option<Frame>,
    run: Run,
}

/// The producer's side.
#[derive(Debug)]
pub(crate) struct Producer {
    swapchain: Swapchain,
    _renderer: Renderer,
    run: Run,
}

/// How long a side that waits awake does so before it sleeps.
fn spin(run: &Run) -> Duration {
    match run.wait {
        Wait::Asleep => Duration::ZERO,
        Wait::Awake => Duration::MAX,
    }
}

impl Subject for Surfaceport {
    const NAME: &'static str = "surfaceport";
    type Host = Consumer;
    type Child = Producer;

    fn can(_: &Run) -> bool {
        true
    }

    fn host(start: &Start<'_>) -> Result<Consumer, Failure> {
        let run = start.run.clone();
        let command = Command::new(std::env::current_exe()?)
            .args(start.arguments(Vec::new()))
            .forward_output(true)
            .limits(Limits::default().surface_bytes(4 << 30));
        let mut session = Session::spawn(command)?;
        session.set_spin(spin(&run));
        let mut consumer = Consumer { session, kept: None, run };
        // Until then the child has not heard all that it needs to be ready.
        while !matches!(consumer.session.next_event(PATIENCE)?, Some(Event::Setup { .. })) {
            if let Some(exit) = consumer.session.exit() {
                return Err(exit.to_string().into());
            }
        }
        if consumer.run.task == Task::Answer {
            // A generation's first frame comes unasked.
            consumer.take()?;
        }
        Ok(consumer)
    }

    fn child(arguments: &ChildArguments) -> Result<Producer, Failure> {
        let run = arguments.run.clone();
        let renderer = Renderer::connect()?;
        let descriptor =
            SwapchainDescriptor::new(run.size).slots(run.slots).mode(run.mode()).spin(spin(&run));
        let swapchain = renderer.swapchain(descriptor)?;
        Ok(Producer { swapchain, _renderer: renderer, run })
    }
}

impl Consumer {
    fn read(&self, frame: &Frame) -> Result<u64, Failure> {
        Ok(match self.run.touch {
            Touch::Nothing => 0,
            Touch::Stamp => same(frame.view()?.row_words(0).into_iter().flatten().take(8)),
            Touch::Whole => {
                let view = frame.view()?;
                let rows = (0..frame.size().height).filter_map(|y| view.row_words(y));
                same(rows.map(same))
            }
        })
    }
}

impl Host for Consumer {
    fn request(&mut self) -> Result<(), Failure> {
        self.session.begin_frame(Timestamp::now());
        Ok(())
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let frame = self.session.next_frame(PATIENCE)?.ok_or("no frame came")?;
        let value = self.read(&frame)?;
        if self.run.keep_ms > 0 {
            self.kept = Some(frame);
        }
        Ok(value)
    }

    fn look_again(&mut self) -> Result<u64, Failure> {
        let frame = self.kept.take().ok_or("no frame is kept")?;
        self.read(&frame)
    }
}

impl Child for Producer {
    fn wait(&mut self) -> Result<bool, Failure> {
        match self.swapchain.wait_begin_frame(Deadline::NEVER) {
            Ok(_) => Ok(true),
            Err(Error::HostGone) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let mut canvas = self.swapchain.acquire(Deadline::NEVER)?;
        if self.run.touch != Touch::Nothing {
            write(canvas.bytes_mut(), self.run.touch, value);
        }
        canvas.present(Damage::FULL)?;
        Ok(())
    }
}
