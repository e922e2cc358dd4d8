//! Randomness.

use std::sync::Mutex;

/// Fills buffers with random bytes.
pub trait Chance: Send + Sync + std::fmt::Debug {
    /// Fills `target` with random bytes.
    fn fill(&self, target: &mut [u8]);

    /// Returns a random number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Returns 16 random bytes, for an id.
    fn next_id(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's randomness.
#[derive(Debug, Default)]
pub struct RealChance;

impl Chance for RealChance {
    fn fill(&self, target: &mut [u8]) {
        getrandom::fill(target).expect("the operating system gives random bytes");
    }
}

/// A sequence that a seed decides (SplitMix64); for tests and the simulator.
#[derive(Debug)]
pub struct SeededChance {
    state: Mutex<u64>,
}

impl SeededChance {
    /// Makes the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(seed) }
    }
}

impl Chance for SeededChance {
    fn fill(&self, target: &mut [u8]) {
        let mut state = self.state.lock().expect("no holder panics");
        for chunk in target.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
