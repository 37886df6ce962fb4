//! A disk on which backups take their time, so that something can happen to them in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simsql::world::{Disk, DiskFile, Kind, Open, OsError, Space, World};

/// Writes to `.bak` files take a while.
pub(crate) struct SlowDisk {
    inner: Arc<dyn Disk>,
    millis: Arc<AtomicU64>,
}

impl SlowDisk {
    /// Puts it into the world; it is as quick as before until told otherwise.
    pub(crate) fn over(world: &mut World) -> Arc<Self> {
        let slow = Arc::new(Self {
            inner: Arc::clone(&world.disk),
            millis: Arc::default(),
        });
        world.disk = Arc::clone(&slow) as Arc<dyn Disk>;
        slow
    }

    /// Each write takes so much longer from now on.
    pub(crate) fn set(&self, time: Duration) {
        self.millis
            .store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Disk for SlowDisk {
    fn open(&self, path: &str, how: Open) -> Result<Arc<dyn DiskFile>, OsError> {
        let inner = self.inner.open(path, how)?;
        if !path.ends_with(".bak") {
            return Ok(inner);
        }
        let millis = Arc::clone(&self.millis);
        Ok(Arc::new(SlowFile { inner, millis }))
    }

    fn remove(&self, path: &str) -> Result<(), OsError> {
        self.inner.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OsError> {
        self.inner.rename(from, to)
    }

    fn create_directory(&self, path: &str) -> Result<(), OsError> {
        self.inner.create_directory(path)
    }

    fn look(&self, path: &str) -> Option<Kind> {
        self.inner.look(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, OsError> {
        self.inner.list(path)
    }

    fn space(&self, path: &str) -> Space {
        self.inner.space(path)
    }
}

struct SlowFile {
    inner: Arc<dyn DiskFile>,
    millis: Arc<AtomicU64>,
}

impl DiskFile for SlowFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), OsError> {
        self.inner.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), OsError> {
        // A batch has a thread of its own, which blocks as it does on a real disk.
        std::thread::sleep(Duration::from_millis(self.millis.load(Ordering::SeqCst)));
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&self, length: u64) -> Result<(), OsError> {
        self.inner.set_len(length)
    }

    fn len(&self) -> Result<u64, OsError> {
        self.inner.len()
    }

    fn sync(&self) -> Result<(), OsError> {
        self.inner.sync()
    }
}
