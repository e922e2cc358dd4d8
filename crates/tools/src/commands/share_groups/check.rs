//! Which options go together. Kafka: `ShareGroupCommandOptions.checkArgs`.

use crate::Failure;
use crate::options::Options;

const SCENARIOS: [&str; 3] = ["to-datetime", "to-earliest", "to-latest"];

pub(super) fn check(options: &Options) -> Result<(), Failure> {
    options.require(&["bootstrap-server"])?;
    if options.has("describe") {
        check_describe(options)?;
    }
    if options.has("delete") {
        check_delete(options)?;
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return Err(options.usage("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    options.exclude("group", &["all-groups", "list"])?;
    options.exclude("topic", &["describe", "list"])?;
    let actions = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets.",
        ));
    }
    Ok(())
}

fn check_describe(options: &Options) -> Result<(), Failure> {
    if !options.has("group") && !options.has("all-groups") {
        return Err(options.usage("Option [describe] takes one of these options: [all-groups], [group]"));
    }
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
    let text = match (options.has("group"), options.has("all-groups"), options.has("topic")) {
        (false, false, _) => "Option [delete] takes the options [group] or [all-groups]",
        (true, true, _) => "Option [delete] takes either [all-groups] or [group], not both.",
        (_, _, true) => "Option [delete] does not take the option: [topic]",
        _ => return Ok(()),
    };
    Err(options.usage(text))
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    let refuse = |text: &str| Err(options.usage(text));
    match (options.has("dry-run"), options.has("execute")) {
        (true, true) => return refuse("Option [reset-offsets] only accepts one of [execute] and [dry-run]"),
        (false, false) => {
            return refuse("Option [reset-offsets] takes the option: [execute] or [dry-run]");
        }
        _ => {}
    }
    if !options.has("group") {
        return refuse("Option [reset-offsets] takes the option: [group]");
    }
    if !options.has("topic") && !options.has("all-topics") {
        return refuse("Option [reset-offsets] takes one of these options: [all-topics], [topic]");
    }
    if !SCENARIOS.iter().any(|scenario| options.has(scenario)) {
        return refuse(
            "Option [reset-offsets] takes one of these options: [to-datetime], [to-earliest], [to-latest]",
        );
    }
    for scenario in SCENARIOS {
        let others: Vec<_> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        options.exclude(scenario, &others)?;
    }
    Ok(())
}
