//! The quotas of one kind, with what was measured of each client.
//!
//! Kafka: `ClientQuotaManager`, `ClientRequestQuotaManager`, `ControllerMutationQuotaManager`.

use std::time::Duration;

use metadata::ClientQuotasImage;

use crate::{QuotaKind, QuotaTable, Rate, Recent, Tags, TokenBucket, Window};

/// After so long without traffic a client's measure is forgotten.
/// Kafka: `ClientQuotaManager.INACTIVE_SENSOR_EXPIRATION_TIME_SECONDS`.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// How often what is to be forgotten is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// About as many bytes as one generation of measures may have: some 30,000 clients.
const SENSORS_BYTES: usize = 32 << 20;
/// What a measure takes beside the names that it is for.
const SENSOR_BYTES: usize = 1024;

#[derive(Debug, Default)]
struct Sensor {
    rate: Rate,
    bucket: TokenBucket,
    throttled: Rate,
    throttles: Rate,
    recorded: Duration,
}

/// What is measured of one client, for metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaSensor {
    /// For whom it is counted.
    pub tags: Tags,
    /// How much in a second: bytes, percent, or partitions.
    pub rate: f64,
    /// The tokens that are left, for changes to the cluster.
    pub tokens: Option<f64>,
    /// How long the client was throttled on average, in milliseconds.
    pub throttle_time_avg: f64,
}

/// The quotas of one kind, with what was measured.
#[derive(Debug)]
pub struct ClientQuotaManager {
    kind: QuotaKind,
    window: Window,
    table: QuotaTable,
    sensors: Recent<Tags, Sensor>,
    forgotten: Duration,
}

impl ClientQuotaManager {
    /// Makes a manager without quotas.
    pub fn new(kind: QuotaKind, window: Window) -> Self {
        let sensors =
            Recent::new(SENSORS_BYTES, |tags: &Tags| SENSOR_BYTES + tags.user.len() + tags.client_id.len());
        let table = QuotaTable::default();
        Self { kind, window, table, sensors, forgotten: Duration::ZERO }
    }

    /// Takes over the quotas of the metadata; true if there are any.
    pub fn update(&mut self, image: &ClientQuotasImage) -> bool {
        self.table = QuotaTable::new(image, self.kind);
        if self.table.is_empty() {
            self.sensors.clear();
        }
        !self.table.is_empty()
    }

    /// Tells whether there are any quotas.
    pub fn is_enabled(&self) -> bool {
        !self.table.is_empty()
    }

    /// Counts `value` for a client, and returns how long its connection keeps silent.
    pub fn record(&mut self, user: &str, client_id: &str, value: f64, now: Duration) -> Duration {
        if !self.is_enabled() {
            return Duration::ZERO;
        }
        let (window, kind) = (self.window, self.kind);
        let tags = self.table.tags(user, client_id);
        let bound = self.table.bound(&tags);
        let sensor = self.sensor(tags, now);
        sensor.rate.record(window, value, now);
        let Some(bound) = bound else { return Duration::ZERO };
        let wait = match kind {
            QuotaKind::ControllerMutation => {
                sensor.bucket.record(window, bound, value, now);
                sensor.bucket.throttle_time(window, bound, now)
            }
            // Who used too much of the threads waits for one sample at most, since the measure is rough.
            QuotaKind::Request => {
                let wait = sensor.rate.throttle_time(window, bound, now);
                wait.min(Duration::from_millis(window.sample_ms))
            }
            QuotaKind::Produce | QuotaKind::Fetch => sensor.rate.throttle_time(window, bound, now),
        };
        sensor.note_throttle(window, wait, now);
        wait
    }

    /// Counts `value` for a client without asking whether it is too much; negative to take back.
    pub fn record_only(&mut self, user: &str, client_id: &str, value: f64, now: Duration) {
        if self.is_enabled() {
            let window = self.window;
            let tags = self.table.tags(user, client_id);
            self.sensor(tags, now).rate.record(window, value, now);
        }
    }

    /// Counts `value` unless the client already used too much.
    ///
    /// # Errors
    /// The client used too much before: how long it is to wait; nothing is counted.
    pub fn record_strictly(
        &mut self,
        user: &str,
        client_id: &str,
        value: f64,
        now: Duration,
    ) -> Result<(), Duration> {
        if !self.is_enabled() {
            return Ok(());
        }
        let window = self.window;
        let tags = self.table.tags(user, client_id);
        let bound = self.table.bound(&tags);
        let sensor = self.sensor(tags, now);
        if let Some(bound) = bound {
            let wait = sensor.bucket.throttle_time(window, bound, now);
            if !wait.is_zero() {
                sensor.note_throttle(window, wait, now);
                return Err(wait);
            }
            sensor.bucket.record(window, bound, value, now);
        }
        sensor.rate.record(window, value, now);
        Ok(())
    }

    /// Returns the most that a client may get at once: what its quota allows in the whole window but one sample.
    /// Kafka: `ClientQuotaManager.maxValueInQuotaWindow`.
    pub fn max_in_window(&self, user: &str, client_id: &str) -> f64 {
        if !self.is_enabled() {
            return f64::MAX;
        }
        let seconds = f64::from(self.window.samples - 1) * (self.window.sample_ms as f64 / 1000.0);
        self.table.bound(&self.table.tags(user, client_id)).map_or(f64::MAX, |bound| bound * seconds)
    }

    /// Returns what is measured of each client, by its tags.
    pub fn sensors(&mut self, now: Duration) -> Vec<QuotaSensor> {
        let (window, kind, table) = (self.window, self.kind, &self.table);
        let sensors = self.sensors.iter_mut().map(|(tags, sensor)| {
            let bound = table.bound(tags).filter(|_| kind == QuotaKind::ControllerMutation);
            let throttles = sensor.throttles.measure(window, now);
            let throttled = sensor.throttled.measure(window, now);
            QuotaSensor {
                tags: tags.clone(),
                rate: sensor.rate.measure(window, now),
                tokens: bound.map(|bound| sensor.bucket.measure(window, bound, now)),
                throttle_time_avg: if throttles > 0.0 { throttled / throttles } else { 0.0 },
            }
        });
        sensors.collect()
    }

    fn sensor(&mut self, tags: Tags, now: Duration) -> &mut Sensor {
        if now.saturating_sub(self.forgotten) >= FORGET_EVERY {
            self.forgotten = now;
            self.sensors.retain(|_, sensor| now.saturating_sub(sensor.recorded) < FORGET_AFTER);
        }
        let sensor = self.sensors.get_or_insert_with(tags, Sensor::default);
        sensor.recorded = now;
        sensor
    }
}

impl Sensor {
    fn note_throttle(&mut self, window: Window, wait: Duration, now: Duration) {
        if !wait.is_zero() {
            self.throttled.record(window, wait.as_secs_f64() * 1000.0, now);
            self.throttles.record(window, 1.0, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use metadata::MetadataImage;
    use protocol::client_quota_record::EntityData;
    use protocol::{ClientQuotaRecord, MetadataRecord};

    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };

    fn manager(kind: QuotaKind, bound: f64) -> ClientQuotaManager {
        let entity = EntityData {
            entity_type: "client-id".to_owned(),
            entity_name: Some("c".to_owned()),
            ..Default::default()
        };
        let record = ClientQuotaRecord {
            entity: vec![entity],
            key: kind.key().to_owned(),
            value: bound,
            ..Default::default()
        };
        let mut image = MetadataImage::default();
        image.replay(&MetadataRecord::ClientQuotaRecord(record)).unwrap();
        let mut manager = ClientQuotaManager::new(kind, WINDOW);
        assert!(manager.update(image.client_quotas()));
        manager
    }

    #[test]
    fn bytes_over_the_bound_are_paid_for_with_silence() {
        let mut manager = manager(QuotaKind::Produce, 100.0);
        assert_eq!(manager.record("u", "c", 1000.0, Duration::ZERO), Duration::ZERO);
        assert_eq!(manager.record("u", "c", 500.0, Duration::ZERO), Duration::from_secs(5));
        assert_eq!(manager.record("u", "other", 1e9, Duration::ZERO), Duration::ZERO);
        assert_eq!(manager.max_in_window("u", "c"), 1000.0);
    }

    #[test]
    fn time_of_threads_costs_one_sample_at_most() {
        let mut manager = manager(QuotaKind::Request, 1.0);
        assert_eq!(manager.record("u", "c", 1e6, Duration::ZERO), Duration::from_secs(1));
    }

    #[test]
    fn a_change_to_the_cluster_is_refused_only_when_something_is_owed() {
        let mut manager = manager(QuotaKind::ControllerMutation, 1.0);
        assert_eq!(manager.record_strictly("u", "c", 20.0, Duration::ZERO), Ok(()));
        assert_eq!(manager.record_strictly("u", "c", 1.0, Duration::ZERO), Err(Duration::from_secs(9)));
        assert_eq!(manager.record_strictly("u", "c", 1.0, Duration::from_secs(9)), Ok(()));
        let sensors = manager.sensors(Duration::from_secs(9));
        assert_eq!(sensors[0].tokens, Some(-1.0));
        assert_eq!(sensors[0].throttle_time_avg, 9000.0);
    }

    #[test]
    fn clients_that_name_themselves_anew_each_time_take_no_more_than_so_much() {
        let mut manager = manager(QuotaKind::Produce, 100.0);
        let long = "x".repeat(30_000);
        for number in 0..10_000 {
            manager.record("u", &format!("{number}{long}"), 1.0, Duration::ZERO);
            if number % 1000 == 0 {
                manager.record("u", "c", 2000.0, Duration::ZERO);
            }
        }
        let sensors = manager.sensors(Duration::ZERO);
        assert!(sensors.iter().map(|sensor| sensor.tags.client_id.len()).sum::<usize>() <= 2 * SENSORS_BYTES);
        let used: Vec<_> = sensors.iter().filter(|sensor| sensor.tags.client_id == "c").collect();
        assert!(used.len() == 1 && used[0].rate >= 2000.0, "whom a quota is for is still measured");
    }

    #[test]
    fn without_quotas_nothing_is_kept() {
        let mut manager = manager(QuotaKind::Fetch, 1.0);
        manager.record("u", "c", 10.0, Duration::ZERO);
        assert!(!manager.update(MetadataImage::default().client_quotas()));
        assert_eq!(manager.record("u", "c", 1e9, Duration::ZERO), Duration::ZERO);
        assert!(manager.sensors(Duration::ZERO).is_empty());
    }
}
