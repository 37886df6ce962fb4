//! RESTORE of the simulation's own backups: what comes back is what was there, and what SQL Server refuses is refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod restoring;

use restoring::{Bench, cell, statement, word};
use simsql::instance::server::Certificate;
use simsql::instance::{DatabaseState, Instance, Version};
use simsql::tsql::restore::{RestoreStatement, RestoreWhat, StopOption};
use simsql::value::Value;

fn database(name: &str, path: &str) -> RestoreStatement {
    statement(RestoreWhat::Database, Some(name), &[path])
}

fn log(name: &str, path: &str) -> RestoreStatement {
    statement(RestoreWhat::Log, Some(name), &[path])
}

fn finish(name: &str) -> RestoreStatement {
    statement(RestoreWhat::Database, Some(name), &[])
}

trait With {
    fn norecovery(self) -> Self;
    fn replace(self) -> Self;
    fn moved(self, copy: &str) -> Self;
    fn stop_at(self, time: &str) -> Self;
    fn stop_at_mark(self, mark: &str) -> Self;
}

impl With for RestoreStatement {
    fn norecovery(mut self) -> Self {
        self.options.norecovery = true;
        self
    }

    fn replace(mut self) -> Self {
        self.options.replace = true;
        self
    }

    fn moved(mut self, copy: &str) -> Self {
        for (logical, extension) in [("Shop", "mdf"), ("Shop_log", "ldf")] {
            let path = format!("/sim/data/{copy}.{extension}");
            self.options.moves.push((word(logical), word(&path)));
        }
        self
    }

    fn stop_at(mut self, time: &str) -> Self {
        self.options.stop = Some(StopOption::At(word(time)));
        self
    }

    fn stop_at_mark(mut self, mark: &str) -> Self {
        self.options.stop = Some(StopOption::AtMark(word(mark), None));
        self
    }
}

/// A database with a full backup, a log, a differential one and a second log, and rows of its own before each.
struct Chain {
    bench: Bench,
    /// The server's clock behind each of the four sets of rows.
    times: Vec<String>,
}

impl Chain {
    fn new() -> Self {
        let mut bench = Bench::new(Version::V2022);
        bench.make_shop();
        let mut times = Vec::new();
        for (number, kind) in ["full", "log", "diff", "log"].into_iter().enumerate() {
            bench.add_rows(&format!("before {number}"), 40);
            bench.pass(60);
            times.push(bench.time());
            bench.pass(60);
            bench.back_up(kind, &[&format!("{number}.bak")], |_| {});
        }
        Self { bench, times }
    }

    /// How many rows of each set a database has.
    fn rows(&self, name: &str) -> [usize; 4] {
        let rows = self.bench.rows(name);
        [0, 1, 2, 3].map(|number| {
            let text = format!("before {number}");
            rows.iter().filter(|row| **row == text).count()
        })
    }
}

#[test]
fn a_full_backup_comes_back_under_another_name_in_the_order_of_messages() {
    let mut chain = Chain::new();
    let mut restore = database("Copy", "0.bak").moved("copy");
    restore.options.stats = Some(50);
    let (transcript, done) = chain.bench.run(&restore);
    assert_eq!(done, Ok(()));
    let numbers: Vec<i32> = transcript.messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers.last(), Some(&3014));
    assert_eq!(&numbers[numbers.len() - 3..numbers.len() - 1], [4035, 4035]);
    assert_eq!(numbers[numbers.len() - 4], 3211);
    let texts: Vec<&str> = transcript
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    assert!(texts.contains(&"100 percent processed."));
    let pages: u64 = texts
        .iter()
        .filter(|text| text.starts_with("Processed "))
        .map(|text| text.split(' ').nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    let success = format!("RESTORE DATABASE successfully processed {pages} pages in ");
    assert!(texts.last().unwrap().starts_with(&success), "{texts:?}");
    assert_eq!(chain.rows("Copy"), [40, 0, 0, 0]);
    assert_eq!(chain.rows("Shop"), [40; 4]);
    let (copy, shop) = (chain.bench.boot("Copy"), chain.bench.boot("Shop"));
    assert_eq!(copy.family_guid, shop.family_guid);
    assert_ne!(copy.binding_id, shop.binding_id);
    assert_ne!(copy.recovery_fork, shop.recovery_fork);
    assert_eq!(copy.name, "Copy");
    chain.bench.check("Copy");
    // It is a database like any other: rows go in, and it can be backed up.
    chain.bench.add_rows_to("Copy", "later", 5);
    chain
        .bench
        .back_up("full", &["copy.bak"], |order| order.database = word("Copy"));
    chain.bench.does(&database("Third", "copy.bak").moved("third"));
    assert!(chain.bench.rows("Third").contains(&"later".to_owned()));
}

#[test]
fn a_whole_chain_is_rolled_forward() {
    let mut chain = Chain::new();
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Restoring);
    // The second log does not join yet.
    assert_eq!(chain.bench.fails(&log("Copy", "3.bak")), [4305, 3013]);
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Restoring);
    let numbers = chain.bench.does(&log("Copy", "1.bak").norecovery());
    assert_eq!(numbers, [4035, 4035, 3014]);
    assert_eq!(
        chain.bench.fails(&log("Copy", "1.bak").norecovery()),
        [4326, 3013]
    );
    chain.bench.does(&log("Copy", "3.bak"));
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Online);
    assert_eq!(chain.rows("Copy"), [40; 4]);
    chain.bench.check("Copy");
    assert_eq!(chain.bench.fails(&log("Copy", "3.bak")), [3117, 3013]);
    assert_eq!(chain.bench.fails(&finish("Copy")), [3153, 3013]);
}

#[test]
fn a_differential_takes_the_place_of_logs() {
    let mut chain = Chain::new();
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    chain.bench.does(&database("Copy", "2.bak").norecovery());
    // The first log is behind, the second goes on.
    assert_eq!(chain.bench.fails(&log("Copy", "1.bak")), [4326, 3013]);
    chain.bench.does(&log("Copy", "3.bak").norecovery());
    chain.bench.does(&finish("Copy"));
    assert_eq!(chain.rows("Copy"), [40; 4]);
    chain.bench.check("Copy");
}

#[test]
fn a_differential_of_another_base_is_refused() {
    let mut chain = Chain::new();
    chain.bench.back_up("full", &["newer.bak"], |_| {});
    chain
        .bench
        .does(&database("Copy", "newer.bak").moved("copy").norecovery());
    assert_eq!(chain.bench.fails(&database("Copy", "2.bak")), [3136, 3013]);
    chain
        .bench
        .back_up("full", &["only.bak"], |order| order.options.copy_only = true);
    chain
        .bench
        .does(&database("Other", "only.bak").moved("other").norecovery());
    assert_eq!(chain.bench.fails(&database("Other", "2.bak")), [3136, 3013]);
}

#[test]
fn a_stop_is_met_between_two_commits() {
    let mut chain = Chain::new();
    let times = chain.times.clone();
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    // The first log ends with the commit before that moment: only the next one shows that nothing else was before it.
    let numbers = chain.bench.does(&log("Copy", "1.bak").stop_at(&times[1]));
    assert!(numbers.contains(&4322), "{numbers:?}");
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Restoring);
    assert_eq!(
        chain.bench.fails(&log("Copy", "3.bak").stop_at(&times[0])),
        [4335, 3013]
    );
    let numbers = chain.bench.does(&log("Copy", "3.bak").stop_at(&times[1]));
    assert!(!numbers.contains(&4322), "{numbers:?}");
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Online);
    assert_eq!(chain.rows("Copy"), [40, 40, 0, 0]);

    chain
        .bench
        .does(&database("Later", "0.bak").moved("later").norecovery());
    chain.bench.does(&log("Later", "1.bak").stop_at(&times[2]));
    chain.bench.does(&log("Later", "3.bak").stop_at(&times[2]));
    assert_eq!(chain.rows("Later"), [40, 40, 40, 0]);
    assert_eq!(chain.bench.state("Later"), DatabaseState::Online);
    // The full backup ended later than the first moment.
    assert_eq!(
        chain
            .bench
            .fails(&database("Early", "0.bak").moved("early").stop_at(&times[0])),
        [4338, 3013]
    );
}

#[test]
fn a_stop_at_an_lsn_in_both_forms() {
    for hexadecimal in [false, true] {
        let mut chain = Chain::new();
        let ask = statement(RestoreWhat::HeaderOnly, None, &["1.bak"]);
        let (transcript, done) = chain.bench.run(&ask);
        done.unwrap();
        let Value::Decimal(last) = cell(&transcript, 0, "LastLSN").clone() else {
            panic!("an LSN")
        };
        let lsn = bak::Lsn::from_decimal(last.unscaled.unsigned_abs()).unwrap();
        let mark = if hexadecimal {
            format!("lsn:0x{:08x}:{:08x}:{:04x}", lsn.vlf, lsn.block, lsn.slot)
        } else {
            format!("lsn:{lsn}")
        };
        chain
            .bench
            .does(&database("Copy", "0.bak").moved("copy").norecovery());
        // The end of the first log is the beginning of the next one.
        let numbers = chain.bench.does(&log("Copy", "1.bak").stop_at_mark(&mark));
        assert!(numbers.contains(&4329), "{numbers:?}");
        chain.bench.does(&log("Copy", "3.bak").stop_at_mark(&mark));
        assert_eq!(chain.rows("Copy"), [40, 40, 0, 0]);
    }
}

#[test]
fn standby_lets_readers_in_and_goes_on() {
    let mut chain = Chain::new();
    let mut full = database("Copy", "0.bak").moved("copy");
    full.options.standby = Some(word("/sim/data/copy.undo"));
    chain.bench.does(&full);
    assert_eq!(chain.rows("Copy"), [40, 0, 0, 0]);
    let mut first = log("Copy", "1.bak");
    first.options.standby = Some(word("/sim/data/copy.undo"));
    chain.bench.does(&first);
    assert_eq!(chain.rows("Copy"), [40, 40, 0, 0]);
    {
        let state = chain.bench.instance.state();
        let entry = state.database("Copy").unwrap();
        assert_eq!(entry.standby.as_deref(), Some("/sim/data/copy.undo"));
    }
    chain.bench.does(&log("Copy", "3.bak"));
    assert_eq!(chain.rows("Copy"), [40; 4]);
    let state = chain.bench.instance.state();
    let entry = state.database("Copy").unwrap();
    assert_eq!((entry.standby.as_deref(), entry.is_read_only), (None, false));
}

#[test]
fn a_database_is_replaced_only_by_the_rules() {
    let mut chain = Chain::new();
    // The tail of its log was not backed up.
    assert_eq!(chain.bench.fails(&database("Shop", "0.bak")), [3159, 3013]);
    assert_eq!(chain.rows("Shop"), [40; 4]);
    chain.bench.does(&database("Copy", "0.bak").moved("copy"));
    // A copy has the family of its source, and another name.
    let fails = chain.bench.fails(&database("Copy", "0.bak"));
    assert_eq!(fails[1..], [3013], "{fails:?}");
    chain.bench.make_database("Stranger");
    assert_eq!(
        chain
            .bench
            .fails(&database("Stranger", "0.bak").moved("stranger")),
        [3154, 3013]
    );
    chain
        .bench
        .does(&database("Stranger", "0.bak").moved("stranger").replace());
    assert_eq!(chain.rows("Stranger"), [40, 0, 0, 0]);
    chain.bench.does(&database("Shop", "0.bak").replace());
    assert_eq!(chain.rows("Shop"), [40, 0, 0, 0]);
    // Its files are Shop's: without MOVE nobody else gets them.
    assert_eq!(
        chain.bench.fails(&database("Fourth", "0.bak")),
        [1834, 3156, 1834, 3156, 3119, 3013]
    );
    assert!(chain.bench.instance.state().database("Fourth").is_none());
}

#[test]
fn paths_are_looked_at_before_anything_changes() {
    let mut chain = Chain::new();
    let mut nowhere = database("Copy", "0.bak").moved("copy");
    nowhere.options.moves[0].1 = word("/no/such/directory/copy.mdf");
    assert_eq!(chain.bench.fails(&nowhere), [5133, 3156, 3119, 3013]);
    let mut twice = database("Copy", "0.bak").moved("copy");
    twice.options.moves[1].1 = word("/sim/data/copy.mdf");
    assert_eq!(chain.bench.fails(&twice), [3176, 3119, 3013]);
    let mut unknown = database("Copy", "0.bak").moved("copy");
    unknown.options.moves[0].0 = word("Shoe");
    assert_eq!(chain.bench.fails(&unknown), [3234, 3013]);
    chain.bench.memory.disk.put("/sim/data/copy.mdf", vec![0; 10]);
    let there = database("Copy", "0.bak").moved("copy");
    assert_eq!(chain.bench.fails(&there), [3142, 3119, 3013]);
    chain.bench.does(&there.replace());
    let disk = &chain.bench.memory.disk;
    disk.set_capacity(1 << 20);
    let full = database("Other", "0.bak").moved("other");
    assert_eq!(chain.bench.fails(&full), [3257, 3119, 3013]);
}

#[test]
fn media_that_are_none() {
    let mut chain = Chain::new();
    let bench = &mut chain.bench;
    assert_eq!(bench.fails(&database("Copy", "none.bak")), [3201, 3013]);
    bench.memory.disk.put("/sim/backup/empty.bak", Vec::new());
    assert_eq!(bench.fails(&database("Copy", "empty.bak")), [3254, 3013]);
    bench.memory.disk.put("/sim/backup/text.bak", vec![b'x'; 20_000]);
    assert_eq!(bench.fails(&database("Copy", "text.bak")), [3242, 3013]);
    let page = bench.memory.disk.bytes("/sim/data/Shop.mdf").unwrap();
    bench.memory.disk.put("/sim/backup/data.bak", page);
    assert_eq!(bench.fails(&database("Copy", "data.bak")), [3241, 3013]);
    let whole = bench.memory.disk.bytes("/sim/backup/0.bak").unwrap();
    let half = whole.len() / 2 / 65_536 * 65_536;
    bench
        .memory
        .disk
        .put("/sim/backup/killed.bak", whole[..half].to_vec());
    assert_eq!(bench.fails(&database("Copy", "killed.bak")), [3256, 3013]);
    bench
        .memory
        .disk
        .put("/sim/backup/cut.bak", whole[..half + 100].to_vec());
    assert_eq!(bench.fails(&database("Copy", "cut.bak")), [3203, 3013]);
    let mut second = database("Copy", "0.bak");
    second.options.file = Some(word("2"));
    assert_eq!(bench.fails(&second), [4038, 3013]);
    assert_eq!(bench.fails(&log("Copy", "0.bak")), [3135, 3013]);
    assert_eq!(bench.fails(&database("Copy", "1.bak")), [3135, 3013]);
    assert_eq!(bench.fails(&log("Copy", "1.bak")), [3118, 3013]);
    assert_eq!(bench.fails(&database("master", "0.bak")), [3108, 3013]);
    assert_eq!(bench.fails(&database("tempdb", "0.bak")), [3147, 3013]);
    let header = statement(RestoreWhat::HeaderOnly, None, &["killed.bak"]);
    let (transcript, done) = bench.run(&header);
    assert_eq!(done, Ok(()));
    assert_eq!(
        cell(&transcript, 0, "BackupName"),
        &Value::from("*** INCOMPLETE ***")
    );
}

#[test]
fn checksums_are_looked_at_and_damage_is_told() {
    let mut chain = Chain::new();
    let bench = &mut chain.bench;
    let mut with = database("Copy", "0.bak").moved("copy");
    with.options.checksum = Some(true);
    assert_eq!(bench.fails(&with), [3187, 3013]);
    bench.back_up("full", &["sum.bak"], |order| order.options.checksum = Some(true));
    let mut bytes = bench.memory.disk.bytes("/sim/backup/sum.bak").unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bench.memory.disk.put("/sim/backup/bad.bak", bytes);
    let verify = |path: &str| statement(RestoreWhat::VerifyOnly, None, &[path]);
    assert_eq!(bench.does(&verify("sum.bak")), [3262]);
    assert_eq!(bench.fails(&verify("bad.bak")).last(), Some(&3013));
    let mut bad = database("Copy", "bad.bak").moved("copy");
    assert_eq!(bench.fails(&bad), [3183, 3013]);
    // What it began stays.
    assert_eq!(bench.state("Copy"), DatabaseState::Restoring);
    assert_eq!(bench.fails(&finish("Copy")), [4319, 3013]);
    bad.options.continue_after_error = true;
    let numbers = bench.does(&bad);
    assert!(numbers.contains(&3184), "{numbers:?}");
}

#[test]
fn stripes_compression_and_a_second_set_of_the_media() {
    let mut bench = Bench::new(Version::V2019);
    bench.make_shop();
    bench.add_rows("before 0", 100);
    let striped = ["a.bak", "b.bak", "c.bak"];
    bench.back_up("full", &striped, |order| order.options.compression = Some(true));
    bench.add_rows("before 1", 100);
    bench.back_up("log", &striped, |_| {});
    let mut full = statement(RestoreWhat::Database, Some("Copy"), &["c.bak", "a.bak", "b.bak"]);
    assert_eq!(
        bench.fails(&statement(
            RestoreWhat::Database,
            Some("Copy"),
            &["a.bak", "b.bak"]
        )),
        [3132, 3013]
    );
    full = full.moved("copy").norecovery();
    bench.does(&full);
    let mut second = statement(RestoreWhat::Log, Some("Copy"), &striped);
    second.options.file = Some(word("2"));
    bench.does(&second);
    assert_eq!(bench.rows("Copy").len(), 200);
    bench.check("Copy");
    let headers = statement(RestoreWhat::HeaderOnly, None, &striped);
    let (transcript, done) = bench.run(&headers);
    assert_eq!(done, Ok(()));
    assert_eq!(transcript.results[0].rows.len(), 2);
    assert_eq!(cell(&transcript, 1, "BeginsLogChain"), &Value::Bit(true));
}

#[test]
fn columns_follow_the_version() {
    for (version, headers, files) in [
        (Version::V2012, 53, 21),
        (Version::V2014, 56, 21),
        (Version::V2016, 56, 22),
        (Version::V2022, 59, 22),
    ] {
        let mut bench = Bench::new(version);
        bench.make_shop();
        bench.back_up("full", &["a.bak"], |_| {});
        let count = |bench: &mut Bench, what| {
            let (transcript, done) = bench.run(&statement(what, None, &["a.bak"]));
            assert_eq!(done, Ok(()));
            transcript.results[0].columns.len()
        };
        assert_eq!(count(&mut bench, RestoreWhat::HeaderOnly), headers, "{version:?}");
        assert_eq!(count(&mut bench, RestoreWhat::FileListOnly), files, "{version:?}");
        assert_eq!(count(&mut bench, RestoreWhat::LabelOnly), 13, "{version:?}");
    }
}

#[test]
fn a_newer_backup_is_refused_and_an_older_one_upgraded() {
    let mut old = Bench::new(Version::V2016);
    old.make_shop();
    old.back_up("full", &["a.bak"], |_| {});
    let mut new = Bench::new(Version::V2022);
    new.make_shop();
    new.back_up("full", &["a.bak"], |_| {});
    let (older, newer) = (
        old.memory.disk.bytes("/sim/backup/a.bak").unwrap(),
        new.memory.disk.bytes("/sim/backup/a.bak").unwrap(),
    );
    old.memory.disk.put("/sim/backup/newer.bak", newer);
    assert_eq!(
        old.fails(&database("Copy", "newer.bak").moved("copy")),
        [3169, 3013]
    );
    new.memory.disk.put("/sim/backup/older.bak", older);
    let mut standby = database("Copy", "older.bak").moved("copy");
    standby.options.standby = Some(word("/sim/data/undo"));
    assert_eq!(new.fails(&standby), [3180, 3013]);
    let numbers = new.does(&database("Copy", "older.bak").moved("copy"));
    assert!(numbers.contains(&951), "{numbers:?}");
    assert_eq!(new.boot("Copy").version, 957);
}

#[test]
fn exclusive_access_and_permission() {
    let mut chain = Chain::new();
    let mut other = chain.bench.instance.attach("sa").unwrap();
    simsql::instance::access::enter(&mut other, "Shop").unwrap();
    assert_eq!(
        chain.bench.fails(&database("Shop", "0.bak").replace()),
        [3101, 3013]
    );
    assert_eq!(chain.rows("Shop"), [40; 4]);
    simsql::instance::access::enter(&mut other, "master").unwrap();
    let own = &mut chain.bench.session;
    simsql::instance::access::enter(own, "Shop").unwrap();
    assert_eq!(
        chain.bench.fails(&database("Shop", "0.bak").replace()),
        [3102, 3013]
    );
    simsql::instance::access::enter(&mut chain.bench.session, "master").unwrap();
    chain.bench.session.nesting = 1;
    assert_eq!(chain.bench.fails(&database("Shop", "0.bak")), [3021, 3013]);
    chain.bench.session.nesting = 0;
    chain.bench.session.login = "nobody".to_owned();
    assert_eq!(chain.bench.fails(&database("Shop", "0.bak")), [3110, 3013]);
    let looking = statement(RestoreWhat::HeaderOnly, None, &["0.bak"]);
    assert_eq!(chain.bench.fails(&looking), [262, 3013]);
    chain.bench.session.login = "sa".to_owned();
    {
        let mut state = chain.bench.instance.state();
        let guid = uuid::Uuid::from_u128(1);
        state.database_mut("Shop").unwrap().mirroring = Some((guid, true));
    }
    assert_eq!(chain.bench.fails(&database("Shop", "0.bak")), [3104, 3013]);
}

#[test]
fn a_restart_keeps_what_is_restoring_and_roll_forward_goes_on() {
    let mut chain = Chain::new();
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    chain.bench.does(&log("Copy", "1.bak").norecovery());
    chain.bench.instance.stop();
    let settings = chain.bench.instance.settings.clone();
    chain.bench.instance = Instance::start(chain.bench.memory.world.clone(), settings).unwrap();
    chain.bench.session = chain.bench.instance.attach("sa").unwrap();
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Restoring);
    chain.bench.does(&log("Copy", "3.bak"));
    assert_eq!(chain.rows("Copy"), [40; 4]);
    chain.bench.check("Copy");
}

#[test]
fn forks_are_kept_apart() {
    let mut chain = Chain::new();
    // A copy that was recovered early goes another way; its log fits no database of the first path that is already beyond.
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    chain.bench.does(&log("Copy", "1.bak"));
    chain.bench.add_rows_to("Copy", "fork", 10);
    chain
        .bench
        .back_up("full", &["fork.bak"], |order| order.database = word("Copy"));
    chain.bench.add_rows_to("Copy", "fork", 10);
    chain
        .bench
        .back_up("log", &["forklog.bak"], |order| order.database = word("Copy"));
    chain
        .bench
        .does(&database("Other", "0.bak").moved("other").norecovery());
    chain.bench.does(&log("Other", "1.bak").norecovery());
    chain.bench.does(&log("Other", "3.bak").norecovery());
    let (_, done) = chain.bench.run(&log("Other", "forklog.bak").norecovery());
    let number = done.unwrap_err().messages[0].number;
    assert!([4330, 4326, 4305].contains(&number), "{number}");
    // The fork's own chain holds together.
    chain
        .bench
        .does(&database("Third", "fork.bak").moved("third").norecovery());
    chain.bench.does(&log("Third", "forklog.bak"));
    let rows = chain.bench.rows("Third");
    assert_eq!(rows.iter().filter(|row| *row == "fork").count(), 20);
    assert_eq!(chain.rows("Third"), [40, 40, 0, 0]);
}

#[test]
fn the_history_says_what_was_restored() {
    let mut chain = Chain::new();
    let times = chain.times.clone();
    chain
        .bench
        .does(&database("Copy", "0.bak").moved("copy").norecovery());
    chain.bench.does(&log("Copy", "1.bak").norecovery());
    chain.bench.does(&log("Copy", "3.bak").stop_at(&times[1]));
    let rows = chain.bench.msdb("restorehistory");
    assert_eq!(rows.len(), 3);
    let of = |row: usize, column: &str| {
        rows[row]
            .iter()
            .find(|(name, _)| name == column)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(of(0, "restore_type"), Value::from("D"));
    assert_eq!(of(0, "recovery"), Value::Bit(false));
    assert_eq!(of(2, "restore_type"), Value::from("L"));
    assert_eq!(of(2, "recovery"), Value::Bit(true));
    assert_ne!(of(2, "stop_at"), Value::Null);
    assert_eq!(of(2, "destination_database_name"), Value::from("Copy"));
    // Sets that this server made are not written down twice.
    assert_eq!(chain.bench.msdb("backupset").len(), 4);
    assert_eq!(chain.bench.msdb("restorefile").len(), 6);
    let logged: Vec<i32> = {
        let state = chain.bench.instance.state();
        state
            .error_log
            .iter()
            .map(|(_, message)| message.number)
            .collect()
    };
    assert!(logged.contains(&18_267) && logged.contains(&18_268), "{logged:?}");
    // Another server's media leave their rows.
    let bytes = chain.bench.memory.disk.bytes("/sim/backup/0.bak").unwrap();
    let mut stranger = Bench::new(Version::V2022);
    stranger.memory.disk.put("/sim/backup/0.bak", bytes);
    stranger.does(&database("Copy", "0.bak").moved("copy"));
    let sets = stranger.msdb("backupset");
    assert_eq!(sets.len(), 1);
    assert_eq!(stranger.msdb("backupfile").len(), 2);
}

#[test]
fn a_cancelled_restore_leaves_the_database_restoring() {
    let mut chain = Chain::new();
    let canceller = chain.bench.session.canceller.clone();
    let clock = std::sync::Arc::clone(&chain.bench.memory.clock);
    let statement = database("Copy", "0.bak").moved("copy");
    let mut transcript = simsql::answers::Transcript::default();
    let world = chain.bench.memory.world.clone();
    let instance = std::sync::Arc::clone(&chain.bench.instance);
    let session = &mut chain.bench.session;
    let work: std::pin::Pin<Box<dyn Future<Output = bool>>> = Box::pin(async {
        let done = simsql::restore::run(session, &statement, &mut transcript).await;
        done.is_err_and(|failure| failure.messages.is_empty())
    });
    let stop: std::pin::Pin<Box<dyn Future<Output = bool>>> = Box::pin(async move {
        // As soon as the entry is there.
        while instance.state().database("Copy").is_none() {
            world.clock.sleep(std::time::Duration::ZERO).await;
        }
        canceller.cancel();
        true
    });
    assert_eq!(clock.run(vec![work, stop]), [true, true]);
    assert_eq!(chain.bench.state("Copy"), DatabaseState::Restoring);
    chain.bench.session.canceller.reset();
    chain.bench.does(&database("Copy", "0.bak").moved("copy"));
    assert_eq!(chain.rows("Copy"), [40, 0, 0, 0]);
}

#[test]
fn an_encrypted_database_needs_its_certificate_where_it_is_restored() {
    let mut source = Bench::new(Version::V2022);
    source.make_shop();
    let certificate = Certificate {
        subject: "shop".to_owned(),
        thumbprint: "0123456789ABCDEF0123456789ABCDEF01234567".to_owned(),
        created: source.instance.world.clock.now(),
        key_backup: None,
    };
    {
        let mut state = source.instance.state();
        state
            .server
            .certificates
            .insert("ShopCertificate".to_owned(), certificate.clone());
        let entry = state.database_mut("Shop").unwrap();
        entry.encryption_certificate = Some("ShopCertificate".to_owned());
    }
    source.back_up("full", &["0.bak"], |_| {});
    let mut target = Bench::new(Version::V2022);
    let bytes = source.memory.disk.bytes("/sim/backup/0.bak").unwrap();
    target.memory.disk.put("/sim/backup/0.bak", bytes);
    let list = statement(RestoreWhat::FileListOnly, None, &["0.bak"]);
    let (transcript, done) = target.run(&list);
    assert_eq!(done, Ok(()));
    let Value::Bytes(thumbprint) = cell(&transcript, 0, "TDEThumbprint") else {
        panic!("a thumbprint")
    };
    assert_eq!(thumbprint[..3], [0x01, 0x23, 0x45]);
    let restore = database("Copy", "0.bak").moved("copy");
    let (_, done) = target.run(&restore);
    let failure = done.unwrap_err();
    assert_eq!(
        failure.messages[0].text,
        "Cannot find server certificate with thumbprint '0x0123456789ABCDEF0123456789ABCDEF01234567'."
    );
    target
        .instance
        .state()
        .server
        .certificates
        .insert("Imported".to_owned(), certificate);
    target.does(&restore);
    let state = target.instance.state();
    let entry = state.database("Copy").unwrap();
    assert_eq!(entry.encryption_certificate.as_deref(), Some("Imported"));
}

#[test]
fn a_batch_restores_from_a_variable() {
    let mut bench = Bench::new(Version::V2019);
    bench.make_shop();
    bench.back_up("full", &["0.bak"], |_| {});
    let text = "DECLARE @from nvarchar(100) = N'0.bak'; RESTORE HEADERONLY FROM DISK = @from;";
    let mut answers = simsql::answers::Transcript::default();
    let clock = std::sync::Arc::clone(&bench.memory.clock);
    clock.run_one(bench.session.batch(text, &mut [], &mut answers));
    assert_eq!(answers.errors().count(), 0, "{:?}", answers.messages);
    assert_eq!(cell(&answers, 0, "DatabaseName"), &Value::from("Shop"));
    assert_eq!(answers.counts.last(), Some(&Some(1)));
}
