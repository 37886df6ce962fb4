//! Which notices end with what.

use catalog::record::{ItemId, Notice, ServerId};
use catalog::scoped;
use faults::{Code, Fault};
use schedule::BackupKind;
use uuid::Uuid;

use super::About;
use crate::staged::{Stage, policy};
use crate::vault::Vault;

const DAY: u64 = 86_400;

async fn raise(vault: &Vault, matter: &str, item: Option<ItemId>, server: Option<ServerId>) {
    let about = About {
        matter: matter.to_owned(),
        server,
        item,
        ..About::default()
    };
    vault
        .raise(about, Fault::new(Code::Bac2CatalogDisagrees))
        .await
        .unwrap();
}

async fn open(vault: &Vault) -> Vec<String> {
    let mut open: Vec<String> = vault
        .open_notices()
        .await
        .into_iter()
        .map(|one| one.about)
        .collect();
    open.sort();
    open
}

#[test]
fn a_sound_backup_ends_what_it_puts_right_and_nothing_else() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (id, _) = vault.add_item(policy("one")).await;
        let item = vault.item(id).await;
        let other = ItemId(Uuid::from_u128(9));
        let matters = [
            format!("disputed/{id}/differential"),
            format!("disputed/{id}/full"),
            format!("disputed/{id}/log"),
            format!("foreignBackup/{id}/full"),
            format!("foreignBackup/{id}/log"),
            format!("healingDisabled/{id}"),
            format!("model/{}", item.database),
            format!("putBack/{id}/full"),
            format!("renamed/{}", item.database),
            format!("restored/{}", item.database),
        ];
        for matter in &matters {
            raise(&vault, matter, Some(id), None).await;
        }
        let stays = format!("disputed/{other}/full");
        raise(&vault, &stays, Some(other), None).await;
        let after = async |kind: BackupKind| {
            let item = &item;
            vault
                .transact(|tx| {
                    let vault = &vault;
                    scoped(async move { vault.resolve_after_in(tx, item, kind).await })
                })
                .await
                .unwrap();
            open(&vault).await
        };
        assert_eq!(after(BackupKind::Log).await.len(), 11, "a log anchors nothing");
        let left = after(BackupKind::Differential).await;
        assert_eq!(left.len(), 9);
        assert!(!left.contains(&matters[0]) && !left.contains(&matters[2]));
        assert_eq!(after(BackupKind::Full).await, [stays]);
    });
}

#[test]
fn with_an_item_and_with_an_instance_their_notices_go() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, other) = (ItemId(Uuid::from_u128(1)), ItemId(Uuid::from_u128(2)));
        let server = ServerId(Uuid::from_u128(3));
        raise(&vault, "moved/database", Some(item), None).await;
        raise(&vault, "moved/another", Some(other), Some(server)).await;
        raise(&vault, "replica/of/group", None, Some(server)).await;
        raise(&vault, "host/1", None, None).await;
        let vault = &vault;
        vault
            .transact(|tx| scoped(async move { vault.resolve_item_in(tx, item).await }))
            .await
            .unwrap();
        assert_eq!(open(vault).await, ["host/1", "moved/another", "replica/of/group"]);
        vault
            .transact(|tx| scoped(async move { vault.resolve_server_in(tx, server).await }))
            .await
            .unwrap();
        assert_eq!(open(vault).await, ["host/1"]);
    });
}

#[test]
fn events_end_when_nothing_more_is_heard_and_states_do_not() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        for matter in [
            "clock",
            "limit/configurations",
            "timedOut/job",
            "adopted/container",
            "faulty/server",
            "failed/item/copyOnlyFull",
        ] {
            raise(&vault, matter, None, None).await;
        }
        stage.pass(DAY - 1).await;
        raise(&vault, "clock", None, None).await;
        vault.end_events().await.unwrap();
        assert_eq!(open(&vault).await.len(), 6);
        stage.pass(1).await;
        vault.end_events().await.unwrap();
        assert_eq!(
            open(&vault).await,
            [
                "adopted/container",
                "clock",
                "failed/item/copyOnlyFull",
                "faulty/server",
                "timedOut/job"
            ]
        );
        stage.pass(6 * DAY).await;
        vault.end_events().await.unwrap();
        assert_eq!(open(&vault).await, ["failed/item/copyOnlyFull", "faulty/server"]);
        stage.pass(9 * DAY).await;
        vault.end_events().await.unwrap();
        assert_eq!(open(&vault).await, ["faulty/server"]);
    });
}

#[test]
fn who_has_read_a_notice_ends_it_and_the_next_time_is_another() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        raise(&vault, "host/1", None, None).await;
        let first: Notice = vault.open_notices().await.remove(0);
        let read = vault.acknowledge(first.id).await.unwrap();
        assert_eq!(read.resolved, Some(vault.now()));
        assert!(open(&vault).await.is_empty());
        stage.pass(1).await;
        assert_eq!(vault.acknowledge(first.id).await.unwrap(), read, "twice is once");
        raise(&vault, "host/1", None, None).await;
        let again = vault.open_notices().await.remove(0);
        assert!(again.id != first.id && again.times == 1);
        let nobody = catalog::record::NoticeId(crate::staged::nobody());
        assert_eq!(
            vault.acknowledge(nobody).await.unwrap_err().code(),
            Code::Bac2NotFound
        );
    });
}
