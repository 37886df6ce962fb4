//! Which instance answers, at which address, for whom and until when: what the vault takes it for, and what it keeps of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use catalog::record::{Host, Secret as SecretRecord, Server as ServerRecord, ServerState};
use faults::{Code, Fault};
use mssql::Secret;
use mssql::statement::login::Account;
use schedule::BackupKind::{Full, Log};
use vault::discovery::TEST_COPY_PREFIX;
use vault::registration::{NewLogin, Purpose, ServerChange};

use super::lab::{ACCOUNT, KEY, Lab, PASSWORD, Release, Start, code, login, run};

const HOUR: Duration = Duration::from_secs(3_600);

/// An address of this machine that no other test uses: its usual ports are this test's.
fn own_address(place: u8) -> IpAddr {
    let id = std::process::id();
    let [_, a, b, _] = id.to_be_bytes();
    let last = u8::try_from(id % 200).unwrap() + 2;
    IpAddr::V4(Ipv4Addr::new(127, 64 | a | place, b, last))
}

#[test]
fn an_instance_is_found_by_its_host_alone_or_by_its_name() {
    run(|| async {
        let lab = Lab::new().await;
        let (one, two) = (own_address(0), own_address(128));
        let default = lab
            .server_with(Release::V2022, |start: &mut Start| {
                start.listen = SocketAddr::new(one, 1433);
            })
            .await;
        let named = lab
            .server_with(Release::V2019, |start: &mut Start| {
                start.listen = SocketAddr::new(two, 0);
                start.instance = Some("SALES".to_owned());
                start.has_browser = true;
            })
            .await;
        for (server, address) in [(&default, one.to_string()), (&named, format!("{two}\\sales"))] {
            let mut new = lab.registration(server);
            new.address = address;
            let id = lab.vault().add_server(new).await.unwrap();
            assert_eq!(lab.server_record(id).await.state, ServerState::Ready);
        }
        let mut nobody = lab.registration(&named);
        nobody.name = "nobody".to_owned();
        nobody.address = format!("{two}\\HR");
        assert_eq!(
            code(lab.vault().add_server(nobody).await),
            Code::Bac2NamedInstanceNotFound
        );
    });
}

#[test]
fn a_login_that_needs_what_this_machine_has_not_is_refused_and_leaves_nothing() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let entra = NewLogin::Entra {
            client: "00000000-0000-0000-0000-000000000001".to_owned(),
            tenant: "00000000-0000-0000-0000-000000000002".to_owned(),
            secret: Secret::new("Entra-secret-1".to_owned()),
        };
        for one in [NewLogin::Windows, entra] {
            let mut new = lab.registration(&server);
            new.login = one;
            let refused = lab.vault().add_server(new).await.unwrap_err();
            assert!(
                matches!(
                    refused.code(),
                    Code::Bac2AuthenticationUnavailable | Code::UserErrorOpeningSQLConnection
                ),
                "{refused:?}"
            );
            assert!(!format!("{refused:?} {refused}").contains("Entra-secret-1"));
        }
        assert!(lab.records::<ServerRecord>().await.is_empty());
        assert!(lab.records::<SecretRecord>().await.is_empty());
    });
}

#[test]
fn another_instance_at_the_address_is_not_taken_for_the_one_that_was_registered() {
    run(|| async {
        let lab = Lab::new().await;
        let (mut server, id, item) = lab.shop(Release::V2022).await;
        let kept = lab.proved(item, Full).await;
        let known = lab.databases(id).await;
        server.give_way_to("STRANGER");
        server.make_database("Shop").await;
        lab.rediscover(id).await;
        assert_eq!(lab.server_fault(id).await, Some(Code::Bac2InstanceChanged));
        assert_eq!(lab.databases(id).await, known, "its databases are not these");
        assert_eq!(lab.refused(item, Full).await, Code::Bac2InstanceChanged);
        let marks = "SELECT COUNT(*) AS n FROM sys.credentials";
        assert_eq!(
            server.value(marks).await,
            mssql::Value::Integer(0),
            "it was left alone"
        );
        let again = lab.vault().reregister(id, ServerChange::default()).await;
        assert_eq!(code(again), Code::Bac2InstanceChanged);
        server.give_way_to("sql1");
        // The right one is back, and all goes on.
        lab.rediscover(id).await;
        assert_eq!(lab.server_fault(id).await, None);
        assert_eq!(lab.points().await[0].id, kept.id);
        lab.proved(item, Log).await;
    });
}

#[test]
fn an_instance_that_is_away_for_a_day_is_told_of_as_one_and_heals_by_itself() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        server.kill();
        lab.rediscover(id).await;
        assert_eq!(
            lab.server_fault(id).await,
            Some(Code::UserErrorOpeningSQLConnection)
        );
        lab.advance(HOUR * 25);
        lab.noticed(Code::WorkloadExtensionNotReachable).await;
        server.start_again();
        server.fault("clock jump 25h").await;
        lab.in_time("it is well again", Duration::from_secs(600), || async {
            lab.server_fault(id).await.is_none().then_some(())
        })
        .await;
        lab.until("nothing is to be said", || async {
            lab.notices().await.is_empty().then_some(())
        })
        .await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn an_instance_that_is_registered_again_keeps_what_was_backed_up() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let full = lab.proved(item, Full).await;
        server
            .sql("CREATE LOGIN other WITH PASSWORD = 'Correct-Horse-2'; ALTER SERVER ROLE sysadmin ADD MEMBER other")
            .await;
        let vault = lab.vault();
        let wrong = ServerChange {
            login: Some(login("other", "Wrong-1234")),
            ..ServerChange::default()
        };
        assert_eq!(
            code(vault.reregister(id, wrong).await),
            Code::UserErrorOpeningSQLConnection
        );
        let right = ServerChange {
            login: Some(login("other", "Correct-Horse-2")),
            address: Some(server.address().replace("127.0.0.1", "localhost")),
            ..ServerChange::default()
        };
        let record = vault.reregister(id, right).await.unwrap();
        assert_eq!((record.id, record.state), (id, ServerState::Ready));
        server.sql("ALTER LOGIN sa WITH PASSWORD = 'Another-1234'").await;
        assert_eq!(lab.points().await[0].id, full.id);
        let mut session = server.session_as("other", "Correct-Horse-2").await;
        session
            .execute("INSERT INTO Shop.dbo.Orders (what) VALUES ('x')")
            .await
            .unwrap();
        session.close().await;
        assert_eq!(lab.proved(item, Log).await.set.first_lsn, full.set.first_lsn);
    });
}

#[test]
fn the_script_for_restores_makes_a_login_that_restores_need_and_no_more() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let vault = lab.vault();
        let script = vault
            .login_script(id, Purpose::Restore, "re]st'ore", Account::Sql)
            .await
            .unwrap();
        assert!(!script.contains(PASSWORD));
        server
            .sql(&script.replace("<put a strong password here>", "Correct-Horse-3"))
            .await;
        let change = ServerChange {
            restore_login: Some(Some(login("re]st'ore", "Correct-Horse-3"))),
            ..ServerChange::default()
        };
        vault.reregister(id, change).await.unwrap();
        let record = lab.server_record(id).await;
        assert!(
            record.readiness.iter().all(|probe| probe.passed),
            "{:#?}",
            record.readiness
        );
        let is = "SELECT IS_SRVROLEMEMBER('sysadmin', 're]st''ore') AS n";
        assert_eq!(server.value(is).await, mssql::Value::Integer(0));
        lab.proved(item, Full).await;
        // Where it is taken away, the report says what restores would miss, and backups go on.
        server.sql("ALTER LOGIN [re]]st'ore] DISABLE").await;
        lab.rediscover(id).await;
        let probes = lab.server_record(id).await.readiness;
        assert!(probes.iter().any(|probe| !probe.passed), "{probes:#?}");
        lab.proved(item, Log).await;
    });
}

#[test]
fn instances_are_looked_at_every_eight_hours_or_as_often_as_is_wanted() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let id = lab.register(&server).await;
        let found = async |name: &str| {
            let databases = lab.databases(id).await;
            databases.into_iter().any(|one| one.name == name).then_some(())
        };
        server.make_database("Shop").await;
        server.make_database(&format!("{TEST_COPY_PREFIX}Shop")).await;
        lab.advance(HOUR * 7);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(found("Shop").await, None, "seven hours are not eight");
        server.fault("clock jump 8h").await;
        lab.advance(HOUR);
        lab.until("the new database is found", || found("Shop")).await;
        // A copy that a test of a restore made is nobody's to protect.
        let copy = lab.database(id, &format!("{TEST_COPY_PREFIX}Shop")).await;
        let vault = lab.vault();
        let quiet = lab.quiet().await;
        assert!(copy.is_test_copy);
        assert_eq!(code(vault.protect(copy.id, quiet).await), Code::Bac2InputInvalid);
        let seen = vault.vault_settings().await.unwrap();
        let mut sooner = seen.clone();
        sooner.discovery_minutes = 10;
        vault.set_vault(&seen, sooner).await.unwrap();
        server.sql("DROP DATABASE Shop").await;
        lab.in_time("it is seen to be gone", Duration::from_secs(60), || async {
            found("Shop").await.is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn instances_of_a_machine_that_do_not_count_are_nobodys_matter() {
    run(|| async {
        let lab = Lab::new().await;
        let mut servers = Vec::new();
        for name in ["A", "B"] {
            let server = lab
                .server_with(Release::V2022, |start: &mut Start| {
                    start.machine = "BOX".to_owned();
                    start.instance = Some(name.to_owned());
                })
                .await;
            let mut new = lab.registration(&server);
            new.name = name.to_owned();
            servers.push((lab.vault().add_server(new).await.unwrap(), server));
        }
        let vault = lab.vault();
        let hosts: Vec<Host> = vault.hosts().await.unwrap();
        assert_eq!((hosts.len(), hosts[0].name.as_str()), (1, "BOX"));
        let none = vault.include_instances(hosts[0].id, Some(Vec::new())).await;
        assert_eq!(code(none), Code::Bac2InputInvalid);
        servers[1].1.kill();
        for (id, _) in &servers {
            lab.rediscover(*id).await;
        }
        lab.noticed(Code::Bac2FaultyInstanceOnHost).await;
        vault
            .include_instances(hosts[0].id, Some(vec!["A".to_owned()]))
            .await
            .unwrap();
        let codes = lab.notice_codes().await;
        assert_eq!(
            codes,
            [Code::UserErrorOpeningSQLConnection],
            "its own, and no more"
        );
    });
}

#[test]
fn what_is_secret_is_in_no_file_of_the_catalog() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let old = lab.shop(Release::V2014).await;
        lab.proved(old.2, Full).await;
        let mut read = Vec::new();
        for entry in std::fs::read_dir(lab.folder()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("catalog.db") {
                read.extend(std::fs::read(path).unwrap());
            }
        }
        let has = |text: &str| read.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(has("Shop"), "it was read");
        for secret in [PASSWORD, "sig=", KEY] {
            assert!(!has(secret), "{secret}");
        }
    });
}

#[test]
fn a_signature_is_renewed_before_it_runs_out() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let before = lab.containers().await.remove(0);
        let life = before.sas_until.unwrap().duration_since(lab.now());
        // Good for 90 days; renewed when it is good for less than 30.
        assert!(life.as_hours() >= 24 * 89, "{life:?}");
        server.fault("clock jump 1464h").await;
        lab.advance(HOUR * 24 * 61);
        let job = lab.back_up(item, Full).await;
        assert!(job.point.is_some(), "{job:#?}");
        let after = lab.containers().await.remove(0);
        assert!(after.sas_until > before.sas_until);
        let account = azblob::names::AccountName::new(ACCOUNT).unwrap();
        let name = azblob::names::ContainerName::new(after.name.as_str()).unwrap();
        let policies = lab.door.store.container_policies(&account, &name).unwrap();
        assert_eq!(policies.len(), 1, "one for the container: {policies:?}");
        let failed: Vec<Code> = job.fault.iter().map(Fault::code).collect();
        assert_eq!(failed, []);
    });
}
