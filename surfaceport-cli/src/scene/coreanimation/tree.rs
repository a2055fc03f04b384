//! The layers: on white a blue circle, a red rectangle that turns, a line of text
//! and a gradient from green to yellow, where the portable scene has them.

use std::time::Duration;

use objc2::rc::Retained;
use objc2::runtime::AnyObject;
use objc2_core_foundation::{CFRetained, CGAffineTransform, CGPoint, CGRect, CGSize};
use objc2_core_graphics::{CGColor, CGPath};
use objc2_foundation::{NSArray, NSNumber, ns_string};
use objc2_quartz_core::{
    CABasicAnimation, CAGradientLayer, CALayer, CAMediaTiming as _, CAShapeLayer, CATextLayer,
    CATransaction, kCAAlignmentCenter,
};
use surfaceport::{Scale, Size};

/// When the scene begins, on the layers' clock. (0 would mean "when it is
/// committed".)
pub(super) const EPOCH: f64 = 1.0;

/// One turn of the rectangle, in seconds.
const TURN: f64 = 2.0;

/// How long a ring grows and fades where the user clicked.
const RIPPLE: Duration = Duration::from_millis(700);

type Rgb = (u8, u8, u8);
const WHITE: Rgb = (0xff, 0xff, 0xff);
const INK: Rgb = (0x1d, 0x1d, 0x1f);
const BLUE: Rgb = (0x1f, 0x5f, 0xff);
const RED: Rgb = (0xe6, 0x2b, 0x2b);
const GREEN: Rgb = (0x34, 0xc7, 0x59);
const YELLOW: Rgb = (0xff, 0xd6, 0x0a);

/// The tree, in pixels from the top left.
pub(super) struct Tree {
    root: Retained<CALayer>,
    band: Retained<CAGradientLayer>,
    line: Retained<CATextLayer>,
    circle: Retained<CAShapeLayer>,
    rectangle: Retained<CALayer>,
    ring: Retained<CAShapeLayer>,
    /// When the user clicked last, while the ring is to be seen.
    clicked: Option<Duration>,
    laid_out: Option<(Size, Scale)>,
}

fn color((red, green, blue): Rgb) -> CFRetained<CGColor> {
    let part = |value: u8| f64::from(value) / 255.0;
    CGColor::new_srgb(part(red), part(green), part(blue), 1.0)
}

fn rect(x: f64, y: f64, width: f64, height: f64) -> CGRect {
    CGRect::new(CGPoint::new(x, y), CGSize::new(width, height))
}

impl Tree {
    pub(super) fn new() -> Self {
        let tree = Self {
            root: CALayer::new(),
            band: CAGradientLayer::new(),
            line: CATextLayer::new(),
            circle: CAShapeLayer::new(),
            rectangle: CALayer::new(),
            ring: CAShapeLayer::new(),
            clicked: None,
            laid_out: None,
        };
        // y grows downwards, as in a surface's memory.
        tree.root.setGeometryFlipped(true);
        tree.root.setOpaque(true);
        tree.root.setBackgroundColor(Some(&color(WHITE)));
        tree.root.setAnchorPoint(CGPoint::new(0.0, 0.0));
        tree.circle.setFillColor(Some(&color(BLUE)));
        tree.rectangle.setBackgroundColor(Some(&color(RED)));
        tree.line.setForegroundColor(Some(&color(INK)));
        // SAFETY: a string is one of the two kinds that it takes (CATextLayer.h).
        unsafe { tree.line.setString(Some(ns_string!("Hello, surfaceport!"))) };
        // SAFETY: reads a constant that QuartzCore sets when it is loaded.
        tree.line.setAlignmentMode(unsafe { kCAAlignmentCenter });
        let stops = [color(GREEN), color(YELLOW)];
        let stops: [&AnyObject; 2] = stops.each_ref().map(|color| (**color).as_ref());
        // SAFETY: the array has CGColors, which is what it takes
        // (CAGradientLayer.h).
        unsafe { tree.band.setColors(Some(&NSArray::from_slice(&stops))) };
        tree.band.setStartPoint(CGPoint::new(0.0, 0.5));
        tree.band.setEndPoint(CGPoint::new(1.0, 0.5));
        tree.band.setMasksToBounds(true);
        tree.ring.setFillColor(None);
        tree.ring.setStrokeColor(Some(&color(BLUE)));
        tree.ring.setOpacity(0.0);
        let layers: [&CALayer; 5] =
            [&tree.band, &tree.line, &tree.circle, &tree.rectangle, &tree.ring];
        for layer in layers {
            tree.root.addSublayer(layer);
        }
        tree.turn();
        tree
    }

    /// Lets the rectangle turn for ever.
    fn turn(&self) {
        let turn = CABasicAnimation::animationWithKeyPath(Some(ns_string!("transform.rotation.z")));
        let (from, to) = (NSNumber::new_f64(0.0), NSNumber::new_f64(std::f64::consts::TAU));
        // SAFETY: the key path's values are numbers, in radians (the Core Animation
        // Programming Guide, "Key-Value Coding Extensions").
        unsafe { turn.setFromValue(Some(&from)) };
        // SAFETY: as above.
        unsafe { turn.setToValue(Some(&to)) };
        turn.setBeginTime(EPOCH);
        turn.setDuration(TURN);
        turn.setRepeatCount(f32::INFINITY);
        turn.setRemovedOnCompletion(false);
        self.rectangle.addAnimation_forKey(&turn, Some(ns_string!("turn")));
    }

    /// Lays the tree out for a canvas. All sizes follow from the largest 4:3
    /// picture in the middle; wide or high windows spread the layers.
    pub(super) fn lay_out(&mut self, size: Size, scale: Scale) {
        if self.laid_out.replace((size, scale)) == Some((size, scale)) {
            return;
        }
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let unit = (width / 400.0).min(height / 300.0);
        let place = |layer: &CALayer, x: f64, y: f64, wide: f64, high: f64| {
            layer.setBounds(rect(0.0, 0.0, wide, high));
            layer.setPosition(CGPoint::new(width * x, height * y));
        };
        CATransaction::begin();
        CATransaction::setDisableActions(true);
        self.root.setBounds(rect(0.0, 0.0, width, height));
        self.root.setPosition(CGPoint::new(0.0, 0.0));

        let across = 120.0 * unit;
        place(&self.circle, 0.27, 0.33, across, across);
        let bounds = rect(0.0, 0.0, across, across);
        // SAFETY: no transform is given (CGPath.h).
        let path = unsafe { CGPath::with_ellipse_in_rect(bounds, std::ptr::null()) };
        self.circle.setPath(Some(&path));

        place(&self.rectangle, 0.70, 0.33, 140.0 * unit, 92.0 * unit);
        self.rectangle.setCornerRadius(14.0 * unit);

        let letters = (26.0 * unit).max(9.0 * scale.as_f64());
        self.line.setFontSize(letters);
        place(&self.line, 0.5, 0.715, width, letters * 1.25);

        place(&self.band, 0.5, 0.875, width - 72.0 * unit, 36.0 * unit);
        self.band.setCornerRadius(10.0 * unit);

        let across = 72.0 * unit;
        self.ring.setBounds(rect(0.0, 0.0, across, across));
        let bounds = rect(0.0, 0.0, across, across);
        // SAFETY: no transform is given (CGPath.h).
        let path = unsafe { CGPath::with_ellipse_in_rect(bounds, std::ptr::null()) };
        self.ring.setPath(Some(&path));
        self.ring.setLineWidth(4.0 * unit);
        CATransaction::commit();
    }

    /// The user clicks here, in pixels.
    pub(super) fn click(&mut self, x: f64, y: f64, time: Duration) {
        CATransaction::begin();
        CATransaction::setDisableActions(true);
        self.ring.setPosition(CGPoint::new(x, y));
        CATransaction::commit();
        self.clicked = Some(time);
    }

    /// Lets the ring of the last click grow and fade.
    pub(super) fn ripple(&mut self, time: Duration) {
        let Some(clicked) = self.clicked else { return };
        let gone = time.saturating_sub(clicked).as_secs_f64() / RIPPLE.as_secs_f64();
        let scale = 0.15 + 0.85 * gone.min(1.0);
        CATransaction::begin();
        CATransaction::setDisableActions(true);
        let grown = CGAffineTransform { a: scale, b: 0.0, c: 0.0, d: scale, tx: 0.0, ty: 0.0 };
        self.ring.setAffineTransform(grown);
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        self.ring.setOpacity((0.7 * (1.0 - gone)).max(0.0) as f32);
        CATransaction::commit();
        if gone >= 1.0 {
            self.clicked = None;
        }
    }

    pub(super) fn root(&self) -> &CALayer {
        &self.root
    }

    pub(super) fn bounds(&self) -> CGRect {
        self.root.bounds()
    }

    /// Puts what is animated into the tree itself, for who draws without a clock.
    pub(super) fn stand_at(&self, time: Duration) {
        let angle = (time.as_secs_f64() / TURN).fract() * std::f64::consts::TAU;
        let (sin, cos) = angle.sin_cos();
        CATransaction::begin();
        CATransaction::setDisableActions(true);
        let turned = CGAffineTransform { a: cos, b: sin, c: -sin, d: cos, tx: 0.0, ty: 0.0 };
        self.rectangle.setAffineTransform(turned);
        CATransaction::commit();
    }
}
