//! How layers answer the user.

use std::time::Duration;

use vello_cpu::kurbo::{BezPath, Circle, Point, Shape, Size};

use super::animation::{Animation, Color, Track, Way};
use super::layer::{Content, Layer, Properties};
use super::timing::Timing;

const RIPPLE: Duration = Duration::from_millis(700);
const BUMP: Duration = Duration::from_millis(120);
const HOP: Duration = Duration::from_millis(220);
const FADE: Duration = Duration::from_millis(200);
const GLIDE: Duration = Duration::from_millis(400);
/// What an unfocused scene looks like.
const DIMMED: f64 = 0.55;
/// Rings that are still to be seen, with the ones before them, at most.
const MAX_RIPPLES: usize = 8;

/// A ring that grows and fades where the user clicked. `layer` keeps the last
/// few.
pub(super) fn ripple(layer: &mut Layer, at: Point, radius: f64, time: Duration) {
    if layer.sublayers.len() >= MAX_RIPPLES {
        layer.sublayers.remove(0);
    }
    let own = Properties {
        position: at,
        size: Size::new(2.0 * radius, 2.0 * radius),
        opacity: 0.0,
        fill: Color::from_rgb8(0x2f, 0x6f, 0xed),
        ..Properties::default()
    };
    let grow = Track::Scale(Way::new(0.15, 1.0));
    let fade = Track::Opacity(Way::new(0.7, 0.0));
    let run = |track, timing| Animation { begin: time, timing, ..Animation::new(track, RIPPLE) };
    let ring = Layer::new("", Content::Path(ring(radius).into()), own)
        .with_animation(run(grow, Timing::EASE_OUT))
        .with_animation(run(fade, Timing::EASE_IN));
    layer.sublayers.push(ring);
}

/// A ring within a square of twice the radius.
fn ring(radius: f64) -> BezPath {
    let circle = |part: f64| Circle::new((radius, radius), radius * part).to_path(0.1);
    let mut path = circle(1.0);
    path.extend(circle(0.88).reverse_subpaths());
    path
}

/// The layer swells for a moment.
pub(super) fn bump(layer: &mut Layer, time: Duration) {
    let swell = Track::Scale(Way::to(1.15));
    start(layer, Animation { autoreverse: true, ..Animation::new(swell, BUMP) }, time);
}

/// The layer jumps up by this much, and falls back.
pub(super) fn hop(layer: &mut Layer, height: f64, time: Duration) {
    let up = Track::PositionY(Way::to(layer.own.position.y - height));
    let hop = Animation { autoreverse: true, timing: Timing::EASE_OUT, ..Animation::new(up, HOP) };
    start(layer, hop, time);
}

/// The layer's corners become round for a moment.
pub(super) fn round(layer: &mut Layer, time: Duration) {
    let round = Track::CornerRadius(Way::to(layer.own.size.min_side() / 2.0));
    start(layer, Animation { autoreverse: true, ..Animation::new(round, BUMP) }, time);
}

/// The layer takes another colour.
pub(super) fn recolor(layer: &mut Layer, color: Color, time: Duration) {
    let before = std::mem::replace(&mut layer.own.fill, color);
    start(layer, Animation::new(Track::FillColor(Way::from(before)), FADE), time);
}

/// The layer moves to another place.
pub(super) fn glide(layer: &mut Layer, to: Point, time: Duration) {
    let before = std::mem::replace(&mut layer.own.position, to);
    let timing = Timing::EASE_IN_OUT;
    let glide = Animation::new(Track::Position(Way::from(before)), GLIDE);
    start(layer, Animation { timing, ..glide }, time);
}

/// The layer fades when the focus goes, and comes back with it.
pub(super) fn focus(layer: &mut Layer, focused: bool, time: Duration) {
    let before = layer.own.opacity;
    layer.own.opacity = if focused { 1.0 } else { DIMMED };
    start(layer, Animation::new(Track::Opacity(Way::from(before)), FADE), time);
}

/// Starts one of these, in place of the one that it would disturb.
fn start(layer: &mut Layer, animation: Animation, time: Duration) {
    let same = |one: &Animation| {
        let kinds = (std::mem::discriminant(&one.track), std::mem::discriminant(&animation.track));
        kinds.0 == kinds.1 && one.repeat == 1.0
    };
    layer.animations.retain(|one| !same(one));
    layer.animations.push(Animation { begin: time, ..animation });
}
