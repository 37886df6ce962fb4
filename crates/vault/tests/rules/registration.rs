//! Registering instances: by their addresses, once, for one vault.

use std::sync::Arc;

use catalog::memory::MemoryStore;
use catalog::record::{
    Database, Host, Secret as SecretRecord, Server as ServerRecord, ServerId, ServerSettings, ServerState,
    Trust,
};
use faults::{Code, Fault};
use mssql::Secret;
use schedule::{Days, Policy};
use simsql::instance::Version;
use vault::keyring::Keyring;
use vault::protection::Data;
use vault::registration::{MARKER_NAME, NewLogin, NewServer, ServerChange, many};
use vault::{Vault, World};

use crate::world::tasks::CrashAfter;
use crate::world::time::Dice;
use crate::world::{Cluster, End, PASSWORD, Server};

/// A registration of an instance as `sa`.
pub(crate) fn of(server: &Server, name: &str) -> NewServer {
    NewServer {
        name: name.to_owned(),
        ..server.registration()
    }
}

#[test]
fn an_instance_is_registered_marked_and_its_databases_are_listed() {
    let cluster = Cluster::new(1);
    let server = cluster.server_of("sql1", Some("A"), Version::V2019);
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "first")).await.unwrap();
        let servers = cluster.records::<ServerRecord>().await;
        assert_eq!(servers.len(), 1);
        let record = &servers[0];
        assert_eq!((record.id, record.state.clone()), (id, ServerState::Ready));
        assert!(
            record.readiness.iter().all(|probe| probe.passed),
            "{:#?}",
            record.readiness
        );
        assert_eq!(record.facts.as_ref().unwrap().server_name, r"SQL1\A");
        assert!(record.marker.is_some());
        let mut names: Vec<_> = cluster
            .records::<Database>()
            .await
            .into_iter()
            .map(|one| one.name)
            .collect();
        names.sort();
        assert_eq!(names, ["Shop", "master", "model", "msdb", "tempdb"]);
        let again = vault.add_server(of(&server, "second")).await.unwrap_err();
        assert_eq!(again.code(), Code::Bac2NameTaken);
        // Another instance under a name that is taken: nothing of it is kept, its password least of all.
        let other = cluster.server("sql2");
        let taken = vault.add_server(of(&other, "first")).await.unwrap_err();
        assert_eq!(taken.code(), Code::Bac2NameTaken);
        assert_eq!(cluster.records::<SecretRecord>().await.len(), 1);
    });
}

/// A policy of daily fulls.
pub(crate) fn policy() -> Policy {
    Policy::daily("gold", "22:00".parse().unwrap(), Days(30))
}

pub(crate) async fn record(cluster: &Cluster, id: ServerId) -> ServerRecord {
    let servers = cluster.records::<ServerRecord>().await;
    servers.into_iter().find(|one| one.id == id).unwrap()
}

/// Why an instance is faulty.
pub(crate) async fn fault(cluster: &Cluster, id: ServerId) -> Option<Code> {
    match record(cluster, id).await.state {
        ServerState::Faulty { fault, .. } => Some(fault.code()),
        _ => None,
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> Code {
    result.unwrap_err().code()
}

/// Another vault, with a catalog of its own, in the same world.
async fn another_vault(cluster: &Cluster) -> Arc<Vault> {
    let world = World {
        clock: Arc::clone(&cluster.clock) as Arc<_>,
        chance: Dice::new(77),
        connector: Arc::clone(&cluster.network) as Arc<_>,
        shelf: Arc::clone(&cluster.shelf) as Arc<_>,
        catalog: Arc::new(MemoryStore::new(77).open().unwrap()),
        keyring: Arc::new(Keyring::new(&[7; 32])),
    };
    Vault::create(world, "other").await.unwrap()
}

#[test]
fn what_cannot_be_registered_is_refused_with_a_code_and_leaves_nothing() {
    let cluster = Cluster::new(2);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let long = "x".repeat(129);
        for name in ["", " a", "a/b", "a\nb", long.as_str()] {
            assert_eq!(
                code(vault.add_server(of(&server, name)).await),
                Code::Bac2InputInvalid,
                "{name:?}"
            );
        }
        let with = |change: &dyn Fn(&mut NewServer)| {
            let mut new = of(&server, "sql");
            change(&mut new);
            new
        };
        let login = |user: &str, password: &str| NewLogin::Sql {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        };
        let cases = [
            (
                with(&|new| new.address = "sql1:1433".to_owned()),
                Code::Bac2InputInvalid,
            ),
            (with(&|new| new.address = String::new()), Code::Bac2InputInvalid),
            (with(&|new| new.settings.jobs_at_once = 0), Code::Bac2InputInvalid),
            (with(&|new| new.login = login("", "x")), Code::Bac2InputInvalid),
            (
                with(&|new| {
                    new.trust = Trust::Pin {
                        sha256: "12".to_owned(),
                    }
                }),
                Code::Bac2InputInvalid,
            ),
            (
                with(&|new| {
                    new.trust = Trust::Pin {
                        sha256: "00".repeat(32),
                    }
                }),
                Code::Bac2ServerCertificateNotTrusted,
            ),
            (
                with(&|new| new.login = login("sa", "wrong")),
                Code::UserErrorOpeningSQLConnection,
            ),
            (
                with(&|new| new.login = login("o'no]", "x")),
                Code::UserErrorOpeningSQLConnection,
            ),
            (
                with(&|new| {
                    new.login = NewLogin::Entra {
                        client: "c".to_owned(),
                        tenant: "t".to_owned(),
                        secret: Secret::new("s".to_owned()),
                    };
                }),
                Code::Bac2AuthenticationUnavailable,
            ),
        ];
        for (new, expected) in cases {
            let refused = vault.add_server(new.clone()).await.unwrap_err();
            assert_eq!(refused.code(), expected, "{new:?}");
            assert!(!refused.to_string().contains("wrong"), "{refused}");
        }
        cluster.end(&server, End::Stop);
        let down = vault.add_server(of(&server, "sql")).await.unwrap_err();
        assert_eq!(down.code(), Code::UserErrorOpeningSQLConnection);
        assert!(cluster.records::<ServerRecord>().await.is_empty());
        assert!(cluster.records::<SecretRecord>().await.is_empty());
    });
}

#[test]
fn a_name_that_is_taken_leaves_no_secret() {
    let cluster = Cluster::new(12);
    let (server, other) = (cluster.server("sql1"), cluster.server("sql2"));
    cluster.run(async {
        let vault = cluster.vault().await;
        vault.add_server(of(&server, "sql")).await.unwrap();
        let secrets = cluster.records::<SecretRecord>().await.len();
        let taken = vault.add_server(of(&other, "SQL")).await;
        assert_eq!(code(taken), Code::Bac2NameTaken);
        assert_eq!(cluster.records::<SecretRecord>().await.len(), secrets);
        assert_eq!(cluster.records::<ServerRecord>().await.len(), 1);
    });
}

/// Polls a deed so often at most; none where it was not done by then, and is dropped in the middle.
async fn within_polls<T>(deed: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut deed, mut left) = (Box::pin(deed), polls);
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        deed.as_mut().poll(context).map(Some)
    })
    .await
}

#[test]
fn a_crash_while_registering_again_makes_no_instance_a_stranger() {
    let cluster = Cluster::new(13);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        for polls in 1.. {
            let change = ServerChange {
                login: Some(of(&server, "sql").login),
                ..ServerChange::default()
            };
            let done = within_polls(vault.reregister(id, change), polls).await;
            vault.start(&cluster, id).await;
            assert_eq!(fault(&cluster, id).await, None, "after {polls} polls");
            if done.is_some() {
                assert!(polls > 5, "it was broken off somewhere");
                break;
            }
        }
    });
}

#[test]
fn names_may_hold_what_people_write() {
    let cluster = Cluster::new(3);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster
            .sql(&server)
            .go("CREATE DATABASE [o'no]] żółć 😀/x]")
            .await;
        let vault = cluster.vault().await;
        vault.add_server(of(&server, "it's ]a[ żółć 😀")).await.unwrap();
        let names: Vec<_> = cluster
            .records::<Database>()
            .await
            .into_iter()
            .map(|one| one.name)
            .collect();
        assert!(names.iter().any(|name| name == "o'no] żółć 😀/x"), "{names:?}");
    });
}

#[test]
fn one_instance_belongs_to_one_vault_until_another_takes_it_over() {
    let cluster = Cluster::new(4);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let other = another_vault(&cluster).await;
        let mut new = of(&server, "mine");
        assert_eq!(
            code(other.add_server(new.clone()).await),
            Code::Bac2InstanceOfAnotherVault
        );
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        let databases = cluster.records::<Database>().await;
        let shop = databases.iter().find(|one| one.name == "Shop").unwrap();
        let item = vault.protect(shop.id, policy).await.unwrap();
        new.take_over = true;
        other.add_server(new).await.unwrap();
        // The first vault takes no backup of it any more, also while its record still says that all is well.
        let vault = cluster.start_vault().await;
        assert_eq!(record(&cluster, id).await.state, ServerState::Ready);
        let job = vault
            .back_up(item, schedule::BackupKind::Full, None)
            .await
            .unwrap();
        let job = cluster.ended(job).await;
        assert_eq!(job.fault.unwrap().code(), Code::Bac2InstanceOfAnotherVault);
        assert!(cluster.points().await.is_empty());
        // It hears of it, and does not take it back by itself.
        vault.start(&cluster, id).await;
        assert_eq!(fault(&cluster, id).await, Some(Code::Bac2InstanceOfAnotherVault));
        let again = vault.reregister(id, ServerChange::default()).await;
        assert_eq!(code(again), Code::Bac2InstanceOfAnotherVault);
        let change = ServerChange {
            take_over: true,
            ..ServerChange::default()
        };
        assert_eq!(
            vault.reregister(id, change).await.unwrap().state,
            ServerState::Ready
        );
    });
}

/// Discovery as people ask for it.
pub(crate) trait Discovers {
    async fn start(&self, cluster: &Cluster, server: ServerId);
}

impl Discovers for Arc<Vault> {
    async fn start(&self, cluster: &Cluster, server: ServerId) {
        if !cluster.vault_runs() {
            cluster.start_vault().await;
        }
        let job = self.rediscover(server).await.unwrap();
        cluster.ended(job).await;
    }
}

#[test]
fn a_marker_that_is_gone_is_written_by_registering_again() {
    let cluster = Cluster::new(5);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        cluster
            .sql(&server)
            .go(&format!("DROP CREDENTIAL [{MARKER_NAME}]"))
            .await;
        vault.start(&cluster, id).await;
        assert_eq!(fault(&cluster, id).await, Some(Code::WorkloadExtensionNotPresent));
        for _ in 0..2 {
            let record = vault.reregister(id, ServerChange::default()).await.unwrap();
            assert_eq!((record.id, record.state), (id, ServerState::Ready));
        }
        assert!(
            cluster.notices().await.is_empty(),
            "{:#?}",
            cluster.notices().await
        );
    });
}

#[test]
fn another_instance_behind_the_address_is_not_taken_for_the_one() {
    let cluster = Cluster::new(6);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        cluster.sql(&server).make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        cluster.end(&server, End::Stop);
        cluster.server_with("sql1", None, Version::V2022, |settings| {
            settings.machine = "OTHER".to_owned();
        });
        vault.start(&cluster, id).await;
        assert_eq!(fault(&cluster, id).await, Some(Code::Bac2InstanceChanged));
        assert!(
            cluster
                .records::<Database>()
                .await
                .iter()
                .all(|one| one.gone.is_none())
        );
        let again = vault.reregister(id, ServerChange::default()).await;
        assert_eq!(code(again), Code::Bac2InstanceChanged);
    });
}

#[test]
fn an_instance_is_let_go_when_nothing_is_protected_and_comes_back_as_itself() {
    let cluster = Cluster::new(7);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        cluster.sql(&server).make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        let shop = cluster
            .records::<Database>()
            .await
            .into_iter()
            .find(|one| one.name == "Shop")
            .unwrap();
        let item = vault.protect(shop.id, policy).await.unwrap();
        let refused = vault.unregister(id).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2UnregisterRefused);
        assert!(refused.to_string().contains("Shop"), "{refused}");
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        assert_eq!(
            code(vault.unregister(id).await),
            Code::Bac2UnregisterRefused,
            "soft-deleted"
        );
    });
    let cluster = Cluster::new(8);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        assert_eq!(vault.unregister(id).await.unwrap(), []);
        assert!(!record(&cluster, id).await.is_registered());
        assert!(cluster.records::<SecretRecord>().await.is_empty());
        assert_eq!(code(vault.unregister(id).await), Code::Bac2NotFound);
        assert_eq!(code(vault.rediscover(id).await), Code::Bac2NotFound);
        // Its marker is gone: another vault may have it, and give it back.
        let other = another_vault(&cluster).await;
        let there = other.add_server(of(&server, "mine")).await.unwrap();
        other.unregister(there).await.unwrap();
        assert_eq!(vault.add_server(of(&server, "sql")).await.unwrap(), id);
        assert_eq!(record(&cluster, id).await.state, ServerState::Ready);
    });
}

#[test]
fn a_changed_password_and_other_settings_are_taken() {
    let cluster = Cluster::new(9);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        cluster.sql(&server).go("CREATE LOGIN backups WITH PASSWORD = 'Correct-Horse-2'; ALTER SERVER ROLE sysadmin ADD MEMBER backups").await;
        let login = |password: &str| ServerChange {
            login: Some(NewLogin::Sql {
                user: "backups".to_owned(),
                password: Secret::new(password.to_owned()),
            }),
            trust: Some(Trust::Pin { sha256: server.certificate.to_string() }),
            ..ServerChange::default()
        };
        assert_eq!(
            code(vault.reregister(id, login("wrong")).await),
            Code::UserErrorOpeningSQLConnection
        );
        assert_eq!(record(&cluster, id).await.trust, Trust::Any, "nothing changes where it fails");
        let changed = vault.reregister(id, login("Correct-Horse-2")).await.unwrap();
        assert_eq!(changed.state, ServerState::Ready);
        assert_eq!(cluster.records::<SecretRecord>().await.len(), 1, "the old password is forgotten");
        let mut settings = ServerSettings { auto_heal: false, ..ServerSettings::default() };
        assert!(!vault.set_server(id, settings.clone()).await.unwrap().settings.auto_heal);
        settings.buffer_bytes = 1;
        assert_eq!(code(vault.set_server(id, settings).await), Code::Bac2InputInvalid);
    });
}

#[test]
fn a_faulty_instance_does_not_hide_the_healthy_ones_of_its_machine() {
    let cluster = Cluster::new(10);
    let good = cluster.server_of("sql1", Some("A"), Version::V2019);
    let bad = cluster.server_of("sql1", Some("B"), Version::V2022);
    cluster.run(async {
        let vault = cluster.vault().await;
        let a = vault.add_server(of(&good, "a")).await.unwrap();
        let b = vault.add_server(of(&bad, "b")).await.unwrap();
        let hosts = cluster.records::<Host>().await;
        assert_eq!(hosts.len(), 1, "one machine");
        cluster.end(&bad, End::Stop);
        vault.start(&cluster, b).await;
        vault.start(&cluster, a).await;
        let codes = async || -> Vec<Code> {
            cluster
                .notices()
                .await
                .iter()
                .map(|one| one.fault.code())
                .collect()
        };
        assert_eq!(
            (fault(&cluster, a).await, fault(&cluster, b).await),
            (None, Some(Code::UserErrorOpeningSQLConnection))
        );
        assert!(
            codes().await.contains(&Code::Bac2FaultyInstanceOnHost),
            "{:?}",
            codes().await
        );
        vault
            .include_instances(hosts[0].id, Some(vec!["a".to_owned()]))
            .await
            .unwrap();
        assert!(!codes().await.contains(&Code::Bac2FaultyInstanceOnHost));
        vault.include_instances(hosts[0].id, None).await.unwrap();
        assert!(codes().await.contains(&Code::Bac2FaultyInstanceOnHost));
        assert_eq!(
            code(vault.include_instances(hosts[0].id, Some(Vec::new())).await),
            Code::Bac2InputInvalid
        );
        bad.start();
        // By itself, within the hour.
        cluster.pass(std::time::Duration::from_secs(3_700)).await;
        assert_eq!(fault(&cluster, b).await, None);
        assert!(codes().await.is_empty(), "{:?}", codes().await);
    });
}

#[test]
fn many_instances_come_from_a_file_and_each_bad_row_is_named() {
    let secret = |file: &str| match file {
        "sa.txt" => Ok(Secret::new(PASSWORD.to_owned())),
        _ => Err("there is no such file".to_owned()),
    };
    let text = "\u{feff}Name,address,user,password_file,certificate\r\n\
        sql1,sql1,sa,sa.txt,trust\r\n\
        \"with, \"\"quotes\"\"\",sql2,sa,sa.txt,trust\r\n\
        SQL1,sql3,sa,sa.txt,trust\r\n\
        c,sql4,sa,none.txt,trust\r\n\
        d,sql5:1433,sa,sa.txt,trust\r\n\
        e,sql6,sa,sa.txt,12\r\n\
        f,sql7\r\n\
        g,sql8,sa,sa.txt,trust\r\n";
    let rows = many::read(text, &secret).unwrap();
    let wrong: Vec<(u64, bool)> = rows.iter().map(|row| (row.line, row.server.is_err())).collect();
    assert_eq!(
        wrong,
        [
            (2, false),
            (3, false),
            (4, true),
            (5, true),
            (6, true),
            (7, true),
            (8, true),
            (9, false)
        ]
    );
    for row in &rows {
        if let Err(fault) = &row.server {
            assert_eq!(fault.code(), Code::Bac2InputInvalid);
            assert!(
                fault.to_string().contains(&format!("line {}", row.line)),
                "{fault}"
            );
        }
    }
    for bad in [
        "name,address,password\na,b,c",
        "name\na",
        "name,address,color\na,b,c",
        "name,address,name\na,b,c",
    ] {
        assert_eq!(
            many::read(bad, &secret).unwrap_err().code(),
            Code::Bac2InputInvalid,
            "{bad}"
        );
    }
    let many_rows = format!("name,address\n{}", "a,b\n".repeat(1_001));
    assert!(many::read(&many_rows, &secret).is_err());
    assert!(many::read(&" ".repeat((1 << 20) + 1), &secret).is_err());

    let cluster = Cluster::new(11);
    cluster.server("sql1");
    cluster.server("sql2");
    cluster.run(async {
        let vault = cluster.vault().await;
        let results = vault.add_servers(rows).await;
        let good: Vec<u64> = results
            .iter()
            .filter(|(_, one)| one.is_ok())
            .map(|(line, _)| *line)
            .collect();
        // Line 9 is well written, and there is no such host.
        assert_eq!(good, [2, 3], "{results:?}");
        assert_eq!(cluster.records::<ServerRecord>().await.len(), 2);
    });
}

#[test]
fn a_crash_while_an_instance_is_registered_again_makes_no_story_of_a_machine_put_back() {
    for polls in (1..).step_by(7) {
        let cluster = Cluster::new(12);
        let server = cluster.server("sql1");
        let is_over = cluster.run(async {
            let vault = cluster.vault().await;
            let id = vault.add_server(of(&server, "sql")).await.unwrap();
            let again = vault.reregister(id, ServerChange::default());
            let ended = CrashAfter::new(again, polls).await;
            drop(vault);
            cluster.crash_vault();
            let vault = cluster.start_vault().await;
            vault.start(&cluster, id).await;
            assert_eq!(record(&cluster, id).await.state, ServerState::Ready, "{polls}");
            ended.is_some()
        });
        if is_over {
            break;
        }
    }
}
