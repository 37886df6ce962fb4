//! What the error log of an instance says of blobs that others' broken backups hold.

use std::time::Duration;

use azblob::names::ContainerName;
use faults::Code;
use vault::shelf::Shelf as _;

use super::lab::{Lab, Release, run};

#[test]
fn a_lease_that_somebody_elses_backup_met_elsewhere_is_told_with_the_command_that_looks_there() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, _) = lab.shop(Release::V2022).await;
        for _ in 0..5 {
            server.add_rows("Shop", 200).await;
        }
        // A container that is none of the vault's.
        let theirs = ContainerName::new("nightly").unwrap();
        let shelf = &lab.door.shelf;
        shelf.make_container(&theirs).await.unwrap();
        let until = lab.now() + Duration::from_secs(86_400);
        let sas = shelf.grant(&theirs, "nightly", until).await.unwrap();
        let url = shelf.url(&theirs);
        let secret = sas.reveal();
        server
            .sql(&format!(
                "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{secret}'"
            ))
            .await;
        let backup = format!("BACKUP DATABASE [Shop] TO URL = '{url}/shop.bak' WITH COPY_ONLY");
        server.fault("kill after 100000 bytes to vault.example").await;
        server.try_sql(&backup).await;
        lab.until("the instance is dead", || async {
            (!server.is_running()).then_some(())
        })
        .await;
        server.start_again();
        let said = server.try_sql(&backup).await;
        assert!(said.iter().any(|one| one.number == 3013), "{said:?}");
        lab.rediscover(id).await;
        let told = lab.noticed(Code::Bac2UrlLeased).await;
        let words = told.fault.detail();
        assert!(words.contains(&format!("{url}/shop.bak")), "{words}");
        assert!(
            words.contains("bac2 leases list --account-url https://vault.example --container nightly"),
            "{words}"
        );
        assert!(!words.contains("sig="), "{words}");
        let probes = lab.server_record(id).await.readiness;
        let read = probes.iter().find(|probe| probe.name == "error log").unwrap();
        assert!(read.passed, "{read:?}");
        // Told once, however often the log is read.
        lab.rediscover(id).await;
        let again = lab.noticed(Code::Bac2UrlLeased).await;
        assert_eq!(again.times, told.times);
    });
}
