//! What a plan says, and that the restore does just that.

use std::time::Duration;

use catalog::record::{FileMove, JobState, Place, RestoreTarget};
use schedule::BackupKind::{Differential, Full, Log};

use super::stand::{SHOP, Stand};

#[test]
fn a_copy_lies_beside_its_original_under_another_name() {
    let stand = Stand::new(521);
    stand.run(async {
        let set = stand.set().await;
        let sql = stand.cluster.sql(&stand.source);
        stand.back_up(&set, Full).await;
        // A name with everything that has to be quoted.
        let name = "Kopie ] von 'Shop' \u{fc}\u{4e2d}";
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.source, name));
        let plan = set.vault.plan_restore(&order).await.unwrap();
        assert_eq!(plan.files.len(), 2);
        assert!(plan.overwrites.is_none() && !plan.takes_tail && plan.closes.is_empty());
        assert!(
            plan.script.contains("[Kopie ]] von 'Shop' \u{fc}\u{4e2d}]"),
            "{}",
            plan.script
        );
        for file in &plan.files {
            assert_ne!(file.path, file.file.path);
            assert!(plan.script.contains(&file.path), "{}", plan.script);
        }
        let job = stand
            .restore(&set, RestoreTarget::Latest, Place::new(set.source, name))
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        for file in &plan.files {
            assert!(stand.source.disk().bytes(&file.path).is_some(), "{}", file.path);
        }
        assert_eq!(sql.rows(&name.replace(']', "]]")).await, 5);
        assert_eq!(sql.rows(SHOP).await, 5);
    });
}

#[test]
fn a_moment_between_two_transactions_is_met() {
    let stand = Stand::new(522);
    stand.run(async {
        let set = stand.set().await;
        let (source, other) = (stand.cluster.sql(&stand.source), stand.cluster.sql(&stand.other));
        let minute = Duration::from_secs(60);
        stand.back_up(&set, Full).await;
        source.add_rows(SHOP, 3).await;
        stand.back_up(&set, Differential).await;
        stand.cluster.pass(minute).await;
        source.add_rows(SHOP, 4).await;
        stand.cluster.pass(minute).await;
        let at = stand.cluster.now();
        stand.cluster.pass(minute).await;
        source.add_rows(SHOP, 5).await;
        stand.back_up(&set, Log).await;
        let mut place = Place::new(set.other, SHOP);
        let path = "/sql/data/Elsewhere.mdf".to_owned();
        place.moves.push(FileMove {
            logical: SHOP.to_owned(),
            path: path.clone(),
        });
        let target = RestoreTarget::Moment { at };
        let order = stand.order(&set, target.clone(), place.clone());
        let plan = set.vault.plan_restore(&order).await.unwrap();
        let (utc, _) = plan.moment.unwrap();
        assert_eq!(utc.unwrap().as_second(), at.as_second());
        assert_eq!(
            plan.steps.len(),
            2,
            "the log begins at the full, so that the differential is one step too many"
        );
        assert_eq!(plan.bytes, plan.steps.iter().map(|step| step.bytes).sum::<u64>());
        assert!(
            plan.rooms
                .iter()
                .all(|room| room.needed > 0 && room.free > room.needed)
        );
        let job = stand.restore(&set, target, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows(SHOP).await, 5 + 3 + 4);
        assert!(stand.other.disk().bytes(&path).is_some());
        let (coverage, points) = set.vault.coverage(set.item).await.unwrap();
        assert_eq!(points.len(), 3);
        assert!(
            coverage
                .spans
                .iter()
                .any(|span| span.times.is_some_and(|times| times.from <= at && at <= times.to))
        );
    });
}

#[test]
fn a_backup_that_the_vault_cannot_read_goes_where_the_target_says() {
    let stand = Stand::new(523);
    stand.run(async {
        let set = stand.set().await;
        let sql = stand.cluster.sql(&stand.source);
        stand.cluster.door.trouble(|trouble| trouble.is_unreadable = true);
        let job = set.vault.back_up(set.item, Full, None).await.unwrap();
        stand.cluster.ended(job).await;
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.source, "Copy"));
        let plan = set.vault.plan_restore(&order).await.unwrap();
        assert!(plan.files.is_empty() && plan.notes.len() == 1, "{plan:#?}");
        // Its original is there, and has its files where the backup says.
        let job = stand
            .restore(&set, RestoreTarget::Latest, Place::new(set.source, "Copy"))
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!((sql.rows("Copy").await, sql.rows(SHOP).await), (5, 5));
        let (copy, original) = (
            stand.path_of(&stand.source, "Copy").await,
            stand.path_of(&stand.source, SHOP).await,
        );
        assert_ne!(copy, original);
    });
}

#[test]
fn only_what_is_there_is_replaced() {
    let stand = Stand::new(524);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let place = Place {
            overwrite: true,
            tail: false,
            ..Place::new(set.other, SHOP)
        };
        for replaces in [false, true] {
            let job = stand.restore(&set, RestoreTarget::Latest, place.clone()).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
            let restore = job.statements.iter().find(|text| text.contains("FROM URL"));
            let restore = restore.unwrap();
            assert_eq!(restore.contains("REPLACE"), replaces, "{restore}");
        }
    });
}
