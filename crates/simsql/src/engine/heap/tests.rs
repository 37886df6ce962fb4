//! Rows of a heap against a model, rollbacks included.

use std::collections::BTreeMap;

use super::*;
use crate::engine::EngineError;
use crate::engine::test_pages::TestPages;
use crate::memory::Seeded;
use crate::world::Chance;

const TABLE: TableId = TableId(1_000_000);

struct Bench {
    pages: TestPages,
    heap: Heap,
    space: Space,
    place: Place,
    chance: Seeded,
    /// What must be there: the rows by their places.
    model: BTreeMap<RowId, Vec<u8>>,
}

impl Bench {
    fn new(seed: u64, sizes: &[u32]) -> Self {
        let mut pages = TestPages::new(sizes, 64, 4096);
        let mut space = Space::default();
        let first_iam = space.create_chain(&mut pages, TABLE).unwrap();
        Self {
            pages,
            heap: Heap::default(),
            space,
            place: Place {
                table: TABLE,
                first_iam,
                fixed_end: 4,
            },
            chance: Seeded::new(seed),
            model: BTreeMap::new(),
        }
    }

    fn below(&self, limit: u64) -> usize {
        (self.chance.next() % limit) as usize
    }

    /// A row of one variable column.
    fn row(&self) -> Vec<u8> {
        let length = match self.below(10) {
            0 => self.below(7900),
            1 => 0,
            _ => self.below(400),
        };
        let fill = self.chance.next() as u8;
        crate::engine::row::of_variable_columns(&[vec![fill; length]])
    }

    fn any_row(&self) -> Option<RowId> {
        let count = self.model.len() as u64;
        (count > 0).then(|| *self.model.keys().nth(self.below(count)).unwrap())
    }

    fn step(&mut self) {
        match (self.below(10), self.any_row()) {
            (0..=2, Some(at)) => {
                self.heap.delete(&mut self.pages, &self.place, at).unwrap();
                self.model.remove(&at).unwrap();
            }
            (3..=5, Some(at)) => {
                let row = self.row();
                let (pages, space) = (&mut self.pages, &mut self.space);
                let moved = self.heap.update(pages, space, &self.place, at, &row).unwrap();
                self.model.remove(&at).unwrap();
                assert_eq!(self.model.insert(moved, row), None, "a place has one row");
            }
            _ => {
                let row = self.row();
                let (pages, space) = (&mut self.pages, &mut self.space);
                let at = self.heap.insert(pages, space, &self.place, &row).unwrap();
                assert_eq!(self.model.insert(at, row), None, "a place has one row");
            }
        }
    }

    fn found(&mut self) -> BTreeMap<RowId, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut order = Vec::new();
        scan(&mut self.pages, TABLE, self.place.first_iam, &mut |at, row| {
            order.push(at);
            found.insert(at, row.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(order.len(), found.len(), "each row comes once");
        found
    }

    /// Free bytes as each page counts them are what its rows leave.
    fn check_pages(&mut self) {
        for extent in chain_of(&mut self.pages, self.place.first_iam).unwrap().extents {
            for id in extent.pages() {
                if !matches!(space::fullness(&mut self.pages, id).unwrap(), PageUse::Rows(_)) {
                    continue;
                }
                let rows = Rows::of(self.pages.page(id), TABLE).unwrap();
                let slots = rows.slots();
                let used: usize = (0..slots)
                    .filter_map(|slot| rows.row(slot))
                    .map(|row| row.unwrap().len())
                    .sum();
                assert_eq!(rows.free(), 8096 - used - 2 * usize::from(slots), "{id}");
            }
        }
    }
}

#[test]
fn a_random_workload_with_rollbacks_is_the_model() {
    for seed in 0..20 {
        let mut bench = Bench::new(seed, if seed % 2 == 0 { &[64] } else { &[64, 128, 64] });
        for _ in 0..40 {
            let (mark, before) = (bench.pages.mark(), bench.model.clone());
            for _ in 0..bench.below(60) {
                bench.step();
            }
            if bench.below(3) == 0 {
                bench.pages.roll_back(mark);
                bench.heap.undone();
                bench.model = before;
            }
            assert_eq!(bench.found(), bench.model, "seed {seed}");
            bench.check_pages();
        }
    }
}

#[test]
fn room_that_rows_left_is_used_again() {
    let mut bench = Bench::new(7, &[64]);
    let row = crate::engine::row::of_variable_columns(&[vec![1; 980]]);
    let mut grown = Vec::new();
    for round in 0..20 {
        let mark = bench.pages.mark();
        let mut places = Vec::new();
        for _ in 0..200 {
            let (pages, space) = (&mut bench.pages, &mut bench.space);
            places.push(bench.heap.insert(pages, space, &bench.place, &row).unwrap());
        }
        if round % 2 == 0 {
            bench.pages.roll_back(mark);
            bench.heap.undone();
        } else {
            for at in places {
                bench.heap.delete(&mut bench.pages, &bench.place, at).unwrap();
            }
        }
        grown.push(
            chain_of(&mut bench.pages, bench.place.first_iam)
                .unwrap()
                .extents
                .len(),
        );
    }
    // 200 rows of about 1000 bytes, 8 a page: 25 pages, 4 extents of them and the IAM page.
    assert!(grown.iter().all(|extents| *extents <= 5), "{grown:?}");
}

#[test]
fn a_file_that_is_full_refuses_and_says_so() {
    let mut bench = Bench::new(3, &[64]);
    let row = crate::engine::row::of_variable_columns(&[vec![1; 4000]]);
    bench.pages = TestPages::new(&[64], 64, 128);
    bench.space = Space::default();
    bench.place.first_iam = bench.space.create_chain(&mut bench.pages, TABLE).unwrap();
    let mut rows = 0;
    let error = loop {
        match bench
            .heap
            .insert(&mut bench.pages, &mut bench.space, &bench.place, &row)
        {
            Ok(_) => rows += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, EngineError::DataFull);
    // 128 pages, of which 16 are of the fixed pages' extents and one is the IAM page; two rows a page.
    assert_eq!(rows, (128 - 16 - 1) * 2);
}

#[test]
fn many_inserts_are_few_writes_each() {
    let mut bench = Bench::new(1, &[64]);
    bench.pages = TestPages::new(&[64], 256, 65_536);
    bench.space = Space::default();
    bench.place.first_iam = bench.space.create_chain(&mut bench.pages, TABLE).unwrap();
    let row = crate::engine::row::of_variable_columns(&[vec![1; 100]]);
    let before = bench.pages.writes;
    for _ in 0..20_000 {
        let (pages, space) = (&mut bench.pages, &mut bench.space);
        bench.heap.insert(pages, space, &bench.place, &row).unwrap();
    }
    // Row, slot and header each; pages and extents add a little.
    assert!((60_000..64_000).contains(&(bench.pages.writes - before)));
}
