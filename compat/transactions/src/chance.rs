//! Dice with a seed, so that a run can be had again.

/// A generator (xorshift): what it gives need not be secret.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Dice that fall the same way for the same `seed`.
    pub fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            chance.next();
        }
        chance
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in `percent` of all throws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
