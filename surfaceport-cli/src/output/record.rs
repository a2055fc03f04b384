//! `--record`: what is shown, as a file.
//!
//! | name | what is in it |
//! |---|---|
//! | `.png` | the last frame |
//! | `.apng` | all frames, as an animation |
//! | `.raw` | all frames, one after the other: rows from the top, without padding, a pixel as the bytes B, G, R, A, premultiplied |
//!
//! All frames of a file have the size of the first; one of another size is cut,
//! or has transparent pixels beside it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use surfaceport::{Error, Format, Lease, Observe, Observed, Size};

use crate::options::Options;

/// What is recorded if nobody says how much: so many seconds of the scene.
const UNLESS_TOLD: Duration = Duration::from_secs(10);

/// While recording, time is the scene's: a duration is so many frames, drawn as
/// fast as they can be.
pub(crate) fn settle(options: &mut Options) -> anyhow::Result<()> {
    if options.record.is_none() {
        return Ok(());
    }
    if options.panes.count() > 1 {
        bail!("--record takes one pane; leave --panes out");
    }
    if options.fps <= 0.0 {
        bail!("--record needs --fps above 0: it is the frames for each second of the scene");
    }
    let nobody_sees = super::choose(options)?.0 == super::Output::Headless;
    let told = options.duration.or(nobody_sees.then_some(UNLESS_TOLD));
    if let (None, Some(duration)) = (options.frames, told) {
        // Within u64; a float cast saturates.
        let frames = (duration.as_secs_f64() * options.fps).ceil() as u64;
        options.frames = Some(frames.max(1));
        options.duration = None;
    }
    Ok(())
}

/// Writes frames into a file that has its name only when it is whole.
pub(crate) struct Recorder {
    path: PathBuf,
    partial: PathBuf,
    kind: Kind,
    fps: f64,
    size: Option<Size>,
    frames: u64,
    /// What went wrong first; nothing is written after it.
    failed: Option<anyhow::Error>,
}

enum Kind {
    Png { last: Option<Lease>, file: File },
    Apng { file: Option<BufWriter<File>>, writer: Option<png::Writer<BufWriter<File>>> },
    Raw { file: BufWriter<File> },
}

/// A recorder that a pane and the end of the program share.
pub(crate) type Shared = Rc<RefCell<Recorder>>;

impl Recorder {
    /// The recorder that the options ask for, if they do.
    pub(crate) fn open(options: &Options) -> anyhow::Result<Option<Shared>> {
        let Some(path) = &options.record else { return Ok(None) };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let Some(extension @ ("png" | "apng" | "raw")) = extension else {
            bail!(
                "can't record to {}: the name must end in .png (last frame), .apng (animation) \
                 or .raw (pixels)",
                path.display()
            );
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let file = File::create_new(&partial)
            .with_context(|| format!("can't write to the folder of {}", path.display()))?;
        let kind = match extension {
            "png" => Kind::Png { last: None, file },
            "apng" => Kind::Apng { file: Some(BufWriter::new(file)), writer: None },
            _ => Kind::Raw { file: BufWriter::new(file) },
        };
        Ok(Some(Rc::new(RefCell::new(Self {
            path: path.clone(),
            partial,
            kind,
            fps: options.fps,
            size: None,
            frames: 0,
            failed: None,
        }))))
    }

    /// A frame that is shown.
    fn frame(&mut self, lease: &Lease) {
        if self.failed.is_some() {
            return;
        }
        let size = *self.size.get_or_insert(lease.size());
        self.frames += 1;
        let fps = self.fps;
        let done = match &mut self.kind {
            Kind::Png { last, .. } => {
                *last = Some(lease.share());
                Ok(())
            }
            Kind::Apng { file, writer } => pixels(lease, size).and_then(|pixels| {
                if let Some(file) = file.take() {
                    *writer = Some(start_animation(file, size, fps)?);
                }
                if let Some(writer) = writer {
                    writer.write_image_data(&straight(pixels))?;
                }
                Ok(())
            }),
            Kind::Raw { file } => {
                pixels(lease, size).and_then(|pixels| Ok(file.write_all(&pixels)?))
            }
        };
        self.failed = done.err();
    }

    /// Completes the file and gives it its name.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        self.complete().with_context(|| format!("can't write {}", path.display()))?;
        let size = self.size.unwrap_or_default();
        say!("wrote {}: {} frames of {size}", path.display(), self.frames);
        Ok(())
    }

    fn complete(&mut self) -> anyhow::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Some(size) = self.size else { bail!("no frame was shown") };
        match &mut self.kind {
            Kind::Png { last, file } => {
                if let Some(lease) = last.take() {
                    let mut writer = encoder(BufWriter::new(file), size).write_header()?;
                    writer.write_image_data(&straight(pixels(&lease, size)?))?;
                    writer.finish()?;
                }
            }
            Kind::Apng { writer, .. } => {
                if let Some(writer) = writer.take() {
                    writer.finish()?;
                    count_frames(&self.partial, u32::try_from(self.frames)?)?;
                }
            }
            Kind::Raw { file } => file.flush()?,
        }
        std::fs::rename(&self.partial, &self.path)?;
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // There is none any more if it was completed.
        let _gone = std::fs::remove_file(&self.partial);
    }
}

/// The frame's pixels as B, G, R, A, premultiplied, in an image of this size.
fn pixels(lease: &Lease, size: Size) -> anyhow::Result<Vec<u8>> {
    let view = lease.surface().view()?;
    let format = view.descriptor().format();
    let row_bytes = size.width as usize * 4;
    let mut pixels = vec![0; row_bytes * size.height as usize];
    let (shared, seen) = (size.width.min(lease.size().width), lease.size().height);
    for (y, row) in (0..seen).zip(pixels.chunks_exact_mut(row_bytes)) {
        view.copy_row(y, &mut row[..shared as usize * 4]);
    }
    let all = pixels.as_chunks_mut::<4>().0;
    match format {
        Format::Bgra8 => {}
        Format::Bgrx8 => all.iter_mut().for_each(|pixel| pixel[3] = 255),
        Format::Rgba8 => all.iter_mut().for_each(|pixel| pixel.swap(0, 2)),
        _ => bail!("the child draws {format}; Bgra8, Bgrx8 and Rgba8 can be recorded"),
    }
    Ok(pixels)
}

/// Premultiplied B, G, R, A as R, G, B, A that are not.
fn straight(mut pixels: Vec<u8>) -> Vec<u8> {
    for pixel in pixels.as_chunks_mut::<4>().0 {
        pixel.swap(0, 2);
        let alpha = u16::from(pixel[3]);
        if alpha != 255 {
            for color in &mut pixel[..3] {
                let straight = (u16::from(*color) * 255 + alpha / 2).checked_div(alpha);
                *color = straight.map_or(0, |color| u8::try_from(color).unwrap_or(255));
            }
        }
    }
    pixels
}

fn encoder<W: io::Write>(file: W, size: Size) -> png::Encoder<'static, W> {
    let mut encoder = png::Encoder::new(file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder
}

fn start_animation(
    file: BufWriter<File>,
    size: Size,
    fps: f64,
) -> anyhow::Result<png::Writer<BufWriter<File>>> {
    let mut encoder = encoder(file, size);
    encoder.set_compression(png::Compression::Fast);
    // How many there will be is known at the end.
    encoder.set_animated(u32::MAX, 0)?;
    let (numerator, denominator) = delay(fps);
    encoder.set_frame_delay(numerator, denominator)?;
    Ok(encoder.write_header()?)
}

/// How long a frame lasts, as the fraction of a second that APNG has.
fn delay(fps: f64) -> (u16, u16) {
    // Float casts saturate.
    if fps.fract() == 0.0 && fps <= f64::from(u16::MAX) {
        (1, (fps as u16).max(1))
    } else {
        (100, ((fps * 100.0).round() as u16).max(1))
    }
}

/// Puts the number of frames into an APNG: the first field of its chunk `acTL`,
/// behind which the chunk's checksum is.
fn count_frames(path: &Path, frames: u32) -> anyhow::Result<()> {
    const SEARCHED: usize = 512;
    let bytes = std::fs::read(path)?;
    let name = bytes.windows(4).take(SEARCHED).position(|name| name == b"acTL");
    let Some((at, chunk)) = name.and_then(|at| Some((at, bytes.get(at..at + 12)?))) else {
        bail!("the animation has no header");
    };
    let mut chunk = chunk.to_vec();
    chunk[4..8].copy_from_slice(&frames.to_be_bytes());
    chunk.extend(crc(&chunk).to_be_bytes());
    let mut file = File::options().write(true).open(path)?;
    file.seek(SeekFrom::Start(at as u64))?;
    file.write_all(&chunk)?;
    Ok(())
}

/// PNG's checksum (CRC-32).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 }
        })
    })
}

/// A pane whose frames are recorded, or not.
pub(crate) type Recorded<P> = Observed<P, Recording>;

/// Where a pane's frames are recorded, if they are.
#[derive(Clone)]
pub(crate) struct Recording(pub(crate) Option<Shared>);

impl Observe for Recording {
    fn frame(&mut self, lease: &Lease) -> Result<(), Error> {
        if let Some(recorder) = &self.0 {
            recorder.borrow_mut().frame(lease);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_not_premultiplied_in_a_picture() {
        let premultiplied = vec![1, 2, 3, 255, 64, 32, 128, 128, 9, 9, 9, 0, 255, 0, 10, 10];
        let expected = vec![3, 2, 1, 255, 255, 64, 128, 128, 0, 0, 0, 0, 255, 0, 255, 10];
        assert_eq!(straight(premultiplied), expected);
    }

    #[test]
    fn a_frame_lasts_as_long_as_the_rate_says() {
        assert_eq!(delay(60.0), (1, 60));
        assert_eq!(delay(0.5), (100, 50));
        assert_eq!(delay(29.97), (100, 2997));
    }

    /// From the PNG specification's own example: the checksum of an empty IEND.
    #[test]
    fn the_checksum_is_pngs() {
        assert_eq!(crc(b"IEND"), 0xae42_6082);
    }
}
