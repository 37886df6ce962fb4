//! The sets of a chain, from the files or from `expected.json`.

use std::collections::BTreeMap;
use std::path::Path;

use bak::{BackupSet, Lsn, RecoveryModel, Report, Verifier};
use chain::{Clock, DifferentialBase, Families, Fork, ForkOrigin, Grade, Grain, Kind, Known, Set, SetId};
use jiff::civil::DateTime;
use serde_json::Value;
use uuid::Uuid;

use crate::notation::History;

/// Where a chain lies and what is expected of it.
pub(crate) struct Chain {
    /// Its name.
    pub(crate) name: &'static str,
    /// The day that times in answers are on.
    pub(crate) day: &'static str,
    /// How far the server's clock was ahead of UTC, in minutes. `expected.json` does not have it; these are the summer and winter times
    /// of the places where the files were made.
    pub(crate) ahead: i16,
    /// Sets that another clock told the time of, and how far that one was ahead.
    pub(crate) other_clocks: &'static [(&'static str, i16)],
    /// Name of a set in answers, and its file. A set of several stripes has several lines.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The names of its forks in answers, by FamilyGUID or RecoveryForkID.
    pub(crate) forks: &'static [(&'static str, &'static str)],
    /// What is asserted.
    pub(crate) expect: fn(&History),
}

/// Who read the headers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Our reader.
    Headers,
    /// The program that wrote `expected.json`.
    Expected,
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Headers => "from the headers",
            Self::Expected => "from expected.json",
        }
    }
}

impl Chain {
    /// The chain as a history.
    pub(crate) fn history(&self, folder: &Path, source: Source) -> History {
        let sets = match source {
            Source::Headers => self.by_headers(folder),
            Source::Expected => self.by_expected(folder),
        };
        let day = self.day.parse().expect("a day");
        let mut history = History::of(sets, day).shown(i64::from(self.ahead));
        for (name, fork) in self.forks {
            history = history.calling(fork.parse().expect("a GUID"), name);
        }
        history
    }

    /// Both programs read the same sets.
    pub(crate) fn sources_agree(&self, folder: &Path) {
        for ((name, ours), (_, theirs)) in self.by_headers(folder).iter().zip(self.by_expected(folder)) {
            // Where the log chain began is in the headers, and not in `expected.json`.
            let mut ours = ours.clone();
            ours.log_chain_began = None;
            assert_eq!(ours, theirs, "{name}");
        }
    }

    /// The files of each set, in the order of the sets' first files.
    fn sets(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut sets: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, file) in self.files {
            match sets.iter_mut().find(|(other, _)| other == name) {
                Some((_, files)) => files.push(file),
                None => sets.push((name, vec![file])),
            }
        }
        sets
    }

    fn by_headers(&self, folder: &Path) -> Vec<(String, Set)> {
        let sets = self.sets();
        let numbered = (1..).zip(&sets);
        numbered
            .map(|(number, (name, files))| {
                let reports: Vec<(u64, Report)> = files.iter().map(|file| headers(folder, file)).collect();
                let count = reports[0].1.media.as_ref().expect("a media set").family_count;
                let here: Vec<u16> = reports
                    .iter()
                    .map(|(_, report)| report.media.as_ref().expect("a media set").family_number)
                    .collect();
                let known = Known {
                    id: SetId(number),
                    grade: Grade::HeadersOnly,
                    families: families(count, &here),
                    bytes: reports.iter().map(|(bytes, _)| bytes).sum(),
                    log: None,
                };
                let set =
                    Set::from_backup(&reports[0].1.sets[0], known).expect("a set that can be planned with");
                ((*name).to_owned(), set)
            })
            .collect()
    }

    fn by_expected(&self, folder: &Path) -> Vec<(String, Set)> {
        let expected = expected(folder);
        let sets = self.sets();
        let numbered = (1..).zip(&sets);
        numbered
            .map(|(number, (name, files))| {
                let entries: Vec<&Value> = files.iter().map(|file| &expected[*file]).collect();
                ((*name).to_owned(), self.set(SetId(number), name, &entries))
            })
            .collect()
    }

    fn set(&self, id: SetId, name: &str, files: &[&Value]) -> Set {
        let other_clock = self.other_clocks.iter().find(|(other, _)| *other == name);
        let told = &files[0]["sets"][0];
        let numbers: Vec<u16> = files
            .iter()
            .map(|file| small(&file["sets"][0]["stripe"]))
            .collect();
        let status = told["status_bits"].as_u64().expect("status bits");
        let kind = match told["type"].as_str() {
            Some("D") => Kind::Full,
            Some("L") => Kind::Log,
            _ => Kind::Differential(DifferentialBase {
                guid: guid(&told["differential_base_guid"]),
                lsn: lsn(&told["differential_base_lsn"]),
            }),
        };
        let id_of_fork = guid(&told["recovery_fork"]).expect("a fork");
        // The first fork of a database has its FamilyGUID; every fork in these files left that one.
        let family = guid(&told["family_guid"]).expect("a family");
        let origin = lsn(&told["fork_point_lsn"]).non_zero().map(|point| ForkOrigin {
            parent: family,
            point,
        });
        Set {
            id,
            guid: guid(&told["backup_set_guid"]),
            kind,
            first: lsn(&told["first_lsn"]),
            last: lsn(&told["last_lsn"]),
            checkpoint: lsn(&told["checkpoint_lsn"]),
            fork: Fork {
                id: id_of_fork,
                origin: origin.filter(|origin| origin.parent != id_of_fork),
            },
            log_chain_began: None,
            clock: Clock {
                start: time(&told["start"]),
                finish: time(&told["finish"]),
                grain: Grain::Second,
                offset_minutes: Some(other_clock.map_or(self.ahead, |(_, ahead)| *ahead)),
                last_restorable: None,
            },
            model: match status {
                status if status & 8 != 0 => RecoveryModel::Simple,
                status if status & 4 != 0 => RecoveryModel::BulkLogged,
                _ => RecoveryModel::Full,
            },
            is_bulk_logged: false,
            is_copy_only: false,
            families: families(small(&told["stripes"]), &numbers),
            bytes: files
                .iter()
                .map(|file| file["size"].as_u64().expect("a size"))
                .sum(),
            grade: Grade::HeadersOnly,
            log: None,
        }
    }
}

/// The sets in one file, read by our reader, without its payload.
pub(crate) fn sets_in(folder: &Path, file: &str) -> Vec<BackupSet> {
    headers(folder, file).1.sets
}

fn headers(folder: &Path, file: &str) -> (u64, Report) {
    let packed = std::fs::read(folder.join(file)).expect("the file is in the folder");
    let bytes = zstd::decode_all(packed.as_slice()).expect("the file is zstd");
    let mut verifier = Verifier::headers_only();
    verifier.push(&bytes);
    (bytes.len() as u64, verifier.finish())
}

/// The entries of `expected.json` by file.
fn expected(folder: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json is in the folder");
    let files: Vec<Value> = serde_json::from_str(&text).expect("expected.json is JSON");
    let named = |file: Value| (file["file"].as_str().expect("a name").to_owned(), file);
    files.into_iter().map(named).collect()
}

fn families(count: u16, here: &[u16]) -> Families {
    Families {
        count,
        missing: (1..=count).filter(|family| !here.contains(family)).collect(),
    }
}

fn small(number: &Value) -> u16 {
    number
        .as_u64()
        .and_then(|number| number.try_into().ok())
        .expect("a small number")
}

fn lsn(number: &Value) -> Lsn {
    Lsn::from_decimal(number.as_u64().expect("an LSN").into()).expect("an LSN")
}

fn guid(text: &Value) -> Option<Uuid> {
    let guid: Uuid = text.as_str()?.parse().expect("a GUID");
    (!guid.is_nil()).then_some(guid)
}

fn time(text: &Value) -> DateTime {
    text.as_str()
        .expect("a time")
        .replace(' ', "T")
        .parse()
        .expect("a time")
}
