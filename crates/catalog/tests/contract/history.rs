//! Random transactions, one after the other, on all three catalogs at once: every answer is the same.
//!
//! Readers that began earlier are asked in between: what they saw then, they see still.

use std::sync::Arc;

use catalog::memory::MemoryStore;
use catalog::{
    Catalog, CatalogError, Cursor, Keys, Kind, NewRow, Order, Query, Range, Scope, Slot, Transaction,
};

use crate::subject::Subject;

/// Transactions of a history.
const TRANSACTIONS: u64 = 60;

/// The splitmix64 generator.
pub(crate) struct Random(u64);

impl Random {
    /// The sequence that belongs to a name.
    pub(crate) fn of(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0, |sum: u64, byte| sum.wrapping_mul(257) + u64::from(byte)),
        )
    }

    /// The next 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }
}

/// A step of a transaction.
#[derive(Clone, Debug)]
enum Op {
    Get(Kind, String, String),
    Insert(NewRow),
    Update(NewRow, i64),
    Delete(Kind, String, String, i64),
    Scan(Kind, Query),
    Count(Kind, Scope, Slot, Range),
}

/// Vaults, ids and keys are few, so that steps meet; keys sort otherwise than a dictionary would.
fn op(random: &mut Random) -> Op {
    // With two unique slots between them, and one without.
    let kind = random.pick(&[Kind::Job, Kind::Policy, Kind::Point]);
    let vault = random.pick(&["v1", "v2", "V"]).to_owned();
    let id = format!("i{}", random.below(5));
    match random.below(10) {
        0 => Op::Get(kind, vault, id),
        1..=3 => Op::Insert(new_row(random, kind, vault, id)),
        4 | 5 => {
            let version = version(random);
            Op::Update(new_row(random, kind, vault, id), version)
        }
        6 => Op::Delete(kind, vault, id, version(random)),
        7 | 8 => {
            let slot = random.pick(&[Slot::Id, Slot::A, Slot::B]);
            let mut query = Query::of(scope(random), slot, range(random));
            query.limit = u32::try_from(random.below(4)).unwrap() + 1;
            query.order = random.pick(&[Order::Ascending, Order::Descending]);
            Op::Scan(kind, query)
        }
        _ => Op::Count(
            kind,
            scope(random),
            random.pick(&[Slot::Id, Slot::A, Slot::B]),
            range(random),
        ),
    }
}

/// Mostly one that fits, so that updates happen.
fn version(random: &mut Random) -> i64 {
    random.pick(&[1, 1, 1, 1, 2, 2, 3])
}

fn scope(random: &mut Random) -> Scope {
    random.pick(&[
        Scope::All,
        Scope::vault("v1"),
        Scope::vault("v2"),
        Scope::vault("V"),
    ])
}

fn key(random: &mut Random) -> String {
    random
        .pick(&["", "a", "B", "b", "É", "a\u{1}b", "i2", "i3", "z"])
        .to_owned()
}

fn range(random: &mut Random) -> Range {
    match random.below(5) {
        0 | 1 => Range::ALL,
        2 => Range::exactly(key(random)),
        3 => Range::prefix(key(random)),
        _ => Range::between(key(random), key(random)),
    }
}

fn new_row(random: &mut Random, kind: Kind, vault: String, id: String) -> NewRow {
    let mut slot = || (random.below(4) > 0).then(|| key(random));
    let keys = Keys {
        a: slot(),
        b: slot(),
        ..Keys::NONE
    };
    NewRow {
        kind,
        vault,
        id,
        keys,
        format: 1,
        body: format!("{{\"n\":{}}}", random.below(1000)),
    }
}

/// An answer as text; of an error, its code.
fn said<T: std::fmt::Debug>(answer: Result<T, CatalogError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.code().to_owned(),
    }
}

async fn perform(tx: &mut dyn Transaction, op: &Op) -> String {
    match op.clone() {
        Op::Get(kind, vault, id) => said(tx.get(kind, &vault, &id).await),
        Op::Insert(row) => said(tx.insert(row).await),
        Op::Update(row, expected) => said(tx.update(row, expected).await),
        Op::Delete(kind, vault, id, expected) => said(tx.delete(kind, &vault, &id, expected).await),
        Op::Count(kind, scope, slot, range) => said(tx.count(kind, &scope, slot, &range).await),
        Op::Scan(kind, query) => scan(tx, kind, query).await,
    }
}

/// All pages.
async fn scan(tx: &mut dyn Transaction, kind: Kind, mut query: Query) -> String {
    let mut text = String::new();
    loop {
        let page = tx.scan(kind, &query).await;
        let next: Option<Cursor> = page.as_ref().ok().and_then(|page| page.next.clone());
        text.push_str(&said(page));
        match next {
            Some(next) => query.after = Some(next),
            None => return text,
        }
    }
}

/// Everything that a transaction sees.
async fn everything(tx: &mut dyn Transaction) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        text.push_str(&scan(tx, kind, Query::of(Scope::All, Slot::Id, Range::ALL)).await);
    }
    text
}

/// A history of this seed on memory and on these.
pub(crate) async fn run(seed: u64, subjects: &[Arc<dyn Subject>]) {
    let store = MemoryStore::new(seed);
    let mut catalogs: Vec<Arc<dyn Catalog>> = vec![Arc::new(store.open().unwrap())];
    for subject in subjects {
        catalogs.push(subject.open().await.unwrap());
    }
    let mut random = Random(seed);
    let mut early: Option<(Vec<Box<dyn Transaction>>, String)> = None;
    let mut kept = 0;
    for number in 0..TRANSACTIONS {
        let ops: Vec<Op> = (0..=random.below(5)).map(|_| op(&mut random)).collect();
        let commits = random.below(5) > 0;
        let mut answers = Vec::new();
        for catalog in &catalogs {
            let mut tx = catalog.begin().await.unwrap();
            let mut answer = Vec::new();
            for op in &ops {
                answer.push(perform(tx.as_mut(), op).await);
            }
            if commits {
                answer.push(said(tx.commit().await));
            }
            answers.push(answer);
        }
        kept += u32::from(answers[0].last().is_some_and(|last| commits && last == "()"));
        for (catalog, answer) in catalogs.iter().zip(&answers).skip(1) {
            assert_eq!(
                answer,
                &answers[0],
                "seed {seed}, transaction {number} on {:?}: {ops:#?}",
                catalog.info().engine
            );
        }
        match (early.take(), random.below(8)) {
            (Some((readers, then)), 0) => see_again(readers, &then).await,
            (None, 0) => early = Some(readers(&catalogs).await),
            (kept, _) => early = kept,
        }
    }
    assert!(kept > 10, "only {kept} transactions of seed {seed} were kept");
    readers(&catalogs).await;
}

/// A reader on each catalog, and what all of them see.
async fn readers(catalogs: &[Arc<dyn Catalog>]) -> (Vec<Box<dyn Transaction>>, String) {
    let mut readers = Vec::new();
    let mut seen: Option<String> = None;
    for catalog in catalogs {
        let mut reader = catalog.read().await.unwrap();
        let sees = everything(reader.as_mut()).await;
        assert_eq!(
            seen.get_or_insert_with(|| sees.clone()),
            &sees,
            "{:?}",
            catalog.info().engine
        );
        readers.push(reader);
    }
    (readers, seen.unwrap_or_default())
}

async fn see_again(readers: Vec<Box<dyn Transaction>>, then: &str) {
    for mut reader in readers {
        assert_eq!(everything(reader.as_mut()).await, then);
    }
}
