//! Kill -9 under page blobs: 64 connections write and clear pages, resize, count, lease, take snapshots and delete, each on
//! a page blob of its own; the server is killed at random moments, started again on the same directory, and compared
//! with what it had acknowledged. `kill9.rs` does the same with block blobs.
//!
//! The operation whose answer never came may have happened or not, and never by half: a Put Page that was cut off is
//! there whole or not at all. Only the deletion of all snapshots of a blob may be left in the middle, for each of them
//! is a deletion of its own.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "kill9/pages.rs"]
mod pages;
mod support;
#[path = "kill9/victim.rs"]
mod victim;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pages::{Deed, PAGE, PageModel};
use support::client::{Ask, Client};
use victim::{Dice, rounds_and_seed, start};

/// Connections that are at work when the server dies.
const WORKERS: usize = 64;
/// Pages of the largest blob.
const MOST_PAGES: u64 = 300;

/// What one worker knows: its blob, and the deed that was under way when the server died.
struct Worker {
    name: String,
    blob: Option<PageModel>,
    pending: Option<Deed>,
}

#[test]
fn what_was_acknowledged_of_page_blobs_survives_kill_9() {
    let (rounds, seed) = rounds_and_seed(60);
    let data = tempfile::tempdir().unwrap();
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|n| Worker {
            name: format!("p{n:02}.bak"),
            blob: None,
            pending: None,
        })
        .collect();
    let mut dice = Dice(seed);
    let answered = Arc::new(AtomicU64::new(0));
    for round in 0..rounds {
        let (victim, address) = start(data.path());
        let mut client = Client::connect(address).unwrap();
        let made = client.ask(&Ask::put("box?restype=container"));
        assert!(made.status == 201 || made.status == 409, "{made:?}");
        for worker in &mut workers {
            settle(&mut client, worker, &format!("seed {seed}, round {round}"));
        }
        let running: Vec<_> = workers
            .drain(..)
            .map(|mut worker| {
                let (mut dice, answered) = (Dice(dice.roll(u64::MAX)), Arc::clone(&answered));
                thread::spawn(move || {
                    work(address, &mut worker, &mut dice, &answered);
                    worker
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(20 + dice.roll(300)));
        drop(victim);
        workers = running.into_iter().map(|w| w.join().unwrap()).collect();
    }
    let answered = answered.load(Ordering::Relaxed);
    println!("{rounds} rounds, {answered} answered operations");
    assert!(answered > 0, "the workload did something");
}

/// Works until the connection breaks, one operation after the other.
fn work(address: SocketAddr, worker: &mut Worker, dice: &mut Dice, answered: &AtomicU64) {
    let Ok(mut client) = Client::connect(address) else {
        return;
    };
    loop {
        let deed = choose(worker.blob.as_ref(), dice);
        let ask = request(worker, &deed);
        worker.pending = Some(deed.clone());
        let Ok(reply) = client.send(&ask) else { return };
        assert!(
            (200..300).contains(&reply.status),
            "{deed:?} on {}: {:?} {}",
            worker.name,
            reply.headers,
            reply.text()
        );
        worker.blob = deed.apply(worker.blob.as_ref(), reply.header("x-ms-snapshot"));
        worker.pending = None;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn choose(before: Option<&PageModel>, dice: &mut Dice) -> Deed {
    let size = |dice: &mut Dice| (1 + dice.roll(MOST_PAGES)) * PAGE;
    let Some(blob) = before else {
        return Deed::Create(size(dice));
    };
    let pages = blob.bytes.len() as u64 / PAGE;
    let stretch = |dice: &mut Dice| {
        let first = dice.roll(pages);
        (first * PAGE, (1 + dice.roll(pages - first)) * PAGE)
    };
    match dice.roll(24) {
        0..12 => {
            let (at, len) = stretch(dice);
            Deed::Update(at, len, dice.roll(u64::MAX))
        }
        12..15 => {
            let (at, len) = stretch(dice);
            Deed::Clear(at, len)
        }
        15 => Deed::Resize(size(dice)),
        16 => Deed::Count(dice.roll(1 << 40)),
        17 if blob.lease.is_none() => Deed::Acquire(u128::from(dice.roll(u64::MAX)) << 64 | 7),
        17 | 18 if blob.lease.is_some() => Deed::Release,
        19 | 20 if blob.snapshots.len() < 6 => Deed::Snapshot,
        21 if !blob.snapshots.is_empty() => Deed::DropSnapshots,
        22 => Deed::Create(size(dice)),
        23 if dice.roll(3) == 0 => Deed::Delete,
        _ => {
            let (at, len) = stretch(dice);
            Deed::Update(at, len.min(4 * PAGE), dice.roll(u64::MAX))
        }
    }
}

fn request(worker: &Worker, deed: &Deed) -> Ask {
    let name = &worker.name;
    let held = worker.blob.as_ref().and_then(|blob| blob.lease).map(dashed);
    let to = |query: &str| Ask::put(format!("box/{name}{query}"));
    let range = |at: &u64, len: &u64| format!("bytes={at}-{}", at + len - 1);
    let ask = match deed {
        Deed::Create(size) => to("")
            .header("x-ms-blob-type", "PageBlob")
            .header("x-ms-blob-content-length", size.to_string()),
        Deed::Update(at, len, seed) => to("?comp=page")
            .header("x-ms-page-write", "update")
            .header("x-ms-range", range(at, len))
            .body(pages::noise(*seed, *len)),
        Deed::Clear(at, len) => to("?comp=page")
            .header("x-ms-page-write", "clear")
            .header("x-ms-range", range(at, len)),
        Deed::Resize(size) => to("?comp=properties").header("x-ms-blob-content-length", size.to_string()),
        Deed::Count(number) => to("?comp=properties")
            .header("x-ms-sequence-number-action", "update")
            .header("x-ms-blob-sequence-number", number.to_string()),
        Deed::Acquire(id) => to("?comp=lease")
            .header("x-ms-lease-action", "acquire")
            .header("x-ms-lease-duration", "-1")
            .header("x-ms-proposed-lease-id", dashed(*id)),
        Deed::Release => to("?comp=lease").header("x-ms-lease-action", "release"),
        Deed::Snapshot => to("?comp=snapshot"),
        Deed::DropSnapshots => Ask::delete(format!("box/{name}")).header("x-ms-delete-snapshots", "only"),
        Deed::Delete => Ask::delete(format!("box/{name}")).header("x-ms-delete-snapshots", "include"),
    };
    ask.lease(held.as_deref())
}

fn dashed(id: u128) -> String {
    uuid::Uuid::from_u128(id).to_string()
}

/// Compares the blob with what it may be, and takes over what it is.
fn settle(client: &mut Client, worker: &mut Worker, when: &str) {
    let pending = worker.pending.take();
    let found = observe(client, &worker.name);
    let known = worker.blob.take();
    let as_known = pages::differs(known.as_ref(), found.as_ref());
    let accepted = match (&as_known, &pending) {
        (None, _) => true,
        (Some(_), Some(deed)) => deed.explains(known.as_ref(), found.as_ref()),
        (Some(_), None) => false,
    };
    assert!(
        accepted,
        "{when}: {} is neither what was acknowledged ({}) nor that and the unanswered {pending:?}",
        worker.name,
        as_known.unwrap_or_default()
    );
    // The lease id is seen by nobody but its holder, so it is taken over from what was asked for.
    let lease = found
        .as_ref()
        .and_then(|blob| blob.lease)
        .map(|_| match &pending {
            Some(Deed::Acquire(id)) if known.as_ref().is_none_or(|blob| blob.lease.is_none()) => *id,
            _ => known
                .as_ref()
                .and_then(|blob| blob.lease)
                .expect("a lease was asked for"),
        });
    if let Some(id) = lease {
        let held = Ask::head(format!("box/{}", worker.name)).lease(Some(&dashed(id)));
        client.ask(&held).expect(200);
    }
    worker.blob = found.map(|blob| PageModel { lease, ..blob });
}

/// What the server shows. A lease is `Some(0)`, whatever its id.
fn observe(client: &mut Client, name: &str) -> Option<PageModel> {
    let listed = client
        .ask(&Ask::get(format!(
            "box?restype=container&comp=list&include=snapshots&prefix={name}"
        )))
        .expect(200);
    let times = listed.text().split("<Snapshot>").skip(1);
    let times: Vec<String> = times
        .map(|part| part.split('<').next().unwrap().to_owned())
        .collect();
    let head = client.ask(&Ask::head(format!("box/{name}")));
    if head.status == 404 {
        assert!(times.is_empty(), "{name} has snapshots and is not there");
        return None;
    }
    let head = head.expect(200);
    let mut read = |query: String| {
        client
            .ask(&Ask::get(format!("box/{name}{query}")))
            .expect(200)
            .body
    };
    let bytes = read(String::new());
    assert_eq!(bytes.len().to_string(), head.header("content-length"));
    Some(PageModel {
        bytes,
        sequence_number: head.header("x-ms-blob-sequence-number").parse().unwrap(),
        lease: (head.header("x-ms-lease-state") == "leased").then_some(0),
        snapshots: times
            .into_iter()
            .map(|time| {
                let content = read(format!("?snapshot={time}"));
                (time, content)
            })
            .collect(),
    })
}
