//! No request writes more than ten thousand records: what would is refused as a whole.

use protocol::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};

use super::*;
use crate::api_error::MAX_RECORDS_PER_REQUEST;

const TOO_LARGE: &str = "Unable to perform excessively large batch operation.";

impl Transcript {
    /// Returns what is answered and how many records that writes.
    fn decide(&mut self, request: impl Into<ControllerRequest>) -> (ResponseBody, usize) {
        let mut outcome = self.controller.handle(self.now(), Ticket(0), request.into());
        (outcome.answers.remove(0).1, outcome.records.len())
    }
}

fn quotas(users: usize) -> AlterClientQuotasRequest {
    let op = |key: &str| OpData { key: key.to_owned(), value: 1000.0, ..Default::default() };
    let entry = |user| EntryData {
        entity: vec![EntityData {
            entity_type: "user".to_owned(),
            entity_name: Some(format!("user-{user}")),
            ..Default::default()
        }],
        ops: vec![op("consumer_byte_rate"), op("producer_byte_rate")],
        ..Default::default()
    };
    AlterClientQuotasRequest { entries: (0..users).map(entry).collect(), ..Default::default() }
}

#[test]
fn quotas_are_altered_as_long_as_that_makes_ten_thousand_records() {
    let mut controller = Transcript::new();
    let users = MAX_RECORDS_PER_REQUEST / 2;
    let (ResponseBody::AlterClientQuotas(answer), written) = controller.decide(quotas(users)) else {
        panic!("its answer")
    };
    assert!(answer.entries.iter().all(|entry| entry.error_code.is_none()));
    assert_eq!((answer.entries.len(), written), (users, MAX_RECORDS_PER_REQUEST));
    let (ResponseBody::AlterClientQuotas(answer), written) = controller.decide(quotas(users + 1)) else {
        panic!("its answer")
    };
    assert_eq!((answer.entries.len(), written), (users + 1, 0));
    for entry in answer.entries {
        assert_eq!(entry.error_code, ErrorCode::POLICY_VIOLATION);
        assert_eq!(entry.error_message.as_deref(), Some(TOO_LARGE));
    }
}

fn intervals(subscriptions: usize) -> IncrementalAlterConfigsRequest {
    let interval = AlterableConfig {
        name: "interval.ms".to_owned(),
        value: Some("1000".to_owned()),
        ..Default::default()
    };
    let resource = |number| AlterConfigsResource {
        resource_type: metadata::ResourceType::CLIENT_METRICS.0,
        resource_name: format!("subscription-{number}"),
        configs: vec![interval.clone()],
        ..Default::default()
    };
    let resources = (0..subscriptions).map(resource).collect();
    IncrementalAlterConfigsRequest { resources, ..Default::default() }
}

#[test]
fn configs_are_altered_as_long_as_that_makes_ten_thousand_records() {
    let mut controller = Transcript::new();
    for (subscriptions, expected) in
        [(MAX_RECORDS_PER_REQUEST, MAX_RECORDS_PER_REQUEST), (MAX_RECORDS_PER_REQUEST + 1, 0)]
    {
        let (ResponseBody::IncrementalAlterConfigs(answer), written) =
            controller.decide(intervals(subscriptions))
        else {
            panic!("its answer")
        };
        assert_eq!((answer.responses.len(), written), (subscriptions, expected));
        for response in answer.responses {
            let refusal = (expected == 0).then_some(TOO_LARGE);
            assert_eq!(response.error_message.as_deref(), refusal);
        }
    }
}
