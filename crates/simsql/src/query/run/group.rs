//! GROUP BY and aggregates. NULLs are left out of every aggregate but `COUNT(*)`; of no rows there is no sum, and a count of zero.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::Failure;
use crate::query::arithmetic::{check_size, compute};
use crate::query::evaluate::{Env, Run};
use crate::query::key::{Key, key};
use crate::query::plan::{Aggregate, Arithmetic, Fold, Grouping, Row};
use crate::query::run::{Meter, sort};
use crate::query::{convert, decimal};
use crate::value::{Decimal, SqlType, Value};

impl Run<'_> {
    /// A row for each group: its keys, then its aggregates.
    pub(super) fn grouped(
        &mut self,
        rows: Vec<Row>,
        grouping: &Grouping,
        env: &Env<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut places: BTreeMap<Vec<Key>, usize> = BTreeMap::new();
        let mut groups: Vec<(Row, Vec<Row>)> = Vec::new();
        if grouping.keys.is_empty() {
            groups.push((Row::new(), rows));
        } else {
            for row in rows {
                self.step()?;
                let here = Env::within(&row, env);
                let mut values = Row::new();
                let mut keys = Vec::new();
                for scalar in &grouping.keys {
                    let value = self.scalar(scalar, &here)?;
                    keys.push(key(&value, scalar.sql_type, scalar.collation.unwrap_or_default()));
                    values.push(value);
                }
                let at = *places.entry(keys).or_insert_with(|| {
                    groups.push((values, Vec::new()));
                    groups.len() - 1
                });
                groups[at].1.push(row);
            }
        }
        let mut result = Vec::new();
        let mut meter = Meter::default();
        for (mut row, members) in groups {
            let members: Vec<&Row> = members.iter().collect();
            for aggregate in &grouping.aggregates {
                let value = self.aggregate(aggregate, &members, env)?;
                row.push(value);
            }
            meter.add(&row)?;
            result.push(row);
        }
        Ok(result)
    }

    /// An aggregate of some rows.
    pub(super) fn aggregate(
        &mut self,
        aggregate: &Aggregate,
        rows: &[&Row],
        env: &Env<'_>,
    ) -> Result<Value, Failure> {
        let Some(operand) = &aggregate.operand else {
            return count(rows.len(), aggregate.sql_type);
        };
        let collation = operand.collation.unwrap_or_default();
        let mut values = Vec::new();
        let mut seen = BTreeSet::new();
        for row in self.ordered(aggregate, rows, env)? {
            self.step()?;
            let value = self.scalar(operand, &Env::within(row, env))?;
            if value == Value::Null {
                continue;
            }
            if aggregate.distinct && !seen.insert(key(&value, operand.sql_type, collation)) {
                continue;
            }
            values.push(value);
        }
        match aggregate.fold {
            Fold::Count => count(values.len(), aggregate.sql_type),
            Fold::Min => Ok(extreme(values, operand.sql_type, collation, true)),
            Fold::Max => Ok(extreme(values, operand.sql_type, collation, false)),
            Fold::Sum => sum(&values, aggregate.sql_type),
            Fold::Avg => average(&values, aggregate.sql_type),
            Fold::Join => {
                let separator = match (&aggregate.separator, rows.first()) {
                    (Some(separator), Some(row)) => self.scalar(separator, &Env::within(row, env))?,
                    _ => Value::Null,
                };
                join(&values, &separator, aggregate.sql_type)
            }
        }
    }

    /// The rows in the order of WITHIN GROUP.
    fn ordered<'r>(
        &mut self,
        aggregate: &Aggregate,
        rows: &[&'r Row],
        env: &Env<'_>,
    ) -> Result<Vec<&'r Row>, Failure> {
        if aggregate.order.is_empty() {
            return Ok(rows.to_vec());
        }
        let mut keyed = Vec::new();
        for row in rows {
            let mut keys = Vec::new();
            for item in &aggregate.order {
                let value = self.scalar(&item.operand, &Env::within(row, env))?;
                keys.push(key(
                    &value,
                    item.operand.sql_type,
                    item.operand.collation.unwrap_or_default(),
                ));
            }
            keyed.push((keys, *row));
        }
        let directions: Vec<bool> = aggregate.order.iter().map(|item| item.descending).collect();
        keyed.sort_by(|(a, _), (b, _)| sort::compare(a, b, &directions));
        Ok(keyed.into_iter().map(|(_, row)| row).collect())
    }
}

fn count(rows: usize, sql_type: SqlType) -> Result<Value, Failure> {
    let count = i64::try_from(rows).unwrap_or(i64::MAX);
    convert::convert(Value::Integer(count), SqlType::BigInt, sql_type)
}

fn extreme(
    values: Vec<Value>,
    sql_type: SqlType,
    collation: crate::query::collation::Collation,
    least: bool,
) -> Value {
    let mut best: Option<(Key, Value)> = None;
    for value in values {
        let place = key(&value, sql_type, collation);
        let better = match &best {
            None => true,
            Some((other, _)) if least => place < *other,
            Some((other, _)) => place > *other,
        };
        if better {
            best = Some((place, value));
        }
    }
    best.map_or(Value::Null, |(_, value)| value)
}

fn sum(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let Some((first, rest)) = values.split_first() else {
        return Ok(Value::Null);
    };
    rest.iter().try_fold(first.clone(), |total, value| {
        compute(Arithmetic::Add, &total, value, sql_type)
    })
}

/// The sum by the count; of integers, cut. The sum alone may overflow, the average may not.
fn average(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    if values.is_empty() {
        return Ok(Value::Null);
    }
    if let Value::Integer(_) = values[0] {
        let total: i128 = values
            .iter()
            .map(|value| match value {
                Value::Integer(number) => i128::from(*number),
                _ => 0,
            })
            .sum();
        let average = total / values.len() as i128;
        return Ok(Value::Integer(i64::try_from(average).unwrap_or(i64::MAX)));
    }
    let total = sum(values, sql_type)?;
    let overflow = || Failure::new(8115, &[&"expression", &"numeric"]);
    match total {
        Value::Float(total) => Ok(Value::Float(total / values.len() as f64)),
        Value::Decimal(total) => {
            let count = Decimal {
                unscaled: values.len() as i128,
                scale: 0,
            };
            decimal::divide(total, count, total.scale)
                .map(Value::Decimal)
                .ok_or_else(overflow)
        }
        other => Ok(other),
    }
}

fn join(values: &[Value], separator: &Value, sql_type: SqlType) -> Result<Value, Failure> {
    let between = match separator {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let mut all: Option<String> = None;
    for value in values {
        let Value::Text(text) = value else {
            continue;
        };
        let joined = match all {
            None => text.clone(),
            Some(mut joined) => {
                check_size(joined.len() + between.len() + text.len())?;
                joined.push_str(between);
                joined.push_str(text);
                joined
            }
        };
        all = Some(joined);
    }
    let Some(text) = all else {
        return Ok(Value::Null);
    };
    let length = text.len();
    let kept = convert::convert(Value::Text(text), sql_type, sql_type)?;
    match &kept {
        // More than 8,000 bytes need a (max) operand.
        Value::Text(text) if text.len() < length => Err(Failure::new(9829, &[])),
        _ => Ok(kept),
    }
}
