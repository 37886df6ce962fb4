//! Backup media on disk: a file, or `NUL`, which takes everything and has nothing.
//!
//! A file is written in place: what a backup that failed has written stays, as with SQL Server, and RESTORE says 3256 to it.
//! Deliberately absent: SQL Server's preallocation of a compressed backup's file.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Device, MediaSink, MediaSource, SinkPlan};
use crate::message::Failure;
use crate::world::{DiskFile, Open, OsError, World};

/// Opens a file (or `NUL`) to write a backup into: a new one, or with an offset the one that is appended to.
///
/// # Errors
/// 3201.
pub fn sink(world: &World, device: &Device, plan: &SinkPlan) -> Result<Box<dyn MediaSink>, Failure> {
    let Device::Disk(path) = device else {
        return Ok(Box::new(Nul));
    };
    let how = if plan.offset > 0 {
        Open::Write
    } else {
        Open::Replace
    };
    let file = world
        .disk
        .open(path, how)
        .and_then(|file| file.set_len(plan.offset).map(|()| file))
        .map_err(|error| cannot_open(path, &error))?;
    Ok(Box::new(FileSink {
        path: path.clone(),
        file,
        offset: plan.offset,
    }))
}

/// Opens a file to read a backup from it. `NUL` is empty.
///
/// # Errors
/// 3201.
pub fn source(world: &World, device: &Device) -> Result<Box<dyn MediaSource>, Failure> {
    let Device::Disk(path) = device else {
        return Ok(Box::new(Nul));
    };
    let file = world
        .disk
        .open(path, Open::Read)
        .map_err(|error| cannot_open(path, &error))?;
    let length = file.len().map_err(|error| cannot_open(path, &error))?;
    Ok(Box::new(FileSource {
        path: path.clone(),
        file,
        length,
    }))
}

fn cannot_open(path: &str, error: &OsError) -> Failure {
    Failure::new(3201, &[&path, error])
}

struct FileSink {
    path: String,
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl FileSink {
    fn failed(&self, error: &OsError) -> Failure {
        Failure::new(3202, &[&self.path, error])
    }
}

#[async_trait]
impl MediaSink for FileSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.file
            .write_at(self.offset, &bytes)
            .map_err(|error| self.failed(&error))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        self.file.sync().map_err(|error| self.failed(&error))
    }

    async fn abandon(&mut self) {
        // The backup failed already; whether what there is of it survives does not matter.
        drop(self.file.sync());
    }
}

struct FileSource {
    path: String,
    file: Arc<dyn DiskFile>,
    length: u64,
}

#[async_trait]
impl MediaSource for FileSource {
    fn len(&self) -> u64 {
        self.length
    }

    async fn read_at(&mut self, offset: u64, length: usize) -> Result<Bytes, Failure> {
        let there = self.length.saturating_sub(offset).min(length as u64);
        let mut bytes = vec![0; there as usize];
        self.file
            .read_at(offset, &mut bytes)
            .map_err(|error| Failure::new(3203, &[&self.path, &error]))?;
        Ok(Bytes::from(bytes))
    }

    async fn close(&mut self) {}
}

/// `NUL`.
struct Nul;

#[async_trait]
impl MediaSink for Nul {
    async fn write(&mut self, _: Bytes) -> Result<(), Failure> {
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    async fn abandon(&mut self) {}
}

#[async_trait]
impl MediaSource for Nul {
    fn len(&self) -> u64 {
        0
    }

    async fn read_at(&mut self, _: u64, _: usize) -> Result<Bytes, Failure> {
        Ok(Bytes::new())
    }

    async fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{sink, source};
    use crate::media::{Device, SinkPlan};
    use crate::memory::Memory;
    use crate::world::Disk as _;

    fn plan(offset: u64) -> SinkPlan {
        SinkPlan {
            block_size: 512,
            max_transfer_size: 65_536,
            format: false,
            offset,
            estimate: 0,
            utf16_lists: false,
        }
    }

    #[test]
    fn what_is_written_is_read_and_an_offset_keeps_what_is_before_it() {
        let memory = Memory::new(1);
        memory.disk.create_directory("/b").unwrap();
        let device = Device::Disk("/b/a.bak".to_owned());
        memory.clock.run_one(async {
            for (offset, bytes) in [(0, &b"first"[..]), (5, b" second"), (5, b" 2")] {
                let mut sink = sink(&memory.world, &device, &plan(offset)).unwrap();
                sink.write(Bytes::from_static(bytes)).await.unwrap();
                sink.finish().await.unwrap();
            }
            let mut source = source(&memory.world, &device).unwrap();
            assert_eq!(source.len(), 7);
            assert_eq!(source.read_at(0, 100).await.unwrap(), "first 2");
            assert_eq!(source.read_at(6, 1).await.unwrap(), "2");
            assert_eq!(source.read_at(7, 1).await.unwrap(), "");
        });
    }

    #[test]
    fn the_operating_system_says_why_not() {
        let memory = Memory::new(1);
        memory.disk.create_directory("/b").unwrap();
        let nowhere = Device::Disk("/nowhere/a.bak".to_owned());
        let failure = sink(&memory.world, &nowhere, &plan(0)).err().unwrap();
        assert_eq!(failure.messages[0].number, 3201);
        assert_eq!(
            failure.messages[0].text,
            "Cannot open backup device '/nowhere/a.bak'. Operating system error 3(The system cannot find the path specified.)."
        );
        memory.disk.set_capacity(4);
        let device = Device::Disk("/b/a.bak".to_owned());
        let mut sink = sink(&memory.world, &device, &plan(0)).unwrap();
        let written = memory.clock.run_one(sink.write(Bytes::from_static(b"five!")));
        assert_eq!(
            written.unwrap_err().messages[0].text,
            "Write on \"/b/a.bak\" failed: 112(There is not enough space on the disk.)"
        );
    }

    #[test]
    fn nul_takes_everything_and_has_nothing() {
        let memory = Memory::new(1);
        memory.clock.run_one(async {
            let mut sink = sink(&memory.world, &Device::Nul, &plan(0)).unwrap();
            sink.write(Bytes::from_static(b"gone")).await.unwrap();
            sink.finish().await.unwrap();
            let mut source = source(&memory.world, &Device::Nul).unwrap();
            assert_eq!(source.len(), 0);
            assert!(source.read_at(0, 10).await.unwrap().is_empty());
        });
    }
}
