//! What is called a chain restores, and what broke was made whole.

use std::time::Duration;

use catalog::record::{Grade, Item, Point, Protection};
use schedule::BackupKind;
use simsql::instance::Version;
use simsql::value::Value;

use super::{Findings, Seen};
use crate::actor::{Actor, uptime};
use crate::world::Sql;

/// A run of backups that can be restored one after the other.
pub(crate) struct Chain<'p> {
    pub(crate) full: &'p Point,
    /// The newest differential that stands on the full.
    pub(crate) differential: Option<&'p Point>,
    pub(crate) logs: Vec<&'p Point>,
}

impl<'p> Chain<'p> {
    /// Its end.
    pub(crate) fn newest(&self) -> &'p Point {
        self.logs
            .last()
            .copied()
            .or(self.differential)
            .unwrap_or(self.full)
    }
}

/// An LSN as the number that it is printed as.
pub(crate) fn lsn(text: &str) -> u128 {
    text.parse().unwrap_or(0)
}

/// The chain that begins with the newest full, by LSNs alone: each log begins at or before where the last one ended, and goes on
/// beyond it.
pub(crate) fn newest<'p>(points: &[&'p Point]) -> Option<Chain<'p>> {
    let place = points
        .iter()
        .rposition(|point| point.kind == BackupKind::Full && !point.set.is_copy_only)?;
    let full = points[place];
    let since: Vec<_> = points[place..]
        .iter()
        .filter(|point| point.kind == BackupKind::Log)
        .collect();
    let differential = points[place..]
        .iter()
        .rfind(|point| point.kind == BackupKind::Differential && point.set.base_guid == Some(full.set.guid))
        .copied();
    let mut end = lsn(&differential.unwrap_or(full).set.last_lsn);
    let mut logs = Vec::new();
    while let Some(next) = since
        .iter()
        .filter(|log| lsn(&log.set.first_lsn) <= end && lsn(&log.set.last_lsn) > end)
        .max_by_key(|log| lsn(&log.set.last_lsn))
    {
        end = lsn(&next.set.last_lsn);
        logs.push(**next);
    }
    Some(Chain {
        full,
        differential,
        logs,
    })
}

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    for item in &seen.items {
        let is_gone = seen
            .databases
            .iter()
            .any(|one| one.id == item.database && one.gone.is_some());
        // Whoever drops a database has to protect the one that comes after it.
        let is_recreated = actor.truth.recreated.contains(&item.database);
        if item.protection != Protection::Protected || is_gone || is_recreated {
            continue;
        }
        let of_item = seen.points.iter().filter(|point| point.item == item.id);
        let points: Vec<&Point> = of_item.filter(|point| point.grade != Grade::Disputed).collect();
        let Some(chain) = newest(&points) else {
            findings
                .wrong
                .push(format!("item {} has no full after a day of calm", item.id));
            continue;
        };
        findings.count("chains", 1);
        findings.count("logs in chains", chain.logs.len() as u64);
        is_fresh(actor, item, seen, &chain, findings);
        restores(actor, item, seen, &chain, findings).await;
    }
}

/// A day after all trouble, the chain reaches up to now.
fn is_fresh(actor: &Actor, item: &Item, seen: &Seen, chain: &Chain<'_>, findings: &mut Findings) {
    let database = seen.databases.iter().find(|one| one.id == item.database);
    let is_simple = database.is_some_and(|one| one.state.recovery_model.eq_ignore_ascii_case("SIMPLE"));
    let stage = &actor.story.stage;
    let terms = stage.terms;
    let wait = match (is_simple, stage.differential_at, stage.is_long) {
        // Nothing from Saturday until the fulls of next week; in a short calm there is a full.
        (true, Some(_), true) => 6 * 24 * 3600,
        (true, Some(_), false) => (uptime(&actor.cluster) - actor.truth.calm_since).as_secs() as i64,
        (true, None, _) => 24 * 3600 + terms.jitter_minutes * 60 + 1800,
        (false, ..) => (2 * terms.log_minutes + terms.jitter_minutes) * 60 + 600,
    };
    // A log of a database that nobody wrote to ends where the one before it did.
    let end = &chain.newest().set.last_lsn;
    let covered = seen
        .points
        .iter()
        .filter(|point| point.item == item.id && lsn(&point.set.last_lsn) <= lsn(end))
        .filter_map(|point| seen.written.get(&point.id.to_string()))
        .max();
    let written = covered.copied().unwrap_or_default();
    let age = (uptime(&actor.cluster) - written).as_secs();
    findings.demand(i64::try_from(age).unwrap() <= wait, || {
        format!("item {}: after a day of calm its chain ends {age} s ago", item.id)
    });
}

/// SQL Server restores it, and finds the rows that were there at that time.
async fn restores(actor: &Actor, item: &Item, seen: &Seen, chain: &Chain<'_>, findings: &mut Findings) {
    let cluster = &actor.cluster;
    let judge = cluster.server_of(
        &format!("judge-{}", &item.id.to_string()[..8]),
        None,
        Version::V2022,
    );
    let sql = cluster.sql(&judge);
    let Some(url) = credential(actor, &sql, chain.full, seen).await else {
        return;
    };
    let mut step = format!(
        "RESTORE DATABASE [R] FROM {} WITH NORECOVERY",
        from(&url, chain.full)
    );
    let after = chain.differential.iter().chain(chain.logs.iter());
    for next in after.map(Some).chain([None]) {
        let answers = sql.run(&step).await;
        let errors: Vec<_> = answers.errors().map(|error| error.text.clone()).collect();
        if !errors.is_empty() {
            findings
                .wrong
                .push(format!("item {}: {step}: {errors:?}", item.id));
            return;
        }
        let Some(next) = next else { break };
        let what = if next.kind == BackupKind::Log {
            "LOG"
        } else {
            "DATABASE"
        };
        step = format!("RESTORE {what} [R] FROM {} WITH NORECOVERY", from(&url, next));
    }
    sql.go("RESTORE DATABASE [R] WITH RECOVERY").await;
    findings.count("restored", 1);
    let Value::Integer(rows) = sql.value("SELECT COUNT(*) FROM [R].dbo.Orders").await else {
        findings.wrong.push(format!("item {}: no rows", item.id));
        return;
    };
    within(actor, item, seen, chain, rows, findings);
}

/// The rows are those of a moment while the newest backup was taken.
fn within(actor: &Actor, item: &Item, seen: &Seen, chain: &Chain<'_>, rows: i64, findings: &mut Findings) {
    let Some(database) = seen.databases.iter().find(|one| one.id == item.database) else {
        return;
    };
    let of_name = actor
        .truth
        .rows
        .iter()
        .find(|((server, number), _)| actor.name(*server, *number) == database.name);
    let Some(((server, _), truth)) = of_name else {
        return;
    };
    if actor.truth.rewound.contains(server) || actor.truth.vault_clock_wrong.is_some() {
        return;
    }
    let newest = chain.newest();
    let Some(job) = newest.job.and_then(|id| seen.jobs.get(&id.to_string())) else {
        return;
    };
    let ago = |at: jiff::Timestamp| {
        let ago = actor.cluster.now().duration_since(at).unsigned_abs();
        uptime(&actor.cluster).saturating_sub(ago)
    };
    let at = |time: Duration| {
        truth
            .iter()
            .rfind(|(at, _)| *at <= time)
            .map_or(0, |(_, rows)| *rows)
    };
    let least = job.started.map_or(0, |started| at(ago(started)));
    let most = at(ago(newest.ended) + Duration::from_secs(1));
    findings.demand((least..=most).contains(&rows), || {
        format!(
            "item {}: {rows} rows after the restore, and there were {least} to {most}",
            item.id
        )
    });
}

fn from(url: &str, point: &Point) -> String {
    let urls = point.blobs.iter().map(|blob| format!("URL = '{url}/{blob}'"));
    urls.collect::<Vec<_>>().join(", ")
}

/// A credential for the point's container; its URL.
async fn credential(actor: &Actor, sql: &Sql, point: &Point, seen: &Seen) -> Option<String> {
    use vault::shelf::Shelf as _;
    let container = seen.containers.get(&point.container.to_string())?;
    let name = azblob::names::ContainerName::new(container.name.as_str()).unwrap();
    let shelf = &actor.cluster.shelf;
    let until = actor.cluster.now() + Duration::from_secs(86_400 * 30);
    let sas = shelf.grant(&name, "judge", until).await.unwrap();
    let url = shelf.url(&name);
    sql.go(&format!(
        "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{}'",
        sas.reveal()
    ))
    .await;
    Some(url)
}
