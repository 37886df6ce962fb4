//! A watch with short intervals over bac2's own door, by real requests over real sockets: uploads in pages and blocks
//! and restores that live, some of them pausing far beyond the limit with their connection open; others that die; and
//! leases that are nobody's business. No living one may lose its lease, every dead one must be cleaned up.
//!
//! Each holder has a client of its own, so that its connections are its own and end with it.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

mod azure_support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bak::writer::sample::{Sample, SampleKind};
use guard::clock::SystemClock;
use guard::report::{Did, Entry};
use guard::ruling::Terms;
use guard::scope::Scope;
use guard::{Deed, Guard, Place, Ruling};
use reqwest::{Client, Method};

use azure_support::{Door, RESTORE};

const MIN_QUIET: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(400);
/// How long the living live.
const RUN: Duration = Duration::from_secs(14);
/// When the watch ends although it has not cleaned up yet: a machine with other things to do takes its time.
const RUN_MAX: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Pages,
    Blocks,
    Restore,
}

/// One holder of a lease.
struct Holder {
    path: String,
    work: Work,
    /// After how many steps it dies; it lives to the end without.
    dies_after: Option<u32>,
    /// After which step it pauses for three times the limit.
    pauses_after: Option<u32>,
}

/// The door, as one client of it sees it.
struct Hand {
    door: Arc<Door>,
    client: Client,
}

impl Hand {
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
        self.door.answer(&self.client, method, path, headers, body).await
    }
}

impl Holder {
    /// Works until `over`, or dies. Returns how many of its requests were refused: a living one that loses its lease is
    /// refused from then on.
    async fn run(self, door: Arc<Door>, backup: Arc<Vec<u8>>, over: Arc<AtomicBool>) -> (Self, u32, Instant) {
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .pool_idle_timeout(None)
            .build()
            .unwrap();
        let hand = Hand { door, client };
        let id = uuid_of(&self.path);
        let id = if self.work == Work::Restore { RESTORE } else { &id };
        let lease = [
            ("x-ms-lease-action", "acquire"),
            ("x-ms-proposed-lease-id", id),
            ("x-ms-lease-duration", "-1"),
        ];
        let taken = hand
            .send(Method::PUT, &format!("{}?comp=lease", self.path), &lease, b"")
            .await;
        assert_eq!(taken, 201, "{}", self.path);
        let mut refused = 0;
        for step in 0.. {
            if over.load(Ordering::Relaxed) || self.dies_after.is_some_and(|last| step >= last) {
                break;
            }
            let status = self.step(&hand, id, step, &backup).await;
            refused += u32::from(status >= 300);
            if self.pauses_after == Some(step) {
                tokio::time::sleep(MIN_QUIET * 3).await;
            }
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        // The client is dropped here, and its connections with it; the lease stays.
        (self, refused, Instant::now())
    }

    async fn step(&self, hand: &Hand, id: &str, step: u32, backup: &[u8]) -> u16 {
        let at = (step as usize * 512) % (backup.len() - 512) / 512 * 512;
        let piece = &backup[at..at + 512];
        let range = format!("bytes={at}-{}", at + 511);
        match self.work {
            Work::Pages => {
                let headers = [
                    ("x-ms-page-write", "update"),
                    ("x-ms-range", &*range),
                    ("x-ms-lease-id", id),
                ];
                hand.send(Method::PUT, &format!("{}?comp=page", self.path), &headers, piece)
                    .await
            }
            Work::Blocks => {
                // BLOCKID and five digits, in Base64.
                let digits = format!("{step:05}");
                let block = base64_of(&format!("BLOCKID{digits}"));
                let path = format!("{}?comp=block&blockid={block}", self.path);
                hand.send(Method::PUT, &path, &[("x-ms-lease-id", id)], piece)
                    .await
            }
            Work::Restore => {
                let headers = [("x-ms-range", &*range), ("x-ms-lease-id", id)];
                hand.send(Method::GET, &self.path, &headers, b"").await
            }
        }
    }
}

/// A lease id of its own for each path.
fn uuid_of(path: &str) -> String {
    let sum = path.bytes().fold(7u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    format!("00000000-0000-4000-8000-{:012x}", sum & 0xFFFF_FFFF_FFFF)
}

fn base64_of(text: &str) -> String {
    let id = azblob::block::BlockId::from_bytes(text.as_bytes()).unwrap();
    id.to_base64().replace('=', "%3D").replace('+', "%2B")
}

fn holders() -> Vec<Holder> {
    let mut all = Vec::new();
    for (work, word) in [
        (Work::Pages, "pages"),
        (Work::Blocks, "blocks"),
        (Work::Restore, "restore"),
    ] {
        for number in 0..3 {
            all.push(Holder {
                path: format!("backups/{word}-live-{number}.bak"),
                work,
                dies_after: None,
                pauses_after: (number > 0).then_some(5 + number * 4),
            });
            all.push(Holder {
                path: format!("backups/{word}-dead-{number}.bak"),
                work,
                dies_after: Some(3 + number * 9),
                pauses_after: None,
            });
        }
    }
    all
}

/// Puts down what each holder works on, and what is nobody's business.
async fn prepare(door: &Door, holders: &[Holder], backup: &[u8]) {
    door.container("backups").await;
    for holder in holders {
        match holder.work {
            Work::Pages => {
                door.page_blob(&holder.path, 1 << 30).await;
                door.page(&holder.path, 0, &backup[..4096]).await;
            }
            Work::Blocks => door.block_blob(&holder.path, b"").await,
            Work::Restore => door.block_blob(&holder.path, backup).await,
        }
    }
    let mut header_page = vec![0; 16_384];
    header_page[..2].copy_from_slice(&[1, 15]);
    header_page[8_192..8_194].copy_from_slice(&[1, 11]);
    for (path, content) in [
        ("backups/sales.mdf", backup),
        ("backups/innocent.bak", &header_page),
        ("backups/notes.txt", b"someone else's".as_slice()),
        ("backups/disk.vhd", b"conectix".as_slice()),
    ] {
        door.block_blob(path, content).await;
        door.lease(path, &uuid_of(path), "-1").await;
    }
}

/// Surveys and breaks until told to end. Returns what was broken and when.
async fn watch(
    door: &Door,
    over: &AtomicBool,
    rounds: &AtomicU64,
    freed: &AtomicU64,
) -> Vec<(Place, Instant)> {
    let account = door.account();
    let clock = SystemClock::new();
    let terms = Terms {
        min_quiet: MIN_QUIET,
        include_restore: true,
        named: BTreeSet::new(),
    };
    let mut guard = Guard::new(&account, &clock, Scope::default(), terms);
    let mut broken = Vec::new();
    while !over.load(Ordering::Relaxed) {
        guard.survey().await.unwrap();
        rounds.fetch_add(1, Ordering::Relaxed);
        for entry in guard.entries() {
            let Entry::Blob { finding, ruling, .. } = entry else {
                panic!("{entry:?}")
            };
            if matches!(ruling, Ruling::Break(_))
                && guard.act(&finding.place, Deed::Break).await == Did::Broke
            {
                broken.push((finding.place.clone(), Instant::now()));
                freed.fetch_add(1, Ordering::Relaxed);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
    broken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_living_holder_loses_its_lease_and_every_dead_one_does() {
    let backup = Arc::new(Sample::default().backup(SampleKind::Full, 1));
    let door = Arc::new(Door::open().await);
    let holders = holders();
    prepare(&door, &holders, &backup).await;
    let (over, watched_enough) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (rounds, freed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mortal = holders
        .iter()
        .filter(|holder| holder.dies_after.is_some())
        .count() as u64;
    let watching = tokio::spawn({
        let (door, over) = (Arc::clone(&door), Arc::clone(&watched_enough));
        let (rounds, freed) = (Arc::clone(&rounds), Arc::clone(&freed));
        async move { watch(&door, &over, &rounds, &freed).await }
    });
    let working: Vec<_> = holders
        .into_iter()
        .map(|holder| tokio::spawn(holder.run(Arc::clone(&door), Arc::clone(&backup), Arc::clone(&over))))
        .collect();
    let began = Instant::now();
    while began.elapsed() < RUN || (freed.load(Ordering::Relaxed) < mortal && began.elapsed() < RUN_MAX) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The watch ends first: what lives, lives to the end of it.
    watched_enough.store(true, Ordering::Relaxed);
    let broken = watching.await.unwrap();
    over.store(true, Ordering::Relaxed);
    let (mut orphans, mut worst) = (0, Duration::ZERO);
    for one in working {
        let (holder, refused, ended) = one.await.unwrap();
        let when = broken.iter().find(|(place, _)| place.to_string() == holder.path);
        if holder.dies_after.is_some() {
            let (_, when) = when.unwrap_or_else(|| panic!("{} was never cleaned up", holder.path));
            worst = worst.max(when.duration_since(ended));
            orphans += 1;
        } else {
            assert!(when.is_none(), "{} lives and was broken", holder.path);
            assert_eq!(refused, 0, "{} lives and was refused", holder.path);
        }
    }
    assert_eq!(broken.len(), orphans, "nothing else was broken: {broken:?}");
    println!(
        "{} rounds, {orphans} orphans broken, at most {worst:.1?} after their death; none of the living",
        rounds.load(Ordering::Relaxed)
    );
}
