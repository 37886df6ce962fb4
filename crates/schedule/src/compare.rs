//! What changes when one policy takes the place of another: every field, and whether points would be kept for a shorter time.
//!
//! *Reduces retention* is told from the two policies alone, for whatever points there are, and on the safe side: where another
//! day or another zone makes a rule choose other fulls, those it chose before may be lost, and that is a reduction. For given
//! points [`crate::keep::shortened`] tells exactly.

use serde::Serialize;
use serde_json::Value;

use crate::policy::{MonthDays, Policy, differential_retention, log_retention};

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The path of the field, as in `log.every`.
    pub field: String,
    /// What stood there, as JSON; null where there was nothing.
    pub old: Value,
    /// What stands there now, as JSON; null where there is nothing.
    pub new: Value,
    /// Whether this change alone may keep points for a shorter time.
    pub reduces_retention: bool,
}

/// Whatever differs between two policies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The fields that differ, in the order of the document.
    pub changes: Vec<Change>,
    /// The fields whose change may keep points for a shorter time.
    pub reductions: Vec<String>,
}

impl Comparison {
    /// What changes from `old` to `new`.
    pub fn of(old: &Policy, new: &Policy) -> Self {
        let reductions = reductions(old, new);
        let json =
            |policy: &Policy| serde_json::to_value(policy).expect("a policy has no keys that are no strings");
        let mut changes = Vec::new();
        walk(String::new(), &json(old), &json(new), &mut changes);
        for change in &mut changes {
            let part =
                |reduction: &String| is_part(reduction, &change.field) || is_part(&change.field, reduction);
            change.reduces_retention = reductions.iter().any(part);
        }
        Self { changes, reductions }
    }

    /// Whether points may be kept for a shorter time: what an immutable vault refuses and a guarded one asks a second person for.
    pub fn reduces_retention(&self) -> bool {
        !self.reductions.is_empty()
    }

    /// Whether when and how backups run changes, or anything else that an item has to learn; a new name or description alone does
    /// not count.
    pub fn concerns_items(&self) -> bool {
        let told = |change: &Change| change.field != "name" && change.field != "description";
        self.changes.iter().any(told)
    }
}

/// Whether a field is another one or lies within it.
fn is_part(field: &str, of: &str) -> bool {
    field
        .strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Collects the leaves that differ. Lists are leaves: a changed list is one change.
fn walk(path: String, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        changes.push(Change {
            field: path,
            old: old.clone(),
            new: new.clone(),
            reduces_retention: false,
        });
        return;
    };
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let value = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or(Value::Null);
        walk(path, &value(before), &value(after), changes);
    }
}

/// The fields whose change may keep points for a shorter time.
fn reductions(old: &Policy, new: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |reduced: bool, field: &str| {
        if reduced {
            found.push(field.to_owned());
        }
    };
    let differential = |policy: &Policy| {
        policy
            .differential
            .as_ref()
            .map_or(differential_retention(), |d| d.retention)
    };
    let log = |policy: &Policy| policy.log.as_ref().map_or(log_retention(), |log| log.retention);
    note(differential(new) < differential(old), "differential.retention");
    note(log(new) < log(old), "log.retention");
    note(
        new.on_demand.retention < old.on_demand.retention,
        "onDemand.retention",
    );

    let (before, after) = (&old.full.retention, &new.full.retention);
    if let Some(was) = &before.daily {
        note(
            after.daily.as_ref().is_none_or(|is| is.count < was.count),
            "full.retention.daily",
        );
    }
    if let Some(was) = &before.weekly {
        let less = after
            .weekly
            .as_ref()
            .is_none_or(|is| is.count < was.count || !still(&is.days, &was.days));
        note(less, "full.retention.weekly");
    }
    if let Some(was) = &before.monthly {
        let less = after
            .monthly
            .as_ref()
            .is_none_or(|is| is.count < was.count || !still_days(&is.on, &was.on));
        note(less, "full.retention.monthly");
    }
    if let Some(was) = &before.yearly {
        let less = after.yearly.as_ref().is_none_or(|is| {
            is.count < was.count || !still(&is.months, &was.months) || !still_days(&is.on, &was.on)
        });
        note(less, "full.retention.yearly");
    }
    let chooses = before.weekly.is_some() || before.monthly.is_some() || before.yearly.is_some();
    note(chooses && old.time_zone != new.time_zone, "timeZone");
    found
}

/// Whether a list still names all it named. What is added takes no choice away: a full that was the first since a day of the rule
/// is the first since any later day before it as well.
fn still<T: PartialEq>(new: &[T], old: &[T]) -> bool {
    old.iter().all(|item| new.contains(item))
}

fn still_days(new: &MonthDays, old: &MonthDays) -> bool {
    still(&new.dates, &old.dates) && still(&new.weeks, &old.weeks) && still(&new.days, &old.days)
}
