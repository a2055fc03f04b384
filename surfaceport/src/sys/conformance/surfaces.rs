// The memory of a surface: drawn by one process, seen by another.

use super::tools::*;
use crate::error::{Error, Violation};
use crate::format::Format;
use crate::geometry::{Size, SurfaceDescriptor};
use crate::sync::Ordering;
use crate::sys::Sent;
use sys::testing::words;
use sys::{Endpoint, Handle, SurfaceMemory};

fn descriptor() -> SurfaceDescriptor {
    SurfaceDescriptor::new(Size::new(100, 30), Format::Bgra8).unwrap()
}

fn sent(memory: &SurfaceMemory) -> Handle {
    let (a, b) = Endpoint::pair().unwrap();
    assert_eq!(a.send(b"surface", &[memory.handle()]).unwrap(), Sent::Done);
    receive(&b).1.pop().unwrap()
}

#[test]
fn what_is_drawn_is_seen() {
    let drawn = SurfaceMemory::create(&descriptor()).unwrap();
    assert!(drawn.len() >= descriptor().bytes());
    let seen = SurfaceMemory::import(sent(&drawn), &descriptor(), drawn.len()).unwrap();
    let mapping = drawn.map().unwrap();
    drawn.begin_drawing();
    words(&mapping)[3].store(u64::from_ne_bytes(*b"a pixel!"), Ordering::Relaxed);
    drawn.end_drawing();
    let mut bytes = [0; 16];
    seen.read_at(24, &mut bytes).unwrap();
    assert_eq!(&bytes, b"a pixel!\0\0\0\0\0\0\0\0");
    assert_eq!(words(&seen.map().unwrap())[3].load(Ordering::Relaxed).to_ne_bytes(), *b"a pixel!");
    assert_eq!(seen.len(), drawn.len());
}

#[test]
fn too_little_memory_is_no_surface() {
    let large = SurfaceDescriptor::new(Size::new(1000, 300), Format::Bgra8).unwrap();
    let memory = SurfaceMemory::create(&descriptor()).unwrap();
    for len in [memory.len(), large.bytes()] {
        assert!(matches!(
            SurfaceMemory::import(sent(&memory), &large, len),
            Err(Error::Violation(Violation::WrongLength))
        ));
    }
}
