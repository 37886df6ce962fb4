//! Healing: chains are anchored again, one full of an instance at a time, when it may be.

use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{
    Container, Grade, HealingReason, Item, ItemId, Job, JobState, Protection, Server as ServerRecord,
    Trigger, Work,
};
use faults::Code;
use schedule::policy::{Compression, Window};
use schedule::{BackupKind, Days, Policy, Size};
use vault::shelf::Shelf as _;

use crate::world::{Cluster, Server};

const HOUR: Duration = Duration::from_secs(3_600);

/// A policy whose first full is due late in the day: the simulated world begins at midnight.
pub(crate) fn late() -> Policy {
    Policy::daily("late", "23:00".parse().unwrap(), Days(30))
}

/// Databases of an instance, protected.
pub(crate) async fn protected(
    cluster: &Cluster,
    server: &Server,
    names: &[&str],
    policy: Policy,
) -> Vec<ItemId> {
    for name in names {
        cluster.sql(server).make_database(name).await;
    }
    let (_, databases) = cluster.enrol(server).await;
    let vault = cluster.vault().await;
    let known = vault
        .policies()
        .await
        .unwrap()
        .into_iter()
        .map(|(known, _)| known);
    let policy = match known.into_iter().find(|known| known.policy.name == policy.name) {
        Some(known) => known.id,
        None => vault.create_policy(policy).await.unwrap().0,
    };
    let mut items = Vec::new();
    for name in names {
        let database = databases.iter().find(|one| one.name == *name).unwrap();
        items.push(vault.protect(database.id, policy).await.unwrap());
    }
    items
}

fn is_healing(job: &Job) -> bool {
    matches!(job.trigger, Trigger::Healing { .. })
}

#[test]
fn a_storm_of_broken_chains_is_healed_one_full_of_an_instance_at_a_time() {
    let cluster = Cluster::new(11);
    // Two hundred databases on two instances; each loses its chain in the same second.
    let servers = [cluster.server("sql1"), cluster.server("sql2")];
    let names: Vec<String> = (0..100).map(|number| format!("Db{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.run(async {
        let mut items = Vec::new();
        for server in &servers {
            items.extend(protected(&cluster, server, &names, late()).await);
        }
        let vault = cluster.start_vault().await;
        for item in &items {
            vault.take_over_chain(*item).await.unwrap();
        }
        for _ in 0..600 {
            cluster.pass(Duration::from_secs(60)).await;
            let all = cluster.records::<Item>().await;
            if all
                .iter()
                .all(|item| item.healing.is_none() && item.healed.is_some())
            {
                break;
            }
        }
        let jobs = cluster.jobs().await;
        let healing: Vec<&Job> = jobs.iter().filter(|job| is_healing(job)).collect();
        assert_eq!(healing.len(), items.len());
        let mut at_once = 0;
        for one in &healing {
            assert_eq!(one.state, JobState::Completed, "{one:#?}");
            let others = healing.iter().filter(|other| other.id != one.id);
            for other in others {
                let meets = other.created < one.ended.unwrap() && one.created < other.ended.unwrap();
                at_once += u32::from(meets);
                assert!(!(meets && one.server == other.server), "{one:#?} and {other:#?}");
            }
        }
        assert!(at_once > 0, "instances wait for themselves alone");
    });
}

#[test]
fn where_healing_is_off_people_are_told() {
    let cluster = Cluster::new(12);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = late();
        policy.healing.enabled = false;
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let vault = cluster.start_vault().await;
        let taken = vault.take_over_chain(item).await.unwrap();
        assert!(taken.took_over.is_some() && taken.healing.is_none());
        cluster.pass(HOUR).await;
        assert!(cluster.jobs().await.is_empty());
        let notices = cluster.notices().await;
        let codes: Vec<_> = notices.iter().map(|one| (one.fault.code(), one.item)).collect();
        assert_eq!(codes, [(Code::Bac2HealingDisabled, Some(item))]);
        assert_eq!(notices[0].fault.target(), "sql1/Shop");
    });
}

#[test]
fn what_is_large_waits_for_its_window_and_a_database_is_healed_once_a_day() {
    let cluster = Cluster::new(13);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = late();
        policy.healing.window_above = Size::bytes(1);
        policy.healing.window = Some(Window {
            days: Vec::new(),
            from: "03:00".parse().unwrap(),
            to: "05:00".parse().unwrap(),
        });
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let begun = cluster.now();
        let vault = cluster.start_vault().await;
        let wanted = vault.take_over_chain(item).await.unwrap().healing.unwrap();
        assert_eq!(
            (wanted.kind, wanted.reason, wanted.not_before.to_string()),
            (
                BackupKind::Full,
                HealingReason::FullMissing,
                "2026-01-01T03:00:00Z".to_owned()
            )
        );
        cluster.pass(Duration::from_secs(2 * 3_600 + 3_000)).await;
        assert!(cluster.jobs().await.is_empty(), "before three o'clock");
        cluster.pass(HOUR).await;
        let healed = cluster.item(item).await;
        assert!(healed.healing.is_none() && healed.healed.unwrap() > begun + 3 * HOUR);
        // The next is a day away, and at four o'clock the window is open.
        let again = vault.take_over_chain(item).await.unwrap().healing.unwrap();
        assert_eq!(again.not_before, healed.healed.unwrap() + 24 * HOUR);
        assert_eq!(again.reason, HealingReason::LsnValidation);
    });
}

#[test]
fn after_an_outage_one_full_heals_and_its_slot_is_kept_by_it() {
    let cluster = Cluster::new(14);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = super::cleaning::backed_up(&cluster, &server).await;
        cluster.crash_vault();
        // Longer than 15 days, the age that a full may have.
        cluster.pass(16 * 24 * HOUR).await;
        cluster.start_vault().await;
        cluster.pass(3 * HOUR).await;
        let fulls = cluster.points().await;
        assert_eq!(fulls.len(), 2, "{fulls:#?}");
        let item = cluster.item(item).await;
        assert_eq!(item.protection, Protection::Protected);
        assert!(item.healing.is_none());
    });
}

/// Logs every quarter of an hour, and a full so late that healing alone takes one.
pub(crate) fn with_logs() -> Policy {
    Policy::from_json(
        r#"{"version": 1, "name": "logs",
            "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
                     "retention": {"weekly": {"count": 4, "days": ["sunday"]}}},
            "log": {"every": "15m"}, "running": {"jitter": "0s"}}"#,
    )
    .unwrap()
}

fn ran(job: &Job) -> BackupKind {
    match &job.work {
        Work::Backup(work) => work.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_healing_full_that_failed_is_none_of_the_day() {
    let cluster = Cluster::new(15);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = protected(&cluster, &server, &["Shop"], late()).await[0];
        let sql = cluster.sql(&server);
        sql.go("ALTER DATABASE [Shop] SET OFFLINE").await;
        let begun = cluster.now();
        let vault = cluster.start_vault().await;
        vault.take_over_chain(item).await.unwrap();
        cluster.pass(HOUR / 2).await;
        let failed = cluster.jobs().await;
        assert_eq!(failed.len(), 1, "{failed:#?}");
        assert_eq!(failed[0].state, JobState::Failed);
        let waits = cluster.item(item).await;
        assert_eq!(waits.healed, None);
        let not_before = waits.healing.unwrap().not_before;
        assert!(
            not_before >= begun + HOUR && not_before < begun + HOUR + HOUR / 6,
            "{not_before}"
        );
        cluster.pass(HOUR).await;
        let doubled = cluster.item(item).await.healing.unwrap().not_before;
        assert!(
            doubled >= begun + 3 * HOUR && doubled < begun + 3 * HOUR + HOUR / 6,
            "{doubled}"
        );
        sql.go("ALTER DATABASE [Shop] SET ONLINE").await;
        cluster.pass(2 * HOUR).await;
        let healed = cluster.item(item).await;
        assert!(
            healed.healing.is_none() && healed.healed > Some(doubled),
            "{healed:#?}"
        );
    });
}

#[test]
fn a_healing_full_that_is_disputed_is_the_one_of_the_day() {
    let cluster = Cluster::new(16);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = late();
        policy.writing.compression = Compression::Off;
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        for _ in 0..20 {
            sql.add_rows("Shop", 100).await;
        }
        cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(1));
        vault.take_over_chain(item).await.unwrap();
        // Behind the first block, whose headers a flipped bit makes another format of.
        let container = ContainerName::new(cluster.records::<Container>().await[0].name.clone()).unwrap();
        let has_begun = async || {
            let blobs = cluster.shelf.list(&container, None, 10).await.unwrap_or_default();
            blobs.iter().any(|blob| blob.arrived > 0)
        };
        while !has_begun().await {
            cluster.pass(Duration::from_millis(100)).await;
        }
        cluster.door.trouble(|trouble| {
            trouble.slow = Duration::ZERO;
            trouble.blocks_damaged = 100;
        });
        cluster.pass(6 * HOUR).await;
        let fulls = cluster.points().await;
        let grades: Vec<Grade> = fulls.iter().map(|point| point.grade).collect();
        assert_eq!(
            grades,
            [Grade::Disputed],
            "one that SQL Server took, not one each hour"
        );
        let waits = cluster.item(item).await;
        assert_eq!(waits.healed, Some(fulls[0].ended));
        assert_eq!(waits.healing.unwrap().not_before, fulls[0].ended + 24 * HOUR);
    });
}

/// A page of a table's rows in the first file of a database.
fn row_page(server: &Server, name: &str) -> usize {
    let instance = server.instance().unwrap();
    let path = {
        let mut state = instance.state();
        let now = instance.world.clock.now();
        let engine = state.database_mut(name).unwrap().engine.as_mut().unwrap();
        engine.checkpoint(now).unwrap();
        engine.files()[0].physical_name.clone()
    };
    let is_row_page = |page: &[u8]| {
        page[0] == 1 && page[1] == 1 && u32::from_le_bytes(page[24..28].try_into().unwrap()) >= 1_000_000
    };
    let bytes = server.disk().bytes(&path).unwrap();
    bytes.chunks(8192).position(is_row_page).unwrap()
}

#[test]
fn a_log_that_became_a_full_and_failed_is_a_log_again_at_the_next_slot() {
    let cluster = Cluster::new(17);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = protected(&cluster, &server, &["Shop"], with_logs()).await[0];
        let vault = cluster.start_vault().await;
        let full = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(full).await;
        let sql = cluster.sql(&server);
        sql.add_rows("Shop", 3).await;
        sql.foreign_backup("LOG", "Shop", "a.trn", "").await;
        // No full passes over a damaged page, and every log does.
        server
            .fault(&format!("page corrupt Shop 1 {}", row_page(&server, "Shop")))
            .await;
        cluster.pass(HOUR / 2 + HOUR / 60).await;
        let jobs = cluster.jobs().await;
        let scheduled = jobs
            .iter()
            .filter(|job| matches!(job.trigger, Trigger::Scheduled { .. }));
        let kinds: Vec<(BackupKind, JobState)> = scheduled.map(|job| (ran(job), job.state)).collect();
        let converted = (BackupKind::Full, JobState::Failed);
        let log = (BackupKind::Log, JobState::CompletedWithWarnings);
        assert_eq!(kinds, [converted, log], "{jobs:#?}");
        let waits = cluster.item(item).await;
        assert_eq!((waits.healed, waits.failures[&BackupKind::Full]), (None, 1));
        // Tried again after an hour, not with each slot.
        let wanted = waits.healing.unwrap();
        assert!(wanted.not_before > cluster.now() + HOUR / 2);
        cluster.pass(HOUR).await;
        let waits = cluster.item(item).await;
        assert_eq!((waits.healed, waits.failures[&BackupKind::Full]), (None, 2));
    });
}

#[test]
fn a_healing_full_that_waits_keeps_its_instance_from_another() {
    let cluster = Cluster::new(18);
    let server = cluster.server("sql1");
    cluster.run(async {
        // One has no logs, so that nothing but the healing full is about it.
        let first = protected(&cluster, &server, &["One"], late()).await[0];
        let second = second_of(&cluster, &server).await;
        for item in [first, second] {
            cluster.drop_wish(item).await;
        }
        let vault = cluster.start_vault().await;
        cluster.pass(Duration::from_secs(14 * 60 + 40)).await;
        // It is tried again half a minute later: past the slot of the other's log.
        cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(2));
        server.lose_next("BACKUP DATABASE [One] TO", Duration::from_secs(3));
        vault.take_over_chain(first).await.unwrap();
        cluster.pass(Duration::from_secs(25)).await;
        cluster.door.trouble(|trouble| trouble.slow = Duration::ZERO);
        let jobs = cluster.jobs().await;
        let of = |item: ItemId| jobs.iter().find(|job| job.item == Some(item)).unwrap();
        assert_eq!(of(first).state, JobState::Queued, "{jobs:#?}");
        // Its log has nothing to stand on until then, and says so.
        assert_eq!(
            (ran(of(second)), of(second).state, of(second).point),
            (BackupKind::Log, JobState::CompletedWithWarnings, None)
        );
        let why = of(second).warnings[0].detail();
        assert!(
            why.contains(&format!("job {} heals another", of(first).id)),
            "{why}"
        );
        cluster.pass(HOUR / 4).await;
        for item in [first, second] {
            assert!(cluster.item(item).await.healed.is_some());
        }
    });
}

/// Another database of an instance that is known, with logs.
async fn second_of(cluster: &Cluster, server: &Server) -> ItemId {
    let servers: Vec<ServerRecord> = cluster.records().await;
    cluster.sql(server).make_database("Two").await;
    let vault = cluster.vault().await;
    let database = cluster.enrol_database(server, servers[0].id, "Two").await;
    let policy = vault.create_policy(with_logs()).await.unwrap().0;
    vault.protect(database, policy).await.unwrap()
}
