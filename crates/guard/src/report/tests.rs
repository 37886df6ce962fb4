//! What a row says.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::lease::LeaseWitness;
use serde_json::{Value, json};

use super::samples::{ACCOUNT, entry, every_grounds, every_skip, every_why, finding};
use super::{Did, Entry, Row, Skip};
use crate::content::{Content, Ending};
use crate::fault::{Cause, Fault, Operation};
use crate::finding::Uncommitted;
use crate::holder::{Evidence, Holder};
use crate::ruling::{Grounds, Ruling, Why};

fn row(ruling: Ruling, did: Did) -> Row {
    Row::of(&entry(finding(), ruling, did), ACCOUNT)
}

#[test]
fn a_lease_on_a_complete_backup_may_be_a_lock_on_purpose() {
    let said = |ending| {
        let mut one = finding();
        if let Content::Backup(contained) = &mut one.content {
            contained.ending = ending;
        }
        let quiet = Ruling::Break(Grounds::QuietBackup);
        Row::of(&entry(one, quiet, Did::Listed), ACCOUNT).detail.unwrap()
    };
    assert!(said(Ending::Complete).contains("locked it on purpose"));
    assert!(!said(Ending::CutShort).contains("on purpose"));
    assert!(!said(Ending::Unknown).contains("on purpose"));
}

#[test]
fn an_abandoned_backup_as_json() {
    let listed = row(Ruling::Break(Grounds::QuietBackup), Did::Listed);
    let mut value = serde_json::to_value(listed).unwrap();
    let detail = value.as_object_mut().unwrap().remove("detail").unwrap();
    assert_eq!(
        value,
        json!({
            "time": "2026-11-21T12:00:00Z",
            "account": ACCOUNT,
            "container": "sql",
            "blob": "Sales/full.bak",
            "kind": "page",
            "size": 1_099_511_627_776_u64,
            "uncommittedBlocks": null,
            "uncommittedBytes": null,
            "created": "2026-11-21T10:00:00Z",
            "lastModified": "2026-11-21T10:55:00Z",
            "ageSeconds": 3900,
            "leaseState": "leased",
            "leaseDuration": "infinite",
            "holder": "backup",
            "evidence": "tapeHeader",
            "activity": "quiet",
            "quietSince": "2026-11-21T11:00:00Z",
            "quietSeconds": 3600,
            "connections": null,
            "content": "backup",
            "databaseName": "Sales",
            "serverName": "SQL01",
            "backupType": "full",
            "backupStartDate": "2026-11-21T11:30:00",
            "complete": false,
            "ruling": "break",
            "action": "listed",
            "reason": "quietBackup"
        })
    );
    let detail = detail.as_str().unwrap();
    assert!(
        detail.contains("for 1 h") && detail.contains("evidence, not proof"),
        "{detail}"
    );
}

#[test]
fn blocks_connections_and_what_is_not_known() {
    let mut finding = finding();
    finding.holder = Holder::Backup(Evidence::BlockIds);
    finding.properties.kind = azblob::response::BlobType::Block;
    finding.properties.size = 0;
    finding.properties.etag = None;
    finding.properties.last_modified = None;
    finding.content = Content::Empty;
    finding.uncommitted = Some(Uncommitted {
        blocks: 3,
        bytes: 12 << 20,
    });
    finding.witness = Some(LeaseWitness {
        connections: 2,
        ..LeaseWitness::default()
    });
    let row = Row::of(
        &entry(finding, Ruling::Keep(Why::ConnectionOpen), Did::Listed),
        ACCOUNT,
    );
    assert_eq!((row.kind, row.size), (Some("block"), Some(0)));
    assert_eq!(
        (row.uncommitted_blocks, row.uncommitted_bytes),
        (Some(3), Some(12 << 20))
    );
    assert_eq!((row.last_modified, row.age_seconds), (None, None));
    assert_eq!((row.evidence, row.content), (Some("blockIds"), Some("empty")));
    assert_eq!((row.connections, row.ruling), (Some(2), Some("keep")));
    assert_eq!(row.reason.as_deref(), Some("connectionOpen"));
    assert!(row.detail.unwrap().starts_with("2 connections"));
}

#[test]
fn an_age_by_two_clocks_is_never_negative() {
    let mut ahead = finding();
    ahead.properties.last_modified = ahead.properties.last_modified.map(|at| at.plus_seconds(86_400));
    let row = Row::of(&entry(ahead, Ruling::Wait(Duration::ZERO), Did::Listed), ACCOUNT);
    assert_eq!(row.age_seconds, Some(0));
}

/// The word and the sentence of every decision; what a run did is told by `action`, so a word may stand for several.
#[test]
fn every_decision_has_its_own_word_and_sentence() {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(
        every_grounds()
            .into_iter()
            .map(|grounds| row(Ruling::Break(grounds), Did::Listed)),
    );
    rows.push(row(Ruling::Wait(Duration::from_secs(90)), Did::Listed));
    rows.extend(
        every_why()
            .into_iter()
            .map(|why| row(Ruling::Keep(why), Did::Listed)),
    );
    // `notQuietYet` is both what a ruling to wait is called and why nothing was done about it at the end of the run.
    let skips = every_skip().into_iter().filter(|skip| *skip != Skip::NotQuietYet);
    rows.extend(skips.map(|skip| row(Ruling::Break(Grounds::QuietBackup), Did::Skipped(skip))));
    let words: BTreeSet<_> = rows.iter().map(|row| row.reason.clone().unwrap()).collect();
    let sentences: BTreeSet<_> = rows.iter().map(|row| row.detail.clone().unwrap()).collect();
    assert_eq!((words.len(), sentences.len()), (rows.len(), rows.len()));
    for row in &rows {
        let word = row.reason.as_deref().unwrap();
        let camel =
            word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(char::is_alphanumeric);
        assert!(camel, "{word}");
        let sentence = row.detail.as_deref().unwrap();
        let plain = sentence.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
            && sentence.ends_with('.')
            && !sentence.contains("..")
            && !sentence.contains("  ")
            && !sentence.contains('\n');
        assert!(plain && sentence.len() > 40, "{sentence}");
    }
}

#[test]
fn words_are_those_that_the_types_serialise_to() {
    for grounds in every_grounds() {
        let row = row(Ruling::Break(grounds), Did::Broke);
        assert_eq!(json!(row.reason), serde_json::to_value(grounds).unwrap());
    }
    for why in every_why() {
        let word = match serde_json::to_value(&why).unwrap() {
            Value::Object(fields) => fields.keys().next().unwrap().clone(),
            Value::String(word) => word,
            other => panic!("{other}"),
        };
        assert_eq!(row(Ruling::Keep(why), Did::Listed).reason, Some(word));
    }
}

#[test]
fn runs_of_different_commands_can_be_told_apart() {
    let abandoned = || Ruling::Break(Grounds::QuietBackup);
    let did = [
        Did::Listed,
        Did::WouldBreak,
        Did::WouldDelete,
        Did::Broke,
        Did::Deleted,
    ];
    let rows: Vec<Row> = did.into_iter().map(|did| row(abandoned(), did)).collect();
    let actions: Vec<&str> = rows.iter().map(|row| row.action).collect();
    assert_eq!(
        actions,
        ["listed", "wouldBreak", "wouldDelete", "broken", "deleted"]
    );
    let sentences: BTreeSet<_> = rows.iter().map(|row| row.detail.clone()).collect();
    assert_eq!(sentences.len(), rows.len());
    for row in &rows {
        assert!(
            row.detail.as_deref().unwrap().contains("evidence, not proof"),
            "{row:?}"
        );
    }
}

#[test]
fn an_included_restore_says_what_quiet_is_worth() {
    let mut finding = finding();
    finding.holder = Holder::Restore;
    let told = |finding| {
        let entry = entry(finding, Ruling::Break(Grounds::IncludedRestore), Did::Broke);
        Row::of(&entry, ACCOUNT).detail.unwrap()
    };
    let foreign = told(finding.clone());
    assert!(foreign.contains("reads leave no trace"), "{foreign}");
    assert!(!foreign.contains("take the backup again"), "{foreign}");
    finding.witness = Some(LeaseWitness::default());
    let ours = told(finding);
    assert!(ours.contains("the vault's own door saw no use"), "{ours}");
}

fn fault(target: &str, cause: Cause, code: Option<&str>) -> Fault {
    Fault {
        operation: Operation::ListBlobs,
        target: target.to_owned(),
        cause,
        status: None,
        code: code.map(str::to_owned),
    }
}

#[test]
fn a_failure_is_a_row_like_any_other() {
    let unread = |target| {
        let fault = fault(target, Cause::NotAllowed, Some("AuthorizationPermissionMismatch"));
        Row::of(
            &Entry::Unread {
                fault,
                at: super::samples::NOON,
            },
            ACCOUNT,
        )
    };
    let places = ["", "sql", "sql/a/b.bak"].map(|target| {
        let row = unread(target);
        assert_eq!((row.action, row.ruling, row.holder), ("failed", None, None));
        assert_eq!(row.reason.as_deref(), Some("AuthorizationPermissionMismatch"));
        assert_eq!(row.time, "2026-11-21T12:00:00Z");
        (row.container, row.blob)
    });
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        places,
        [(None, None), (some("sql"), None), (some("sql"), some("a/b.bak"))]
    );
}

#[test]
fn an_act_that_failed_says_what_was_done_before() {
    let gone = || fault("sql/Sales/full.bak", Cause::Throttled, None);
    let half = row(Ruling::Break(Grounds::QuietBackup), Did::BrokeNotDeleted(gone()));
    assert_eq!(
        (half.action, half.reason.as_deref()),
        ("brokenNotDeleted", Some("throttled"))
    );
    let told = half.detail.unwrap();
    assert!(
        told.starts_with("The lease was broken and the blob is still there: "),
        "{told}"
    );
    let failed = row(Ruling::Break(Grounds::QuietBackup), Did::Failed(gone()));
    assert_eq!(
        (failed.action, failed.detail),
        ("failed", Some(gone().sentence()))
    );
}

#[test]
fn without_a_code_the_cause_has_a_word_of_its_own() {
    let text = || "x".to_owned();
    let causes = [
        Cause::NotFound,
        Cause::Changed,
        Cause::Lease,
        Cause::NotAllowed,
        Cause::Expired(None),
        Cause::Refused,
        Cause::Throttled,
        Cause::Protected,
        Cause::Unreachable(text()),
        Cause::Unusable(text()),
        Cause::Other(text()),
    ];
    let count = causes.len();
    let words: BTreeSet<_> = causes
        .into_iter()
        .map(|cause| {
            row(
                Ruling::Wait(Duration::ZERO),
                Did::Failed(fault("sql/x", cause, None)),
            )
            .reason
        })
        .collect();
    assert_eq!(words.len(), count);
}

#[test]
fn what_could_not_be_read_says_why() {
    let mut finding = finding();
    finding.content = Content::Unread("Get Blob is not allowed.".to_owned());
    let row = Row::of(
        &entry(finding, Ruling::Keep(Why::ContentUnread), Did::Listed),
        ACCOUNT,
    );
    assert!(row.detail.unwrap().contains("(Get Blob is not allowed)"));
}

#[test]
fn rows_as_an_array_of_one_line_each() {
    assert_eq!(super::json(&[]), b"[]\n");
    let rows = vec![
        row(Ruling::Break(Grounds::QuietBackup), Did::Broke),
        row(Ruling::Keep(Why::Disk), Did::Listed),
    ];
    let text = String::from_utf8(super::json(&rows)).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        serde_json::to_value(&rows).unwrap()
    );
    let line = super::json_line(&rows[0]);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(line.last(), Some(&b'\n'));
}

#[test]
fn lengths_of_time_are_cut_to_two_units() {
    let told = |seconds| super::sentence::length(Duration::from_secs(seconds));
    assert_eq!(
        super::sentence::length(Duration::from_millis(20)),
        "less than 1 s"
    );
    assert_eq!([told(0), told(59), told(60)], ["0 s", "59 s", "1 min"]);
    assert_eq!([told(61), told(3_599)], ["1 min 1 s", "59 min 59 s"]);
    assert_eq!(
        [told(3_600), told(3_659), told(86_399)],
        ["1 h", "1 h", "23 h 59 min"]
    );
    assert_eq!([told(86_400), told(183_600)], ["1 d", "2 d 3 h"]);
}
