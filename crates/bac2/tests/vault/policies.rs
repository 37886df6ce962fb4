//! Policies: one that cannot be kept is refused by the name of its field, and a change of one reaches every database that
//! follows it.

use std::time::Duration;

use catalog::record::{Item, Job};
use faults::Code;
use schedule::{BackupKind, Policy};
use serde_json::{Value, json};

use super::lab::{Lab, Release, code, run, standard};

/// One full a week, kept for four weeks.
fn plain() -> Value {
    json!({"version": 1, "name": "plain", "running": {"jitter": "0s"},
        "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
                 "retention": {"weekly": {"count": 4, "days": ["sunday"]}}}})
}

/// A policy with one thing put in that makes it impossible, and the field that is to be named.
fn impossible() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/version", json!(9), "version"),
        ("/name", json!(""), "name"),
        ("/timeZone", json!("Mars/Olympus"), "timeZone"),
        ("/fulls", json!({}), "fulls"),
        ("/full/schedule/times", json!(["25:00"]), "full.schedule.times[0]"),
        ("/full/schedule/times", json!([]), "full.schedule.times"),
        ("/full/schedule/days", json!([]), "full.schedule.days"),
        ("/full/schedule/days", json!(["someday"]), "full.schedule.days[0]"),
        ("/full/schedule/frequency", json!("daily"), "full.schedule.days"),
        (
            "/full/schedule/frequency",
            json!("hourly"),
            "full.schedule.frequency",
        ),
        ("/full/retention", json!({}), "full.retention"),
        (
            "/full/retention/weekly/count",
            json!(0),
            "full.retention.weekly.count",
        ),
        ("/log", json!({"every": "10s"}), "log.every"),
        ("/log", json!({"every": "25h"}), "log.every"),
        ("/log", json!({"every": "15m", "offset": "20m"}), "log.offset"),
        ("/log", json!({"every": "15m", "retention": 0}), "log.retention"),
        // Where a full runs, no differential does.
        (
            "/differential",
            json!({"days": ["sunday"], "times": ["12:00"]}),
            "differential.days",
        ),
        ("/running/jitter", json!("300h"), "running.jitter"),
    ]
}

/// The document with a value at a place.
fn with(pointer: &str, value: &Value) -> String {
    let mut document = plain();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value.clone();
    document.to_string()
}

#[test]
fn what_is_impossible_is_refused_by_the_name_of_its_field() {
    run(|| async {
        let lab = Lab::new().await;
        let vault = lab.vault();
        for (pointer, value, field) in impossible() {
            let text = with(pointer, &value);
            let said = match Policy::from_json(&text) {
                Err(error) => error.to_string(),
                Ok(policy) => {
                    let refused = vault.create_policy(policy).await.unwrap_err();
                    assert_eq!(refused.code(), Code::Bac2PolicyInvalid, "{text}");
                    refused.detail().to_owned()
                }
            };
            assert!(said.contains(field), "{pointer} = {value}: {said}");
        }
        assert!(vault.policies().await.unwrap().is_empty());
        let policy = Policy::from_json(&plain().to_string()).unwrap();
        let (id, _) = vault.create_policy(policy.clone()).await.unwrap();
        assert_eq!(
            code(vault.create_policy(policy.clone()).await),
            Code::Bac2NameTaken
        );
        // What is there stays as it was where its change is refused.
        let mut worse = policy.clone();
        worse.full.schedule.times.clear();
        let refused = vault.change_policy(id, 1, worse).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2PolicyInvalid);
        assert!(refused.detail().contains("full.schedule.times"), "{refused}");
        assert_eq!(vault.policies().await.unwrap()[0].0.policy, policy);
        vault.delete_policy(id).await.unwrap();
        assert_eq!(code(vault.delete_policy(id).await), Code::Bac2NotFound);
    });
}

/// Waits until every item has the version of its policy; gives them.
async fn following(lab: &Lab, version: i64) -> Vec<Item> {
    lab.until("every item follows its policy", || async {
        let items = lab.records::<Item>().await;
        let follows = |item: &Item| item.policy_version == version && item.inconsistent.is_none();
        items.iter().all(follows).then_some(items)
    })
    .await
}

#[test]
fn a_change_reaches_every_database_of_it_and_what_is_left_behind_is_told_and_repaired() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["one", "two", "three"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        for name in ["one", "two", "three"] {
            let item = lab.protect(id, name).await;
            lab.proved(item, BackupKind::Full).await;
        }
        let vault = lab.vault();
        // Of five configurations a day three have been used up before, so that one item waits.
        let seen = vault.vault_settings().await.unwrap();
        let mut fewer = seen.clone();
        fewer.daily.configurations = 5;
        vault.set_vault(&seen, fewer.clone()).await.unwrap();
        assert_eq!(
            code(vault.set_vault(&seen, fewer).await),
            Code::Bac2VersionConflict,
            "somebody changed it meanwhile"
        );
        let (old, version) = vault.policies().await.unwrap().remove(0);
        let mut wanted = old.policy.clone();
        wanted.log = Policy::from_json(&standard()).unwrap().log;
        let stale = vault.change_policy(old.id, version - 1, wanted.clone()).await;
        assert_eq!(code(stale), Code::Bac2VersionConflict);
        let changed = vault.change_policy(old.id, version, wanted).await.unwrap();
        assert_eq!((changed.items, changed.put_off), (3, 1), "{changed:?}");
        lab.noticed(Code::Bac2PolicyInconsistent).await;
        lab.noticed(Code::CloudDosAbsoluteLimitReachedWithRetry).await;
        lab.until("two follow, and one is behind", || async {
            let behind = vault.inconsistent_items(old.id).await.unwrap();
            (behind.len() == 1).then_some(())
        })
        .await;
        // A slot of the new schedule brings an item along, whatever its own job waits for.
        server.fault("clock jump 24h").await;
        lab.advance(Duration::from_secs(86_400 + 60));
        let items = following(&lab, changed.version).await;
        server.fault("clock jump 15m").await;
        lab.advance(Duration::from_secs(15 * 60));
        assert!(items.iter().all(|item| item.due.contains_key(&BackupKind::Log)));
        let logs = lab
            .until("every database has its log by the new schedule", || async {
                let jobs: Vec<Job> = lab.jobs().await;
                let asked = |job: &&Job| matches!(&job.work, catalog::record::Work::Backup(work) if work.asked == BackupKind::Log);
                let logs: Vec<Job> = jobs.iter().filter(asked).filter(|job| job.state.is_ended()).cloned().collect();
                items.iter().all(|item| logs.iter().any(|job| job.item == Some(item.id))).then_some(logs)
            })
            .await;
        assert!(logs.iter().all(|job| job.point.is_some()), "{logs:#?}");
        let minute = Duration::from_secs(60);
        lab.in_time("nothing is inconsistent any more", minute, || async {
            let codes = lab.notice_codes().await;
            (!codes.contains(&Code::Bac2PolicyInconsistent)).then_some(())
        })
        .await;
    });
}

#[test]
fn a_database_can_be_given_another_policy() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let vault = lab.vault();
        lab.proved(item, BackupKind::Full).await;
        let logs = Policy::from_json(&standard()).unwrap();
        let (other, _) = vault.create_policy(logs).await.unwrap();
        let (_, seen) = vault.protected(item).await.unwrap();
        let stale = vault.change_item_policy(item, other, Some(seen - 1)).await;
        assert_eq!(code(stale), Code::Bac2VersionConflict);
        let nobodys = catalog::record::PolicyId(uuid::Uuid::nil());
        let missing = vault.change_item_policy(item, nobodys, None).await;
        assert_eq!(code(missing), Code::Bac2NotFound);
        let job = vault.change_item_policy(item, other, Some(seen)).await.unwrap();
        lab.ended(job).await;
        let changed = lab.item(item).await;
        assert_eq!(changed.policy, other);
        assert!(changed.due.contains_key(&BackupKind::Log), "{changed:#?}");
        assert_eq!(code(vault.delete_policy(other).await), Code::Bac2PolicyInUse);
        vault.delete_policy(lab.quiet().await).await.unwrap();
        // A limit of the vault holds until somebody raises it.
        let mut often = Policy::from_json(&standard()).unwrap();
        often.name = "often".to_owned();
        often.log.as_mut().unwrap().every = schedule::Period::minutes(1);
        let seen = vault.vault_settings().await.unwrap();
        let mut strict = seen.clone();
        strict.limits.log_interval.min = schedule::Period::minutes(15);
        vault.set_vault(&seen, strict.clone()).await.unwrap();
        let refused = vault.create_policy(often.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2PolicyInvalid);
        assert!(refused.detail().contains("log.every"), "{refused}");
        vault.set_vault(&strict, seen).await.unwrap();
        let (often, _) = vault.create_policy(often).await.unwrap();
        let job = vault.change_item_policy(item, often, None).await.unwrap();
        lab.ended(job).await;
        let known = lab.jobs_of(item).await.len();
        server.add_rows("Shop", 1).await;
        server.fault("clock jump 60s").await;
        lab.advance(Duration::from_secs(60));
        let log = lab
            .until("a minute later there is a log", || async {
                let jobs = lab.jobs_of(item).await;
                jobs.into_iter().skip(known).find(|job| job.state.is_ended())
            })
            .await;
        assert_eq!(lab.point(&log).await.kind, BackupKind::Log, "{log:#?}");
    });
}
