//! Commands of transcripts: brokers come, live and go; what the controller hands out to them.

use protocol::broker_registration_request::Feature;
use protocol::update_features_request::FeatureUpdateKey;

use super::*;

impl Transcript {
    pub(super) fn ask_of_brokers(&mut self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["register", id, incarnation, previous] => {
                self.register(number(id), number(incarnation), number(previous))
            }
            ["heartbeat", id, wants @ ..] => self.heartbeat(number(id), wants),
            ["unregister", id] => {
                self.ask(UnregisterBrokerRequest { broker_id: number(id), ..Default::default() })
            }
            ["producer-ids", broker] => {
                let (broker_id, broker_epoch) = (number(broker), self.epoch(number(broker)));
                self.ask(AllocateProducerIdsRequest { broker_id, broker_epoch, ..Default::default() })
            }
            ["feature", name, level, upgrade_type] => self.update_feature(name, level, upgrade_type),
            _ => return None,
        })
    }

    fn register(&mut self, id: i32, incarnation: i32, previous: i32) -> String {
        let features = self.controller.config.supported_features.iter().map(|(name, range)| Feature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        });
        let features = features.collect();
        self.ask(BrokerRegistrationRequest {
            broker_id: id,
            cluster_id: "cluster".to_owned(),
            incarnation_id: Uuid::from_u128(1000 + incarnation as u128),
            features,
            log_dirs: vec![Uuid::from_u128(500 + id as u128)],
            previous_broker_epoch: previous.into(),
            ..Default::default()
        })
    }

    fn heartbeat(&mut self, id: i32, wants: &[&str]) -> String {
        self.ask(BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.epoch(id),
            current_metadata_offset: self.controller.next_offset.0,
            want_fence: wants.contains(&"fence"),
            want_shut_down: wants.contains(&"stop"),
            offline_log_dirs: wants
                .contains(&"offline")
                .then(|| Uuid::from_u128(500 + id as u128))
                .into_iter()
                .collect(),
            ..Default::default()
        })
    }

    fn update_feature(&mut self, name: &str, level: &str, upgrade_type: &str) -> String {
        let update = FeatureUpdateKey {
            feature: name.to_owned(),
            max_version_level: number(level) as i16,
            upgrade_type: number(upgrade_type) as i8,
            ..Default::default()
        };
        self.ask(UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() })
    }
}
