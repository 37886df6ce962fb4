//! Running expressions of a bound query.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::message::Failure;
use crate::query::collation::Collation;
use crate::query::key::compare;
use crate::query::plan::{Arithmetic, Comparison, Node, Plan, Predicate, Row, Scalar};
use crate::query::{Names, arithmetic, convert, functions, like, types};
use crate::value::{SqlType, Value};

/// Rows that one result may have on its way; beyond that the query ends with 701.
pub(crate) const ROWS_MAX: usize = 5_000_000;
/// Bytes that one result may take on its way, about; beyond that 701.
pub(crate) const BYTES_MAX: usize = 256 << 20;
/// Rows and pairs of rows that one statement may look at; beyond that 8623.
const STEPS_MAX: u64 = 500_000_000;
/// After so many of them it is asked whether the statement was cancelled.
const STEPS_BETWEEN_GLANCES: u64 = 4096;
/// Bytes of a value, and comparisons of characters, that count as one step.
const BYTES_A_STEP: u64 = 64;
/// Bytes of the longest text an expression may build; beyond that 701.
pub(crate) const TEXT_MAX: usize = 64 << 20;

/// The rows in reach: the current one, and those of the queries around.
#[derive(Clone, Copy, Default)]
pub(crate) struct Env<'a> {
    pub(crate) row: &'a [Value],
    /// Values of window functions for the row.
    pub(crate) windows: &'a [Value],
    pub(crate) outer: Option<&'a Env<'a>>,
}

impl<'a> Env<'a> {
    /// A row within the rows around it.
    pub(crate) fn within(row: &'a [Value], outer: &'a Env<'a>) -> Self {
        Self {
            row,
            windows: &[],
            outer: Some(outer),
        }
    }

    /// A row with nothing around it.
    pub(crate) fn of(row: &'a [Value]) -> Self {
        Self {
            row,
            ..Self::default()
        }
    }

    fn column(&self, depth: usize, index: usize) -> &Value {
        let mut env = self;
        for _ in 0..depth {
            let Some(outer) = env.outer else {
                return &Value::Null;
            };
            env = outer;
        }
        env.row.get(index).unwrap_or(&Value::Null)
    }
}

/// A statement that runs.
pub(crate) struct Run<'n> {
    pub(crate) names: &'n mut dyn Names,
    /// Variables that the statement assigned.
    pub(crate) assigned: BTreeMap<String, Value>,
    /// Results of queries that do not depend on a row, by the plan's number.
    pub(crate) kept: BTreeMap<usize, Rc<Vec<Row>>>,
    /// Rows of a SELECT that assigned.
    pub(crate) assigned_rows: u64,
    steps: u64,
}

impl<'n> Run<'n> {
    pub(crate) fn new(names: &'n mut dyn Names) -> Self {
        Self {
            names,
            assigned: BTreeMap::new(),
            kept: BTreeMap::new(),
            assigned_rows: 0,
            steps: 0,
        }
    }

    /// Counts work, so that a statement ends.
    pub(crate) fn step(&mut self) -> Result<(), Failure> {
        self.spend(1)
    }

    /// Counts so many steps at once.
    fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        let before = self.steps / STEPS_BETWEEN_GLANCES;
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS_MAX {
            return Err(Failure::new(8623, &[]));
        }
        if self.steps / STEPS_BETWEEN_GLANCES != before && self.names.is_cancelled() {
            return Err(Failure::cancelled());
        }
        Ok(())
    }

    /// Counts comparisons of characters.
    fn compared(&mut self, characters: u64) -> Result<(), Failure> {
        self.spend(characters / BYTES_A_STEP)
    }

    /// The value of an expression. A long one counts as many steps: whoever made it, and whoever takes it, looked at all of it.
    pub(crate) fn scalar(&mut self, scalar: &Scalar, env: &Env<'_>) -> Result<Value, Failure> {
        let value = self.computed(scalar, env)?;
        let bytes = match &value {
            Value::Text(text) => text.len() as u64,
            Value::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        };
        if bytes >= BYTES_A_STEP {
            self.spend(bytes / BYTES_A_STEP)?;
        }
        Ok(value)
    }

    fn computed(&mut self, scalar: &Scalar, env: &Env<'_>) -> Result<Value, Failure> {
        match &scalar.node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Column { depth, index } => Ok(env.column(*depth, *index).clone()),
            Node::Window(index) => Ok(env.windows.get(*index).cloned().unwrap_or(Value::Null)),
            Node::Variable(name) => self.variable(name),
            Node::Convert {
                operand,
                style,
                lenient,
            } => {
                let value = self.scalar(operand, env)?;
                let style = match style {
                    Some(style) => match self.scalar(style, env)? {
                        Value::Integer(style) => Some(style),
                        _ => return Ok(Value::Null),
                    },
                    None => None,
                };
                match convert::cast(value, operand.sql_type, scalar.sql_type, style) {
                    Err(_) if *lenient => Ok(Value::Null),
                    other => other,
                }
            }
            Node::Arithmetic(op, left, right) => self.arithmetic(*op, left, right, scalar.sql_type, env),
            Node::Concatenate(left, right) => {
                let (left, right) = (self.scalar(left, env)?, self.scalar(right, env)?);
                arithmetic::concatenate(left, right, scalar.sql_type)
            }
            Node::Days(moment, days, back) => {
                let (moment, days) = (self.scalar(moment, env)?, self.scalar(days, env)?);
                arithmetic::add_days(&moment, &days, *back, scalar.sql_type)
            }
            Node::Negate(operand) => arithmetic::negate(self.scalar(operand, env)?, scalar.sql_type),
            Node::Complement(operand) => Ok(arithmetic::complement(
                &self.scalar(operand, env)?,
                scalar.sql_type,
            )),
            _ => self.branching(scalar, env),
        }
    }

    /// Expressions that choose, call or ask.
    fn branching(&mut self, scalar: &Scalar, env: &Env<'_>) -> Result<Value, Failure> {
        match &scalar.node {
            Node::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if self.predicate(condition, env)? == Some(true) {
                        return self.scalar(result, env);
                    }
                }
                match otherwise {
                    Some(result) => self.scalar(result, env),
                    None => Ok(Value::Null),
                }
            }
            Node::Coalesce(operands) => {
                for operand in operands {
                    let value = self.scalar(operand, env)?;
                    if value != Value::Null {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Node::Call(builtin, operands) => {
                let values = self.all(operands, env)?;
                if builtin.strict && values.contains(&Value::Null) {
                    return Ok(Value::Null);
                }
                if builtin.name == functions::PATINDEX {
                    let (place, comparisons) = functions::patindex(&values)?;
                    self.compared(comparisons)?;
                    return Ok(place);
                }
                (builtin.run)(&values, scalar.sql_type)
            }
            Node::Session(name, operands) => {
                let values = self.all(operands, env)?;
                match self.names.function(name, &values) {
                    None => Err(Failure::new(195, &[name])),
                    Some(result) => {
                        let (value, sql_type) = result?;
                        convert::convert(value, sql_type, scalar.sql_type)
                    }
                }
            }
            Node::Subquery(plan) => {
                let rows = self.rows(plan, env)?;
                match rows.as_slice() {
                    [] => Ok(Value::Null),
                    [row] => Ok(row[0].clone()),
                    _ => Err(Failure::new(512, &[])),
                }
            }
            _ => Ok(Value::Null),
        }
    }

    fn all(&mut self, operands: &[Scalar], env: &Env<'_>) -> Result<Vec<Value>, Failure> {
        operands.iter().map(|operand| self.scalar(operand, env)).collect()
    }

    fn variable(&mut self, name: &str) -> Result<Value, Failure> {
        if let Some(value) = self.assigned.get(name) {
            return Ok(value.clone());
        }
        self.names
            .variable(name)
            .map(|(value, _)| value)
            .ok_or_else(|| Failure::new(137, &[&name]))
    }

    fn arithmetic(
        &mut self,
        op: Arithmetic,
        left: &Scalar,
        right: &Scalar,
        sql_type: SqlType,
        env: &Env<'_>,
    ) -> Result<Value, Failure> {
        let (left, right) = (self.scalar(left, env)?, self.scalar(right, env)?);
        arithmetic::compute(op, &left, &right, sql_type)
    }

    /// The truth of a condition; `None` is unknown.
    pub(crate) fn predicate(
        &mut self,
        predicate: &Predicate,
        env: &Env<'_>,
    ) -> Result<Option<bool>, Failure> {
        match predicate {
            Predicate::And(parts) => self.combined(parts, env, false),
            Predicate::Or(parts) => self.combined(parts, env, true),
            Predicate::Not(inner) => Ok(self.predicate(inner, env)?.map(|truth| !truth)),
            Predicate::Compare(comparison, left, right, collation) => {
                let a = self.scalar(left, env)?;
                if a == Value::Null {
                    return Ok(None);
                }
                let b = self.scalar(right, env)?;
                let sql_type = meeting(left, right);
                Ok(compare(&a, &b, sql_type, *collation).map(|order| comparison.holds(order)))
            }
            Predicate::IsNull(operand) => Ok(Some(self.scalar(operand, env)? == Value::Null)),
            Predicate::Like(operand, pattern, escape, collation) => {
                let value = self.scalar(operand, env)?;
                let pattern = self.scalar(pattern, env)?;
                let escape = match escape {
                    Some(escape) => Some(self.scalar(escape, env)?),
                    None => None,
                };
                let (Value::Text(text), Value::Text(pattern)) = (value, pattern) else {
                    return Ok(None);
                };
                let mut comparisons = 0;
                let found = like::matches(&text, &pattern, escape.as_ref(), *collation, &mut comparisons)?;
                self.compared(comparisons)?;
                Ok(Some(found))
            }
            Predicate::In(operand, list, collation) => {
                let value = self.scalar(operand, env)?;
                let mut found = Some(false);
                for item in list {
                    let other = self.scalar(item, env)?;
                    match compare(&value, &other, operand.sql_type, *collation) {
                        Some(Ordering::Equal) => return Ok(Some(true)),
                        None => found = None,
                        Some(_) => {}
                    }
                }
                Ok(found)
            }
            Predicate::Quantified {
                operand,
                comparison,
                all,
                plan,
                sql_type,
                collation,
            } => {
                let value = self.scalar(operand, env)?;
                let against = Against {
                    value: &value,
                    comparison: *comparison,
                    all: *all,
                    sql_type: *sql_type,
                    collation: *collation,
                };
                self.quantified(&against, plan, env)
            }
            Predicate::Exists(plan) => Ok(Some(!self.rows(plan, env)?.is_empty())),
        }
    }

    fn combined(
        &mut self,
        parts: &[Predicate],
        env: &Env<'_>,
        decides: bool,
    ) -> Result<Option<bool>, Failure> {
        let mut result = Some(!decides);
        for part in parts {
            match self.predicate(part, env)? {
                Some(truth) if truth == decides => return Ok(Some(decides)),
                None => result = None,
                Some(_) => {}
            }
        }
        Ok(result)
    }

    fn quantified(
        &mut self,
        against: &Against<'_>,
        plan: &Plan,
        env: &Env<'_>,
    ) -> Result<Option<bool>, Failure> {
        let from = plan.columns[0].sql_type;
        let rows = self.rows(plan, env)?;
        let mut result = Some(against.all);
        for row in rows.iter() {
            self.step()?;
            let other = if types::family(from) == types::family(against.sql_type) {
                row[0].clone()
            } else {
                convert::convert(row[0].clone(), from, against.sql_type)?
            };
            let order = compare(against.value, &other, against.sql_type, against.collation);
            match order.map(|order| against.comparison.holds(order)) {
                Some(truth) if truth != against.all => return Ok(Some(truth)),
                None => result = None,
                Some(_) => {}
            }
        }
        Ok(result)
    }
}

/// One side of a comparison with all rows of a query.
struct Against<'a> {
    value: &'a Value,
    comparison: Comparison,
    all: bool,
    sql_type: SqlType,
    collation: Collation,
}

/// The type for comparing two operands that binding made alike.
fn meeting(left: &Scalar, right: &Scalar) -> SqlType {
    if left.sql_type == SqlType::Variant || right.sql_type == SqlType::Variant {
        SqlType::Variant
    } else {
        left.sql_type
    }
}
