//! Without Metal: the layers draw themselves into the canvas's rows.
//!
//! `renderInContext:` draws the tree as it stands and knows nothing of
//! animations, so what turns is put into the tree before.

use std::time::Duration;

use objc2_core_graphics::CGContext;
use surfaceport::os::macos::bitmap_context;
use surfaceport::{Canvas, Error};

use super::tree::Tree;

/// Draws; the rows are locked from here until the canvas is presented.
pub(super) fn draw(canvas: &mut Canvas<'_>, tree: &Tree, time: Duration) -> Result<(), Error> {
    tree.stand_at(time);
    let height = tree.bounds().size.height;
    let context = bitmap_context(canvas)?;
    // SAFETY: it is a CGContext, which lives at least as long as this borrow.
    let target = unsafe { context.as_ptr().cast::<CGContext>().as_ref() };
    // The context's origin is at the bottom, the tree's at the top.
    CGContext::save_g_state(Some(target));
    CGContext::translate_ctm(Some(target), 0.0, height);
    CGContext::scale_ctm(Some(target), 1.0, -1.0);
    tree.root().renderInContext(target);
    CGContext::restore_g_state(Some(target));
    Ok(())
}
