//! The simulated disk's folders and files, each with what is written and what would survive a power cut.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Entries, names};
use crate::chance::Chance;

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Arc<Mutex<Inode>>),
    Folder(Arc<Mutex<Folder>>),
}

/// A folder's names, as they are and as a power cut would leave them. What a name stands for is shared by both, so
/// a renamed folder whose rename is lost still has what was put into it.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) entries: Entries,
    durable: Entries,
}

/// Finds the file or folder at `path` below `root`.
pub(super) fn find(root: &Node, path: &Path) -> io::Result<Node> {
    names(path).try_fold(root.clone(), |node, name| match node {
        Node::Folder(folder) => {
            let folder = folder.lock().expect("no holder panics");
            folder.entries.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        }
        Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
    })
}

/// Finds the folder at `path` below `root`.
pub(super) fn folder(root: &Node, path: &Path) -> io::Result<Arc<Mutex<Folder>>> {
    match find(root, path)? {
        Node::Folder(folder) => Ok(folder),
        Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// Finds the folder that has, or would have, the name at the end of `path`.
pub(super) fn parent_of<'p>(root: &Node, path: &'p Path) -> io::Result<(Arc<Mutex<Folder>>, &'p OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((folder(root, path.parent().unwrap_or(Path::new("")))?, name))
}

/// Makes the folder at `path` and those above it.
pub(super) fn create_all(root: &Node, path: &Path) -> io::Result<()> {
    let mut node = root.clone();
    for name in names(path) {
        let Node::Folder(folder) = &node else { return Err(io::ErrorKind::AlreadyExists.into()) };
        let next = {
            let mut folder = folder.lock().expect("no holder panics");
            folder.entries.entry(name.to_owned()).or_insert_with(|| Node::Folder(Arc::default())).clone()
        };
        node = next;
    }
    match node {
        Node::Folder(_) => Ok(()),
        Node::File(_) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// Returns the bytes of all files below `node`.
pub(super) fn bytes(node: &Node) -> u64 {
    match node {
        Node::File(inode) => inode.lock().expect("no holder panics").len() as u64,
        Node::Folder(folder) => folder.lock().expect("no holder panics").entries.values().map(bytes).sum(),
    }
}

/// Lists `node`, which is at `path`, and all files and folders below it.
pub(super) fn all(node: Node, path: &Path) -> Vec<(PathBuf, Node)> {
    let mut found = vec![(path.to_owned(), node)];
    let mut looked_at = 0;
    while let Some((path, node)) = found.get(looked_at).cloned() {
        if let Node::Folder(folder) = &node {
            let folder = folder.lock().expect("no holder panics");
            found.extend(folder.entries.iter().map(|(name, node)| (path.join(name), node.clone())));
        }
        looked_at += 1;
    }
    found
}

/// Loses what was not synced below `node`, but for what `chance` spares.
pub(super) fn power_cut(node: &Node, chance: Option<&dyn Chance>) {
    match node {
        Node::File(inode) => inode.lock().expect("no holder panics").power_cut(chance),
        Node::Folder(folder) => {
            let mut folder = folder.lock().expect("no holder panics");
            if chance.is_none_or(|chance| chance.next_u64().is_multiple_of(2)) {
                folder.entries = folder.durable.clone();
            }
            folder.durable = folder.entries.clone();
            for node in folder.entries.values() {
                power_cut(node, chance);
            }
        }
    }
}

impl Node {
    /// Makes the present bytes, or names, durable.
    pub(super) fn sync(&self) {
        match self {
            Node::File(inode) => inode.lock().expect("no holder panics").sync(),
            Node::Folder(folder) => folder.lock().expect("no holder panics").sync(),
        }
    }
}

impl Folder {
    /// Makes the present names durable.
    pub(super) fn sync(&mut self) {
        self.durable = self.entries.clone();
    }
}

#[derive(Debug, Default)]
pub(super) struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Inode {
    pub(super) fn len(&self) -> usize {
        self.current.len()
    }

    pub(super) fn read(&self, target: &mut [u8], position: usize) -> usize {
        let from = position.min(self.current.len());
        let count = target.len().min(self.current.len() - from);
        target[..count].copy_from_slice(&self.current[from..from + count]);
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: usize) {
        put(&mut self.current, bytes, position);
        self.unsynced.push(Change::Write { position, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.current.resize(length, 0);
        self.unsynced.push(Change::SetLen(length));
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Write { position, bytes } => put(&mut self.durable, &bytes, position),
                Change::SetLen(length) => self.durable.resize(length, 0),
            }
        }
    }

    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.current);
        self.unsynced.clear();
        self.durable = self.current.clone();
    }

    /// Keeps what was synced, and of the rest the sectors that chance spares; a spared sector after a lost one
    /// leaves zeros between.
    pub(super) fn power_cut(&mut self, chance: Option<&dyn Chance>) {
        let changes = std::mem::take(&mut self.unsynced);
        if let Some(chance) = chance {
            for change in changes {
                match change {
                    Change::Write { position, bytes } => self.tear(position, &bytes, chance),
                    Change::SetLen(length) if chance.next_u64().is_multiple_of(2) => {
                        self.durable.resize(length, 0);
                    }
                    Change::SetLen(_) => {}
                }
            }
        }
        self.current = self.durable.clone();
    }

    fn tear(&mut self, position: usize, bytes: &[u8], chance: &dyn Chance) {
        let mut at = position;
        let end = position + bytes.len();
        while at < end {
            let until = ((at / SECTOR + 1) * SECTOR).min(end);
            if chance.next_u64().is_multiple_of(2) {
                put(&mut self.durable, &bytes[at - position..until - position], at);
            }
            at = until;
        }
    }
}

fn put(target: &mut Vec<u8>, bytes: &[u8], position: usize) {
    let end = position + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[position..end].copy_from_slice(bytes);
}
