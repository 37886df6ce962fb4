//! Instances and a store of paper: they answer what a backup asks, keep their LSNs straight, and hold no bytes, so that 2,000
//! databases fit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use azblob::names::{BlobName, ContainerName};
use bak::{BackupSet, BackupType, LocalTime, Lsn, Media, Verdict};
use jiff::Timestamp;
use mssql::connection::{Cancel, Request, Sink};
use mssql::value::{Column, DateTime, Decimal, Value};
use mssql::{Canceller, ConnectError, Connection, Connector, Fault, Message, Secret, Target};
use uuid::Uuid;
use vault::shelf::{Blob, Proof, Shelf, ShelfError, Space};
use vault::world::Clock as _;

use crate::world::time::{Dice, MachineClock};

/// Bytes of every backup.
const SIZE: u64 = 1 << 20;

/// One database.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub(crate) guid: Uuid,
    /// Where its next log begins.
    pub(crate) log: u64,
    /// Where it is.
    pub(crate) now: u64,
    /// Its newest full.
    pub(crate) base: Option<(Uuid, u64)>,
}

/// All of it.
pub(crate) struct Paper {
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) dice: Arc<Dice>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By address and name.
    databases: BTreeMap<(String, String), Sheet>,
    credentials: BTreeMap<(String, String), i64>,
    /// Backups in the store that are not sealed yet.
    blobs: BTreeMap<(String, String), BackupSet>,
    /// Names of those that are, by container.
    kept: BTreeMap<String, BTreeSet<String>>,
    sealed: u64,
    running: u32,
    most_running: u32,
    strange: Vec<String>,
}

fn lsn(number: u64) -> Lsn {
    Lsn {
        vlf: 40,
        block: u32::try_from(number).expect("a day's log is short"),
        slot: 1,
    }
}

fn decimal(number: u64) -> Value {
    Value::Decimal(Decimal {
        unscaled: i128::try_from(lsn(number).to_decimal()).expect("an LSN has 25 digits"),
        scale: 0,
    })
}

impl Paper {
    pub(crate) fn new(clock: &Arc<MachineClock>, dice: &Arc<Dice>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            dice: Arc::clone(dice),
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn add(&self, address: &str, name: &str, sheet: Sheet) {
        self.inner()
            .databases
            .insert((address.to_owned(), name.to_owned()), sheet);
    }

    /// Backups that were sealed, the most that ran at once, and batches that it had no answer to.
    pub(crate) fn told(&self) -> (u64, u32, Vec<String>) {
        let inner = self.inner();
        (inner.sealed, inner.most_running, inner.strange.clone())
    }

    /// Takes a backup.
    fn back_up(&self, address: &str, text: &str) -> Option<()> {
        let name = between(text, "[", "]")?;
        let url = between(text, "URL = N'", "'")?;
        let (container, blob) = url.strip_prefix("https://paper.test/")?.split_once('/')?;
        let mut inner = self.inner();
        let sheet = inner.databases.get_mut(&(address.to_owned(), name.to_owned()))?;
        let guid = vault::world::Chance::uuid(&*self.dice);
        sheet.now += 1 + self.dice.below(30);
        let is_log = text.starts_with("BACKUP LOG");
        let (first, last) = if is_log {
            (sheet.log, sheet.now)
        } else {
            (sheet.now, sheet.now + 1)
        };
        let set = set(sheet, (name, text), guid, (first, last));
        if is_log {
            sheet.log = sheet.now;
        } else if !text.contains("DIFFERENTIAL, ") && !text.contains("COPY_ONLY") {
            sheet.base = Some((guid, first));
            // The first full begins the chain of logs.
            sheet.log = sheet.log.max(1);
        }
        sheet.now = sheet.now.max(last);
        inner.blobs.insert((container.to_owned(), blob.to_owned()), set);
        Some(())
    }

    fn database(&self, address: &str, name: &str) -> Option<Sheet> {
        let key = (address.to_owned(), name.to_owned());
        self.inner().databases.get(&key).cloned()
    }
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let rest = text.split_once(from)?.1;
    Some(rest.split_once(to)?.0)
}

fn set(sheet: &Sheet, (name, text): (&str, &str), guid: Uuid, (first, last): (u64, u64)) -> BackupSet {
    let is_log = text.starts_with("BACKUP LOG");
    let is_differential = text.contains("DIFFERENTIAL, ");
    let at = LocalTime {
        year: 2026,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
    };
    BackupSet {
        position: 1,
        backup_type: match (is_log, is_differential) {
            (true, _) => BackupType::Log,
            (_, true) => BackupType::Differential,
            _ => BackupType::Full,
        },
        backup_name: between(text, "NAME = N'", "'").unwrap_or_default().to_owned(),
        backup_description: between(text, "DESCRIPTION = N'", "'")
            .unwrap_or_default()
            .to_owned(),
        user_name: "sa".to_owned(),
        machine_name: "PAPER".to_owned(),
        server_name: "PAPER".to_owned(),
        database_name: name.to_owned(),
        software_version: bak::SoftwareVersion {
            major: 16,
            minor: 0,
            build: 4175,
        },
        database_version: 957,
        compatibility_level: 160,
        recovery_model: bak::RecoveryModel::Full,
        compressed: true,
        has_backup_checksums: true,
        is_copy_only: text.contains("COPY_ONLY"),
        first_lsn: Some(lsn(first)),
        last_lsn: Some(lsn(last)),
        checkpoint_lsn: Some(lsn(first)),
        database_backup_lsn: sheet.base.map(|(_, at)| lsn(at)),
        differential_base_lsn: None,
        fork_point_lsn: None,
        backup_set_guid: Some(guid),
        binding_id: Some(sheet.guid),
        family_guid: Some(sheet.guid),
        recovery_fork_id: Some(sheet.guid),
        first_recovery_fork_id: None,
        differential_base_guid: None,
        backup_start_date: Some(at),
        backup_finish_date: Some(at),
        database_creation_date: Some(at),
        time_zone_offset_minutes: Some(0),
        backup_size: SIZE,
        complete: true,
        files: Vec::new(),
        has_bulk_logged_data: false,
        log_chain_lsn: Some(lsn(1)),
    }
}

/// The way to the instances.
pub(crate) struct Way(pub(crate) Arc<Paper>);

#[async_trait]
impl Connector for Way {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        self.0.clock.sleep(Duration::from_millis(2)).await;
        Ok(Box::new(Line {
            paper: Arc::clone(&self.0),
            address: target.address.to_string(),
        }))
    }
}

struct Line {
    paper: Arc<Paper>,
    address: String,
}

struct Nobody;

impl Cancel for Nobody {
    fn cancel(&self) {}
}

/// A result to answer with.
fn result(sink: &mut dyn Sink, columns: &[&str], rows: Vec<Vec<Value>>) {
    let named = |name: &&str| Column {
        name: (*name).to_owned(),
    };
    sink.columns(columns.iter().map(named).collect());
    for row in rows {
        // Who has enough gets no more.
        if sink.row(row).is_err() {
            return;
        }
    }
    sink.done(None);
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

const MOMENT: Value = Value::DateTime(DateTime {
    days: 739_600,
    ticks: 0,
});

impl Line {
    fn about_database(&self, name: &str, sink: &mut dyn Sink) {
        let found = self.paper.database(&self.address, name);
        let null = || Value::Null;
        let rows = |row: &dyn Fn(&Sheet) -> Vec<Value>| found.as_ref().map(row).into_iter().collect();
        let columns = [
            "database_id",
            "name",
            "source_database_id",
            "create_date",
            "state",
            "recovery_model",
            "user_access",
            "is_read_only",
            "is_in_standby",
            "is_auto_close_on",
            "is_cleanly_shutdown",
            "compatibility_level",
            "collation_name",
            "page_verify_option_desc",
            "log_reuse_wait_desc",
            "is_encrypted",
            "is_cdc_enabled",
            "is_published",
            "replica_id",
            "group_database_id",
            "is_preferred_replica",
            "mirroring_guid",
            "mirroring_role_desc",
            "may_enter",
            "may_back_up",
            "may_back_up_log",
        ];
        let no = || Value::Bit(false);
        let yes = || Value::Bit(true);
        let facts = |_: &Sheet| {
            vec![
                Value::Integer(7),
                text(name),
                null(),
                MOMENT,
                Value::Integer(0),
                Value::Integer(1),
                Value::Integer(0),
                no(),
                no(),
                no(),
                no(),
                Value::Integer(160),
                text("Latin1_General_CI_AS"),
                text("CHECKSUM"),
                text("NOTHING"),
                no(),
                no(),
                no(),
                null(),
                null(),
                null(),
                null(),
                null(),
                yes(),
                yes(),
                yes(),
            ]
        };
        result(sink, &columns, rows(&facts));
        let chain = |sheet: &Sheet| {
            let guid = Value::Guid(sheet.guid);
            let log = sheet.base.map_or(Value::Null, |_| decimal(sheet.log));
            vec![
                Value::Integer(7),
                guid.clone(),
                guid.clone(),
                log,
                guid,
                null(),
                null(),
            ]
        };
        let columns = [
            "database_id",
            "database_guid",
            "family_guid",
            "last_log_backup_lsn",
            "recovery_fork_guid",
            "first_recovery_fork_guid",
            "fork_point_lsn",
        ];
        result(sink, &columns, rows(&chain));
        let file = |sheet: &Sheet| {
            let base = sheet.base;
            vec![
                Value::Integer(7),
                Value::Integer(1),
                Value::Integer(0),
                text("data"),
                text("/sql/data.mdf"),
                Value::Integer(1024),
                base.map_or(Value::Null, |(_, at)| decimal(at)),
                base.map_or(Value::Null, |(guid, _)| Value::Guid(guid)),
                null(),
                null(),
                null(),
            ]
        };
        let columns = [
            "database_id",
            "file_id",
            "type",
            "name",
            "physical_name",
            "size",
            "differential_base_lsn",
            "differential_base_guid",
            "differential_base_time",
            "redo_start_lsn",
            "redo_start_fork_guid",
        ];
        result(sink, &columns, rows(&file));
    }

    fn credential(&self, batch: &str, sink: &mut dyn Sink) {
        let name = between(batch, "name = N'", "'").unwrap_or_default().to_owned();
        let number = self
            .paper
            .inner()
            .credentials
            .get(&(self.address.clone(), name))
            .copied();
        let row = |number: i64| {
            vec![
                Value::Integer(number),
                text("SHARED ACCESS SIGNATURE"),
                MOMENT,
                MOMENT,
            ]
        };
        let columns = [
            "credential_id",
            "credential_identity",
            "create_date",
            "modify_date",
        ];
        result(sink, &columns, number.map(row).into_iter().collect());
    }

    async fn backup(&self, batch: &str, sink: &mut dyn Sink) {
        {
            let mut inner = self.paper.inner();
            inner.running += 1;
            inner.most_running = inner.most_running.max(inner.running);
        }
        let takes = Duration::from_millis(500 + self.paper.dice.below(9_500));
        self.paper.clock.sleep(takes).await;
        self.paper.inner().running -= 1;
        let done = self.paper.back_up(&self.address, batch);
        assert!(done.is_some(), "a statement that no paper can follow: {batch}");
        sink.message(Message {
            number: 3014,
            state: 1,
            class: 0,
            line: 1,
            procedure: String::new(),
            text: "BACKUP successfully processed 10 pages in 1.000 seconds (0.078 MB/sec).".to_owned(),
        });
    }
}

#[async_trait]
impl Connection for Line {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        let batch = request.text.as_str();
        self.paper.clock.sleep(Duration::from_millis(1)).await;
        if batch.starts_with("BACKUP ") {
            self.backup(batch, sink).await;
        } else if batch.contains("@@SPID") {
            result(sink, &["id"], vec![vec![Value::Integer(60)]]);
        } else if batch.contains("FROM sys.databases AS d") && batch.contains("WHERE d.name = N'") {
            self.about_database(between(batch, "WHERE d.name = N'", "'").unwrap_or_default(), sink);
        } else if batch.contains("FROM sys.credentials") {
            self.credential(batch, sink);
        } else if batch.contains("CREDENTIAL [") {
            let name = between(batch, "[", "]").unwrap_or_default().to_owned();
            let mut inner = self.paper.inner();
            let number = 65_536 + inner.credentials.len() as i64;
            inner.credentials.insert((self.address.clone(), name), number);
        } else if batch.contains("sys.dm_exec_requests") {
            result(sink, &["session_id"], Vec::new());
        } else if batch.contains("FROM msdb.dbo.backupset") {
            // History was not written, as can happen: the stream says the same.
            result(sink, &["backup_set_id"], Vec::new());
        } else if !batch.starts_with("SET ") {
            self.paper.inner().strange.push(batch.to_owned());
        }
        Ok(())
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::new(Nobody))
    }

    async fn close(&mut self) {}
}

/// A blob that was sealed: no more is known of it than what every backup here is.
fn sealed(name: &str) -> Blob {
    Blob {
        name: BlobName::new(name).expect("it was one when it was made"),
        size: SIZE,
        arrived: SIZE,
        is_committed: true,
        is_sealed: true,
        lease: None,
        tag: "2".to_owned(),
        proof: Proof::Judged {
            verdict: Some(Verdict::Ok),
            reasons: Vec::new(),
            sets: Vec::new(),
            logs: Vec::new(),
            media: None,
        },
    }
}

#[async_trait]
impl Shelf for Paper {
    fn url(&self, container: &ContainerName) -> String {
        format!("https://paper.test/{container}")
    }

    async fn make_container(&self, _: &ContainerName) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn grant(&self, container: &ContainerName, _: &str, _: Timestamp) -> Result<Secret, ShelfError> {
        Ok(Secret::new(format!("sv=2021-12-02&si={container}&sig=paper")))
    }

    async fn revoke(&self, _: &ContainerName, _: &str) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn look(&self, container: &ContainerName, blob: &BlobName) -> Result<Option<Blob>, ShelfError> {
        let key = (container.to_string(), blob.to_string());
        let inner = self.inner();
        let kept = inner.kept.get(container.as_str());
        if kept.is_some_and(|kept| kept.contains(blob.as_str())) {
            return Ok(Some(sealed(blob.as_str())));
        }
        let set = inner.blobs.get(&key).cloned();
        Ok(set.map(|set| Blob {
            name: blob.clone(),
            size: set.backup_size,
            arrived: set.backup_size,
            is_committed: true,
            is_sealed: false,
            lease: None,
            tag: "1".to_owned(),
            proof: Proof::Judged {
                verdict: Some(Verdict::Ok),
                reasons: Vec::new(),
                media: Some(Media {
                    media_set_id: set.backup_set_guid.unwrap_or_default(),
                    family_number: 1,
                    family_count: 1,
                    physical_block_size: 65_536,
                    software_name: "Microsoft SQL Server".to_owned(),
                }),
                sets: vec![set],
                logs: vec![None],
            },
        }))
    }

    async fn put_piece(&self, _: &ContainerName, _: &BlobName, _: u32, _: Vec<u8>) -> Result<(), ShelfError> {
        Err(ShelfError::Full)
    }

    async fn join(&self, _: &ContainerName, _: &BlobName, _: u32) -> Result<(), ShelfError> {
        Err(ShelfError::Full)
    }

    async fn list(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let inner = self.inner();
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
        let names = inner.kept.get(container.as_str()).into_iter();
        let names = names.flat_map(|kept| kept.range::<str, _>((from, Bound::Unbounded)));
        Ok(names.take(limit).map(|name| sealed(name)).collect())
    }

    /// None but those of open jobs, which a sweep passes over.
    async fn unsealed(
        &self,
        _: &ContainerName,
        _: Option<&BlobName>,
        _: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        Ok(Vec::new())
    }

    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let mut inner = self.inner();
        inner.blobs.remove(&(container.to_string(), blob.to_string()));
        let kept = inner.kept.entry(container.to_string()).or_default();
        kept.insert(blob.to_string());
        inner.sealed += 1;
        Ok(())
    }

    async fn free(&self, _: &ContainerName, _: &BlobName, _: &Blob) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn clean(&self, _: &ContainerName, _: &BlobName, _: &Blob) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn remove_sealed(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let mut inner = self.inner();
        if let Some(kept) = inner.kept.get_mut(container.as_str()) {
            kept.remove(blob.as_str());
        }
        Ok(())
    }

    async fn remove_record(&self, _: &ContainerName, _: &BlobName) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn containers(&self) -> Result<Vec<ContainerName>, ShelfError> {
        Ok(Vec::new())
    }

    async fn put_record(&self, _: &ContainerName, _: &BlobName, _: Vec<u8>) -> Result<(), ShelfError> {
        Ok(())
    }

    async fn read(&self, _: &ContainerName, _: &BlobName, _: u64, _: usize) -> Result<Vec<u8>, ShelfError> {
        Err(ShelfError::Missing("what is on paper has no bytes".to_owned()))
    }

    async fn records(
        &self,
        _: &ContainerName,
        _: Option<&BlobName>,
        _: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        Ok(Vec::new())
    }

    async fn space(&self) -> Result<Space, ShelfError> {
        Ok(Space {
            total: 1 << 50,
            free: 1 << 49,
        })
    }
}
