//! The backup files as `chain` sees them: headers become sets, sets become databases.

use std::collections::BTreeMap;

use bak::{BackupSet, Report, Verdict, Verifier};
use chain::from_backup::{Known, family_of};
use chain::media::{Gathered, Piece, gather};
use chain::tsql::{Device, Move, Options, Order, Source, script};
use chain::{Database, Families, Grade, Plan, Set, SetId, Target};
use simsql::memory::Disk;
use uuid::Uuid;

/// What a stripe's reader says that has met an extent of which no page was ever formatted.
const NAMELESS: &str = "an extent without a formatted page cannot be placed in one family of a striped set";

/// A backup set and the files it lies in.
pub(crate) struct Held {
    pub(crate) set: Set,
    pub(crate) backup: BackupSet,
    pub(crate) paths: Vec<String>,
}

/// The sets of one family.
pub(crate) struct Shelf {
    pub(crate) held: Vec<Held>,
    pub(crate) database: Database,
}

pub(crate) struct Library {
    pub(crate) shelves: Vec<Shelf>,
}

impl Library {
    /// Reads files to their ends; each of them is sound.
    pub(crate) fn read(disk: &Disk, paths: &[String]) -> Self {
        let reports: Vec<(&String, Report)> = paths.iter().map(|path| (path, report(disk, path))).collect();
        let mut pieces = Vec::new();
        let mut found: Vec<(&String, &Report, usize)> = Vec::new();
        for (path, report) in &reports {
            let media = report.media.as_ref().expect("a backup has media");
            for (at, set) in report.sets.iter().enumerate() {
                pieces.push(Piece {
                    index: found.len(),
                    media_set_id: media.media_set_id,
                    family: media.family_number,
                    family_count: media.family_count,
                    position: set.position,
                    guid: set.backup_set_guid,
                });
                found.push((path, report, at));
            }
        }
        let gathering = gather(pieces);
        assert!(gathering.strays.is_empty());
        let mut shelves: BTreeMap<Option<Uuid>, Vec<Held>> = BTreeMap::new();
        for gathered in &gathering.sets {
            let (_, report, at) = found[gathered.place.copies[0][0]];
            let shelf = shelves.entry(family_of(&report.sets[at])).or_default();
            let id = SetId(shelf.len() as u64);
            shelf.push(held(gathered, &found, id));
        }
        let shelves = shelves.into_values().map(|held| Shelf {
            database: Database::new(held.iter().map(|held| held.set.clone()).collect()),
            held,
        });
        Self {
            shelves: shelves.collect(),
        }
    }

    /// The sets of the database of that name. Names are never changed here.
    pub(crate) fn shelf(&self, name: &str) -> &Shelf {
        let is_called = |shelf: &&Shelf| shelf.held[0].backup.database_name == name;
        self.shelves.iter().find(is_called).expect("it was backed up")
    }
}

impl Shelf {
    pub(crate) fn held(&self, id: SetId) -> &Held {
        &self.held[id.0 as usize]
    }

    /// The statements that carry out a plan, into a database whose files lie apart from all others.
    pub(crate) fn script(&self, plan: &Plan, target: &Target, into: &str, is_replacing: bool) -> String {
        let sources: Vec<Source<'_>> = plan
            .steps
            .iter()
            .map(|step| {
                let held = self.held(step.set);
                let moves = held.backup.files.iter().map(|file| Move {
                    file_id: file.file_id,
                    unique_id: file.unique_id,
                    logical_name: file.logical_name.clone(),
                    path: format!("/sim/data/{into}_{}", file.logical_name),
                });
                Source {
                    set: &held.set,
                    devices: held.paths.iter().cloned().map(Device::Disk).collect(),
                    position: held.backup.position,
                    has_checksums: held.backup.has_backup_checksums,
                    moves: if is_replacing { Vec::new() } else { moves.collect() },
                }
            })
            .collect();
        let order = Order {
            database: into,
            target,
            remarks: &[],
            options: Options {
                replace: is_replacing,
                ..Options::default()
            },
        };
        script(plan, &sources, &order).expect("a plan can be written")
    }
}

fn held(gathered: &Gathered, found: &[(&String, &Report, usize)], id: SetId) -> Held {
    let pieces: Vec<usize> = gathered.place.copies.iter().map(|copies| copies[0]).collect();
    let (_, report, at) = found[pieces[0]];
    let log = pieces.iter().find_map(|piece| {
        let (_, report, at) = found[*piece];
        report.log_fingerprint(at).cloned()
    });
    let known = Known {
        id,
        grade: Grade::Proved,
        families: Families {
            count: pieces.len() as u16,
            missing: Box::default(),
        },
        bytes: report.sets[at].backup_size,
        log: log.map(Box::new),
    };
    let backup = report.sets[at].clone();
    Held {
        set: Set::from_backup(&backup, known).expect("it can be planned with"),
        backup,
        paths: pieces.iter().map(|piece| found[*piece].0.clone()).collect(),
    }
}

/// What the verifier says of a file, which has no fault.
pub(crate) fn report(disk: &Disk, path: &str) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(&disk.bytes(path).unwrap_or_else(|| panic!("no {path}")));
    let report = verifier.finish();
    // A stripe alone is sound, and not all of its media set; where no page of an extent was ever formatted, the stripe alone does not tell
    // which extent that is, and its reader says that.
    let is_stripe = report.media.as_ref().is_some_and(|media| media.family_count > 1);
    let is_nameless = report.reasons == [NAMELESS];
    let sound = match (is_stripe, is_nameless) {
        (true, true) => Verdict::CannotVerify,
        (true, false) => Verdict::Incomplete,
        (false, _) => Verdict::Ok,
    };
    assert_eq!(report.verdict, sound, "{path}: {:?}", report.reasons);
    report
}
