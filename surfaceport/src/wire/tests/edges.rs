//! A Setup of each value at an edge of each field with each of the others, against
//! the table of PROTOCOL.md in numbers that can't overflow.

use super::{Any, child_sample};
use crate::error::Violation;
use crate::format::Format;
use crate::wire::FromChild;

/// What a packet says that matters here.
#[derive(Clone, Copy, Debug)]
struct Said {
    width: u32,
    height: u32,
    format: Format,
    stride: u32,
    slots: u32,
    bytes_per_slot: u64,
    handles: usize,
}

impl Said {
    fn packet(self, sample: &[u8]) -> Vec<u8> {
        let mut packet = sample.to_vec();
        let mut put = |at: usize, bytes: &[u8]| packet[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, &self.width.to_le_bytes());
        put(20, &self.height.to_le_bytes());
        put(24, &self.format.fourcc().to_le_bytes());
        put(32, &self.stride.to_le_bytes());
        put(36, &self.slots.to_le_bytes());
        put(48, &self.bytes_per_slot.to_le_bytes());
        packet
    }

    /// The first thing that is wrong.
    fn rule(self) -> Result<(), Violation> {
        let [width, height, stride] = [self.width, self.height, self.stride].map(u128::from);
        let sides = 1..=16_384;
        let row = width * u128::from(self.format.bytes_per_pixel());
        let fits = stride >= row && stride % 256 == 0 && stride <= 2 * 8 * 16_384;
        if !sides.contains(&width) || !sides.contains(&height) || !fits {
            return Err(Violation::BadGeometry);
        }
        if !(2..=16).contains(&self.slots) {
            return Err(Violation::BadSlotCount);
        }
        let (image, said) = (stride * height, u128::from(self.bytes_per_slot));
        if said < image || said > image + (2 << 20) {
            return Err(Violation::WrongLength);
        }
        match self.handles.cmp(&(self.slots as usize)) {
            std::cmp::Ordering::Less => Err(Violation::MissingHandles),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Violation::TooManyHandles),
        }
    }
}

fn check(said: Said, sample: &[u8]) -> bool {
    let packet = said.packet(sample);
    let decoded = FromChild::decode(&packet, said.handles);
    assert_eq!(decoded.map(|_| ()), said.rule(), "{said:?}");
    if let Ok(message) = decoded {
        assert_eq!(Any::Child(message).packet(), packet);
        assert_eq!(message.handles(), said.handles);
    }
    decoded.is_ok()
}

/// Each number, and its neighbours.
fn around(numbers: &[u64]) -> Vec<u64> {
    let each = |number: &u64| [number.wrapping_sub(1), *number, number.wrapping_add(1)];
    numbers.iter().flat_map(each).collect()
}

#[test]
fn a_setup_of_every_edge() {
    let sides = [0, 1, 64, 16_384, 16_385, u32::MAX];
    let strides = [0, 64, 256, 512, 65_536, 131_072, 262_144, 262_400, 1 << 31, u32::MAX];
    let slots = [0, 1, 2, 3, 16, 17, 255, 256, 258, 1 << 31, u32::MAX];
    let sample = child_sample("setup_small").packet();
    let (mut good, mut all) = (0, 0);
    for width in sides {
        for height in sides {
            for format in [Format::Bgra8, Format::Rgba16f] {
                for stride in strides {
                    let image = u64::from(stride) * u64::from(height);
                    for bytes_per_slot in around(&[0, image, image.wrapping_add(2 << 20), 1 << 32])
                    {
                        for slots in slots {
                            for handles in [0, 1, 2, 3, 15, 16, 17, 253] {
                                let said = Said {
                                    width,
                                    height,
                                    format,
                                    stride,
                                    slots,
                                    bytes_per_slot,
                                    handles,
                                };
                                good += u32::from(check(said, &sample));
                                all += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(good > 100 && good < all / 10, "{good} of {all}");
}
