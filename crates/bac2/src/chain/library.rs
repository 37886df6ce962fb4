//! What was found, put in order: pieces become backup sets, backup sets become databases.
//!
//! A set that lies on several stripes is one set, and so is one of which there are copies; of copies the surest is taken. Databases
//! are told by their family GUID, which survives restores and renaming: two that bore one name in turn are two, and one that was
//! renamed is one. Deliberately absent: what is restorable, which the crate `chain` knows.

use std::collections::BTreeMap;

use bak::BackupSet;
use chain::from_backup::{Known, family_of};
use chain::media::{self, Gathered, Piece, Place};
use chain::tsql::Device;
use chain::{BranchId, Database, Families, Grade, Set, SetId};
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::found::{Found, FoundSet};

/// A backup set with the files it lies in.
#[derive(Debug)]
pub(super) struct Held {
    /// As the planner sees it.
    pub(super) set: Set,
    /// As its header describes it.
    pub(super) backup: BackupSet,
    /// One file for each stripe that is there, in their order.
    pub(super) files: Vec<String>,
    /// The same files as SQL Server finds them.
    pub(super) devices: Vec<Device>,
    /// Every place it lies at, the one above included: by stripe the files that have a copy.
    pub(super) places: Vec<Vec<Vec<Copied>>>,
    /// `FILE =` of a RESTORE.
    pub(super) position: u16,
    /// Why it is no surer, where that needs a word.
    pub(super) remark: Option<String>,
}

/// A stripe of a backup set in one file.
#[derive(Debug)]
pub(super) struct Copied {
    /// The file.
    pub(super) file: String,
    /// How sure the set is there: of two copies one may be cut off.
    pub(super) grade: Grade,
}

/// A backup set that no plan can use.
#[derive(Debug)]
pub(super) struct Unused {
    /// Where it lies.
    pub(super) file: String,
    /// Its position there.
    pub(super) position: u16,
    /// Why, as the end of a sentence.
    pub(super) why: String,
}

/// One database, from its creation through every restore and renaming.
#[derive(Debug)]
pub(super) struct Kin {
    /// FamilyGUID.
    pub(super) family: Option<Uuid>,
    /// The name in the newest backup.
    pub(super) name: String,
    /// The names in older ones.
    pub(super) other_names: Vec<String>,
    /// The instances that wrote them, the newest first.
    pub(super) servers: Vec<String>,
    /// By number: `SetId(n)` is `held[n]`.
    pub(super) held: Vec<Held>,
    /// Sets that no plan can use.
    pub(super) unused: Vec<Unused>,
    /// What can be asked of them.
    pub(super) database: Database,
}

impl Kin {
    /// The set of that number.
    pub(super) fn held(&self, id: SetId) -> Option<&Held> {
        self.held.get(usize::try_from(id.0).ok()?)
    }

    /// Where a database and copies of it under other names are of one family: the branch of the newest backup under this name. None where
    /// the name decides nothing.
    pub(super) fn branch_called(&self, name: &str) -> Option<BranchId> {
        let lower = name.to_lowercase();
        let called = |held: &&Held| held.backup.database_name.to_lowercase() == lower;
        let newest = self
            .held
            .iter()
            .filter(called)
            .max_by_key(|held| held.set.clock.start)?;
        let others = self.held.iter().any(|held| !called(&held));
        others.then(|| self.database.branch_of(newest.set.id)).flatten()
    }

    /// Whether `name` means this one: by any name it ever bore, or by its family GUID.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        let mut names = std::iter::once(&self.name).chain(&self.other_names);
        names.any(|known| known.to_lowercase() == lower)
            || self
                .family
                .is_some_and(|family| Uuid::try_parse(name) == Ok(family))
    }

    /// The first eight digits of the family GUID, which is what fits a title.
    pub(super) fn short(&self) -> Option<String> {
        self.family
            .map(|family| family.to_string().chars().take(8).collect())
    }
}

/// The databases in what was found, by name.
pub(super) fn databases(found: &[Found], zone: Option<&TimeZone>) -> Vec<Kin> {
    let all: Vec<(&Found, &FoundSet)> = found
        .iter()
        .flat_map(|file| file.sets.iter().map(move |set| (file, set)))
        .collect();
    let pieces = all
        .iter()
        .enumerate()
        .map(|(index, (file, set))| piece(index, file, set));
    let gathering = media::gather(pieces);
    let mut kin: BTreeMap<Key, Kin> = BTreeMap::new();
    for index in gathering.strays {
        let (file, set) = all[index];
        let why = "its header numbers a stripe that cannot be".to_owned();
        of(&mut kin, &set.backup).unused.push(unused(file, set, why));
    }
    for gathered in &gathering.sets {
        let best = best_place(gathered, &all);
        let Some(first) = best.pieces.iter().flatten().next() else {
            continue;
        };
        let (file, set) = all[*first];
        let home = of(&mut kin, &set.backup);
        match held(home.held.len(), gathered, &best, &all) {
            Ok(held) => home.held.push(held),
            Err(why) => home.unused.push(unused(file, set, why)),
        }
    }
    let mut kin: Vec<Kin> = kin.into_values().collect();
    for one in &mut kin {
        one.settle(zone);
    }
    kin.sort_by(|a, b| (&a.name, a.family).cmp(&(&b.name, b.family)));
    kin
}

/// A database without a family GUID (no version since 2005 writes that) is told by its name.
type Key = (Option<Uuid>, String);

fn of<'a>(kin: &'a mut BTreeMap<Key, Kin>, set: &BackupSet) -> &'a mut Kin {
    let family = family_of(set);
    let name = match family {
        Some(_) => String::new(),
        None => set.database_name.clone(),
    };
    kin.entry((family, name)).or_insert_with(|| Kin {
        family,
        name: set.database_name.clone(),
        other_names: Vec::new(),
        servers: Vec::new(),
        held: Vec::new(),
        unused: Vec::new(),
        database: Database::default(),
    })
}

fn piece(index: usize, file: &Found, set: &FoundSet) -> Piece {
    let media = file.media.as_ref();
    Piece {
        index,
        media_set_id: media.map_or(Uuid::nil(), |media| media.media_set_id),
        family: media.map_or(1, |media| media.family_number),
        family_count: media.map_or(1, |media| media.family_count),
        position: set.backup.position,
        guid: set.backup.backup_set_guid,
    }
}

fn unused(file: &Found, set: &FoundSet, why: String) -> Unused {
    Unused {
        file: file.name.clone(),
        position: set.backup.position,
        why,
    }
}

/// A place, and of each stripe the surest copy.
struct Best<'a> {
    place: &'a Place,
    pieces: Vec<Option<usize>>,
    grade: Grade,
}

/// Of all places of a set the most complete one, and of those the surest.
fn best_place<'a>(gathered: &'a Gathered, all: &[(&Found, &FoundSet)]) -> Best<'a> {
    let places = std::iter::once(&gathered.place).chain(&gathered.others);
    let best = places.map(|place| {
        let surest = |copies: &Vec<usize>| copies.iter().copied().min_by_key(|index| all[*index].1.grade);
        let pieces: Vec<Option<usize>> = place.copies.iter().map(surest).collect();
        let grades = pieces.iter().flatten().map(|index| all[*index].1.grade);
        Best {
            place,
            grade: grades.max().unwrap_or(Grade::None),
            pieces,
        }
    });
    best.min_by_key(|best| (best.place.missing().len(), best.grade))
        .expect("a gathered set has a place")
}

fn held(
    number: usize,
    gathered: &Gathered,
    best: &Best<'_>,
    all: &[(&Found, &FoundSet)],
) -> Result<Held, String> {
    let pieces: Vec<(&Found, &FoundSet)> = best.pieces.iter().flatten().map(|index| all[*index]).collect();
    // What the headers of the stripes say is the same; the one that weighs most on the grade also says why.
    let worst = pieces
        .iter()
        .max_by_key(|(_, set)| set.grade)
        .expect("a gathered set has a piece");
    let backup = &pieces[0].1.backup;
    let bytes = pieces
        .iter()
        .map(|(file, _)| file.bytes / file.sets.len().max(1) as u64);
    let known = Known {
        id: SetId(number as u64),
        grade: best.grade,
        families: Families {
            count: best.place.families().count,
            missing: best.place.missing(),
        },
        bytes: bytes.sum(),
        log: pieces.iter().find_map(|(_, set)| set.log.clone()).map(Box::new),
    };
    let set = Set::from_backup(backup, known).map_err(|error| error.to_string())?;
    let places = std::iter::once(&gathered.place).chain(&gathered.others);
    let copied = |index: &usize| Copied {
        file: all[*index].0.name.clone(),
        grade: all[*index].1.grade,
    };
    let named = |place: &Place| {
        place
            .copies
            .iter()
            .map(|copies| copies.iter().map(copied).collect())
            .collect()
    };
    Ok(Held {
        set,
        backup: backup.clone(),
        files: pieces.iter().map(|(file, _)| file.name.clone()).collect(),
        devices: pieces.iter().map(|(file, _)| file.device.clone()).collect(),
        places: places.map(named).collect(),
        position: best.place.position,
        remark: worst.1.remark.clone(),
    })
}

impl Kin {
    /// Names it and makes it answer questions, once all its sets are there.
    fn settle(&mut self, zone: Option<&TimeZone>) {
        let mut newest_first: Vec<&Held> = self.held.iter().collect();
        newest_first.sort_by_key(|held| std::cmp::Reverse((held.set.clock.start, held.set.last)));
        let mut names: Vec<String> = Vec::new();
        let mut servers: Vec<String> = Vec::new();
        for held in newest_first {
            for (list, word) in [
                (&mut names, &held.backup.database_name),
                (&mut servers, &held.backup.server_name),
            ] {
                if !list.contains(word) {
                    list.push(word.clone());
                }
            }
        }
        if !names.is_empty() {
            self.name = names.remove(0);
        }
        self.other_names = names;
        self.servers = servers;
        self.database = Database::new(self.held.iter().map(|held| held.set.clone()).collect());
        if let Some(zone) = zone {
            self.database = std::mem::take(&mut self.database).in_zone(zone.clone());
        }
    }
}
