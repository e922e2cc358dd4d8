//! The operating system's files.

use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rustix::fs::{FallocateFlags, fallocate, statvfs, syncfs};
use rustix::io::{pwritev, retry_on_intr};

use super::{File, Files, Filesystem, Lock, Metadata, Open};

mod lock;

/// The operating system's files and folders.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < target.len() {
            match self.0.read_at(&mut target[done..], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let whole: usize = parts.iter().map(|part| part.len()).sum();
        let written = retry_on_intr(|| pwritev(&self.0, parts, position))?;
        if written == whole {
            return Ok(());
        }
        // A short write: the rest goes part by part.
        let mut skip = written;
        let mut position = position + written as u64;
        for part in parts {
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            self.0.write_all_at(&part[skip..], position)?;
            position += (part.len() - skip) as u64;
            skip = 0;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::KEEP_SIZE, 0, length) {
            Err(rustix::io::Errno::OPNOTSUPP) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// A filesystem by one of its folders, which is kept open: failures since then are told.
#[derive(Debug)]
struct RealFilesystem(fs::File);

impl Filesystem for RealFilesystem {
    fn sync(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

/// Tells whether `syncfs` says that a write failed, as Linux does from 5.8 on, and that a commit failed, as it does from 5.17 on.
fn syncfs_tells_failures() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (5, 17)
}

impl Files for RealFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(how != Open::Read);
        match how {
            Open::Create => options.create(true),
            Open::CreateNew => options.create_new(true),
            Open::Read | Open::Write => &mut options,
        };
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn filesystem(&self, folder: &Path) -> io::Result<Option<Arc<dyn Filesystem>>> {
        if !syncfs_tells_failures() {
            return Ok(None);
        }
        Ok(Some(Arc::new(RealFilesystem(fs::File::open(folder)?))))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Metadata {
            len: metadata.len(),
            modified_ms: modified.as_millis() as i64,
            is_dir: metadata.is_dir(),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        lock::acquire(path)
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let stat = statvfs(path)?;
        Ok((stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize))
    }
}
