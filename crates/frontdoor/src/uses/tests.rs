//! The record by itself, with a clock that is turned by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::names::{AccountName, BlobName, ContainerName};
use tokio::time::advance;

use super::*;

fn blob(name: &str) -> BlobPath {
    BlobPath {
        account: AccountName::new("vault").unwrap(),
        container: ContainerName::new("box").unwrap(),
        blob: BlobName::new(name).unwrap(),
    }
}

/// A record of so many blobs in which those named are locked.
fn record(room: usize, locked: &Arc<Mutex<BTreeSet<String>>>) -> Arc<Uses> {
    let locked = Arc::clone(locked);
    Uses::with_room(room, move |path| Some(lock(&locked).contains(path.blob.as_str())))
}

fn locked(names: &[&str]) -> Arc<Mutex<BTreeSet<String>>> {
    Arc::new(Mutex::new(names.iter().map(|name| (*name).to_owned()).collect()))
}

fn remembered(uses: &Uses) -> usize {
    uses.shards.iter().map(|shard| lock(shard).len()).sum()
}

async fn pass(seconds: u64) {
    advance(Duration::from_secs(seconds)).await;
}

fn witness(connections: u32, write: Option<u64>, read: Option<u64>, watched: u64) -> LeaseWitness {
    LeaseWitness {
        connections,
        jobs: 0,
        since_write: write.map(|seconds| seconds * 1000),
        since_read: read.map(|seconds| seconds * 1000),
        watched: watched * 1000,
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_from_its_beginning_until_its_connection_ends() {
    let uses = record(100, &locked(&["a"]));
    pass(7).await;
    assert_eq!(uses.testify(&blob("a")), witness(0, None, None, 7));
    let guest = Guest::new(Arc::clone(&uses));
    let mut upload = guest.begins(blob("a"), Kind::Write);
    pass(400).await;
    assert_eq!(uses.testify(&blob("a")), witness(1, Some(0), None, 407));
    upload.answered();
    drop(upload);
    pass(3).await;
    let read = guest.begins(blob("a"), Kind::Read);
    pass(2).await;
    assert_eq!(uses.testify(&blob("a")), witness(1, Some(5), Some(0), 412));
    drop(read);
    pass(10_000).await;
    assert_eq!(
        uses.testify(&blob("a")),
        witness(1, Some(10_005), Some(10_000), 10_412)
    );
    assert_eq!(uses.testify(&blob("a")).quiet(), 0);
    drop(guest);
    pass(60).await;
    let gone = uses.testify(&blob("a"));
    assert_eq!(
        gone,
        witness(0, Some(10_065), Some(60), 10_472),
        "the end of a connection is the end of its latest request"
    );
    assert_eq!(gone.quiet(), 60_000);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_leaves_no_trace() {
    let uses = record(100, &locked(&["a", "b"]));
    let guest = Guest::new(Arc::clone(&uses));
    drop(guest.begins(blob("a"), Kind::Write));
    drop(guest);
    let vain = Guest::new(Arc::clone(&uses));
    drop(vain.begins(blob("b"), Kind::Read));
    for _ in 0..10 {
        pass(60).await;
        vain.begins(blob("a"), Kind::Write).refused();
    }
    assert_eq!(uses.testify(&blob("a")), witness(0, Some(600), None, 600));
    assert_eq!(
        uses.testify(&blob("b")).connections,
        1,
        "a refused request moves no connection"
    );
    vain.begins(blob("c"), Kind::Read).refused();
    assert_eq!(remembered(&uses), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_for_one_blob() {
    let uses = record(100, &locked(&["a", "b"]));
    let guest = Guest::new(Arc::clone(&uses));
    drop(guest.begins(blob("a"), Kind::Write));
    pass(60).await;
    let mut download = guest.begins(blob("b"), Kind::Read);
    assert_eq!(uses.testify(&blob("a")).connections, 1, "it may still be refused");
    download.answered();
    pass(60).await;
    assert_eq!(
        uses.testify(&blob("a")),
        witness(0, Some(60), None, 120),
        "until it moved on its owner was there"
    );
    assert_eq!(uses.testify(&blob("b")), witness(1, None, Some(0), 120));
    drop(download);
    drop(guest);
    assert_eq!(uses.testify(&blob("b")), witness(0, None, Some(0), 120));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_in_the_middle_was_there() {
    let uses = record(100, &locked(&["a"]));
    let guest = Guest::new(Arc::clone(&uses));
    let upload = guest.begins(blob("a"), Kind::Write);
    drop(guest);
    pass(30).await;
    assert_eq!(uses.testify(&blob("a")), witness(1, Some(0), None, 30));
    drop(upload);
    pass(5).await;
    assert_eq!(uses.testify(&blob("a")), witness(0, Some(5), None, 35));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_beside_moves_no_connection() {
    let uses = record(100, &locked(&["source"]));
    let refused = Use::beside(&uses, blob("source"), Kind::Read);
    assert_eq!(uses.testify(&blob("source")), witness(0, None, Some(0), 0));
    drop(refused);
    assert_eq!(remembered(&uses), 0);
    let copy = Use::beside(&uses, blob("source"), Kind::Read);
    copy.succeeded();
    let job = copy.goes_on(blob("source"), Kind::Read);
    drop(copy);
    pass(100).await;
    assert_eq!(uses.testify(&blob("source")).since_read, Some(0));
    drop(job);
    pass(1).await;
    assert_eq!(uses.testify(&blob("source")), witness(0, None, Some(1), 101));
}

#[tokio::test(start_paused = true)]
async fn unlocked_blobs_are_forgotten() {
    let locks = locked(&["a", "b"]);
    let uses = record(100, &locks);
    let use_of = |name: &str| {
        let guest = Guest::new(Arc::clone(&uses));
        drop(guest.begins(blob(name), Kind::Write));
        guest
    };
    drop(use_of("free"));
    assert_eq!(remembered(&uses), 0, "nobody asks for it");
    let stays = use_of("free");
    drop((use_of("a"), use_of("b")));
    uses.sweep();
    assert_eq!(remembered(&uses), 3);
    lock(&locks).remove("a");
    uses.sweep();
    assert_eq!(remembered(&uses), 2, "a lease ran out");
    assert!(!stays.is_with_locked());
    lock(&locks).insert("free".to_owned());
    assert!(stays.is_with_locked());
    assert_eq!(uses.testify(&blob("free")).connections, 1);
}

#[tokio::test(start_paused = true)]
async fn the_longest_unused_is_forgotten_and_nothing_is_claimed_of_it() {
    let uses = Uses::with_room(2 * SHARDS, |_| Some(true));
    // Blobs of one part of the record, which has room for two.
    let part = |uses: &Uses, name: &str| {
        drop(uses.shard(&blob(name)).begin(blob(name), Kind::Read, false));
        let part = uses.shards.iter().position(|shard| lock(shard).len() > 0);
        let nothing = (false, false);
        uses.shard(&blob(name))
            .end(&Arc::new(blob(name)), Kind::Read, nothing, &uses.is_locked);
        part
    };
    let first = part(&uses, "0");
    let names: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let names: Vec<&String> = names
        .iter()
        .filter(|name| part(&uses, name) == first)
        .take(6)
        .collect();
    let [kept, oldest, young, younger, unknown, _] = names[..] else {
        panic!("a thousand names are enough")
    };
    let busy = Guest::new(Arc::clone(&uses));
    drop(busy.begins(blob(kept), Kind::Read));
    for name in [oldest, young, younger] {
        pass(10).await;
        drop(Guest::new(Arc::clone(&uses)).begins(blob(name), Kind::Write));
    }
    pass(5).await;
    assert_eq!(uses.testify(&blob(kept)), witness(1, None, Some(35), 35));
    assert_eq!(uses.testify(&blob(young)), witness(0, Some(15), None, 35));
    assert_eq!(uses.testify(&blob(younger)), witness(0, Some(5), None, 35));
    for name in [oldest, unknown] {
        assert_eq!(uses.testify(&blob(name)), witness(0, None, None, 5));
    }
    drop(Guest::new(Arc::clone(&uses)).begins(blob(oldest), Kind::Read));
    pass(1).await;
    assert_eq!(
        uses.testify(&blob(oldest)),
        witness(0, None, Some(1), 6),
        "watched since it was forgotten"
    );
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_cannot_be_asked_about_is_remembered() {
    let uses = Uses::with_room(100, |_| None);
    let guest = Guest::new(Arc::clone(&uses));
    drop(guest.begins(blob("a"), Kind::Read));
    assert!(guest.is_with_locked());
    drop(guest);
    uses.sweep();
    assert_eq!(remembered(&uses), 1);
}
