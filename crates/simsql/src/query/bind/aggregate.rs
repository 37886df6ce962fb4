//! Aggregates, and expressions over groups.

use sqlparser::ast::{self, Expr};

use crate::message::Failure;
use crate::query::bind::function::{Arguments, count_type, sum_type};
use crate::query::bind::{Binder, operator, select};
use crate::query::plan::{Aggregate, Fold, Node, OrderItem, Scalar};
use crate::query::types::{self, Family};
use crate::value::{LONGEST, Length, SqlType};

impl Binder<'_> {
    pub(super) fn is_aggregate(name: &str) -> bool {
        fold(name).is_some()
    }

    /// An aggregate in a select list, HAVING or ORDER BY: a column of the row of a group.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
        within: &[ast::OrderByExpr],
    ) -> Result<Scalar, Failure> {
        let level = self.scopes.len();
        let Some(scope) = self.scopes.last_mut() else {
            return Err(Failure::new(147, &[]));
        };
        let Some(grouping) = scope.grouping.take() else {
            self.wants_grouping = scope.may_group;
            return Err(Failure::new(147, &[]));
        };
        // The arguments are over rows, not over groups, and hold no aggregate themselves.
        let (may_group, windows) = (std::mem::take(&mut scope.may_group), scope.windows.take());
        let bound = self.aggregate_of(name, arguments, within);
        let scope = &mut self.scopes[level - 1];
        scope.may_group = may_group;
        scope.windows = windows;
        let grouping = scope.grouping.insert(grouping);
        let bound = bound?;
        let sql_type = bound.sql_type;
        let nullable = bound.fold != Fold::Count;
        let at = match grouping.aggregates.iter().position(|other| *other == bound) {
            Some(at) => at,
            None => {
                grouping.aggregates.push(bound);
                grouping.aggregates.len() - 1
            }
        };
        let index = grouping.keys.len() + at;
        Ok(Scalar {
            nullable,
            ..Scalar::new(Node::Column { depth: 0, index }, sql_type)
        })
    }

    /// An aggregate over the rows of the current scope.
    pub(super) fn aggregate_of(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
        within: &[ast::OrderByExpr],
    ) -> Result<Aggregate, Failure> {
        let fold = fold(name).ok_or_else(|| Failure::new(195, &[&name]))?;
        let wanted = if fold == Fold::Join { 2 } else { 1 };
        if arguments.wildcard && fold == Fold::Count && arguments.expressions.is_empty() {
            return Ok(Aggregate {
                fold,
                operand: None,
                separator: None,
                order: Vec::new(),
                distinct: false,
                sql_type: count_type(name),
            });
        }
        if arguments.expressions.len() != wanted || arguments.wildcard {
            return Err(Failure::new(174, &[&name, &wanted]));
        }
        let mut operand = self.scalar(arguments.expressions[0])?;
        let mut separator = None;
        let sql_type = match fold {
            Fold::Count => count_type(name),
            Fold::Sum => sum_type(operand.sql_type, false, name)?,
            Fold::Avg => sum_type(operand.sql_type, true, name)?,
            Fold::Min | Fold::Max => {
                if operand.sql_type == SqlType::Bit {
                    return Err(Failure::new(8117, &[&"bit", &name.to_lowercase()]));
                }
                operand.sql_type
            }
            Fold::Join => {
                let joined = joined_type(operand.sql_type);
                operand = operator::coerced(operand, joined)?;
                let text = self.scalar(arguments.expressions[1])?;
                separator = Some(operator::coerced(text, SqlType::NVarChar(Length::Of(4000)))?);
                joined
            }
        };
        if matches!(fold, Fold::Sum | Fold::Avg) {
            operand = operator::coerced(operand, sql_type)?;
        }
        Ok(Aggregate {
            fold,
            operand: Some(operand),
            separator,
            order: self.order_items(within)?,
            distinct: arguments.distinct,
            sql_type,
        })
    }

    /// ORDER BY of a window or of WITHIN GROUP.
    pub(super) fn order_items(&mut self, order: &[ast::OrderByExpr]) -> Result<Vec<OrderItem>, Failure> {
        order
            .iter()
            .map(|item| {
                Ok(OrderItem {
                    operand: self.scalar(&item.expr)?,
                    descending: select::descending(&item.options)?,
                })
            })
            .collect()
    }

    /// The key of GROUP BY that an expression is, where it is one: `YEAR(d)` in a query that groups by `YEAR(d)`.
    pub(super) fn group_key(&mut self, expression: &Expr) -> Result<Option<Scalar>, Failure> {
        let interesting = !matches!(
            expression,
            Expr::Identifier(_)
                | Expr::CompoundIdentifier(_)
                | Expr::Value(_)
                | Expr::Subquery(_)
                | Expr::Nested(_)
        );
        let Some(scope) = self.scopes.last_mut() else {
            return Ok(None);
        };
        let has_keys = scope.grouping.as_ref().is_some_and(|grouping| {
            grouping
                .keys
                .iter()
                .any(|key| !matches!(key.node, Node::Column { .. }))
        });
        if !interesting || !has_keys {
            return Ok(None);
        }
        let level = self.scopes.len() - 1;
        let scope = &mut self.scopes[level];
        let grouping = scope.grouping.take();
        let (may_group, windows) = (std::mem::take(&mut scope.may_group), scope.windows.take());
        let wanted = self.wants_grouping;
        let bound = self.deeper(|binder| binder.scalar(expression));
        self.wants_grouping = wanted;
        let scope = &mut self.scopes[level];
        scope.grouping = grouping;
        scope.may_group = may_group;
        scope.windows = windows;
        let (Ok(bound), Some(grouping)) = (bound, &scope.grouping) else {
            return Ok(None);
        };
        let found = grouping.keys.iter().position(|key| key.node == bound.node);
        Ok(found.map(|index| Scalar {
            node: Node::Column { depth: 0, index },
            ..bound
        }))
    }
}

/// The aggregate of a name.
fn fold(name: &str) -> Option<Fold> {
    Some(match name {
        "COUNT" | "COUNT_BIG" => Fold::Count,
        "SUM" => Fold::Sum,
        "MIN" => Fold::Min,
        "MAX" => Fold::Max,
        "AVG" => Fold::Avg,
        "STRING_AGG" => Fold::Join,
        _ => return None,
    })
}

/// STRING_AGG: (max) where its operand is, else as long as a type can be.
fn joined_type(sql_type: SqlType) -> SqlType {
    match (types::length_of(sql_type), types::is_unicode(sql_type)) {
        (Some(Length::Max), true) => SqlType::NVarChar(Length::Max),
        (Some(Length::Max), false) => SqlType::VarChar(Length::Max),
        (_, false) if types::family(sql_type) == Family::Text => SqlType::VarChar(Length::Of(LONGEST)),
        _ => SqlType::NVarChar(Length::Of(LONGEST / 2)),
    }
}
