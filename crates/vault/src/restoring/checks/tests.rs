//! Each thing that speaks against a restore, and each that does not.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{Allowed, Place, Point, RestoreEnd, SecretId, Server, ServerId, ServerState};
use faults::{Code, Fault};
use jiff::Timestamp;
use mssql::databases::{Access, Chain, Database, File, RecoveryModel, State};
use mssql::facts::{Facts, Paths, Platform, Rights};
use mssql::value::{DateTime, Moment};
use mssql::{Build, Edition};
use uuid::Uuid;

use super::super::files::SourceFile;
use super::super::paths::PlacedFile;
use super::super::target::{PathSeen, TargetSeen};
use super::{Case, Judged, judge};
use crate::points::tests::full_point;
use crate::staged::server;

/// A case in which nothing speaks against the restore, to be changed.
struct Stage {
    server: Server,
    place: Place,
    source: &'static str,
    seen: TargetSeen,
    point: Point,
    files: Vec<PlacedFile>,
    paths: BTreeMap<String, PathSeen>,
}

const FREE: PathSeen = PathSeen {
    is_file: false,
    is_directory: false,
    has_parent: true,
};

const MIDNIGHT: DateTime = DateTime {
    days: 739_000,
    ticks: 0,
};

fn facts() -> Facts {
    Facts {
        server_name: "SQL1".to_owned(),
        machine_name: "SQL1".to_owned(),
        physical_name: None,
        instance_name: None,
        build: Build::new(16, 0, 4165, 4),
        level: None,
        update_level: None,
        edition_name: "Developer Edition (64-bit)".to_owned(),
        edition: Edition::new(3, "Developer Edition (64-bit)"),
        banner: String::new(),
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        is_clustered: false,
        is_hadr_enabled: false,
        is_single_user: false,
        paths: Paths::default(),
        platform: Platform::Linux,
        now: Moment {
            utc: MIDNIGHT,
            offset_minutes: 0,
        },
        started: None,
        rights: Rights::default(),
    }
}

fn file(id: i32, path: &str) -> File {
    File {
        id,
        kind: i32::from(id == 2),
        logical_name: format!("shop{id}"),
        physical_name: path.to_owned(),
        size: 1000,
        differential_base_lsn: None,
        differential_base_guid: None,
        differential_base_time: None,
        redo_start_lsn: None,
        redo_start_fork: None,
    }
}

fn database() -> Database {
    Database {
        id: 5,
        name: "Shop".to_owned(),
        snapshot_of: None,
        created: MIDNIGHT,
        state: State::Online,
        recovery_model: RecoveryModel::Full,
        access: Access::Multi,
        is_read_only: false,
        is_in_standby: false,
        is_auto_close: false,
        is_closed: false,
        compatibility_level: 160,
        collation: None,
        page_verify: "CHECKSUM".to_owned(),
        log_reuse_wait: "NOTHING".to_owned(),
        is_encrypted: false,
        is_cdc_enabled: false,
        is_published: false,
        replica: None,
        group_database: None,
        is_preferred_replica: None,
        mirroring: None,
        mirroring_role: None,
        may_enter: true,
        may_back_up: true,
        may_back_up_log: true,
        chain: Some(Chain {
            database_guid: Some(Uuid::from_u128(1)),
            family_guid: Some(Uuid::from_u128(1)),
            last_log_backup_lsn: Some("34000000004500001".parse().unwrap()),
            recovery_fork: None,
            first_recovery_fork: None,
            fork_point: None,
        }),
        files: vec![file(1, "/data/shop.mdf"), file(2, "/log/shop.ldf")],
    }
}

impl Stage {
    fn new() -> Self {
        let placed = |id: u32, path: &str| PlacedFile {
            file: SourceFile {
                id,
                unique: None,
                logical: format!("shop{id}"),
                path: path.to_owned(),
                is_log: id == 2,
                size: 1000,
            },
            path: path.to_owned(),
        };
        let mut point = full_point();
        point.set.software_version = "16.0.4165".to_owned();
        Self {
            server: server(
                ServerId(Uuid::from_u128(9)),
                "sql1",
                Timestamp::UNIX_EPOCH,
                SecretId(Uuid::nil()),
            ),
            place: Place::new(ServerId(Uuid::from_u128(9)), "Shop"),
            source: "Shop",
            seen: TargetSeen {
                facts: facts(),
                database: None,
                is_shipped: Some(false),
                sessions: Vec::new(),
                taken: BTreeMap::from([("/data/other.mdf".to_owned(), "Other".to_owned())]),
                volumes: BTreeMap::from([("/".to_owned(), 1_000_000)]),
                thumbprints: Some(BTreeSet::from(["0A0B".to_owned()])),
            },
            point,
            files: vec![placed(1, "/data/shop.mdf"), placed(2, "/log/shop.ldf")],
            paths: BTreeMap::from([
                ("/data/shop.mdf".to_owned(), FREE),
                ("/log/shop.ldf".to_owned(), FREE),
            ]),
        }
    }

    /// One whose target has the database, which may be overwritten.
    fn over(change: impl FnOnce(&mut Database)) -> Self {
        let mut stage = Self::new();
        let mut there = database();
        change(&mut there);
        stage.seen.database = Some(there);
        stage.place.overwrite = true;
        for path in stage.paths.values_mut() {
            path.is_file = true;
        }
        stage
    }

    fn judged(&self) -> Result<Judged, Fault> {
        judge(&Case {
            server: &self.server,
            place: &self.place,
            source_name: self.source,
            seen: &self.seen,
            points: std::slice::from_ref(&self.point),
            files: &self.files,
            paths: &self.paths,
        })
    }

    fn code(&self) -> Option<Code> {
        self.judged().err().map(|fault| fault.code())
    }
}

/// What is changed, how, and what comes of it.
type Row<'t> = (&'t str, fn(&mut Stage), Option<Code>);

/// What each change makes of a case in which nothing speaks against it.
fn table(base: impl Fn() -> Stage, rows: &[Row<'_>]) {
    for (what, change, code) in rows {
        let mut stage = base();
        change(&mut stage);
        assert_eq!(stage.code(), *code, "{what}");
    }
}

#[test]
fn a_new_database() {
    table(
        Stage::new,
        &[
            ("nothing", |_| {}, None),
            (
                "faulty",
                |stage| {
                    stage.server.state = ServerState::Faulty {
                        fault: Fault::new(Code::UserErrorOpeningSQLConnection),
                        since: Timestamp::UNIX_EPOCH,
                    };
                },
                Some(Code::Bac2NotReady),
            ),
            (
                "gone",
                |stage| {
                    stage.server.state = ServerState::Unregistered {
                        at: Timestamp::UNIX_EPOCH,
                    };
                },
                Some(Code::Bac2NotReady),
            ),
            (
                "master",
                |stage| stage.place.name = "MASTER".to_owned(),
                Some(Code::Bac2SystemDatabaseAsFiles),
            ),
            (
                "of master",
                |stage| stage.source = "master",
                Some(Code::Bac2SystemDatabaseAsFiles),
            ),
            (
                "over msdb",
                |stage| stage.place.name = "msdb".to_owned(),
                Some(Code::Bac2SystemDatabaseAsFiles),
            ),
            ("a copy of msdb", |stage| stage.source = "msdb", None),
            (
                "msdb of another build",
                |stage| {
                    stage.source = "msdb";
                    stage.point.set.software_version = "16.0.4100".to_owned();
                },
                Some(Code::Bac2TargetTooOld),
            ),
            (
                "older",
                |stage| stage.point.set.software_version = "15.0.4312".to_owned(),
                None,
            ),
            (
                "newer build",
                |stage| stage.point.set.software_version = "16.0.9999".to_owned(),
                None,
            ),
            (
                "newer",
                |stage| stage.point.set.software_version = "17.0.1".to_owned(),
                Some(Code::Bac2TargetTooOld),
            ),
            (
                "2008 R2 to 2008",
                |stage| {
                    stage.seen.facts.build = Build::new(10, 0, 6000, 0);
                    stage.point.set.software_version = "10.50.1600".to_owned();
                },
                Some(Code::Bac2TargetTooOld),
            ),
            (
                "its certificate",
                |stage| stage.point.set.thumbprint = Some("0a0b".to_owned()),
                None,
            ),
            (
                "another certificate",
                |stage| stage.point.set.thumbprint = Some("0C".to_owned()),
                Some(Code::UserErrorCannotFindServerCertificateWithThumbprint),
            ),
            (
                "unknown certificates",
                |stage| {
                    stage.seen.thumbprints = None;
                    stage.point.set.thumbprint = Some("0C".to_owned());
                },
                None,
            ),
            (
                "nothing to go on with",
                |stage| stage.place.continues = true,
                Some(Code::Bac2RestoreStepRefused),
            ),
        ],
    );
}

#[test]
fn paths_and_room() {
    let refused = Some(Code::Bac2RestorePathUnusable);
    table(
        Stage::new,
        &[
            (
                "no directory",
                |stage| stage.paths.get_mut("/data/shop.mdf").unwrap().has_parent = false,
                Some(Code::Bac2RestorePathUnusable),
            ),
            (
                "a directory",
                |stage| stage.paths.get_mut("/data/shop.mdf").unwrap().is_directory = true,
                Some(Code::Bac2RestorePathUnusable),
            ),
            (
                "a stray file",
                |stage| stage.paths.get_mut("/log/shop.ldf").unwrap().is_file = true,
                Some(Code::Bac2RestorePathUnusable),
            ),
            ("nobody tells", |stage| stage.paths.clear(), None),
            (
                "of another database",
                |stage| stage.files[0].path = "/Data/Other.mdf".to_owned(),
                Some(Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite),
            ),
            (
                "relative",
                |stage| stage.files[0].path = "shop.mdf".to_owned(),
                Some(Code::Bac2RestorePathUnusable),
            ),
            (
                "of Windows",
                |stage| stage.files[0].path = "C:\\shop.mdf".to_owned(),
                Some(Code::Bac2RestorePathUnusable),
            ),
            (
                "no room",
                |stage| stage.files[0].file.size = 999_001,
                Some(Code::WlExtGenericIOFaultUserError),
            ),
            ("just room", |stage| stage.files[0].file.size = 999_000, None),
            (
                "the inner volume counts",
                |stage| {
                    stage.seen.volumes.insert("/data".to_owned(), 10);
                },
                Some(Code::WlExtGenericIOFaultUserError),
            ),
            (
                "unknown volumes",
                |stage| {
                    stage.seen.volumes.clear();
                    stage.files[0].file.size = u64::MAX;
                },
                None,
            ),
            (
                "undo",
                |stage| {
                    stage.place.end = RestoreEnd::Standby {
                        undo: "/log/x.undo".to_owned(),
                    }
                },
                None,
            ),
            (
                "undo over a file",
                |stage| {
                    stage.place.end = RestoreEnd::Standby {
                        undo: "/LOG/shop.ldf".to_owned(),
                    }
                },
                Some(Code::Bac2RestorePathUnusable),
            ),
        ],
    );
    let mut windows = Stage::new();
    windows.seen.facts.platform = Platform::Windows;
    assert_eq!(windows.code(), refused);
    for (placed, path) in windows
        .files
        .iter_mut()
        .zip(["D:\\Data\\shop.mdf", "\\\\nas\\shop.ldf"])
    {
        path.clone_into(&mut placed.path);
    }
    assert_eq!(windows.code(), None);
}

#[test]
fn a_database_that_is_there() {
    let base = || Stage::over(|_| {});
    fn there(stage: &mut Stage) -> &mut Database {
        stage.seen.database.as_mut().unwrap()
    }
    table(
        base,
        &[
            ("allowed", |_| {}, None),
            (
                "not allowed",
                |stage| stage.place.overwrite = false,
                Some(Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite),
            ),
            (
                "of a group",
                |stage| there(stage).replica = Some(Uuid::nil()),
                Some(Code::Bac2TargetRefused),
            ),
            (
                "mirrored",
                |stage| there(stage).mirroring = Some(Uuid::nil()),
                Some(Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled),
            ),
            (
                "a snapshot",
                |stage| there(stage).snapshot_of = Some(4),
                Some(Code::Bac2TargetRefused),
            ),
            (
                "published",
                |stage| there(stage).is_published = true,
                Some(Code::Bac2TargetRefused),
            ),
            (
                "published and allowed",
                |stage| {
                    there(stage).is_published = true;
                    stage.place.allowed.push(Allowed::Replicated);
                },
                None,
            ),
            (
                "captured, and another thing allowed",
                |stage| {
                    there(stage).is_cdc_enabled = true;
                    stage.place.allowed.push(Allowed::Replicated);
                },
                Some(Code::Bac2TargetRefused),
            ),
            (
                "shipped",
                |stage| stage.seen.is_shipped = Some(true),
                Some(Code::Bac2TargetRefused),
            ),
            (
                "shipped and allowed",
                |stage| {
                    stage.seen.is_shipped = Some(true);
                    stage.place.allowed.push(Allowed::LogShipped);
                },
                None,
            ),
            (
                "emergency",
                |stage| there(stage).state = State::Emergency,
                Some(Code::Bac2TailLogFailed),
            ),
            (
                "emergency without the tail",
                |stage| {
                    there(stage).state = State::Emergency;
                    stage.place.tail = false;
                },
                None,
            ),
            (
                "its own files make room",
                |stage| {
                    stage.seen.volumes = BTreeMap::from([("/".to_owned(), 0)]);
                },
                None,
            ),
            (
                "go on with what is open",
                |stage| stage.place.continues = true,
                Some(Code::Bac2RestoreStepRefused),
            ),
            (
                "go on with what waits",
                |stage| {
                    stage.place.continues = true;
                    there(stage).state = State::Restoring;
                },
                None,
            ),
        ],
    );
}

#[test]
fn whose_tail_is_taken_and_who_is_drained() {
    for (state, model, (tail, damaged, drains)) in [
        (State::Online, RecoveryModel::Full, (true, false, false)),
        (State::Online, RecoveryModel::BulkLogged, (true, false, false)),
        (State::Online, RecoveryModel::Simple, (false, false, true)),
        (State::Suspect, RecoveryModel::Full, (true, true, false)),
        (State::RecoveryPending, RecoveryModel::Full, (true, true, false)),
        (State::Suspect, RecoveryModel::Simple, (false, false, false)),
        (State::Restoring, RecoveryModel::Full, (false, false, false)),
        (State::Offline, RecoveryModel::Full, (false, false, false)),
    ] {
        let stage = Stage::over(|there| {
            there.state = state;
            there.recovery_model = model;
        });
        let judged = stage.judged().unwrap();
        let found = (judged.takes_tail, judged.is_damaged, judged.drains);
        assert_eq!(found, (tail, damaged, drains), "{state:?} {model:?}");
        let before = judged.before.unwrap();
        assert_eq!((before.id, before.access.as_str()), (5, "MULTI_USER"));
    }
    // Who says so goes without; nobody else does, though there is no log that could be backed up.
    for has_chain in [true, false] {
        let mut stage = Stage::over(|there| {
            if !has_chain {
                there.chain.as_mut().unwrap().last_log_backup_lsn = None;
            }
        });
        let code = stage.judged().err().map(|fault| fault.code());
        assert_eq!(code, (!has_chain).then_some(Code::Bac2TailLogFailed));
        stage.place.tail = false;
        let judged = stage.judged().unwrap();
        assert!(!judged.takes_tail && judged.drains);
    }
}

#[test]
fn a_list_that_azure_backup_would_not_keep_is_told() {
    let mut stage = Stage::new();
    assert!(stage.judged().unwrap().warnings.is_empty());
    stage.files[0].file.path = format!("/data/{}", "x".repeat(20_000));
    let warnings = stage.judged().unwrap().warnings;
    assert_eq!(warnings[0].code(), Code::Bac2FileListTooLong);
}
