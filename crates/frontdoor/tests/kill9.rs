//! Kill -9: a server in a child process is killed at random moments of a concurrent workload, started again on the same
//! directory, and compared with what it had acknowledged.
//!
//! Each connection works on blobs of its own, so that for every blob the order of operations is known. The operation
//! whose answer never came may have happened or not; everything else must be exactly as answered: content, committed and
//! uncommitted blocks, lease, metadata, and nothing that was deleted. After the comparison the workload goes on from
//! what was found. The seed is printed; `BAC2_KILL9_SEED` repeats it, `BAC2_KILL9_ROUNDS` says how long to go on.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "kill9/model.rs"]
mod model;
mod support;
#[path = "kill9/victim.rs"]
mod victim;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use model::{BlobModel, Content, Deed, LeaseModel};
use support::client::{Ask, Client, Reply};
use victim::{Dice, rounds_and_seed, start};

/// Connections that are at work when the server dies.
const WORKERS: usize = 64;
const BLOBS_PER_WORKER: usize = 2;
/// What one worker knows: its blobs, and the deed that was under way when the server died.
#[derive(Default)]
struct Worker {
    blobs: BTreeMap<String, Option<BlobModel>>,
    pending: Option<(String, Deed)>,
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let (rounds, seed) = rounds_and_seed(100);
    let data = tempfile::tempdir().unwrap();
    let mut workers: Vec<Worker> = (0..WORKERS).map(new_worker).collect();
    let mut dice = Dice(seed);
    let answered = Arc::new(AtomicU64::new(0));
    for round in 0..rounds {
        let (victim, address) = start(data.path());
        let mut client = Client::connect(address).unwrap();
        let made = client.ask(&Ask::put("box?restype=container"));
        assert!(made.status == 201 || made.status == 409, "{made:?}");
        for worker in &mut workers {
            settle(&mut client, worker, seed, round);
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
        thread::sleep(Duration::from_millis(20 + dice.roll(250)));
        drop(victim);
        workers = running.into_iter().map(|w| w.join().unwrap()).collect();
    }
    println!(
        "{rounds} rounds, {} answered operations",
        answered.load(Ordering::Relaxed)
    );
    assert!(answered.load(Ordering::Relaxed) > 0, "the workload did something");
}

fn new_worker(n: usize) -> Worker {
    let names = (0..BLOBS_PER_WORKER).map(|b| (format!("w{n}/blob{b}.bak"), None));
    Worker {
        blobs: names.collect(),
        pending: None,
    }
}

/// Works until the connection breaks, one operation after the other.
fn work(address: SocketAddr, worker: &mut Worker, dice: &mut Dice, answered: &AtomicU64) {
    let Ok(mut client) = Client::connect(address) else {
        return;
    };
    loop {
        let at = dice.roll(BLOBS_PER_WORKER as u64) as usize;
        let (name, before) = worker
            .blobs
            .iter()
            .nth(at)
            .map(|(n, b)| (n.clone(), b.clone()))
            .unwrap();
        let deed = choose(&before, dice);
        let ask = request(&name, &before, &deed);
        worker.pending = Some((name.clone(), deed.clone()));
        let Ok(reply) = client.send(&ask) else { return };
        assert!(
            (200..300).contains(&reply.status),
            "{deed:?} on {before:?}: {:?} {}",
            reply,
            reply.text()
        );
        worker.blobs.insert(name, deed.apply(&before));
        worker.pending = None;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn choose(before: &Option<BlobModel>, dice: &mut Dice) -> Deed {
    let content = |dice: &mut Dice, most: u64| Content {
        seed: dice.roll(u64::MAX),
        len: dice.roll(most) as usize,
    };
    let Some(blob) = before else {
        return if dice.roll(3) == 0 {
            Deed::PutBlock(
                block_id(dice),
                Content {
                    seed: dice.roll(u64::MAX),
                    len: 1 + dice.roll(70_000) as usize,
                },
            )
        } else {
            let most = if dice.roll(2) == 0 { 1 } else { 200_000 };
            Deed::PutBlob(content(dice, most))
        };
    };
    let leased = matches!(blob.lease, LeaseModel::Leased(_));
    match dice.roll(20) {
        0..9 => Deed::PutBlock(
            block_id(dice),
            Content {
                seed: dice.roll(u64::MAX),
                len: 1 + dice.roll(150_000) as usize,
            },
        ),
        9..12 => {
            let committed = blob.committed.iter().flatten().filter_map(|(id, _)| id.clone());
            let ids: Vec<String> = committed.chain(blob.uncommitted.keys().cloned()).collect();
            let mut chosen: Vec<String> = ids.into_iter().filter(|_| dice.roll(4) != 0).collect();
            chosen.dedup();
            Deed::Commit(chosen)
        }
        12 => Deed::PutBlob(content(dice, 100_000)),
        13 if blob.committed.is_some() => Deed::SetMetadata(format!("v{}", dice.roll(1_000_000))),
        14 | 15 if blob.committed.is_some() && !leased => {
            Deed::Acquire(u128::from(dice.roll(u64::MAX)) << 64 | 7)
        }
        16 if leased => Deed::Change(u128::from(dice.roll(u64::MAX)) << 64 | 9),
        17 if leased => Deed::Release,
        18 if leased => Deed::Break,
        19 if blob.committed.is_some() => Deed::Delete,
        _ => Deed::PutBlock(block_id(dice), content(dice, 5000).at_least_one()),
    }
}

impl Content {
    fn at_least_one(self) -> Self {
        Content {
            len: self.len.max(1),
            ..self
        }
    }
}

fn block_id(dice: &mut Dice) -> String {
    STANDARD.encode(format!("BLOCKID{:05}", dice.roll(12)))
}

fn dashed(id: u128) -> String {
    uuid::Uuid::from_u128(id).to_string()
}

fn request(name: &str, before: &Option<BlobModel>, deed: &Deed) -> Ask {
    let held = match before.as_ref().map(|b| b.lease) {
        Some(LeaseModel::Leased(id)) => Some(dashed(id)),
        _ => None,
    };
    let lease = |ask: Ask| ask.lease(held.as_deref());
    let act = |action: &str| Ask::put(format!("box/{name}?comp=lease")).header("x-ms-lease-action", action);
    match deed {
        Deed::PutBlob(content) => lease(
            Ask::put(format!("box/{name}"))
                .header("x-ms-blob-type", "BlockBlob")
                .body(content.bytes()),
        ),
        Deed::PutBlock(id, content) => {
            let id = id.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            lease(Ask::put(format!("box/{name}?comp=block&blockid={id}")).body(content.bytes()))
        }
        Deed::Commit(ids) => {
            let list: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
            let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{list}</BlockList>");
            lease(Ask::put(format!("box/{name}?comp=blocklist")).body(body))
        }
        Deed::SetMetadata(value) => {
            lease(Ask::put(format!("box/{name}?comp=metadata")).header("x-ms-meta-note", value.clone()))
        }
        Deed::Acquire(id) => act("acquire")
            .header("x-ms-lease-duration", "-1")
            .header("x-ms-proposed-lease-id", dashed(*id)),
        Deed::Change(id) => lease(act("change")).header("x-ms-proposed-lease-id", dashed(*id)),
        Deed::Release => lease(act("release")),
        Deed::Break => act("break").header("x-ms-lease-break-period", "0"),
        Deed::Delete => lease(Ask::delete(format!("box/{name}"))),
    }
}

/// Compares every blob with what it may be, and takes over what it is.
fn settle(client: &mut Client, worker: &mut Worker, seed: u64, round: u64) {
    let pending = worker.pending.take();
    for (name, known) in &mut worker.blobs {
        let deed = pending.as_ref().filter(|(n, _)| n == name).map(|(_, deed)| deed);
        let after = deed.map(|deed| deed.apply(known));
        let differs = match differences(client, name, known) {
            Ok(()) => continue,
            Err(differs) => differs,
        };
        let Some(after) = after else {
            panic!(
                "seed {seed}, round {round}: {name} is not what was acknowledged: {differs}\nknown: {known:?}"
            );
        };
        let half = deed.and_then(|deed| deed.half_done(known)).map(Some);
        let found = [Some(after), half]
            .into_iter()
            .flatten()
            .find(|state| differences(client, name, state).is_ok());
        *known = found.unwrap_or_else(|| {
            panic!(
                "seed {seed}, round {round}: {name} is neither what was acknowledged ({differs})\n\
                 nor that and the unanswered {deed:?}\nknown: {known:?}"
            )
        });
    }
}

fn differences(client: &mut Client, name: &str, expected: &Option<BlobModel>) -> Result<(), String> {
    let head = client.ask(&Ask::head(format!("box/{name}")));
    let lists = client.ask(&Ask::get(format!("box/{name}?comp=blocklist&blocklisttype=all")));
    let Some(expected) = expected else {
        return same("exists", (head.status, lists.status), (404, 404));
    };
    same("block lists", blocks(&lists)?, expected_blocks(expected))?;
    if expected.committed.is_none() {
        return same("status", head.status, 404);
    }
    same("status", head.status, 200)?;
    let state = match expected.lease {
        LeaseModel::Available => "available",
        LeaseModel::Leased(_) => "leased",
        LeaseModel::Broken => "broken",
    };
    same("lease", head.header("x-ms-lease-state"), state)?;
    same(
        "metadata",
        head.header("x-ms-meta-note"),
        expected.metadata.as_deref().unwrap_or(""),
    )?;
    if let LeaseModel::Leased(id) = expected.lease {
        let held = client.ask(&Ask::head(format!("box/{name}")).lease(Some(&dashed(id))));
        same("lease id", held.status, 200)?;
    }
    let content = client.ask(&Ask::get(format!("box/{name}")));
    same("get", content.status, 200)?;
    if content.body != expected.content() {
        return Err(format!(
            "content differs ({} bytes, expected {})",
            content.body.len(),
            expected.content().len()
        ));
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // Both sides are made where it is called.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: found {found:?}, expected {expected:?}"))
    }
}

type Blocks = (Vec<(String, u64)>, Vec<(String, u64)>);

fn blocks(reply: &Reply) -> Result<Blocks, String> {
    if reply.status != 200 {
        return Err(format!("block list answers {:?}", reply.error()));
    }
    let listing = azblob::block::BlockListing::parse(&reply.body).map_err(|e| e.to_string())?;
    let plain = |blocks: Option<Vec<azblob::block::BlockEntry>>| {
        blocks
            .unwrap_or_default()
            .into_iter()
            .map(|b| (b.id.to_base64(), b.size))
            .collect::<Vec<_>>()
    };
    let mut uncommitted = plain(listing.uncommitted);
    uncommitted.sort();
    Ok((plain(listing.committed), uncommitted))
}

fn expected_blocks(blob: &BlobModel) -> Blocks {
    let committed = blob
        .committed
        .iter()
        .flatten()
        .filter_map(|(id, c)| Some((id.clone()?, c.len as u64)));
    let uncommitted = blob.uncommitted.iter().map(|(id, c)| (id.clone(), c.len as u64));
    (committed.collect(), uncommitted.collect())
}
