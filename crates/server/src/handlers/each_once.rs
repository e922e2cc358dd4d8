//! What a request names more than once is answered once where the answer is larger than the question: else a few bytes, said
//! often, would fill the node's memory. Kafka answers each time.

use std::collections::BTreeSet;

/// Leaves of `items` the first of each key. Those without a key, whose answers are no larger than they are, are all left.
pub(super) fn each_once<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> Option<K>) {
    let mut seen = BTreeSet::new();
    items.retain(|item| key(item).is_none_or(|key| seen.insert(key)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_often_stands_where_it_was_named_first() {
        let mut items = vec!["b", "a", "", "b", "", "a"];
        each_once(&mut items, |item| Some(*item).filter(|item| !item.is_empty()));
        assert_eq!(items, ["b", "a", "", ""]);
    }
}
