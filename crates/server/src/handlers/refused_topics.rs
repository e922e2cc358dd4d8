//! Puts what was refused of a request, before its coordinator was asked, to what that answered: topic by topic.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Adds the partitions of `refused` to the rows of the same topics, which have the same `key`, by `add`; those of other topics
/// come behind. Costs no more than there are rows, since clients say how many.
pub(super) fn merge<R, K: Eq + Hash>(
    rows: &mut Vec<R>,
    refused: Vec<R>,
    key: impl Fn(&R) -> K,
    add: impl Fn(&mut R, R),
) {
    if refused.is_empty() {
        return;
    }
    // From behind, so that the first of several counts.
    let mut places: HashMap<K, usize> =
        rows.iter().enumerate().rev().map(|(place, row)| (key(row), place)).collect();
    for row in refused {
        match places.entry(key(&row)) {
            Entry::Occupied(place) => add(&mut rows[*place.get()], row),
            Entry::Vacant(place) => {
                place.insert(rows.len());
                rows.push(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u32, Vec<i32>);

    fn merged(mut rows: Vec<Row>, refused: Vec<Row>) -> Vec<Row> {
        merge(&mut rows, refused, |row| row.0, |row, more| row.1.extend(more.1));
        rows
    }

    #[test]
    fn refused_partitions_stand_with_their_topics() {
        let rows = vec![(1, vec![0]), (2, vec![0]), (1, vec![9])];
        let refused = vec![(2, vec![1]), (3, vec![0]), (1, vec![7]), (3, vec![1])];
        let expected = vec![(1, vec![0, 7]), (2, vec![0, 1]), (1, vec![9]), (3, vec![0, 1])];
        assert_eq!(merged(rows, refused), expected);
    }

    /// This ends only where topics are not held against each other.
    #[test]
    fn many_topics_may_be_refused() {
        let many = || (0..200_000).map(|topic| (topic, Vec::new())).collect();
        assert_eq!(merged(Vec::new(), many()).len(), 200_000);
        assert_eq!(merged(many(), many()).len(), 200_000);
    }
}
