//! The partitions of a share session, in the order in which the member is to be served.
//!
//! Invariants:
//! - a partition is there once; finding one costs no more where there are many, since clients say how many
//!
//! Kafka: `ImplicitLinkedHashCollection` of `CachedSharePartition`.

use std::collections::{BTreeMap, HashMap};

use super::ShareTarget;

/// Partitions in an order.
#[derive(Debug, Default)]
pub(super) struct Targets {
    places: HashMap<ShareTarget, Place>,
    order: BTreeMap<u64, ShareTarget>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    at: u64,
    /// Whether the member is told of it even if there is nothing new.
    is_due: bool,
}

impl Targets {
    /// Adds a partition behind the others, unless it is there.
    pub(super) fn add(&mut self, target: ShareTarget, is_due: bool) {
        if !self.places.contains_key(&target) {
            self.put_last(target, is_due);
        }
    }

    fn put_last(&mut self, target: ShareTarget, is_due: bool) {
        let at = self.next;
        self.next += 1;
        self.order.insert(at, target);
        self.places.insert(target, Place { at, is_due });
    }

    /// Takes a partition out.
    pub(super) fn remove(&mut self, target: ShareTarget) {
        if let Some(place) = self.places.remove(&target) {
            self.order.remove(&place.at);
        }
    }

    /// Moves a partition behind the others.
    pub(super) fn move_last(&mut self, target: ShareTarget) {
        if let Some(place) = self.places.remove(&target) {
            self.order.remove(&place.at);
            self.put_last(target, place.is_due);
        }
    }

    /// Notes whether the member is to be told of a partition; returns whether it was to be, or none if there is no such
    /// partition.
    pub(super) fn set_due(&mut self, target: ShareTarget, is_due: bool) -> Option<bool> {
        let place = self.places.get_mut(&target)?;
        Some(std::mem::replace(&mut place.is_due, is_due))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The partitions in order.
    pub(super) fn in_order(&self) -> Vec<ShareTarget> {
        self.order.values().copied().collect()
    }
}
