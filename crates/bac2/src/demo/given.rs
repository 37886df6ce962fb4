//! The user's own backup: what is no backup is refused before anything starts, and the simulated instance restores it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bak::{FileKind, sniff};

use super::instance::{Instance, literal, quoted};
use super::stage::SHOP;
use crate::failure::Failure;
use crate::inspect::not_a_backup;

/// Databases that every instance has.
const TAKEN: [&str; 5] = ["master", "model", "msdb", "tempdb", SHOP];

/// A backup file of the user's. It is only read.
#[derive(Debug)]
pub(super) struct Given {
    /// The file, from the root.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
}

impl Given {
    /// # Errors
    /// It cannot be read, or is no backup.
    pub(super) fn look(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::reading(path, &error);
        if path.is_dir() {
            return Err(Failure::unusable(
                "IsADirectory",
                format!("{} is a directory", path.display()),
                "name the backup file itself",
            ));
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        file.take(bak::sniff::SNIFF_SIZE as u64)
            .read_to_end(&mut start)
            .map_err(failed)?;
        if let Some(FileKind::Foreign(foreign)) = sniff(&start, true) {
            return Err(not_a_backup(&path.display().to_string(), foreign));
        }
        Ok(Self {
            path: fs::canonicalize(path).map_err(failed)?,
            bytes,
        })
    }

    /// Has an instance restore it, in the full recovery model. Gives the name of the database.
    ///
    /// # Errors
    /// The instance cannot: it is no full backup in one file, or of a kind that the simulation does not read.
    pub(super) async fn restore(&self, instance: &Instance) -> Result<String> {
        self.restore_to(instance).await.map_err(|error| {
            Failure::failed(
                "DemoCannotRestore",
                format!(
                    "the simulated SQL Server does not restore {}: {error:#}",
                    self.path.display()
                ),
                "give one full backup in one file; `bac2 inspect FILE` shows what it is",
            )
            .into()
        })
    }

    async fn restore_to(&self, instance: &Instance) -> Result<String> {
        let disk = format!("DISK = {}", literal(&self.path.display().to_string()));
        let header = format!("RESTORE HEADERONLY FROM {disk}");
        let rows = instance.query(&header).await?;
        let first = rows
            .first()
            .ok_or_else(|| anyhow::anyhow!("it has no backup set"))?;
        let mut name: String = first.get("DatabaseName")?;
        if TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(&name)) {
            name.push_str(" (yours)");
        }
        let files = instance
            .query(&format!("RESTORE FILELISTONLY FROM {disk}"))
            .await?;
        let mut moves = String::new();
        for (number, file) in files.iter().enumerate() {
            let logical: String = file.get("LogicalName")?;
            let path = instance.data().join("data").join(format!("yours-{number}"));
            moves.push_str(&format!(
                ", MOVE {} TO {}",
                literal(&logical),
                literal(&path.display().to_string())
            ));
        }
        let name_quoted = quoted(&name);
        instance
            .execute(&format!(
                "RESTORE DATABASE {name_quoted} FROM {disk} WITH FILE = 1{moves}"
            ))
            .await?;
        instance
            .execute(&format!("ALTER DATABASE {name_quoted} SET RECOVERY FULL"))
            .await?;
        Ok(name)
    }
}
