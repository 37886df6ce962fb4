//! What happens to the databases of one seed: work, backups of all kinds beside it, restarts, returns to the past.

use std::pin::Pin;

use chain::{Target, Terms};
use simsql::moment::Moment;

use crate::database::Database;
use crate::judge;
use crate::place::{Errors, Place, TICK};

/// What becomes of a backup; `None` of the work beside it.
type Outcome = Option<Result<(), Errors>>;

/// A media set that backups are appended to.
#[derive(Clone)]
pub(crate) struct Media {
    pub(crate) paths: Vec<String>,
    is_compressed: bool,
    sets: u16,
}

/// A backup that succeeded, and what had been committed around it.
pub(crate) struct Made {
    /// Index of its database.
    pub(crate) database: usize,
    /// One of its files.
    pub(crate) path: String,
    pub(crate) position: u16,
    /// The line of history it was made on.
    pub(crate) line: usize,
    /// Commits of that line's lineage before it began, and when it was done.
    pub(crate) before: usize,
    pub(crate) after: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    CopyOnly,
    Differential,
    Log,
    LogCopyOnly,
    /// WITH NORECOVERY: the database stays behind, restoring.
    Tail,
}

/// What the server's rules say of a database.
#[derive(Clone, Copy)]
struct Facts {
    chain: Chain,
    /// Whether there surely is a full that differentials can stand on; nobody knows where the database went back.
    has_base: bool,
    is_simple: bool,
}

impl Facts {
    /// The database is one of an earlier moment.
    fn went_back(&mut self) {
        self.chain = Chain::Unknown;
        self.has_base = false;
    }
}

/// Whether its log can be backed up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    Whole,
    Broken,
    /// After a restore, where the rules are the server's.
    Unknown,
}

pub(crate) struct Story {
    pub(crate) place: Place,
    pub(crate) databases: Vec<Database>,
    facts: Vec<Facts>,
    pub(crate) made: Vec<Made>,
    pub(crate) media: Vec<Media>,
    /// A snapshot of the instance, and what the databases were in it.
    kept: Option<Vec<((usize, usize), Facts)>>,
}

impl Story {
    /// So many databases, without a backup.
    pub(crate) fn of(seed: u64, count: u64) -> Self {
        let place = Place::new(seed);
        let offset = [0, 60, -480, 330][place.chance.below(4) as usize];
        place.memory.clock.set_offset(offset);
        let mut story = Self {
            place,
            databases: Vec::new(),
            facts: Vec::new(),
            made: Vec::new(),
            media: Vec::new(),
            kept: None,
        };
        for number in 1..=count {
            let database = Database::create(&story.place, &format!("D{number}"));
            story.databases.push(database);
            story.facts.push(Facts {
                chain: Chain::Broken,
                has_base: true,
                is_simple: false,
            });
        }
        story
    }

    /// A story of a seed, with so many steps.
    pub(crate) fn told(seed: u64, steps: u64) -> Self {
        let mut story = Self::of(seed, 1 + u64::from(seed.is_multiple_of(3)));
        for index in 0..story.databases.len() {
            story.work(index, 8);
            story.back_up(index, Kind::Full);
        }
        for _ in 0..steps {
            story.step();
        }
        for index in 0..story.databases.len() {
            story.work(index, 4);
            story.back_up(index, Kind::Log);
        }
        story
    }

    fn below(&self, bound: u64) -> u64 {
        self.place.chance.below(bound)
    }

    /// Lets time pass: seconds, or only parts of one.
    pub(crate) fn pass(&self) {
        let hundredths = match self.below(4) {
            0 => self.below(90),
            1 => 100 * self.below(4000),
            _ => self.below(4000),
        };
        self.place.memory.clock.advance(TICK * hundredths as u32);
    }

    pub(crate) fn pass_seconds(&self, seconds: u32) {
        self.place.memory.clock.advance(TICK * 100 * seconds);
    }

    /// At least one commit.
    pub(crate) fn commit_something(&mut self, index: usize) {
        let before = self.databases[index].history.length();
        while self.databases[index].history.length() == before {
            self.work(index, 1);
        }
    }

    /// A commit that takes as much log in any round.
    pub(crate) fn insert_equally(&mut self, index: usize, round: u64) {
        let (place, database) = (&self.place, &mut self.databases[index]);
        place.memory.clock.run_one(database.insert_equally(place, round));
    }

    fn step(&mut self) {
        self.pass();
        let index = self.below(self.databases.len() as u64) as usize;
        let kind = match self.below(60) {
            0..=2 => Kind::Full,
            3 => Kind::CopyOnly,
            4..=6 => Kind::Differential,
            7..=14 => Kind::Log,
            15 => Kind::LogCopyOnly,
            other => return self.live_on(index, other),
        };
        self.back_up(index, kind);
    }

    /// What is no backup.
    fn live_on(&mut self, index: usize, what: u64) {
        match what {
            16 => self.back_up_tail(index),
            17 => self.change_model(index),
            18 => self.restart(false),
            19 => self.restart(true),
            20 => drop(self.return_to_past(index)),
            21 => self.snapshot(),
            22 => self.roll_back(),
            _ => {
                let steps = 1 + self.below(6);
                self.work(index, steps);
            }
        }
    }

    /// Sessions work on a database, time passing between their statements.
    pub(crate) fn work(&mut self, index: usize, steps: u64) {
        let (place, database) = (&self.place, &mut self.databases[index]);
        for _ in 0..steps {
            place.memory.clock.run_one(database.step(place));
            let hundredths = place.chance.below(500) as u32;
            place.memory.clock.advance(TICK * hundredths);
        }
    }

    fn media(&mut self) -> usize {
        let count = self.media.len();
        if count > 0 && self.place.chance.one_in(4) {
            return self.below(count as u64) as usize;
        }
        let stripes = if self.place.chance.one_in(3) {
            1 + self.below(3)
        } else {
            1
        };
        let paths = (1..=stripes).map(|stripe| format!("/sim/backup/m{count}_{stripe}.bak"));
        self.media.push(Media {
            paths: paths.collect(),
            is_compressed: self.place.chance.one_in(2),
            sets: 0,
        });
        count
    }

    fn statement(&self, name: &str, media: &Media, kind: Kind) -> String {
        let what = match kind {
            Kind::Full | Kind::CopyOnly | Kind::Differential => "DATABASE",
            Kind::Log | Kind::LogCopyOnly | Kind::Tail => "LOG",
        };
        let devices: Vec<String> = media
            .paths
            .iter()
            .map(|path| format!("DISK = N'{path}'"))
            .collect();
        let mut options = vec!["NOINIT".to_owned()];
        options.push(
            if media.is_compressed {
                "COMPRESSION"
            } else {
                "NO_COMPRESSION"
            }
            .to_owned(),
        );
        options.push(
            if self.place.chance.one_in(2) {
                "CHECKSUM"
            } else {
                "NO_CHECKSUM"
            }
            .to_owned(),
        );
        if self.place.chance.one_in(2) {
            options.push("MAXTRANSFERSIZE = 65536".to_owned());
        }
        options.extend(match kind {
            Kind::Full | Kind::Log => None,
            Kind::CopyOnly | Kind::LogCopyOnly => Some("COPY_ONLY".to_owned()),
            Kind::Differential => Some("DIFFERENTIAL".to_owned()),
            Kind::Tail => Some("NORECOVERY".to_owned()),
        });
        format!(
            "BACKUP {what} [{name}] TO {} WITH {}",
            devices.join(", "),
            options.join(", ")
        )
    }

    /// A backup, often while sessions write. Whether it succeeded.
    pub(crate) fn back_up(&mut self, index: usize, kind: Kind) -> bool {
        let is_busy = kind != Kind::Tail && self.place.chance.one_in(2);
        self.back_up_so(index, kind, is_busy)
    }

    /// A backup while nobody writes.
    pub(crate) fn back_up_alone(&mut self, index: usize, kind: Kind) -> bool {
        self.back_up_so(index, kind, false)
    }

    fn back_up_so(&mut self, index: usize, kind: Kind, is_busy: bool) -> bool {
        let number = self.media();
        let text = self.statement(&self.databases[index].name, &self.media[number], kind);
        let (line, before) = {
            let history = &self.databases[index].history;
            (history.line(), history.length())
        };
        let outcome = self.run_backup(index, &text, is_busy);
        if !self.is_expected(index, kind, &outcome) {
            panic!("{text}: {outcome:?}");
        }
        if outcome.is_err() {
            return false;
        }
        let media = &mut self.media[number];
        media.sets += 1;
        self.made.push(Made {
            database: index,
            path: media.paths[0].clone(),
            position: media.sets,
            line,
            before,
            after: self.databases[index].history.length(),
        });
        true
    }

    fn run_backup(&mut self, index: usize, text: &str, is_busy: bool) -> Result<(), Errors> {
        let (place, database) = (&self.place, &mut self.databases[index]);
        let steps = if is_busy { 1 + place.chance.below(12) } else { 0 };
        let mut session = place.attach();
        let backup: Pin<Box<dyn Future<Output = Outcome> + '_>> =
            Box::pin(async { Some(place.batch(&mut session, text).await) });
        let work = Box::pin(async {
            database.work(place, steps).await;
            None
        });
        let outcomes = place.memory.clock.run(vec![backup, work]);
        outcomes
            .into_iter()
            .flatten()
            .next()
            .expect("one of the two is the backup")
    }

    /// Whether the rules of chains let a backup end so; what it does to them.
    fn is_expected(&mut self, index: usize, kind: Kind, outcome: &Result<(), Errors>) -> bool {
        let is_log = matches!(kind, Kind::Log | Kind::LogCopyOnly | Kind::Tail);
        let facts = &mut self.facts[index];
        let chain = facts.chain;
        let Err(errors) = outcome else {
            if matches!(kind, Kind::Full | Kind::Differential) {
                facts.has_base = true;
                if !facts.is_simple {
                    facts.chain = Chain::Whole;
                }
            }
            return !is_log || chain != Chain::Broken;
        };
        let has = |numbers: [i32; 2]| errors.iter().any(|(number, _)| numbers.contains(number));
        match kind {
            _ if is_log => chain != Chain::Whole && has([4208, 4214]),
            Kind::Differential => !facts.has_base && has([3035, 3035]),
            _ => false,
        }
    }

    /// The tail of the log, which leaves the database restoring; then it is recovered as it was.
    fn back_up_tail(&mut self, index: usize) {
        self.databases[index].leave();
        if !self.back_up(index, Kind::Tail) {
            return;
        }
        self.pass();
        let name = self.databases[index].name.clone();
        self.place
            .does(&format!("RESTORE DATABASE [{name}] WITH RECOVERY"));
        let (line, kept) = self.now(index);
        self.databases[index].go_back(line, kept);
        self.databases[index].assert_as_committed(&self.place);
        self.facts[index].went_back();
    }

    /// The line that a database is on, and how many commits led there.
    fn now(&self, index: usize) -> (usize, usize) {
        let history = &self.databases[index].history;
        (history.line(), history.length())
    }

    fn change_model(&mut self, index: usize) {
        let model = ["SIMPLE", "FULL", "BULK_LOGGED"][self.below(3) as usize];
        self.set_model(index, model);
        if model == "SIMPLE" && self.place.chance.one_in(2) {
            self.work(index, 4);
            self.set_model(index, "FULL");
        }
    }

    fn set_model(&mut self, index: usize, model: &str) {
        let name = &self.databases[index].name;
        self.place
            .does(&format!("ALTER DATABASE [{name}] SET RECOVERY {model}"));
        let facts = &mut self.facts[index];
        facts.is_simple = model == "SIMPLE";
        if facts.is_simple {
            facts.chain = Chain::Broken;
        }
    }

    /// The instance ends and starts again, in peace or because the power went, transactions being open.
    fn restart(&mut self, is_violent: bool) {
        if is_violent {
            self.place.lose_power();
        } else {
            self.place.stop();
        }
        for database in &mut self.databases {
            database.leave();
        }
        self.place.start();
        for database in &self.databases {
            database.assert_as_committed(&self.place);
        }
    }

    /// A database is put back to a moment of its past under its own name, and goes on from there; unless nothing leads to that
    /// moment.
    pub(crate) fn return_to_past(&mut self, index: usize) -> bool {
        self.databases[index].leave();
        let library = judge::library(self);
        let name = self.databases[index].name.clone();
        let shelf = library.shelf(&name);
        let first = self.databases[index].history.lineage(0)[0].at;
        let span = (self.place.now().0 - first.0) / 1000;
        let moment = Moment(first.0 + self.below(span as u64 + 1) as i64 * 1000);
        let target = Target::Moment(judge::aim(self, moment));
        let Ok(plans) = shelf.database.plan(&target, &Terms::default()) else {
            return false;
        };
        judge::carry_out(self, shelf, &plans.best, &target, &name, true).unwrap();
        let found = self.place.tables(&name);
        let (line, kept) = judge::compare(self, index, shelf, &plans.best, &target, &found)
            .unwrap_or_else(|error| panic!("{target:?}: {error}\n{:#?}", plans.best));
        self.databases[index].go_back(line, kept);
        self.set_model(index, "FULL");
        self.facts[index].went_back();
        true
    }

    /// The machine of the instance is kept as it is.
    pub(crate) fn snapshot(&mut self) {
        for database in &mut self.databases {
            database.leave();
        }
        self.place.does("EXEC sim_fault 'snapshot kept'");
        let kept = (0..self.databases.len()).map(|index| (self.now(index), self.facts[index]));
        self.kept = Some(kept.collect());
    }

    /// It is put back to that: nobody tells the server that its LSNs are used again.
    pub(crate) fn roll_back(&mut self) {
        let Some(kept) = self.kept.clone() else {
            return;
        };
        for database in &mut self.databases {
            database.leave();
        }
        self.place.does("EXEC sim_fault 'rollback kept'");
        for (index, ((line, count), facts)) in kept.into_iter().enumerate() {
            self.databases[index].go_back(line, count);
            self.facts[index] = facts;
            self.databases[index].assert_as_committed(&self.place);
        }
    }
}
