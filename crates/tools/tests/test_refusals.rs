//! Command lines that the tools refuse before they connect anywhere, with Kafka's texts.

use tools::{Failure, find};

#[track_caller]
fn refusal(tool: &str, args: &str) -> String {
    let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
    let mut out = Vec::new();
    match (find(tool).expect("a tool").run)(&args, &mut out) {
        Err(Failure::Usage { message, .. } | Failure::Message(message, 1)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_are_deleted_whole() {
    assert_eq!(
        refusal("kafka-consumer-groups", "--bootstrap-server h:1 --delete"),
        "Option [delete] takes one of these options: [all-groups], [group]"
    );
}

#[test]
fn offsets_are_reset_or_only_planned() {
    assert_eq!(
        refusal(
            "kafka-consumer-groups",
            "--bootstrap-server h:1 --reset-offsets --group g --dry-run --execute"
        ),
        "Option [reset-offsets] only accepts one of [execute] and [dry-run]"
    );
}

#[test]
fn log_dirs_need_an_action() {
    assert_eq!(
        refusal("kafka-log-dirs", "--bootstrap-server h:1"),
        "Missing required argument \"[describe]\""
    );
}

#[test]
fn the_quorum_is_described_one_way() {
    assert_eq!(
        refusal("kafka-metadata-quorum", "--bootstrap-server h:1 describe --status --replication"),
        "Only one of --status or --replication should be specified with describe sub-command"
    );
}

#[test]
fn transactions_to_abort_are_named_one_way() {
    assert_eq!(
        refusal("kafka-transactions", "--bootstrap-server h:1 describe-producers --topic t --partition x")
            .lines()
            .last(),
        Some(
            "kafka-transactions.sh: error: argument --partition: could not convert 'x' to Integer \
             (For input string: \"x\")"
        )
    );
}

#[test]
fn rules_are_added_with_a_principal_and_an_operation_that_fits() {
    let refuse = |args: &str| refusal("kafka-acls", &format!("--bootstrap-server h:1 {args}"));
    assert_eq!(refuse("--list --add"), "Command must include exactly one action: --list, --add, --remove. ");
    assert_eq!(
        refuse("--add --topic t"),
        "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs."
    );
    assert_eq!(
        refuse("--add --group g --operation Write --allow-principal User:a"),
        "ResourceType GROUP only supports operations [ALL, READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]"
    );
    assert_eq!(refuse("--add --producer --group g"), "With --producer you must specify a --topic");
}

#[test]
fn tokens_are_made_with_a_life_time() {
    assert_eq!(
        refusal("kafka-delegation-tokens", "--bootstrap-server h:1 --command-config f --create"),
        "Missing required argument \"[max-life-time-period]\""
    );
}

#[test]
fn share_groups_are_reset_or_only_planned() {
    let refuse = |args: &str| refusal("kafka-share-groups", &format!("--bootstrap-server h:1 {args}"));
    assert_eq!(
        refuse("--reset-offsets --group g --to-earliest --topic t"),
        "Option [reset-offsets] takes the option: [execute] or [dry-run]"
    );
    assert_eq!(refuse("--delete"), "Option [delete] takes the options [group] or [all-groups]");
}

#[test]
fn streams_groups_are_reset_within_topics_and_forget_no_single_topic() {
    let refuse = |args: &str| refusal("kafka-streams-groups", &format!("--bootstrap-server h:1 {args}"));
    assert_eq!(
        refuse("--reset-offsets --group g --to-earliest --all-input-topics"),
        "Option [reset-offsets] takes the option: [execute] or [dry-run]"
    );
    assert_eq!(
        refuse("--delete --group g --all-input-topics"),
        "Kafka Streams does not support topic-specific offset deletion from a streams group."
    );
    assert_eq!(
        refuse(
            "--reset-offsets --dry-run --group g --to-latest --all-input-topics --delete-all-internal-topics"
        ),
        "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is used."
    );
}

#[test]
fn a_controller_that_is_added_is_described_by_its_own_file() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display();
    let add = format!("--bootstrap-controller h:1 --command-config {path} add-controller --dry-run");
    std::fs::write(file.path(), "process.roles=controller").expect("written");
    let hint = "Is this a valid controller configuration file?";
    assert_eq!(
        refusal("kafka-metadata-quorum", &add),
        format!("node.id not found in configuration file. {hint}")
    );
    std::fs::write(file.path(), "node.id=3\nprocess.roles=controller").expect("written");
    assert_eq!(
        refusal("kafka-metadata-quorum", &add),
        format!("Neither metadata.log.dir nor log.dirs were found. {hint}")
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    assert_eq!(
        refusal("kafka-delete-records", "--bootstrap-server h:1 --offset-json-file /nowhere"),
        "Unable to read file /nowhere"
    );
    assert_eq!(
        refusal(
            "kafka-leader-election",
            "--bootstrap-server h:1 --election-type preferred --path-to-json-file /nowhere"
        ),
        "Unable to read file /nowhere"
    );
}

#[test]
fn an_option_has_its_old_name_or_its_new_one() {
    assert_eq!(
        refusal(
            "kafka-console-producer",
            "--bootstrap-server h:1 --topic t --property a=b --reader-property c=d"
        ),
        "Options --reader-property and --property cannot be specified together."
    );
    assert_eq!(
        refusal(
            "kafka-console-consumer",
            "--bootstrap-server h:1 --topic t --group a --consumer-property group.id=b"
        ),
        "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
         '--consumer.config') do not match. Detected group ids: 'a', 'b'"
    );
}
