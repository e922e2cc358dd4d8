//! Commands of transcripts: configs, credentials and quotas are altered.

use protocol::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};

use super::*;

/// The operations on a config, by the numbers they have on the wire.
const OPERATIONS: [&str; 4] = ["set", "delete", "append", "subtract"];

impl Transcript {
    pub(super) fn ask_of_settings(&mut self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["config", kind, name, operation, key, value @ ..] => {
                let operation = OPERATIONS.iter().position(|known| known == operation);
                let config = AlterableConfig {
                    name: (*key).to_owned(),
                    config_operation: operation.expect("an operation") as i8,
                    value: value.first().map(|value| (*value).to_owned()),
                    ..Default::default()
                };
                self.alter_config(number(kind) as i8, name, config)
            }
            ["scram", "set", user, mechanism, iterations, salted @ ..] => {
                let upsertion = ScramCredentialUpsertion {
                    name: user.trim_matches('\'').to_owned(),
                    mechanism: number(mechanism) as i8,
                    iterations: number(iterations),
                    salt: "salt".into(),
                    salted_password: salted
                        .first()
                        .map_or("salted", |salted| salted.trim_matches('\''))
                        .to_owned()
                        .into(),
                    ..Default::default()
                };
                let upsertions = vec![upsertion];
                self.ask(AlterUserScramCredentialsRequest { upsertions, ..Default::default() })
            }
            ["scram", "delete", user, mechanism] => {
                let (name, mechanism) = ((*user).to_owned(), number(mechanism) as i8);
                let deletions = vec![ScramCredentialDeletion { name, mechanism, ..Default::default() }];
                self.ask(AlterUserScramCredentialsRequest { deletions, ..Default::default() })
            }
            ["quota", entity, key, value] => self.alter_quota(entity, key, value),
            _ => return None,
        })
    }

    fn alter_config(&mut self, resource_type: i8, name: &str, config: AlterableConfig) -> String {
        let resource = AlterConfigsResource {
            resource_type,
            resource_name: name.trim_matches('\'').to_owned(),
            configs: vec![config],
            ..Default::default()
        };
        self.ask(IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() })
    }

    fn alter_quota(&mut self, entity: &str, key: &str, value: &str) -> String {
        let op = OpData {
            key: key.to_owned(),
            value: value.parse().unwrap_or_default(),
            remove: value == "none",
            ..Default::default()
        };
        let entity = entity.split(',').map(part).collect();
        let entry = EntryData { entity, ops: vec![op], ..Default::default() };
        self.ask(AlterClientQuotasRequest { entries: vec![entry], ..Default::default() })
    }
}

/// Reads `type=name` of who a quota is for.
fn part(text: &str) -> EntityData {
    let (kind, name) = text.split_once('=').expect("type=name");
    EntityData {
        entity_type: kind.to_owned(),
        entity_name: (name != "<default>").then(|| name.to_owned()),
        ..Default::default()
    }
}
