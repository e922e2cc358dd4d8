//! Snapshots written and read back, and those that Apache Kafka 4.3.1 wrote.

use protocol::FeatureLevelRecord;

use super::*;

fn level() -> MetadataRecord {
    MetadataRecord::FeatureLevelRecord(FeatureLevelRecord {
        name: "metadata.version".to_owned(),
        feature_level: 30,
        ..Default::default()
    })
}

#[test]
fn a_snapshot_reads_back() {
    let header = SnapshotHeader { last_contained_log_timestamp: 7, ..Default::default() };
    let record = level();
    let file = write_snapshot(SnapshotId::BOOTSTRAP, &header, [(&record, 0)], Timestamp(9)).expect("it fits");
    let snapshot = read_snapshot(Bytes::from(file)).expect("it was just written");
    assert_eq!(snapshot, Snapshot { header, records: vec![record] });
}

#[test]
fn a_snapshot_that_is_cut_anywhere_is_refused() {
    let record = level();
    let header = SnapshotHeader::default();
    let file = write_snapshot(SnapshotId::BOOTSTRAP, &header, [(&record, 0)], Timestamp(9)).expect("it fits");
    for length in 0..file.len() {
        assert!(read_snapshot(Bytes::copy_from_slice(&file[..length])).is_err(), "{length} bytes");
    }
}

#[test]
fn names_of_snapshots_read_back() {
    let id = SnapshotId { end_offset: Offset(1234), epoch: LeaderEpoch(5) };
    assert_eq!(id.file_name(), "00000000000000001234-0000000005.checkpoint");
    assert_eq!(SnapshotId::from_file_name(&id.file_name()), Some(id));
    for other in
        ["bootstrap.checkpoint", "1-2.checkpoint", "00000000000000001234-0000000005.checkpoint.part", ""]
    {
        assert_eq!(SnapshotId::from_file_name(other), None, "{other}");
    }
}

#[test]
fn the_bootstrap_checkpoint_of_kafka_is_written_the_same() {
    let kafkas = Bytes::from_static(include_bytes!("../../testdata/bootstrap.checkpoint"));
    let snapshot = read_snapshot(kafkas.clone()).expect("Kafka wrote it");
    assert_eq!(snapshot.records.len(), 6);
    assert_eq!(snapshot.header, SnapshotHeader::default());
    let records = snapshot.records.iter().map(|record| (record, 0));
    let ours =
        write_snapshot(SnapshotId::BOOTSTRAP, &snapshot.header, records, Timestamp(9)).expect("it fits");
    assert_eq!(ours.len(), kafkas.len());
    let (ours, kafkas) = (entries(ours.into()), entries(kafkas));
    assert_eq!(ours, kafkas);
}

#[test]
fn the_voters_checkpoint_of_kafka_is_written_the_same() {
    let kafkas =
        Bytes::from_static(include_bytes!("../../testdata/00000000000000000000-0000000000.checkpoint"));
    let snapshot = read_snapshot(kafkas.clone()).expect("Kafka wrote it");
    assert_eq!(snapshot.header.kraft_version, 1);
    assert_eq!(snapshot.header.voters.as_ref().map(VoterSet::len), Some(1));
    let ours = write_snapshot(SnapshotId::BOOTSTRAP, &snapshot.header, [], Timestamp(9)).expect("it fits");
    assert_eq!(ours.len(), kafkas.len());
    assert_eq!(entries(ours.into()), entries(kafkas));
}

#[test]
fn a_log_that_kafka_wrote_is_decoded() {
    let log = Bytes::from_static(include_bytes!("../../testdata/00000000000000000000.log"));
    let entries = entries(log);
    assert!(matches!(entries[0].1, LogEntry::Control(ControlRecord::LeaderChange(_))));
    assert!(
        entries.iter().any(|(_, entry)| matches!(entry, LogEntry::Metadata(MetadataRecord::TopicRecord(_))))
    );
    let offsets: Vec<i64> = entries.iter().map(|(offset, _)| offset.0).collect();
    assert_eq!(offsets, (0..entries.len() as i64).collect::<Vec<_>>());
}

fn entries(file: Bytes) -> Vec<(Offset, LogEntry)> {
    let mut entries = Vec::new();
    for batch in batches(file) {
        decode_batch(&batch.expect("a batch"), |offset, entry| entries.push((offset, entry)))
            .expect("records");
    }
    entries
}
