//! Running plans: rows from FROM through to TOP.

mod group;
mod join;
mod sort;
mod window;

use std::rc::Rc;

use crate::message::Failure;
use crate::query::collation::Collation;
use crate::query::convert;
use crate::query::evaluate::{BYTES_MAX, Env, ROWS_MAX, Run};
use crate::query::key::{Key, key};
use crate::query::plan::{Body, Plan, Row, Select, SetOperation};
use crate::value::{SqlType, Value};

/// Measures a result that grows.
#[derive(Default)]
pub(crate) struct Meter {
    rows: usize,
    bytes: usize,
}

impl Meter {
    /// Another row.
    pub(crate) fn add(&mut self, row: &[Value]) -> Result<(), Failure> {
        self.rows += 1;
        self.bytes += size_of::<Row>() + size_of_val(row);
        for value in row {
            self.bytes += match value {
                Value::Text(text) => text.len(),
                Value::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
        }
        if self.rows > ROWS_MAX || self.bytes > BYTES_MAX {
            return Err(Failure::new(701, &[]));
        }
        Ok(())
    }
}

/// A row of a SELECT before its list is computed, with its window functions' values.
pub(crate) struct Candidate {
    pub(crate) row: Row,
    pub(crate) windows: Row,
}

impl Run<'_> {
    /// The rows of a query; those that do not depend on a row around it are kept.
    pub(crate) fn rows(&mut self, plan: &Plan, env: &Env<'_>) -> Result<Rc<Vec<Row>>, Failure> {
        if !plan.correlated
            && let Some(rows) = self.kept.get(&plan.id)
        {
            return Ok(Rc::clone(rows));
        }
        let rows = Rc::new(self.plan(plan, env)?);
        if !plan.correlated {
            self.kept.insert(plan.id, Rc::clone(&rows));
        }
        Ok(rows)
    }

    /// Runs a query.
    pub(crate) fn plan(&mut self, plan: &Plan, env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        if let Body::Select(select) = &plan.body
            && !select.assigns.is_empty()
        {
            self.assign(plan, select, env)?;
            return Ok(Vec::new());
        }
        let mut rows = self.body(plan, env)?;
        if !plan.order.is_empty() {
            sort::by_places(&mut rows, &plan.order);
        }
        self.cut(plan, &mut rows)?;
        for row in &mut rows {
            row.truncate(plan.columns.len());
        }
        Ok(rows)
    }

    fn body(&mut self, plan: &Plan, env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        match &plan.body {
            Body::Select(select) => {
                let mut rows = self.select(select, env)?;
                if select.distinct {
                    let types: Vec<SqlType> = plan.columns.iter().map(|column| column.sql_type).collect();
                    rows = distinct(rows, &types);
                }
                Ok(rows)
            }
            Body::Values(values) => values
                .iter()
                .map(|row| row.iter().map(|scalar| self.scalar(scalar, env)).collect())
                .collect(),
            Body::Set(operation, left, right) => self.set(plan, *operation, left, right, env),
        }
    }

    fn select(&mut self, select: &Select, env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        let candidates = self.candidates(select, env)?;
        let mut rows = Vec::with_capacity(candidates.len());
        let mut meter = Meter::default();
        for candidate in candidates {
            self.step()?;
            let here = Env {
                row: &candidate.row,
                windows: &candidate.windows,
                outer: Some(env),
            };
            let row: Row = select
                .outputs
                .iter()
                .map(|scalar| self.scalar(scalar, &here))
                .collect::<Result<_, _>>()?;
            meter.add(&row)?;
            rows.push(row);
        }
        Ok(rows)
    }

    /// FROM, WHERE, GROUP BY, HAVING, window functions.
    fn candidates(&mut self, select: &Select, env: &Env<'_>) -> Result<Vec<Candidate>, Failure> {
        let mut rows = self.from(&select.from, env)?;
        if let Some(filter) = &select.filter {
            rows = self.filtered(rows, filter, env)?;
        }
        if let Some(grouping) = &select.grouping {
            rows = self.grouped(rows, grouping, env)?;
        }
        if let Some(having) = &select.having {
            rows = self.filtered(rows, having, env)?;
        }
        let windows = self.windows(&select.windows, &rows, env)?;
        Ok(rows
            .into_iter()
            .zip(windows)
            .map(|(row, windows)| Candidate { row, windows })
            .collect())
    }

    fn filtered(
        &mut self,
        rows: Vec<Row>,
        filter: &crate::query::plan::Predicate,
        env: &Env<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut kept = Vec::new();
        for row in rows {
            self.step()?;
            if self.predicate(filter, &Env::within(&row, env))? == Some(true) {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// `SELECT @a = ...`: row after row, in order, each seeing what the one before assigned.
    fn assign(&mut self, plan: &Plan, select: &Select, env: &Env<'_>) -> Result<(), Failure> {
        let candidates = self.candidates(select, env)?;
        // Rows of order keys alone, with the candidate's place behind them.
        let mut order = Vec::with_capacity(candidates.len());
        for (at, candidate) in candidates.iter().enumerate() {
            let here = Env {
                row: &candidate.row,
                windows: &candidate.windows,
                outer: Some(env),
            };
            let mut keys = Row::new();
            for key in &plan.order {
                keys.push(self.scalar(&select.outputs[key.index], &here)?);
            }
            keys.push(Value::Integer(i64::try_from(at).unwrap_or(i64::MAX)));
            order.push(keys);
        }
        let mut sorting = plan.order.clone();
        for (at, key) in sorting.iter_mut().enumerate() {
            key.index = at;
        }
        sort::by_places(&mut order, &sorting);
        self.cut(plan, &mut order)?;
        for keys in &order {
            let Some(Value::Integer(at)) = keys.last() else {
                continue;
            };
            let candidate = &candidates[usize::try_from(*at).unwrap_or(0)];
            let here = Env {
                row: &candidate.row,
                windows: &candidate.windows,
                outer: Some(env),
            };
            for (name, scalar) in select.assigns.iter().zip(&select.outputs) {
                let value = self.scalar(scalar, &here)?;
                self.assigned.insert(name.clone(), value);
            }
        }
        self.assigned_rows = order.len() as u64;
        Ok(())
    }

    /// TOP, OFFSET, FETCH.
    fn cut(&mut self, plan: &Plan, rows: &mut Vec<Row>) -> Result<(), Failure> {
        let nothing = Env::default();
        if let Some(top) = &plan.top {
            let count = match self.scalar(&top.count, &nothing)? {
                Value::Integer(count) => usize::try_from(count).map_err(|_| Failure::new(1014, &[]))?,
                Value::Float(percent) if (0.0..=100.0).contains(&percent) => {
                    (rows.len() as f64 * percent / 100.0).ceil() as usize
                }
                Value::Float(_) => return Err(Failure::new(1031, &[])),
                _ => return Err(Failure::new(1014, &[])),
            };
            let mut end = count.min(rows.len());
            if top.with_ties && end > 0 {
                while end < rows.len() && sort::are_peers(&rows[end - 1], &rows[end], &plan.order) {
                    end += 1;
                }
            }
            rows.truncate(end);
        }
        if let Some(offset) = &plan.offset {
            let Value::Integer(count @ 0..) = self.scalar(offset, &nothing)? else {
                return Err(Failure::new(10_742, &[]));
            };
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(rows.len());
            rows.drain(..count);
        }
        if let Some(fetch) = &plan.fetch {
            let Value::Integer(count @ 1..) = self.scalar(fetch, &nothing)? else {
                return Err(Failure::new(10_743, &[]));
            };
            rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn set(
        &mut self,
        plan: &Plan,
        operation: SetOperation,
        left: &Plan,
        right: &Plan,
        env: &Env<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut sides = Vec::new();
        for side in [left, right] {
            let mut rows = self.rows(side, env)?.to_vec();
            for row in &mut rows {
                for ((value, from), to) in row.iter_mut().zip(&side.columns).zip(&plan.columns) {
                    if from.sql_type != to.sql_type {
                        let old = std::mem::replace(value, Value::Null);
                        *value = convert::convert(old, from.sql_type, to.sql_type)?;
                    }
                }
            }
            sides.push(rows);
        }
        let (right, left) = (sides.pop().unwrap_or_default(), sides.pop().unwrap_or_default());
        let types: Vec<SqlType> = plan.columns.iter().map(|column| column.sql_type).collect();
        let keys_of = |rows: &[Row]| -> std::collections::BTreeSet<Vec<Key>> {
            rows.iter().map(|row| keys(row, &types)).collect()
        };
        let mut rows = left;
        match operation {
            SetOperation::UnionAll | SetOperation::Union => rows.extend(right),
            SetOperation::Except => {
                let others = keys_of(&right);
                rows.retain(|row| !others.contains(&keys(row, &types)));
            }
            SetOperation::Intersect => {
                let others = keys_of(&right);
                rows.retain(|row| others.contains(&keys(row, &types)));
            }
        }
        if operation != SetOperation::UnionAll {
            rows = distinct(rows, &types);
        }
        let mut meter = Meter::default();
        for row in &rows {
            meter.add(row)?;
        }
        Ok(rows)
    }
}

fn keys(row: &[Value], types: &[SqlType]) -> Vec<Key> {
    row.iter()
        .zip(types)
        .map(|(value, sql_type)| key(value, *sql_type, Collation::default()))
        .collect()
}

/// The first of each row that occurs.
fn distinct(rows: Vec<Row>, types: &[SqlType]) -> Vec<Row> {
    let mut seen = std::collections::BTreeSet::new();
    rows.into_iter()
        .filter(|row| seen.insert(keys(row, types)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use crate::query::evaluate::ROWS_MAX;

    #[test]
    fn a_result_has_a_limit() {
        let mut meter = Meter::default();
        for _ in 0..ROWS_MAX {
            meter.add(&[]).unwrap();
        }
        assert_eq!(meter.add(&[]).unwrap_err().messages[0].number, 701);
    }
}
