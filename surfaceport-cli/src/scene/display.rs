//! The layer tree at one time, as a list of what to draw, back to front. Two
//! lists tell what differs between two frames.

use std::rc::Rc;
use std::time::Duration;

use vello_cpu::kurbo::{Affine, Rect};

use super::layer::{Content, Layer, Properties};

/// Anti-aliased edges reach this far, in pixels.
const EDGE: f64 = 1.0;

/// One step of drawing, and the pixels that it reaches over.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) reach: Rect,
    pub(super) step: Step,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Draws a layer's content.
    Draw {
        content: Rc<Content>,
        properties: Properties,
        /// From the layer's coordinates to pixels.
        transform: Affine,
    },
    /// Draws what follows, to its [`Step::Leave`], as one picture of this opacity.
    Enter { opacity: f64 },
    /// The end of it.
    Leave,
}

impl PartialEq for Item {
    /// Whether the two draw the same pixels.
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.step, &other.step) {
            (
                Step::Draw { content, properties, transform },
                Step::Draw { content: content_2, properties: properties_2, transform: transform_2 },
            ) => {
                Rc::ptr_eq(content, content_2)
                    && properties == properties_2
                    && transform == transform_2
            }
            (Step::Enter { opacity }, Step::Enter { opacity: opacity_2 }) => opacity == opacity_2,
            (Step::Leave, Step::Leave) => true,
            _ => false,
        };
        same && self.reach == other.reach
    }
}

/// All that is to be seen of a layer at a time.
pub(super) fn list(layer: &Layer, time: Duration, to_pixels: Affine) -> Vec<Item> {
    let mut items = Vec::new();
    add(layer, time, to_pixels, &mut items);
    items
}

fn add(layer: &Layer, time: Duration, to_pixels: Affine, items: &mut Vec<Item>) {
    let properties = layer.presented(time);
    // A layer without size (a scale of 0) has no pixels, nor have those within it.
    if properties.opacity <= 0.0 || properties.scale == 0.0 {
        return;
    }
    let transform = to_pixels * properties.transform();
    // What is drawn in one step can be drawn with its opacity.
    let as_one = properties.opacity < 1.0 && !layer.sublayers.is_empty();
    let entered = items.len();
    if as_one {
        let step = Step::Enter { opacity: properties.opacity };
        items.push(Item { reach: Rect::ZERO, step });
    }
    if !matches!(*layer.content, Content::Group) {
        let reach = transform.transform_rect_bbox(layer.content.reach(&properties));
        let opacity = if as_one { 1.0 } else { properties.opacity };
        let properties = Properties { opacity, ..properties };
        let content = Rc::clone(&layer.content);
        let step = Step::Draw { content, properties, transform };
        items.push(Item { reach: reach.inflate(EDGE, EDGE), step });
    }
    for sublayer in &layer.sublayers {
        add(sublayer, time, transform, items);
    }
    if as_one {
        let inside = items.iter().skip(entered + 1).map(|item| item.reach);
        let reach = inside.reduce(|all, one| all.union(one)).unwrap_or_default();
        items[entered].reach = reach;
        items.push(Item { reach, step: Step::Leave });
    }
}

/// The areas in which two frames can differ.
pub(super) fn differences<'a>(
    before: &'a [Item],
    after: &'a [Item],
) -> impl Iterator<Item = Rect> + 'a {
    (0..before.len().max(after.len())).flat_map(move |index| {
        let (old, new) = (before.get(index), after.get(index));
        let pair = if old == new { [None, None] } else { [old, new] };
        pair.into_iter().flatten().map(|item| item.reach)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::animation::{Animation, Track, Way};
    use vello_cpu::kurbo::{Point, Size};

    fn square(x: f64) -> Layer {
        let own = Properties {
            position: Point::new(x, 50.0),
            size: Size::new(20.0, 20.0),
            ..Properties::default()
        };
        Layer::new("", Content::Rectangle, own)
    }

    fn group() -> Layer {
        Layer::new("", Content::Group, Properties::default())
    }

    fn at(layer: &Layer, millis: u64) -> Vec<Item> {
        list(layer, Duration::from_millis(millis), Affine::IDENTITY)
    }

    #[test]
    fn what_moved_is_where_it_was_and_where_it_is() {
        let away = Track::Position(Way::to(Point::new(200.0, 50.0)));
        let away = Animation::new(away, Duration::from_secs(1));
        let scene =
            group().with_sublayer(square(50.0)).with_sublayer(square(100.0).with_animation(away));
        let (before, after) = (at(&scene, 0), at(&scene, 500));
        assert_eq!(differences(&before, &before).count(), 0);
        let areas: Vec<_> = differences(&before, &after).collect();
        assert_eq!(
            areas,
            [Rect::new(89.0, 39.0, 111.0, 61.0), Rect::new(139.0, 39.0, 161.0, 61.0)]
        );
    }

    #[test]
    fn what_came_and_what_went_differs() {
        let (one, two) = (group().with_sublayer(square(50.0)), group());
        let areas: Vec<_> = differences(&at(&one, 0), &at(&two, 0)).collect();
        assert_eq!(areas, [Rect::new(39.0, 39.0, 61.0, 61.0)]);
        assert_eq!(differences(&at(&two, 0), &at(&one, 0)).collect::<Vec<_>>(), areas);
    }

    #[test]
    fn a_group_that_fades_changes_all_that_is_in_it() {
        let mut group = group().with_sublayer(square(50.0)).with_sublayer(square(150.0));
        let before = at(&group, 0);
        group.own.opacity = 0.5;
        let after = at(&group, 0);
        assert_eq!(after.len(), 4, "two squares within one picture");
        let all = differences(&before, &after).reduce(|all, one| all.union(one)).unwrap();
        assert_eq!(all, Rect::new(39.0, 39.0, 161.0, 61.0));
        group.own.opacity = 0.0;
        assert!(at(&group, 0).is_empty());
    }
}
