//! Changes that are written together: one state for each record, the last one.

use std::collections::BTreeMap;

use model::Offset;

use super::StateChange;
use crate::share::StateBatch;

/// Joins changes, in the order in which they were made, into batches that do not overlap, in order of their offsets.
pub fn merge<'a>(changes: impl IntoIterator<Item = &'a StateChange>) -> Vec<StateBatch> {
    let mut merged = BTreeMap::new();
    for batch in changes.into_iter().flat_map(|change| &change.batches) {
        put(&mut merged, *batch);
    }
    merged.into_values().collect()
}

/// Adds a batch; of those before it, only what it does not cover is left.
fn put(merged: &mut BTreeMap<Offset, StateBatch>, batch: StateBatch) {
    let (first, last) = (batch.first_offset, batch.last_offset);
    let reaching = |(at, found): (&Offset, &StateBatch)| (found.last_offset >= first).then_some(*at);
    let before = merged.range(..first).next_back().and_then(reaching);
    let covered: Vec<Offset> =
        before.into_iter().chain(merged.range(first..=last).map(|(at, _)| *at)).collect();
    for at in covered {
        let Some(old) = merged.remove(&at) else { continue };
        if old.first_offset < first {
            merged.insert(old.first_offset, StateBatch { last_offset: first.plus(-1), ..old });
        }
        if old.last_offset > last {
            merged.insert(last.plus(1), StateBatch { first_offset: last.plus(1), ..old });
        }
    }
    merged.insert(first, batch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::DeliveryState;
    use crate::share_partition::Transition;

    fn batch(first: i64, last: i64, delivery_count: i16) -> StateBatch {
        let state = DeliveryState::AVAILABLE;
        StateBatch { first_offset: Offset(first), last_offset: Offset(last), state, delivery_count }
    }

    #[test]
    fn the_last_state_of_a_record_counts() {
        let change = |batches: &[StateBatch]| StateChange::new(Transition(1), batches.to_vec());
        let changes = [
            change(&[batch(0, 9, 1), batch(20, 29, 1)]),
            change(&[batch(3, 4, 2)]),
            change(&[batch(8, 22, 3)]),
        ];
        let expected = [batch(0, 2, 1), batch(3, 4, 2), batch(5, 7, 1), batch(8, 22, 3), batch(23, 29, 1)];
        assert_eq!(merge(&changes), expected);
    }
}
