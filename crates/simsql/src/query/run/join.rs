//! FROM: tables and joins. Where the condition has equalities between left and right, the right side is sorted into a map by them.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::message::Failure;
use crate::query::evaluate::{Env, Run};
use crate::query::key::{Key, key};
use crate::query::plan::{From, Join, JoinKind, Row};
use crate::query::run::Meter;
use crate::query::tables;
use crate::value::Value;

/// Rows of the right side by their keys, as places.
type Index = BTreeMap<Vec<Key>, Vec<usize>>;

impl Run<'_> {
    /// The rows of FROM.
    pub(super) fn from(&mut self, from: &From, env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        Ok(match from {
            From::Nothing => vec![Row::new()],
            From::Table(rows) => rows.to_vec(),
            From::Function { .. } | From::Derived(_) => self.side(from, env)?.to_vec(),
            From::Join(join) => self.join(join, env)?,
        })
    }

    /// The rows of a side of a join, shared where they can be.
    fn side(&mut self, from: &From, env: &Env<'_>) -> Result<Rc<Vec<Row>>, Failure> {
        match from {
            From::Table(rows) => Ok(Rc::clone(rows)),
            From::Derived(plan) => self.rows(plan, env),
            From::Function {
                parts,
                arguments,
                width,
            } => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.scalar(argument, env)?);
                }
                let mut rows = tables::call(self.names, parts, &values)?.rows;
                for row in &mut rows {
                    row.resize(*width, Value::Null);
                }
                Ok(Rc::new(rows))
            }
            other => Ok(Rc::new(self.from(other, env)?)),
        }
    }

    fn join(&mut self, join: &Join, env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        let left = self.side(&join.left, env)?;
        if join.lateral {
            return self.apply(join, &left, env);
        }
        let right = self.side(&join.right, env)?;
        let index = match join.equalities.is_empty() {
            true => None,
            false => Some(self.index(join, &right, env)?),
        };
        let everything: Vec<usize> = (0..right.len()).collect();
        let mut found = Found::new(right.len());
        for left_row in left.iter() {
            let candidates = match &index {
                Some(index) => match self.key_of(join, left_row, env)? {
                    Some(key) => index.get(&key).map_or(&[][..], Vec::as_slice),
                    None => &[],
                },
                None => &everything,
            };
            self.pairs(join, left_row, &right, candidates, &mut found, env)?;
        }
        if matches!(join.kind, JoinKind::Right | JoinKind::Full) {
            for (at, right_row) in right.iter().enumerate() {
                if !found.matched[at] {
                    let mut row = vec![Value::Null; join.left_width];
                    row.extend_from_slice(right_row);
                    found.push(row)?;
                }
            }
        }
        Ok(found.rows)
    }

    /// The right rows of one left row.
    fn pairs(
        &mut self,
        join: &Join,
        left: &Row,
        right: &[Row],
        candidates: &[usize],
        found: &mut Found,
        env: &Env<'_>,
    ) -> Result<(), Failure> {
        let mut pair = left.clone();
        let mut alone = true;
        for at in candidates {
            self.step()?;
            pair.truncate(join.left_width);
            pair.extend_from_slice(&right[*at]);
            let holds = match &join.on {
                Some(on) => self.predicate(on, &Env::within(&pair, env))? == Some(true),
                None => true,
            };
            if holds {
                alone = false;
                found.matched[*at] = true;
                found.push(pair.clone())?;
            }
        }
        if alone && matches!(join.kind, JoinKind::Left | JoinKind::Full) {
            pair.truncate(join.left_width);
            pair.resize(join.left_width + join.right_width, Value::Null);
            found.push(pair)?;
        }
        Ok(())
    }

    fn apply(&mut self, join: &Join, left: &[Row], env: &Env<'_>) -> Result<Vec<Row>, Failure> {
        let mut found = Found::new(0);
        for left_row in left {
            self.step()?;
            // A table function's arguments are over the left row; a derived table has it as the row around.
            let right = self.side(&join.right, &Env::within(left_row, env))?;
            for right_row in right.iter() {
                let mut row = left_row.clone();
                row.extend_from_slice(right_row);
                found.push(row)?;
            }
            if right.is_empty() && join.kind == JoinKind::Left {
                let mut row = left_row.clone();
                row.resize(join.left_width + join.right_width, Value::Null);
                found.push(row)?;
            }
        }
        Ok(found.rows)
    }

    fn index(&mut self, join: &Join, right: &[Row], env: &Env<'_>) -> Result<Index, Failure> {
        let mut index = Index::new();
        'rows: for (at, row) in right.iter().enumerate() {
            self.step()?;
            let here = Env::within(row, env);
            let mut keys = Vec::new();
            for equality in &join.equalities {
                let value = self.scalar(&equality.right, &here)?;
                if value == Value::Null {
                    continue 'rows;
                }
                keys.push(key(&value, equality.right.sql_type, equality.collation));
            }
            index.entry(keys).or_default().push(at);
        }
        Ok(index)
    }

    /// The key of a left row; `None` where a part of it is NULL and so equals nothing.
    fn key_of(&mut self, join: &Join, left: &Row, env: &Env<'_>) -> Result<Option<Vec<Key>>, Failure> {
        let here = Env::within(left, env);
        let mut keys = Vec::new();
        for equality in &join.equalities {
            let value = self.scalar(&equality.left, &here)?;
            if value == Value::Null {
                return Ok(None);
            }
            keys.push(key(&value, equality.left.sql_type, equality.collation));
        }
        Ok(Some(keys))
    }
}

/// What a join found so far.
struct Found {
    rows: Vec<Row>,
    matched: Vec<bool>,
    meter: Meter,
}

impl Found {
    fn new(right: usize) -> Self {
        Self {
            rows: Vec::new(),
            matched: vec![false; right],
            meter: Meter::default(),
        }
    }

    fn push(&mut self, row: Row) -> Result<(), Failure> {
        self.meter.add(&row)?;
        self.rows.push(row);
        Ok(())
    }
}
