//! The two ends of a connection.
//!
//! Host: [`Session`] supervises a child and gives its frames; [`Listener`]
//! waits for one that connects by name. Child: [`Renderer`] is the connection,
//! [`Swapchain`] the slots, [`Canvas`] one of them to draw into.

mod canvas;
mod connection;
mod event;
mod frame;
mod generation;
mod host;
mod hub;
mod listener;
mod renderer;
mod snapshot;
mod strain;
mod swapchain;
mod vigil;

pub use canvas::Canvas;
pub use event::{Event, RendererEvent, Stats};
pub use frame::Frame;
pub use host::Session;
pub use listener::Listener;
pub use renderer::Renderer;
pub use swapchain::{BeginFrame, Swapchain, SwapchainDescriptor};
