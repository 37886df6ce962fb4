//! What only a file can suffer: two processes, other programs, a full disk, `kill -9`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use catalog::sql::{Location, SqlCatalog};
use catalog::{Catalog, CatalogError, Kind, NewRow, Query, Range, SCHEMA, Scope, Slot};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tempfile::TempDir;

use crate::history::Random;
use crate::records::row;

/// Names the catalog to a child of this program that shall be killed.
pub(crate) const CHILD: &str = "BAC2_CATALOG_TEST_CHILD";

/// A case: its name and what it does.
type Case = (&'static str, fn() -> BoxFuture<'static, ()>);

/// All of it, by name.
pub(crate) const CASES: [Case; 8] = [
    ("a_second_process_is_told_who_holds_it", || held().boxed()),
    ("only_the_owner_can_read_the_files", || private().boxed()),
    ("a_file_of_another_program_is_left_alone", || foreign().boxed()),
    ("a_newer_catalog_is_refused", || newer().boxed()),
    ("tables_that_somebody_changed_are_refused", || tampered().boxed()),
    ("a_folder_that_is_not_there_is_said", || no_folder().boxed()),
    ("a_full_catalog_stays_whole_and_goes_on_with_space", || {
        full_file().boxed()
    }),
    ("kill_9_loses_no_acknowledged_commit", || killed().boxed()),
];

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    (folder, path)
}

async fn open(path: &Path) -> Result<SqlCatalog, CatalogError> {
    SqlCatalog::open(&Location::file(path)).await
}

/// The file without the catalog's rules.
async fn raw(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn run(path: &Path, statement: &'static str) {
    let mut connection = raw(path).await;
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn held() {
    let (_folder, path) = place();
    let first = open(&path).await.unwrap();
    let error = open(&path).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "the catalog {} is in use by another bac2 process (process {}); stop that one first, or use another catalog",
            path.display(),
            std::process::id()
        )
    );
    // A transaction that is still open keeps it in use.
    let tx = first.begin().await.unwrap();
    drop(first);
    assert_eq!(open(&path).await.err().unwrap().code(), "CatalogInUse");
    drop(tx);
    open(&path).await.unwrap().close().await;
}

async fn private() {
    let (folder, path) = place();
    let catalog = open(&path).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    tx.insert(row(Kind::Secret, "v1", "s1", None)).await.unwrap();
    tx.commit().await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "the file, its lock, its WAL and the index of that");
    catalog.close().await;
    assert!(
        !folder.path().join("vault.db-wal").exists(),
        "all of it is in one file"
    );
}

async fn foreign() {
    let (_folder, path) = place();
    run(&path, "CREATE TABLE songs (name TEXT)").await;
    let before = std::fs::read(&path).unwrap();
    let error = open(&path).await.err().unwrap();
    assert_eq!(error.code(), "CatalogCorrupt");
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::write(
        &path,
        "not a database at all, but long enough to look like one. ".repeat(40),
    )
    .unwrap();
    let error = open(&path).await.err().unwrap();
    assert_eq!(error.code(), "CatalogCorrupt", "{error}");
}

async fn newer() {
    let (_folder, path) = place();
    open(&path).await.unwrap().close().await;
    run(&path, "UPDATE bac2_meta SET value = '99' WHERE name = 'schema'").await;
    let error = open(&path).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "the catalog {} has format 99, and this version of bac2 knows formats up to {SCHEMA}; \
             use the version that wrote it, or a newer one",
            path.display()
        )
    );
}

async fn tampered() {
    let (_folder, path) = place();
    open(&path).await.unwrap().close().await;
    run(&path, "UPDATE bac2_schema SET checksum = 'x' WHERE name = 'job'").await;
    let error = open(&path).await.err().unwrap();
    assert_eq!(error.code(), "CatalogCorrupt");
    assert!(
        error.to_string().contains("the tables for job records"),
        "{error}"
    );
}

async fn no_folder() {
    let (folder, _) = place();
    let error = open(&folder.path().join("no/vault.db")).await.err().unwrap();
    assert_eq!(error.code(), "CatalogNotWritable");
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}

/// A row of 4 KiB that no engine can make smaller.
fn large(id: &str) -> NewRow {
    let mut row = row(Kind::Job, "v1", id, Some(id));
    let mut random = Random::of(id);
    let noise: String = (0..256).map(|_| format!("{:016x}", random.draw())).collect();
    row.body = format!("\"{noise}\"");
    row
}

/// Inserts rows, one a commit, until there is no space; how many were acknowledged.
pub(crate) async fn fill(catalog: &dyn Catalog, first: u32) -> u32 {
    for number in first..first + 10_000 {
        let outcome: Result<(), CatalogError> = async {
            let mut tx = catalog.begin().await?;
            tx.insert(large(&format!("j{number:05}"))).await?;
            tx.commit().await
        }
        .await;
        match outcome {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.code(), "CatalogDiskFull", "{error}");
                assert!(error.to_string().contains("has no space left"), "{error}");
                return number;
            }
        }
    }
    panic!("the disk is larger than it should be");
}

/// That exactly the rows before this number are there.
pub(crate) async fn assert_whole(catalog: &dyn Catalog, end: u32) {
    let mut tx = catalog.read().await.unwrap();
    let rows = tx
        .count(Kind::Job, &Scope::vault("v1"), Slot::Id, &Range::ALL)
        .await
        .unwrap();
    assert_eq!(rows, i64::from(end));
    for number in 0..end {
        let id = format!("j{number:05}");
        let found = tx.get(Kind::Job, "v1", &id).await.unwrap().unwrap();
        assert_eq!(found.body.len(), 4098);
    }
}

async fn full_file() {
    let (_folder, path) = place();
    let small = Location::Sqlite {
        path: path.clone(),
        max_bytes: Some(1 << 20),
    };
    let catalog = SqlCatalog::open(&small).await.unwrap();
    let end = fill(&catalog, 0).await;
    assert!(
        (50..250).contains(&end),
        "a megabyte holds fewer than 256 rows: {end}"
    );
    assert_whole(&catalog, end).await;
    // Full again, and again without a connection lost or a transaction stuck.
    for _ in 0..3 {
        assert_eq!(fill(&catalog, end).await, end);
    }
    // What is deleted makes room.
    let mut tx = catalog.begin().await.unwrap();
    for number in end - 10..end {
        tx.delete(Kind::Job, "v1", &format!("j{number:05}"), 1)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let again = fill(&catalog, end - 10).await;
    assert!(again > end - 10);
    assert_whole(&catalog, again).await;
    catalog.close().await;

    // With space it goes on.
    let catalog = open(&path).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    tx.insert(large(&format!("j{again:05}"))).await.unwrap();
    tx.commit().await.unwrap();
    assert_whole(&catalog, again + 1).await;
    catalog.close().await;
    assert_eq!(integrity(&path).await, "ok");
}

async fn integrity(path: &Path) -> String {
    let mut connection = raw(path).await;
    let row = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    row.get(0)
}

/// The child's part: commits pairs of rows and says each one's number when it is acknowledged.
pub(crate) async fn be_killed(path: &str) {
    let catalog = open(Path::new(path)).await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    let first = tx
        .count(Kind::Job, &Scope::vault("v1"), Slot::Id, &Range::ALL)
        .await
        .unwrap();
    drop(tx);
    let mut out = std::io::stdout().lock();
    for number in first.. {
        let mut tx = catalog.begin().await.unwrap();
        tx.insert(row(Kind::Job, "v1", &format!("n{number:06}"), None))
            .await
            .unwrap();
        tx.insert(row(Kind::Item, "v1", &format!("n{number:06}"), None))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        writeln!(out, "done {number}").unwrap();
        out.flush().unwrap();
    }
}

async fn killed() {
    let (_folder, path) = place();
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = None;
        let mut seen = 0;
        while seen < 30 + round * 7 {
            last = lines.next().map(Result::unwrap);
            seen += 1;
        }
        child.kill().unwrap();
        // What it said between the last look and its death counts as well.
        for line in lines.map_while(Result::ok) {
            last = Some(line);
        }
        child.wait().unwrap();
        let acknowledged: i64 = last.unwrap().strip_prefix("done ").unwrap().parse().unwrap();

        let catalog = open(&path).await.unwrap();
        assert_eq!(catalog.info().generation, 2 * (i64::from(round) + 1));
        let mut tx = catalog.read().await.unwrap();
        let scope = Scope::vault("v1");
        let jobs = tx.count(Kind::Job, &scope, Slot::Id, &Range::ALL).await.unwrap();
        let items = tx.count(Kind::Item, &scope, Slot::Id, &Range::ALL).await.unwrap();
        assert_eq!(jobs, items, "pairs are whole");
        // The one after the last acknowledged may be there.
        assert!(
            jobs == acknowledged + 1 || jobs == acknowledged + 2,
            "{jobs} after {acknowledged}"
        );
        let newest = tx
            .scan(Kind::Job, &Query::all("v1", Slot::Id).descending().limit(1))
            .await
            .unwrap();
        assert_eq!(newest.rows[0].id, format!("n{:06}", jobs - 1));
        drop(tx);
        catalog.close().await;
        assert_eq!(integrity(&path).await, "ok");
    }
}
