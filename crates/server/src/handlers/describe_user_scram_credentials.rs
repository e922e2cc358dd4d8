//! DescribeUserScramCredentials (key 50): which SCRAM mechanisms users have, and with how many iterations.
//!
//! Versions: 0. Kafka: `ScramImage.describe`.

use std::collections::BTreeMap;

use metadata::{ScramImage, ScramMechanism};
use model::AclOperation;
use protocol::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use protocol::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes the users asked for, or all.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    if let Err(error_code) = broker.gate(context).check_cluster(AclOperation::Describe) {
        // Kafka tells it of a user without a name, too.
        let results = vec![DescribeUserScramCredentialsResult {
            error_code,
            error_message: None,
            ..Default::default()
        }];
        return DescribeUserScramCredentialsResponse {
            error_code,
            error_message: None,
            results,
            ..Default::default()
        };
    }
    let image = broker.metadata.image();
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    match request.users.as_deref() {
        None | Some([]) => users.extend(image.scram().credentials().map(|(_, user, _)| (user, 1))),
        Some(asked) => asked.iter().for_each(|user| *users.entry(&user.name).or_default() += 1),
    }
    let results = users.into_iter().map(|(user, count)| describe(image.scram(), user, count)).collect();
    DescribeUserScramCredentialsResponse { results, ..Default::default() }
}

fn describe(scram: &ScramImage, user: &str, count: usize) -> DescribeUserScramCredentialsResult {
    let refused = |error_code, text: &str| DescribeUserScramCredentialsResult {
        user: user.to_owned(),
        error_code,
        error_message: Some(format!("{text}{user}")),
        ..Default::default()
    };
    if count > 1 {
        return refused(
            ErrorCode::DUPLICATE_RESOURCE,
            "Cannot describe SCRAM credentials for the same user twice in a single request: ",
        );
    }
    let of_mechanism = |mechanism: ScramMechanism| {
        let iterations = scram.credential(mechanism, user)?.iterations;
        Some(CredentialInfo { mechanism: mechanism as i8, iterations, ..Default::default() })
    };
    let credential_infos: Vec<_> = ScramMechanism::ALL.into_iter().filter_map(of_mechanism).collect();
    if credential_infos.is_empty() {
        let text = "Attempt to describe a user credential that does not exist: ";
        return refused(ErrorCode::RESOURCE_NOT_FOUND, text);
    }
    DescribeUserScramCredentialsResult { user: user.to_owned(), credential_infos, ..Default::default() }
}
