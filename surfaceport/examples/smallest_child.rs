//! The smallest child: a square that moves. Started by `smallest_host`.
use surfaceport::{Damage, Deadline, Error, Renderer, Size, SwapchainDescriptor};

fn main() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let size = renderer.wanted_size().unwrap_or(Size::new(320, 240));
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(size))?;
    for frame in 0.. {
        let mut canvas = match swapchain.acquire(Deadline::NEVER) {
            Err(Error::HostGone) => break,
            canvas => canvas?,
        };
        let left = frame % (size.width - 32);
        for (y, row) in (0..).zip(canvas.rows_mut()) {
            for (x, pixel) in (0..).zip(row.as_chunks_mut().0) {
                let inside = (left..left + 32).contains(&x) && (32..64).contains(&y);
                *pixel = if inside { [240, 120, 40, 255] } else { [255; 4] };
            }
        }
        canvas.present(Damage::FULL)?;
        match swapchain.wait_begin_frame(Deadline::NEVER) {
            Err(Error::HostGone) => break,
            begin => begin?,
        };
    }
    Ok(())
}
