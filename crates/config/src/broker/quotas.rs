//! Broker keys: quotas and how they are measured.

use super::typed::typed_config;
use crate::Importance::Low;
use crate::{Key, KeyType};

typed_config! {
    /// How quotas are measured. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    QuotaConfig {
        alter_log_dirs_replication_quota_window_num: int "alter.log.dirs.replication.quota.window.num",
        alter_log_dirs_replication_quota_window_size_seconds: int "alter.log.dirs.replication.quota.window.size.seconds",
        controller_quota_window_num: int "controller.quota.window.num",
        controller_quota_window_size_seconds: int "controller.quota.window.size.seconds",
        quota_window_num: int "quota.window.num",
        quota_window_size_seconds: int "quota.window.size.seconds",
        replication_quota_window_num: int "replication.quota.window.num",
        replication_quota_window_size_seconds: int "replication.quota.window.size.seconds",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "alter.log.dirs.replication.quota.window.num",
        "11",
        Low,
        "How many samples the measure of moves between log dirs keeps.",
    )
    .at_least(1),
    Key::int(
        "alter.log.dirs.replication.quota.window.size.seconds",
        "1",
        Low,
        "How many seconds each of those samples spans.",
    )
    .at_least(1),
    Key::nullable(
        "client.quota.callback.class",
        KeyType::Class,
        Low,
        "A class that tells the quotas of clients. No class can be loaded here.",
    ),
    Key::int(
        "controller.quota.window.num",
        "11",
        Low,
        "How many samples the measure of changes to the cluster keeps.",
    )
    .at_least(1),
    Key::int(
        "controller.quota.window.size.seconds",
        "1",
        Low,
        "How many seconds each of those samples spans.",
    )
    .at_least(1),
    Key::int("quota.window.num", "11", Low, "How many samples the measure of clients' traffic keeps.")
        .at_least(1),
    Key::int("quota.window.size.seconds", "1", Low, "How many seconds each of those samples spans.")
        .at_least(1),
    Key::int(
        "replication.quota.window.num",
        "11",
        Low,
        "How many samples the measure of throttled replication keeps.",
    )
    .at_least(1),
    Key::int(
        "replication.quota.window.size.seconds",
        "1",
        Low,
        "How many seconds each of those samples spans.",
    )
    .at_least(1),
];
