//! A disk that is really full: a small file system in memory, mounted for the test. Only root may mount one.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use catalog::Catalog as _;
use catalog::sql::{Location, SqlCatalog};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::file::{assert_whole, fill};
use crate::server::Server;

/// A file system of a few MiB.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one; nothing where that is not allowed.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        let folder = TempDir::new().ok()?;
        let options = format!("size={mebibytes}m,mode=0777");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may still have files open there.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// SQLite on a full disk: no acknowledged row is lost, and with space it goes on.
pub(crate) async fn sqlite(disk: SmallDisk) {
    let path = disk.path().join("vault.db");
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 200 << 10]).unwrap();
    let catalog = SqlCatalog::open(&Location::file(&path)).await.unwrap();
    let end = fill(&catalog, 0).await;
    assert!(end > 20, "{end}");
    assert_whole(&catalog, end).await;
    std::fs::remove_file(&filler).unwrap();
    let more = fill(&catalog, end).await;
    assert!(more > end, "with space it goes on: {more} after {end}");
    assert_whole(&catalog, more).await;
    catalog.health().await.unwrap();
    // A start needs a little space, too: it says so, and harms nothing.
    drop(catalog);
    match SqlCatalog::open(&Location::file(&path)).await {
        Ok(catalog) => assert_whole(&catalog, more).await,
        Err(error) => assert_eq!(error.code(), "CatalogDiskFull", "{error}"),
    }
}

/// PostgreSQL whose table space is on a full disk.
pub(crate) async fn postgres(server: Arc<Server>, disk: SmallDisk) {
    let name = server.database_on(disk.path()).await;
    let location = Location::parse(&server.url(&name)).unwrap();
    let catalog = SqlCatalog::open(&location).await.unwrap();
    let end = fill(&catalog, 0).await;
    assert!(end > 20, "{end}");
    assert_whole(&catalog, end).await;
    // A page that has room left may take one more.
    let more = fill(&catalog, end).await;
    assert_whole(&catalog, more).await;
    catalog.close().await;
    let mut admin = server.connect("postgres").await;
    for statement in [
        format!("DROP DATABASE {name}"),
        "DROP TABLESPACE small".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut admin)
            .await
            .unwrap();
    }
    admin.close().await.unwrap();
}
