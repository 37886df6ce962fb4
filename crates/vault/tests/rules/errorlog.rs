//! What an instance's error log tells of blobs that broken backups hold.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Notice, Server as ServerRecord, ServerState};
use faults::Code;
use mssql::{Address, Authentication, Secret, Session, Target, Trust};
use schedule::BackupKind;
use simsql::message::Message;
use vault::registration::NewLogin;
use vault::shelf::Shelf as _;

use super::healing::late;
use super::registration::{Discovers as _, of, record};
use crate::world::{Cluster, End, PASSWORD, Server};

const MINUTE: Duration = Duration::from_secs(60);

/// Somebody's BACKUP of the database to a URL.
async fn backup(cluster: &Cluster, server: &Server, url: &str) -> Result<(), ()> {
    let authentication = Authentication::Password {
        user: "sa".to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
    };
    let address: Address = server.address.parse().unwrap();
    let target = Target::new(address, authentication, Trust::Anyone);
    let mut session = Session::open(&*cluster.network, &target).await.unwrap();
    let text = format!("BACKUP DATABASE [Shop] TO URL = '{url}' WITH COPY_ONLY");
    session.execute(&text).await.map(drop).map_err(drop)
}

/// Writes into the error log of an instance what SQL Server does of a URL.
fn write(server: &Server, function: &str, url: &str, error: &str) {
    let instance = server.instance().unwrap();
    instance.log(Message::new(18_210, &[&function, &"write", &url, &error]));
}

/// Open notices of URLs elsewhere.
async fn elsewhere(cluster: &Cluster) -> Vec<Notice> {
    let notices = cluster.notices().await.into_iter();
    notices
        .filter(|notice| notice.about.starts_with("foreignUrl/"))
        .collect()
}

const LEASED: &str = "Backup to URL received an exception from the remote endpoint. Exception Message: The remote server returned an error: (412) There is currently a lease on the blob and no lease ID was specified in the request.";

/// An instance of a running vault, with a database that has one full.
async fn backed_up(cluster: &Cluster, server: &Server) -> (catalog::record::ServerId, ContainerName) {
    let vault = cluster.start_vault().await;
    cluster.sql(server).make_database("Shop").await;
    let id = vault.add_server(of(server, "sql")).await.unwrap();
    vault.start(cluster, id).await;
    let databases = cluster.records::<catalog::record::Database>().await;
    let shop = databases.iter().find(|one| one.name == "Shop").unwrap().id;
    let (policy, _) = vault.create_policy(late()).await.unwrap();
    let item = vault.protect(shop, policy).await.unwrap();
    let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
    cluster.done(job).await;
    let containers = cluster.records::<Container>().await;
    let container = ContainerName::new(containers[0].name.clone()).unwrap();
    (id, container)
}

#[test]
fn a_url_of_the_vaults_that_a_line_names_is_looked_at_at_once_and_a_live_one_stays() {
    let cluster = Cluster::new(71);
    let server = cluster.server("sql1");
    cluster.run(async {
        let (id, container) = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        let url = |name: &BlobName| format!("{}/{name}", cluster.shelf.url(&container));
        let look = async |name: &BlobName| cluster.shelf.look(&container, name).await.unwrap();
        let [broken, named] =
            ["stray/broken.bak", "stray/complete.bak"].map(|name| BlobName::new(name).unwrap());
        backup(&cluster, &server, &url(&named)).await.unwrap();
        server.fault("kill after 900000 bytes to vault.test").await;
        backup(&cluster, &server, &url(&broken)).await.unwrap_err();
        cluster.end(&server, End::Kill);
        server.start();
        cluster.pass(MINUTE).await;
        // Whoever tries that URL meets the lease, and the error log says so; so it does of one that is complete.
        backup(&cluster, &server, &url(&broken)).await.unwrap_err();
        write(&server, "BackupIoRequest::ReportIoError", &url(&named), LEASED);
        vault.start(&cluster, id).await;
        assert!(look(&broken).await.is_some(), "it was used a moment ago");
        // Its holder is gone for sure after a quarter of an hour; the sweep comes every ten minutes.
        let begun = cluster.now();
        while look(&broken).await.unwrap().lease.unwrap().quiet < 15 * MINUTE {
            cluster.pass(Duration::from_secs(1)).await;
        }
        write(&server, "BackupIoRequest::ReportIoError", &url(&broken), LEASED);
        vault.start(&cluster, id).await;
        assert_eq!(look(&broken).await, None, "gone before {begun} and 20 minutes");
        assert!(look(&named).await.is_some());
        let probes = record(&cluster, id).await.readiness;
        let told = probes.iter().find(|probe| probe.name == "error log").unwrap();
        assert!(told.passed && told.found.contains("1 were removed"), "{told:?}");
        assert_eq!(elsewhere(&cluster).await, []);
    });
}

#[test]
fn of_a_url_elsewhere_people_are_told_once_and_no_secret_with_it() {
    let cluster = Cluster::new(72);
    let server = cluster.server("sql1");
    cluster.run(async {
        let (id, _) = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        let url = "https://theirs.blob.core.windows.net/nightly/shop.bak";
        write(
            &server,
            "BackupIoRequest::ReportIoError",
            &format!("{url}?sv=2021-12-02&sig=c2VjcmV0"),
            LEASED,
        );
        write(
            &server,
            "BackupIoRequest::ReportIoError",
            "/sql/backup/a.bak",
            "112(There is not enough space on the disk.)",
        );
        vault.start(&cluster, id).await;
        let told = elsewhere(&cluster).await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(
            (told[0].fault.code(), told[0].server, told[0].times),
            (Code::Bac2UrlLeased, Some(id), 1)
        );
        let why = told[0].fault.detail();
        assert!(why.contains(url), "{why}");
        assert!(
            why.contains(
                "bac2 leases list --account-url https://theirs.blob.core.windows.net --container nightly"
            ),
            "{why}"
        );
        assert!(why.contains("2026-01-01T"), "{why}");
        assert!(!cluster.catalog.dump().contains("c2VjcmV0"));
        // What was read is read no more, after a restart of the vault and of the instance either.
        cluster.crash_vault();
        cluster.end(&server, End::Kill);
        server.start();
        let vault = cluster.start_vault().await;
        vault.start(&cluster, id).await;
        assert_eq!(elsewhere(&cluster).await[0].times, 1);
        // Nothing more of it for a week, and it is over.
        drop(vault);
        cluster.crash_vault();
        cluster.pass(8 * 24 * 60 * MINUTE).await;
        cluster.start_vault().await;
        cluster.pass(60 * MINUTE).await;
        assert_eq!(elsewhere(&cluster).await, []);
    });
}

#[test]
fn a_failed_backup_has_the_error_log_read_before_the_next_discovery() {
    let cluster = Cluster::new(73);
    let server = cluster.server("sql1");
    cluster.run(async {
        let (id, _) = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        let url = "http://10.0.0.7:10000/theirs/nightly/shop.bak";
        write(
            &server,
            "BackupVirtualDeviceFile::RequestDurableMedia",
            url,
            "Exception Message: (409) Conflict.",
        );
        cluster.pass(10 * MINUTE).await;
        assert_eq!(elsewhere(&cluster).await, [], "nobody has looked");
        let item = cluster.records::<catalog::record::Item>().await[0].id;
        let error = |number: i32, text: &str| mssql::Message {
            number,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: text.to_owned(),
        };
        let refused = vec![
            error(
                3202,
                &format!("Write on \"https://vault.test/x.bak\" failed: {LEASED}"),
            ),
            error(3013, "BACKUP DATABASE is terminating abnormally."),
        ];
        server.refuse_next("BACKUP DATABASE [Shop] TO", refused);
        let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(job).await;
        cluster.pass(2 * MINUTE).await;
        let told = elsewhere(&cluster).await;
        assert_eq!(told.len(), 1, "{:#?}", cluster.jobs().await);
        let why = told[0].fault.detail();
        assert!(
            why.contains("--account-url http://10.0.0.7:10000/theirs --container nightly"),
            "{why}"
        );
        assert!(record(&cluster, id).await.error_log_read.is_some());
    });
}

#[test]
fn a_login_that_may_not_read_it_is_ready_all_the_same_and_told_what_it_lacks() {
    let cluster = Cluster::new(74);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let script = vault
            .login_script(
                id,
                vault::registration::Purpose::Backup,
                "bk",
                mssql::statement::login::Account::Sql,
            )
            .await
            .unwrap();
        sql.go(&script.replace("<put a strong password here>", "Correct-Horse-2"))
            .await;
        sql.go("REVOKE VIEW ANY ERROR LOG FROM bk").await;
        let change = vault::registration::ServerChange {
            login: Some(NewLogin::Sql {
                user: "bk".to_owned(),
                password: Secret::new("Correct-Horse-2".to_owned()),
            }),
            ..Default::default()
        };
        vault.reregister(id, change).await.unwrap();
        vault.start(&cluster, id).await;
        let failed = |server: &ServerRecord| -> Vec<(String, Option<Code>)> {
            let probes = server.readiness.iter().filter(|probe| !probe.passed);
            probes
                .map(|probe| (probe.name.clone(), probe.fault.as_ref().map(faults::Fault::code)))
                .collect()
        };
        let seen = record(&cluster, id).await;
        assert_eq!(
            failed(&seen),
            [("error log".to_owned(), Some(Code::Bac2NotReady))]
        );
        assert_eq!(seen.state, ServerState::Ready);
        let repair = seen.readiness.iter().find_map(|probe| probe.repair.as_deref());
        sql.go(repair.unwrap()).await;
        vault.start(&cluster, id).await;
        assert_eq!(failed(&record(&cluster, id).await), []);
    });
}
