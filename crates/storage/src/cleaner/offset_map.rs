//! The last offset of each key, in a fixed piece of memory: 24 bytes a key, a hash in place of the key.
//!
//! Invariants:
//! - two keys with the same 128 bits of hash count as one; the seed is drawn anew for each map, so nobody can prepare such
//! - the table never grows, and never fills up: the caller stops at its load factor
//!
//! Kafka: `SkimpyOffsetMap`.

use model::Offset;
use twox_hash::XxHash3_128;

/// Bytes that one key takes.
pub(crate) const BYTES_PER_ENTRY: u64 = 24;

/// Two halves of the hash, and the offset plus one; all zero where there is nothing.
type Slot = [u64; 3];

/// The last offset of each key.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    seed: u64,
    entries: usize,
    limit: usize,
    latest: Option<Offset>,
}

impl OffsetMap {
    /// Makes a map of at most `memory` bytes that takes keys until it is full up to `load_factor` (0 to 1): room for one
    /// key at least. It takes no more memory than `expected` keys need.
    pub(crate) fn new(memory: u64, load_factor: f64, expected: u64, seed: u64) -> Self {
        let load_factor = load_factor.clamp(0.01, 1.0);
        let wanted = (expected as f64 / load_factor).ceil() as u64;
        let slots = (memory / BYTES_PER_ENTRY).min(wanted.saturating_add(1)).max(2) as usize;
        // One slot stays empty, for the search to end at.
        let limit = ((slots as f64 * load_factor) as usize).clamp(1, slots - 1);
        Self { slots: vec![[0; 3]; slots], seed, entries: 0, limit, latest: None }
    }

    /// Tells whether no further key may be put in.
    pub(crate) fn is_full(&self) -> bool {
        self.entries >= self.limit
    }

    /// Returns how many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// Puts in a key with its offset, which is past all before it.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) {
        let (at, [high, low]) = self.locate(key);
        if self.slots[at][2] == 0 {
            self.entries += 1;
        }
        self.slots[at] = [high, low, offset.0.wrapping_add(1) as u64];
        self.latest = Some(offset);
    }

    /// Returns the last offset of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let (at, _) = self.locate(key);
        let stored = self.slots[at][2];
        (stored != 0).then(|| Offset((stored as i64).wrapping_sub(1)))
    }

    /// Accounts for the log up to and with `offset`, though no key may stand there.
    pub(crate) fn reach(&mut self, offset: Offset) {
        self.latest = Some(offset);
    }

    /// Returns the offset up to and with which the log is accounted for.
    pub(crate) fn latest(&self) -> Option<Offset> {
        self.latest
    }

    /// Returns the slot that holds the key, or the empty one where it would be put.
    fn locate(&self, key: &[u8]) -> (usize, [u64; 2]) {
        let hash = XxHash3_128::oneshot_with_seed(self.seed, key);
        let halves = [(hash >> 64) as u64, hash as u64];
        // The high part of a product spreads evenly over any number of slots, without a division.
        let mut at = ((u128::from(halves[0]) * self.slots.len() as u128) >> 64) as usize;
        while self.slots[at][2] != 0 && self.slots[at][..2] != halves {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        (at, halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found_up_to_the_last_slot() {
        let mut map = OffsetMap::new(24 * 101, 1.0, u64::MAX, 7);
        let mut offset = 0;
        for _ in 0..3 {
            for key in 0..100_u32 {
                map.put(&key.to_be_bytes(), Offset(offset));
                offset += 1;
            }
        }
        assert!(map.is_full());
        assert_eq!((map.len(), map.latest()), (100, Some(Offset(299))));
        for key in 0..100_u32 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(200 + i64::from(key))));
        }
        assert_eq!(map.get(b"absent"), None);
    }

    #[test]
    fn memory_is_what_was_allowed_and_no_more_than_is_needed() {
        assert_eq!(OffsetMap::new(24 * 1000, 0.9, u64::MAX, 0).slots.len(), 1000);
        assert_eq!(OffsetMap::new(1 << 40, 0.5, 10, 0).slots.len(), 21);
        let mut tiny = OffsetMap::new(0, 0.9, 5, 0);
        assert!(!tiny.is_full(), "one key is always taken");
        tiny.put(b"", Offset(0));
        assert!(tiny.is_full());
        assert_eq!(tiny.get(b""), Some(Offset(0)));
    }
}
