// Shared memory: zero, shared, as long as it says, and outliving its makers.

use super::tools::*;
use crate::error::{Error, Violation};
use crate::sync::Ordering;
use crate::sys::Sent;
use sys::testing::words;
use sys::{Endpoint, Handle, Memory};

/// What a peer would get.
fn sent(memory: &Memory) -> Handle {
    let (a, b) = Endpoint::pair().unwrap();
    assert_eq!(a.send(b"memory", &[memory.handle()]).unwrap(), Sent::Done);
    receive(&b).1.pop().unwrap()
}

#[test]
fn is_zero_and_page_aligned() {
    let memory = Memory::create("conformance", 300_000).unwrap();
    let mapping = memory.map().unwrap();
    let start = mapping.start().as_ptr() as usize;
    assert_eq!(start % 4096, 0);
    assert_eq!(start, std::ptr::from_ref(words(&mapping)[0]) as usize);
    assert_eq!(mapping.len() as u64, memory.len());
    assert!(words(&mapping).iter().all(|word| word.load(Ordering::Relaxed) == 0));
}

#[test]
fn is_rounded_up() {
    let page = Memory::create("conformance", 1).unwrap().len();
    assert!(page >= 4096 && page.is_power_of_two());
    for (asked, pages) in [(page - 1, 1), (page, 1), (page + 1, 2), (10 * page, 10)] {
        let memory = Memory::create("conformance", asked).unwrap();
        assert_eq!(memory.len(), pages * page);
        // All of it is there.
        let mapping = memory.map().unwrap();
        words(&mapping).last().unwrap().store(u64::MAX, Ordering::Relaxed);
        assert_eq!(words(&mapping).len() as u64, memory.len() / 8);
    }
}

#[test]
fn is_shared_by_all_mappings() {
    let memory = Memory::create("conformance", 8192).unwrap();
    let theirs = Memory::import(sent(&memory), memory.len()).unwrap();
    let mappings = [memory.map().unwrap(), memory.map().unwrap(), theirs.map().unwrap()];
    for (number, writer) in (1..).zip(&mappings) {
        for (index, word) in words(writer).iter().enumerate() {
            word.store(number << 32 | index as u64, Ordering::Release);
        }
        for reader in &mappings {
            for (index, word) in words(reader).iter().enumerate() {
                assert_eq!(word.load(Ordering::Acquire), number << 32 | index as u64);
            }
        }
    }
}

#[test]
fn of_two_is_not_shared() {
    let (a, b) = (Memory::create("a", 1).unwrap(), Memory::create("b", 1).unwrap());
    let (a, b) = (a.map().unwrap(), b.map().unwrap());
    words(&a)[0].store(1, Ordering::Relaxed);
    assert_eq!(words(&b)[0].load(Ordering::Relaxed), 0);
}

#[test]
fn outlives_its_creator() {
    let memory = Memory::create("conformance", 1).unwrap();
    let len = memory.len();
    words(&memory.map().unwrap())[5].store(55, Ordering::Relaxed);
    let theirs = Memory::import(sent(&memory), len).unwrap();
    drop(memory);
    let mapping = theirs.map().unwrap();
    drop(theirs);
    assert_eq!(words(&mapping)[5].load(Ordering::Relaxed), 55);
}

#[test]
fn is_closed_when_dropped() {
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    let wrong = Memory::import(sent(&memory), memory.len() + 1);
    assert_violation(wrong, Violation::WrongLength);
    assert_eq!(sys::testing::copies(memory.handle()), before);
    let theirs = Memory::import(sent(&memory), memory.len()).unwrap();
    assert!(sys::testing::copies(memory.handle()) > before);
    drop(theirs);
    assert_eq!(sys::testing::copies(memory.handle()), before);
}

#[test]
fn can_be_read_without_a_mapping() {
    let memory = Memory::create("conformance", 8192).unwrap();
    let mapping = memory.map().unwrap();
    let mut expected = Vec::new();
    for (index, word) in words(&mapping).iter().enumerate() {
        let value = (index as u64).wrapping_mul(0x0101_0101_0101_0107);
        word.store(value, Ordering::Relaxed);
        expected.extend(value.to_ne_bytes());
    }
    for (offset, len) in [(0, 8192), (1, 1), (4095, 2), (8191, 1), (3, 5000), (8192, 0)] {
        let mut bytes = vec![0; len];
        memory.read_at(offset as u64, &mut bytes).unwrap();
        assert_eq!(bytes, expected[offset..offset + len]);
    }
    // Pages may be larger than what was asked for.
    let end = memory.len();
    let long = usize::try_from(end).unwrap() + 1;
    for (offset, len) in [(end, 1), (end - 1, 2), (1 << 40, 1), (0, long)] {
        let past = memory.read_at(offset, &mut vec![0; len]);
        assert_violation(past, Violation::WrongLength);
    }
}

#[test]
fn of_an_impossible_length_is_no_space() {
    for len in [u64::MAX, u64::MAX - 8191, i64::MAX as u64, 1 << 62, 1 << 50] {
        match Memory::create("conformance", len) {
            Err(Error::NoSpace { bytes }) => assert!(bytes >= len),
            other => panic!("{other:?}"),
        }
    }
    assert!(Memory::create("conformance", 0).is_err());
}

#[test]
fn must_have_the_length_that_was_said() {
    let memory = Memory::create("conformance", 8192).unwrap();
    let len = memory.len();
    for wrong in [0, 1, len - 1, len + 1, len * 2, u64::MAX] {
        assert_violation(Memory::import(sent(&memory), wrong), Violation::WrongLength);
    }
    assert_violation(Memory::adopt(sent(&memory), len + 1), Violation::WrongLength);
    // A trusted peer's may be longer than what is needed of it.
    let part = Memory::adopt(sent(&memory), 4096).unwrap();
    assert_eq!((part.len(), part.map().unwrap().len()), (4096, 4096));
}

#[test]
fn is_not_whatever_a_peer_sends() {
    let (_bell, ringer) = sys::bell_to_host().unwrap();
    assert_violation(Memory::import(ringer, 4096), Violation::NotMemory);
    let (_ringer, bell) = sys::bell_to_child().unwrap();
    assert_violation(Memory::import(bell, 4096), Violation::NotMemory);
}
