//! Histories that are longer than one question's answer, from an instance that has nothing but a history.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::Slot;
use catalog::record::{Database, Foreign, Server};
use mssql::connection::{Cancel, Request, Sink};
use mssql::value::{Column, DateTime, Value};
use mssql::{
    Address, Authentication, Canceller, ConnectError, Connection, Connector, Fault, Session, Target,
};
use uuid::Uuid;

use crate::staged::Stage;

/// The columns that are read of `backupset`.
const COLUMNS: [&str; 32] = [
    "backup_set_id",
    "media_set_id",
    "backup_set_uuid",
    "type",
    "backup_start_date",
    "backup_finish_date",
    "database_name",
    "database_guid",
    "name",
    "description",
    "time_zone",
    "user_name",
    "is_copy_only",
    "is_snapshot",
    "is_damaged",
    "has_backup_checksums",
    "has_bulk_logged_data",
    "begins_log_chain",
    "family_guid",
    "server_name",
    "recovery_model",
    "first_lsn",
    "last_lsn",
    "checkpoint_lsn",
    "database_backup_lsn",
    "fork_point_lsn",
    "differential_base_lsn",
    "differential_base_guid",
    "first_recovery_fork_guid",
    "last_recovery_fork_guid",
    "backup_size",
    "compressed_backup_size",
];

/// 100 ns.
const TICKS: u64 = 10_000_000;

/// An instance whose `msdb` has so many rows, the newest last.
#[derive(Clone)]
struct Historian {
    rows: i64,
    /// One line of history of `msdb`: put back and gone on from there, it is another.
    line: u128,
    database: Uuid,
}

impl Historian {
    fn guid(&self, id: i64) -> Uuid {
        Uuid::from_u128(self.line << 64 | u128::try_from(id).unwrap())
    }

    /// A log of the database, taken on the first day of 2026.
    fn row(&self, id: i64) -> Vec<Value> {
        let at = Value::DateTime(DateTime {
            days: 739_616,
            // A second after the other.
            ticks: u64::try_from(id).unwrap() * TICKS,
        });
        let mut row = vec![
            Value::Integer(id),
            Value::Integer(id),
            Value::Guid(self.guid(id)),
            Value::Text("L".to_owned()),
            at.clone(),
            at,
            Value::Text("Shop".to_owned()),
            Value::Guid(self.database),
        ];
        row.resize(COLUMNS.len(), Value::Null);
        row
    }
}

struct Nobody;

impl Cancel for Nobody {
    fn cancel(&self) {}
}

fn answer(sink: &mut dyn Sink, columns: &[&str], rows: impl Iterator<Item = Vec<Value>>) {
    let named = |name: &&str| Column {
        name: (*name).to_owned(),
    };
    sink.columns(columns.iter().map(named).collect());
    for row in rows {
        sink.row(row).unwrap();
    }
    sink.done(None);
}

/// The number behind these words.
fn number(text: &str, words: &str) -> Option<i64> {
    let rest = text.split_once(words)?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[async_trait]
impl Connection for Historian {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        let text = request.text.as_str();
        if text.contains("@@SPID") {
            answer(sink, &["id"], std::iter::once(vec![Value::Integer(60)]));
        } else if let Some(after) = number(text, "backup_set_id > ") {
            let most = number(text, "TOP (").unwrap();
            let ids = after + 1..=self.rows.min(after + most);
            answer(sink, &COLUMNS, ids.map(|id| self.row(id)));
        } else if text.contains("FROM msdb.dbo.backupset AS s") {
            let id = match number(text, "backup_set_id = ") {
                Some(id) => (id <= self.rows).then_some(id),
                None => (self.rows > 0).then_some(1),
            };
            let row = |id: i64| vec![Value::Integer(id), Value::Guid(self.guid(id))];
            answer(
                sink,
                &["backup_set_id", "backup_set_uuid"],
                id.map(row).into_iter(),
            );
        } else if text.contains("backupmediafamily") {
            let columns = [
                "media_set_id",
                "family_sequence_number",
                "physical_device_name",
                "device_type",
            ];
            let ranges = text.split("media_set_id BETWEEN ").skip(1).flat_map(|range| {
                let least = number(&format!("{range} "), "").unwrap();
                least..=number(range, " AND ").unwrap()
            });
            let row = |id: i64| {
                let name = Value::Text(format!("{id}.trn"));
                vec![Value::Integer(id), Value::Integer(1), name, Value::Integer(2)]
            };
            answer(sink, &columns, ranges.map(row));
        }
        Ok(())
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::new(Nobody))
    }

    async fn close(&mut self) {}
}

#[async_trait]
impl Connector for Historian {
    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        Ok(Box::new(self.clone()))
    }
}

#[test]
fn histories_of_many_pages_are_read_to_their_end_and_again_where_msdb_was_put_back() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let id = vault.enrol("sql1").await;
        let guid = Uuid::from_u128(7);
        vault
            .add_database(id, "Shop", |database: &mut Database| {
                database.database_guid = Some(guid);
            })
            .await;
        let read = async |historian: &Historian| {
            let address: Address = "sql1".parse().unwrap();
            let target = Target::new(
                address,
                Authentication::Windows { service: None },
                mssql::Trust::Anyone,
            );
            let mut session = Session::open(historian, &target).await.unwrap();
            let server = vault.get::<Server>(id).await.unwrap().record;
            vault.read_history(&server, &mut session).await.unwrap();
            let read = vault.get::<Server>(id).await.unwrap().record;
            let mut kept = vault
                .list::<Foreign>(Slot::Id, catalog::Range::ALL)
                .await
                .unwrap();
            kept.sort_by_key(|one| one.record.set);
            (
                read.history_read,
                read.history_set,
                kept.len(),
                kept.pop().map(|one| one.record.set),
            )
        };
        // Two pages, one that is full to its last row, and one more.
        let mut historian = Historian {
            rows: 12_001,
            line: 1,
            database: guid,
        };
        let newest = Some(historian.guid(12_001));
        assert_eq!(read(&historian).await, (12_001, newest, 64, newest));
        historian.rows = 20_000 + 12_001;
        let newest = Some(historian.guid(32_001));
        assert_eq!(read(&historian).await, (32_001, newest, 64, newest));
        // Put back, and counted past what was known: the number is there, and is another set's.
        historian.line = 2;
        historian.rows = 32_002;
        let newest = Some(historian.guid(32_002));
        let again = read(&historian).await;
        assert_eq!(again, (32_002, newest, 64, newest));
        let of_line = |kept: Vec<catalog::Versioned<Foreign>>| {
            kept.iter()
                .filter(|one| one.record.set.as_u128() >> 64 == 2)
                .count()
        };
        let kept = vault
            .list::<Foreign>(Slot::Id, catalog::Range::ALL)
            .await
            .unwrap();
        assert!(
            of_line(kept) > 1,
            "what lies before the known number was read again"
        );
    });
}

#[test]
fn of_databases_that_are_not_there_a_bounded_number_of_sets_is_kept() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let id = vault.enrol("sql1").await;
        for line in 1..=2 {
            let historian = Historian {
                rows: 1_001,
                line,
                database: Uuid::from_u128(7),
            };
            let address: Address = "sql1".parse().unwrap();
            let login = Authentication::Windows { service: None };
            let target = Target::new(address, login, mssql::Trust::Anyone);
            let mut session = Session::open(&historian, &target).await.unwrap();
            let server = vault.get::<Server>(id).await.unwrap().record;
            vault.read_history(&server, &mut session).await.unwrap();
            let kept = vault
                .list::<Foreign>(Slot::Id, catalog::Range::ALL)
                .await
                .unwrap();
            assert_eq!(kept.len(), 1_000);
        }
    });
}
