//! The rules hold for this tree, and each finds what breaks it.

use super::*;

#[test]
fn the_tree_is_tidy() {
    assert_eq!(report(), Tally { passed: RULES.len() as u64, failed: 0 }, "see the lines above");
}

#[test]
fn every_rule_finds_what_breaks_it() {
    let folder = std::env::temp_dir().join(format!("tidy-{}", std::process::id()));
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("every path here has a parent")).expect("the folder is ours");
        fs::write(path, text).expect("the folder is ours");
    };
    write("crates/raft/Cargo.toml", "[dependencies]\ntokio = \"1\"\nserver.workspace = true\n");
    write("crates/raft/src/mod.rs", concat!("fn f() { std::time::Instant::now(); } // TO", "DO\n"));
    write("README.md", "[gone](docs/gone.md)\n");
    write("docs/GLOSSARY.md", "| term | what | `raft/src/gone.rs` |\n");
    let tree = Tree::read(folder.clone());
    let silent: Vec<_> =
        RULES.iter().filter(|(_, check)| check(&tree).is_empty()).map(|rule| rule.0).collect();
    fs::remove_dir_all(folder).expect("the folder is ours");
    assert_eq!(silent, Vec::<&str>::new());
}
