//! Which options go together. Kafka: `StreamsGroupCommandOptions.checkArgs`.

use crate::Failure;
use crate::options::Options;

const SCENARIOS: [&str; 8] = [
    "to-offset",
    "shift-by",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "from-file",
];

pub(super) fn check(options: &Options) -> Result<(), Failure> {
    options.require(&["bootstrap-server"])?;
    if options.has("describe") {
        check_describe(options)?;
    }
    if options.has("delete") {
        check_delete(options)?;
    }
    if options.has("delete-offsets") {
        check_delete_offsets(options)?;
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    check_internal_topics(options)?;
    if (options.has("dry-run") || options.has("execute")) && !options.has("reset-offsets") {
        return Err(options.usage("Only Option [reset-offsets] accepts [execute] or [dry-run]"));
    }
    options.exclude("list", &["members", "offsets"])?;
    options.exclude("group", &["all-groups", "list"])?;
    options.exclude("input-topic", &["describe", "list", "delete"])?;
    let actions = ["list", "describe", "reset-offsets", "delete", "delete-offsets"];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, or --delete-offsets.",
        ));
    }
    Ok(())
}

fn check_scope(options: &Options, action: &str) -> Result<(), Failure> {
    if options.has("group") || options.has("all-groups") {
        return Ok(());
    }
    Err(options.usage(format!("Option [{action}] takes one of these options: [all-groups], [group]")))
}

fn check_describe(options: &Options) -> Result<(), Failure> {
    check_scope(options, "describe")?;
    if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
        let text = "Option [describe] takes at most one of these options: [members], [offsets], [state]";
        return Err(options.usage(text));
    }
    if options.has("state") && options.value("state")?.is_some() {
        return Err(options.usage("Option [describe] does not take a value for [state]"));
    }
    Ok(())
}

fn check_delete(options: &Options) -> Result<(), Failure> {
    check_scope(options, "delete")?;
    if options.has("input-topic") || options.has("all-input-topics") {
        let text = "Kafka Streams does not support topic-specific offset deletion from a streams group.";
        return Err(options.usage(text));
    }
    Ok(())
}

fn check_delete_offsets(options: &Options) -> Result<(), Failure> {
    let names_topics = options.has("input-topic") || options.has("all-input-topics");
    if !names_topics || !options.has("group") {
        return Err(options.usage(
            "Option [delete-offsets] takes the [group] and one of these options: [all-input-topics], [input-topic]",
        ));
    }
    let groups = options.values("group");
    if groups.len() > 1 {
        return Err(options.usage(format!(
            "Option [delete-offsets] supports only one [group] at a time, but found: [{}]",
            groups.join(", ")
        )));
    }
    Ok(())
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    match (options.has("dry-run"), options.has("execute")) {
        (true, true) => {
            return Err(options.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]"));
        }
        (false, false) => {
            return Err(options.usage("Option [reset-offsets] takes the option: [execute] or [dry-run]"));
        }
        _ => {}
    }
    check_scope(options, "reset-offsets")?;
    for scenario in SCENARIOS {
        let others: Vec<_> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        options.exclude(scenario, &others)?;
    }
    if !SCENARIOS.iter().any(|scenario| options.has(scenario)) {
        let known = SCENARIOS.map(|scenario| format!("[{scenario}]")).join(", ");
        let text = format!("Option '[reset-offsets]' requires one of the following scenarios: [{known}]");
        return Err(options.usage(text));
    }
    if !["input-topic", "all-input-topics", "from-file"].iter().any(|scope| options.has(scope)) {
        return Err(options.usage("One of the reset scopes should be defined: --all-topics, --topic."));
    }
    Ok(())
}

fn check_internal_topics(options: &Options) -> Result<(), Failure> {
    let executes_reset = options.has("reset-offsets") && options.has("execute");
    let text = if options.has("delete-all-internal-topics") {
        if !options.has("reset-offsets") && !options.has("delete") {
            "Option [delete-all-internal-topics] takes one of these options: [delete], [reset-offsets]"
        } else if options.has("reset-offsets") && !options.has("execute") {
            "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is used."
        } else {
            return Ok(());
        }
    } else if options.has("delete-internal-topic") && !executes_reset {
        "Option [delete-internal-topic] takes [reset-offsets] when [execute] is used."
    } else {
        return Ok(());
    };
    Err(options.usage(text))
}
