//! Subscriptions by regular expression: RE2 syntax, matched against whole topic names, looked up beside the requests and
//! again when topics come, or from time to time. A topic that the member may not describe whose heartbeat led to the look
//! matches nothing.
//!
//! Kafka: `TopicRegexResolver`, `GroupMetadataManager.maybeUpdateRegularExpressions`, `handleRegularExpressionsResult`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{ConsumerGroupRegularExpressionValue, ErrorCode};
use regex::Regex;

use super::entry::ConsumerEntry;
use super::group::{ConsumerGroup, ResolvedRegex};
use super::member::ConsumerMember;
use super::subscriptions::replace_regex;
use super::{ConsumerTurn, Refusal};
use crate::group::metadata::Metadata;
use crate::group::refreshed::Refreshed;
use crate::group::request::{RequestContext, TopicGate};
use crate::group::timers::TimerKey;

/// How far apart two looks at the topics are at least, in milliseconds. Kafka: `REGEX_BATCH_REFRESH_MIN_INTERVAL_MS`.
const LEAST_REFRESH_INTERVAL_MS: i64 = 10_000;

/// What a request changes in a member's regular expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegexChange {
    /// Nothing.
    None,
    /// It changes, and what it matches is still to be looked up.
    Pending,
    /// It changes, and what it matches is known.
    Resolved,
}

impl ConsumerGroup {
    /// Takes in a member's regular expression, and has the group's expressions looked up where it is time.
    pub(super) fn update_regex(
        &self,
        context: &RequestContext,
        member: &ConsumerMember,
        updated: &ConsumerMember,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<RegexChange, Refusal> {
        let mut is_new = false;
        let mut change = RegexChange::None;
        if member.regex != updated.regex {
            change = RegexChange::Pending;
            if let Some(old) = member.regex()
                && self.subscribed_regexes.get(old) == Some(&1)
            {
                turn.write(ConsumerEntry::Regex(old.to_owned(), None).of(&self.id));
            }
            match updated.regex() {
                Some(new) if !self.subscribed_regexes.contains_key(new) => {
                    compile(new).map_err(|reason| invalid(new, &reason))?;
                    is_new = true;
                }
                Some(new) if self.resolved_regexes.contains_key(new) => change = RegexChange::Resolved,
                None if member.regex().is_some() => change = RegexChange::Resolved,
                _ => {}
            }
        }
        let may_be_due = is_new || !self.subscribed_regexes.is_empty();
        if may_be_due && self.is_lookup_due(is_new, member, updated, turn) {
            turn.lookups.insert(self.id.clone(), context.topic_gate.clone());
            turn.set_timer(TimerKey::Expressions(self.id.clone()), Duration::ZERO);
        }
        Ok(change)
    }

    fn is_lookup_due(
        &self,
        is_new: bool,
        member: &ConsumerMember,
        updated: &ConsumerMember,
        turn: &ConsumerTurn<'_>,
    ) -> bool {
        let key = TimerKey::Expressions(self.id.clone());
        let last = self.resolved_regexes.values().next();
        let last_time = last.map_or(i64::MIN, |resolved| resolved.timestamp);
        let now = turn.now.wall.0;
        if turn.timers.is_set(&key) || now <= last_time.saturating_add(LEAST_REFRESH_INTERVAL_MS) {
            return false;
        }
        let mut regexes = self.subscribed_regexes.clone();
        replace_regex(&mut regexes, Some(member), Some(updated));
        let interval = turn.config.consumer_regex_refresh_interval.as_millis();
        let interval = i64::try_from(interval).unwrap_or(i64::MAX);
        let is_due = is_new
            || regexes.len() != self.resolved_regexes.len()
            || last.map_or(0, |resolved| resolved.version) < turn.metadata.version_with_new_topics()
            || now > last_time.saturating_add(interval);
        is_due && !regexes.is_empty()
    }

    /// Looks up what the group's regular expressions match now, and writes it down.
    pub(in crate::group) fn look_up_expressions(&mut self, turn: &mut ConsumerTurn<'_>) {
        let mut topics = self.subscribed_topics.clone();
        let mut bump = false;
        for (regex, resolved) in self.resolve(turn) {
            let old = self.resolved_regexes.get(regex).map(|old| &old.topics);
            if old.map_or(!resolved.topics.is_empty(), |old| *old != resolved.topics) {
                bump = true;
                old.into_iter().for_each(|old| topics.remove_matched(old));
                topics.add_matched(&resolved.topics);
            }
            turn.write(record(&self.id, regex, resolved));
        }
        let hash = turn.metadata.group_hash(topics.names());
        if bump || hash != self.metadata_hash {
            let epoch = self.epoch.wrapping_add(1);
            turn.write(ConsumerEntry::epoch(&self.id, epoch, hash));
            self.refreshed = Some(Refreshed::new(turn.now, epoch));
        }
    }

    /// Says what each of the group's regular expressions matches now. Kafka: `TopicRegexResolver.resolveRegularExpressions`.
    fn resolve(&self, turn: &mut ConsumerTurn<'_>) -> Vec<(&str, ResolvedRegex)> {
        let (version, timestamp) = (turn.metadata.version(), turn.now.wall.0);
        let matched = |regex: &String| matching(regex, turn.metadata);
        let mut matched: Vec<BTreeSet<String>> = self.subscribed_regexes.keys().map(matched).collect();
        if let Some(gate) = turn.lookups.remove(&self.id).flatten() {
            hide(&mut matched, &*gate);
        }
        let regexes = self.subscribed_regexes.keys().map(String::as_str).zip(matched);
        regexes.map(|(regex, topics)| (regex, ResolvedRegex { topics, version, timestamp })).collect()
    }
}

/// Takes out what is to be kept secret; each topic is asked about once.
fn hide(matched: &mut [BTreeSet<String>], gate: &dyn TopicGate) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in matched.iter().flatten() {
        *counts.entry(topic).or_default() += 1;
    }
    let hidden = gate.hidden(&counts);
    matched.iter_mut().for_each(|topics| topics.retain(|topic| !hidden.contains(topic)));
}

fn record(group: &str, regex: &str, resolved: ResolvedRegex) -> crate::group::record::GroupRecord {
    let value = ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.into_iter().collect(),
        version: resolved.version,
        timestamp: resolved.timestamp,
        ..Default::default()
    };
    ConsumerEntry::Regex(regex.to_owned(), Some(value)).of(group)
}

/// One that came in with a record and cannot be read matches nothing.
fn matching(regex: &str, metadata: &Metadata) -> BTreeSet<String> {
    let Ok(compiled) = compile(regex) else { return BTreeSet::new() };
    let names = metadata.topic_names().filter(|name| compiled.is_match(name));
    names.map(|name| name.to_string()).collect()
}

fn invalid(regex: &str, reason: &str) -> Refusal {
    let message = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.");
    Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
}

/// Compiles an expression to match whole names; else says what is wrong, in RE2's words where it has any.
fn compile(regex: &str) -> Result<Regex, String> {
    let quoted = without_quotes(regex);
    // Alone first, for in a group a bracket that is missing could come from the group.
    Regex::new(&quoted)
        .and_then(|_| Regex::new(&format!("\\A(?:{quoted})\\z")))
        .map_err(|error| reason(&error))
}

/// Turns `\Q…\E`, which RE2 has beyond the syntax that is compiled here, into escaped text.
fn without_quotes(regex: &str) -> String {
    let mut out = String::with_capacity(regex.len());
    let mut rest = regex;
    while let Some(start) = find_quote(rest) {
        out.push_str(&rest[..start]);
        let quoted = &rest[start + 2..];
        let (text, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
        out.push_str(&regex::escape(text));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Finds `\Q` whose backslash is not itself escaped.
fn find_quote(regex: &str) -> Option<usize> {
    let bytes = regex.as_bytes();
    let mut at = 0;
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'\\', b'Q') => return Some(at),
            (b'\\', _) => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn reason(error: &regex::Error) -> String {
    let regex::Error::Syntax(text) = error else { return "expression too large".to_owned() };
    let line = text.lines().last().unwrap_or_default();
    let what = line.strip_prefix("error: ").unwrap_or(line);
    match what {
        "unclosed group" => "missing closing )",
        "unopened group" => "unexpected )",
        "unclosed character class" => "missing closing ]",
        "repetition operator missing expression" => "missing argument to repetition operator",
        "unrecognized escape sequence" => "invalid escape sequence",
        "incomplete escape sequence, reached end of pattern prematurely" => {
            "trailing \\ at end of expression"
        }
        what if what.starts_with("invalid character class range") => "invalid character class range",
        what => what,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_whole_names() {
        let matches = |regex: &str, name: &str| compile(regex).expect("it is valid").is_match(name);
        assert!(matches("foo.*", "foo-1"));
        assert!(!matches("foo", "foo-1"));
        assert!(!matches("oo", "foo"));
        assert!(matches("a|b", "b"));
        assert!(!matches("a|b", "ab"));
        assert!(matches("(?i)FOO", "foo"));
        assert!(matches("\\Qa.b\\E.", "a.bc"));
        assert!(!matches("\\Qa.b\\E", "axb"));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_re2() {
        let reason = |regex: &str| compile(regex).expect_err("it is not valid");
        assert_eq!(reason("["), "missing closing ]");
        assert_eq!(reason("foo("), "missing closing )");
        assert_eq!(reason("*a"), "missing argument to repetition operator");
        assert_eq!(reason("a)"), "unexpected )");
        assert_eq!(reason("\\1"), "backreferences are not supported");
    }
}
