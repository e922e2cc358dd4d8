//! AlterUserScramCredentials: what is kept of users' passwords.
//!
//! The request brings the salted password, never the password itself; only keys from which neither can be had back go
//! into the log.
//!
//! Kafka: `ScramControlManager`.

use std::collections::BTreeMap;

use metadata::ScramMechanism;
use protocol::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
use protocol::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use protocol::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ErrorCode, MetadataRecord,
    RemoveUserScramCredentialRecord,
};
use security::ScramHash;

use crate::api_error::code_and_message;
use crate::requests::Decision;
use crate::{ApiError, Controller};

impl Controller {
    pub(crate) fn alter_user_scram_credentials(
        &self,
        request: &AlterUserScramCredentialsRequest,
    ) -> Decision {
        let mut outcomes: BTreeMap<&str, Result<MetadataRecord, ApiError>> = BTreeMap::new();
        for deletion in &request.deletions {
            decide_once(&mut outcomes, &deletion.name, || self.delete_credential(deletion));
        }
        for upsertion in &request.upsertions {
            decide_once(&mut outcomes, &upsertion.name, || upsert_credential(upsertion));
        }
        let result = |(user, outcome): (&&str, &Result<MetadataRecord, ApiError>)| {
            let (error_code, error_message) = code_and_message(outcome);
            let user = (*user).to_owned();
            AlterUserScramCredentialsResult { user, error_code, error_message, ..Default::default() }
        };
        let results = outcomes.iter().map(result).collect();
        let records = outcomes.into_values().filter_map(Result::ok).collect();
        Decision::new(records, AlterUserScramCredentialsResponse { results, ..Default::default() })
    }

    fn delete_credential(&self, deletion: &ScramCredentialDeletion) -> Result<MetadataRecord, ApiError> {
        check_user_and_mechanism(&deletion.name, deletion.mechanism)?;
        let mechanism = ScramMechanism::of(deletion.mechanism);
        let scram = self.image.scram();
        if mechanism.and_then(|mechanism| scram.credential(mechanism, &deletion.name)).is_none() {
            let message = "Attempt to delete a user credential that does not exist";
            return Err(ApiError::new(ErrorCode::RESOURCE_NOT_FOUND, message));
        }
        Ok(MetadataRecord::RemoveUserScramCredentialRecord(RemoveUserScramCredentialRecord {
            name: deletion.name.clone(),
            mechanism: deletion.mechanism,
            ..Default::default()
        }))
    }
}

/// Decides on one change of a user; a second one refuses both, unless the first was refused already.
fn decide_once<'a>(
    outcomes: &mut BTreeMap<&'a str, Result<MetadataRecord, ApiError>>,
    user: &'a str,
    decide: impl FnOnce() -> Result<MetadataRecord, ApiError>,
) {
    let outcome = match outcomes.get(user) {
        Some(Err(_)) => return,
        Some(Ok(_)) => {
            let message = "A user credential cannot be altered twice in the same request";
            Err(ApiError::new(ErrorCode::DUPLICATE_RESOURCE, message))
        }
        None => decide(),
    };
    outcomes.insert(user, outcome);
}

fn upsert_credential(upsertion: &ScramCredentialUpsertion) -> Result<MetadataRecord, ApiError> {
    let hash = check_user_and_mechanism(&upsertion.name, upsertion.mechanism)?;
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message));
    if upsertion.iterations < hash.min_iterations() {
        return refuse("Too few iterations");
    }
    if upsertion.iterations > hash.max_iterations() {
        return refuse("Too many iterations");
    }
    if upsertion.salted_password.is_empty() {
        return refuse("Salted password must not be empty");
    }
    let (salt, salted) = (upsertion.salt.clone(), &upsertion.salted_password);
    let credential = hash.credential_of_salted(salted, salt, upsertion.iterations);
    Ok(MetadataRecord::UserScramCredentialRecord(credential.to_record(&upsertion.name, hash.into())))
}

fn check_user_and_mechanism(user: &str, mechanism: i8) -> Result<ScramHash, ApiError> {
    if user.is_empty() {
        return Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, "Username must not be empty"));
    }
    ScramHash::from_id(mechanism)
        .ok_or_else(|| ApiError::new(ErrorCode::UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"))
}
