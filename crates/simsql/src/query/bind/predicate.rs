//! Conditions.

use sqlparser::ast::{self, BinaryOperator, Expr, UnaryOperator};

use crate::message::Failure;
use crate::query::bind::scalar::compared;
use crate::query::bind::{Binder, operator};
use crate::query::plan::{Comparison, Predicate, Scalar};
use crate::query::refuse;
use crate::query::types::{self, Family};
use crate::value::{Length, SqlType};

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn negated_if(negated: bool, predicate: Predicate) -> Predicate {
    if negated {
        Predicate::Not(Box::new(predicate))
    } else {
        predicate
    }
}

impl Binder<'_> {
    /// A condition.
    pub(crate) fn predicate(&mut self, expression: &Expr) -> Result<Predicate, Failure> {
        self.deeper(|binder| binder.predicate_here(expression))
    }

    fn predicate_here(&mut self, expression: &Expr) -> Result<Predicate, Failure> {
        match expression {
            Expr::Nested(inner) => self.predicate(inner),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => Ok(negated_if(true, self.predicate(expr)?)),
            Expr::BinaryOp {
                op: BinaryOperator::And,
                ..
            } => Ok(Predicate::And(self.chain(expression, &BinaryOperator::And)?)),
            Expr::BinaryOp {
                op: BinaryOperator::Or,
                ..
            } => Ok(Predicate::Or(self.chain(expression, &BinaryOperator::Or)?)),
            Expr::BinaryOp { left, op, right } => match comparison(op) {
                Some(comparison) => {
                    let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                    compared(comparison, left, right)
                }
                None => Err(Failure::new(4145, &[op])),
            },
            Expr::IsNull(operand) => Ok(Predicate::IsNull(self.scalar(operand)?)),
            Expr::IsNotNull(operand) => Ok(negated_if(true, Predicate::IsNull(self.scalar(operand)?))),
            Expr::InList { expr, list, negated } => Ok(negated_if(*negated, self.in_list(expr, list)?)),
            Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => {
                let found = self.quantified(expr, Comparison::Equal, false, subquery)?;
                Ok(negated_if(*negated, found))
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let operand = self.scalar(expr)?;
                let low = self.scalar(low)?;
                let high = self.scalar(high)?;
                let both = Predicate::And(vec![
                    compared(Comparison::GreaterOrEqual, operand.clone(), low)?,
                    compared(Comparison::LessOrEqual, operand, high)?,
                ]);
                Ok(negated_if(*negated, both))
            }
            _ => self.other_predicate(expression),
        }
    }

    fn other_predicate(&mut self, expression: &Expr) -> Result<Predicate, Failure> {
        match expression {
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => {
                let operand = self.text(expr)?;
                let pattern = self.text(pattern)?;
                let escape = escape_char.as_ref().map(|e| self.text(e)).transpose()?;
                let collation = operator::collation_of(&operand, &pattern);
                Ok(negated_if(
                    *negated,
                    Predicate::Like(operand, pattern, escape, collation),
                ))
            }
            Expr::Exists { subquery, negated } => {
                let plan = self.query(subquery, true)?;
                Ok(negated_if(*negated, Predicate::Exists(Box::new(plan))))
            }
            Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.against_query(left, compare_op, false, right),
            Expr::AllOp {
                left,
                compare_op,
                right,
            } => self.against_query(left, compare_op, true, right),
            Expr::IsNotDistinctFrom(left, right) => self.same(left, right),
            Expr::IsDistinctFrom(left, right) => Ok(negated_if(true, self.same(left, right)?)),
            Expr::Identifier(name) => Err(Failure::new(4145, &[&name.value])),
            Expr::Value(value) => Err(Failure::new(4145, &[value])),
            Expr::CompoundIdentifier(_) | Expr::Function(_) | Expr::Case { .. } | Expr::Cast { .. } => {
                Err(Failure::new(4145, &[expression]))
            }
            other => Err(refuse(&format!("the condition {other}"))),
        }
    }

    /// `a AND b AND c`, however long.
    fn chain(&mut self, expression: &Expr, wanted: &BinaryOperator) -> Result<Vec<Predicate>, Failure> {
        let mut parts = Vec::new();
        let mut first = expression;
        while let Expr::BinaryOp { left, op, right } = first
            && op == wanted
        {
            parts.push(&**right);
            first = left;
        }
        parts.push(first);
        parts.into_iter().rev().map(|part| self.predicate(part)).collect()
    }

    fn text(&mut self, expression: &Expr) -> Result<Scalar, Failure> {
        let scalar = self.scalar(expression)?;
        if types::family(scalar.sql_type) == Family::Text {
            return Ok(scalar);
        }
        if scalar.sql_type == SqlType::Variant {
            return Err(Failure::new(8116, &[&"sql_variant", &1, &"like"]));
        }
        operator::coerced(scalar, SqlType::NVarChar(Length::Max))
    }

    fn in_list(&mut self, operand: &Expr, list: &[Expr]) -> Result<Predicate, Failure> {
        let operand = self.scalar(operand)?;
        let list: Vec<Scalar> = list
            .iter()
            .map(|item| self.scalar(item))
            .collect::<Result<_, _>>()?;
        let collation = operand.collation.unwrap_or_default();
        let meeting = operator::common_of(std::iter::once(&operand).chain(&list));
        let operand = operator::coerced(operand, meeting)?;
        let list = list
            .into_iter()
            .map(|item| operator::coerced(item, meeting))
            .collect::<Result<_, _>>()?;
        Ok(Predicate::In(operand, list, collation))
    }

    fn against_query(
        &mut self,
        operand: &Expr,
        op: &BinaryOperator,
        all: bool,
        query: &Expr,
    ) -> Result<Predicate, Failure> {
        match (comparison(op), query) {
            (Some(comparison), Expr::Subquery(query)) => self.quantified(operand, comparison, all, query),
            _ => Err(Failure::new(102, &[op])),
        }
    }

    fn quantified(
        &mut self,
        operand: &Expr,
        comparison: Comparison,
        all: bool,
        query: &ast::Query,
    ) -> Result<Predicate, Failure> {
        let operand = self.scalar(operand)?;
        let plan = self.single(query)?;
        let sql_type = types::common(operand.sql_type, plan.columns[0].sql_type);
        let collation = operand.collation.unwrap_or_default();
        Ok(Predicate::Quantified {
            operand: Box::new(operator::coerced(operand, sql_type)?),
            comparison,
            all,
            plan: Box::new(plan),
            sql_type,
            collation,
        })
    }

    /// IS NOT DISTINCT FROM: equal, or both NULL; never unknown.
    fn same(&mut self, left: &Expr, right: &Expr) -> Result<Predicate, Failure> {
        let (left, right) = (self.scalar(left)?, self.scalar(right)?);
        let is_null = |scalar: &Scalar| Predicate::IsNull(scalar.clone());
        let both_null = Predicate::And(vec![is_null(&left), is_null(&right)]);
        let neither = Predicate::Not(Box::new(Predicate::Or(vec![is_null(&left), is_null(&right)])));
        let equal = compared(Comparison::Equal, left, right)?;
        Ok(Predicate::Or(vec![
            both_null,
            Predicate::And(vec![neither, equal]),
        ]))
    }
}
