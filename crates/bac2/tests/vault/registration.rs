//! Registering instances over the network: by address and by file, with right and wrong logins, trusted and not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use catalog::record::{Secret as SecretRecord, Server as ServerRecord, ServerState, Trust};
use faults::Code;
use mssql::Secret;
use vault::protection::Data;
use vault::registration::{MARKER_NAME, ServerChange, many};

use super::lab::{Lab, PASSWORD, Release, Server, Start, code, login, run};

#[test]
fn what_cannot_be_reached_or_opened_is_refused_and_leaves_nothing() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2019).await;
        let vault = lab.vault();
        let good = lab.registration(&server);
        let mut wrong = good.clone();
        wrong.login = login("sa", "Wrong-1234");
        let refused = vault.add_server(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::UserErrorOpeningSQLConnection);
        assert!(
            refused.said().iter().any(|said| said.number() == 18456),
            "{refused:?}"
        );
        assert!(!format!("{refused:?}").contains("Wrong-1234"));
        let mut odd = good.clone();
        odd.login = login("o'no]; DROP TABLE x --", "ż");
        assert_eq!(
            code(vault.add_server(odd).await),
            Code::UserErrorOpeningSQLConnection
        );
        let mut nowhere = good.clone();
        nowhere.address = "no-such-host.invalid".to_owned();
        assert_eq!(
            code(vault.add_server(nowhere).await),
            Code::Bac2ServerNameNotResolved
        );
        let mut closed = good.clone();
        closed.address = "127.0.0.1,1".to_owned();
        assert_eq!(
            code(vault.add_server(closed).await),
            Code::UserErrorOpeningSQLConnection
        );
        let mut malformed = good.clone();
        malformed.address = "127.0.0.1:1433".to_owned();
        assert_eq!(code(vault.add_server(malformed).await), Code::Bac2InputInvalid);
        server.kill();
        assert_eq!(
            code(vault.add_server(good).await),
            Code::UserErrorOpeningSQLConnection
        );
        assert!(lab.records::<ServerRecord>().await.is_empty());
        assert!(lab.records::<SecretRecord>().await.is_empty());
    });
}

#[test]
fn certificates_are_pinned_verified_or_refused() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let vault = lab.vault();
        let with = |trust: Trust| {
            let mut new = lab.registration(&server);
            new.trust = trust;
            new
        };
        // Nobody vouches for a certificate that an instance made for itself.
        let verified = vault.add_server(with(Trust::Verify)).await;
        assert_eq!(code(verified), Code::Bac2ServerCertificateNotTrusted);
        let other = Trust::Pin {
            sha256: "00".repeat(32),
        };
        assert_eq!(
            code(vault.add_server(with(other)).await),
            Code::Bac2ServerCertificateNotTrusted
        );
        assert!(
            lab.records::<SecretRecord>().await.is_empty(),
            "no password went to it"
        );
        let id = vault.add_server(with(pin(&server))).await.unwrap();
        assert_eq!(lab.server_record(id).await.state, ServerState::Ready);
        // The next start makes another certificate: the pin holds against it.
        server.start_again();
        lab.rediscover(id).await;
        assert_eq!(
            lab.server_fault(id).await,
            Some(Code::Bac2ServerCertificateNotTrusted)
        );
        let change = ServerChange {
            trust: Some(pin(&server)),
            ..ServerChange::default()
        };
        assert_eq!(
            vault.reregister(id, change).await.unwrap().state,
            ServerState::Ready
        );
    });
}

/// The certificate that an instance shows now.
fn pin(server: &Server) -> Trust {
    let pem = server.certificate();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(body).unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    Trust::Pin {
        sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[test]
fn a_named_instance_and_one_of_its_port_are_the_same() {
    run(|| async {
        let lab = Lab::new().await;
        let named = |start: &mut Start| start.instance = Some("ŻÓŁW".to_owned());
        let server = lab.server_with(Release::V2017, named).await;
        let id = lab.register(&server).await;
        let record = lab.server_record(id).await;
        assert_eq!(record.facts.unwrap().server_name, "SQL1\\ŻÓŁW");
        let mut again = lab.registration(&server);
        again.name = "the same, called otherwise".to_owned();
        again.address = again.address.replace("127.0.0.1", "localhost");
        assert_eq!(code(lab.vault().add_server(again).await), Code::Bac2NameTaken);
    });
}

#[test]
fn one_instance_belongs_to_one_vault_until_another_takes_it_over() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let id = lab.register(&server).await;
        let other = lab.other_vault().await;
        let mut new = lab.registration(&server);
        assert_eq!(
            code(other.add_server(new.clone()).await),
            Code::Bac2InstanceOfAnotherVault
        );
        new.take_over = true;
        other.add_server(new).await.unwrap();
        lab.rediscover(id).await;
        assert_eq!(lab.server_fault(id).await, Some(Code::Bac2InstanceOfAnotherVault));
        let vault = lab.vault();
        let again = vault.reregister(id, ServerChange::default()).await;
        assert_eq!(code(again), Code::Bac2InstanceOfAnotherVault);
        let back = ServerChange {
            take_over: true,
            ..ServerChange::default()
        };
        assert_eq!(
            vault.reregister(id, back).await.unwrap().state,
            ServerState::Ready
        );
        server.sql(&format!("DROP CREDENTIAL [{MARKER_NAME}]")).await;
        lab.rediscover(id).await;
        assert_eq!(
            lab.server_fault(id).await,
            Some(Code::WorkloadExtensionNotPresent)
        );
        let record = vault.reregister(id, ServerChange::default()).await.unwrap();
        assert_eq!((record.id, record.state), (id, ServerState::Ready));
        assert!(lab.notices().await.is_empty());
    });
}

#[test]
fn a_login_without_rights_is_registered_and_the_scripts_mend_it() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2019).await;
        server.sql("CREATE DATABASE [o'no]]x]").await;
        server
            .sql("CREATE LOGIN [back'up]]s] WITH PASSWORD = 'Correct-Horse-2'")
            .await;
        let mut new = lab.registration(&server);
        new.login = login("back'up]s", "Correct-Horse-2");
        let id = lab.vault().add_server(new).await.unwrap();
        assert_eq!(
            lab.server_fault(id).await,
            Some(Code::UserErrorSQLNoSysadminMembership)
        );
        let missed = lab.server_record(id).await.readiness;
        for probe in missed.iter().filter(|probe| !probe.passed) {
            let expected = match probe.name.as_str() {
                "backups" | "error log" => Code::Bac2NotReady,
                _ => Code::UserErrorSQLNoSysadminMembership,
            };
            assert_eq!(probe.fault.as_ref().unwrap().code(), expected, "{probe:?}");
            server.sql(probe.repair.as_deref().unwrap()).await;
        }
        lab.rediscover(id).await;
        let record = lab.server_record(id).await;
        assert!(
            record.readiness.iter().all(|probe| probe.passed),
            "{:#?}",
            record.readiness
        );
        assert_eq!(
            (record.state, record.marker.is_some()),
            (ServerState::Ready, true)
        );
    });
}

#[test]
fn an_instance_is_let_go_only_when_nothing_of_it_is_protected() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let vault = lab.vault();
        let refused = vault.unregister(id).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2UnregisterRefused);
        assert!(refused.to_string().contains("Shop"), "{refused}");
        lab.proved(item, schedule::BackupKind::Full).await;
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        assert_eq!(
            code(vault.unregister(id).await),
            Code::Bac2UnregisterRefused,
            "soft-deleted"
        );
        let empty = lab.server(Release::V2022).await;
        let second = lab.register(&empty).await;
        assert_eq!(vault.unregister(second).await.unwrap(), []);
        assert_eq!(code(vault.rediscover(second).await), Code::Bac2NotFound);
        let marks = format!("SELECT COUNT(*) AS n FROM sys.credentials WHERE name = '{MARKER_NAME}'");
        assert_eq!(empty.value(&marks).await, mssql::Value::Integer(0));
        assert_eq!(lab.register(&empty).await, second, "it comes back as itself");
        drop(server);
    });
}

#[test]
fn a_sick_instance_of_a_machine_hides_no_other_and_heals_by_itself() {
    run(|| async {
        let lab = Lab::new().await;
        let on = |name: &'static str| {
            move |start: &mut Start| {
                start.machine = "BOX".to_owned();
                start.instance = Some(name.to_owned());
            }
        };
        let good = lab.server_with(Release::V2019, on("A")).await;
        let bad = lab.server_with(Release::V2022, on("B")).await;
        let mut ids = Vec::new();
        for (server, name) in [(&good, "a"), (&bad, "b")] {
            let mut new = lab.registration(server);
            new.name = name.to_owned();
            ids.push(lab.vault().add_server(new).await.unwrap());
        }
        bad.kill();
        for id in &ids {
            lab.rediscover(*id).await;
        }
        assert_eq!(lab.server_fault(ids[0]).await, None);
        assert_eq!(
            lab.server_fault(ids[1]).await,
            Some(Code::UserErrorOpeningSQLConnection)
        );
        lab.noticed(Code::Bac2FaultyInstanceOnHost).await;
        bad.start_again();
        lab.advance(std::time::Duration::from_secs(3_700));
        lab.until("the instance is well again", || async {
            lab.server_fault(ids[1]).await.is_none().then_some(())
        })
        .await;
        lab.until("nothing is to be said", || async {
            lab.notices().await.is_empty().then_some(())
        })
        .await;
    });
}

#[test]
fn many_instances_come_from_a_file() {
    run(|| async {
        let lab = Lab::new().await;
        let (one, two) = (lab.server(Release::V2016).await, lab.server(Release::V2025).await);
        let secret = |file: &str| match file {
            "sa.txt" => Ok(Secret::new(PASSWORD.to_owned())),
            _ => Err("there is no such file".to_owned()),
        };
        let text = format!(
            "name,address,user,password_file,certificate\r\n\
             one,\"{}\",sa,sa.txt,trust\r\n\
             \"two, \"\"quoted\"\" ]'\",\"{}\",sa,sa.txt,trust\r\n\
             three,\"127.0.0.1,1\",sa,sa.txt,trust\r\n\
             four,\"{}\",sa,none.txt,trust\r\n",
            one.address(),
            two.address(),
            one.address()
        );
        let rows = many::read(&text, &secret).unwrap();
        let results = lab.vault().add_servers(rows).await;
        let outcomes: Vec<(u64, Option<Code>)> = results
            .iter()
            .map(|(line, result)| (*line, result.as_ref().err().map(faults::Fault::code)))
            .collect();
        let expected = [
            (2, None),
            (3, None),
            (4, Some(Code::UserErrorOpeningSQLConnection)),
            (5, Some(Code::Bac2InputInvalid)),
        ];
        assert_eq!(outcomes, expected, "{results:#?}");
        let years: Vec<String> = lab
            .records::<ServerRecord>()
            .await
            .iter()
            .map(|server| {
                server
                    .facts
                    .as_ref()
                    .unwrap()
                    .version
                    .split('.')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert!(
            years.contains(&"13".to_owned()) && years.contains(&"17".to_owned()),
            "{years:?}"
        );
    });
}
