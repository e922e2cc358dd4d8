//! Which options go together. Kafka: `ConsumerGroupCommandOptions.checkArgs`.

use crate::Failure;
use crate::options::Options;

const SCENARIOS: [&str; 8] = [
    "by-duration",
    "to-latest",
    "to-current",
    "to-earliest",
    "to-offset",
    "shift-by",
    "from-file",
    "to-datetime",
];

pub(super) fn check(options: &Options) -> Result<(), Failure> {
    let actions = ["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, \
             --validate-regex",
        ));
    }
    if !options.has("validate-regex") {
        options.require(&["bootstrap-server"])?;
    }
    let has_group = options.has("group") || options.has("all-groups");
    if options.has("describe") {
        check_describe(options, has_group)?;
    }
    if options.has("delete") {
        if !has_group {
            return Err(options.usage("Option [delete] takes one of these options: [all-groups], [group]"));
        }
        if options.has("topic") {
            return Err(options.usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            ));
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return Err(options.usage("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    if options.has("reset-offsets") {
        check_reset(options, has_group)?;
    }
    options.exclude("group", &["all-groups", "list"])?;
    options.exclude("topic", &["list", "describe", "delete"])
}

fn check_describe(options: &Options, has_group: bool) -> Result<(), Failure> {
    if !has_group {
        return Err(options.usage("Option [describe] takes one of these options: [group], [all-groups]"));
    }
    if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
        let text = "Option [describe] takes at most one of these options: [members], [offsets], [state]";
        return Err(options.usage(text));
    }
    if options.value("state")?.is_some() {
        return Err(options.usage("Option [describe] does not take a value for [state]"));
    }
    Ok(())
}

fn check_reset(options: &Options, has_group: bool) -> Result<(), Failure> {
    if options.has("dry-run") && options.has("execute") {
        return Err(options.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]"));
    }
    if !options.has("dry-run") && !options.has("execute") {
        complain!(
            "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will \
             require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if \
             you are scripting this command and want to keep the current default behavior without prompting."
        );
    }
    if !has_group {
        return Err(options.usage("Option [reset-offsets] takes one of these options: [group], [all-groups]"));
    }
    for scenario in SCENARIOS {
        let others: Vec<_> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        options.exclude(scenario, &others)?;
    }
    if !SCENARIOS.iter().any(|scenario| options.has(scenario)) {
        let names: Vec<_> = SCENARIOS.iter().map(|name| format!("[{name}]")).collect();
        let text = format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
            names.join(", ")
        );
        return Err(options.usage(text));
    }
    let has_scope = options.has("all-topics") || options.has("topic");
    if !has_scope && !options.has("from-file") {
        return Err(options.usage("One of the reset scopes should be defined: --all-topics, --topic."));
    }
    Ok(())
}
