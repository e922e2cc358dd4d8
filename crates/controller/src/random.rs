//! A sequence that a seed decides (SplitMix64, two lanes), for topic ids and the placement of replicas.

use model::Uuid;

#[derive(Debug)]
pub(crate) struct Random {
    lanes: [u64; 2],
}

impl Random {
    pub(crate) fn new(seed: u128) -> Self {
        Self { lanes: [seed as u64, (seed >> 64) as u64] }
    }

    fn lane(&mut self, lane: usize) -> u64 {
        let state = &mut self.lanes[lane];
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to `bound` - 1; `bound` must not be 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.lane(0) % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    /// Returns a random id whose text does not begin with a dash, which tools would take for a flag.
    /// Kafka: `Uuid.randomUuid`.
    pub(crate) fn id(&mut self) -> Uuid {
        loop {
            let value = (u128::from(self.lane(0)) << 64) | u128::from(self.lane(1));
            let id = Uuid::from_random_bytes(value.to_be_bytes());
            if !id.is_reserved() && !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}
