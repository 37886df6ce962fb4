//! Binding: sqlparser's tree becomes a [`Plan`].
//!
//! Names are resolved from the innermost query outwards. A query remembers whether it named columns of a query around it: only
//! then must it run again for each row there.

mod aggregate;
mod from;
mod function;
mod literal;
pub(crate) mod operator;
mod predicate;
mod scalar;
mod scope;
mod select;
mod window;

use std::rc::Rc;

use sqlparser::ast;

use crate::message::Failure;
use crate::query::evaluate::{Env, Run};
use crate::query::plan::{Body, Node, Plan, Scalar, SetOperation, SortKey};
use crate::query::{Names, refuse, types};
use crate::value::{Column, SqlType, Value};

pub(crate) use scope::{Scope, Source, same_name};

/// Nested expressions and queries; deeper ones end in 8632. The parser has a limit of its own for parentheses.
const DEPTH_MAX: usize = 200;

/// A common table expression in reach.
#[derive(Clone)]
struct Cte {
    name: String,
    columns: Vec<String>,
    query: Rc<ast::Query>,
    /// How many expressions stand before it: those it can name.
    before: usize,
}

/// Binds one statement.
pub(crate) struct Binder<'n> {
    pub(crate) names: &'n mut dyn Names,
    scopes: Vec<Scope>,
    ctes: Vec<Cte>,
    /// For each query being bound: scopes around it, and whether it reached into one.
    open: Vec<(usize, bool)>,
    next_id: usize,
    depth: usize,
    /// Tables in the FROM clauses that are being bound, one within the other.
    around: usize,
    /// Tables of all FROM clauses so far; a common table expression counts wherever it is named.
    tables: usize,
    /// An aggregate was met where no grouping had been seen yet: bind again, grouped.
    wants_grouping: bool,
}

impl<'n> Binder<'n> {
    pub(crate) fn new(names: &'n mut dyn Names) -> Self {
        Self {
            names,
            scopes: Vec::new(),
            ctes: Vec::new(),
            open: Vec::new(),
            next_id: 0,
            depth: 0,
            around: 0,
            tables: 0,
            wants_grouping: false,
        }
    }

    /// With the columns of a table in reach, for UPDATE and DELETE.
    pub(crate) fn over(names: &'n mut dyn Names, source: Source) -> Self {
        let mut binder = Self::new(names);
        let mut scope = Scope::default();
        scope.add(source);
        binder.scopes.push(scope);
        binder
    }

    /// One level deeper.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.depth >= DEPTH_MAX {
            return Err(Failure::new(8632, &[]));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    /// A whole query. `nested` is one that is not the statement itself: its ORDER BY needs a TOP.
    pub(crate) fn query(&mut self, query: &ast::Query, nested: bool) -> Result<Plan, Failure> {
        self.deeper(|binder| {
            let around = binder.ctes.len();
            let depth = binder.scopes.len();
            let result = binder.query_here(query, nested);
            binder.ctes.truncate(around);
            binder.scopes.truncate(depth);
            result
        })
    }

    fn query_here(&mut self, query: &ast::Query, nested: bool) -> Result<Plan, Failure> {
        match &query.for_clause {
            Some(ast::ForClause::Xml { .. }) => return Err(refuse("FOR XML")),
            Some(ast::ForClause::Json { .. }) => return Err(refuse("FOR JSON")),
            _ => {}
        }
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let before = self.ctes.len();
                self.ctes.push(Cte {
                    name: cte.alias.name.value.clone(),
                    columns: cte.alias.columns.iter().map(|c| c.name.value.clone()).collect(),
                    query: Rc::new((*cte.query).clone()),
                    before,
                });
            }
        }
        let order: &[ast::OrderByExpr] = match &query.order_by {
            None => &[],
            Some(ast::OrderBy {
                kind: ast::OrderByKind::Expressions(items),
                ..
            }) => items,
            Some(_) => return Err(refuse("ORDER BY ALL")),
        };
        let mut plan = self.body(&query.body, order)?;
        self.limits(query, &mut plan, order)?;
        if nested && !order.is_empty() && plan.top.is_none() && plan.offset.is_none() {
            return Err(Failure::new(1033, &[]));
        }
        Ok(plan)
    }

    fn limits(
        &mut self,
        query: &ast::Query,
        plan: &mut Plan,
        order: &[ast::OrderByExpr],
    ) -> Result<(), Failure> {
        match &query.limit_clause {
            None => {}
            Some(ast::LimitClause::LimitOffset {
                limit: None,
                offset: Some(offset),
                limit_by,
            }) if limit_by.is_empty() => plan.offset = Some(self.whole_number(&offset.value)?),
            Some(_) => return Err(refuse("LIMIT")),
        }
        if let Some(fetch) = &query.fetch {
            if fetch.with_ties || fetch.percent {
                return Err(refuse("FETCH WITH TIES"));
            }
            if let Some(quantity) = &fetch.quantity {
                plan.fetch = Some(self.whole_number(quantity)?);
            }
        }
        if (plan.offset.is_some() || plan.fetch.is_some()) && order.is_empty() {
            return Err(Failure::new(102, &[&"OFFSET"]));
        }
        Ok(())
    }

    /// The argument of TOP, OFFSET, FETCH.
    fn whole_number(&mut self, expression: &ast::Expr) -> Result<Scalar, Failure> {
        let scopes = std::mem::take(&mut self.scopes);
        let bound = self.scalar(expression);
        self.scopes = scopes;
        operator::coerced(bound?, SqlType::BigInt)
    }

    fn body(&mut self, body: &ast::SetExpr, order: &[ast::OrderByExpr]) -> Result<Plan, Failure> {
        match body {
            ast::SetExpr::Select(select) => self.opened(|binder| binder.select(select, order)),
            ast::SetExpr::Query(query) if order.is_empty() => self.query(query, false),
            ast::SetExpr::Query(query) => {
                let mut plan = self.query(query, false)?;
                if !plan.order.is_empty() {
                    return Err(Failure::new(156, &[&"ORDER"]));
                }
                plan.order = self.order_by_columns(order, &plan.columns)?;
                Ok(plan)
            }
            ast::SetExpr::Values(values) => {
                let mut plan = self.opened(|binder| binder.values(values))?;
                plan.order = self.order_by_columns(order, &plan.columns)?;
                Ok(plan)
            }
            ast::SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let mut plan =
                    self.opened(|binder| binder.deeper(|b| b.set(*op, *set_quantifier, left, right)))?;
                plan.order = self.order_by_columns(order, &plan.columns)?;
                Ok(plan)
            }
            _ => Err(refuse("this kind of query")),
        }
    }

    /// Gives a plan its number and finds out whether it is correlated.
    fn opened(&mut self, work: impl FnOnce(&mut Self) -> Result<Plan, Failure>) -> Result<Plan, Failure> {
        self.open.push((self.scopes.len(), false));
        let result = work(self);
        let (_, correlated) = self.open.pop().unwrap_or_default();
        let mut plan = result?;
        plan.correlated |= correlated;
        plan.id = self.next_id;
        self.next_id += 1;
        Ok(plan)
    }

    fn set(
        &mut self,
        op: ast::SetOperator,
        quantifier: ast::SetQuantifier,
        left: &ast::SetExpr,
        right: &ast::SetExpr,
    ) -> Result<Plan, Failure> {
        let operation = match (op, quantifier) {
            (ast::SetOperator::Union, ast::SetQuantifier::All) => SetOperation::UnionAll,
            (ast::SetOperator::Union, ast::SetQuantifier::None) => SetOperation::Union,
            (ast::SetOperator::Except, ast::SetQuantifier::None) => SetOperation::Except,
            (ast::SetOperator::Intersect, ast::SetQuantifier::None) => SetOperation::Intersect,
            _ => return Err(refuse("this set operation")),
        };
        // UNION after UNION is as deep as it is long: it is walked, and bound as a tree of little depth.
        let mut sides = vec![right];
        let mut first = left;
        let associative = matches!(op, ast::SetOperator::Union);
        while let ast::SetExpr::SetOperation {
            op: other,
            set_quantifier,
            left,
            right,
        } = first
            && associative
            && *other == op
            && *set_quantifier == quantifier
        {
            sides.push(right);
            first = left;
        }
        sides.push(first);
        let mut plans = Vec::new();
        for side in sides.into_iter().rev() {
            plans.push(self.body(side, &[])?);
        }
        while plans.len() > 1 {
            let mut halved = Vec::with_capacity(plans.len().div_ceil(2));
            let mut rest = plans.into_iter();
            while let Some(left) = rest.next() {
                halved.push(match rest.next() {
                    Some(right) => self.opened(|_| both(operation, left, right))?,
                    None => left,
                });
            }
            plans = halved;
        }
        plans.pop().ok_or_else(|| Failure::new(102, &[&op]))
    }

    fn values(&mut self, values: &ast::Values) -> Result<Plan, Failure> {
        let mut rows = Vec::new();
        for row in &values.rows {
            let row: Vec<Scalar> = row
                .content
                .iter()
                .map(|expression| self.scalar(expression))
                .collect::<Result<_, _>>()?;
            rows.push(row);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(Failure::new(10_709, &[]));
        }
        let mut columns = Vec::new();
        for at in 0..width {
            let sql_type = operator::common_of(rows.iter().map(|row| &row[at]));
            let nullable = rows.iter().any(|row| row[at].nullable);
            for row in &mut rows {
                let scalar = std::mem::replace(&mut row[at], null());
                row[at] = operator::coerced(scalar, sql_type)?;
            }
            columns.push(Column {
                name: String::new(),
                sql_type,
                nullable,
            });
        }
        Ok(plan_of(columns, Body::Values(rows)))
    }

    /// ORDER BY over a result: its columns' names and numbers.
    fn order_by_columns(
        &mut self,
        order: &[ast::OrderByExpr],
        columns: &[Column],
    ) -> Result<Vec<SortKey>, Failure> {
        let mut keys = Vec::new();
        for item in order {
            let (expression, collation) = select::without_collation(&item.expr);
            let index = match expression {
                ast::Expr::Value(value) => select::ordinal(&value.value, columns.len())?,
                ast::Expr::Identifier(name) => Some(
                    columns
                        .iter()
                        .position(|column| scope::same_name(&column.name, &name.value))
                        .ok_or_else(|| Failure::new(207, &[&name.value]))?,
                ),
                _ => None,
            };
            let index = index.ok_or_else(|| Failure::new(104, &[]))?;
            keys.push(SortKey {
                index,
                descending: select::descending(&item.options)?,
                sql_type: columns[index].sql_type,
                collation: collation.unwrap_or_default(),
            });
        }
        Ok(keys)
    }

    /// An expression's value where no row is needed for it, at once; otherwise the expression.
    fn folded(&mut self, scalar: Scalar) -> Result<Scalar, Failure> {
        if matches!(scalar.node, Node::Constant(_)) || !operator::needs_no_row(&scalar) {
            return Ok(scalar);
        }
        let value = Run::new(self.names).scalar(&scalar, &Env::default())?;
        Ok(Scalar {
            node: Node::Constant(value),
            ..scalar
        })
    }
}

/// Whether a column of a result is the word NULL in every row, which takes any type.
fn is_untyped(plan: &Plan, at: usize) -> bool {
    match &plan.body {
        Body::Select(select) => select.outputs.get(at).is_some_and(Scalar::is_null),
        Body::Set(_, left, right) => is_untyped(left, at) && is_untyped(right, at),
        Body::Values(_) => false,
    }
}

/// One result of two.
fn both(operation: SetOperation, left: Plan, right: Plan) -> Result<Plan, Failure> {
    if left.columns.len() != right.columns.len() {
        return Err(Failure::new(205, &[]));
    }
    let mut columns = Vec::new();
    for (at, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
        let sql_type = match (is_untyped(&left, at), is_untyped(&right, at)) {
            (true, false) => b.sql_type,
            (false, true) => a.sql_type,
            _ => types::common(a.sql_type, b.sql_type),
        };
        columns.push(Column {
            name: a.name.clone(),
            sql_type,
            nullable: a.nullable || b.nullable,
        });
    }
    let correlated = left.correlated || right.correlated;
    let mut plan = plan_of(columns, Body::Set(operation, Box::new(left), Box::new(right)));
    plan.correlated = correlated;
    Ok(plan)
}

/// A plan without order and limits.
fn plan_of(columns: Vec<Column>, body: Body) -> Plan {
    Plan {
        id: 0,
        correlated: false,
        columns,
        body,
        order: Vec::new(),
        top: None,
        offset: None,
        fetch: None,
    }
}

/// The word NULL.
fn null() -> Scalar {
    Scalar::constant(Value::Null, SqlType::Int)
}
