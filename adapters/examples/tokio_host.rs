//! A host as a task of tokio's.
use std::os::fd::AsFd as _;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if adapters::run_if_child() {
        return Ok(());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(host())
}

#[allow(deprecated, reason = "its new name asks for an owned file, which this is")]
async fn host() -> Result<(), Box<dyn std::error::Error>> {
    let mut host = adapters::Host::new(adapters::headless()?);
    let fd = AsyncFd::new(host.view.as_fd().try_clone_to_owned()?)?;
    while host.turn()? {
        let patience = host.patience().unwrap_or(Duration::MAX);
        if let Ok(readable) = tokio::time::timeout(patience, fd.readable()).await {
            let mut readable = readable?;
            // All that there is, until nothing is left; what comes after that is
            // not cleared.
            if !host.turn()? {
                break;
            }
            readable.clear_ready();
        }
    }
    Ok(())
}
