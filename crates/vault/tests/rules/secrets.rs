//! Secrets at rest live as long as something names them.

use std::collections::BTreeSet;
use std::time::Duration;

use catalog::record::{Container, Item, Login, Secret as SecretRecord, SecretId, Server as ServerRecord};
use catalog::{delete, demand, insert, update};
use mssql::Secret;
use schedule::BackupKind;
use vault::registration::{NewLogin, ServerChange};
use vault::shelf::Shelf as _;

use super::foreign::{protected, registered};
use crate::world::{Cluster, PASSWORD};

const MINUTE: Duration = Duration::from_secs(60);

/// Those that there are.
async fn there(cluster: &Cluster) -> BTreeSet<SecretId> {
    cluster
        .records::<SecretRecord>()
        .await
        .iter()
        .map(|one| one.id)
        .collect()
}

/// Those that instances and containers name.
async fn named(cluster: &Cluster) -> BTreeSet<SecretId> {
    let mut named = BTreeSet::new();
    for server in cluster.records::<ServerRecord>().await {
        if server.is_registered() {
            let Login::Sql { password, .. } = server.login else {
                panic!("{:?}", server.login)
            };
            named.insert(password);
        }
    }
    for container in cluster.records::<Container>().await {
        named.extend(container.sas);
        named.extend(container.credentials.iter().map(|made| made.sas));
    }
    named
}

#[test]
fn a_secret_goes_with_what_names_it() {
    let cluster = Cluster::new(51);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        let (id, database) = registered(&cluster, &server).await;
        let item = protected(&cluster, database).await;
        let vault = cluster.start_vault().await;
        let take = async || {
            let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
            cluster.done(job).await;
        };
        take().await;
        let first = there(&cluster).await;
        assert_eq!(
            (first.len(), &first),
            (2, &named(&cluster).await),
            "a password and a signature"
        );

        // Another login: the old password goes with it.
        let change = ServerChange {
            login: Some(NewLogin::Sql {
                user: "sa".to_owned(),
                password: Secret::new(PASSWORD.to_owned()),
            }),
            ..ServerChange::default()
        };
        vault.reregister(id, change).await.unwrap();
        let second = there(&cluster).await;
        assert_eq!(second, named(&cluster).await);
        assert_eq!((second.len(), second.intersection(&first).count()), (2, 1));

        // Another signature: the old one goes when the instance has the new one, and what a crash left as well.
        let container = cluster.records::<Container>().await.remove(0);
        let old = container.sas.unwrap();
        let signature = {
            let sealed = cluster.records::<SecretRecord>().await;
            let sealed = sealed.iter().find(|one| one.id == old).unwrap();
            cluster.keyring.open(sealed).unwrap()
        };
        let seal = || {
            let id = SecretId(vault::world::Chance::uuid(&*cluster.dice));
            cluster.keyring.seal(id, &signature, &*cluster.dice).unwrap()
        };
        let (new, left) = (seal(), seal());
        let key = cluster.vault_id().to_string();
        let catalog = cluster.open_catalog();
        {
            let mut tx = catalog.begin().await.unwrap();
            let mut found = demand::<Container>(tx.as_mut(), &key, &container.id.to_string())
                .await
                .unwrap();
            found.record.sas = Some(new.id);
            update(tx.as_mut(), found).await.unwrap();
            insert(tx.as_mut(), &key, new.clone()).await.unwrap();
            insert(tx.as_mut(), &key, left).await.unwrap();
            tx.commit().await.unwrap();
        }
        cluster.pass(30 * MINUTE).await;
        assert_eq!(
            there(&cluster).await.len(),
            3,
            "the instance has the old one still"
        );
        take().await;
        cluster.pass(30 * MINUTE).await;
        let third = there(&cluster).await;
        assert_eq!(third, named(&cluster).await);
        assert!(third.len() == 2 && third.contains(&new.id));

        // With the instance all of its own goes, and what it shows is good no more.
        {
            let mut tx = catalog.begin().await.unwrap();
            let found = demand::<Item>(tx.as_mut(), &key, &item.to_string())
                .await
                .unwrap();
            delete(tx.as_mut(), &found).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(vault.unregister(id).await.unwrap(), []);
        assert!(there(&cluster).await.is_empty());
        let name = azblob::names::ContainerName::new(container.name).unwrap();
        let text = format!(
            "BACKUP DATABASE [Shop] TO URL = '{}/stray.bak' WITH COPY_ONLY",
            cluster.shelf.url(&name)
        );
        assert!(cluster.sql(&server).run(&text).await.errors().count() > 0);
    });
}
