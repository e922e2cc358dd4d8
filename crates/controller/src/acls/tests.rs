//! Which entries are made, refused and deleted.

use std::time::Duration;

use machine::{Machine, Now, Ticket};
use model::Timestamp;
use protocol::ResponseBody;

use super::*;
use crate::{ControllerConfig, ControllerRequest};

fn controller() -> Controller {
    Controller::new(ControllerConfig { seed: 1, ..ControllerConfig::default() })
}

fn ask(controller: &mut Controller, request: impl Into<ControllerRequest>) -> (ResponseBody, usize) {
    let now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };
    let mut outcome = controller.handle(now, Ticket(0), request.into());
    let written = outcome.records.len();
    outcome.records.into_iter().for_each(|record| controller.replay(record));
    assert_eq!(controller.failure(), None);
    (outcome.answers.remove(0).1, written)
}

fn create(controller: &mut Controller, creations: &[AclCreation]) -> (Vec<Option<String>>, usize) {
    let request = CreateAclsRequest { creations: creations.to_vec(), ..Default::default() };
    let (ResponseBody::CreateAcls(response), written) = ask(controller, request) else {
        panic!("its answer")
    };
    let message = |result: AclCreationResult| {
        let message = result.error_message.filter(|message| !message.is_empty());
        assert_eq!(result.error_code.is_none(), message.is_none());
        message
    };
    (response.results.into_iter().map(message).collect(), written)
}

fn delete(controller: &mut Controller, filters: &[DeleteAclsFilter]) -> (Vec<DeleteAclsFilterResult>, usize) {
    let request = DeleteAclsRequest { filters: filters.to_vec(), ..Default::default() };
    let (ResponseBody::DeleteAcls(response), written) = ask(controller, request) else {
        panic!("its answer")
    };
    (response.filter_results, written)
}

fn on_topic(name: &str) -> AclCreation {
    AclCreation {
        resource_type: AclResourceType::Topic as i8,
        resource_name: name.to_owned(),
        resource_pattern_type: AclPatternType::Literal as i8,
        principal: "User:alice".to_owned(),
        host: "*".to_owned(),
        operation: AclOperation::Read as i8,
        permission_type: AclPermission::Allow as i8,
        ..Default::default()
    }
}

fn filter(name: Option<&str>) -> DeleteAclsFilter {
    DeleteAclsFilter {
        resource_type_filter: AclResourceType::Topic as i8,
        resource_name_filter: name.map(str::to_owned),
        pattern_type_filter: AclPatternType::Any as i8,
        principal_filter: None,
        host_filter: None,
        operation: AclOperation::Any as i8,
        permission_type: AclPermission::Any as i8,
        ..Default::default()
    }
}

#[test]
fn an_entry_is_written_once_however_often_it_is_asked_for() {
    let mut controller = controller();
    let (results, written) = create(&mut controller, &[on_topic("foo"), on_topic("foo"), on_topic("bar")]);
    assert_eq!((results, written), (vec![None; 3], 2));
    assert_eq!(create(&mut controller, &[on_topic("foo")]), (vec![None], 0));
    assert_eq!(controller.image().acls().len(), 2);
}

#[test]
fn an_entry_that_means_nothing_is_refused_and_the_others_are_made() {
    let wrong = [
        AclCreation { resource_type: 1, ..on_topic("foo") },
        AclCreation { resource_pattern_type: 2, ..on_topic("foo") },
        AclCreation { operation: 1, ..on_topic("foo") },
        AclCreation { permission_type: 1, ..on_topic("foo") },
        on_topic(""),
        AclCreation { principal: "alice".to_owned(), ..on_topic("foo") },
        AclCreation { resource_type: 4, ..on_topic("foo") },
        on_topic("good"),
    ];
    let (results, written) = create(&mut controller(), &wrong);
    let expected = [
        "Invalid resourceType ANY",
        "Invalid patternType MATCH",
        "Invalid operation ANY",
        "Invalid permissionType ANY",
        "Invalid empty resource name",
        "Could not parse principal from `alice` (no colon is present separating the principal type from the \
         principal name)",
        "The only valid name for the CLUSTER resource is kafka-cluster",
    ];
    assert_eq!(results[..7], expected.map(|text| Some(text.to_owned())));
    assert_eq!((&results[7], written), (&None, 1));
}

#[test]
fn each_filter_tells_what_it_deleted_also_what_another_deletes_too() {
    let mut controller = controller();
    create(&mut controller, &[on_topic("foo"), on_topic("bar")]);
    let unknown = DeleteAclsFilter { operation: 99, ..filter(None) };
    let (results, written) = delete(&mut controller, &[filter(Some("foo")), filter(None), unknown]);
    let matching: Vec<usize> = results.iter().map(|result| result.matching_acls.len()).collect();
    assert_eq!((matching, written), (vec![1, 2, 0], 2));
    assert_eq!(results[2].error_message.as_deref(), Some("Unknown entryFilter."));
    assert!(controller.image().acls().is_empty());
}

#[test]
fn no_request_makes_or_deletes_more_than_ten_thousand() {
    let mut controller = controller();
    let many: Vec<AclCreation> = (0..=MAX_RECORDS_PER_REQUEST).map(|id| on_topic(&id.to_string())).collect();
    let (results, written) = create(&mut controller, &many);
    assert_eq!(written, 0);
    assert_eq!(results[0].as_deref(), Some("Unable to perform excessively large batch operation."));
    assert_eq!(create(&mut controller, &many[1..]).1, MAX_RECORDS_PER_REQUEST);
    assert_eq!(create(&mut controller, &many[..1]).1, 1);
    let (results, written) = delete(&mut controller, &[filter(Some("1")), filter(None)]);
    assert_eq!((results.len(), written), (2, 0));
    let message = "Cannot remove more than 10000 acls in a single delete operation.";
    assert_eq!(results[0].error_message.as_deref(), Some(message));
    assert_eq!(controller.image().acls().len(), MAX_RECORDS_PER_REQUEST + 1);
}
