//! Other tools' backups: who owns a chain, who is told, and how it is taken over.

use std::time::Duration;

use catalog::record::{
    Database, DatabaseId, Foreign, ItemId, JobState, Notice, Server as ServerRecord, ServerId, Trigger,
};
use catalog::{delete, demand, update};
use faults::Code;
use schedule::BackupKind;
use vault::registration::NewServer;

use super::healing::late;
use crate::world::{Cluster, End, Server};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn registered(cluster: &Cluster, server: &Server) -> (ServerId, DatabaseId) {
    let vault = cluster.vault().await;
    let new = NewServer {
        name: "sql1".to_owned(),
        ..server.registration()
    };
    let id = vault.add_server(new).await.unwrap();
    let databases = cluster.records::<Database>().await;
    (id, databases.iter().find(|one| one.name == "Shop").unwrap().id)
}

pub(crate) async fn protected(cluster: &Cluster, database: DatabaseId) -> ItemId {
    let vault = cluster.vault().await;
    let policy = vault.create_policy(late()).await.unwrap().0;
    vault.protect(database, policy).await.unwrap()
}

/// Lists the databases again, with what is new in `msdb`.
async fn look_again(cluster: &Cluster, server: ServerId) {
    let job = cluster.vault().await.rediscover(server).await.unwrap();
    cluster.done(job).await;
}

async fn seen(cluster: &Cluster) -> Vec<Notice> {
    let mut notices = cluster.notices().await;
    notices.retain(|one| one.fault.code() == Code::Bac2ForeignBackupSeen);
    notices
}

#[test]
fn another_tools_chain_is_left_alone_until_it_is_taken_over() {
    let cluster = Cluster::new(31);
    let server = cluster.server("sql1");
    cluster.run(async {
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        sql.foreign_backup("DATABASE", "Shop", "tool.bak", "").await;
        sql.foreign_backup("LOG", "Shop", "tool.trn", "").await;
        let (_, database) = registered(&cluster, &server).await;
        let item = protected(&cluster, database).await;
        let owner = cluster.item(item).await.foreign_owner.unwrap();
        assert!(owner.owns_log && owner.owns_base && !owner.is_log_shipping);
        assert!(
            owner.who.contains("sa took a log to /sql/backup/tool.trn"),
            "{}",
            owner.who
        );
        let vault = cluster.start_vault().await;
        for kind in [BackupKind::Log, BackupKind::Differential] {
            let refused = vault.back_up(item, kind, None).await.unwrap();
            let refused = cluster.ended(refused).await;
            assert_eq!(refused.state, JobState::Failed);
            assert_eq!(refused.fault.unwrap().code(), Code::Bac2ForeignChainOwner);
        }
        let taken = vault.take_over_chain(item).await.unwrap();
        assert!(taken.took_over.is_some() && taken.foreign_owner.is_none());
        cluster.pass(10 * MINUTE).await;
        let healed = cluster.item(item).await;
        assert!(healed.healing.is_none() && healed.base.is_some());
        let jobs = cluster.jobs().await;
        assert!(
            jobs.iter()
                .any(|job| matches!(job.trigger, Trigger::Healing { .. }))
        );
        let log = vault.back_up(item, BackupKind::Log, None).await.unwrap();
        cluster.done(log).await;
    });
}

#[test]
fn backups_of_others_that_break_a_chain_are_told_once() {
    let cluster = Cluster::new(32);
    let server = cluster.server("sql1");
    cluster.run(async {
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let (id, database) = registered(&cluster, &server).await;
        let item = protected(&cluster, database).await;
        let vault = cluster.start_vault().await;
        let own = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(own).await;
        sql.foreign_backup("DATABASE", "Shop", "copy.bak", "COPY_ONLY")
            .await;
        look_again(&cluster, id).await;
        // The vault's own is none of another tool, and a copy breaks nothing.
        let foreign = cluster.records::<Foreign>().await;
        assert_eq!(foreign.len(), 1, "{foreign:#?}");
        assert!(foreign[0].is_copy_only && foreign[0].database == Some(database));
        assert!(seen(&cluster).await.is_empty());
        sql.foreign_backup("LOG", "Shop", "break.trn", "").await;
        look_again(&cluster, id).await;
        look_again(&cluster, id).await;
        let notices = seen(&cluster).await;
        assert_eq!(notices.len(), 1);
        assert_eq!((notices[0].times, notices[0].item), (1, Some(item)));
        let why = notices[0].fault.detail();
        assert!(
            why.contains("sa took a log to /sql/backup/break.trn at 2026-01-01T"),
            "{why}"
        );
        assert!(
            cluster.item(item).await.foreign_owner.is_none(),
            "decided when it was protected"
        );
        // From a full of its own on the chain is the vault's again.
        let own = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(own).await;
        assert!(seen(&cluster).await.is_empty());
    });
}

#[test]
fn a_purged_msdb_or_one_put_back_is_read_again() {
    let cluster = Cluster::new(33);
    let server = cluster.server("sql1");
    cluster.run(async {
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        sql.foreign_backup("DATABASE", "Shop", "one.bak", "").await;
        let (id, _) = registered(&cluster, &server).await;
        cluster.start_vault().await;
        assert_eq!(cluster.records::<Foreign>().await.len(), 1);
        let read = |servers: Vec<ServerRecord>| servers[0].history_read;
        let first = read(cluster.records().await);
        assert!(first > 0);
        // Numbers that msdb has not come to yet: it was put back.
        let key = cluster.vault().await.id().to_string();
        {
            let catalog = cluster.open_catalog();
            let mut tx = catalog.begin().await.unwrap();
            let mut found = demand::<ServerRecord>(tx.as_mut(), &key, &id.to_string())
                .await
                .unwrap();
            found.record.history_read = first + 1_000;
            update(tx.as_mut(), found).await.unwrap();
            tx.commit().await.unwrap();
        }
        sql.foreign_backup("DATABASE", "Shop", "two.bak", "").await;
        look_again(&cluster, id).await;
        assert_eq!(cluster.records::<Foreign>().await.len(), 2);
        assert_eq!(read(cluster.records().await), first + 1);
        // Purged, it tells nothing; what was read stays, and what comes is read.
        sql.go("EXEC msdb.dbo.sp_delete_backuphistory '2030-01-01'").await;
        look_again(&cluster, id).await;
        sql.foreign_backup("DATABASE", "Shop", "three.bak", "").await;
        look_again(&cluster, id).await;
        assert_eq!(cluster.records::<Foreign>().await.len(), 3);
        // Put back, it has counted past the known number with other sets: the number is there, and is another's.
        let known = cluster.records::<Foreign>().await;
        let last = known
            .iter()
            .find(|one| one.device.ends_with("three.bak"))
            .unwrap();
        {
            let catalog = cluster.open_catalog();
            let mut tx = catalog.begin().await.unwrap();
            let mut found = demand::<ServerRecord>(tx.as_mut(), &key, &id.to_string())
                .await
                .unwrap();
            found.record.history_set = Some(uuid::Uuid::from_u128(1));
            update(tx.as_mut(), found).await.unwrap();
            let kept = demand::<Foreign>(tx.as_mut(), &key, &last.id.to_string())
                .await
                .unwrap();
            delete(tx.as_mut(), &kept).await.unwrap();
            tx.commit().await.unwrap();
        }
        look_again(&cluster, id).await;
        assert_eq!(cluster.records::<Foreign>().await.len(), 3);
    });
}

/// A database that was looked at for the last time two minutes ago, and is not protected yet.
async fn seen_a_while_ago(cluster: &Cluster, server: &Server) -> DatabaseId {
    cluster.sql(server).make_database("Shop").await;
    let (_, database) = registered(cluster, server).await;
    cluster.pass(2 * MINUTE).await;
    database
}

#[test]
fn a_tool_that_began_after_the_last_look_is_seen_when_a_database_is_protected() {
    let cluster = Cluster::new(34);
    let server = cluster.server("sql1");
    cluster.run(async {
        let database = seen_a_while_ago(&cluster, &server).await;
        let sql = cluster.sql(&server);
        sql.foreign_backup("DATABASE", "Shop", "late.bak", "").await;
        let item = protected(&cluster, database).await;
        let owner = cluster.item(item).await.foreign_owner.unwrap();
        assert!(
            owner.owns_base && !owner.owns_log && !owner.is_unknown,
            "{owner:?}"
        );
    });
}

#[test]
fn while_nobody_can_tell_who_owns_a_chain_it_is_somebodys() {
    let cluster = Cluster::new(35);
    let server = cluster.server("sql1");
    cluster.run(async {
        let database = seen_a_while_ago(&cluster, &server).await;
        cluster.end(&server, End::Stop);
        let item = protected(&cluster, database).await;
        let owner = cluster.item(item).await.foreign_owner.unwrap();
        assert!(owner.is_unknown && owner.owns_log && owner.owns_base, "{owner:?}");
        server.start();
        let vault = cluster.start_vault().await;
        cluster.pass(10 * MINUTE).await;
        assert!(
            cluster.item(item).await.foreign_owner.is_none(),
            "it was asked as soon as it answered"
        );
        let full = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(full).await;
        let log = vault.back_up(item, BackupKind::Log, None).await.unwrap();
        cluster.done(log).await;
    });
}
