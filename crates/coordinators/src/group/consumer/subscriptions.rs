//! Which topics the members of a consumer group read, by name and by regular expression, and whether all read the same.
//!
//! Kafka: `SubscriptionCount`, `ConsumerGroup.subscriptionType`.

use std::collections::{BTreeMap, BTreeSet};

use super::member::ConsumerMember;

/// How often a topic is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubscriptionCount {
    /// By how many members that name it.
    pub(super) by_name: i32,
    /// By how many regular expressions.
    pub(super) by_regex: i32,
}

/// Topics, each with how often it is read; never one that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SubscribedTopics(BTreeMap<String, SubscriptionCount>);

impl SubscribedTopics {
    /// Takes `old` out and `new` in, as far as they name topics.
    pub(super) fn replace(&mut self, old: Option<&ConsumerMember>, new: Option<&ConsumerMember>) {
        if let (Some(old), Some(new)) = (old, new)
            && old.topics == new.topics
        {
            return;
        }
        for topic in old.iter().flat_map(|member| member.topics.iter()) {
            self.change(topic, |count| count.by_name -= 1);
        }
        for topic in new.iter().flat_map(|member| member.topics.iter()) {
            self.change(topic, |count| count.by_name += 1);
        }
    }

    /// Takes in what a regular expression matches.
    pub(super) fn add_matched(&mut self, topics: &BTreeSet<String>) {
        topics.iter().for_each(|topic| self.change(topic, |count| count.by_regex += 1));
    }

    /// Takes out what a regular expression matched.
    pub(super) fn remove_matched(&mut self, topics: &BTreeSet<String>) {
        topics.iter().for_each(|topic| self.change(topic, |count| count.by_regex -= 1));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    fn change(&mut self, topic: &str, change: impl FnOnce(&mut SubscriptionCount)) {
        let mut count = self.0.get(topic).copied().unwrap_or_default();
        change(&mut count);
        if count.by_name <= 0 && count.by_regex <= 0 {
            self.0.remove(topic);
        } else {
            self.0.insert(topic.to_owned(), count);
        }
    }
}

/// How many members read by each regular expression; never one by which none does.
pub(super) type SubscribedRegexes = BTreeMap<String, usize>;

/// Takes `old` out and `new` in, as far as they read by a regular expression.
pub(super) fn replace_regex(
    regexes: &mut SubscribedRegexes,
    old: Option<&ConsumerMember>,
    new: Option<&ConsumerMember>,
) {
    if let Some(regex) = old.and_then(|member| member.regex())
        && let Some(count) = regexes.get_mut(regex)
    {
        *count -= 1;
        if *count == 0 {
            regexes.remove(regex);
        }
    }
    if let Some(regex) = new.and_then(|member| member.regex()) {
        *regexes.entry(regex.to_owned()).or_default() += 1;
    }
}

/// Tells whether all of `member_count` members read the same topics.
pub(super) fn is_homogeneous(
    topics: &SubscribedTopics,
    regexes: &SubscribedRegexes,
    member_count: usize,
) -> bool {
    let mut counts = topics.0.values();
    match regexes.values().next() {
        None => counts.all(|count| usize::try_from(count.by_name) == Ok(member_count)),
        Some(first) => {
            *first == member_count && counts.all(|count| count.by_regex == 1 && count.by_name <= 0)
        }
    }
}
