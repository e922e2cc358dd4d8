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
