//! A host with a window of winit's: the child's frames in the best pane there is.

#[cfg(target_os = "linux")]
mod window;

type Anything = Box<dyn std::error::Error>;

fn main() -> Result<(), Anything> {
    if adapters::run_if_child() {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    return window::run();
    #[cfg(not(target_os = "linux"))]
    Err("the panes for a window of winit's are Linux's".into())
}
