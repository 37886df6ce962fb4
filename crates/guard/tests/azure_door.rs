//! The real account against bac2's own door: every operation, over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::single_range_in_vec_init
)] // Real time and sockets here.

mod azure_support;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus};
use azblob::names::{AccountName, ContainerName};
use azblob::permission::Permissions;
use azblob::response::BlobType;
use azblob::sas::ServiceSas;
use guard::Place;
use guard::account::{Account, Block, ETag, Marker, Probe};
use guard::azure::{AzureAccount, Credential, Sas};
use guard::fault::{Cause, Fault};
use reqwest::Method;

use azure_support::{
    ACCOUNT, Door, LEASE, RESTORE, RESTORE_DASHED, account_sas, full_sas, in_seconds, secret,
};

/// Names that some layer between here and the store might spoil.
const ODD: [&str; 28] = [
    "plain.bak",
    "a folder/with blanks/full backup.bak",
    "100%.bak",
    "%41.bak",
    "a+b.bak",
    "what?.bak",
    "number#1.bak",
    "a&b=c;d,e.bak",
    "kopia_zapasowa_żółć.bak",
    "文件/备份.bak",
    "😀.bak",
    "a//b",
    "a///b//",
    "/leading",
    "a/../b",
    "a/./b",
    "../../etc/passwd",
    "..%2f..",
    "trailing.",
    "trailing/",
    " blank ends ",
    "back\\slash",
    "quote\"s'",
    "<tag>&amp;",
    "a:b@c",
    "~tilde_-.",
    "[x]{y}|^`",
    "tab\u{9}and\u{85}next",
];

#[tokio::test]
async fn a_left_behind_lease_is_found_looked_at_and_broken() {
    let door = Door::open().await;
    door.container("backups").await;
    door.page_blob("backups/dead.bak", 1 << 20).await;
    door.page("backups/dead.bak", 512, &[7; 512]).await;
    door.lease("backups/dead.bak", LEASE, "-1").await;
    let account = door.account();
    let place = Place::new("backups", "dead.bak");

    assert_eq!(account.address(), door.url());
    assert_eq!(account.containers(None).await.unwrap().items, ["backups"]);
    let page = account.blobs("backups", "", None).await.unwrap();
    assert_eq!(page.next, None);
    let [listed] = page.items.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(listed.blob, "dead.bak");
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties, listed.properties);
    assert_eq!(head.properties.kind, BlobType::Page);
    assert_eq!(head.properties.size, 1 << 20);
    assert_eq!(head.properties.lease.status, LeaseStatus::Locked);
    assert_eq!(head.properties.lease.state, LeaseState::Leased);
    assert_eq!(head.properties.lease.duration, Some(LeaseDurationKind::Infinite));
    let tag = head.properties.etag.unwrap();

    assert_eq!(account.probe(&place, RESTORE).await, Ok(Probe::Mismatch));
    assert_eq!(account.probe(&place, RESTORE_DASHED).await, Ok(Probe::Mismatch));
    assert_eq!(account.probe(&place, LEASE).await, Ok(Probe::Match));
    let ranges = account.page_ranges(&place, 1 << 20).await.unwrap();
    assert_eq!(ranges, [512..1024]);
    let bytes = account.read(&place, 1000..1030, &tag).await.unwrap();
    assert_eq!(bytes, [[7; 24].as_slice(), &[0; 6]].concat());

    let kept = account.delete(&place, &tag).await.unwrap_err();
    assert_eq!(kept.cause, Cause::Lease, "{kept}");
    account.break_lease(&place, &tag).await.unwrap();
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties.lease.state, LeaseState::Broken);
    assert_eq!(head.properties.etag, Some(tag.clone()), "a lease changes no tag");
    assert_eq!(account.probe(&place, RESTORE).await, Ok(Probe::NotLeased));
    account.delete(&place, &tag).await.unwrap();
    let gone = account.head(&place).await.unwrap_err();
    assert_eq!(gone.cause, Cause::NotFound, "{gone}");
    assert_eq!(gone.code.as_deref(), Some("BlobNotFound"));
}

#[tokio::test]
async fn every_name_is_the_same_name_everywhere() {
    let door = Door::open().await;
    door.container("odd").await;
    let account = door.account();
    let mut made = Vec::new();
    for (at, name) in ODD.iter().enumerate() {
        // The way in is an address that no layer of ours has made: every byte but letters and digits encoded.
        let path: String = name.bytes().map(|b| format!("%{b:02X}")).collect();
        let sas = account_sas("rwdlac", "sco", None, in_seconds(3_600));
        let url = format!("{}/odd/{path}?{sas}", door.url());
        let put = door.client.put(url).header("x-ms-version", "2021-12-02");
        let put = put.header("x-ms-blob-type", "BlockBlob").body(vec![b'x'; at + 1]);
        let answer = put.send().await.unwrap();
        match answer.status().is_success() {
            true => made.push((*name, at as u64 + 1)),
            false => println!(
                "the door does not take {name:?}: {}",
                answer.text().await.unwrap()
            ),
        }
    }
    assert!(made.len() >= ODD.len() - 4, "{made:?}");
    let listed = account.blobs("odd", "", None).await.unwrap().items;
    let names: Vec<_> = listed
        .iter()
        .map(|l| (l.blob.as_str(), l.properties.size))
        .collect();
    let mut want = made.clone();
    want.sort();
    assert_eq!(names, want);
    for (name, size) in made {
        let place = Place::new("odd", name);
        let head = account
            .head(&place)
            .await
            .unwrap_or_else(|fault| panic!("{name:?}: {fault}"));
        assert_eq!(head.properties.size, size, "{name:?} is another blob");
        let tag = head.properties.etag.unwrap();
        let bytes = account.read(&place, 0..100, &tag).await.unwrap();
        assert_eq!(bytes.len() as u64, size, "{name:?}");
        assert_eq!(account.blocks(&place).await.unwrap().uncommitted, [], "{name:?}");
        let page = account.blobs("odd", name, None).await.unwrap();
        assert!(
            page.items.iter().any(|listed| listed.blob == name),
            "{name:?} by prefix"
        );
        account
            .delete(&place, &tag)
            .await
            .unwrap_or_else(|fault| panic!("{name:?}: {fault}"));
    }
    assert_eq!(account.blobs("odd", "", None).await.unwrap().items, []);
}

#[tokio::test]
async fn names_that_no_url_holds_are_told() {
    let door = Door::open().await;
    let account = door.account();
    for (container, blob) in [("ccc", "."), ("ccc", ".."), ("..", "b"), ("", "b"), ("ccc", "")] {
        let place = Place::new(container, blob);
        let tag = ETag("\"0x1\"".to_owned());
        let faults = [
            account.head(&place).await.unwrap_err(),
            account.delete(&place, &tag).await.unwrap_err(),
            account.break_lease(&place, &tag).await.unwrap_err(),
        ];
        for fault in faults {
            assert!(matches!(fault.cause, Cause::Unusable(_)), "{place}: {fault}");
        }
    }
}

#[tokio::test]
async fn the_restore_lease_is_known_by_both_spellings() {
    let door = Door::open().await;
    door.container("ccc").await;
    for (name, id) in [("n", RESTORE), ("d", RESTORE_DASHED)] {
        let path = format!("ccc/{name}");
        door.block_blob(&path, b"x").await;
        door.lease(&path, id, "-1").await;
        let place = Place::new("ccc", name);
        for spelling in [RESTORE, RESTORE_DASHED] {
            assert_eq!(
                door.account().probe(&place, spelling).await,
                Ok(Probe::Match),
                "{id} {spelling}"
            );
        }
    }
    let gone = door.account().probe(&Place::new("ccc", "gone"), RESTORE).await;
    assert_eq!(gone.unwrap_err().cause, Cause::NotFound);
}

#[tokio::test]
async fn uncommitted_blocks_are_seen() {
    let door = Door::open().await;
    door.container("ccc").await;
    // Base64 of "BLOCKID00001" and "BLOCKID00002".
    door.put_block("ccc/only.bak", "QkxPQ0tJRDAwMDAx", b"TAPE....")
        .await;
    door.put_block("ccc/only.bak", "QkxPQ0tJRDAwMDAy", &[1; 1000])
        .await;
    let account = door.account();
    let listed = account.blobs("ccc", "", None).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].blob, "only.bak");
    assert_eq!(listed[0].properties.etag, None);
    assert_eq!(listed[0].properties.last_modified, None);
    let blocks = account.blocks(&Place::new("ccc", "only.bak")).await.unwrap();
    assert_eq!(blocks.committed, []);
    let ids: Vec<_> = blocks
        .uncommitted
        .iter()
        .map(|Block { id, size }| (id.as_bytes(), *size))
        .collect();
    assert_eq!(
        ids,
        [
            (b"BLOCKID00001".as_slice(), 8),
            (b"BLOCKID00002".as_slice(), 1000)
        ]
    );
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let door = Door::open().await;
    for n in 0..3 {
        door.container(&format!("cc{n}")).await;
    }
    let account = door.account();
    let all = account.containers(None).await.unwrap();
    assert_eq!(
        (all.items, all.next),
        (vec!["cc0".to_owned(), "cc1".to_owned(), "cc2".to_owned()], None)
    );
    // The door's own marker of the second container, as its page would carry it.
    let from = door
        .send(Method::GET, "?comp=list&maxresults=1", &[], b"")
        .await
        .text()
        .await
        .unwrap();
    let (_, rest) = from.split_once("<NextMarker>").unwrap();
    let marker = Marker(rest.split_once('<').unwrap().0.to_owned());
    let rest = account.containers(Some(&marker)).await.unwrap();
    assert_eq!(rest.items, ["cc1", "cc2"]);
    let none = account.blobs("nowhere", "", None).await.unwrap_err();
    assert_eq!(
        (none.cause.clone(), none.code.as_deref()),
        (Cause::NotFound, Some("ContainerNotFound"))
    );
    assert_eq!(none.target, "nowhere");
}

#[tokio::test]
async fn what_has_changed_is_not_touched() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 4096).await;
    let (account, place) = (door.account(), Place::new("ccc", "p"));
    let old = account.head(&place).await.unwrap().properties.etag.unwrap();
    door.page("ccc/p", 0, &[1; 512]).await;
    door.lease("ccc/p", LEASE, "-1").await;
    for fault in [
        account.break_lease(&place, &old).await.unwrap_err(),
        account.read(&place, 0..512, &old).await.unwrap_err(),
    ] {
        assert_eq!(fault.cause, Cause::Changed, "{fault}");
        assert_eq!(
            (fault.status, fault.code.as_deref()),
            (Some(412), Some("ConditionNotMet"))
        );
    }
    let new = account.head(&place).await.unwrap().properties.etag.unwrap();
    assert_ne!(new, old);
    assert_eq!(account.read(&place, 4000..5000, &new).await.unwrap().len(), 96);
    assert_eq!(account.read(&place, 4096..5000, &new).await.unwrap().len(), 0);
    account.break_lease(&place, &new).await.unwrap();
    let again = account.break_lease(&place, &new).await;
    assert!(again.is_ok(), "breaking what is broken is 202 of the table");
    let never = Place::new("ccc", "q");
    door.block_blob("ccc/q", b"").await;
    let head = account.head(&never).await.unwrap();
    let tag = head.properties.etag.unwrap();
    let fault = account.break_lease(&never, &tag).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Lease, "{fault}");
    assert_eq!(
        account.read(&never, 0..512, &tag).await.unwrap().len(),
        0,
        "an empty blob"
    );
}

#[tokio::test]
async fn a_snapshot_protects() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.block_blob("ccc/b", b"x").await;
    door.send(Method::PUT, "ccc/b?comp=snapshot", &[], b"").await;
    let (account, place) = (door.account(), Place::new("ccc", "b"));
    assert_eq!(account.blobs("ccc", "", None).await.unwrap().items.len(), 1);
    let tag = account.head(&place).await.unwrap().properties.etag.unwrap();
    let fault = account.delete(&place, &tag).await.unwrap_err();
    assert_eq!(
        (fault.cause.clone(), fault.code.as_deref()),
        (Cause::Protected, Some("SnapshotsPresent"))
    );
    assert!(fault.sentence().contains("snapshots"), "{fault}");
}

/// What each operation answers with this credential.
async fn every_operation(account: &AzureAccount) -> Vec<Result<(), Fault>> {
    let (page, block) = (Place::new("ccc", "p"), Place::new("ccc", "b"));
    let tag = ETag("\"0x1\"".to_owned());
    vec![
        account.containers(None).await.map(drop),
        account.blobs("ccc", "", None).await.map(drop),
        account.head(&page).await.map(drop),
        account.read(&page, 0..512, &tag).await.map(drop),
        account.page_ranges(&page, 512).await.map(drop),
        account.blocks(&block).await.map(drop),
        account.break_lease(&page, &tag).await,
        account.delete(&page, &tag).await,
    ]
}

#[tokio::test]
async fn a_missing_letter_is_named() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    door.block_blob("ccc/b", b"x").await;
    // All letters but the one that is needed; and the letter without the type of resource.
    for (at, (letters, types)) in [
        ("rwdac", "sco"),
        ("rwdac", "sco"),
        ("wdlac", "sco"),
        ("wdlac", "sco"),
        ("wdlac", "sco"),
        ("wdlac", "sco"),
        ("rlac", "sco"),
        ("rwlac", "sco"),
        ("rwdlac", "co"),
        ("rwdlac", "so"),
        ("rwdlac", "sc"),
        ("rwdlac", "sc"),
        ("rwdlac", "sc"),
        ("rwdlac", "sc"),
        ("rwdlac", "sc"),
        ("rwdlac", "sc"),
    ]
    .into_iter()
    .enumerate()
    {
        let sas = Sas::parse(&account_sas(letters, types, None, in_seconds(60))).unwrap();
        let account = door.account_with(Credential::Sas(sas), |_| {});
        let fault = every_operation(&account).await.swap_remove(at % 8).unwrap_err();
        assert_eq!(fault.cause, Cause::NotAllowed, "{letters} {types}: {fault}");
        let needs = fault.operation.needs();
        for letter in needs.letters.chars() {
            let named = format!("letter {letter}");
            let or = format!("or {letter}");
            assert!(
                fault.sentence().contains(&named) || fault.sentence().contains(&or),
                "{fault}"
            );
        }
        assert!(
            fault.sentence().contains(&format!("srt={}", needs.resource_type)),
            "{fault}"
        );
        assert!(fault.sentence().contains(needs.role), "{fault}");
    }
}

#[tokio::test]
async fn letters_that_are_enough_are_enough() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    door.block_blob("ccc/b", b"x").await;
    let refused = |answers: Vec<Result<(), Fault>>| {
        let faults = answers.into_iter().filter_map(Result::err);
        faults
            .filter(|f| matches!(f.status, Some(401 | 403)))
            .map(|f| f.operation)
            .collect::<Vec<_>>()
    };
    // The operations that only look are content with r and l; w or d alone breaks.
    let with = |letters: &str| {
        let sas = Sas::parse(&account_sas(letters, "sco", None, in_seconds(60))).unwrap();
        door.account_with(Credential::Sas(sas), |_| {})
    };
    use guard::fault::Operation;
    assert_eq!(
        refused(every_operation(&with("rl")).await),
        [Operation::BreakLease, Operation::Delete]
    );
    assert_eq!(refused(every_operation(&with("rlw")).await), [Operation::Delete]);
    assert_eq!(refused(every_operation(&with("rld")).await), []);
    let looking = door.account_by_key(false);
    assert_eq!(
        refused(every_operation(&looking).await),
        [Operation::BreakLease, Operation::Delete]
    );
    let acting = door.account_by_key(true);
    assert_eq!(refused(every_operation(&acting).await), []);
}

#[tokio::test]
async fn a_sas_of_the_container_is_enough_for_the_container() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    let mut sas = ServiceSas::of_container(
        ContainerName::new("ccc").unwrap(),
        Permissions::BACKUP,
        in_seconds(60),
    );
    sas.start = Some(in_seconds(-60));
    let text = sas.sign(&AccountName::new(ACCOUNT).unwrap(), &secret());
    let account = door.account_with(Credential::Sas(Sas::parse(&text).unwrap()), |_| {});
    assert_eq!(account.blobs("ccc", "", None).await.unwrap().items.len(), 1);
    let place = Place::new("ccc", "p");
    let tag = account.head(&place).await.unwrap().properties.etag.unwrap();
    let fault = account.containers(None).await.unwrap_err();
    assert_eq!(fault.cause, Cause::NotAllowed);
    assert!(fault.sentence().contains("--container"), "{fault}");
    account.delete(&place, &tag).await.unwrap();
}

#[tokio::test]
async fn an_expired_a_foreign_and_an_early_sas_are_told_apart() {
    let door = Door::open().await;
    door.container("ccc").await;
    let place = Place::new("ccc", "b");
    door.block_blob("ccc/b", b"x").await;
    let with = |text: &str| door.account_with(Credential::Sas(Sas::parse(text).unwrap()), |_| {});
    let ended = in_seconds(-60).truncated_to_second();
    let account = with(&account_sas("rl", "sco", None, ended));
    for fault in [
        account.head(&place).await.unwrap_err(),
        account.blobs("ccc", "", None).await.unwrap_err(),
    ] {
        assert_eq!(fault.cause, Cause::Expired(Some(ended)), "{fault}");
    }
    let early = with(&account_sas(
        "rl",
        "sco",
        Some(in_seconds(3_600)),
        in_seconds(7_200),
    ));
    let fault = early.head(&place).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Refused, "{fault}");
    assert!(fault.sentence().contains("clock"), "{fault}");
    let text = account_sas("rl", "sco", None, in_seconds(60));
    let (front, _) = text.split_once("sig=").unwrap();
    let forged = with(&format!("{front}sig=AAAA"));
    let fault = forged.head(&place).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Refused, "{fault}");
    let other = Credential::from_key_text("U3RyYW5nZXJTdHJhbmdlclN0cmFuZ2Vy").unwrap();
    let fault = door.account_with(other, |_| {}).head(&place).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Refused, "{fault}");
}

#[tokio::test]
async fn https_with_an_authority_of_its_own() {
    let door = Door::open_tls().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    for account in [door.account_by_key(true), door.account()] {
        assert!(account.address().starts_with("https://"));
        assert_eq!(account.blobs("ccc", "", None).await.unwrap().items.len(), 1);
        assert!(account.head(&Place::new("ccc", "p")).await.is_ok());
    }
    // Without the authority's certificate there is no account.
    let stranger = door.account_with(Credential::Sas(full_sas()), |settings| settings.ca = None);
    let fault = stranger.containers(None).await.unwrap_err();
    let Cause::Unreachable(why) = &fault.cause else {
        panic!("{fault}")
    };
    assert!(why.contains("certificate"), "{why}");
    assert!(fault.sentence().contains("--ca"), "{fault}");
}

#[tokio::test]
async fn a_look_is_no_use_of_the_blob() {
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    door.lease("ccc/p", LEASE, "-1").await;
    let (account, place) = (door.account(), Place::new("ccc", "p"));
    let first = account.head(&place).await.unwrap();
    let tag = first.properties.etag.unwrap();
    account.read(&place, 0..512, &tag).await.unwrap();
    account.page_ranges(&place, 512).await.unwrap();
    let second = account.head(&place).await.unwrap();
    if let Some(witness) = second.witness {
        assert_eq!(witness.since_read, None, "the guard's own reads count nowhere");
    }
}

/// Looks a second through one account, for the record: `cargo test -p bac2-guard --test azure_door looks_a_second --
/// --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn looks_a_second() {
    use futures::StreamExt as _;
    let door = Door::open().await;
    door.container("ccc").await;
    door.page_blob("ccc/p", 512).await;
    let (account, place) = (door.account_by_key(false), Place::new("ccc", "p"));
    for side_by_side in [1, 8, 32] {
        let began = std::time::Instant::now();
        let looks = futures::stream::iter(0..4_000).map(|_| account.head(&place));
        let done = looks
            .buffer_unordered(side_by_side)
            .filter(|head| std::future::ready(head.is_ok()));
        assert_eq!(done.count().await, 4_000);
        let rate = 4_000.0 / began.elapsed().as_secs_f64();
        println!("{side_by_side} at once: {rate:.0} looks a second");
    }
}
