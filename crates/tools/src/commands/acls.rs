//! `kafka-acls`: shows, adds and removes access control lists. Kafka: `AclCommand`.

mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};

use client::Admin;
use client::admin::{
    AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType,
};

use crate::Failure;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, bootstrap_config, failed, parse_principal};

use rules::{Entry, Resource, resources, rules};

const INTRO: &str = "Shows, adds and removes rules of who may do what.";

const OPTIONS: &[Opt] = &[
    flag("add", "Add rules."),
    value("allow-host", "String: allow-host", "From where --allow-principal may; everywhere, if not given."),
    value("allow-principal", "String: allow-principal", "Who may: User:name, or User:* for all. Repeatable."),
    value("bootstrap-controller", "String: controller to connect to", "The controllers to connect to."),
    value("bootstrap-server", "String: server to connect to", "The brokers to connect to."),
    flag("cluster", "Rules about the cluster itself."),
    maybe("command-config", "String: command-config", "A file with properties of the client."),
    flag("consumer", "What a consumer needs: Read and Describe of --topic, Read of --group."),
    value("delegation-token", "String: delegation-token", "Rules about this token; * for all."),
    value("deny-host", "String: deny-host", "From where --deny-principal may not; everywhere, if not given."),
    value(
        "deny-principal",
        "String: deny-principal",
        "Who may not: User:name. Only needed to take back what others' rules allow; denying wins.",
    ),
    flag("force", "Do not ask whether it is meant."),
    value("group", "String: group", "Rules about this group; * for all."),
    flag("idempotent", "With --producer: idempotent writes too."),
    flag("list", "List rules: of the resource given, or all."),
    value(
        "operation",
        "String",
        "What may or may not be done: Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, \
         AlterConfigs, IdempotentWrite, CreateTokens, DescribeTokens, TwoPhaseCommit, or All, which it is if not given. \
         Repeatable.",
    ),
    maybe("principal", "String: principal", "With --list: only rules about User:name. Repeatable."),
    flag("producer", "What a producer needs: Write, Describe and Create of --topic."),
    flag("remove", "Remove rules: those given, or all of the resource."),
    value(
        "resource-pattern-type",
        "ANY|MATCH|LITERAL|PREFIXED",
        "How the resource's name is meant: literal (if not given), or prefixed: all that begin so. To list and remove \
         also any: of whatever kind, with this name; and match: all that apply to this name.",
    ),
    value("topic", "String: topic", "Rules about this topic; * for all."),
    value("transactional-id", "String: transactional-id", "Rules about this transactional id; * for all."),
    value("user-principal", "String: user-principal", "Rules about tokens of this user."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check(&options)?;
    let config = bootstrap_config(
        options.value("command-config")?,
        options.value("bootstrap-server")?,
        options.value("bootstrap-controller")?,
    )?;
    block_on(async {
        let admin = admin(&config)?;
        let done = if options.has("add") {
            add(&admin, &options, out).await
        } else if options.has("remove") {
            remove(&admin, &options, out).await
        } else {
            list(&admin, &options, out).await
        };
        match done {
            Err(Failure::Message(text, code)) => {
                writeln!(out, "Error while executing ACL command: {text}")?;
                Err(Failure::Code(code))
            }
            other => other,
        }
    })
}

/// Kafka: `AclCommandOptions.checkArgs`.
fn check(options: &Options) -> Result<(), Failure> {
    let has = |name: &str| options.has(name);
    let refuse = |text: &str| Err(options.usage(text));
    match (has("bootstrap-server"), has("bootstrap-controller")) {
        (true, true) => {
            return refuse("Only one of --bootstrap-server or --bootstrap-controller must be specified");
        }
        (false, false) => {
            return refuse("One of --bootstrap-server or --bootstrap-controller must be specified");
        }
        _ => {}
    }
    if ["add", "remove", "list"].into_iter().filter(|action| has(action)).count() != 1 {
        return refuse("Command must include exactly one action: --list, --add, --remove. ");
    }
    let of_rules = ["producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"];
    options.exclude("list", &of_rules)?;
    options.exclude("producer", &["operation", "deny-principal", "deny-host"])?;
    options.exclude("consumer", &["operation", "deny-principal", "deny-host"])?;
    if has("principal") && !has("list") {
        return refuse("The --principal option is only available if --list is set");
    }
    if has("producer") && !has("topic") {
        return refuse("With --producer you must specify a --topic");
    }
    if has("idempotent") && !has("producer") {
        return refuse("The --idempotent option is only available if --producer is set");
    }
    let odd = !has("producer") && (has("cluster") || has("transactional-id"));
    if has("consumer") && (!has("topic") || !has("group") || odd) {
        return refuse(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option \
             should be specified.",
        );
    }
    Ok(())
}

async fn add(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let pattern = rules::pattern_type(options)?;
    if matches!(pattern, AclPatternType::Any | AclPatternType::Match) {
        return Err(options.usage(format!(
            "A '--resource-pattern-type' value of '{}' is not valid when adding acls.",
            pattern.name()
        )));
    }
    let wanted = rules(options)?;
    if wanted.values().any(BTreeSet::is_empty) {
        let text = "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.";
        return Err(options.usage(text));
    }
    for (resource, entries) in wanted {
        let known = admin.describe_acls(&resource.filter()).await.map_err(failed)?;
        let (old, new): (Vec<_>, Vec<_>) =
            entries.iter().map(|entry| entry.of(&resource)).partition(|rule| known.contains(rule));
        for rule in old {
            let entry = Entry::from(&rule);
            writeln!(out, "Acl (pattern={resource}, entry={entry}) already exists.")?;
        }
        if new.is_empty() {
            continue;
        }
        let shown: Vec<_> = new.iter().map(|rule| format!("\t{}", Entry::from(rule))).collect();
        writeln!(out, "Adding ACLs for resource `{resource}`: \n {}\n", shown.join("\n"))?;
        let done = admin.create_acls(&new).await.map_err(failed)?;
        done.into_iter().try_for_each(|result| result.map_err(failed))?;
    }
    Ok(())
}

async fn remove(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    for (resource, entries) in rules(options)? {
        let question = if entries.is_empty() {
            format!("Are you sure you want to delete all ACLs for resource filter `{resource}`? (y/n)")
        } else {
            let shown: Vec<_> = entries.iter().map(|entry| format!("\t{entry}")).collect();
            let shown = shown.join("\n");
            format!(
                "Are you sure you want to remove ACLs: \n {shown}\n from resource filter `{resource}`? (y/n)"
            )
        };
        if !options.has("force") && !is_confirmed(&question, out)? {
            continue;
        }
        let mut filters: Vec<AclBindingFilter> =
            entries.iter().map(|entry| entry.filter(&resource)).collect();
        if filters.is_empty() {
            filters.push(resource.filter());
        }
        let done = admin.delete_acls(&filters).await.map_err(failed)?;
        done.into_iter().try_for_each(|result| result.map(drop).map_err(failed))?;
    }
    Ok(())
}

fn is_confirmed(question: &str, out: &mut dyn Write) -> Result<bool, Failure> {
    writeln!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_end().eq_ignore_ascii_case("y"))
}

async fn list(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let mut filters: Vec<_> = resources(options)?.iter().map(Resource::filter).collect();
    if filters.is_empty() {
        filters.push(AclBindingFilter::of_resource(AclResourceType::Any, None, AclPatternType::Any));
    }
    let mut found: BTreeMap<Resource, BTreeSet<Entry>> = BTreeMap::new();
    for filter in filters {
        for rule in admin.describe_acls(&filter).await.map_err(failed)? {
            found.entry(Resource::from(&rule)).or_default().insert(Entry::from(&rule));
        }
    }
    let principals: BTreeSet<_> = options
        .values("principal")
        .into_iter()
        .map(|text| parse_principal(text.trim()))
        .collect::<Result<_, _>>()?;
    if principals.is_empty() {
        return show(&found, None, out);
    }
    for principal in principals {
        writeln!(out, "ACLs for principal `{principal}`")?;
        show(&found, Some(&principal.to_string()), out)?;
    }
    Ok(())
}

fn show(
    found: &BTreeMap<Resource, BTreeSet<Entry>>,
    principal: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for (resource, entries) in found {
        let meant = entries.iter().filter(|entry| principal.is_none_or(|name| entry.principal == name));
        let shown: Vec<_> = meant.map(|entry| format!("\t{entry}")).collect();
        if !shown.is_empty() {
            writeln!(out, "Current ACLs for resource `{resource}`:\n{}\n", shown.join("\n"))?;
        }
    }
    Ok(())
}
