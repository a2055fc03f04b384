//! Scenes as they look, and as they are drawn again in part.
//!
//! `SURFACEPORT_NEW_PICTURES=1 cargo test -p surfaceport-cli scene` draws the
//! checked-in pictures anew. Look at them before they are committed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use surfaceport::{Button, Damage, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};
use surfaceport::{Rect, Scale, Size, SurfaceDescriptor};

use super::*;

/// What the padding of rows holds before and after.
const PADDING: u8 = 0xa5;
/// By how much a colour may differ from the picture's: processors round in
/// different ways.
const TOLERANCE: u8 = 3;

/// A slot in memory.
#[derive(Clone)]
struct Slot {
    bytes: Vec<u8>,
    stride: usize,
    size: Size,
    scale: Scale,
    /// The frame in it, 0 for none.
    sequence: u64,
}

impl Slot {
    fn new(size: Size, scale: f64) -> Self {
        let surface = SurfaceDescriptor::new(size, surfaceport::Format::Bgra8).unwrap();
        let stride = surface.stride() as usize;
        let bytes = vec![PADDING; stride * size.height as usize];
        Self { bytes, stride, size, scale: Scale::from_f64(scale), sequence: 0 }
    }

    fn draw(&mut self, scene: &mut Scene, sequence: u64, time: Duration) -> Damage {
        let age = if self.sequence == 0 { 0 } else { sequence - self.sequence };
        self.sequence = sequence;
        let (bytes, stride) = (&mut *self.bytes, self.stride);
        let target = Target { bytes, stride, size: self.size, scale: self.scale, age, sequence };
        scene.draw_into(target, time)
    }

    /// The pixels as R, G, B, A, without the padding.
    fn rgba(&self) -> Vec<u8> {
        let row = self.size.width as usize * 4;
        let pixels = self.bytes.chunks_exact(self.stride).flat_map(|bytes| &bytes[..row]);
        let mut pixels: Vec<u8> = pixels.copied().collect();
        pixels.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
        pixels
    }

    fn assert_padding_untouched(&self) {
        let row = self.size.width as usize * 4;
        let mut padding = self.bytes.chunks_exact(self.stride).map(|bytes| &bytes[row..]);
        assert!(padding.all(|bytes| bytes.iter().all(|byte| *byte == PADDING)), "{}", self.size);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scene/pictures")
}

fn svg() -> SceneChoice {
    SceneChoice::Svg(folder().join("balloon.svg"))
}

/// Draws a scene from nothing.
fn drawn(choice: &SceneChoice, size: Size, scale: f64, time: Duration) -> Slot {
    let mut slot = Slot::new(size, scale);
    slot.draw(&mut Scene::open(choice).unwrap(), 1, time);
    slot
}

/// Compares with a checked-in picture, or makes it.
fn assert_looks_like(slot: &Slot, name: &str) {
    let path = folder().join(name);
    let Size { width, height } = slot.size;
    if std::env::var_os("SURFACEPORT_NEW_PICTURES").is_some() {
        let file = std::fs::File::create(&path).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_compression(png::Compression::High);
        encoder.write_header().unwrap().write_image_data(&slot.rgba()).unwrap();
        return;
    }
    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut expected = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut expected).unwrap();
    assert_eq!((info.width, info.height), (width, height), "{name}");
    let worst = slot.rgba().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= TOLERANCE, "{name}: a colour differs by {worst}");
}

#[test]
fn portable_looks_like_its_pictures() {
    let size = Size::new(320, 240);
    for (millis, name) in [(0, "0000"), (500, "0500"), (1250, "1250")] {
        let slot = drawn(&SceneChoice::Portable, size, 1.0, Duration::from_millis(millis));
        assert_looks_like(&slot, &format!("portable-{name}.png"));
    }
    let large =
        drawn(&SceneChoice::Portable, Size::new(640, 480), 2.0, Duration::from_millis(1250));
    assert_looks_like(&large, "portable-1250-at-2.png");
}

#[test]
fn a_scale_of_two_is_the_same_picture_larger() {
    let time = Duration::from_millis(300);
    let small = drawn(&SceneChoice::Portable, Size::new(320, 240), 1.0, time).rgba();
    let large = drawn(&SceneChoice::Portable, Size::new(640, 480), 2.0, time).rgba();
    let at = |pixels: &[u8], width: usize, x: usize, y: usize| {
        pixels[(y * width + x) * 4..][..3].iter().map(|c| u32::from(*c)).sum::<u32>()
    };
    let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
    for (y, x) in (0..240).flat_map(|y| (0..320).map(move |x| (y, x))) {
        let four: u32 = corners.map(|(i, j)| at(&large, 640, 2 * x + i, 2 * y + j)).iter().sum();
        let differ = (four / 4).abs_diff(at(&small, 320, x, y));
        // Curves become lines within a quarter of a pixel, whatever its size.
        assert!(differ < 100, "at {x}, {y}: {differ} of 765");
    }
}

#[test]
fn an_svg_looks_like_its_picture() {
    let slot = drawn(&svg(), Size::new(320, 240), 1.0, Duration::from_millis(700));
    assert_looks_like(&slot, "svg-0700.png");
}

#[test]
fn what_is_no_picture_is_said_in_plain_words() {
    let said = |path: &Path| Scene::open(&SceneChoice::Svg(path.into())).err().unwrap().to_string();
    assert!(said(Path::new("/no/such.svg")).starts_with("cannot read the scene /no/such.svg: "));
    assert!(said(Path::new("portible")).contains("the scenes are `portable`"));
    let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    assert!(said(&this).contains("is not an SVG picture"), "{}", said(&this));
}

#[test]
fn the_pattern_is_its_formula() {
    for (size, sequence) in [(Size::new(320, 240), 77), (Size::new(131, 67), 1 << 31)] {
        let mut slot = Slot::new(size, 1.0);
        let mut scene = Scene::open(&SceneChoice::Pattern).unwrap();
        slot.draw(&mut scene, sequence, Duration::ZERO);
        slot.assert_padding_untouched();
        for (y, row) in (0..size.height).zip(slot.bytes.chunks_exact(slot.stride)) {
            for (x, bytes) in (0..size.width).zip(row.as_chunks::<4>().0) {
                assert_eq!(*bytes, pattern::pixel(x, y, size, sequence), "at {x}, {y}");
            }
        }
    }
}

#[test]
fn any_size_is_drawn_and_opaque_and_padding_is_left_alone() {
    let sizes =
        [(1, 1), (1, 300), (300, 1), (2, 3), (63, 65), (257, 129), (1921, 33), (3840, 2160)];
    for (width, height) in sizes {
        for choice in [SceneChoice::Portable, SceneChoice::Pattern, svg()] {
            for scale in [0.5, 1.0, 1.5, 16.0] {
                let size = Size::new(width, height);
                let slot = drawn(&choice, size, scale, Duration::from_millis(1250));
                slot.assert_padding_untouched();
                let pixels = slot.rgba();
                let clear = pixels.as_chunks::<4>().0.iter().find(|pixel| pixel[3] != 255);
                assert_eq!(clear, None, "{choice} at {size}, scale {scale}");
                if size.height > 2000 {
                    break;
                }
            }
        }
    }
}

fn click(x: f64, y: f64) -> Input {
    Input::pointer(Point::new(x, y), PointerAction::Pressed(Button::PRIMARY))
}

fn key() -> Input {
    let (code, state) = (KeyCode::SPACE, KeyState::Pressed);
    Input::Key { code, state, modifiers: Modifiers::NONE, character: Some(' ') }
}

#[test]
fn the_scene_answers_the_user() {
    let size = Size::new(320, 240);
    let time = Duration::from_millis(400);
    let on_circle = click(86.0, 79.0);
    let moved = Input::pointer(Point::new(110.0, 120.0), PointerAction::Moved);
    let elsewhere = click(160.0, 20.0);
    let acts: [&[Input]; 6] =
        [&[], &[on_circle], &[on_circle, moved], &[elsewhere], &[key()], &[Input::Focus(false)]];
    let pictures = acts.map(|acts| {
        let mut scene = Scene::open(&SceneChoice::Portable).unwrap();
        let mut slot = Slot::new(size, 1.0);
        slot.draw(&mut scene, 1, time);
        acts.iter().for_each(|act| scene.input(*act, time));
        slot.draw(&mut scene, 2, time + Duration::from_millis(80));
        slot.bytes
    });
    for (i, picture) in pictures.iter().enumerate() {
        for (j, other) in pictures.iter().enumerate().skip(i + 1) {
            assert!(picture != other, "{:?} and {:?}", acts[i], acts[j]);
        }
    }
}

#[test]
fn a_reaction_passes() {
    let mut scene = Scene::open(&SceneChoice::Portable).unwrap();
    let mut slot = Slot::new(Size::new(320, 240), 1.0);
    slot.draw(&mut scene, 1, Duration::ZERO);
    let before = slot.bytes.clone();
    for input in [key(), click(160.0, 20.0), Input::Focus(false), Input::Focus(true)] {
        scene.input(input, Duration::from_millis(100));
    }
    slot.draw(&mut scene, 2, Duration::from_millis(200));
    assert!(before != slot.bytes);
    slot.draw(&mut scene, 3, Duration::from_secs(2));
    assert!(before == slot.bytes, "two seconds are one turn");
}

/// A rectangle's pixels are the only ones that differ.
fn assert_covers(damage: &Damage, before: &Slot, after: &Slot) {
    let Some(rects) = damage.rects() else { return };
    let row = after.size.width as usize * 4;
    let inside = |x: u32, y: u32| {
        rects.iter().any(|Rect { x: left, y: top, width, height }| {
            (*left..left + width).contains(&x) && (*top..top + height).contains(&y)
        })
    };
    for (y, (old, new)) in
        (0..).zip(before.bytes.chunks(before.stride).zip(after.bytes.chunks(after.stride)))
    {
        let pixels = old[..row].as_chunks::<4>().0.iter().zip(new[..row].as_chunks::<4>().0);
        for (x, (old, new)) in (0..).zip(pixels) {
            assert!(old == new || inside(x, y), "{x}, {y} changed outside of {rects:?}");
        }
    }
}

/// What happens in a run: the slot that is drawn into, the time since the frame
/// before, whether it is presented, what the user does before it.
type Frame = (usize, u64, bool, Option<Input>);

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let at = (0.0..600.0, 0.0..340.0);
    let input = prop_oneof![
        6 => Just(None),
        2 => at.clone().prop_map(|(x, y)| Some(click(x, y))),
        2 => at.prop_map(|(x, y)| Some(Input::pointer(Point::new(x, y), PointerAction::Moved))),
        1 => Just(Some(key())),
        1 => any::<bool>().prop_map(|focus| Some(Input::Focus(focus))),
    ];
    let frame = (0_usize..5, 0_u64..400, prop::bool::weighted(0.9), input);
    prop::collection::vec(frame, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// In slots of any age, drawing what changed makes exactly the picture that
    /// drawing everything makes; and the damage has all that changed.
    #[test]
    fn drawing_in_part_is_drawing_it_all(frames in frames(), svg_scene in any::<bool>()) {
        let choice = if svg_scene { svg() } else { SceneChoice::Portable };
        let open = || Scene::open(&choice).unwrap();
        let (mut scene, mut reference) = (open(), open());
        let blank = Slot::new(Size::new(603, 341), 1.25);
        let mut slots = vec![blank.clone(); 5];
        let (mut sequence, mut time) = (1, Duration::ZERO);
        let mut shown: Option<Slot> = None;
        for (slot, millis, presented, input) in frames {
            if let Some(input) = input {
                scene.input(input, time);
                reference.input(input, time);
            }
            time += Duration::from_millis(millis);
            let damage = slots[slot].draw(&mut scene, sequence, time);
            let mut whole = blank.clone();
            whole.draw(&mut reference, sequence, time);
            prop_assert!(slots[slot].bytes == whole.bytes, "frame {sequence} at {time:?}");
            if !presented {
                // As a canvas that is dropped: what the slot holds is undefined.
                slots[slot].sequence = 0;
                continue;
            }
            if let Some(before) = shown.replace(whole) {
                assert_covers(&damage, &before, shown.as_ref().unwrap());
            }
            sequence += 1;
        }
    }
}

#[test]
fn little_is_drawn_again_where_little_moves() {
    let mut scene = Scene::open(&SceneChoice::Portable).unwrap();
    let mut slot = Slot::new(Size::new(1920, 1080), 1.0);
    assert_eq!(slot.draw(&mut scene, 1, Duration::ZERO), Damage::FULL);
    let damage = slot.draw(&mut scene, 2, Duration::from_millis(16));
    let area: u32 = damage.rects().unwrap().iter().map(|rect| rect.width * rect.height).sum();
    assert!((1..1920 * 1080 / 2).contains(&area), "{damage:?}");
    assert!(slot.draw(&mut scene, 3, Duration::from_millis(16)).is_none(), "nothing moved");
}

/// The time that this thread has had a processor, whatever else runs.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Not a test: the figures of the README.
#[test]
#[ignore = "prints figures: cargo test --release -p surfaceport-cli scene_speed -- --ignored --nocapture"]
fn scene_speed() {
    const FRAMES: u32 = 300;
    let size = Size::new(1920, 1080);
    let step = Duration::from_secs(1) / 60;
    let mut times = [const { Vec::new() }; 3];
    for round in 0..9 {
        for (kind, times) in times.iter_mut().enumerate() {
            let mut scene = Scene::open(&SceneChoice::Portable).unwrap();
            let mut slots = vec![Slot::new(size, 1.0); 3];
            let mut start = Duration::ZERO;
            for frame in 0..FRAMES + 3 {
                if frame == 3 {
                    start = processor_time();
                }
                let slot = &mut slots[frame as usize % 3];
                let (number, time) = (u64::from(frame) + 1, step * (frame + FRAMES * round));
                match kind {
                    0 => {
                        slot.draw(&mut scene, number, time);
                    }
                    1 => {
                        slot.sequence = 0;
                        slot.draw(&mut scene, number, time);
                    }
                    _ => slot.bytes.fill(frame as u8),
                }
            }
            times.push((processor_time() - start) / FRAMES);
        }
    }
    for (name, mut times) in
        ["drawing what changed", "drawing all of it", "filling the slot"].into_iter().zip(times)
    {
        times.sort();
        let (best, middle) = (times[0], times[times.len() / 2]);
        let fps = 1.0 / middle.as_secs_f64();
        println!("{name}: {middle:?} a frame (best {best:?}), {fps:.0} frames a second");
    }
}
