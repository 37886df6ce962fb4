//! A disk in memory: what was written but not synced is lost, in part or whole, when the power goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::world::{DiskFile, Kind, Open, OsError, Space};

/// Bytes that reach the disk together: a sector. A write that the power cut leaves some of its sectors old.
const SECTOR: u64 = 512;

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    directories: std::collections::BTreeSet<String>,
    capacity: u64,
    /// Writes and syncs so far, for crashes at the n-th.
    operations: u64,
    /// After this many operations every further one fails: the power is gone.
    power_until: Option<u64>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            directories: std::collections::BTreeSet::new(),
            capacity: 1 << 40,
            operations: 0,
            power_until: None,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// As readers see it.
    bytes: Vec<u8>,
    /// As it was when it was last synced, by sector, for those that changed since.
    old: BTreeMap<u64, Vec<u8>>,
}

impl Disk {
    /// An empty disk of 1 TiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the size of the volume in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.inner().capacity = bytes;
    }

    /// Writes and syncs so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// The power goes after `operations` more writes and syncs: every later one fails with 1117. `None` gives the power back.
    pub fn cut_power_after(&self, operations: Option<u64>) {
        let mut inner = self.inner();
        inner.power_until = operations.map(|more| inner.operations + more);
    }

    /// The disk as it is found when the power returns: of each sector written since the last sync, `keep` decides whether it got
    /// there. Open files of the old disk are dead to it.
    #[must_use]
    pub fn after_power_loss(&self, keep: &mut dyn FnMut() -> bool) -> Self {
        let inner = self.inner();
        let mut files = BTreeMap::new();
        for (path, content) in &inner.files {
            let content = content.lock().unwrap_or_else(PoisonError::into_inner).clone();
            files.insert(path.clone(), Arc::new(Mutex::new(content.survive(keep))));
        }
        Self {
            inner: Arc::new(Mutex::new(Inner {
                files,
                directories: inner.directories.clone(),
                capacity: inner.capacity,
                operations: inner.operations,
                power_until: None,
            })),
        }
    }

    /// A copy of everything as it is, as a snapshot of a virtual machine is.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        self.after_power_loss(&mut || true)
    }

    /// The bytes of a file.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let file = Arc::clone(self.inner().files.get(path)?);
        let content = file.lock().unwrap_or_else(PoisonError::into_inner);
        Some(content.bytes.clone())
    }

    /// Puts a file there, synced.
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        let content = Content {
            bytes,
            old: BTreeMap::new(),
        };
        self.inner()
            .files
            .insert(path.to_owned(), Arc::new(Mutex::new(content)));
    }

    /// Changes bytes of a file behind the instance's back.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut [u8])) {
        if let Some(file) = self.inner().files.get(path) {
            change(&mut file.lock().unwrap_or_else(PoisonError::into_inner).bytes);
        }
    }

    /// Counts an operation; refused where the power is gone.
    fn operate(&self) -> Result<(), OsError> {
        let mut inner = self.inner();
        if inner.power_until.is_some_and(|until| inner.operations >= until) {
            return Err(OsError::new(1117));
        }
        inner.operations += 1;
        Ok(())
    }

    fn used(inner: &Inner) -> u64 {
        let length = |file: &Arc<Mutex<Content>>| {
            file.lock().unwrap_or_else(PoisonError::into_inner).bytes.len() as u64
        };
        inner.files.values().map(length).sum()
    }
}

impl Content {
    /// Remembers the sectors of a range as they were synced, before they change.
    fn remember(&mut self, from: u64, to: u64) {
        for sector in from / SECTOR..to.div_ceil(SECTOR) {
            let start = (sector * SECTOR) as usize;
            let end = (start + SECTOR as usize).min(self.bytes.len());
            if !self.old.contains_key(&sector) {
                let old = self.bytes.get(start..end).unwrap_or_default().to_vec();
                self.old.insert(sector, old);
            }
        }
    }

    fn survive(mut self, keep: &mut dyn FnMut() -> bool) -> Self {
        for (sector, old) in std::mem::take(&mut self.old) {
            if !keep() {
                let start = ((sector * SECTOR) as usize).min(self.bytes.len());
                let end = (start + SECTOR as usize).min(self.bytes.len());
                let place = &mut self.bytes[start..end];
                place.fill(0);
                let kept = old.len().min(place.len());
                place[..kept].copy_from_slice(&old[..kept]);
            }
        }
        self
    }
}

impl crate::world::Disk for Disk {
    fn open(&self, path: &str, how: Open) -> Result<Arc<dyn DiskFile>, OsError> {
        if matches!(how, Open::Create | Open::Replace) {
            self.operate()?;
        }
        let mut inner = self.inner();
        let parent = path.rsplit_once(['/', '\\']).map_or("", |(parent, _)| parent);
        if !parent.is_empty() && !inner.directories.contains(parent) {
            return Err(OsError::new(3));
        }
        if inner.directories.contains(path) {
            return Err(OsError::new(5));
        }
        let existing = inner.files.get(path).map(Arc::clone);
        let content = match (how, existing) {
            (Open::Read | Open::Write, Some(content)) => content,
            (Open::Read | Open::Write, None) => return Err(OsError::new(2)),
            (Open::Create, Some(_)) => return Err(OsError::new(80)),
            (Open::Create, None) | (Open::Replace, _) => {
                let content = Arc::new(Mutex::new(Content::default()));
                inner.files.insert(path.to_owned(), Arc::clone(&content));
                content
            }
        };
        Ok(Arc::new(File {
            disk: self.clone(),
            content,
            is_writable: how != Open::Read,
        }))
    }

    fn remove(&self, path: &str) -> Result<(), OsError> {
        self.operate()?;
        self.inner()
            .files
            .remove(path)
            .map(drop)
            .ok_or_else(|| OsError::new(2))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OsError> {
        self.operate()?;
        let mut inner = self.inner();
        let content = inner.files.remove(from).ok_or_else(|| OsError::new(2))?;
        inner.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn create_directory(&self, path: &str) -> Result<(), OsError> {
        let mut inner = self.inner();
        for (at, _) in path.match_indices(['/', '\\']).filter(|(at, _)| *at > 0) {
            inner.directories.insert(path[..at].to_owned());
        }
        inner.directories.insert(path.to_owned());
        Ok(())
    }

    fn look(&self, path: &str) -> Option<Kind> {
        let inner = self.inner();
        if inner.directories.contains(path) {
            return Some(Kind::Directory);
        }
        inner.files.contains_key(path).then_some(Kind::File)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, OsError> {
        let inner = self.inner();
        if !inner.directories.contains(path) {
            return Err(OsError::new(3));
        }
        let all = inner.files.keys().chain(inner.directories.iter());
        let mut names: Vec<String> = all
            .filter_map(|full| full.strip_prefix(path)?.strip_prefix(['/', '\\']))
            .filter(|name| !name.contains(['/', '\\']))
            .map(str::to_owned)
            .collect();
        names.sort();
        Ok(names)
    }

    fn space(&self, _: &str) -> Space {
        let inner = self.inner();
        Space {
            total: inner.capacity,
            free: inner.capacity.saturating_sub(Self::used(&inner)),
            volume: 0,
        }
    }
}

/// An open file.
struct File {
    disk: Disk,
    content: Arc<Mutex<Content>>,
    is_writable: bool,
}

impl File {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows the file to `length`, where the volume has room for it.
    fn grow(&self, length: u64) -> Result<(), OsError> {
        let present = self.content().bytes.len() as u64;
        if length > present {
            let inner = self.disk.inner();
            if Disk::used(&inner) + (length - present) > inner.capacity {
                return Err(OsError::new(112));
            }
        }
        Ok(())
    }

    fn changing(&self) -> Result<(), OsError> {
        if !self.is_writable {
            return Err(OsError::new(5));
        }
        self.disk.operate()
    }
}

impl DiskFile for File {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), OsError> {
        let content = self.content();
        let start = usize::try_from(offset).map_err(|_| OsError::new(38))?;
        let source = start
            .checked_add(bytes.len())
            .and_then(|end| content.bytes.get(start..end));
        bytes.copy_from_slice(source.ok_or_else(|| OsError::new(38))?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), OsError> {
        self.changing()?;
        let end = offset + bytes.len() as u64;
        self.grow(end)?;
        let mut content = self.content();
        content.remember(offset, end);
        if content.bytes.len() < end as usize {
            content.bytes.resize(end as usize, 0);
        }
        content.bytes[offset as usize..end as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), OsError> {
        self.changing()?;
        self.grow(length)?;
        let mut content = self.content();
        content.bytes.resize(length as usize, 0);
        let sectors = length.div_ceil(SECTOR);
        content.old.retain(|sector, _| *sector < sectors);
        Ok(())
    }

    fn len(&self) -> Result<u64, OsError> {
        Ok(self.content().bytes.len() as u64)
    }

    fn sync(&self) -> Result<(), OsError> {
        self.changing()?;
        self.content().old.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Disk;
    use crate::world::{Disk as _, Open};

    #[test]
    fn a_power_loss_takes_back_what_was_not_synced() {
        let disk = Disk::new();
        disk.create_directory("/d").unwrap();
        let file = disk.open("/d/f", Open::Create).unwrap();
        file.write_at(0, &[1; 1024]).unwrap();
        file.sync().unwrap();
        file.write_at(512, &[2; 512]).unwrap();
        let lost = disk.after_power_loss(&mut || false);
        assert_eq!(lost.bytes("/d/f"), Some(vec![1; 1024]));
        let kept = disk.after_power_loss(&mut || true);
        assert_eq!(kept.bytes("/d/f").unwrap()[512..], [2; 512]);
        // A cut power refuses the next operation, and only from there on.
        disk.cut_power_after(Some(1));
        file.sync().unwrap();
        assert_eq!(file.write_at(0, &[3]).map_err(|error| error.number), Err(1117));
        disk.cut_power_after(None);
        assert_eq!(disk.open("/x/f", Open::Create).err().map(|e| e.number), Some(3));
    }
}
