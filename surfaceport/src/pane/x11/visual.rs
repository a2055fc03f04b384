//! Which of our formats a window's pixels are.

use x11rb::protocol::xproto::{ImageOrder, Setup, VisualClass, Visualid};

use crate::format::Format;

/// How the pixels of a window lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visual {
    pub(super) id: Visualid,
    pub(super) depth: u8,
    /// Red, green, blue.
    masks: [u32; 3],
    /// Of 32 bits, the lowest byte first.
    plain: bool,
}

impl Visual {
    /// What the server says of a visual.
    pub(super) fn find(setup: &Setup, id: Visualid) -> Option<Self> {
        let depths = setup.roots.iter().flat_map(|screen| &screen.allowed_depths);
        let (depth, visual) = depths
            .flat_map(|depth| depth.visuals.iter().map(|visual| (depth.depth, visual)))
            .find(|(_, visual)| visual.visual_id == id)?;
        let wide = |format: &&x11rb::protocol::xproto::Format| {
            format.depth == depth && format.bits_per_pixel == 32
        };
        let plain = visual.class == VisualClass::TRUE_COLOR
            && setup.image_byte_order == ImageOrder::LSB_FIRST
            && setup.pixmap_formats.iter().any(|format| wide(&format));
        let masks = [visual.red_mask, visual.green_mask, visual.blue_mask];
        Some(Self { id, depth, masks, plain })
    }

    /// Whether the window's pixels are this format's, byte for byte.
    ///
    /// A window of depth 24 ignores the fourth byte: a translucent pixel, whose
    /// colour is premultiplied, shows as over black. In one of depth 32 that byte
    /// is the window's alpha, for which the format says that it is opaque.
    pub(super) fn shows(&self, format: Format) -> bool {
        let masks = match format {
            Format::Bgra8 | Format::Bgrx8 => [0xff_0000, 0xff00, 0xff],
            Format::Rgba8 => [0xff, 0xff00, 0xff_0000],
            Format::Bgr10a2 => [0x3ff0_0000, 0xf_fc00, 0x3ff],
            Format::Rgba16f => return false,
        };
        self.plain && self.masks == masks
    }

    /// A colour as this window's pixel, opaque.
    pub(super) fn pixel(&self, colour: [u8; 3]) -> u32 {
        let channels = self.masks.iter().zip(colour).map(|(mask, value)| {
            let room = mask.trailing_zeros();
            let top = u64::from(mask.checked_shr(room).unwrap_or(0));
            let value = u64::from(value) * top / 255;
            u32::try_from(value).unwrap_or(0).checked_shl(room).unwrap_or(0)
        });
        let [red, green, blue] = self.masks;
        let alpha = if self.depth == 32 { !(red | green | blue) } else { 0 };
        channels.fold(alpha, |all, one| all | one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visual(depth: u8, masks: [u32; 3]) -> Visual {
        Visual { id: 1, depth, masks, plain: true }
    }

    #[test]
    fn formats_are_shown_where_the_bytes_agree() {
        let usual = visual(24, [0xff_0000, 0xff00, 0xff]);
        let swapped = visual(24, [0xff, 0xff00, 0xff_0000]);
        let deep = visual(30, [0x3ff0_0000, 0xf_fc00, 0x3ff]);
        let shown = |visual: Visual| Format::ALL.map(|format| visual.shows(format));
        assert_eq!(shown(usual), [true, true, false, false, false]);
        assert_eq!(shown(swapped), [false, false, true, false, false]);
        assert_eq!(shown(deep), [false, false, false, true, false]);
        assert_eq!(shown(Visual { plain: false, ..usual }), [false; 5]);
    }

    #[test]
    fn a_colour_is_opaque_in_every_window() {
        let masks = [0xff_0000, 0xff00, 0xff];
        assert_eq!(visual(24, masks).pixel([1, 2, 3]), 0x1_0203);
        assert_eq!(visual(32, masks).pixel([1, 2, 3]), 0xff01_0203);
        assert_eq!(visual(16, [0xf800, 0x7e0, 0x1f]).pixel([255, 0, 255]), 0xf81f);
    }
}
