//! What is asked of an instance, answered by simulated ones of every version over TDS.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

mod support;

use mssql::databases::{self, RecoveryModel, State};
use mssql::facts::{self, Platform};
use mssql::quoting::Identifier;
use mssql::readiness::{self, Probe};
use mssql::statement::login::Purpose;
use mssql::{Build, Edition, groups, history};
use simsql::instance::Version;
use support::{Server, runtime};

const VERSIONS: [(Version, u16); 7] = [
    (Version::V2012, 2012),
    (Version::V2014, 2014),
    (Version::V2016, 2016),
    (Version::V2017, 2017),
    (Version::V2019, 2019),
    (Version::V2022, 2022),
    (Version::V2025, 2025),
];

#[test]
fn every_version_says_what_it_is() {
    runtime().block_on(async {
        for (version, year) in VERSIONS {
            let server = Server::start(version).await;
            let mut session = server.session().await;
            let facts = facts::ask(&mut session).await.unwrap();
            assert_eq!(facts.build.year(), Some(year));
            assert_eq!(facts.build.to_string(), format!("{}.0", version.software()));
            assert_eq!(
                (facts.server_name.as_str(), facts.instance_name.as_deref()),
                ("BAC2SIM", None)
            );
            assert_eq!(facts.edition, Edition::Enterprise);
            assert!(facts.banner.contains("simulat"), "{}", facts.banner);
            assert!(facts.rights.sysadmin && facts.rights.read_history && facts.rights.view_state);
            assert!(facts.started.is_some());
            assert!(
                facts.paths.data.is_some() && facts.paths.backup.is_some(),
                "{year}: {:?}",
                facts.paths
            );
            if facts.build.major >= Build::V2017 {
                assert_eq!(facts.platform, Platform::Linux);
            }
            assert!(!facts.is_hadr_enabled);
            assert_eq!(groups::ask(&mut session).await.unwrap(), []);
            let databases = databases::ask(&mut session).await.unwrap();
            let names: Vec<&str> = databases.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["master", "tempdb", "model", "msdb"], "{year}");
            assert_eq!(history::after(&mut session, 0).await.unwrap(), []);
            session.close().await;
        }
    });
}

#[test]
fn databases_with_names_that_hurt_and_the_backups_of_them() {
    runtime().block_on(async {
        let server = Server::start(Version::V2019).await;
        let mut session = server.session().await;
        let names = [
            "a]b",
            "it's",
            "ż 😀",
            "x; DROP DATABASE model --",
            "[q\"",
            "  lead",
        ];
        for name in names {
            let name = Identifier::new(name).unwrap();
            session.execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        }
        session
            .execute("ALTER DATABASE [it's] SET RECOVERY SIMPLE")
            .await
            .unwrap();
        let path = server.backup_path("one.bak");
        let backup = format!("BACKUP DATABASE [a]]b] TO DISK = N'{path}' WITH DESCRIPTION = N'job 7'");
        session.execute(&backup).await.unwrap();
        let databases = databases::ask(&mut session).await.unwrap();
        let of = |name: &str| databases.iter().find(|one| one.name == name).unwrap();
        for name in names {
            let database = of(name);
            assert_eq!(database.state, State::Online, "{name}");
            assert!(
                database.may_enter && database.may_back_up && database.may_back_up_log,
                "{name}"
            );
            assert_eq!(database.files.len(), 2, "{name}");
            assert!(database.data_bytes() > 0 && database.log_bytes() > 0);
            assert!(database.chain.is_some());
        }
        assert_eq!(of("it's").recovery_model, RecoveryModel::Simple);
        // Only after its full can a log be backed up.
        let lsn = |name: &str| of(name).chain.as_ref().unwrap().last_log_backup_lsn;
        assert!(lsn("a]b").is_some() && lsn("ż 😀").is_none());
        let sets = history::after(&mut session, 0).await.unwrap();
        assert_eq!(sets.len(), 1);
        let set = &sets[0];
        assert_eq!(
            (set.database_name.as_str(), set.kind, set.is_copy_only),
            ("a]b", 'D', false)
        );
        assert_eq!(set.devices[0].name.as_deref(), Some(path.as_str()));
        assert_eq!(set.devices[0].kind, Some(2));
        // The identity of a differential's base is the set's GUID; its LSN the checkpoint.
        let file = &of("a]b").files[0];
        assert_eq!(file.differential_base_guid, Some(set.guid));
        assert_eq!(file.differential_base_lsn, set.checkpoint_lsn);
        assert_eq!(history::by_guid(&mut session, set.guid).await.unwrap(), sets);
        let marker = mssql::quoting::Literal::new("job 7").unwrap();
        assert_eq!(
            history::by_description(&mut session, &marker).await.unwrap(),
            sets
        );
        let other = mssql::quoting::Literal::new("JOB 7").unwrap();
        assert_eq!(history::by_description(&mut session, &other).await.unwrap(), []);
        assert_eq!(history::after(&mut session, set.id).await.unwrap(), []);
    });
}

#[test]
fn a_device_that_is_appended_to_for_years_does_not_bring_all_others_with_it() {
    runtime().block_on(async {
        let server = Server::start(Version::V2019).await;
        let mut session = server.session().await;
        let backup = |file: &str| format!("BACKUP DATABASE model TO DISK = '{file}'");
        session.execute(&backup("old.bak")).await.unwrap();
        // So many that they are not read for the sake of one range.
        for number in 0..20 {
            session
                .execute(&backup(&format!("new{number}.bak")))
                .await
                .unwrap();
        }
        session.execute(&backup("old.bak")).await.unwrap();
        session.execute(&backup("newest.bak")).await.unwrap();
        let sets = history::after(&mut session, 0).await.unwrap();
        assert_eq!(sets.len(), 23);
        // The last two are of the first media set and of the newest: five rows are enough for them.
        session.limits.rows = 5;
        let found = history::after(&mut session, sets[20].id).await.unwrap();
        assert_eq!(found, sets[21..]);
        assert_eq!(found[0].devices, sets[0].devices);
    });
}

#[test]
fn a_login_without_rights_learns_what_it_lacks() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        let mut session = server.session().await;
        session
            .execute("CREATE LOGIN small WITH PASSWORD = N'Small-1234'")
            .await
            .unwrap();
        let mut target = server.target(mssql::Trust::Anyone);
        target.authentication = mssql::Authentication::Password {
            user: "small".to_owned(),
            password: mssql::Secret::new("Small-1234".to_owned()),
        };
        let mut small = server.try_with(&target).await.unwrap();
        let facts = facts::ask(&mut small).await.unwrap();
        assert_eq!(facts.rights.login, "small");
        assert!(!facts.rights.sysadmin && !facts.rights.view_state && !facts.rights.read_history);
        assert_eq!(facts.started, None);
        assert_eq!(
            history::after(&mut small, 0).await.unwrap_err().number(),
            Some(229)
        );
        let databases = databases::ask(&mut small).await.unwrap();
        assert!(databases.iter().all(|one| !one.may_back_up));
        // What is offered to mend it, mends it.
        session.execute("CREATE DATABASE shop").await.unwrap();
        let shop = |databases: Vec<databases::Database>| {
            databases.into_iter().find(|one| one.name == "shop").unwrap()
        };
        let database = shop(databases::ask(&mut session).await.unwrap());
        let lacking = databases::Database {
            may_back_up: false,
            ..database
        };
        let mut found = readiness::of_instance(&facts, Purpose::Restore);
        found.extend(readiness::of_database(&lacking, &facts));
        let missing: Vec<Probe> = found
            .iter()
            .filter(|one| one.standing == readiness::Standing::Missing)
            .map(|one| one.probe)
            .collect();
        let expected = [
            Probe::ViewState,
            Probe::ViewDefinition,
            Probe::Credentials,
            Probe::History,
            Probe::Restore,
            Probe::BackupRight,
        ];
        assert_eq!(missing, expected);
        for finding in found
            .iter()
            .filter(|one| one.standing == readiness::Standing::Missing)
        {
            let fix = finding.fix.as_ref().unwrap();
            session
                .execute(fix)
                .await
                .unwrap_or_else(|error| panic!("{fix}: {error}"));
            session.execute("USE master").await.unwrap();
        }
        let mended = facts::ask(&mut small).await.unwrap();
        let database = shop(databases::ask(&mut small).await.unwrap());
        let mut left = readiness::of_instance(&mended, Purpose::Restore);
        left.extend(readiness::of_database(&database, &mended));
        left.retain(|one| one.standing == readiness::Standing::Missing);
        assert_eq!(left, []);
    });
}
