//! What is counted under names that come and go, such as topics and groups.
//!
//! Invariant: what nobody holds any more is forgotten, whether somebody reads the metrics or not.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, Weak};

/// How many names there are before those that are gone are looked for.
const FIRST_LOOK: usize = 64;

/// Counts by name.
#[derive(Debug)]
pub(crate) struct ByName<T> {
    known: RwLock<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    by_name: BTreeMap<String, Weak<T>>,
    /// With so many names those that are gone are looked for: seldom enough not to matter where thousands come at once.
    look_at: usize,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { known: RwLock::new(Known { by_name: BTreeMap::new(), look_at: FIRST_LOOK }) }
    }
}

impl<T> ByName<T> {
    /// Returns what is counted under a name, begun anew if nobody held it.
    pub(crate) fn get(&self, name: &str, begin: impl FnOnce() -> T) -> Arc<T> {
        let of = |known: &Known<T>| known.by_name.get(name).and_then(Weak::upgrade);
        if let Some(found) = of(&self.known.read().expect("no holder panics")) {
            return found;
        }
        let mut known = self.known.write().expect("no holder panics");
        if let Some(found) = of(&known) {
            return found;
        }
        if known.by_name.len() >= known.look_at {
            known.by_name.retain(|_, counts| counts.strong_count() > 0);
            known.look_at = FIRST_LOOK.max(2 * known.by_name.len());
        }
        let fresh = Arc::new(begin());
        known.by_name.insert(name.to_owned(), Arc::downgrade(&fresh));
        fresh
    }

    /// Returns all that somebody holds, by name.
    pub(crate) fn all(&self) -> Vec<(String, Arc<T>)> {
        let known = self.known.read().expect("no holder panics");
        let held = known.by_name.iter().filter_map(|(name, counts)| Some((name.clone(), counts.upgrade()?)));
        held.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_holds_are_forgotten_though_nobody_reads() {
        let counts = ByName::<u64>::default();
        let held = counts.get("held", || 1);
        for number in 0..10_000 {
            counts.get(&number.to_string(), || 0);
        }
        assert!(counts.known.read().unwrap().by_name.len() <= 2 * FIRST_LOOK);
        assert_eq!(counts.all(), [("held".to_owned(), held)]);
        let held = counts.get("held", || 1);
        assert!(Arc::ptr_eq(&held, &counts.get("held", || 2)));
    }
}
