//! A file that plays at any moment: what is unfinished stays hidden, as a file and inside of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind as Io, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use streamlib_core::{Error, ErrorKind, Result};

use super::free_space::free_bytes;

/// Boxes begin at multiples of this, so that no box header lies across two pages: a write within one page is done or not done when
/// the process is killed, never half done.
pub(super) const ALIGNMENT: usize = 8;

const HEADER: usize = 8;

/// What a file can do that is written so that it survives.
pub(super) trait Storage: Write + Seek {
    /// Blocks until what was written is on the disk itself.
    fn sync(&mut self) -> io::Result<()>;
}

impl Storage for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file that grows by whole boxes.
///
/// It begins as `.NAME.part` in the directory of `NAME`. A box is appended under the header of a `free` box, which players skip, even one
/// that ends beyond the end of the file; then those 8 bytes are overwritten by the box's own header. The first box committed so gives the
/// file its name, in place of an older file of that name. The kernel keeps what was written when the process dies, in the order it was
/// written. With `sync` the disk does too, when power fails: a box is on the disk before its header is, and its header before the next box.
pub(super) struct PartFile {
    file: File,
    sync: bool,
    part: PathBuf,
    path: PathBuf,
    committed: u64,
    is_published: bool,
}

impl PartFile {
    /// Creates the hidden file and takes it for this process. One that a killed run left is replaced.
    ///
    /// Fails with [`ErrorKind::Io`] if the directory is missing or not writable or if `path` is no ordinary file, and with
    /// [`ErrorKind::Busy`] while another recording writes to the same path.
    pub(super) fn create(path: &Path, sync: bool) -> Result<Self> {
        let failed = |error| cannot_create(path, error);
        let Some(name) = path.file_name() else {
            return Err(not_a_file(path));
        };
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Err(not_a_file(path)),
            Ok(_) => drop(lock(File::open(path).map_err(failed)?, path)?),
            Err(_) => {}
        }
        let mut part = OsString::from(".");
        part.push(name);
        part.push(".part");
        let part = path.with_file_name(part);
        // Remove before creating, rather than truncate: by now this may be the file that another process has just published.
        match File::open(&part) {
            Ok(stale) => {
                let _stale = lock(stale, path)?;
                remove(&part).map_err(failed)?;
            }
            Err(error) if error.kind() == Io::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&part).map_err(|error| match error.kind() {
            Io::AlreadyExists => busy(path),
            _ => failed(error),
        })?;
        Ok(Self { file: lock(file, path)?, sync, part, path: path.to_owned(), committed: 0, is_published: false })
    }

    /// Writes what stands before the first committed box.
    pub(super) fn begin(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| self.cannot_write(error))?;
        self.committed = bytes.len() as u64;
        Ok(())
    }

    /// Appends the box that `head` begins with, and all that follows it in `head` and `body`. `head` is changed and is of no use
    /// afterwards. Gives the box's offset.
    pub(super) fn commit(&mut self, head: &mut [u8], body: &[u8]) -> Result<u64> {
        let offset = self.committed;
        let length = head.len() + body.len();
        debug_assert!((offset as usize).is_multiple_of(ALIGNMENT), "a header across two pages could be torn");
        append(&mut self.file, offset, head, body, self.sync).map_err(|error| self.cannot_write(error))?;
        self.committed += length as u64;
        if !self.is_published {
            fs::rename(&self.part, &self.path).map_err(|error| self.cannot_write(error))?;
            self.is_published = true;
            if self.sync {
                sync_directory(&self.path).map_err(|error| self.cannot_write(error))?;
            }
        }
        Ok(offset)
    }

    /// Cuts off what was not committed and removes the file if nothing was.
    pub(super) fn close(&mut self) -> Result<()> {
        let closed = match self.is_published {
            true => self.file.set_len(self.committed).and_then(|()| if self.sync { self.file.sync_all() } else { Ok(()) }),
            false => remove(&self.part),
        };
        closed.map_err(|error| self.cannot_write(error))
    }

    /// Where the recording is, once there is one.
    pub(super) fn published(&self) -> Option<&Path> {
        self.is_published.then_some(&*self.path)
    }

    /// Bytes of the recording.
    pub(super) fn bytes(&self) -> u64 {
        if self.is_published { self.committed } else { 0 }
    }

    fn cannot_write(&self, error: io::Error) -> Error {
        let kept = if self.is_published { "what was recorded before plays" } else { "nothing was recorded" };
        let hint = match error.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
                let free = free_bytes(&self.path).map(|bytes| format!(" ({bytes} bytes are free)")).unwrap_or_default();
                format!("make room on that disk{free} and record anew; {kept}")
            }
            _ => format!("see to that disk and record anew; {kept}"),
        };
        Error::new(ErrorKind::Io, format!("recording to '{}' failed: {error}", self.path.display())).hint(hint).caused_by(error)
    }
}

/// Writes `head` and `body` to the end of `file`, which is at `offset`, hidden until the last write, which is within a page. With `sync`
/// all is on the disk afterwards.
fn append(file: &mut impl Storage, offset: u64, head: &mut [u8], body: &[u8], sync: bool) -> io::Result<()> {
    let (header, rest) = head.split_first_chunk_mut::<HEADER>().ok_or(Io::InvalidInput)?;
    let hidden = (HEADER + rest.len() + body.len()) as u32;
    let own = *header;
    header[..4].copy_from_slice(&hidden.to_be_bytes());
    header[4..].copy_from_slice(b"free");
    file.write_all(head)?;
    file.write_all(body)?;
    if sync {
        // A disk writes in an order of its own: without this the header could be there before what it announces.
        file.sync()?;
    }
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&own)?;
    file.seek(SeekFrom::End(0))?;
    if sync { file.sync() } else { Ok(()) }
}

/// Has the directory of `path` remember its names when power fails. Only Unix can open a directory, and only there it is needed.
fn sync_directory(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != Io::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes `file` for this process until it is closed. File systems that cannot lock are not asked twice.
fn lock(file: File, path: &Path) -> Result<File> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(busy(path)),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn busy(path: &Path) -> Error {
    Error::new(ErrorKind::Busy, format!("'{}' is being recorded already", path.display()))
        .hint("end that recording or give this one another name")
}

fn not_a_file(path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("'{}' is no file to record to", path.display()))
        .hint("give a file name, for example video.mp4")
}

fn cannot_create(path: &Path, error: io::Error) -> Error {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
        _ => ".".to_owned(),
    };
    let hint = match error.kind() {
        Io::NotFound if !Path::new(&directory).is_dir() => format!("the directory '{directory}' does not exist: create it first"),
        Io::NotADirectory => format!("'{directory}' is no directory"),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => format!("the directory '{directory}' is not writable: record elsewhere"),
        _ => "record elsewhere".to_owned(),
    };
    Error::new(ErrorKind::Io, format!("cannot record to '{}': {error}", path.display())).hint(hint).caused_by(error)
}

#[cfg(test)]
mod tests;
