//! The files of a database as its backups name them.
//!
//! The vault read them while the backup arrived, so that a plan needs no SQL Server; of a stream that it could not read, the target is
//! asked (`RESTORE FILELISTONLY`) before it is touched.

use azblob::names::{BlobName, ContainerName};
use bak::{DatabaseFile, FileType};
use catalog::record::{Container, Point};
use faults::{Code, Fault};
use mssql::media::BackedFile;
use uuid::Uuid;

use crate::backup::shelf_fault;
use crate::shelf::{Blob, Proof};
use crate::vault::Vault;

/// A file of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// File id within the database, from 1.
    pub id: u32,
    /// Identity, where the header tells it.
    pub unique: Option<Uuid>,
    /// Logical name.
    pub logical: String,
    /// Path on the server that was backed up.
    pub path: String,
    /// Whether it is a log file.
    pub is_log: bool,
    /// Bytes that it needs.
    pub size: u64,
}

impl From<&DatabaseFile> for SourceFile {
    fn from(file: &DatabaseFile) -> Self {
        Self {
            id: file.file_id,
            unique: file.unique_id,
            logical: file.logical_name.clone(),
            path: file.physical_name.clone(),
            is_log: file.file_type == FileType::Log,
            size: file.size,
        }
    }
}

impl SourceFile {
    /// As the target tells it; none where it has a number that no file has.
    pub(super) fn told(file: &BackedFile) -> Option<Self> {
        Some(Self {
            id: u32::try_from(file.id).ok()?,
            // FILELISTONLY tells it; the number of the file is enough here.
            unique: None,
            logical: file.logical_name.clone(),
            path: file.physical_name.clone(),
            is_log: file.kind == 'L',
            size: file.size,
        })
    }

    /// Whether both are the same file of the database, whatever it is called.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.id == other.id
            && (self.unique == other.unique || self.unique.is_none() || other.unique.is_none())
    }
}

/// What the vault read of a set.
pub(super) struct Contents {
    /// Its files; empty where the vault could not read them.
    pub(super) files: Vec<SourceFile>,
    /// Written WITH CHECKSUM; none where the vault could not read that.
    pub(super) has_checksums: Option<bool>,
}

impl Vault {
    /// The blobs of a point, each as the store has it, and the name of their container.
    ///
    /// # Errors
    /// A blob of it is not there, which no plan may pass over; the store does not answer.
    pub(super) async fn blobs_of(&self, point: &Point) -> Result<(ContainerName, Vec<Blob>), Fault> {
        let container = self.get::<Container>(point.container).await?.record;
        let internal = |what: &str| Fault::new(Code::Bac2InternalError).because(what);
        let container =
            ContainerName::new(container.name).map_err(|_| internal("a container without a name"))?;
        let mut blobs = Vec::with_capacity(point.blobs.len());
        for name in &point.blobs {
            let name = BlobName::new(name.clone()).map_err(|_| internal("a blob without a name"))?;
            let found = self
                .world
                .shelf
                .look(&container, &name)
                .await
                .map_err(shelf_fault)?;
            let Some(found) = found.filter(|found| found.is_committed) else {
                return Err(Fault::new(Code::Bac2BackupUnreadable)
                    .at(&format!("recovery point {}", point.id))
                    .because(&format!("{container}/{name} is not in the store")));
            };
            blobs.push(found);
        }
        Ok((container, blobs))
    }

    /// What the vault read of a point's set while it arrived.
    ///
    /// # Errors
    /// As of [`Vault::blobs_of`].
    pub(super) async fn contents(&self, point: &Point) -> Result<Contents, Fault> {
        let mut contents = Contents {
            files: Vec::new(),
            has_checksums: None,
        };
        for blob in self.blobs_of(point).await?.1 {
            let Proof::Judged { sets, .. } = blob.proof else {
                continue;
            };
            let Some(set) = sets
                .iter()
                .find(|set| set.backup_set_guid == Some(point.set.guid))
            else {
                continue;
            };
            contents.has_checksums = contents.has_checksums.or(Some(set.has_backup_checksums));
            if contents.files.is_empty() {
                contents.files = set.files.iter().map(SourceFile::from).collect();
            }
        }
        Ok(contents)
    }
}
