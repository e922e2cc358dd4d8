//! What the tool says of files that Apache Kafka 4.3.1 wrote, compared with what its own tool says.

use super::*;

const SEGMENT: &str = "00000000000000000000.log";

fn testdata() -> String {
    format!("{}/src/commands/dump_log/testdata/", env!("CARGO_MANIFEST_DIR"))
}

/// Runs the tool on files of the test data; their folder is taken out of the output.
fn dump(files: &[&str], flags: &[&str]) -> String {
    let paths: Vec<_> = files.iter().map(|file| testdata() + file).collect();
    let mut args = vec!["--files".to_owned(), paths.join(",")];
    args.extend(flags.iter().map(|flag| flag.to_string()));
    let mut out = Vec::new();
    run(&args, &mut out).expect("the tool succeeds");
    String::from_utf8(out).expect("text").replace(&testdata(), "")
}

#[track_caller]
fn assert_same(ours: &str, recorded: &str) {
    for (number, (ours, theirs)) in ours.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", number + 1);
    }
    assert_eq!(ours.lines().count(), recorded.lines().count());
}

#[test]
fn batches_and_records_are_shown_as_kafka_shows_them() {
    let segment = format!("t-0/{SEGMENT}");
    assert_same(&dump(&[&segment], &[]), include_str!("testdata/plain.txt"));
    assert_same(&dump(&[&segment], &["--print-data-log"]), include_str!("testdata/print-data-log.txt"));
    let flags = ["--deep-iteration", "--skip-record-metadata"];
    assert_same(&dump(&[&segment], &flags), include_str!("testdata/skip-record-metadata.txt"));
}

#[test]
fn indexes_and_producers_are_shown_as_kafka_shows_them() {
    let files = [
        "t-0/00000000000000000000.index",
        "t-0/00000000000000000000.timeindex",
        "t-0/00000000000000000164.snapshot",
    ];
    assert_same(&dump(&files, &[]), include_str!("testdata/indexes.txt"));
}

#[test]
fn group_offsets_are_shown_as_kafka_shows_them() {
    let segment = format!("__consumer_offsets-42/{SEGMENT}");
    assert_same(&dump(&[&segment], &["--offsets-decoder"]), include_str!("testdata/offsets-decoder.txt"));
}

#[test]
fn transactions_are_shown_as_kafka_shows_them() {
    let segment = format!("__transaction_state-45/{SEGMENT}");
    let ours = dump(&[&segment], &["--transaction-log-decoder"]);
    assert_same(&ours, include_str!("testdata/transaction-log-decoder.txt"));
}

#[test]
fn the_clusters_metadata_is_shown_as_kafka_shows_it() {
    let segment = format!("__cluster_metadata-0/{SEGMENT}");
    let ours = dump(&[&segment], &["--cluster-metadata-decoder"]);
    assert_same(&ours, include_str!("testdata/cluster-metadata-decoder.txt"));
}

#[test]
fn bytes_behind_the_last_batch_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(SEGMENT);
    let mut bytes = std::fs::read(testdata() + "t-0/" + SEGMENT).expect("the segment");
    bytes.truncate(bytes.len() - 5);
    std::fs::write(&path, bytes).expect("written");
    let mut out = Vec::new();
    run(&["--files".into(), path.display().to_string()], &mut out).expect("the tool succeeds");
    let out = String::from_utf8(out).expect("text");
    assert!(out.ends_with("Found 73 invalid bytes at the end of 00000000000000000000.log\n"), "{out}");
}
