//! A directory is formatted once, and tells how.

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
