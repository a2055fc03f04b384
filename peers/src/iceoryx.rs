//! iceoryx2: samples by publish and subscribe, wake-ups by events.

use std::mem::MaybeUninit;
use std::time::Instant;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use surfaceport_bench::{
    Child, ChildArguments, Delivery, Failure, Host, PATIENCE, Run, Start, Started, Subject, Touch,
    Wait, look, read, write,
};

/// Samples in its own shared memory, loaned, written in place.
pub(crate) struct Iceoryx2;

type Service = ipc::Service;

/// One direction: samples, and an event that says that there is one.
struct Services {
    node: Node<Service>,
    name: String,
}

impl Services {
    fn new(name: String) -> Result<Self, Failure> {
        set_log_level(LogLevel::Fatal);
        Ok(Self { node: NodeBuilder::new().create::<Service>()?, name })
    }

    fn name(&self, what: &str) -> Result<ServiceName, Failure> {
        Ok(format!("{}/{what}", self.name).as_str().try_into()?)
    }

    fn events(&self, what: &str) -> Result<event::PortFactory<Service>, Failure> {
        Ok(self.node.service_builder(&self.name(what)?).event().open_or_create()?)
    }

    fn notifier(&self, what: &str) -> Result<Notifier<Service>, Failure> {
        Ok(self.events(what)?.notifier_builder().create()?)
    }

    fn listener(&self, what: &str) -> Result<Listener<Service>, Failure> {
        Ok(self.events(what)?.listener_builder().create()?)
    }

    fn samples(
        &self,
        what: &str,
        delivery: Delivery,
    ) -> Result<publish_subscribe::PortFactory<Service, [u8], ()>, Failure> {
        let builder = self.node.service_builder(&self.name(what)?).publish_subscribe::<[u8]>();
        Ok(builder
            .enable_safe_overflow(delivery == Delivery::Newest)
            .subscriber_max_buffer_size(depth(delivery))
            .open_or_create()?)
    }

    fn publisher(
        &self,
        what: &str,
        delivery: Delivery,
        len: usize,
    ) -> Result<Publisher<Service, [u8], ()>, Failure> {
        let builder = self.samples(what, delivery)?;
        let builder = builder.publisher_builder().initial_max_slice_len(len);
        Ok(builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?)
    }

    fn subscriber(
        &self,
        what: &str,
        delivery: Delivery,
    ) -> Result<Subscriber<Service, [u8], ()>, Failure> {
        Ok(self.samples(what, delivery)?.subscriber_builder().create()?)
    }
}

/// Samples that wait for the subscriber: as many as three slots allow.
fn depth(delivery: Delivery) -> usize {
    match delivery {
        Delivery::Newest => 1,
        Delivery::Every => 2,
    }
}

pub(crate) struct Consumer {
    frames: Subscriber<Service, [u8], ()>,
    frame_event: Listener<Service>,
    requests: Publisher<Service, [u8], ()>,
    request_event: Notifier<Service>,
    run: Run,
    _services: Services,
    _child: Started,
}

pub(crate) struct Producer {
    frames: Publisher<Service, [u8], ()>,
    frame_event: Notifier<Service>,
    requests: Subscriber<Service, [u8], ()>,
    request_event: Listener<Service>,
    run: Run,
    _services: Services,
}

impl Subject for Iceoryx2 {
    const NAME: &'static str = "iceoryx2";
    type Host = Consumer;
    type Child = Producer;

    fn can(run: &Run) -> bool {
        run.keep_ms == 0
    }

    fn host(start: &Start<'_>) -> Result<Consumer, Failure> {
        let name = start.name();
        let services = Services::new(name.clone())?;
        let run = start.run.clone();
        Ok(Consumer {
            frames: services.subscriber("frames", run.delivery)?,
            frame_event: services.listener("frame")?,
            requests: services.publisher("requests", Delivery::Newest, 1)?,
            request_event: services.notifier("request")?,
            run,
            _services: services,
            _child: start.spawn(vec![name])?,
        })
    }

    fn child(arguments: &ChildArguments) -> Result<Producer, Failure> {
        let name = arguments.rest.first().ok_or("no name")?;
        let services = Services::new(name.clone())?;
        let run = arguments.run.clone();
        Ok(Producer {
            frames: services.publisher("frames", run.delivery, run.bytes())?,
            frame_event: services.notifier("frame")?,
            requests: services.subscriber("requests", Delivery::Newest)?,
            request_event: services.listener("request")?,
            run,
            _services: services,
        })
    }
}

/// Waits for a sample.
fn receive<T>(
    wait: Wait,
    event: &Listener<Service>,
    mut receive: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    match wait {
        Wait::Awake => look(|| receive().transpose())?,
        Wait::Asleep => {
            let mut since = None;
            loop {
                if let Some(sample) = receive()? {
                    return Ok(sample);
                }
                let mut woken = false;
                event.timed_wait(|_| woken = true, PATIENCE)?;
                // A signal ends the wait, too: the time has to have passed.
                if !woken && since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    return Err("the other side does not answer".into());
                }
            }
        }
    }
}

impl Host for Consumer {
    fn request(&mut self) -> Result<(), Failure> {
        self.requests.loan_slice(1)?.send()?;
        if self.run.wait == Wait::Asleep {
            self.request_event.notify()?;
        }
        Ok(())
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let frames = &self.frames;
        let sample = receive(self.run.wait, &self.frame_event, || Ok(frames.receive()?))?;
        Ok(read(sample.payload(), self.run.touch))
    }
}

impl Child for Producer {
    fn wait(&mut self) -> Result<bool, Failure> {
        let requests = &self.requests;
        receive(self.run.wait, &self.request_event, || Ok(requests.receive()?))?;
        Ok(true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let mut sample = self.frames.loan_slice_uninit(self.run.bytes())?;
        if self.run.touch != Touch::Nothing {
            let payload: &mut [MaybeUninit<u8>] = sample.payload_mut();
            // SAFETY: what a sample was made of is memory that the kernel has
            // filled, and bytes have no value that is none.
            let bytes = unsafe { &mut *(std::ptr::from_mut(payload) as *mut [u8]) };
            write(bytes, self.run.touch, value);
        }
        // SAFETY: as above.
        unsafe { sample.assume_init() }.send()?;
        if self.run.wait == Wait::Asleep {
            self.frame_event.notify()?;
        }
        Ok(())
    }
}
