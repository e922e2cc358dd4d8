//! What the simulated disk keeps and loses.

use super::*;
use crate::chance::SeededChance;

fn write(file: &Arc<dyn File>, text: &[u8], position: u64) {
    file.write_at(&[IoSlice::new(text)], position).expect("the disk is well");
}

fn made(files: &SimFiles, path: &str) -> Arc<dyn File> {
    let path = Path::new(path);
    files.create_dir_all(path.parent().expect("has a folder")).expect("the disk is well");
    files.open(path, Open::Create).expect("the disk is well")
}

#[test]
fn what_was_synced_with_its_folder_survives_a_power_cut() {
    let files = SimFiles::default();
    let file = made(&files, "/a/b");
    write(&file, b"kept", 0);
    file.sync().expect("the disk is well");
    write(&file, b"lost", 4);
    files.sync_dir(Path::new("/a")).expect("the disk is well");
    files.sync_dir(Path::new("/")).expect("the disk is well");
    files.power_cut(None);
    assert_eq!(files.read(Path::new("/a/b")).expect("the name was synced"), b"kept");
    assert!(file.len().is_err(), "a handle from before the power cut is dead");
}

#[test]
fn a_name_whose_folder_was_not_synced_is_lost() {
    let files = SimFiles::default();
    made(&files, "/a/b").sync().expect("the disk is well");
    files.sync_dir(Path::new("/")).expect("the disk is well");
    files.power_cut(None);
    assert!(files.is_dir(Path::new("/a")));
    assert!(!files.exists(Path::new("/a/b")));
}

#[test]
fn a_killed_process_loses_nothing() {
    let files = SimFiles::default();
    write(&made(&files, "/a/b"), b"text", 0);
    files.kill();
    assert_eq!(files.read(Path::new("/a/b")).expect("it is there"), b"text");
}

#[test]
fn unsynced_sectors_are_torn_as_the_seed_says() {
    let run = |seed| {
        let files = SimFiles::default();
        let file = made(&files, "/f");
        file.sync().expect("the disk is well");
        files.sync_dir(Path::new("/")).expect("the disk is well");
        write(&file, &[7; 8 * 512], 0);
        files.power_cut(Some(&SeededChance::new(seed)));
        files.read(Path::new("/f")).expect("the name was synced")
    };
    assert_eq!(run(1), run(1));
    assert!((0..64).any(|seed| run(seed).contains(&0) && run(seed).contains(&7)));
}

#[test]
fn a_full_disk_refuses_and_a_fault_hits_only_its_path() {
    let files = SimFiles::default();
    files.set_capacity(6);
    let file = made(&files, "/a/one");
    assert_eq!(file.write_at(&[IoSlice::new(&[1; 8])], 0).expect_err("full").raw_os_error(), Some(28));
    assert_eq!(file.len().expect("the disk is well"), 6, "as much as fits is written");
    files.add_fault(Fault { operation: Operation::Sync, path_contains: "one".into(), after: 1, errno: 5 });
    file.sync().expect("the first is let through");
    assert!(file.sync().is_err());
    made(&files, "/a/two").sync().expect("another path");
}

#[test]
fn a_lock_is_exclusive_until_dropped() {
    let files = SimFiles::default();
    let held = files.lock(Path::new("/l")).expect("the disk is well");
    assert!(held.is_some());
    assert!(files.lock(Path::new("/l")).expect("the disk is well").is_none());
    drop(held);
    assert!(files.lock(Path::new("/l")).expect("the disk is well").is_some());
}

#[test]
fn a_file_that_damage_made_longer_is_cut_as_any_other() {
    let files = SimFiles::default();
    let file = made(&files, "/a");
    files.damage(Path::new("/a"), |bytes| bytes.extend([0; 100])).expect("it is there");
    file.set_len(0).expect("the disk is well");
    files.set_capacity(10);
    write(&file, &[1; 10], 0);
}
