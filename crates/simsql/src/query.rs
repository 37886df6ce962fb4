//! Queries: sqlparser's tree run over tables and catalog views alike, all in memory. No optimiser: joins are nested loops, but
//! for equality between columns, which is hashed.
//!
//! A query is bound first (names to columns, a type for every expression, what [`Names`] knows loaded), then run; so the columns
//! of a result have their types even where it has no rows. Deliberately absent, and refused with 40510: FOR XML and FOR JSON,
//! PIVOT, recursive common table expressions, GROUPING SETS, SELECT INTO, OUTPUT.

mod arithmetic;
mod bind;
pub mod calendar;
pub mod change;
pub mod collation;
pub mod convert;
pub mod decimal;
mod evaluate;
mod functions;
mod key;
mod like;
mod plan;
mod printing;
mod run;
mod tables;
pub mod types;

use sqlparser::ast;

use crate::message::Failure;
use crate::query::bind::Binder;
use crate::query::evaluate::{Env, Run};
use crate::query::plan::Body;
use crate::value::{Column, SqlType, Value};

/// A table or view as the executor sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relation {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a query can name, as the session sees it.
///
/// A query is bound before it runs: a function or a table function whose arguments are not constant is asked once with NULLs for
/// them, to learn the type or the columns of its answer. With NULLs a table function should give its columns and no rows.
pub trait Names {
    /// The table, view or table function called by these parts (`db.schema.name`, fewer parts where the query has fewer; as
    /// written), with the arguments of a table function.
    ///
    /// # Errors
    /// 208 where there is none, 911 for an unknown database, 229 and others.
    fn relation(&mut self, parts: &[String], arguments: Option<&[Value]>) -> Result<Relation, Failure>;
    /// A scalar function that depends on server or session: `SERVERPROPERTY`, `DB_ID`, `SUSER_SNAME`, `GETDATE`, ... by its name
    /// in upper case, with its schema where the query has one (`SYS.FN_HADR_BACKUP_IS_PREFERRED_REPLICA`); `None` where it does
    /// not know the name. With constant arguments it is asked once in a query, but `NEWID` for each row.
    fn function(&mut self, name: &str, arguments: &[Value]) -> Option<Result<(Value, SqlType), Failure>>;
    /// `@name` or `@@NAME`, with the signs.
    fn variable(&mut self, name: &str) -> Option<(Value, SqlType)>;
    /// Whether nobody waits for the answer any more: a query that looks at many rows asks now and then.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Rows.
    Rows(Relation),
    /// `SELECT @a = expression, ...`: the variables with their new values (of the variable's type), in the order of the query,
    /// and how many rows there were. A variable is absent where no row assigned it.
    Assigned {
        /// Names with their sign, as the query writes them.
        variables: Vec<(String, Value)>,
        /// Rows.
        count: u64,
    },
}

/// Runs a query.
///
/// # Errors
/// What the query meets: names, types, conversions, limits.
pub fn select(query: &ast::Query, names: &mut dyn Names) -> Result<Answer, Failure> {
    let plan = Binder::new(names).query(query, false)?;
    let mut run = Run::new(names);
    let rows = run.plan(&plan, &Env::default())?;
    let variables: &[String] = match &plan.body {
        Body::Select(select) => &select.assigns,
        _ => &[],
    };
    if variables.is_empty() {
        return Ok(Answer::Rows(Relation {
            columns: plan.columns,
            rows,
        }));
    }
    let assigned = variables
        .iter()
        .filter_map(|name| run.assigned.get(name).map(|value| (name.clone(), value.clone())))
        .collect();
    Ok(Answer::Assigned {
        variables: assigned,
        count: run.assigned_rows,
    })
}

/// The value of an expression outside of any table: SET, DECLARE, PRINT, an argument.
///
/// # Errors
/// As [`select`].
pub fn evaluate(expression: &ast::Expr, names: &mut dyn Names) -> Result<(Value, SqlType), Failure> {
    let scalar = Binder::new(names).scalar(expression)?;
    let value = Run::new(names).scalar(&scalar, &Env::default())?;
    Ok((value, scalar.sql_type))
}

/// The truth of a condition outside of any table: IF, WHILE. `None` is unknown, which does not hold.
///
/// # Errors
/// As [`select`]; 4145 where the expression is no condition.
pub fn condition(expression: &ast::Expr, names: &mut dyn Names) -> Result<Option<bool>, Failure> {
    let predicate = Binder::new(names).predicate(expression)?;
    Run::new(names).predicate(&predicate, &Env::default())
}

/// 40510.
fn refuse(what: &str) -> Failure {
    Failure::new(40_510, &[&what])
}

#[cfg(test)]
mod tests;
