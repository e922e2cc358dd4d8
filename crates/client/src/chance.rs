//! The movers' source of random numbers; deciders are given numbers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use world::chance::{Chance, RealChance};

/// A random number, good enough for jitter and sticky partitions.
pub(crate) fn number() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let seed = *SEED.get_or_init(|| RealChance.next_u64());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Random bytes that an authentication uses once.
pub(crate) fn nonce() -> [u8; 24] {
    let mut bytes = [0; 24];
    RealChance.fill(&mut bytes);
    bytes
}
