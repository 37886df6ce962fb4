//! Telling the vault's own backup sets from others', and keeping the others'.

use std::collections::BTreeMap;

use catalog::keys::tuple;
use catalog::record::{Database, DatabaseId, Foreign, ForeignId, Item, Point, Protection, Server};
use catalog::{Query, Range, Scope, Slot, Transaction, all, delete, insert, page, scoped};
use faults::{Code, Fault};
use jiff::civil::DateTime;
use mssql::history::Set;

use super::owner::{Class, describe};
use super::{local, oldest};
use crate::discovery::seen::civil;
use crate::notices::About;
use crate::records::{LIST_MAX, Trouble};
use crate::vault::Vault;

/// The most backups of other tools that are kept of one database and one class: the newest, which say who owns what.
const KEPT_MAX: usize = 64;

/// The most that are kept of databases that an instance does not hold (any more), of each class.
const STRANGE_MAX: usize = 1_000;

/// Letters of a name, a login or a device that are kept: SQL Server's own have at most 260 (`physical_device_name`).
const WORDS_MAX: usize = 300;

/// Databases whose backups are written in one transaction.
const DATABASES_AT_ONCE: usize = 50;

/// Which databases of an instance are known, by what a set says of its database.
struct Known {
    by_guid: BTreeMap<uuid::Uuid, DatabaseId>,
    by_name: BTreeMap<String, DatabaseId>,
}

impl Known {
    fn of(databases: &[Database]) -> Self {
        let there = || databases.iter().filter(|database| database.gone.is_none());
        Self {
            by_guid: databases
                .iter()
                .filter_map(|database| Some((database.database_guid?, database.id)))
                .collect(),
            by_name: there()
                .filter(|database| database.database_guid.is_none())
                .map(|database| (database.name.to_lowercase(), database.id))
                .collect(),
        }
    }

    fn find(&self, set: &Set) -> Option<DatabaseId> {
        let by_guid = set.database_guid.and_then(|guid| self.by_guid.get(&guid));
        by_guid
            .or_else(|| self.by_name.get(&set.database_name.to_lowercase()))
            .copied()
    }
}

impl Vault {
    /// Keeps those of these sets that are another tool's, and tells people of those that break the chain of a protected database.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn keep_foreign(&self, server: &Server, sets: &[Set]) -> Result<(), Fault> {
        if sets.is_empty() {
            return Ok(());
        }
        let databases = self
            .list::<Database>(Slot::D, Range::exactly(server.id.to_string()))
            .await?;
        let databases: Vec<Database> = databases.into_iter().map(|one| one.record).collect();
        let known = Known::of(&databases);
        let mark = format!(" vault {}", self.id);
        let since = oldest(local(server, self.now()));
        let mut by_database: BTreeMap<Option<DatabaseId>, Vec<Foreign>> = BTreeMap::new();
        for set in sets.iter().filter(|set| !is_own(set, &mark)) {
            let database = known.find(set);
            if database.is_none() && is_elsewhere(set, server) {
                continue;
            }
            let foreign = self.foreign(server, database, set);
            if foreign.finished >= since {
                by_database.entry(database).or_default().push(foreign);
            }
        }
        for group in by_database.values_mut() {
            newest_only(group);
        }
        let groups: Vec<_> = by_database.into_iter().collect();
        for some in groups.chunks(DATABASES_AT_ONCE) {
            self.transact(move |tx| {
                scoped(async move {
                    for (database, group) in some {
                        self.keep_of(tx, *database, group, since).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        }
        if groups.iter().any(|(database, _)| database.is_none()) {
            self.forget_strange(server, since).await?;
        }
        Ok(())
    }

    /// Removes sets of databases that an instance does not hold, as those of others: what is too old, and what is beyond the number
    /// that is kept.
    async fn forget_strange(&self, server: &Server, since: DateTime) -> Result<(), Fault> {
        let found = self
            .list::<Foreign>(Slot::B, Range::members(&[&server.id.to_string()]))
            .await?;
        let mut strange: Vec<_> = found
            .into_iter()
            .filter(|one| one.record.database.is_none())
            .collect();
        strange.sort_by_key(|one| std::cmp::Reverse((one.record.finished, one.record.set)));
        let mut kept: BTreeMap<Class, usize> = BTreeMap::new();
        strange.retain(|one| {
            let count = kept
                .entry(Class::of(one.record.kind, one.record.is_copy_only))
                .or_default();
            *count += 1;
            *count > STRANGE_MAX || one.record.finished < since
        });
        for some in strange.chunks(DATABASES_AT_ONCE) {
            self.transact(move |tx| {
                scoped(async move {
                    for one in some {
                        delete(tx, one).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }

    fn foreign(&self, server: &Server, database: Option<DatabaseId>, set: &Set) -> Foreign {
        let device = set.devices.first();
        let words = |text: Option<&String>| text.map_or_else(|| "?".to_owned(), |text| short(text));
        Foreign {
            id: ForeignId(self.world.chance.uuid()),
            server: server.id,
            database,
            name: short(&set.database_name),
            set: set.guid,
            kind: set.kind,
            is_copy_only: set.is_copy_only,
            finished: civil(set.finished),
            first_lsn: set.first_lsn.map(|lsn| lsn.to_string()),
            last_lsn: set.last_lsn.map(|lsn| lsn.to_string()),
            user: words(set.user_name.as_ref()),
            device: words(device.and_then(|device| device.name.as_ref())),
            device_type: device.and_then(|device| device.kind).unwrap_or(0),
        }
    }

    async fn keep_of(
        &self,
        tx: &mut dyn Transaction,
        database: Option<DatabaseId>,
        group: &[Foreign],
        since: DateTime,
    ) -> Result<(), Trouble> {
        let item = match database {
            Some(database) => self.item_of(tx, database).await?,
            None => None,
        };
        let mut new = Vec::new();
        for foreign in group {
            let key = tuple(&[&foreign.server.to_string(), &foreign.set.to_string()]);
            let query = Query::of(Scope::vault(&self.key), Slot::B, Range::exactly(key)).limit(1);
            let is_known = !page::<Foreign>(tx, &query).await?.records.is_empty();
            if is_known || self.is_point(tx, item.as_ref(), foreign).await? {
                continue;
            }
            insert(tx, &self.key, foreign.clone()).await?;
            new.push(foreign);
        }
        if let Some(item) = item.filter(|item| item.protection == Protection::Protected) {
            for class in [Class::Log, Class::Base] {
                let of_class = |one: &&&Foreign| Class::of(one.kind, one.is_copy_only) == class;
                if let Some(newest) = new.iter().filter(of_class).max_by_key(|one| one.finished) {
                    self.tell_of(tx, &item, class, newest).await?;
                }
            }
        }
        match database {
            Some(database) => self.forget_old(tx, database, since).await,
            None => Ok(()),
        }
    }

    async fn item_of(&self, tx: &mut dyn Transaction, database: DatabaseId) -> Result<Option<Item>, Trouble> {
        let range = Range::exactly(database.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
        let found = page::<Item>(tx, &query).await?.records.pop();
        Ok(found.map(|item| item.record))
    }

    /// Whether a set is a recovery point of the item: its own, whatever its description says.
    async fn is_point(
        &self,
        tx: &mut dyn Transaction,
        item: Option<&Item>,
        foreign: &Foreign,
    ) -> Result<bool, Trouble> {
        let Some(item) = item else {
            return Ok(false);
        };
        let key = tuple(&[&item.container.to_string(), &foreign.set.to_string()]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, Range::exactly(key)).limit(1);
        Ok(!page::<Point>(tx, &query).await?.records.is_empty())
    }

    async fn tell_of(
        &self,
        tx: &mut dyn Transaction,
        item: &Item,
        class: Class,
        newest: &Foreign,
    ) -> Result<(), Trouble> {
        let about = About {
            matter: format!("foreignBackup/{}/{}", item.id, class.name()),
            server: Some(item.server),
            item: Some(item.id),
            ..About::default()
        };
        let fault = Fault::new(Code::Bac2ForeignBackupSeen)
            .at(&newest.name)
            .because(&describe(newest));
        self.raise_in(tx, &about, &fault).await
    }

    /// Removes what is too old to say anything, and what is beyond the number that is kept.
    async fn forget_old(
        &self,
        tx: &mut dyn Transaction,
        database: DatabaseId,
        since: DateTime,
    ) -> Result<(), Trouble> {
        let range = Range::members(&[&database.to_string()]);
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).descending();
        let mut kept: BTreeMap<Class, usize> = BTreeMap::new();
        for one in all::<Foreign>(tx, query, LIST_MAX).await? {
            let count = kept
                .entry(Class::of(one.record.kind, one.record.is_copy_only))
                .or_default();
            *count += 1;
            if *count > KEPT_MAX || one.record.finished < since {
                delete(tx, &one).await?;
            }
        }
        Ok(())
    }
}

/// Whether a set is this vault's: its name and the end of its description are what the vault writes.
fn is_own(set: &Set, mark: &str) -> bool {
    let begins = |text: &Option<String>| text.as_deref().is_some_and(|text| text.starts_with("bac2 "));
    begins(&set.name)
        && begins(&set.description)
        && set
            .description
            .as_deref()
            .is_some_and(|text| text.ends_with(mark))
}

/// Whether another server took it, and it was only restored or verified here.
fn is_elsewhere(set: &Set, server: &Server) -> bool {
    match (&set.server_name, &server.facts) {
        (Some(taken), Some(facts)) => !taken.eq_ignore_ascii_case(&facts.server_name),
        _ => false,
    }
}

/// Leaves the newest of each class, the oldest first.
fn newest_only(group: &mut Vec<Foreign>) {
    group.sort_by_key(|one| (std::cmp::Reverse(one.finished), one.set));
    let most = if group.first().is_some_and(|one| one.database.is_some()) {
        KEPT_MAX
    } else {
        STRANGE_MAX
    };
    let mut kept: BTreeMap<Class, usize> = BTreeMap::new();
    group.retain(|one| {
        let count = kept.entry(Class::of(one.kind, one.is_copy_only)).or_default();
        *count += 1;
        *count <= most
    });
    group.reverse();
}

fn short(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
