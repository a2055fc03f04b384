//! The child process: how to start it, how long to put up with it, how it ended.

mod command;
mod door;
mod output;
mod policy;

use crate::channel::Channel;
use crate::error::{Error, Exit, ExitReason};
use crate::sandbox::{Confinement, SandboxGap};
pub(crate) use crate::sys::Process;
use crate::sys::{Endpoint, Raised, Source};
use crate::time::Timestamp;

pub use command::Command;
pub use policy::{Limits, Restart};

pub(crate) use door::{Door, connect, inherited};
use output::Output;

/// One run of a child, watched.
#[derive(Debug)]
pub(crate) struct Child {
    /// `None` for a peer whose process the kernel does not tell.
    process: Option<Process>,
    output: Option<Output>,
    pid: Option<u32>,
    ended: Option<ExitReason>,
    sandbox: Option<Raised>,
}

impl Child {
    /// Starts a child; the channel to it is connected.
    pub(crate) fn spawn(command: &Command) -> Result<(Self, Channel), Error> {
        let spawned = command.get_spawn().start()?;
        let pid = Some(spawned.process.pid());
        let output = Some(Output::new(spawned.stderr, command.forward_output));
        let (process, sandbox) = (Some(spawned.process), spawned.sandbox);
        let child = Self { process, output, pid, ended: None, sandbox };
        Ok((child, Channel::new(spawned.endpoint)))
    }

    /// A peer that connected by name.
    pub(crate) fn peer(endpoint: Endpoint, process: Option<Process>) -> (Self, Channel) {
        let pid = process.as_ref().map(Process::pid);
        let child = Self { process, output: None, pid, ended: None, sandbox: None };
        (child, Channel::new(endpoint))
    }

    /// What became of its sandbox; an error: less than was required.
    pub(crate) fn confinement(&self) -> Result<Option<Confinement>, SandboxGap> {
        let Some((raised, process)) = self.sandbox.as_ref().zip(self.process.as_ref()) else {
            return Ok(None);
        };
        let confinement = raised.confinement(process);
        match confinement.gaps().first() {
            Some(gap) if raised.is_required() => Err(*gap),
            _ => Ok(Some(confinement)),
        }
    }

    /// Its process id, if it is known.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Whether it is a process of ours, which can be ended and has an exit code.
    pub(crate) fn is_ours(&self) -> bool {
        self.output.is_some()
    }

    /// Ends it at once, if it is ours.
    pub(crate) fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<&ExitReason> {
        if self.ended.is_none() {
            let forbidden = self.sandbox.as_ref().and_then(Raised::signal);
            self.ended = self.process.as_mut().and_then(Process::reap).map(|reason| match reason {
                ExitReason::Signalled { signal, .. } if Some(signal) == forbidden => {
                    ExitReason::ForbiddenCall
                }
                reason => reason,
            });
        }
        self.ended.as_ref()
    }

    /// Reads what it wrote, up to a budget. `true`: there is more than that.
    pub(crate) fn read_output(&mut self) -> bool {
        self.output.as_mut().is_some_and(Output::read)
    }

    /// Output is read again from this time on.
    pub(crate) fn output_muted_until(&self) -> Option<Timestamp> {
        self.output.as_ref().and_then(|output| output.muted_until)
    }

    /// Sets or clears that time.
    pub(crate) fn mute_output(&mut self, until: Option<Timestamp>) {
        if let Some(output) = &mut self.output {
            output.muted_until = until;
        }
    }

    /// Whether nothing more will be written.
    pub(crate) fn output_is_closed(&self) -> bool {
        self.output.as_ref().is_none_or(|output| output.closed)
    }

    /// What to wait on for its end.
    pub(crate) fn process_source(&self) -> Option<Source<'_>> {
        self.process.as_ref().map(Process::source)
    }

    /// What to wait on for its output.
    pub(crate) fn output_source(&self) -> Option<Source<'_>> {
        self.output.as_ref().map(Output::source)
    }

    /// The handle of its process.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// The record of its end.
    pub(crate) fn exit(mut self, reason: ExitReason, connected: bool) -> Exit {
        if let Some(output) = &mut self.output {
            output.finish();
        }
        let last_lines = self.output.take().map(Output::into_lines).unwrap_or_default();
        Exit { reason, pid: self.pid, connected, last_lines }
    }
}
