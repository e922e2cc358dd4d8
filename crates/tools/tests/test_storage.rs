//! A directory is formatted once, and tells how.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;

use tools::{Failure, find};

fn storage(args: &[&str]) -> Result<String, Failure> {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string()).collect();
    let mut out = Vec::new();
    (find("kafka-storage").expect("a tool").run)(&args, &mut out)?;
    Ok(String::from_utf8(out).expect("text"))
}

#[test]
fn a_formatted_directory_is_not_formatted_again() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs").display().to_string();
    let file = dir.path().join("server.properties").display().to_string();
    let properties = format!(
        "node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://localhost:1,CONTROLLER://localhost:2\n\
         controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=localhost:2\nlog.dirs={logs}\n"
    );
    fs::write(&file, properties).unwrap();
    let format = ["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", &file, "--standalone"];
    let said = storage(&format).unwrap();
    assert!(said.contains(&format!("{logs} with metadata.version 4.3-IV0.")), "{said}");
    let meta = fs::read_to_string(format!("{logs}/meta.properties")).unwrap();
    assert!(meta.contains("cluster.id=MkU3OEVBNTcwNTJENDM2Qg\n"), "{meta}");
    let info = storage(&["info", "--config", &file]).unwrap();
    assert!(info.contains("{cluster.id=MkU3OEVBNTcwNTJENDM2Qg"), "{info}");
    let Err(Failure::Message(text, 1)) = storage(&format) else { panic!("formatted twice") };
    assert!(text.contains("Use --ignore-formatted to ignore this directory"), "{text}");
    let said = storage(&[&format[..], &["--ignore-formatted"]].concat()).unwrap();
    assert!(said.contains("All of the log directories are already formatted."), "{said}");
}

/// A folder with a node's properties, to be formatted.
struct Unformatted {
    dir: tempfile::TempDir,
}

impl Unformatted {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        let properties = format!(
            "node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://localhost:1,CONTROLLER://localhost:2\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=localhost:2\nlog.dirs={}\n",
            logs.display()
        );
        fs::write(dir.path().join("server.properties"), properties).unwrap();
        Self { dir }
    }

    fn format(&self, more: &[&str]) -> Result<String, Failure> {
        let file = self.dir.path().join("server.properties").display().to_string();
        storage(&[&["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", &file], more].concat())
    }

    /// What it says when it refuses.
    #[track_caller]
    fn refusal(&self, more: &[&str]) -> String {
        match self.format(more) {
            Err(Failure::Message(text, 1)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// What Kafka's tool prints of a checkpoint.
    fn dump(&self, file: &str) -> String {
        let file = self.dir.path().join("logs").join(file).display().to_string();
        let args = ["--cluster-metadata-decoder", "--files", &file].map(str::to_owned);
        let mut out = Vec::new();
        (find("kafka-dump-log").expect("a tool").run)(&args, &mut out).expect("a checkpoint");
        String::from_utf8(out).expect("text")
    }
}

#[test]
fn users_are_there_from_the_first_start() {
    let node = Unformatted::new();
    let users = [
        "--standalone",
        "--add-scram",
        "SCRAM-SHA-256=[name=alice,password=alice-secret]",
        "--add-scram",
        "SCRAM-SHA-512=[name=\"bob\",iterations=8192,password=x]",
    ];
    node.format(&users).unwrap();
    let dump = node.dump("bootstrap.checkpoint");
    let users: Vec<_> =
        dump.lines().filter(|line| line.contains(r#""type":"USER_SCRAM_CREDENTIAL_RECORD""#)).collect();
    assert_eq!(users.len(), 2, "{dump}");
    assert!(users[0].contains(r#""name":"alice","mechanism":1"#), "{}", users[0]);
    assert!(users[0].contains(r#""iterations":4096"#), "{}", users[0]);
    assert!(users[1].contains(r#""name":"bob","mechanism":2"#), "{}", users[1]);
    assert!(users[1].contains(r#""iterations":8192"#), "{}", users[1]);
    assert!(!dump.contains("secret"), "{dump}");
}

#[test]
fn users_that_no_mechanism_knows_are_refused() {
    let node = Unformatted::new();
    let refusal = |user: &str| node.refusal(&["--standalone", "--add-scram", user]);
    assert_eq!(
        refusal("SCRAM-SHA-256=[name=alice]"),
        "You must supply one of 'password' or 'saltedpassword' to add-scram"
    );
    assert_eq!(
        refusal("SCRAM-SHA-1=[name=alice,password=x]"),
        "The add-scram mechanism SCRAM-SHA-1 is not supported."
    );
    assert_eq!(
        refusal("SCRAM-SHA-256=[name=a,password=x,iterations=100]"),
        "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256"
    );
    assert_eq!(
        refusal("SCRAM-SHA-256=[name=a,saltedpassword=AAAA]"),
        "You must supply 'salt' with 'saltedpassword' to add-scram"
    );
}

#[test]
fn features_are_formatted_at_the_levels_that_are_given() {
    let node = Unformatted::new();
    node.format(&["--standalone", "--feature", "group.version=0", "--feature", "transaction.version=1"])
        .unwrap();
    let dump = node.dump("bootstrap.checkpoint");
    assert!(!dump.contains("group.version"), "{dump}");
    assert!(dump.contains(r#""name":"transaction.version","featureLevel":1"#), "{dump}");
    let node = Unformatted::new();
    assert_eq!(
        node.refusal(&["--standalone", "--feature", "nonsense.version=1"]),
        "Unsupported feature: nonsense.version. Supported features are: eligible.leader.replicas.version, \
         group.version, kraft.version, share.version, streams.version, transaction.version"
    );
    assert_eq!(
        node.refusal(&["--standalone", "--feature", "group.version=99"]),
        "No feature:group.version with feature level 99"
    );
}

#[test]
fn the_first_controllers_are_the_voters() {
    let node = Unformatted::new();
    let voters = "1@localhost:2:JEXY6aqzQY-32P5TStzaFg,2@localhost:3:MvDxzVmcRsaTz33bUuRU6A";
    node.format(&["--initial-controllers", voters]).unwrap();
    let dump = node.dump("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
    assert!(dump.contains(r#""voterId":1,"voterDirectoryId":"JEXY6aqzQY-32P5TStzaFg""#), "{dump}");
    assert!(dump.contains(r#""voterId":2,"voterDirectoryId":"MvDxzVmcRsaTz33bUuRU6A""#), "{dump}");
    let meta = fs::read_to_string(node.dir.path().join("logs/meta.properties")).unwrap();
    assert!(meta.contains("directory.id=JEXY6aqzQY-32P5TStzaFg\n"), "{meta}");
}
