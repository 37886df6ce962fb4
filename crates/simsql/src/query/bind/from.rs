//! FROM: tables, derived tables, joins, APPLY.

use std::rc::Rc;

use sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor};

use crate::message::Failure;
use crate::query::bind::function::parts_of;
use crate::query::bind::scope::same_name;
use crate::query::bind::{Binder, Scope, Source, operator};
use crate::query::plan::{Comparison, Equality, From, Join, JoinKind, Node, Predicate, Scalar};
use crate::query::refuse;
use crate::query::tables;
use crate::query::types::{self, Family};
use crate::value::{Column, SqlType, Value};

/// Tables in one FROM, as SQL Server's documentation had it: they become a tree that is as deep as they are many.
const TABLES_MAX: usize = 256;
/// Tables in FROM clauses within one another.
const AROUND_MAX: usize = 1024;
/// Tables of a whole statement, each common table expression counted as often as it is named: ten that name one another twice are
/// a thousand.
const ALL_MAX: usize = 65_536;

/// A bound side of a join and how many columns it has.
type Side = (From, usize);

impl Binder<'_> {
    /// The tables of FROM, added to the current scope. `filter` is WHERE: where tables are separated by commas, it is the
    /// condition of their join.
    pub(super) fn from(
        &mut self,
        tables: &[ast::TableWithJoins],
        filter: Option<&ast::Expr>,
    ) -> Result<From, Failure> {
        let count = tables.iter().map(count_of).sum::<usize>();
        if count > TABLES_MAX {
            return Err(Failure::new(106, &[&TABLES_MAX]));
        }
        if self.around + count > AROUND_MAX {
            return Err(Failure::new(8632, &[]));
        }
        self.tables += count;
        if self.tables > ALL_MAX {
            return Err(Failure::new(8623, &[]));
        }
        self.around += count;
        let from = self.tables_of(tables, filter);
        self.around -= count;
        from
    }

    fn tables_of(
        &mut self,
        tables: &[ast::TableWithJoins],
        filter: Option<&ast::Expr>,
    ) -> Result<From, Failure> {
        let mut all: Option<Side> = None;
        for (at, table) in tables.iter().enumerate() {
            let right = self.aside(|binder| binder.joined(table))?;
            all = Some(match all {
                None => right,
                Some(left) => {
                    let last = at + 1 == tables.len();
                    let on = filter.filter(|_| last);
                    let on = on.and_then(|expression| self.predicate(expression).ok());
                    join(JoinKind::Inner, left, right, on, false)
                }
            });
        }
        self.scope().check_names()?;
        Ok(all.map_or(From::Nothing, |(from, _)| from))
    }

    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("FROM is bound within a scope")
    }

    /// Binds tables that do not see the ones before them, then adds them behind those.
    fn aside(&mut self, work: impl FnOnce(&mut Self) -> Result<Side, Failure>) -> Result<Side, Failure> {
        let before = std::mem::take(self.scope());
        let result = work(self);
        let added = std::mem::replace(self.scope(), before);
        let scope = self.scope();
        for source in added.sources {
            scope.add(source);
        }
        result
    }

    /// A table and what is joined to it; the scope has nothing but them.
    fn joined(&mut self, table: &ast::TableWithJoins) -> Result<Side, Failure> {
        self.deeper(|binder| {
            let mut left = binder.factor(&table.relation, false)?;
            for join in &table.joins {
                left = binder.join(left, join)?;
            }
            Ok(left)
        })
    }

    fn join(&mut self, left: Side, next: &ast::Join) -> Result<Side, Failure> {
        let (kind, constraint) = match &next.join_operator {
            JoinOperator::Join(on) | JoinOperator::Inner(on) => (JoinKind::Inner, on),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (JoinKind::Left, on),
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => (JoinKind::Right, on),
            JoinOperator::FullOuter(on) => (JoinKind::Full, on),
            JoinOperator::CrossJoin(JoinConstraint::None) => (JoinKind::Inner, &JoinConstraint::None),
            JoinOperator::CrossApply => {
                let right = self.factor(&next.relation, true)?;
                return Ok(join(JoinKind::Inner, left, right, None, true));
            }
            JoinOperator::OuterApply => {
                let right = self.factor(&next.relation, true)?;
                return Ok(join(JoinKind::Left, left, right, None, true));
            }
            _ => return Err(refuse("this kind of join")),
        };
        let right = self.aside(|binder| binder.factor(&next.relation, false))?;
        let on = match constraint {
            JoinConstraint::On(condition) => Some(self.predicate(condition)?),
            JoinConstraint::None if matches!(next.join_operator, JoinOperator::CrossJoin(_)) => None,
            _ => return Err(Failure::new(102, &[&"JOIN"])),
        };
        self.mark_nullable(kind, left.1);
        Ok(join(kind, left, right, on, false))
    }

    /// Columns of the side that may be missing.
    fn mark_nullable(&mut self, kind: JoinKind, left_width: usize) {
        for source in &mut self.scope().sources {
            let is_left = source.offset < left_width;
            let missing = match kind {
                JoinKind::Inner => false,
                JoinKind::Left => !is_left,
                JoinKind::Right => is_left,
                JoinKind::Full => true,
            };
            for column in &mut source.columns {
                column.nullable |= missing;
            }
        }
    }

    /// One table. `lateral` ones see the tables before them.
    fn factor(&mut self, factor: &TableFactor, lateral: bool) -> Result<Side, Failure> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                sample: None,
                version: None,
                ..
            } => self.table(name, alias.as_ref(), args.as_ref()),
            TableFactor::Function {
                name, args, alias, ..
            } => {
                let arguments = ast::TableFunctionArgs {
                    args: args.clone(),
                    settings: None,
                };
                self.table(name, alias.as_ref(), Some(&arguments))
            }
            TableFactor::Derived {
                subquery,
                alias,
                sample: None,
                ..
            } => self.derived(subquery, alias.as_ref(), lateral),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } if !lateral => self.aside(|binder| binder.joined(table_with_joins)),
            TableFactor::Pivot { .. } => Err(refuse("PIVOT")),
            TableFactor::Unpivot { .. } => Err(refuse("UNPIVOT")),
            TableFactor::OpenJsonTable { .. } => Err(refuse("OPENJSON")),
            other => Err(refuse(&format!("{other} in FROM"))),
        }
    }

    fn add(&mut self, parts: Vec<String>, aliased: bool, columns: Vec<Column>) -> usize {
        let width = columns.len();
        self.scope().add(Source {
            parts,
            aliased,
            offset: 0,
            columns,
        });
        width
    }

    fn table(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<&ast::TableAlias>,
        arguments: Option<&ast::TableFunctionArgs>,
    ) -> Result<Side, Failure> {
        let parts = parts_of(name)?;
        // `FROM t OPTION (RECOMPILE)` reads as an alias.
        let alias = alias.filter(|alias| {
            alias.explicit
                || alias.name.quote_style.is_some()
                || !alias.name.value.eq_ignore_ascii_case("OPTION")
        });
        let known_as = alias.map_or_else(|| parts.clone(), |alias| vec![alias.name.value.clone()]);
        if let ([single], None) = (parts.as_slice(), arguments)
            && let Some(at) = self.ctes.iter().rposition(|cte| same_name(&cte.name, single))
        {
            return self.cte(at, known_as);
        }
        let (from, mut columns) = match arguments {
            None => {
                let relation = self.names.relation(&parts, None)?;
                (From::Table(Rc::new(relation.rows)), relation.columns)
            }
            Some(arguments) => self.table_function(parts, arguments)?,
        };
        renamed(&mut columns, alias)?;
        let width = self.add(known_as, alias.is_some(), columns);
        Ok((from, width))
    }

    fn table_function(
        &mut self,
        parts: Vec<String>,
        arguments: &ast::TableFunctionArgs,
    ) -> Result<(From, Vec<Column>), Failure> {
        let mut bound = Vec::new();
        for argument in &arguments.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expression)) = argument else {
                return Err(refuse("this argument of a table function"));
            };
            let scalar = match expression {
                // DEFAULT is what the function makes of NULL.
                ast::Expr::Identifier(word)
                    if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("DEFAULT") =>
                {
                    super::null()
                }
                other => self.scalar(other)?,
            };
            bound.push(self.folded(scalar)?);
        }
        let constants: Option<Vec<Value>> = bound
            .iter()
            .map(|scalar| match &scalar.node {
                Node::Constant(value) => Some(value.clone()),
                _ => None,
            })
            .collect();
        if let Some(values) = constants {
            let relation = tables::call(self.names, &parts, &values)?;
            return Ok((From::Table(Rc::new(relation.rows)), relation.columns));
        }
        let nulls = vec![Value::Null; bound.len()];
        let columns = tables::call(self.names, &parts, &nulls)?.columns;
        let from = From::Function {
            parts,
            arguments: bound,
            width: columns.len(),
        };
        Ok((from, columns))
    }

    fn derived(
        &mut self,
        query: &ast::Query,
        alias: Option<&ast::TableAlias>,
        lateral: bool,
    ) -> Result<Side, Failure> {
        let Some(alias) = alias else {
            return Err(Failure::new(102, &[&")"]));
        };
        let plan = if lateral {
            self.query(query, true)?
        } else {
            // A derived table does not see its neighbours, but the queries around.
            let own = self.scopes.pop().unwrap_or_default();
            let plan = self.query(query, true);
            self.scopes.push(own);
            plan?
        };
        let name = alias.name.value.clone();
        let mut columns = plan.columns.clone();
        renamed(&mut columns, Some(alias))?;
        check_columns(&columns, &name)?;
        let width = self.add(vec![name], true, columns);
        Ok((From::Derived(Box::new(plan)), width))
    }

    /// A common table expression is bound where it is named, and sees those before it.
    fn cte(&mut self, at: usize, known_as: Vec<String>) -> Result<Side, Failure> {
        let cte = self.ctes[at].clone();
        if names_itself(&cte.query, &cte.name) {
            return Err(refuse("recursive common table expressions"));
        }
        let scopes = std::mem::take(&mut self.scopes);
        let open = std::mem::take(&mut self.open);
        let later = self.ctes.split_off(cte.before);
        let plan = self.query(&cte.query, true);
        self.ctes.truncate(cte.before);
        self.ctes.extend(later);
        self.scopes = scopes;
        self.open = open;
        let plan = plan?;
        let mut columns = plan.columns.clone();
        rename_columns(&mut columns, &cte.columns, &cte.name)?;
        check_columns(&columns, &cte.name)?;
        let width = self.add(known_as, true, columns);
        Ok((From::Derived(Box::new(plan)), width))
    }
}

/// How many tables are joined, those in parentheses among them.
fn count_of(table: &ast::TableWithJoins) -> usize {
    let of = |factor: &TableFactor| match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => count_of(table_with_joins),
        _ => 1,
    };
    of(&table.relation) + table.joins.iter().map(|join| of(&join.relation)).sum::<usize>()
}

/// Whether a common table expression names itself, which makes it recursive.
fn names_itself(query: &ast::Query, name: &str) -> bool {
    let mut found = false;
    let _ = ast::visit_relations(query, |relation| {
        found |= relation.0.len() == 1
            && matches!(&relation.0[0], ast::ObjectNamePart::Identifier(word) if same_name(&word.value, name));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}

fn renamed(columns: &mut [Column], alias: Option<&ast::TableAlias>) -> Result<(), Failure> {
    let Some(alias) = alias.filter(|alias| !alias.columns.is_empty()) else {
        return Ok(());
    };
    let names: Vec<String> = alias
        .columns
        .iter()
        .map(|column| column.name.value.clone())
        .collect();
    rename_columns(columns, &names, &alias.name.value)
}

fn rename_columns(columns: &mut [Column], names: &[String], table: &str) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    if names.len() < columns.len() {
        return Err(Failure::new(8158, &[&table]));
    }
    if names.len() > columns.len() {
        return Err(Failure::new(8159, &[&table]));
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    Ok(())
}

/// The columns of a derived table need names, each its own.
fn check_columns(columns: &[Column], table: &str) -> Result<(), Failure> {
    for (at, column) in columns.iter().enumerate() {
        if column.name.is_empty() {
            return Err(Failure::new(8155, &[&(at + 1), &table]));
        }
        if columns[..at]
            .iter()
            .any(|other| same_name(&other.name, &column.name))
        {
            return Err(Failure::new(8156, &[&column.name, &table]));
        }
    }
    Ok(())
}

fn join(kind: JoinKind, left: Side, right: Side, on: Option<Predicate>, lateral: bool) -> Side {
    let (left, left_width) = left;
    let (right, right_width) = right;
    let mut equalities = Vec::new();
    if let Some(on) = &on
        && !lateral
    {
        collect_equalities(on, left_width, &mut equalities);
    }
    let joined = Join {
        kind,
        left,
        right,
        left_width,
        right_width,
        lateral,
        equalities,
        on,
    };
    (From::Join(Box::new(joined)), left_width + right_width)
}

/// The equalities that a condition demands between left and right.
fn collect_equalities(on: &Predicate, left_width: usize, found: &mut Vec<Equality>) {
    match on {
        Predicate::And(parts) => parts
            .iter()
            .for_each(|part| collect_equalities(part, left_width, found)),
        Predicate::Compare(Comparison::Equal, a, b, collation) => {
            let sides = (side(a, left_width), side(b, left_width));
            let (left, right) = match sides {
                (Some(false), Some(true)) => (a, b),
                (Some(true), Some(false)) => (b, a),
                _ => return,
            };
            // Keys of numbers are alike only where both are exact or neither is; variants compare by what they hold.
            let family = |scalar: &Scalar| match types::family(scalar.sql_type) {
                Family::Decimal => Family::Integer,
                other => other,
            };
            if family(left) != family(right) || left.sql_type == SqlType::Variant {
                return;
            }
            let mut right = right.clone();
            operator::shift(&mut right, left_width);
            found.push(Equality {
                left: left.clone(),
                right,
                collation: *collation,
            });
        }
        _ => {}
    }
}

/// On which side an expression's columns are: `true` is right; `None` where on both, on none, or where it does more than compute.
fn side(scalar: &Scalar, left_width: usize) -> Option<bool> {
    let mut found = Vec::new();
    operator::places(scalar, &mut found)?;
    let is_right = *found.first()? >= left_width;
    found
        .iter()
        .all(|place| (*place >= left_width) == is_right)
        .then_some(is_right)
}
