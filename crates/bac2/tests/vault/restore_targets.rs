//! Restores over TDS and what the target is like: names and paths, many files, log shipping, an instance that is not well.

use catalog::record::{Allowed, FileMove, JobState, Place, RestoreTarget};
use faults::{Code, Fault};
use schedule::BackupKind::{Full, Log};
use vault::restoring::{LIST_MAX, list_bytes, mapping};

use super::lab::{Lab, Release, Start, codes, latest, login, over, run, to};

#[test]
fn names_and_paths_with_everything_in_them() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let folder = other.data().join("data").join("o'clock ]; -- \u{4e2d}\u{1f980}");
        std::fs::create_dir(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let name = "Kopie ] von 'Shop' \u{fc}\u{4e2d}\u{1f980}";
        let place = Place {
            moves: vec![
                FileMove {
                    logical: "Shop".to_owned(),
                    path: path("it's ].mdf"),
                },
                FileMove {
                    logical: "Shop_log".to_owned(),
                    path: path("N'x'.ldf"),
                },
            ],
            ..Place::new(id, name)
        };
        lab.restores(latest(item, place)).await;
        assert_eq!(other.rows(name).await, 5 + 3);
        for name in ["it's ].mdf", "N'x'.ldf"] {
            assert!(folder.join(name).is_file(), "{name}");
        }
        // Over itself it goes by what it is, wherever it lies; protected by nobody, so without its tail.
        let again = Place {
            overwrite: true,
            tail: false,
            ..Place::new(id, name)
        };
        lab.restores(latest(item, again)).await;
        assert_eq!(other.rows(name).await, 5 + 3);
        assert_eq!(other.state(name).await, "ONLINE MULTI_USER 0");
        // A name that is too long is none, before anything is asked.
        let long = Place::new(id, &"x".repeat(129));
        let fault = lab.refuses(&other, latest(item, long), true).await;
        assert_eq!(fault.code(), Code::Bac2InputInvalid);
    });
}

/// A letter of three bytes: the document counts bytes, a server letters.
const LETTER: char = '\u{4e2d}';

#[test]
fn more_files_than_azure_backup_could_list_go_where_they_are_wanted() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let logical = |number: usize| format!("{number:02}{}", LETTER.to_string().repeat(126));
        let file = |number: usize| {
            let path = server.data().join("data").join(format!("many{number}.ndf"));
            format!(
                "(NAME = [{}], FILENAME = '{}', SIZE = 1MB)",
                logical(number),
                path.display()
            )
        };
        let files: Vec<String> = (0..45).map(file).collect();
        let log = server.data().join("data").join("many.ldf");
        server
            .sql(&format!(
                "CREATE DATABASE Many ON {} LOG ON (NAME = Many_log, FILENAME = '{}', SIZE = 1MB)",
                files.join(", "),
                log.display()
            ))
            .await;
        server
            .sql("CREATE TABLE Many.dbo.Orders (id int IDENTITY(1,1), what varchar(4000))")
            .await;
        server.add_rows("Many", 7).await;
        let id = lab.register(&server).await;
        let item = lab.protect(id, "Many").await;
        lab.proved(item, Full).await;
        // The list as the document has it, counted by itself.
        let asked = "SELECT name, physical_name FROM Many.sys.database_files ORDER BY file_id";
        let rows = server.rows_of(asked).await;
        let texts: Vec<(String, String)> = rows
            .iter()
            .map(|row| match &row[..] {
                [mssql::Value::Text(name), mssql::Value::Text(path)] => (name.clone(), path.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        let listed: Vec<serde_json::Value> = texts
            .iter()
            .map(|(name, path)| serde_json::json!({"path": path, "logicalName": name, "isDir": false}))
            .collect();
        let bytes = serde_json::to_string(&listed).unwrap().len();
        assert!(bytes > 20_000 && LIST_MAX == 20_000, "{bytes}");
        let ours = texts.iter().map(|(name, path)| (path.as_str(), name.as_str()));
        assert_eq!(list_bytes(ours), bytes);
        // Without paths its files go to the defaults under names of their own; with a mapping file of the documented form to those it names.
        let folder = server.data().join("data").join("elsewhere");
        std::fs::create_dir(&folder).unwrap();
        let target = |name: &str| folder.join(format!("{}.x", &name[..2])).display().to_string();
        let mapped: Vec<serde_json::Value> = texts
            .iter()
            .map(|(name, _)| serde_json::json!({"Path": target(name), "LogicalName": name, "IsDir": "false"}))
            .collect();
        let text = serde_json::to_string(&mapped).unwrap();
        for (name, moves) in [("Beside", Vec::new()), ("Elsewhere", mapping(&text).unwrap())] {
            let place = Place {
                moves,
                ..Place::new(id, name)
            };
            let order = latest(item, place);
            let plan = lab.vault().plan_restore(&order).await.unwrap();
            let warned: Vec<Code> = plan.warnings.iter().map(Fault::code).collect();
            assert_eq!(warned, [Code::Bac2FileListTooLong]);
            let job = lab.restored(order).await;
            assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
            assert_eq!(codes(&job), (None, vec![Code::Bac2FileListTooLong]));
            let said = job.warnings[0].detail();
            assert!(
                said.contains(&bytes.to_string()) && said.contains("20000"),
                "{said}"
            );
            assert_eq!(server.rows(name).await, 7);
        }
        for (name, _) in &texts {
            assert!(std::path::Path::new(&target(name)).is_file(), "{name}");
        }
    });
}

#[test]
fn a_database_whose_logs_are_shipped_needs_its_flag() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        // Both ends of log shipping, as its own procedures note them.
        for (table, columns) in [
            ("log_shipping_primary_databases", "primary_id, primary_database"),
            (
                "log_shipping_secondary_databases",
                "secondary_id, secondary_database",
            ),
        ] {
            let note = format!("INSERT INTO msdb.dbo.{table} ({columns}) VALUES (NEWID(), N'Shop')");
            server.sql(&note).await;
            let fault = lab.refuses(&server, latest(item, over(id)), true).await;
            assert_eq!(fault.code(), Code::Bac2TargetRefused, "{table}");
            assert!(fault.detail().contains("shipped"), "{fault}");
            // Beside it there is nothing to break.
            let beside = Place::new(id, "Copy");
            lab.vault().plan_restore(&latest(item, beside)).await.unwrap();
            server.sql(&format!("DELETE FROM msdb.dbo.{table}")).await;
        }
        server
            .sql("INSERT INTO msdb.dbo.log_shipping_primary_databases (primary_id, primary_database) VALUES (NEWID(), N'Shop')")
            .await;
        let allowed = Place {
            allowed: vec![Allowed::LogShipped],
            ..over(id)
        };
        lab.restores(latest(item, allowed)).await;
        assert_eq!(server.rows("Shop").await, 5 + 3, "its tail is in it");
    });
}

#[test]
fn an_instance_that_is_not_well_is_left_alone() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let other = lab.server(Release::V2022).await;
        other
            .sql(
                "CREATE LOGIN bk WITH PASSWORD = 'Correct-Horse-2'; ALTER SERVER ROLE sysadmin ADD MEMBER bk",
            )
            .await;
        let mut new = lab.registration(&other);
        new.login = login("bk", "Correct-Horse-2");
        let id = lab.vault().add_server(new).await.unwrap();
        let order = || latest(item, Place::new(id, "Copy"));
        // The right is gone: SQL Server says so, and when discovery has heard it too, nothing is asked any more.
        other.sql("ALTER SERVER ROLE sysadmin DROP MEMBER bk").await;
        let before = other.states().await;
        let job = lab.restored(order()).await;
        assert_eq!(
            codes(&job),
            (Some(Code::UserErrorSQLNoSysadminMembership), Vec::new()),
            "{job:#?}"
        );
        lab.rediscover(id).await;
        assert_eq!(
            lab.server_fault(id).await,
            Some(Code::UserErrorSQLNoSysadminMembership)
        );
        let fault = lab.refuses(&other, order(), true).await;
        assert_eq!(fault.code(), Code::Bac2NotReady, "{fault}");
        assert_eq!(other.states().await, before);
        other.sql("ALTER SERVER ROLE sysadmin ADD MEMBER bk").await;
        lab.rediscover(id).await;
        lab.restores(order()).await;
        assert_eq!(other.rows("Copy").await, 5);
        // One that does not answer at all.
        other.kill();
        let job = lab.restored(latest(item, Place::new(id, "Two"))).await;
        assert_eq!(
            codes(&job),
            (Some(Code::UserErrorOpeningSQLConnection), Vec::new()),
            "{job:#?}"
        );
        other.start_again();
        assert_eq!(other.states().await.len(), before.len() + 1, "Copy, and no more");
    });
}

#[test]
fn one_that_does_not_reach_the_vault_or_does_not_trust_it() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let stranger = lab
            .server_with(Release::V2022, |start| start.trust_ca = None)
            .await;
        let lost = lab.server_with(Release::V2022, |start| start.door = None).await;
        for other in [&stranger, &lost] {
            let id = lab.register(other).await;
            let fault = lab
                .refuses(other, latest(item, Place::new(id, "Copy")), false)
                .await;
            assert_eq!(
                fault.code(),
                Code::UserErrorVMInternetConnectivityIssue,
                "{fault}"
            );
        }
    });
}

#[test]
fn a_sick_neighbour_on_its_machine_keeps_no_restore_away() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let mut pair = Vec::new();
        for name in ["A", "B"] {
            let server = lab
                .server_with(Release::V2022, |start: &mut Start| {
                    start.machine = "BOX".to_owned();
                    start.instance = Some(name.to_owned());
                })
                .await;
            let mut new = lab.registration(&server);
            new.name = name.to_owned();
            pair.push((lab.vault().add_server(new).await.unwrap(), server));
        }
        pair[1].1.kill();
        for (id, _) in &pair {
            lab.rediscover(*id).await;
        }
        lab.noticed(Code::Bac2FaultyInstanceOnHost).await;
        lab.restores(latest(item, Place::new(pair[0].0, "Copy"))).await;
        assert_eq!(pair[0].1.rows("Copy").await, 5);
    });
}

#[test]
fn a_database_that_nobody_protects_has_nowhere_to_put_its_tail() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.make_database("Other").await;
        let place = Place {
            overwrite: true,
            ..Place::new(id, "Other")
        };
        // No backup has begun its chain: SQL Server backs up no log of it.
        let fault = lab.refuses(&server, latest(item, place.clone()), true).await;
        assert_eq!(fault.code(), Code::Bac2TailLogFailed, "{fault}");
        assert!(fault.detail().contains("take a full first"), "{fault}");
        server.foreign_backup("DATABASE", "Other", "other.bak", "").await;
        let fault = lab.refuses(&server, latest(item, place.clone()), true).await;
        assert_eq!(fault.code(), Code::Bac2TailLogFailed, "{fault}");
        let said = fault.detail();
        assert!(
            said.contains("protect it") && said.contains("--no-tail"),
            "{said}"
        );
        assert_eq!(server.rows("Other").await, 5);
        // One of the two ways out; the other is what every restore over a protected database takes.
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let without = Place { tail: false, ..place };
        lab.restores(latest(item, without)).await;
        assert_eq!(server.rows("Other").await, 5 + 2, "what was in Shop");
    });
}

#[test]
fn two_into_one_database_are_one_too_many_and_two_beside_each_other_are_not() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let held = lab.way.hold("RESTORE HEADERONLY");
        let into = |name| latest(item, Place::new(id, name));
        let first = lab.vault().restore(into("One")).await.unwrap();
        lab.until("its answer is held back", || async {
            lab.way.is_holding().then_some(())
        })
        .await;
        let again = lab.vault().restore(into("ONE")).await;
        assert_eq!(
            again.unwrap_err().code(),
            Code::OperationCancelledBecauseConflictingOperationRunningUserError
        );
        lab.restores(into("Two")).await;
        held.notify_one();
        let first = lab.ended(first).await;
        assert_eq!(first.state, JobState::Completed, "{first:#?}");
        assert_eq!((other.rows("One").await, other.rows("Two").await), (5, 5));
        // A point of another database is none of this one.
        let stray = catalog::record::PointId(uuid::Uuid::from_u128(1));
        let order = to(
            item,
            RestoreTarget::Point { point: stray },
            Place::new(id, "Three"),
        );
        let fault = lab.refuses(&other, order, true).await;
        assert_eq!(fault.code(), Code::UserErrorInstantRpNotFound);
    });
}
