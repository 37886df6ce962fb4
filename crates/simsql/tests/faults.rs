//! Trouble on demand: each fault does what it says, by `EXEC sim_fault` and by a schedule, and what a vault would meet because of
//! it.
//!
//! Expected messages are those of the map of errors: which condition raises which number.

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use simsql::answers::Transcript;
use simsql::faults::parse_file;
use simsql::instance::{Instance, LoginRequest, Settings, Version};
use simsql::memory::Memory;
use simsql::session::Session;
use simsql::value::Value;
use simsql::world::Clock as _;

struct Place {
    memory: Memory,
    instance: Arc<Instance>,
    session: Session,
}

fn settings() -> Settings {
    let mut settings = Settings::new(Version::V2022, "/sql");
    settings.initial_pages = 128;
    settings.sa_password = Some("pw".to_owned());
    settings
}

impl Place {
    /// An instance with the database `Shop` under FULL, a table of three rows, and a full backup.
    fn new() -> Self {
        let memory = Memory::new(11);
        let instance = Instance::start(memory.world.clone(), settings()).unwrap();
        let session = instance.attach("sa").unwrap();
        let mut place = Self {
            memory,
            instance,
            session,
        };
        place.ok("CREATE DATABASE Shop");
        place.ok("CREATE TABLE Shop.dbo.t (id int NOT NULL PRIMARY KEY, what varchar(7000) NULL)");
        place.ok("INSERT INTO Shop.dbo.t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
        place.ok("BACKUP DATABASE Shop TO DISK = '/sql/backup/first.bak'");
        place
    }

    fn run(&mut self, text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        let clock = Arc::clone(&self.memory.clock);
        clock.run_one(self.session.batch(text, &mut [], &mut transcript));
        transcript
    }

    fn ok(&mut self, text: &str) -> Transcript {
        let transcript = self.run(text);
        let errors: Vec<_> = transcript.errors().collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        transcript
    }

    /// The numbers of the errors.
    fn errors(&mut self, text: &str) -> Vec<i32> {
        self.run(text).errors().map(|message| message.number).collect()
    }

    fn fault(&mut self, line: &str) {
        let text = format!("EXEC sim_fault '{}'", line.replace('\'', "''"));
        self.ok(&text);
    }

    /// The one value of a query.
    fn value(&mut self, query: &str) -> Value {
        let transcript = self.ok(query);
        transcript.results[0].rows[0][0].clone()
    }
}

#[test]
fn a_full_disk_refuses_the_backup_and_not_the_database() {
    let mut place = Place::new();
    place.fault("disk full /sql/backup");
    assert_eq!(
        place.errors("BACKUP DATABASE Shop TO DISK = '/sql/backup/b.bak'"),
        [3202, 3013]
    );
    place.ok("INSERT INTO Shop.dbo.t VALUES (4, 'd')");
    place.fault("disk well /sql/backup");
    place.ok("BACKUP DATABASE Shop TO DISK = '/sql/backup/c.bak'");
}

#[test]
fn a_failing_disk_fails_with_its_own_number() {
    let mut place = Place::new();
    place.fault("disk fail /sql/backup 5");
    let transcript = place.run("BACKUP LOG Shop TO DISK = '/sql/backup/l.trn'");
    let first = transcript.errors().next().unwrap();
    assert_eq!(first.number, 3201);
    assert!(
        first.text.contains("Operating system error 5(Access is denied.)"),
        "{}",
        first.text
    );
}

#[test]
fn a_disk_that_cannot_be_read_fails_what_reads_it_and_nothing_is_lost() {
    let mut place = Place::new();
    // Nothing of it is in memory then.
    place.ok("ALTER DATABASE Shop SET OFFLINE");
    place.ok("ALTER DATABASE Shop SET ONLINE");
    place.fault("disk unreadable /sql/data/Shop 1117");
    let transcript = place.run("SELECT COUNT(*) FROM Shop.dbo.t");
    let first = transcript.errors().next().unwrap();
    assert_eq!((first.number, first.class), (823, 24));
    assert!(
        first.text.contains("error 1117") && first.text.contains("/sql/data/Shop"),
        "{}",
        first.text
    );
    // An error of that class ends its session.
    place.session = place.instance.attach("sa").unwrap();
    place.fault("disk well /sql/data/Shop");
    place.ok("BACKUP DATABASE Shop TO DISK = '/sql/backup/read.bak'");
    // Its maps are in memory now, and what they map is read from the disk by every backup.
    place.fault("disk unreadable /sql/data/Shop 1117");
    let backup = place.run("BACKUP DATABASE Shop TO DISK = '/sql/backup/unread.bak'");
    let numbers: Vec<i32> = backup.errors().map(|message| message.number).collect();
    assert_eq!(numbers, [3203, 3013], "{backup:?}");
    place.fault("disk well /sql/data/Shop");
    assert_eq!(place.value("SELECT COUNT(*) FROM Shop.dbo.t"), Value::Integer(3));
    place.fault("disk unreadable /sql/backup 23");
    let verified = place.run("RESTORE VERIFYONLY FROM DISK = '/sql/backup/read.bak'");
    let numbers: Vec<i32> = verified.errors().map(|message| message.number).collect();
    assert_eq!(numbers, [3203, 3013], "{verified:?}");
}

#[test]
fn a_slow_disk_makes_statements_longer() {
    let mut place = Place::new();
    let before = place.memory.clock.uptime();
    place.ok("INSERT INTO Shop.dbo.t VALUES (5, 'e')");
    let quick = place.memory.clock.uptime() - before;
    place.fault("disk slow /sql/data/Shop 200ms");
    let before = place.memory.clock.uptime();
    place.ok("INSERT INTO Shop.dbo.t VALUES (6, 'f')");
    let slow = place.memory.clock.uptime() - before;
    assert!(
        slow >= quick + Duration::from_millis(200),
        "{quick:?}, then {slow:?}"
    );
}

#[test]
fn a_full_log_says_why_and_a_log_backup_frees_it() {
    let mut place = Place::new();
    place.fault("log full Shop");
    let mut last = Vec::new();
    for id in 100..4000 {
        last = place.errors(&format!(
            "INSERT INTO Shop.dbo.t VALUES ({id}, REPLICATE('x', 7000))"
        ));
        if !last.is_empty() {
            break;
        }
    }
    assert_eq!(last, [9002]);
    assert_eq!(
        place.value("SELECT log_reuse_wait_desc FROM sys.databases WHERE name = 'Shop'"),
        Value::Text("LOG_BACKUP".to_owned())
    );
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/l.trn'");
    place.ok("INSERT INTO Shop.dbo.t VALUES (9999, 'room again')");
}

#[test]
fn a_corrupt_page_is_found_by_backup_with_checksum_and_by_checkdb() {
    let mut place = Place::new();
    // The page of the table's first row, by the DMV-free way: %%physloc%% is not simulated, so take the last allocated extent's
    // page.
    let page = first_data_page(&place);
    place.fault(&format!("page corrupt Shop 1 {page}"));
    assert_eq!(
        place.errors("BACKUP DATABASE Shop TO DISK = '/sql/backup/x.bak' WITH CHECKSUM"),
        [3043, 3013]
    );
    assert_eq!(
        place.value("SELECT COUNT(*) FROM msdb.dbo.suspect_pages WHERE event_type = 2"),
        Value::Integer(1)
    );
    assert!(!place.errors("DBCC CHECKDB('Shop') WITH NO_INFOMSGS").is_empty());
    place.ok("BACKUP DATABASE Shop TO DISK = '/sql/backup/y.bak' WITH CHECKSUM, CONTINUE_AFTER_ERROR");
}

/// A data page (type 1) of a user's table (object id from 1,000,000 on) in the primary file, by its header.
fn first_data_page(place: &Place) -> u32 {
    let mut state = place.instance.state();
    let now = place.instance.world.clock.now();
    let engine = state.database_mut("Shop").unwrap().engine.as_mut().unwrap();
    engine.checkpoint(now).unwrap();
    let path = engine.files()[0].physical_name.clone();
    drop(state);
    let bytes = place.memory.disk.bytes(&path).unwrap();
    let is_row_page = |page: &[u8]| {
        page[0] == 1 && page[1] == 1 && u32::from_le_bytes(page[24..28].try_into().unwrap()) >= 1_000_000
    };
    let at = bytes.chunks(8192).position(is_row_page).unwrap();
    u32::try_from(at).unwrap()
}

#[test]
fn a_denied_permission_stops_the_login_and_comes_back() {
    let mut place = Place::new();
    place.ok("CREATE LOGIN app WITH PASSWORD = 'Secret-1'");
    place.ok(
        "USE Shop; CREATE USER app FOR LOGIN app; ALTER ROLE db_backupoperator ADD MEMBER app; USE master",
    );
    let app = place.instance.attach("app").unwrap();
    let sa = std::mem::replace(&mut place.session, app);
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/1.trn'");
    let app = std::mem::replace(&mut place.session, sa);
    place.fault("deny BACKUP LOG to app");
    let sa = std::mem::replace(&mut place.session, app);
    assert_eq!(
        place.errors("BACKUP LOG Shop TO DISK = '/sql/backup/2.trn'"),
        [262, 3013]
    );
    // Faults are for the administrator alone.
    assert_eq!(place.errors("EXEC sim_fault 'allow BACKUP LOG to app'"), [229]);
    let app = std::mem::replace(&mut place.session, sa);
    place.fault("allow BACKUP LOG to app");
    place.session = app;
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/3.trn'");
}

#[test]
fn another_product_takes_a_log_behind_the_vault() {
    let mut place = Place::new();
    let ours = place.value("SELECT MAX(last_lsn) FROM msdb.dbo.backupset WHERE database_name = 'Shop'");
    place.ok("INSERT INTO Shop.dbo.t VALUES (7, 'g')");
    place.fault("backup foreign Shop log /sql/backup/foreign.trn");
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/ours.trn'");
    let name =
        place.value("SELECT TOP 1 name FROM msdb.dbo.backupset WHERE type = 'L' ORDER BY backup_set_id");
    assert_eq!(name, Value::Text("another product".to_owned()));
    // Our log does not begin where our full's log ended: the hole a vault must see.
    let first = place.value("SELECT MAX(first_lsn) FROM msdb.dbo.backupset WHERE type = 'L'");
    assert_ne!(first, ours);
    place.fault("backup foreign Shop full /sql/backup/foreign.bak");
    let base = place.value("SELECT differential_base_guid FROM sys.master_files WHERE database_id = DB_ID('Shop') AND file_id = 1");
    let foreign = place.value(
        "SELECT TOP 1 backup_set_uuid FROM msdb.dbo.backupset WHERE type = 'D' ORDER BY backup_set_id DESC",
    );
    assert_eq!(base, foreign);
}

#[test]
fn databases_are_dropped_renamed_switched_and_mirrored() {
    let mut place = Place::new();
    place.fault("database mirror Shop mirror");
    assert_eq!(
        place.errors("BACKUP DATABASE Shop TO DISK = '/sql/backup/m.bak'"),
        [3059, 3013]
    );
    place.fault("database unmirror Shop");
    place.fault("database simple Shop");
    assert_eq!(
        place.errors("BACKUP LOG Shop TO DISK = '/sql/backup/s.trn'"),
        [4208, 3013]
    );
    let guid = place
        .value("SELECT database_guid FROM sys.database_recovery_status WHERE database_id = DB_ID('Shop')");
    place.fault("database rename Shop [New Shop]");
    assert_eq!(
        place.errors("BACKUP DATABASE Shop TO DISK = '/sql/backup/r.bak'"),
        [911, 3013]
    );
    let same = place.value(
        "SELECT database_guid FROM sys.database_recovery_status WHERE database_id = DB_ID('New Shop')",
    );
    assert_eq!(guid, same);
    place.fault("database drop [New Shop]");
    assert_eq!(place.value("SELECT DB_ID('New Shop')"), Value::Null);
}

#[test]
fn a_database_joins_a_group_whose_role_and_preference_change() {
    let mut place = Place::new();
    place.fault("group join Shop G1");
    let preferred = "SELECT sys.fn_hadr_backup_is_preferred_replica('Shop')";
    place.fault("group preference G1 primary");
    assert_eq!(truth(&place.value(preferred)), Some(true));
    place.fault("group preference G1 secondary_only");
    assert_eq!(truth(&place.value(preferred)), Some(false));
    place.fault("group role G1 secondary");
    assert_eq!(truth(&place.value(preferred)), Some(true));
    // A secondary takes no conventional full backup before 2025, but copy-only ones and logs.
    assert!(
        !place
            .errors("BACKUP DATABASE Shop TO DISK = '/sql/backup/g.bak'")
            .is_empty()
    );
    place.ok("BACKUP DATABASE Shop TO DISK = '/sql/backup/h.bak' WITH COPY_ONLY");
    place.fault("group role G1 primary");
    place.fault("group leave Shop");
    assert_eq!(
        place.value("SELECT group_database_id FROM sys.databases WHERE name = 'Shop'"),
        Value::Null
    );
}

/// 1 and 0, however the type has them.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bit(bit) => Some(*bit),
        Value::Integer(number) => Some(*number == 1),
        _ => None,
    }
}

#[test]
fn the_clock_jumps_and_no_time_passes() {
    let mut place = Place::new();
    let uptime = place.memory.clock.uptime();
    let before = place.value("SELECT GETUTCDATE()");
    place.fault("clock jump -1h");
    let after = place.value("SELECT GETUTCDATE()");
    let (Value::DateTime(before), Value::DateTime(after)) = (before, after) else {
        panic!("two moments");
    };
    let hour = 3600 * 10_000_000;
    let back = (i64::from(before.days) * 24 * hour + before.ticks as i64)
        - (i64::from(after.days) * 24 * hour + after.ticks as i64);
    assert!(
        (hour - 10_000_000..=hour).contains(&back),
        "{back} units of 100 ns back"
    );
    assert!(place.memory.clock.uptime() - uptime < Duration::from_secs(1));
}

#[test]
fn a_rollback_gives_lsns_out_again_under_the_same_fork() {
    let mut place = Place::new();
    place.fault("snapshot before");
    place.ok("INSERT INTO Shop.dbo.t VALUES (8, 'lost')");
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/lost.trn'");
    let fact = "SELECT MAX(last_lsn) FROM msdb.dbo.backupset WHERE type = 'L'";
    let fork =
        "SELECT recovery_fork_guid FROM sys.database_recovery_status WHERE database_id = DB_ID('Shop')";
    let (lost, old_fork) = (place.value(fact), place.value(fork));
    place.fault("rollback before");
    assert_eq!(place.value(fact), Value::Null);
    assert_eq!(place.value(fork), old_fork);
    assert_eq!(place.value("SELECT COUNT(*) FROM Shop.dbo.t"), Value::Integer(3));
    place.ok("INSERT INTO Shop.dbo.t VALUES (9, 'other')");
    place.ok("BACKUP LOG Shop TO DISK = '/sql/backup/other.trn'");
    // Both logs begin at the LSN where the full backup's chain stood.
    let first = place.value("SELECT MAX(first_lsn) FROM msdb.dbo.backupset WHERE type = 'L'");
    assert_ne!(first, Value::Null);
    assert_ne!(lost, Value::Null);
}

#[test]
fn after_a_rollback_the_keys_in_use_are_those_of_the_rows() {
    let mut place = Place::new();
    place.ok("CREATE TABLE Shop.dbo.k (id int NOT NULL PRIMARY KEY)");
    place.ok("INSERT INTO Shop.dbo.k VALUES (1), (2)");
    place.fault("snapshot before");
    place.ok("DELETE FROM Shop.dbo.k WHERE id = 1");
    place.ok("INSERT INTO Shop.dbo.k VALUES (3)");
    place.fault("rollback before");
    let again = place.run("INSERT INTO Shop.dbo.k VALUES (1)");
    assert_eq!(again.errors().next().unwrap().number, 2627, "{again:?}");
    place.ok("INSERT INTO Shop.dbo.k VALUES (3)");
    assert_eq!(place.value("SELECT COUNT(*) FROM Shop.dbo.k"), Value::Integer(3));
}

#[test]
fn a_missing_certificate_and_a_faulty_neighbour() {
    let mut place = Place::new();
    place.ok("CREATE CERTIFICATE backup_cert WITH SUBJECT = 'for backups'");
    place.fault("certificate missing backup_cert");
    assert_eq!(
        place.value("SELECT COUNT(*) FROM sys.certificates WHERE name = 'backup_cert'"),
        Value::Integer(0)
    );
    // A second instance on the same host: one of them is faulty, the other is not.
    let mut other = settings();
    other.directory = "/sql2".to_owned();
    other.instance = Some("SECOND".to_owned());
    let second = Instance::start(place.memory.world.clone(), other).unwrap();
    place.fault("instance faulty");
    let request = LoginRequest {
        user: "sa".to_owned(),
        password: "pw".to_owned(),
        database: String::new(),
        program: "vault".to_owned(),
        host: "vault".to_owned(),
        process: 1,
    };
    let refused = place.instance.connect(&request).err().unwrap();
    assert_eq!(refused.messages[0].number, 17_142);
    assert!(second.connect(&request).is_ok());
    place.fault("instance well");
    assert!(place.instance.connect(&request).is_ok());
}

#[test]
fn a_killed_instance_does_nothing_more_and_recovers() {
    let mut place = Place::new();
    place.run("BEGIN TRAN; INSERT INTO Shop.dbo.t VALUES (50, 'not committed')");
    place.run("EXEC sim_fault 'kill'");
    assert!(place.instance.switches.is_dead());
    assert!(
        !place
            .errors("INSERT INTO Shop.dbo.t VALUES (51, 'nor this')")
            .is_empty()
    );
    let disk = place.memory.disk.after_power_loss(&mut || false);
    let mut memory = Memory::new(12);
    memory.world.disk = Arc::new(disk);
    let instance = Instance::start(memory.world.clone(), settings()).unwrap();
    let session = instance.attach("sa").unwrap();
    let mut again = Place {
        memory,
        instance,
        session,
    };
    assert_eq!(again.value("SELECT COUNT(*) FROM Shop.dbo.t"), Value::Integer(3));
}

#[test]
fn a_schedule_waits_for_its_time() {
    let mut place = Place::new();
    let lines = parse_file("# the network of the vault\nafter 10s database simple Shop\n").unwrap();
    for line in lines {
        place.instance.schedule(line).unwrap();
    }
    let clock = Arc::clone(&place.memory.clock);
    let model = "SELECT recovery_model_desc FROM sys.databases WHERE name = 'Shop'";
    clock.run_one(place.instance.let_faults_happen());
    assert_eq!(place.value(model), Value::Text("FULL".to_owned()));
    clock.advance(Duration::from_secs(10));
    clock.run_one(place.instance.let_faults_happen());
    assert_eq!(place.value(model), Value::Text("SIMPLE".to_owned()));
    assert_eq!(place.errors("EXEC sim_fault 'burn'"), [40_510]);
}
