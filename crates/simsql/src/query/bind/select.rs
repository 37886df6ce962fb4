//! SELECT: from its clauses, in the order in which they act.

use sqlparser::ast::{self, Expr, SelectItem};

use crate::message::Failure;
use crate::query::bind::operator;
use crate::query::bind::scope::same_name;
use crate::query::bind::{Binder, Scope, plan_of};
use crate::query::collation::Collation;
use crate::query::plan::{Body, Grouping, Node, Plan, Predicate, Scalar, Select, SortKey, Top};
use crate::query::refuse;
use crate::value::{Column, SqlType, Value};

/// Items of a select list, as SQL Server's documentation has it; the wire counts columns in two bytes.
const COLUMNS_MAX: usize = 4096;

/// An item of a select list.
struct Output {
    name: String,
    scalar: Scalar,
}

/// What is bound behind FROM, WHERE and GROUP BY.
struct List {
    outputs: Vec<Output>,
    having: Option<Predicate>,
    hidden: Vec<Scalar>,
    order: Vec<SortKey>,
    assigns: Vec<String>,
}

impl Binder<'_> {
    /// SELECT with the ORDER BY behind it.
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
    ) -> Result<Plan, Failure> {
        check_clauses(select)?;
        let distinct = match &select.distinct {
            None | Some(ast::Distinct::All) => false,
            Some(ast::Distinct::Distinct) => true,
            Some(ast::Distinct::On(_)) => return Err(refuse("DISTINCT ON")),
        };
        let top = self.top(select.top.as_ref(), order)?;
        self.scopes.push(Scope::default());
        let from = self.from(&select.from, select.selection.as_ref())?;
        let filter = select
            .selection
            .as_ref()
            .map(|condition| self.predicate(condition))
            .transpose()?;
        let keys = self.group_keys(&select.group_by)?;
        let grouped = !keys.is_empty() || select.having.is_some();
        let list = self.grouped_list(select, order, keys, grouped, distinct)?;
        let scope = self.scopes.pop().unwrap_or_default();
        let columns = list
            .outputs
            .iter()
            .map(|output| Column {
                name: output.name.clone(),
                sql_type: output.scalar.sql_type,
                nullable: output.scalar.nullable,
            })
            .collect();
        let visible = list.outputs.len();
        let outputs = list
            .outputs
            .into_iter()
            .map(|output| output.scalar)
            .chain(list.hidden)
            .collect();
        let body = Select {
            from,
            filter,
            grouping: scope.grouping,
            having: list.having,
            windows: scope.windows.unwrap_or_default(),
            outputs,
            visible,
            distinct,
            assigns: list.assigns,
        };
        let mut plan = plan_of(columns, Body::Select(Box::new(body)));
        plan.order = list.order;
        plan.top = top;
        Ok(plan)
    }

    fn top(&mut self, top: Option<&ast::Top>, order: &[ast::OrderByExpr]) -> Result<Option<Top>, Failure> {
        let Some(top) = top else {
            return Ok(None);
        };
        if top.with_ties && order.is_empty() {
            return Err(Failure::new(1062, &[]));
        }
        let sql_type = if top.percent {
            SqlType::Float
        } else {
            SqlType::BigInt
        };
        let count = match &top.quantity {
            Some(ast::TopQuantity::Constant(count)) => {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                Scalar::constant(Value::Integer(count), SqlType::BigInt)
            }
            Some(ast::TopQuantity::Expr(expression)) => {
                let scopes = std::mem::take(&mut self.scopes);
                let bound = self.scalar(expression);
                self.scopes = scopes;
                bound?
            }
            None => return Err(Failure::new(102, &[&"TOP"])),
        };
        Ok(Some(Top {
            count: operator::coerced(count, sql_type)?,
            percent: top.percent,
            with_ties: top.with_ties,
        }))
    }

    fn group_keys(&mut self, group_by: &ast::GroupByExpr) -> Result<Vec<Scalar>, Failure> {
        match group_by {
            ast::GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => {
                let mut keys = Vec::new();
                for expression in expressions {
                    if matches!(
                        expression,
                        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) | Expr::Tuple(_)
                    ) {
                        return Err(refuse("GROUPING SETS, CUBE, ROLLUP"));
                    }
                    let key = self.scalar(expression)?;
                    if !keys.iter().any(|other: &Scalar| other.node == key.node) {
                        keys.push(key);
                    }
                }
                Ok(keys)
            }
            _ => Err(refuse("GROUP BY ALL and its options")),
        }
    }

    /// The select list; bound a second time where an aggregate shows that the query is over one group.
    fn grouped_list(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
        keys: Vec<Scalar>,
        grouped: bool,
        distinct: bool,
    ) -> Result<List, Failure> {
        let level = self.scopes.len() - 1;
        if grouped {
            self.scopes[level].grouping = Some(Grouping {
                keys,
                aggregates: Vec::new(),
            });
        } else {
            self.scopes[level].may_group = true;
        }
        self.scopes[level].windows = Some(Vec::new());
        let around = std::mem::replace(&mut self.wants_grouping, false);
        let mut list = self.list(select, order, distinct);
        if !grouped && list.is_err() && self.wants_grouping {
            let scope = &mut self.scopes[level];
            scope.may_group = false;
            scope.grouping = Some(Grouping::default());
            scope.windows = Some(Vec::new());
            list = self.list(select, order, distinct);
        }
        self.wants_grouping = around;
        list
    }

    fn list(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
        distinct: bool,
    ) -> Result<List, Failure> {
        let (outputs, assigns) = self.outputs(&select.projection)?;
        let windows = self.scopes.last_mut().and_then(|scope| scope.windows.take());
        let having = select
            .having
            .as_ref()
            .map(|condition| self.predicate(condition))
            .transpose();
        if let Some(scope) = self.scopes.last_mut() {
            scope.windows = windows;
        }
        let mut list = List {
            outputs,
            having: having?,
            hidden: Vec::new(),
            order: Vec::new(),
            assigns,
        };
        for item in order {
            self.order_item(item, &mut list, distinct)?;
        }
        Ok(list)
    }

    fn outputs(&mut self, projection: &[SelectItem]) -> Result<(Vec<Output>, Vec<String>), Failure> {
        let mut outputs = Vec::new();
        let mut assigns = Vec::new();
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expression) => outputs.push(Output {
                    name: natural_name(expression),
                    scalar: self.scalar(expression)?,
                }),
                SelectItem::ExprWithAlias { expr, alias } => {
                    let mut scalar = self.scalar(expr)?;
                    if alias.quote_style.is_none() && alias.value.starts_with('@') {
                        let (_, sql_type) = self
                            .names
                            .variable(&alias.value)
                            .ok_or_else(|| Failure::new(137, &[&alias.value]))?;
                        scalar = operator::coerced(scalar, sql_type)?;
                        assigns.push(alias.value.clone());
                    }
                    outputs.push(Output {
                        name: alias.value.clone(),
                        scalar,
                    });
                }
                SelectItem::Wildcard(options) => {
                    check_wildcard(options)?;
                    self.all_columns(&[], &mut outputs)?;
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    check_wildcard(options)?;
                    let ast::SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                        return Err(Failure::new(102, &[&"*"]));
                    };
                    let prefix: Vec<ast::Ident> = name
                        .0
                        .iter()
                        .filter_map(|part| part.as_ident().cloned())
                        .collect();
                    self.all_columns(&prefix, &mut outputs)?;
                }
                SelectItem::ExprWithAliases { .. } => return Err(refuse("several aliases")),
            }
            if outputs.len() > COLUMNS_MAX {
                return Err(Failure::new(1056, &[&COLUMNS_MAX]));
            }
        }
        if !assigns.is_empty() && assigns.len() != outputs.len() {
            return Err(Failure::new(141, &[]));
        }
        Ok((outputs, assigns))
    }

    /// `*` and `t.*`.
    fn all_columns(&mut self, prefix: &[ast::Ident], outputs: &mut Vec<Output>) -> Result<(), Failure> {
        let Some(scope) = self.scopes.last() else {
            return Ok(());
        };
        let sources: Vec<_> = scope
            .sources
            .iter()
            .filter(|source| source.answers_to(prefix))
            .cloned()
            .collect();
        if sources.is_empty() {
            return Err(match prefix.last() {
                Some(_) => {
                    let name: Vec<&str> = prefix.iter().map(|part| part.value.as_str()).collect();
                    Failure::new(107, &[&name.join(".")])
                }
                None => Failure::new(263, &[]),
            });
        }
        let grouping = scope.grouping.clone();
        for source in sources {
            for (at, column) in source.columns.iter().enumerate() {
                let mut index = source.offset + at;
                if let Some(grouping) = &grouping {
                    let wanted = Node::Column { depth: 0, index };
                    index = grouping
                        .keys
                        .iter()
                        .position(|key| key.node == wanted)
                        .ok_or_else(|| {
                            let table = source.parts.join(".");
                            Failure::new(8120, &[&format!("{table}.{}", column.name)])
                        })?;
                }
                outputs.push(Output {
                    name: column.name.clone(),
                    scalar: Scalar {
                        nullable: column.nullable,
                        ..Scalar::new(Node::Column { depth: 0, index }, column.sql_type)
                    },
                });
            }
        }
        Ok(())
    }

    /// An item of ORDER BY: a column's number, its alias, or any expression.
    fn order_item(
        &mut self,
        item: &ast::OrderByExpr,
        list: &mut List,
        distinct: bool,
    ) -> Result<(), Failure> {
        let (bare, collation) = without_collation(&item.expr);
        let mut index = match bare {
            Expr::Value(value) => ordinal(&value.value, list.outputs.len())?,
            Expr::Identifier(name) => list
                .outputs
                .iter()
                .position(|output| same_name(&output.name, &name.value)),
            _ => None,
        };
        let mut collation = collation;
        if index.is_none() {
            let scalar = self.scalar(&item.expr)?;
            collation = scalar.collation.or(collation);
            let outputs = list.outputs.iter().map(|output| &output.scalar);
            index = outputs
                .chain(&list.hidden)
                .position(|other| other.node == scalar.node);
            if index.is_none() {
                if distinct {
                    return Err(Failure::new(145, &[]));
                }
                list.hidden.push(scalar);
            }
        }
        let index = index.unwrap_or(list.outputs.len() + list.hidden.len() - 1);
        let scalar = match list.outputs.get(index) {
            Some(output) => &output.scalar,
            None => &list.hidden[index - list.outputs.len()],
        };
        list.order.push(SortKey {
            index,
            descending: descending(&item.options)?,
            sql_type: scalar.sql_type,
            collation: collation.or(scalar.collation).unwrap_or_default(),
        });
        Ok(())
    }
}

/// What other dialects have in a SELECT.
fn check_clauses(select: &ast::Select) -> Result<(), Failure> {
    if select.into.is_some() {
        return Err(refuse("SELECT INTO"));
    }
    let foreign = !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || !select.named_window.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || select.exclude.is_some();
    if foreign {
        return Err(refuse("a clause of this SELECT"));
    }
    Ok(())
}

fn check_wildcard(options: &ast::WildcardAdditionalOptions) -> Result<(), Failure> {
    let plain = options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none();
    if plain {
        Ok(())
    } else {
        Err(Failure::new(102, &[&"*"]))
    }
}

/// The name a column has without an alias.
fn natural_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(name) if !name.value.starts_with('@') => name.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map_or_else(String::new, |part| part.value.clone()),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => natural_name(inner),
        _ => String::new(),
    }
}

/// An expression and the collation behind it.
pub(super) fn without_collation(expression: &Expr) -> (&Expr, Option<Collation>) {
    match expression {
        Expr::Collate { expr, collation } => {
            let name = super::scalar::last_name(collation);
            (expr, Some(Collation::named(&name)))
        }
        other => (other, None),
    }
}

/// `ORDER BY 2`: the place it means.
pub(super) fn ordinal(value: &ast::Value, width: usize) -> Result<Option<usize>, Failure> {
    let ast::Value::Number(digits, _) = value else {
        return Ok(None);
    };
    match digits.parse::<usize>() {
        Ok(number) if (1..=width).contains(&number) => Ok(Some(number - 1)),
        _ => Err(Failure::new(108, &[digits])),
    }
}

/// DESC; T-SQL has no NULLS FIRST.
pub(super) fn descending(options: &ast::OrderByOptions) -> Result<bool, Failure> {
    if options.nulls_first.is_some() {
        return Err(Failure::new(102, &[&"NULLS"]));
    }
    match options.sort {
        Some(ast::OrderBySort::Desc) => Ok(true),
        None | Some(ast::OrderBySort::Asc) => Ok(false),
        Some(ast::OrderBySort::Using(_)) => Err(Failure::new(102, &[&"USING"])),
    }
}
