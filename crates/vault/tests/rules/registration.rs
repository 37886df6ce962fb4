//! Registering instances: by their addresses, once, for one vault.

use catalog::record::{Database, Server as ServerRecord, ServerSettings, ServerState, Trust};
use faults::Code;
use mssql::Secret;
use vault::registration::{NewLogin, NewServer};

use crate::world::{Cluster, PASSWORD, Server};

/// A registration of an instance as `sa`.
pub(crate) fn of(server: &Server, name: &str) -> NewServer {
    NewServer {
        name: name.to_owned(),
        address: server.address.clone(),
        login: NewLogin::Sql {
            user: "sa".to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
        },
        restore_login: None,
        trust: Trust::Any,
        take_over: false,
        settings: ServerSettings::default(),
    }
}

#[test]
fn an_instance_is_registered_marked_and_its_databases_are_listed() {
    let cluster = Cluster::new(1);
    let server = cluster.server_of("sql1", Some("A"), simsql::instance::Version::V2019);
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
    });
}
