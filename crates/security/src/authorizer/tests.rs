//! What the authorizer allows, told by entries written as text.

use metadata::MetadataImage;
use protocol::{AccessControlEntryRecord, MetadataRecord};

use super::*;

/// Makes an image of entries such as `deny alice@10.0.0.1 READ TOPIC foo*`; a name that ends in `*` is a prefix, but
/// for `*` itself.
fn image(entries: &[&str]) -> MetadataImage {
    let mut image = MetadataImage::default();
    for (id, entry) in (1..).zip(entries) {
        let words: Vec<&str> = entry.split(' ').collect();
        let [permission, who, operation, kind, name] = words[..] else { panic!("five words: {entry}") };
        let (user, host) = who.split_once('@').unwrap_or((who, "*"));
        let prefix = name.strip_suffix('*').filter(|prefix| !prefix.is_empty());
        let record = AccessControlEntryRecord {
            id: model::Uuid::from_u128(id),
            resource_type: named(AclResourceType::from_id, kind, AclResourceType::name),
            resource_name: prefix.unwrap_or(name).to_owned(),
            pattern_type: if prefix.is_some() { 4 } else { 3 },
            principal: format!("User:{user}"),
            host: host.to_owned(),
            operation: named(AclOperation::from_id, operation, AclOperation::name),
            permission_type: if permission == "deny" { 2 } else { 3 },
            ..Default::default()
        };
        image.replay(&MetadataRecord::AccessControlEntryRecord(record)).expect("an entry fits");
    }
    image
}

fn named<T: Copy>(from_id: fn(i8) -> T, name: &str, name_of: fn(T) -> &'static str) -> i8 {
    (0..20).find(|id| name_of(from_id(*id)) == name).expect("a known name")
}

fn topic(operation: AclOperation, name: &str) -> Action<'_> {
    Action { operation, resource_type: AclResourceType::Topic, name }
}

/// Tells how a question of alice on 10.0.0.1 is decided, by rules of no super users.
fn decide(image: &MetadataImage, operation: AclOperation, name: &str) -> String {
    let who = Requester { principal: "User:alice", host: "10.0.0.1" };
    let verdict = StandardAuthorizer::default();
    let verdict = verdict.authorize(image.acls(), who, topic(operation, name));
    format!("{} {}", if verdict.is_allowed() { "yes" } else { "no" }, short(&verdict))
}

fn short(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Acl(acl) => format!("{} {}", acl.pattern_type.name(), acl.resource_name),
        other => other.to_string(),
    }
}

fn may(entries: &[&str], operation: AclOperation, name: &str) -> bool {
    decide(&image(entries), operation, name).starts_with("yes")
}

use AclOperation::{Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};

#[test]
fn names_prefixes_and_the_wildcard_apply() {
    let acls =
        image(&["allow alice READ TOPIC foo", "allow alice READ TOPIC bar*", "allow alice WRITE TOPIC *"]);
    assert_eq!(decide(&acls, Read, "foo"), "yes LITERAL foo");
    assert_eq!(decide(&acls, Read, "foobar"), "no DefaultDeny");
    assert_eq!(decide(&acls, Read, "bar"), "yes PREFIXED bar");
    assert_eq!(decide(&acls, Read, "barbar"), "yes PREFIXED bar");
    assert_eq!(decide(&acls, Read, "ba"), "no DefaultDeny");
    assert_eq!(decide(&acls, Write, "whatever"), "yes LITERAL *");
}

#[test]
fn who_is_denied_is_denied_whatever_allows_it() {
    for deny in [
        "deny alice READ TOPIC foo",
        "deny * READ TOPIC f*",
        "deny alice ALL TOPIC *",
        "deny *@10.0.0.1 READ TOPIC *",
    ] {
        assert!(!may(&["allow alice ALL TOPIC foo", "allow * ALL TOPIC *", deny], Read, "foo"), "{deny}");
        assert!(!may(&[deny, "allow alice READ TOPIC fo*"], Read, "foo"), "{deny}");
    }
    assert!(may(
        &["allow alice READ TOPIC foo", "deny bob READ TOPIC foo", "deny alice WRITE TOPIC foo"],
        Read,
        "foo"
    ));
    assert!(may(&["allow alice READ TOPIC foo", "deny alice@10.0.0.2 READ TOPIC foo"], Read, "foo"));
}

#[test]
fn some_operations_allow_others_and_deny_only_themselves() {
    for operation in ["READ", "WRITE", "DELETE", "ALTER", "DESCRIBE", "ALL"] {
        assert!(may(&[&format!("allow alice {operation} TOPIC foo")], Describe, "foo"), "{operation}");
    }
    for operation in ["CREATE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "CLUSTER_ACTION"] {
        assert!(!may(&[&format!("allow alice {operation} TOPIC foo")], Describe, "foo"), "{operation}");
    }
    assert!(may(&["allow alice ALTER_CONFIGS TOPIC foo"], DescribeConfigs, "foo"));
    assert!(!may(&["allow alice ALTER TOPIC foo"], DescribeConfigs, "foo"));
    assert!(!may(&["allow alice DESCRIBE TOPIC foo"], Read, "foo"));
    assert!(may(&["allow alice ALL TOPIC foo", "deny alice READ TOPIC foo"], Describe, "foo"));
    for operation in [Read, Write, Delete, Alter, AlterConfigs] {
        assert!(may(&["allow alice ALL TOPIC foo"], operation, "foo"));
    }
}

#[test]
fn an_entry_is_about_one_kind_of_thing_one_principal_and_one_host() {
    assert!(!may(&["allow alice READ GROUP foo"], Read, "foo"));
    assert!(!may(&["allow bob READ TOPIC foo"], Read, "foo"));
    assert!(may(&["allow * READ TOPIC foo"], Read, "foo"));
    assert!(may(&["allow alice@10.0.0.1 READ TOPIC foo"], Read, "foo"));
    assert!(!may(&["allow alice@10.0.0.2 READ TOPIC foo"], Read, "foo"));
}

#[test]
fn super_users_may_do_everything_and_others_what_nothing_is_said_of_if_so_configured() {
    let acls = image(&["deny * ALL TOPIC foo", "allow bob READ TOPIC bar"]);
    let rules = StandardAuthorizer::new(" User:root ; User:CN=a,O=b;", true).expect("principals");
    let asked = |principal, name| {
        let who = Requester { principal, host: "10.0.0.1" };
        short(&rules.authorize(acls.acls(), who, topic(Read, name)))
    };
    assert_eq!(asked("User:root", "foo"), "SuperUser");
    assert_eq!(asked("User:CN=a,O=b", "foo"), "SuperUser");
    assert_eq!(asked("User:alice", "foo"), "LITERAL foo");
    assert_eq!(asked("User:alice", "bar"), "DefaultDeny");
    assert_eq!(asked("User:alice", "baz"), "DefaultAllow");
    assert!(StandardAuthorizer::new("root", false).is_err());
}

#[test]
fn the_rule_is_named_as_in_the_audit_log() {
    let acls = image(&["allow alice READ TOPIC foo"]);
    let who = Requester { principal: "User:alice", host: "10.0.0.1" };
    assert_eq!(
        StandardAuthorizer::default().authorize(acls.acls(), who, topic(Read, "foo")).to_string(),
        "MatchingAcl(acl=StandardAcl(resourceType=TOPIC, resourceName=foo, patternType=LITERAL, \
         principal=User:alice, host=*, operation=READ, permissionType=ALLOW))"
    );
}

fn some(entries: &[&str]) -> bool {
    let who = Requester { principal: "User:alice", host: "10.0.0.1" };
    let rules = StandardAuthorizer::default();
    rules.is_allowed_with_some(image(entries).acls(), who, Write, AclResourceType::Topic)
}

#[test]
fn one_topic_that_may_be_written_is_enough_unless_it_is_denied() {
    assert!(!some(&[]));
    assert!(some(&["allow alice WRITE TOPIC foo"]));
    assert!(some(&["allow * ALL TOPIC foo*"]));
    assert!(!some(&[
        "allow alice READ TOPIC foo",
        "allow bob WRITE TOPIC foo",
        "allow alice WRITE GROUP foo"
    ]));
    assert!(!some(&["allow alice@10.0.0.2 WRITE TOPIC foo"]));
    assert!(!some(&["allow alice WRITE TOPIC foo", "deny alice WRITE TOPIC foo"]));
    assert!(!some(&["allow alice WRITE TOPIC foo", "deny * ALL TOPIC f*"]));
    assert!(!some(&["allow alice WRITE TOPIC foo", "deny alice WRITE TOPIC *"]));
    assert!(some(&["allow alice WRITE TOPIC foo*", "deny alice WRITE TOPIC foo"]));
    assert!(!some(&["allow alice WRITE TOPIC foo*", "deny alice WRITE TOPIC foo*"]));
    assert!(some(&["allow alice WRITE TOPIC *", "deny alice WRITE TOPIC foo*"]));
    assert!(some(&["allow alice WRITE TOPIC foo", "deny alice WRITE TOPIC foobar*"]));
}
