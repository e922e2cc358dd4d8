//! `kafka-streams-application-reset`: lets a Kafka Streams application begin anew: moves it back in its input topics, and
//! deletes the topics that it made for itself. Kafka: `StreamsResetter`.

mod offsets;

use std::io::Write;
use std::time::Duration;

use client::admin::{ConsumerGroupDescription, MemberDescription, MemberToRemove, TopicName};
use client::{Admin, ConfigMap, Error};
use protocol::ErrorCode;
use regex::Regex;

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config, exception};

const INTRO: &str = "Lets a Kafka Streams application process its data anew: it moves the application back in its input \
                     topics, to the earliest record or where you say, and deletes the topics that Streams made for it. \
                     Stop the application first, run this with --dry-run to see what it would do, and clean up the \
                     application's local state afterwards (KafkaStreams#cleanUp(), or the directory state.dir).";

const OPTIONS: &[Opt] = &[
    value("application-id", "String: id", "REQUIRED: The application's application.id."),
    value(
        "bootstrap-server",
        "String: server to connect to",
        "The brokers to connect to. (default: localhost:9092)",
    ),
    value("by-duration", "String", "Go back by this much from now: PnDTnHnMnS"),
    value("command-config", "String: file name", "A file with properties of admin client and consumer."),
    value("config-file", "String: file name", "The old name of --command-config."),
    flag("dry-run", "Only tell what would be done."),
    flag("force", "Remove members from the group that are still there though the application was stopped."),
    value("from-file", "String", "Go where this file says: lines of topic,partition,offset."),
    value("input-topics", "String: list", "The topics that the application reads, with commas between them."),
    value(
        "intermediate-topics",
        "String: list",
        "Deprecated: topics that the application writes and reads; they are skipped to their end.",
    ),
    value(
        "internal-topics",
        "String: list",
        "Which of the topics that would be deleted are deleted; all if not given.",
    ),
    value("shift-by", "Long: number-of-offsets", "Move on by this many records; back, if negative."),
    value("to-datetime", "String", "Go to this time: YYYY-MM-DDThh:mm:ss.sss"),
    flag("to-earliest", "Go to the first record."),
    flag("to-latest", "Go behind the last record."),
    value("to-offset", "Long", "Go to this offset."),
];

const SCENARIOS: [&str; 7] =
    ["to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "from-file", "shift-by"];
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    check(&options)?;
    let config = configuration(&options, out)?;
    let done = block_on(async { reset(&config, &options, out).await });
    done.map_err(|failure| match failure {
        Failure::Message(text, code) => Failure::Message(format!("ERROR: {text}"), code),
        other => other,
    })
}

fn check(options: &Options) -> Result<(), Failure> {
    if !options.has("application-id") {
        return Err(options.usage("Missing required option(s) [application-id]"));
    }
    for scenario in SCENARIOS {
        let others: Vec<_> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        options.exclude(scenario, &others)?;
    }
    options.exclude("config-file", &["command-config"])
}

fn configuration(options: &Options, out: &mut dyn Write) -> Result<ConfigMap, Failure> {
    let old = options.value("config-file")?;
    if old.is_some() {
        writeln!(
            out,
            "Option --config-file has been deprecated and will be removed in a future version. Use --command-config \
             instead."
        )?;
    }
    let servers = options.value_or("bootstrap-server", "localhost:9092")?;
    client_config(old.or(options.value("command-config")?), Some(servers))
}

/// A failure of the cluster, as Java shows it.
fn failed(error: Error) -> Failure {
    Failure::message(format!("{}: {error}", exception(&error)))
}

/// The topics of an option that may be repeated, each with commas between several.
fn list(options: &Options, name: &str) -> Vec<String> {
    options.values(name).into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
}

/// `[a, b]`.
fn shown(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

/// What the command line names.
struct Application {
    id: String,
    inputs: Vec<String>,
    intermediates: Vec<String>,
    dry: bool,
}

async fn reset(config: &ConfigMap, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = admin(config)?;
    let application = Application {
        id: options.value("application-id")?.unwrap_or_default().to_owned(),
        inputs: list(options, "input-topics"),
        intermediates: list(options, "intermediate-topics"),
        dry: options.has("dry-run"),
    };
    remove_members(&admin, &application.id, options.has("force"), out).await?;
    let listed = admin.list_topics(false).await.map_err(failed)?;
    let mut topics: Vec<String> = listed.into_iter().map(|topic| topic.name).collect();
    topics.sort();
    if application.dry {
        writeln!(
            out,
            "----Dry run displays the actions which will be performed when running Streams Reset Tool----"
        )?;
    }
    if options.has("intermediate-topics") {
        writeln!(out, "WARN: `--intermediate-topics` is deprecated and will be removed in a future release")?;
    }
    let all_found = offsets::reset(config, &application, options, &topics, out).await?;
    delete_internal(&admin, &application, &list(options, "internal-topics"), &topics, out).await?;
    if all_found { Ok(()) } else { Err(Failure::Code(1)) }
}

/// Makes sure that nobody is in the group. Kafka: `StreamsResetter.maybeDeleteActiveConsumers`.
async fn remove_members(admin: &Admin, id: &str, force: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let groups = [id.to_owned()];
    let described = admin.with_timeout(DESCRIBE_TIMEOUT).describe_consumer_groups(&groups).await.remove(id);
    let group = match described {
        Some(Ok(group)) if !group.members.is_empty() => group,
        Some(Err(error)) if !error.is(ErrorCode::GROUP_ID_NOT_FOUND) => return Err(failed(error)),
        _ => return Ok(()),
    };
    if !force {
        return Err(still_active(&group));
    }
    writeln!(out, "Force deleting all active members in the group: {id}")?;
    let removal = |member: &MemberDescription| match &member.group_instance_id {
        Some(instance) => MemberToRemove::Instance(instance.clone()),
        None => MemberToRemove::Member(member.member_id.clone()),
    };
    let members: Vec<_> = group.members.iter().map(removal).collect();
    let reason = "member was removed by an admin";
    for result in admin.remove_members(id, &members, reason).await.map_err(failed)? {
        match result {
            Err(error) if !error.is(ErrorCode::UNKNOWN_MEMBER_ID) => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

fn still_active(group: &ConsumerGroupDescription) -> Failure {
    let member = |member: &MemberDescription| {
        let partitions: Vec<_> = member.assignment.iter().map(ToString::to_string).collect();
        format!(
            "(memberId={}, groupInstanceId={}, clientId={}, host={}, assignment=(topicPartitions={}))",
            member.member_id,
            member.group_instance_id.as_deref().unwrap_or("null"),
            member.client_id,
            member.host,
            partitions.join(",")
        )
    };
    let members: Vec<_> = group.members.iter().map(member).collect();
    Failure::message(format!(
        "java.lang.IllegalStateException: Consumer group '{}' is still active and has following members: {}. Make sure to \
         stop all running application instances before running the reset tool. You can use option '--force' to remove \
         active members from the group.",
        group.group_id,
        shown(&members)
    ))
}

/// Deletes the topics that Streams made for the application. Kafka: `StreamsResetter.maybeDeleteInternalTopics`.
async fn delete_internal(
    admin: &Admin,
    application: &Application,
    named: &[String],
    topics: &[String],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let inferred: Vec<String> =
        topics.iter().filter(|topic| is_internal(topic, application)).cloned().collect();
    if let Some(_stranger) = named.iter().find(|name| !inferred.contains(name)) {
        return Err(Failure::message(
            "java.lang.IllegalArgumentException: Invalid topic specified in the --internal-topics option. Ensure that the \
             topics specified are all internal topics. Do a dry run without the --internal-topics option to see the list \
             of all internal topics that can be deleted.",
        ));
    }
    let (how, doomed) = if named.is_empty() { ("inferred", &inferred[..]) } else { ("specified", named) };
    writeln!(out, "Deleting {how} internal topics {}", shown(doomed))?;
    if !application.dry {
        delete(admin, doomed).await?;
    }
    Ok(writeln!(out, "Done.")?)
}

async fn delete(admin: &Admin, topics: &[String]) -> Result<(), Failure> {
    let names: Vec<_> = topics.iter().cloned().map(TopicName::Name).collect();
    let mut any = false;
    for (name, result) in admin.delete_topics(&names).await.map_err(failed)? {
        if let (TopicName::Name(name), Err(error)) = (name, result) {
            complain!("ERROR: deleting topic {name}\n{}: {error}", exception(&error));
            any = true;
        }
    }
    match any {
        false => Ok(()),
        true => Err(Failure::message(
            "java.lang.RuntimeException: Encountered an error deleting one or more topics",
        )),
    }
}

/// Whether Streams made the topic for the application. Kafka: `StreamsResetter.matchesInternalTopicFormat`.
fn is_internal(topic: &str, application: &Application) -> bool {
    let pattern = "-changelog$|-repartition$|-subscription-registration-topic$|-subscription-response-topic$\
                   |^.+-KTABLE-FK-JOIN-SUBSCRIPTION-(REGISTRATION|RESPONSE)-[0-9]+-topic$";
    let pattern = Regex::new(pattern).expect("it is a pattern");
    let is_own = topic.strip_prefix(&application.id).is_some_and(|rest| rest.starts_with('-'));
    let is_named = [&application.inputs, &application.intermediates]
        .iter()
        .any(|names| names.iter().any(|name| name == topic));
    is_own && !is_named && pattern.is_match(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_streams_made_are_told_from_others() {
        let application = Application {
            id: "app".to_owned(),
            inputs: vec!["app-in-changelog".to_owned()],
            intermediates: Vec::new(),
            dry: true,
        };
        for (topic, expected) in [
            ("app-store-changelog", true),
            ("app-by-name-repartition", true),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic", true),
            ("app-x-subscription-response-topic", true),
            ("app-in-changelog", false),
            ("apple-store-changelog", false),
            ("app-output", false),
        ] {
            assert_eq!(is_internal(topic, &application), expected, "{topic}");
        }
    }
}
