//! What every catalog does, whatever it is kept in.

use std::sync::Arc;

use catalog::memory::MemoryStore;
use catalog::{
    BODY_BYTES_MAX, Catalog, CatalogError, Kind, Query, Range, Scope, Slot, Transaction, delete, demand,
    dump, get, insert, keys, page, update,
};
use futures::FutureExt as _;

use crate::records::{Job, Policy, row};
use crate::subject::{Case, Subject, cases};

cases![
    what_is_committed_is_there_after_a_restart,
    what_is_dropped_is_not_there,
    versions_count_and_stale_ones_are_refused,
    a_unique_key_is_one_records_of_its_vault,
    after_a_refused_insert_the_transaction_goes_on,
    an_error_that_ends_a_transaction_repeats_itself,
    a_transaction_sees_its_own_writes,
    a_reader_sees_one_moment_and_holds_up_nobody,
    a_reader_cannot_write,
    pages_follow_each_other_both_ways,
    rows_without_a_key_are_in_no_scan_by_it,
    scans_over_all_vaults_go_vault_by_vault,
    keys_sort_bytewise,
    strange_text_is_kept_as_it_is,
    limits_are_refused_by_name,
    a_start_takes_the_next_generation,
    a_newer_format_of_a_record_is_refused,
    every_kind_has_its_own_records,
    a_dump_moves_to_another_catalog_whole_or_not_at_all,
];

pub(crate) async fn put(catalog: &dyn Catalog, vault: &str, jobs: &[Job]) {
    let mut tx = catalog.begin().await.unwrap();
    for job in jobs {
        insert(tx.as_mut(), vault, job.clone()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn ids(tx: &mut dyn Transaction, kind: Kind, query: &Query) -> Vec<String> {
    let found = tx.scan(kind, query).await.unwrap();
    found.rows.into_iter().map(|row| row.id).collect()
}

async fn what_is_committed_is_there_after_a_restart(subject: Arc<dyn Subject>) {
    let first = subject.open().await.unwrap();
    put(first.as_ref(), "v1", &[Job::new("j1", "Queued", 5)]).await;
    let id = first.info().catalog_id.clone();
    drop(first);
    let second = subject.open().await.unwrap();
    assert_eq!(second.info().catalog_id, id);
    assert_eq!(id.len(), 32);
    let mut tx = second.read().await.unwrap();
    let job = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    assert_eq!(job.record, Job::new("j1", "Queued", 5));
    assert_eq!((job.version(), job.generation(), job.vault()), (1, 1, "v1"));
    assert!(get::<Job>(tx.as_mut(), "v2", "j1").await.unwrap().is_none());
    second.health().await.unwrap();
}

async fn what_is_dropped_is_not_there(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v1", Job::new("j1", "Queued", 5))
        .await
        .unwrap();
    drop(tx);
    put(catalog.as_ref(), "v1", &[Job::new("j2", "Queued", 5)]).await;
    let mut tx = catalog.read().await.unwrap();
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &Query::all("v1", Slot::Id)).await,
        ["j2"]
    );
}

async fn versions_count_and_stale_ones_are_refused(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 5)]).await;
    let mut tx = catalog.begin().await.unwrap();
    let old = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    let mut new = old.clone();
    new.record.state = "InProgress".into();
    let new = update(tx.as_mut(), new).await.unwrap();
    assert_eq!(new.version(), 2);
    tx.commit().await.unwrap();

    let mut tx = catalog.begin().await.unwrap();
    let stale = update(tx.as_mut(), old.clone()).await.unwrap_err();
    assert!(matches!(stale, CatalogError::Conflict { .. }), "{stale}");
    drop(tx);
    let mut tx = catalog.begin().await.unwrap();
    let stale = delete(tx.as_mut(), &old).await.unwrap_err();
    assert!(matches!(stale, CatalogError::Conflict { .. }), "{stale}");
    drop(tx);

    let mut tx = catalog.begin().await.unwrap();
    delete(tx.as_mut(), &new).await.unwrap();
    assert!(get::<Job>(tx.as_mut(), "v1", "j1").await.unwrap().is_none());
    let gone = delete(tx.as_mut(), &new).await.unwrap_err();
    assert!(matches!(gone, CatalogError::Missing { .. }), "{gone}");
    let gone = update(tx.as_mut(), new).await.unwrap_err();
    assert!(matches!(gone, CatalogError::Missing { .. }), "{gone}");
    // Neither ends the transaction.
    let again = insert(tx.as_mut(), "v1", Job::new("j1", "Queued", 6))
        .await
        .unwrap();
    assert_eq!(again.version(), 1);
    tx.commit().await.unwrap();
}

async fn a_unique_key_is_one_records_of_its_vault(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v1", Policy::new("p1", "daily"))
        .await
        .unwrap();
    let taken = |id: &str, slot| CatalogError::Exists {
        kind: Kind::Policy,
        id: id.into(),
        slot,
    };
    let same_name = insert(tx.as_mut(), "v1", Policy::new("p2", "daily")).await;
    assert_eq!(same_name.unwrap_err(), taken("p2", Slot::A));
    let same_id = insert(tx.as_mut(), "v1", Policy::new("p1", "weekly")).await;
    assert_eq!(same_id.unwrap_err(), taken("p1", Slot::Id));
    // Names are compared bytewise, and another vault has its own.
    insert(tx.as_mut(), "v1", Policy::new("p3", "Daily"))
        .await
        .unwrap();
    insert(tx.as_mut(), "v2", Policy::new("p1", "daily"))
        .await
        .unwrap();
    let mut renamed = demand::<Policy>(tx.as_mut(), "v1", "p3").await.unwrap();
    renamed.record.name = "daily".into();
    assert_eq!(
        update(tx.as_mut(), renamed.clone()).await.unwrap_err(),
        taken("p3", Slot::A)
    );
    renamed.record.name = "hourly".into();
    update(tx.as_mut(), renamed).await.unwrap();
    // A name that was given up is free in the same transaction.
    insert(tx.as_mut(), "v1", Policy::new("p4", "Daily"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let same_name = insert(tx.as_mut(), "v1", Policy::new("p5", "hourly")).await;
    assert_eq!(same_name.unwrap_err(), taken("p5", Slot::A));
}

async fn after_a_refused_insert_the_transaction_goes_on(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 5)]).await;
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v1", Job::new("j0", "Queued", 1))
        .await
        .unwrap();
    let taken = insert(tx.as_mut(), "v1", Job::new("j1", "Queued", 6))
        .await
        .unwrap_err();
    assert!(matches!(taken, CatalogError::Exists { .. }), "{taken}");
    insert(tx.as_mut(), "v1", Job::new("j2", "Queued", 7))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &Query::all("v1", Slot::A)).await,
        ["j0", "j1", "j2"]
    );
}

async fn an_error_that_ends_a_transaction_repeats_itself(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 5)]).await;
    let mut tx = catalog.begin().await.unwrap();
    tx.insert(row(Kind::Item, "v1", "i1", None)).await.unwrap();
    let stale = tx.update(row(Kind::Job, "v1", "j1", None), 7).await.unwrap_err();
    assert!(matches!(stale, CatalogError::Conflict { .. }), "{stale}");
    assert_eq!(tx.get(Kind::Job, "v1", "j1").await.unwrap_err(), stale);
    assert_eq!(
        tx.insert(row(Kind::Item, "v1", "i2", None)).await.unwrap_err(),
        stale
    );
    assert_eq!(tx.commit().await.unwrap_err(), stale);
    let mut tx = catalog.read().await.unwrap();
    assert_eq!(tx.get(Kind::Item, "v1", "i1").await.unwrap(), None);
}

async fn a_transaction_sees_its_own_writes(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let jobs = [Job::new("j1", "Queued", 1), Job::new("j3", "Queued", 3)];
    put(catalog.as_ref(), "v1", &jobs).await;
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v1", Job::new("j2", "Queued", 2))
        .await
        .unwrap();
    let mut moved = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    moved.record.due = 9;
    let mut moved = update(tx.as_mut(), moved).await.unwrap();
    let by_time = Query::all("v1", Slot::A);
    assert_eq!(ids(tx.as_mut(), Kind::Job, &by_time).await, ["j2", "j3", "j1"]);
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &by_time.clone().descending()).await,
        ["j1", "j3", "j2"]
    );
    moved.record.due = 0;
    let moved = update(tx.as_mut(), moved).await.unwrap();
    assert_eq!(moved.version(), 3);
    assert_eq!(ids(tx.as_mut(), Kind::Job, &by_time).await, ["j1", "j2", "j3"]);
    delete(tx.as_mut(), &moved).await.unwrap();
    assert_eq!(ids(tx.as_mut(), Kind::Job, &by_time).await, ["j2", "j3"]);
    let scope = Scope::vault("v1");
    assert_eq!(
        tx.count(Kind::Job, &scope, Slot::A, &Range::ALL).await.unwrap(),
        2
    );
}

async fn a_reader_sees_one_moment_and_holds_up_nobody(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 1)]).await;
    let mut reader = catalog.read().await.unwrap();
    // The moment is that of the first look.
    let all = Query::all("v1", Slot::A);
    assert_eq!(ids(reader.as_mut(), Kind::Job, &all).await, ["j1"]);

    let mut tx = catalog.begin().await.unwrap();
    let mut job = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    job.record.state = "Completed".into();
    update(tx.as_mut(), job).await.unwrap();
    insert(tx.as_mut(), "v1", Job::new("j2", "Queued", 2))
        .await
        .unwrap();
    // A reader that begins while a writer is at work sees nothing of it, and waits for nothing.
    let mut other = catalog.read().await.unwrap();
    assert_eq!(ids(other.as_mut(), Kind::Job, &all).await, ["j1"]);
    tx.commit().await.unwrap();

    for tx in [&mut reader, &mut other] {
        let job = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
        assert_eq!(job.record.state, "Queued");
        assert_eq!(ids(tx.as_mut(), Kind::Job, &all).await, ["j1"]);
        assert!(get::<Job>(tx.as_mut(), "v1", "j2").await.unwrap().is_none());
    }
    reader.commit().await.unwrap();
    let mut late = catalog.read().await.unwrap();
    assert_eq!(ids(late.as_mut(), Kind::Job, &all).await, ["j1", "j2"]);
}

async fn a_reader_cannot_write(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    let refused = [
        tx.insert(row(Kind::Job, "v1", "j1", None)).await.unwrap_err(),
        tx.update(row(Kind::Job, "v1", "j1", None), 1).await.unwrap_err(),
        tx.delete(Kind::Job, "v1", "j1", 1).await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, CatalogError::Misuse { .. }), "{error}");
    }
    tx.commit().await.unwrap();
}

async fn pages_follow_each_other_both_ways(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    // Ten keys of three records each: pages end within a key as well.
    let jobs: Vec<Job> = (0..30)
        .map(|n| Job::new(&format!("j{n:02}"), "Queued", i64::from(n / 3) - 5))
        .collect();
    put(catalog.as_ref(), "v1", &jobs).await;
    put(catalog.as_ref(), "v0", &jobs[..3]).await;
    let expected: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
    let mut tx = catalog.read().await.unwrap();
    for limit in [1, 4, 30, 1000] {
        for slot in [Slot::A, Slot::Id] {
            for descending in [false, true] {
                let mut query = Query::all("v1", slot).limit(limit);
                let mut expected = expected.clone();
                if descending {
                    query = query.descending();
                    expected.reverse();
                }
                let mut found = Vec::new();
                loop {
                    let page = page::<Job>(tx.as_mut(), &query).await.unwrap();
                    assert!(page.records.len() <= limit as usize);
                    found.extend(page.records.into_iter().map(|job| job.record.id));
                    let Some(next) = page.next else { break };
                    query = query.after(next);
                }
                assert_eq!(found, expected, "{slot:?} by {limit}, descending: {descending}");
            }
        }
    }
    let at = |due| keys::tuple(&["Queued", &keys::number(due)]);
    let early = Query::all("v1", Slot::A).range(Range::between(at(-4), at(-2)));
    assert_eq!(ids(tx.as_mut(), Kind::Job, &early).await, expected[3..9]);
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &early.descending().limit(2)).await,
        ["j08", "j07"]
    );
    let by_id = Query::all("v1", Slot::Id).range(Range::between("j05", "j08"));
    assert_eq!(ids(tx.as_mut(), Kind::Job, &by_id).await, ["j05", "j06", "j07"]);
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &by_id.descending()).await,
        ["j07", "j06", "j05"]
    );
    let nothing = Query::all("v1", Slot::A).range(Range::between(at(2), at(-2)));
    assert!(ids(tx.as_mut(), Kind::Job, &nothing).await.is_empty());
    let scope = Scope::vault("v1");
    let range = Range::between(at(-4), at(-2));
    assert_eq!(tx.count(Kind::Job, &scope, Slot::A, &range).await.unwrap(), 6);
    let range = Range::exactly("j07");
    assert_eq!(tx.count(Kind::Job, &scope, Slot::Id, &range).await.unwrap(), 1);
    for limit in [0, 1001] {
        let refused = tx.scan(Kind::Job, &Query::all("v1", Slot::A).limit(limit)).await;
        assert!(matches!(refused, Err(CatalogError::Misuse { .. })));
    }
}

async fn rows_without_a_key_are_in_no_scan_by_it(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut with = Job::new("j1", "Queued", 1);
    with.database = Some(String::new());
    put(catalog.as_ref(), "v1", &[with, Job::new("j2", "Queued", 1)]).await;
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(
        ids(tx.as_mut(), Kind::Job, &Query::all("v1", Slot::B)).await,
        ["j1"]
    );
    let scope = Scope::vault("v1");
    assert_eq!(
        tx.count(Kind::Job, &scope, Slot::B, &Range::ALL).await.unwrap(),
        1
    );
    assert_eq!(
        tx.count(Kind::Job, &scope, Slot::C, &Range::ALL).await.unwrap(),
        0
    );
    // Without a key, a unique slot is no obstacle.
    tx.insert(row(Kind::Policy, "v1", "p1", None)).await.unwrap();
    tx.insert(row(Kind::Policy, "v1", "p2", None)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn scans_over_all_vaults_go_vault_by_vault(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(
        catalog.as_ref(),
        "v2",
        &[Job::new("a", "Queued", 1), Job::new("b", "Queued", 2)],
    )
    .await;
    put(
        catalog.as_ref(),
        "v1",
        &[Job::new("c", "Queued", 4), Job::new("d", "Queued", 3)],
    )
    .await;
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v3", Job::new("e", "Queued", 0))
        .await
        .unwrap();
    for (slot, expected) in [
        (Slot::A, ["d", "c", "a", "b", "e"]),
        (Slot::Id, ["c", "d", "a", "b", "e"]),
    ] {
        for limit in 1..=5 {
            let mut query = Query::of(Scope::All, slot, Range::ALL).limit(limit);
            let mut found = Vec::new();
            loop {
                let page = tx.scan(Kind::Job, &query).await.unwrap();
                found.extend(page.rows.into_iter().map(|row| row.id));
                let Some(next) = page.next else { break };
                query = query.after(next);
            }
            assert_eq!(found, expected, "{slot:?} by {limit}");
        }
    }
    let down = Query::of(Scope::All, Slot::A, Range::ALL).descending().limit(4);
    let page = tx.scan(Kind::Job, &down).await.unwrap();
    assert_eq!(
        page.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        ["e", "b", "a", "c"]
    );
    let rest = down.after(page.next.unwrap());
    assert_eq!(ids(tx.as_mut(), Kind::Job, &rest).await, ["d"]);
    assert_eq!(
        tx.count(Kind::Job, &Scope::All, Slot::A, &Range::ALL)
            .await
            .unwrap(),
        5
    );
    let only_two = Range::exactly(keys::tuple(&["Queued", &keys::number(2)]));
    assert_eq!(
        tx.count(Kind::Job, &Scope::All, Slot::A, &only_two)
            .await
            .unwrap(),
        1
    );
}

async fn keys_sort_bytewise(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    // In UTF-8's order; a language's order would mix the cases and put the accented letter beside its base.
    let names = [
        "",
        " ",
        "-",
        "A",
        "B",
        "Zoë",
        "a",
        "a b",
        "ab",
        "b",
        "z",
        "É",
        "é",
        "ß",
        "Ω",
        "数据库",
        "\u{10FFFD}",
    ];
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_by(|x, y| x.as_bytes().cmp(y.as_bytes()));
    let mut tx = catalog.begin().await.unwrap();
    for (number, name) in names.iter().enumerate() {
        tx.insert(row(Kind::Database, "v1", &format!("d{number}"), Some(name)))
            .await
            .unwrap();
    }
    for (number, name) in ["B", "_", "a", "Z", "-"].iter().enumerate() {
        tx.insert(row(Kind::Item, "v1", &format!("{name}{number}"), None))
            .await
            .unwrap();
    }
    let found = tx.scan(Kind::Database, &Query::all("v1", Slot::A)).await.unwrap();
    let found: Vec<&str> = found
        .rows
        .iter()
        .map(|row| row.keys.a.as_deref().unwrap())
        .collect();
    assert_eq!(found, sorted);
    assert_eq!(
        ids(tx.as_mut(), Kind::Item, &Query::all("v1", Slot::Id)).await,
        ["-4", "B0", "Z3", "_1", "a2"]
    );
    let exact = Query::all("v1", Slot::A).range(Range::exactly("a"));
    assert_eq!(ids(tx.as_mut(), Kind::Database, &exact).await, ["d6"]);
    let prefix = Query::all("v1", Slot::A).range(Range::prefix("a"));
    assert_eq!(
        ids(tx.as_mut(), Kind::Database, &prefix).await,
        ["d6", "d7", "d8"]
    );
}

async fn strange_text_is_kept_as_it_is(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let names = [
        "o'clock",
        "a]b",
        "[x]",
        "\"q\"",
        "%_\\",
        "$1",
        "?1; DROP TABLE bac2_policy",
        "\0\u{1}\u{2}",
        "数据\n\t",
    ];
    let mut tx = catalog.begin().await.unwrap();
    for (number, name) in names.iter().enumerate() {
        insert(tx.as_mut(), "v1", Policy::new(&format!("p{number}"), name))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    for (number, name) in names.iter().enumerate() {
        let query = Query::all("v1", Slot::A).range(Range::exactly(keys::text(name)));
        let page = page::<Policy>(tx.as_mut(), &query).await.unwrap();
        assert_eq!(page.records[0].record, Policy::new(&format!("p{number}"), name));
        assert_eq!(page.records.len(), 1);
    }
    // What cannot be an id is not there.
    assert_eq!(tx.get(Kind::Policy, "v1", "p\0").await.unwrap(), None);
    assert_eq!(tx.get(Kind::Policy, "v1", "").await.unwrap(), None);
    assert_eq!(tx.get(Kind::Policy, "v1", "é").await.unwrap(), None);
}

async fn limits_are_refused_by_name(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let mut large = row(Kind::Job, "v1", "j1", None);
    large.body = format!("\"{}\"", "x".repeat(BODY_BYTES_MAX - 2));
    assert_eq!(large.body.len(), BODY_BYTES_MAX);
    tx.insert(large.clone()).await.unwrap();
    large.body.push(' ');
    large.id = "j2".into();
    let error = tx.insert(large.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the job record j2 has 1048577 bytes and the limit is 1048576; make it shorter"
    );
    let error = tx.update(large, 1).await.unwrap_err();
    assert_eq!(error.code(), "CatalogRecordTooLarge");
    let longest = "k".repeat(1000);
    tx.insert(row(Kind::Job, &"v".repeat(100), &"i".repeat(200), Some(&longest)))
        .await
        .unwrap();
    for refused in [
        row(Kind::Job, &"v".repeat(101), "i", None),
        row(Kind::Job, "v1", &"i".repeat(201), None),
        row(Kind::Job, "v1", "i", Some(&"k".repeat(1001))),
    ] {
        assert_eq!(
            tx.insert(refused).await.unwrap_err().code(),
            "CatalogRecordTooLarge"
        );
    }
    for refused in [
        row(Kind::Job, "", "i", None),
        row(Kind::Job, "v1", "", None),
        row(Kind::Job, "v1", "ü", None),
        row(Kind::Job, "v1", "a\nb", None),
        row(Kind::Job, "v1", "i", Some("a\0b")),
    ] {
        assert_eq!(tx.insert(refused).await.unwrap_err().code(), "CatalogMisuse");
    }
    // None of them ended the transaction.
    tx.commit().await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    assert_eq!(
        tx.count(Kind::Job, &Scope::All, Slot::Id, &Range::ALL)
            .await
            .unwrap(),
        2
    );
}

async fn a_start_takes_the_next_generation(subject: Arc<dyn Subject>) {
    for generation in 1..=3 {
        let catalog = subject.open().await.unwrap();
        assert_eq!(catalog.info().generation, generation);
        assert_eq!(catalog.info().schema, catalog::SCHEMA);
        let mut tx = catalog.begin().await.unwrap();
        let id = format!("j{generation}");
        let written = insert(tx.as_mut(), "v1", Job::new(&id, "Queued", 1))
            .await
            .unwrap();
        assert_eq!(written.generation(), generation);
        if generation == 3 {
            let mut first = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
            assert_eq!(first.generation(), 1);
            first.record.count = 9;
            assert_eq!(update(tx.as_mut(), first).await.unwrap().generation(), 3);
        }
        tx.commit().await.unwrap();
    }
}

async fn a_newer_format_of_a_record_is_refused(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let mut newer = row(Kind::Policy, "v1", "p1", Some("daily"));
    newer.format = 2;
    tx.insert(newer).await.unwrap();
    let mut unreadable = row(Kind::Policy, "v1", "p2", Some("weekly"));
    unreadable.body = "{\"secret\":\"hunter2\",".into();
    tx.insert(unreadable).await.unwrap();
    let error = get::<Policy>(tx.as_mut(), "v1", "p1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy record p1 has format 2, and this version of bac2 knows formats up to 1; \
         use the version that wrote it, or a newer one"
    );
    let error = get::<Policy>(tx.as_mut(), "v1", "p2").await.unwrap_err();
    assert_eq!(error.code(), "CatalogCorrupt");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    tx.commit().await.unwrap();
}

async fn every_kind_has_its_own_records(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    for kind in Kind::ALL {
        tx.insert(row(kind, "v1", "same", Some(kind.name())))
            .await
            .unwrap();
        for slot in kind.unique() {
            let mut twice = row(kind, "v1", "other", None);
            match slot {
                Slot::A => twice.keys.a = Some(kind.name().into()),
                Slot::B => twice.keys.b = Some("b".into()),
                Slot::C => twice.keys.c = Some("c".into()),
                Slot::D => twice.keys.d = Some("d".into()),
                Slot::Id => unreachable!("the id is no unique slot"),
            }
            let mut first = twice.clone();
            first.id = "same".into();
            tx.update(first, 1).await.unwrap();
            let taken = tx.insert(twice).await.unwrap_err();
            assert_eq!(taken.code(), "CatalogRecordExists", "{kind} {slot:?}");
            let row = tx.get(kind, "v1", "same").await.unwrap().unwrap();
            tx.delete(kind, "v1", "same", row.version).await.unwrap();
            tx.insert(row_again(kind)).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let mut tx = catalog.read().await.unwrap();
    for kind in Kind::ALL {
        let found = tx.get(kind, "v1", "same").await.unwrap().unwrap();
        assert_eq!(found.keys.a.as_deref(), Some(kind.name()));
    }
}

fn row_again(kind: Kind) -> catalog::NewRow {
    row(kind, "v1", "same", Some(kind.name()))
}

async fn dumped(catalog: &dyn Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    dump::write(catalog, &mut |line| lines.push(line.to_owned()))
        .await
        .unwrap();
    lines
}

async fn a_dump_moves_to_another_catalog_whole_or_not_at_all(subject: Arc<dyn Subject>) {
    let source = MemoryStore::new(1).open().unwrap();
    let mut jobs: Vec<Job> = (0..1200)
        .map(|n| Job::new(&format!("j{n:04}"), "Queued", n))
        .collect();
    jobs[7].database = Some("o'clock \" \u{1} 数据".into());
    put(&source, "v1", &jobs).await;
    put(&source, "v2", &jobs[..3]).await;
    let lines = dumped(&source).await;
    assert_eq!(lines.len(), 1205);
    assert_eq!(lines[1204], "{\"rows\":1203}");

    let target = subject.open().await.unwrap();
    let mut damaged = lines.clone();
    damaged[600] = "{\"kind\":\"song\"}".into();
    for (dump, said) in [
        (lines[..1204].to_vec(), "the end of the dump is missing"),
        (damaged, "line 601 of the dump"),
        ([&lines[..5], &lines[1204..]].concat(), "line 6 of the dump"),
        (
            vec!["{\"bac2Catalog\":1,\"schema\":99,\"catalogId\":\"x\"}".into()],
            "the dump has format 99",
        ),
        (Vec::new(), "line 1 of the dump"),
    ] {
        let error = dump::load(target.as_ref(), &mut dump.into_iter())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let loaded = dump::load(target.as_ref(), &mut lines.clone().into_iter())
        .await
        .unwrap();
    assert_eq!(loaded, 1203);
    // All but the first line, which names the catalog.
    assert_eq!(dumped(target.as_ref()).await[1..], lines[1..]);
    let again = dump::load(target.as_ref(), &mut lines.into_iter())
        .await
        .unwrap_err();
    assert_eq!(again.code(), "CatalogMisuse");
}
