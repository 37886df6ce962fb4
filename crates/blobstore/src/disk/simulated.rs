//! A disk in memory that behaves at a crash as badly as a real one may.
//!
//! What was not synced is lost, kept, or torn: file contents at 512-byte sectors, each on its own; lengths;
//! names in directories, each change on its own, in any order, except that a rename stays atomic. A seed
//! decides, so a failing run repeats. A *kill* in contrast ends the process and keeps the page cache.
//!
//! Faults can be planned by the number of the changing call: no space, an input/output error, or a power cut
//! in the middle of it. The syncs of one [`SyncPoint`] can be left out.
//!
//! Part of the library, not of the tests alone, so that other crates can run the store in simulation.

mod content;
mod names;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use content::Content;
use names::Names;

use super::{Access, DirEntry, Disk, DiskFile, LockGuard, LockKind, SyncPoint};

/// The unit that a disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// What goes wrong at a planned call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This call reports that space ran out; a write may have done a part.
    NoSpace,
    /// This call reports an input/output error; a write may have done a part.
    Broken,
    /// The power goes in the middle of this call, and every later one fails until [`SimulatedDisk::crash`].
    Cut,
}

/// How the disk comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process died, the machine lives on: everything written is still there, synced or not.
    Kill,
    /// The power went: what was not synced is lost, kept or torn.
    Power,
}

/// A small generator of pseudo-random numbers (splitmix64), for the simulation only.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random,
    names: Names,
    files: BTreeMap<u64, Content>,
    locks: BTreeMap<u64, LockKind>,
    /// Counts crashes, so that handles of before it are dead.
    epoch: u64,
    /// Bytes in all; files take 4 KiB at a time.
    capacity: u64,
    /// Changing calls so far.
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    cut: bool,
    left_out: Option<SyncPoint>,
}

impl SimulatedDisk {
    /// An empty disk of `capacity` bytes (`u64::MAX`: without end) whose misdeeds follow `seed`.
    pub fn new(seed: u64, capacity: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                random: Random::new(seed),
                names: Names::new(),
                files: BTreeMap::new(),
                locks: BTreeMap::new(),
                epoch: 0,
                capacity,
                calls: 0,
                faults: BTreeMap::new(),
                cut: false,
                left_out: None,
            })),
        }
    }

    /// From now on all syncs of this place do nothing and say they did.
    pub fn leave_out(&self, point: Option<SyncPoint>) {
        self.lock_state().left_out = point;
    }

    /// Plans a fault for the `n`th changing call from now, counted from 0.
    pub fn plan_fault(&self, n: u64, fault: Fault) {
        let mut state = self.lock_state();
        let at = state.calls + n;
        state.faults.insert(at, fault);
    }

    /// Forgets planned faults.
    pub fn clear_faults(&self) {
        self.lock_state().faults.clear();
    }

    /// Changing calls so far.
    pub fn calls(&self) -> u64 {
        self.lock_state().calls
    }

    /// Whether a planned [`Fault::Cut`] came to pass.
    pub fn is_cut(&self) -> bool {
        self.lock_state().cut
    }

    /// Sets the size of the disk in bytes; it may fall below what is used.
    pub fn set_capacity(&self, capacity: u64) {
        self.lock_state().capacity = capacity;
    }

    /// Bytes taken by files that have a name.
    pub fn used(&self) -> u64 {
        self.lock_state().used()
    }

    /// Another disk with the same files, as they are now.
    pub fn copy(&self) -> Self {
        let state = self.lock_state();
        Self {
            state: Arc::new(Mutex::new(State {
                random: state.random.clone(),
                names: state.names.clone(),
                files: state.files.clone(),
                locks: BTreeMap::new(),
                faults: BTreeMap::new(),
                ..*state
            })),
        }
    }

    /// Ends all handles and locks and brings the disk back as a crash leaves it.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.lock_state();
        state.epoch += 1;
        state.locks.clear();
        state.faults.clear();
        state.cut = false;
        if crash == Crash::Power {
            let State {
                random, names, files, ..
            } = &mut *state;
            names.crash(random);
            for content in files.values_mut() {
                content.crash(random);
            }
            let live = names.reachable();
            files.retain(|id, _| live.contains(id));
        }
    }

    /// Flips bits of one byte of a file, behind the back of the store and durably.
    ///
    /// # Errors
    /// `NotFound` without the file, `UnexpectedEof` past its end.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let mut state = self.lock_state();
        let id = state.names.file(path)?;
        state
            .files
            .get_mut(&id)
            .ok_or(ErrorKind::NotFound)?
            .rot(offset, mask)
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// Counts a changing call and says what is to go wrong with it.
    fn changing_call(&mut self) -> io::Result<Option<Fault>> {
        if self.cut {
            return Err(power_is_gone());
        }
        let fault = self.faults.remove(&self.calls);
        self.calls += 1;
        if fault == Some(Fault::Cut) {
            self.cut = true;
        }
        Ok(fault)
    }

    /// As [`Self::changing_call`], for a call that is done whole or not at all.
    fn atomic_call(&mut self) -> io::Result<()> {
        match self.changing_call()? {
            None => Ok(()),
            Some(fault) => Err(fault.error()),
        }
    }

    fn used(&self) -> u64 {
        let named = self.names.reachable();
        let files = self.files.iter().filter(|(id, _)| named.contains(id));
        files.map(|(_, content)| content.space()).sum()
    }

    fn free(&self) -> u64 {
        if self.capacity == u64::MAX {
            return u64::MAX;
        }
        self.capacity.saturating_sub(self.used())
    }

    fn content(&mut self, id: u64, epoch: u64) -> io::Result<&mut Content> {
        if epoch != self.epoch || self.cut {
            return Err(power_is_gone());
        }
        self.files.get_mut(&id).ok_or_else(power_is_gone)
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => ErrorKind::StorageFull.into(),
            Self::Broken => io::Error::other("simulated input/output error"),
            Self::Cut => power_is_gone(),
        }
    }
}

fn power_is_gone() -> io::Error {
    io::Error::other("simulated power cut")
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        let id = state.names.create_file(path)?;
        state.files.insert(id, Content::default());
        Ok(self.handle(&state, id, Access::Write))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock_state();
        if state.cut {
            return Err(power_is_gone());
        }
        let id = state.names.file(path)?;
        Ok(self.handle(&state, id, access))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        state.names.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.lock_state().names.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        state.names.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        state.names.link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        state.names.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        state.names.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        if state.left_out != Some(point) {
            state.names.sync(path)?;
        }
        Ok(())
    }

    fn sync_all_below(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        let mut state = self.lock_state();
        state.atomic_call()?;
        if state.left_out != Some(point) {
            state.names.sync_below(path)?;
            state.files.values_mut().for_each(Content::sync);
        }
        Ok(())
    }

    fn free_space(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.lock_state().free())
    }

    fn total_space(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.lock_state().capacity)
    }

    fn lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<LockGuard>> {
        let mut state = self.lock_state();
        let id = match state.names.file(path) {
            Ok(id) => id,
            Err(error) if error.kind() == ErrorKind::NotFound && kind == LockKind::Exclusive => {
                state.atomic_call()?;
                let id = state.names.create_file(path)?;
                state.files.insert(id, Content::default());
                id
            }
            Err(error) => return Err(error),
        };
        let compatible = match state.locks.get(&id) {
            None => true,
            Some(held) => *held == LockKind::Shared && kind == LockKind::Shared,
        };
        if !compatible {
            return Ok(None);
        }
        state.locks.insert(id, kind);
        Ok(Some(Box::new(SimulatedLock {
            disk: self.clone(),
            id,
            epoch: state.epoch,
        })))
    }
}

impl SimulatedDisk {
    fn handle(&self, state: &State, id: u64, access: Access) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile {
            disk: self.clone(),
            id,
            epoch: state.epoch,
            access,
        })
    }
}

/// Gives the lock back. Two shared holders in one process are not counted: the tests hold one.
struct SimulatedLock {
    disk: SimulatedDisk,
    id: u64,
    epoch: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.epoch == self.epoch {
            state.locks.remove(&self.id);
        }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    id: u64,
    epoch: u64,
    access: Access,
}

impl SimulatedFile {
    /// Writes, or takes space, as far as faults and space let it.
    fn change(&self, offset: u64, len: u64, apply: impl FnOnce(&mut Content, u64)) -> io::Result<()> {
        if self.access == Access::Read {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut state = self.disk.lock_state();
        let fault = state.changing_call()?;
        let free = state.free();
        let mut possible = state
            .content_even_if_cut(self.id, self.epoch)?
            .fitting(offset, len, free);
        let mut result = if possible < len {
            Err(ErrorKind::StorageFull.into())
        } else {
            Ok(())
        };
        if let Some(fault) = fault {
            let part = state.random.below(len + 1);
            possible = possible.min(part);
            result = Err(fault.error());
        }
        apply(state.content_even_if_cut(self.id, self.epoch)?, possible);
        result
    }
}

impl State {
    /// The content during the very call in which the power goes.
    fn content_even_if_cut(&mut self, id: u64, epoch: u64) -> io::Result<&mut Content> {
        if epoch != self.epoch {
            return Err(power_is_gone());
        }
        self.files.get_mut(&id).ok_or_else(power_is_gone)
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock_state().content(self.id, self.epoch)?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self
            .disk
            .lock_state()
            .content(self.id, self.epoch)?
            .read(buf, offset))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.change(offset, data.len() as u64, |content, n| {
            content.write(&data[..n as usize], offset);
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        state.atomic_call()?;
        state.content(self.id, self.epoch)?.set_len(len);
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.change(offset, len, |content, n| content.allocate(offset, n))
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        state.atomic_call()?;
        state.content(self.id, self.epoch)?.punch(offset, len);
        Ok(())
    }

    fn sync(&self, point: SyncPoint) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        state.atomic_call()?;
        if state.left_out != Some(point) {
            state.content(self.id, self.epoch)?.sync();
        }
        Ok(())
    }
}
