//! SCRAM credentials of users. Kafka: `Admin.describeUserScramCredentials`, `Admin.alterUserScramCredentials`.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
use protocol::describe_user_scram_credentials_request::UserName;
use protocol::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
};
use security::ScramHash;

use super::Admin;
use super::call::not_controller;
use crate::error::{Error, Result};

/// A change of a user's credential.
#[derive(Clone, PartialEq, Eq)]
pub enum ScramAlteration {
    /// Deletes it.
    Delete(ScramHash),
    /// Sets it.
    Upsert {
        /// The mechanism's hash.
        hash: ScramHash,
        /// How often the password is hashed.
        iterations: i32,
        /// Random bytes.
        salt: Bytes,
        /// The password, which is salted here: it does not leave this process.
        password: config::Password,
    },
}

impl Admin {
    /// Returns the mechanisms that users have, with the iterations of each; all users if none are named.
    pub async fn describe_user_scram_credentials(
        &self,
        users: &[&str],
    ) -> Result<BTreeMap<String, Result<Vec<(ScramHash, i32)>>>> {
        let named = users.iter().map(|user| UserName { name: (*user).to_owned(), ..Default::default() });
        let users = (!users.is_empty()).then(|| named.collect());
        let request = DescribeUserScramCredentialsRequest { users, ..Default::default() };
        let response =
            self.on_any("describeUserScramCredentials", &request, |response| response.error_code).await?;
        Error::check_with(response.error_code, response.error_message)?;
        let described = response.results.into_iter().map(|result| {
            let infos = result.credential_infos.into_iter();
            let known = infos.filter_map(|info| Some((ScramHash::from_id(info.mechanism)?, info.iterations)));
            let checked = Error::check_with(result.error_code, result.error_message);
            (result.user, checked.map(|()| known.collect()))
        });
        Ok(described.collect())
    }

    /// Changes credentials of a user.
    pub async fn alter_user_scram_credentials(
        &self,
        user: &str,
        alterations: &[ScramAlteration],
    ) -> Result<()> {
        let (mut deletions, mut upsertions) = (Vec::new(), Vec::new());
        for alteration in alterations {
            match alteration {
                ScramAlteration::Delete(hash) => deletions.push(ScramCredentialDeletion {
                    name: user.to_owned(),
                    mechanism: hash.id(),
                    ..Default::default()
                }),
                ScramAlteration::Upsert { hash, iterations, salt, password } => {
                    let salted = hash.salted_password(password.0.as_bytes(), salt, *iterations);
                    upsertions.push(ScramCredentialUpsertion {
                        name: user.to_owned(),
                        mechanism: hash.id(),
                        iterations: *iterations,
                        salt: salt.clone(),
                        salted_password: salted.into(),
                        ..Default::default()
                    });
                }
            }
        }
        let request = AlterUserScramCredentialsRequest { deletions, upsertions, ..Default::default() };
        let error_of = |response: &AlterUserScramCredentialsResponse| {
            not_controller(response.results.iter().map(|result| result.error_code))
        };
        let response = self.on_any("alterUserScramCredentials", &request, error_of).await?;
        let mut altered = response.results.into_iter();
        altered.try_for_each(|result| Error::check_with(result.error_code, result.error_message))
    }
}
