//! The layers of a pane in the host's view.
//!
//! ```text
//! the view's layer, or the one it lies in
//!  └ root      as large as the view, its origin at the top left
//!     └ seen   what of the pane is seen; cuts off the rest, and has the fill
//!        └ content   the frame: the child's surface is its contents
//! ```

use objc2::Message;
use objc2::rc::Retained;
use objc2::runtime::{AnyObject, ProtocolObject};
use objc2_app_kit::NSView;
use objc2_core_foundation::{CGPoint, CGRect, CGSize};
use objc2_core_graphics::CGColor;
use objc2_foundation::{NSDictionary, NSNull, NSString, ns_string};
use objc2_quartz_core::{CAAction, CAAutoresizingMask, CALayer, CATransaction};

use crate::error::PaneError;
use crate::format::Format;
use crate::geometry::Scale;
use crate::pane::points::{Box4, Places, part};
use crate::pane::{Placement, Stacking};
use crate::surface::Lease;

/// Above what the host draws into layers of its own.
const ABOVE: f64 = 1.0;

#[derive(Debug)]
pub(super) struct Layers {
    view: Retained<NSView>,
    root: Retained<CALayer>,
    seen: Retained<CALayer>,
    content: Retained<CALayer>,
}

/// Changes layers in one step, without the animations that they come with. What
/// the run loop changes besides, the window's own size above all, is seen in the
/// same step (CATransaction.h).
pub(super) fn change<T>(change: impl FnOnce() -> T) -> T {
    CATransaction::begin();
    CATransaction::setDisableActions(true);
    let result = change();
    CATransaction::commit();
    result
}

fn rect([x, y, width, height]: Box4) -> CGRect {
    CGRect::new(CGPoint::new(x, y), CGSize::new(width, height))
}

/// For changes that others make: the root grows with the view.
fn without_actions(layer: &CALayer) {
    let null = NSNull::null();
    let nothing: &ProtocolObject<dyn CAAction> = ProtocolObject::from_ref(&*null);
    let keys: [&NSString; 5] = [
        ns_string!("backgroundColor"),
        ns_string!("bounds"),
        ns_string!("position"),
        ns_string!("contents"),
        ns_string!("hidden"),
    ];
    let actions = NSDictionary::from_slices(&keys, &[nothing; 5]);
    layer.setActions(Some(&actions));
}

impl Layers {
    pub(super) fn new(view: Retained<NSView>, placement: &Placement) -> Result<Self, PaneError> {
        view.setWantsLayer(true);
        let layers =
            Self { view, root: CALayer::new(), seen: CALayer::new(), content: CALayer::new() };
        for layer in [&layers.root, &layers.seen, &layers.content] {
            layer.setAnchorPoint(CGPoint::new(0.0, 0.0));
            without_actions(layer);
        }
        let grows = CAAutoresizingMask::LayerWidthSizable | CAAutoresizingMask::LayerHeightSizable;
        layers.root.setAutoresizingMask(grows);
        layers.seen.setMasksToBounds(true);
        layers.root.addSublayer(&layers.seen);
        layers.seen.addSublayer(&layers.content);
        layers.seen.setHidden(true);
        change(|| layers.stack(placement.stacking))?;
        Ok(layers)
    }

    /// Puts the pane above or below what the view draws.
    pub(super) fn stack(&self, stacking: Stacking) -> Result<(), PaneError> {
        let own = self.view.layer().ok_or(PaneError::NoWindow)?;
        match stacking {
            Stacking::Above => {
                own.addSublayer(&self.root);
                self.root.setZPosition(ABOVE);
            }
            Stacking::Below => {
                let missing = PaneError::Missing { what: "layer behind the view's own" };
                let behind = own.superlayer().ok_or(missing)?;
                self.root.setZPosition(own.zPosition());
                behind.insertSublayer_below(&self.root, Some(&own));
            }
        }
        Ok(())
    }

    /// Places everything for a frame; what is in the content stays.
    pub(super) fn place(&self, places: &Places, scale: Scale, visible: bool) {
        if let (Some(parent), Some(own)) = (self.root.superlayer(), self.view.layer()) {
            // Below, it lies where the view lies.
            let above = parent == own;
            self.root.setFrame(if above { own.bounds() } else { own.frame() });
            // y grows downwards within it, whichever way it does outside.
            self.root.setGeometryFlipped(!parent.contentsAreFlipped());
        }
        self.seen.setHidden(!visible);
        self.seen.setFrame(rect(places.seen));
        self.seen.setBounds(rect(places.inside));
        self.content.setFrame(rect(places.frame));
        self.content.setContentsScale(scale.as_f64());
    }

    /// Shows a frame. The colour space is the surface's own
    /// (`kIOSurfaceColorSpace`).
    pub(super) fn show(&self, lease: &Lease) {
        let surface = lease.surface();
        let descriptor = surface.descriptor();
        self.content.setOpaque(descriptor.format() == Format::Bgrx8);
        self.content.setContentsRect(rect(part(lease.size(), descriptor.size())));
        let object = surface.memory().surface_ref().cast::<AnyObject>();
        // SAFETY: the surface lives as long as the lease, and an IOSurfaceRef is
        // an object of the class IOSurface (toll-free bridged: IOSurfaceObjC.h).
        let object = unsafe { object.as_ref() };
        // SAFETY: contents may be an IOSurface; the layer retains it (CALayer.h
        // names CGImageRef; that IOSurfaces are taken is what every browser on
        // macOS is built on).
        unsafe { self.content.setContents(Some(object)) };
    }

    /// The colour around frames that do not fill the pane: sRGB, as theirs is.
    pub(super) fn fill(&self, colour: Option<[u8; 3]>) {
        let colour = colour.map(|colour| {
            let [red, green, blue] = colour.map(|part| f64::from(part) / 255.0);
            CGColor::new_srgb(red, green, blue, 1.0)
        });
        self.seen.setBackgroundColor(colour.as_deref());
    }

    pub(super) fn view(&self) -> Retained<NSView> {
        self.view.retain()
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        change(|| self.root.removeFromSuperlayer());
    }
}
