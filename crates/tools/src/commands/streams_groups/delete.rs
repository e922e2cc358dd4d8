//! `kafka-streams-groups --delete` and `--delete-offsets`, and the topics that an application has for itself.

use std::collections::BTreeMap;
use std::io::Write;

use client::admin::{GroupListing, StreamsGroupDescription, TopicName};
use client::{Admin, Error};

use super::{described, groups as meant, input_topics, listings, print_error};
use crate::Failure;
use crate::commands::consumer_groups::delete::forget;
use crate::commands::consumer_groups::known_partitions;
use crate::options::Options;
use crate::session::{exception, failed};

/// What became of the deletion of several things, by name.
type Refusals = BTreeMap<String, String>;

pub(super) async fn groups(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let known = listings(admin).await?;
    let meant = meant(admin, options).await?;
    let mut refused: Refusals =
        meant.iter().filter_map(|name| Some((name.clone(), refusal(name, &known)?))).collect();
    let possible: Vec<String> = meant.into_iter().filter(|name| !refused.contains_key(name)).collect();
    let mut internal: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if options.has("delete-all-internal-topics") {
        for name in &possible {
            let topics = internal_topics(&described(admin, name).await?, out)?;
            if !topics.is_empty() {
                internal.insert(name.clone(), topics);
            }
        }
    }
    let mut deleted = Vec::new();
    for (name, result) in admin.delete_groups(&possible).await {
        match result {
            Ok(()) => deleted.push(name),
            Err(error) => drop(refused.insert(name, format!("{}: {error}", exception(&error)))),
        }
    }
    internal.retain(|name, _| deleted.contains(name));
    let mut kept = Refusals::new();
    for (name, topics) in &internal {
        if let Some(error) = delete_topics(admin, topics, out).await? {
            kept.insert(name.clone(), format!("{}: {error}", exception(&error)));
        }
    }
    tell_groups(&deleted, &refused, out)?;
    tell_topics(&internal, &kept, out)
}

fn tell_groups(deleted: &[String], refused: &Refusals, out: &mut dyn Write) -> Result<(), Failure> {
    let names = deleted.join("', '");
    if refused.is_empty() {
        return Ok(writeln!(out, "Deletion of requested streams groups ('{names}') was successful.")?);
    }
    print_error("Deletion of some streams groups failed:", out)?;
    for (name, reason) in refused {
        writeln!(out, "* Group '{name}' could not be deleted due to: {reason}")?;
    }
    if !deleted.is_empty() {
        writeln!(out, "\nThese streams groups were deleted successfully: '{names}'.")?;
    }
    Ok(())
}

fn tell_topics(
    internal: &BTreeMap<String, Vec<String>>,
    kept: &Refusals,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if internal.is_empty() {
        return Ok(());
    }
    if kept.is_empty() {
        let names: Vec<_> = internal.keys().map(String::as_str).collect();
        let names = names.join("', '");
        let text = format!(
            "Deletion of associated internal topics of the streams groups ('{names}') was successful."
        );
        return Ok(writeln!(out, "{text}")?);
    }
    writeln!(out, "Deletion of some associated internal topics failed:")?;
    for (name, reason) in kept {
        writeln!(
            out,
            "* Internal topics of the streams group '{name}' could not be deleted due to: {reason}"
        )?;
    }
    Ok(())
}

/// Why a group cannot be deleted, as far as the list of groups tells.
fn refusal(name: &str, known: &[GroupListing]) -> Option<String> {
    let Some(group) = known.iter().find(|group| group.group_id == name) else {
        let text = format!("Group '{name}' does not exist or is not a streams group.");
        return Some(format!("java.lang.IllegalArgumentException: {text}"));
    };
    let state = group.state.as_deref()?;
    if state.eq_ignore_ascii_case("dead") {
        return Some(format!("java.lang.IllegalStateException: Streams group '{name}' group state is DEAD."));
    }
    (!state.eq_ignore_ascii_case("empty")).then(|| {
        format!("org.apache.kafka.common.errors.GroupNotEmptyException: Streams group '{name}' is not EMPTY.")
    })
}

/// The topics that an application has for itself and that bear its name; others of its topology are told of.
pub(super) fn internal_topics(
    group: &StreamsGroupDescription,
    out: &mut dyn Write,
) -> std::io::Result<Vec<String>> {
    let sources = input_topics(group, false);
    let mut internal = Vec::new();
    for subtopology in &group.subtopologies {
        for topic in subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics) {
            if sources.contains(topic.as_str()) {
                continue;
            }
            if is_inferred_internal(topic, &group.group_id) {
                internal.push(topic.clone());
                continue;
            }
            let text = format!(
                "The internal topic '{topic}' is not inferred as internal and thus will not be deleted with the group '{}'.",
                group.group_id
            );
            print_error(&text, out)?;
        }
    }
    Ok(internal)
}

/// Kafka: `StreamsGroupService.isInferredInternalTopic`, `matchesInternalTopicFormat`.
fn is_inferred_internal(topic: &str, group: &str) -> bool {
    let endings =
        ["-changelog", "-repartition", "-subscription-registration-topic", "-subscription-response-topic"];
    let is_numbered = |kind: &str| {
        let number = topic.strip_suffix("-topic").and_then(|topic| topic.rsplit_once(kind));
        number.is_some_and(|(begin, number)| {
            !begin.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    topic.strip_prefix(group).is_some_and(|rest| rest.starts_with('-'))
        && (endings.iter().any(|ending| topic.ends_with(ending))
            || is_numbered("-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-")
            || is_numbered("-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"))
}

/// Deletes topics, tells of those that stay, and returns why the first of them does.
pub(super) async fn delete_topics(
    admin: &Admin,
    topics: &[String],
    out: &mut dyn Write,
) -> Result<Option<Error>, Failure> {
    let names: Vec<_> = topics.iter().map(|topic| TopicName::Name(topic.clone())).collect();
    let mut first = None;
    for (topic, result) in admin.delete_topics(&names).await.map_err(failed)? {
        if let (TopicName::Name(topic), Err(error)) = (topic, result) {
            writeln!(out, "Failed to delete internal topic: {topic}")?;
            first.get_or_insert(error);
        }
    }
    Ok(first)
}

pub(super) async fn offsets(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let group = options.value("group")?.unwrap_or_default();
    if !options.has("all-input-topics") {
        let (partitions, unknown) = known_partitions(admin, &options.values("input-topic")).await?;
        return forget(admin, group, &partitions, unknown, out).await;
    }
    let group = described(admin, group).await?;
    let topics = input_topics(&group, false);
    let committed = admin.list_group_offsets(&group.group_id, None, false).await.map_err(failed)?;
    let partitions: Vec<_> =
        committed.into_keys().filter(|partition| topics.contains(&*partition.topic)).collect();
    forget(admin, &group.group_id, &partitions, BTreeMap::new(), out).await
}

#[cfg(test)]
mod tests {
    use super::is_inferred_internal;

    #[test]
    fn internal_topics_bear_the_names_of_their_application_and_kind() {
        for topic in [
            "app-counts-changelog",
            "app-words-repartition",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000014-topic",
        ] {
            assert!(is_inferred_internal(topic, "app"), "{topic}");
        }
        for topic in
            ["app2-counts-changelog", "app-lines", "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-x-topic"]
        {
            assert!(!is_inferred_internal(topic, "app"), "{topic}");
        }
    }
}
