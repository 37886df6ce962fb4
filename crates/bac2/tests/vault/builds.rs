//! Versions, builds and editions that cannot do what is asked for, or spoil it.

use std::process::Command;

use faults::Code;
use schedule::BackupKind::Full;

use super::lab::{Lab, PASSWORD, Release, quiet, run};

/// Has the database encrypted by SQL Server.
#[test]
fn builds_that_spoil_compressed_backups_of_encrypted_databases_take_them_plain() {
    run(|| async {
        let lab = Lab::new().await;
        let policy = |name: &str| {
            quiet().replace("quiet", name).replace(
                "\"running\"",
                "\"writing\": {\"compression\": \"on\"}, \"running\"",
            )
        };
        // 2016 before RTM CU7 and SP1 CU4, 2019 before CU16; the builds beside them are the first that do it right.
        for (release, build, is_bad) in [
            (Release::V2016, "13.0.4001", true),
            (Release::V2016, "13.0.4446", false),
            (Release::V2019, "15.0.4198", true),
            (Release::V2019, "15.0.4223", false),
        ] {
            let server = lab.server_with(release, |start| start.build = Some(build)).await;
            server.make_database("Shop").await;
            server.encrypt_shop().await;
            let id = lab.register(&server).await;
            let version = lab.server_record(id).await.facts.unwrap().version;
            assert!(version.starts_with(build), "{version}");
            let item = lab.protect_by(&policy(build), id, "Shop").await;
            let job = lab.back_up(item, Full).await;
            let codes: Vec<Code> = job.warnings.iter().map(faults::Fault::code).collect();
            let sent = job.statements.concat();
            assert_eq!(
                codes.contains(&Code::Bac2KnownBadBuild),
                is_bad,
                "{build}: {job:#?}"
            );
            assert_eq!(
                sent.contains("COMPRESSION") && !sent.contains("NO_COMPRESSION"),
                !is_bad,
                "{build}: {sent}"
            );
            assert!(job.point.is_some(), "{job:#?}");
        }
    });
}

#[test]
fn a_build_without_backups_to_urls_is_told() {
    run(|| async {
        let lab = Lab::new().await;
        // SP1 without CU2, the first build that writes to a URL.
        let server = lab
            .server_with(Release::V2012, |start| start.build = Some("11.0.3000"))
            .await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let probes = lab.server_record(id).await.readiness;
        let missed: Vec<Code> = probes
            .iter()
            .filter_map(|probe| probe.fault.as_ref())
            .map(faults::Fault::code)
            .collect();
        assert!(
            missed.contains(&Code::Bac2UnsupportedVersionOrEdition),
            "{probes:#?}"
        );
        let item = lab.protect(id, "Shop").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::Bac2UnsupportedVersionOrEdition
        );
    });
}

#[test]
fn a_build_that_is_none_or_of_another_version_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    for (build, code) in [
        ("13.0.4001", "BuildOfAnotherVersion"),
        ("16.0", "three numbers"),
        ("16.0.70000", "three numbers"),
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(["sim", "--sa-password", PASSWORD, "--listen", "127.0.0.1:0"])
            .args(["--version", "2022", "--build", build, "--data"])
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && said.contains(code), "{build}: {said}");
    }
}
