//! What was measured of those who came last: who they are, and how many, is up to them.
//!
//! Invariants:
//! - there are two generations: whoever comes moves to the younger one, and when that is full it becomes the older one, whose
//!   members are forgotten. So at least those are known who fit one generation, and never more than fit two
//! - what comes costs no more where many are known
//!
//! Kafka keeps everybody for an hour (`ClientQuotaManager.INACTIVE_SENSOR_EXPIRATION_TIME_SECONDS`).

use std::collections::BTreeMap;

/// Values by key, of those keys that were used last.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    weight: usize,
    weight_max: usize,
    weigh: fn(&K) -> usize,
}

impl<K: Ord, V> Recent<K, V> {
    /// Begins without keys, of which a generation has at most `weight_max`, each as heavy as `weigh` says.
    pub fn new(weight_max: usize, weigh: fn(&K) -> usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), weight: 0, weight_max, weigh }
    }

    /// Returns a key's value, begun anew if the key is not known.
    pub fn get_or_insert_with(&mut self, key: K, begin: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let known = self.old.remove(&key);
            let weight = (self.weigh)(&key);
            if self.weight + weight > self.weight_max {
                self.old = std::mem::take(&mut self.young);
                self.weight = 0;
            }
            self.weight += weight;
            if let Some(known) = known {
                return self.young.entry(key).or_insert(known);
            }
        }
        self.young.entry(key).or_insert_with(begin)
    }

    /// Forgets the keys that `is_kept` does not want.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &mut V) -> bool) {
        self.young.retain(&mut is_kept);
        self.old.retain(is_kept);
        self.weight = self.young.keys().map(self.weigh).sum();
    }

    /// Returns all that are known.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.old.iter_mut().chain(self.young.iter_mut())
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.retain(|_, _| false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_again_stays_and_the_crowd_is_forgotten() {
        let mut recent = Recent::new(10, |_: &u32| 1);
        *recent.get_or_insert_with(0, || 7) += 1;
        for stranger in 1..1000 {
            recent.get_or_insert_with(stranger, || 1);
            assert_eq!(*recent.get_or_insert_with(0, || 0), 8);
            assert!(recent.iter_mut().count() <= 20);
        }
        recent.retain(|key, _| *key == 0);
        assert_eq!(recent.iter_mut().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), [(0, 8)]);
        assert_eq!(recent.weight, 1);
    }
}
