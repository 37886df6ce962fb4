//! A restore as files: the blobs of a plan as `.bak` and `.trn`, the T-SQL that restores them, and, for master, the steps around it.
//!
//! No instance takes part, so that this works when there is none. The bytes are read by whoever writes the files, piece by piece; each
//! piece is verified by the store when it is read.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Database, Item, Point, PointId, RestoreOrder};
use chain::tsql::{Device, Options, Order, Source};
use faults::{Code, Fault};
use schedule::BackupKind;

use super::paths::tame;
use super::planning::Way;
use crate::backup::shelf_fault;
use crate::shelf::Blob;
use crate::vault::Vault;

/// The largest piece of a blob that is read at a time, in bytes.
pub const PIECE_MAX: usize = 4 << 20;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Its name: letters, digits, `-`, `_`, `.`; no two of a plan are alike, in whatever case.
    pub name: String,
    /// The recovery point that it is of.
    pub point: PointId,
    /// Where its bytes are.
    pub container: ContainerName,
    /// Where its bytes are.
    pub blob: BlobName,
    /// How many.
    pub bytes: u64,
}

/// A restore as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesPlan {
    /// The files, in the order in which they are restored.
    pub files: Vec<ExportedFile>,
    /// The T-SQL that restores them from the directory.
    pub script: String,
    /// What is to be done around the script, in order; empty where the script is all.
    pub steps: Vec<String>,
}

impl FilesPlan {
    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .map(|file| file.bytes)
            .fold(0, u64::saturating_add)
    }
}

impl Vault {
    /// The files of a restore. Of the order's place only the name counts; `directory` is where the files will lie, as the SQL Server that
    /// restores them sees it.
    ///
    /// # Errors
    /// There is no way to the target; a blob of the plan is not in the store.
    pub async fn plan_files(&self, order: &RestoreOrder, directory: &str) -> Result<FilesPlan, Fault> {
        let item = self.get::<Item>(order.item).await?.record;
        let database = self.get::<Database>(item.database).await?.record;
        let way = self.way(order).await.map_err(|fault| fault.at(&database.name))?;
        let mut files = Vec::new();
        for point in &way.points {
            files.extend(self.files_of(point, &database.name).await?);
        }
        if database.name.eq_ignore_ascii_case("master") {
            return Ok(of_master(files, directory));
        }
        let script = script(&way, &files, order, directory)?;
        Ok(FilesPlan {
            files,
            script,
            steps: Vec::new(),
        })
    }

    async fn files_of(&self, point: &Point, database: &str) -> Result<Vec<ExportedFile>, Fault> {
        let (container, blobs) = self.blobs_of(point).await?;
        let file = |(number, blob): (usize, Blob)| ExportedFile {
            name: name_of(point, database, number),
            point: point.id,
            container: container.clone(),
            blob: blob.name,
            bytes: blob.size,
        };
        Ok(blobs.into_iter().enumerate().map(file).collect())
    }

    /// A piece of a file's bytes from an offset on, at most [`PIECE_MAX`]; empty behind its end.
    ///
    /// # Errors
    /// The bytes are not what was written; the store does not answer.
    pub async fn read_piece(&self, file: &ExportedFile, from: u64) -> Result<Vec<u8>, Fault> {
        let read = self
            .world
            .shelf
            .read(&file.container, &file.blob, from, PIECE_MAX);
        read.await.map_err(shelf_fault)
    }
}

/// `Shop_20260315T022000Z_full_1f0c2a31.bak`, of several stripes with `_2of4`.
fn name_of(point: &Point, database: &str, number: usize) -> String {
    let at = point.ended.strftime("%Y%m%dT%H%M%SZ");
    let id: String = point.id.to_string().chars().take(8).collect();
    let stripe = match point.blobs.len() {
        1 => String::new(),
        count => format!("_{}of{count}", number + 1),
    };
    let extension = if point.kind == BackupKind::Log {
        "trn"
    } else {
        "bak"
    };
    format!(
        "{}_{at}_{}_{id}{stripe}.{extension}",
        tame(database),
        point.kind.name()
    )
}

/// The directory and a name in it, as the directory's own platform writes that.
fn join(directory: &str, name: &str) -> String {
    let is_windows = directory.contains('\\') || directory.get(1..2) == Some(":");
    let separator = if is_windows { '\\' } else { '/' };
    format!("{}{separator}{name}", directory.trim_end_matches(['/', '\\']))
}

fn script(way: &Way, files: &[ExportedFile], order: &RestoreOrder, directory: &str) -> Result<String, Fault> {
    let sources = way.steps.iter().zip(&way.sets).map(|(step, set)| Source {
        set,
        devices: files
            .iter()
            .filter(|file| file.point == step.point)
            .map(|file| Device::Disk(join(directory, &file.name)))
            .collect(),
        position: 1,
        has_checksums: step.has_checksums,
        moves: Vec::new(),
    });
    let sources: Vec<Source<'_>> = sources.collect();
    let written = Order {
        database: &order.place.name,
        target: &way.target,
        remarks: &["its files go where they were: add MOVE where they shall lie elsewhere".to_owned()],
        options: Options {
            replace: order.place.overwrite,
            ..Options::default()
        },
    };
    chain::tsql::script(&way.plan, &sources, &written)
        .map_err(|error| Fault::new(Code::Bac2InputInvalid).because(&error.to_string()))
}

/// master is restored by its newest full alone, on an instance that runs for one user, which it stops when it is done.
fn of_master(files: Vec<ExportedFile>, directory: &str) -> FilesPlan {
    let devices: Vec<String> = files
        .iter()
        .map(|file| format!("DISK = N'{}'", join(directory, &file.name).replace('\'', "''")))
        .collect();
    let script = format!(
        "RESTORE DATABASE [master] FROM {} WITH REPLACE, STATS = 10;\n",
        devices.join(", ")
    );
    let steps = [
        "Copy the files to the directory that the script names, where the instance's service account may read them.",
        "The instance must have the very same build as the one that wrote the backup: SELECT SERVERPROPERTY('ProductVersion');",
        "Stop SQL Server Agent and all applications, then the instance.",
        "Start it for one user: on Windows `net start MSSQLSERVER /mSQLCMD`, on Linux `sudo -u mssql /opt/mssql/bin/sqlservr -m`.",
        "Run the script with sqlcmd. The instance stops by itself when it is done.",
        "Start the instance as always, then look at its databases: those made since the backup must be attached or restored.",
    ];
    FilesPlan {
        files,
        script,
        steps: steps.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn a_directory_keeps_its_own_separators() {
        for (directory, path) in [
            ("/backups/", "/backups/x.bak"),
            ("D:\\Backups", "D:\\Backups\\x.bak"),
            ("D:", "D:\\x.bak"),
            ("\\\\nas\\share\\", "\\\\nas\\share\\x.bak"),
        ] {
            assert_eq!(join(directory, "x.bak"), path);
        }
    }
}
