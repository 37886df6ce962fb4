//! A SQLite file as a catalog: made private, locked, in WAL with every commit synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Row as _};

use super::Shared;
use super::errors::{Phase, Place};
use super::lock::{OwnerLock, not_writable};
use crate::catalog::Engine;
use crate::error::CatalogError;

/// Marks the file as a catalog of bac2: "bac2" in ASCII.
const APPLICATION_ID: i64 = 0x6261_6332;

/// How long a transaction waits for the one writer, or for one of the readers.
const WAIT: Duration = Duration::from_secs(10);

/// Connections that read.
const READERS: u32 = 4;

/// What a path keeps as it is in a URL.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// Every connection waits a while for a lock, and trusts no function in the file's schema.
const CONNECTION: &str = "PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL";

/// Opens the file, or makes it.
pub(super) async fn open(path: &Path, max_bytes: Option<u64>) -> Result<Shared, CatalogError> {
    let lock = OwnerLock::take(path)?;
    let file = open_private(path).map_err(|error| not_writable(path, &error))?;
    settle_name(path, &file).map_err(|error| not_writable(path, &error))?;
    // A second descriptor of the file would, when it is closed, take SQLite's locks with it.
    drop(file);
    let place = Place {
        engine: Engine::Sqlite,
        name: path.display().to_string(),
    };
    let whole = path.canonicalize().map_err(|error| not_writable(path, &error))?;
    let Some(whole) = whole.to_str() else {
        return Err(CatalogError::NotWritable {
            catalog: place.name,
            why: "its path is not UTF-8".into(),
        });
    };
    let encoded = utf8_percent_encode(whole, PATH);
    let failed = |error: sqlx::Error| place.name(&error, Phase::Begin);
    let writing = options(&format!("sqlite://{encoded}?mode=rw")).map_err(failed)?;
    let reading = options(&format!("sqlite://{encoded}?mode=ro")).map_err(failed)?;
    let mut first = AnyConnection::connect_with(&writing).await.map_err(failed)?;
    claim(&place, &mut first).await?;
    first.close().await.map_err(failed)?;
    Ok(Shared {
        writers: pool(writing, 1, max_bytes),
        readers: pool(reading, READERS, None),
        place,
        broken: AtomicBool::new(false),
        _lock: Some(lock),
    })
}

fn options(url: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    Ok(url.parse::<AnyConnectOptions>()?.disable_statement_logging())
}

fn pool(options: AnyConnectOptions, connections: u32, max_bytes: Option<u64>) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(CONNECTION).execute(&mut *connection).await?;
                if let Some(bytes) = max_bytes {
                    limit(connection, bytes).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

/// Lets the file grow to this size and no further. The limit is a number of pages, and cannot be bound.
async fn limit(connection: &mut AnyConnection, bytes: u64) -> Result<(), sqlx::Error> {
    let page: i64 = sqlx::query("PRAGMA page_size")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let pages = bytes / u64::try_from(page.max(512)).unwrap_or(512);
    let statement = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages.max(1)));
    sqlx::raw_sql(statement).execute(&mut *connection).await?;
    Ok(())
}

/// Sees that the file is empty or a catalog, marks it, and turns WAL on.
async fn claim(place: &Place, connection: &mut AnyConnection) -> Result<(), CatalogError> {
    let application = pragma(place, connection, "PRAGMA application_id").await?;
    let tables = pragma(place, connection, "SELECT COUNT(*) FROM sqlite_master").await?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(CatalogError::Corrupt {
            what: format!("{} is a SQLite file of another program", place.name),
        });
    }
    let failed = |error: sqlx::Error| place.name(&error, Phase::Begin);
    if application == 0 {
        sqlx::raw_sql("PRAGMA application_id = 1650549554")
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    let mode: String = sqlx::query("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *connection)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return Err(CatalogError::NotWritable {
            catalog: place.name.clone(),
            why: "its file system has no shared memory, which SQLite's WAL needs; a local disk has it".into(),
        });
    }
    // What a killed process wrote and never synced is synced before it is read as done.
    sqlx::raw_sql("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn pragma(
    place: &Place,
    connection: &mut AnyConnection,
    statement: &'static str,
) -> Result<i64, CatalogError> {
    sqlx::query(statement)
        .fetch_one(&mut *connection)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| place.name(&error, Phase::Begin))
}

/// Opens a file for its owner alone, and makes it where there is none.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a new file's name survive a power cut.
fn settle_name(path: &Path, file: &File) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_written_as_it_is_read() {
        assert_eq!(APPLICATION_ID, 1_650_549_554);
        assert_eq!(APPLICATION_ID.to_be_bytes()[4..], *b"bac2");
    }
}
