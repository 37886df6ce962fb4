//! What only a server can suffer: lost connections, several nodes at once, wrong addresses.

use std::sync::Arc;

use catalog::sql::{Location, SqlCatalog};
use catalog::{Catalog as _, Kind};
use sqlx::Row as _;

use crate::records::row;
use crate::server::Server;

/// Ends every connection to a database but those of this look.
async fn cut(server: &Server, database: &str) {
    let mut admin = server.connect("postgres").await;
    let cut = sqlx::query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1")
        .bind(database)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(cut.get::<i64, _>(0) > 0);
    // They end a moment after they were told to.
    for _ in 0..30_000 {
        let left = sqlx::query("SELECT count(*) FROM pg_stat_activity WHERE datname = $1")
            .bind(database)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        if left.get::<i64, _>(0) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("connections do not end");
}

/// A connection lost in a transaction, one lost at its commit, and all is well again with the next.
pub(crate) async fn lost(server: Arc<Server>) {
    let database = server.database().await;
    let catalog = SqlCatalog::open(&Location::parse(&server.url(&database)).unwrap())
        .await
        .unwrap();

    let mut tx = catalog.begin().await.unwrap();
    tx.insert(row(Kind::Job, "v1", "j1", None)).await.unwrap();
    cut(&server, &database).await;
    let error = tx.get(Kind::Job, "v1", "j1").await.unwrap_err();
    assert_eq!(error.code(), "CatalogUnreachable", "{error}");
    assert_eq!(tx.commit().await.unwrap_err(), error);

    // Whether the commit was done before the connection ended cannot be seen from here.
    let mut tx = catalog.begin().await.unwrap();
    tx.insert(row(Kind::Job, "v1", "j2", None)).await.unwrap();
    cut(&server, &database).await;
    let error = tx.commit().await.unwrap_err();
    assert_eq!(error.code(), "CatalogCommitUnknown", "{error}");

    // Idle connections were cut as well.
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(tx.get(Kind::Job, "v1", "j1").await.unwrap(), None);
    tx.insert(row(Kind::Job, "v1", "j1", None)).await.unwrap();
    tx.commit().await.unwrap();
    catalog.health().await.unwrap();
    catalog.close().await;
}

/// Nodes that start at once each have a generation of their own.
pub(crate) async fn start_at_once(server: Arc<Server>) {
    let database = server.database().await;
    let location = Location::parse(&server.url(&database)).unwrap();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let location = location.clone();
            tokio::spawn(async move { SqlCatalog::open(&location).await })
        })
        .collect();
    let mut nodes = Vec::new();
    for start in starts {
        nodes.push(start.await.unwrap().unwrap());
    }
    let mut generations: Vec<i64> = nodes.iter().map(|node| node.info().generation).collect();
    generations.sort_unstable();
    assert_eq!(generations, [1, 2, 3, 4]);
    assert!(
        nodes
            .windows(2)
            .all(|pair| pair[0].info().catalog_id == pair[1].info().catalog_id)
    );
}

/// Addresses that lead nowhere are named, without their passwords.
pub(crate) async fn wrong_addresses(server: Arc<Server>) {
    let wrong = [
        server.url("nowhere"),
        "postgres://me:hunter2@127.0.0.1:1/db".to_owned(),
        "postgres://me:hunter2@no-such-host.invalid/db".to_owned(),
    ];
    for url in wrong {
        let error = SqlCatalog::open(&Location::parse(&url).unwrap())
            .await
            .err()
            .unwrap();
        assert_eq!(error.code(), "CatalogUnreachable", "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
