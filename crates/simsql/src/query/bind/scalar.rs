//! Expressions that have a value.

use sqlparser::ast::{self, BinaryOperator, Expr, UnaryOperator};

use crate::message::Failure;
use crate::query::bind::{Binder, literal, operator};
use crate::query::collation::Collation;
use crate::query::plan::{Comparison, Node, Plan, Predicate, Scalar};
use crate::query::{convert, functions, refuse, types};
use crate::value::{Length, SqlType, Value};

/// Words that are functions though no parentheses follow.
const BARE_FUNCTIONS: [&str; 5] = [
    "CURRENT_USER",
    "SYSTEM_USER",
    "SESSION_USER",
    "USER",
    "CURRENT_TIMESTAMP",
];

impl Binder<'_> {
    /// An expression with a value.
    pub(crate) fn scalar(&mut self, expression: &Expr) -> Result<Scalar, Failure> {
        if let Some(key) = self.group_key(expression)? {
            return Ok(key);
        }
        self.deeper(|binder| binder.scalar_here(expression))
    }

    fn scalar_here(&mut self, expression: &Expr) -> Result<Scalar, Failure> {
        match expression {
            Expr::Identifier(name) => self.word(name),
            Expr::CompoundIdentifier(parts) => self.column(parts),
            Expr::Value(value) => literal::bind(&value.value),
            Expr::Nested(inner) => self.scalar(inner),
            Expr::UnaryOp { op, expr } => self.unary(op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Cast {
                kind,
                expr,
                data_type,
                format: None,
            } => {
                let operand = self.scalar(expr)?;
                let lenient = *kind == ast::CastKind::TryCast;
                cast(operand, types::cast_target(data_type)?, None, lenient)
            }
            Expr::Convert {
                is_try,
                expr,
                data_type: Some(data_type),
                styles,
                ..
            } => self.convert(expr, data_type, styles, *is_try),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Expr::Function(function) => self.function(function),
            Expr::Subquery(query) => self.subquery(query),
            Expr::Collate { expr, collation } => {
                let mut scalar = self.scalar(expr)?;
                scalar.collation = Some(Collation::named(&last_name(collation)));
                Ok(scalar)
            }
            Expr::TypedString(typed) if typed.uses_odbc_syntax => odbc_moment(typed),
            _ => self.spelled_function(expression),
        }
    }

    /// What sqlparser knows by special syntax and T-SQL as plain functions.
    fn spelled_function(&mut self, expression: &Expr) -> Result<Scalar, Failure> {
        match expression {
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for: Some(length),
                ..
            } => {
                let arguments = vec![self.scalar(expr)?, self.scalar(from)?, self.scalar(length)?];
                functions::call("SUBSTRING", arguments)
            }
            Expr::Trim {
                trim_where: None,
                trim_what,
                expr,
                trim_characters: None,
            } => {
                let mut arguments = vec![self.scalar(expr)?];
                if let Some(what) = trim_what {
                    arguments.push(self.scalar(what)?);
                }
                functions::call("TRIM", arguments)
            }
            Expr::Ceil { expr, .. } => functions::call("CEILING", vec![self.scalar(expr)?]),
            Expr::Floor { expr, .. } => functions::call("FLOOR", vec![self.scalar(expr)?]),
            Expr::AtTimeZone { .. } => Err(refuse("AT TIME ZONE")),
            Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::Exists { .. } => Err(Failure::new(156, &[&"IS"])),
            other => Err(refuse(&format!("the expression {other}"))),
        }
    }

    fn word(&mut self, name: &ast::Ident) -> Result<Scalar, Failure> {
        if name.quote_style.is_none() {
            if name.value.starts_with('@') {
                let (_, sql_type) = self
                    .names
                    .variable(&name.value)
                    .ok_or_else(|| Failure::new(137, &[&name.value]))?;
                return Ok(Scalar::new(Node::Variable(name.value.clone()), sql_type));
            }
            let upper = name.value.to_uppercase();
            if BARE_FUNCTIONS.contains(&upper.as_str()) {
                return self.session_function(&upper, Vec::new());
            }
        }
        self.column(std::slice::from_ref(name))
    }

    fn unary(&mut self, op: &UnaryOperator, operand: &Expr) -> Result<Scalar, Failure> {
        match op {
            UnaryOperator::Plus => self.scalar(operand),
            UnaryOperator::Minus => {
                if let Expr::Value(value) = operand
                    && let ast::Value::Number(digits, _) = &value.value
                    && !digits.contains(['e', 'E'])
                {
                    return negative_literal(literal::bind(&value.value)?);
                }
                operator::negated(self.scalar(operand)?)
            }
            UnaryOperator::BitwiseNot => operator::complemented(self.scalar(operand)?),
            other => Err(Failure::new(102, &[other])),
        }
    }

    /// A chain like `'a' + b + 'c'` is as deep as it is long: it is walked, not descended.
    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Scalar, Failure> {
        let mut chain = vec![(op, right)];
        let mut first = left;
        while let Expr::BinaryOp { left, op, right } = first {
            chain.push((op, right));
            first = left;
        }
        if chain.len() > super::DEPTH_MAX {
            return Err(Failure::new(8632, &[]));
        }
        let mut bound = self.scalar(first)?;
        for (op, right) in chain.into_iter().rev() {
            let right = self.scalar(right)?;
            bound = operator::binary(op, bound, right)?;
        }
        Ok(bound)
    }

    fn convert(
        &mut self,
        operand: &Expr,
        data_type: &ast::DataType,
        styles: &[Expr],
        lenient: bool,
    ) -> Result<Scalar, Failure> {
        let operand = self.scalar(operand)?;
        let to = types::cast_target(data_type)?;
        let style = match styles {
            [] => None,
            [style] => {
                let style = self.scalar(style)?;
                Some(operator::coerced(style, SqlType::Int)?)
            }
            _ => return Err(Failure::new(189, &[&"convert", &2, &3])),
        };
        cast(operand, to, style, lenient)
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Scalar, Failure> {
        let mut branches = Vec::new();
        for branch in conditions {
            let condition = match operand {
                None => self.predicate(&branch.condition)?,
                Some(operand) => {
                    let (left, right) = (self.scalar(operand)?, self.scalar(&branch.condition)?);
                    compared(Comparison::Equal, left, right)?
                }
            };
            branches.push((condition, self.scalar(&branch.result)?));
        }
        let otherwise = otherwise.map(|expression| self.scalar(expression)).transpose()?;
        case_of(branches, otherwise)
    }

    fn subquery(&mut self, query: &ast::Query) -> Result<Scalar, Failure> {
        let plan = self.single(query)?;
        let sql_type = plan.columns[0].sql_type;
        Ok(Scalar::new(Node::Subquery(Box::new(plan)), sql_type))
    }

    /// A nested query of one column.
    pub(super) fn single(&mut self, query: &ast::Query) -> Result<Plan, Failure> {
        let plan = self.query(query, true)?;
        if plan.columns.len() != 1 {
            return Err(Failure::new(116, &[]));
        }
        Ok(plan)
    }
}

/// CASE of bound branches: all in one type.
pub(super) fn case_of(
    branches: Vec<(Predicate, Scalar)>,
    otherwise: Option<Scalar>,
) -> Result<Scalar, Failure> {
    let results = branches.iter().map(|(_, result)| result).chain(&otherwise);
    let sql_type = operator::common_of(results);
    let nullable = branches
        .iter()
        .map(|(_, result)| result)
        .chain(&otherwise)
        .any(|result| result.nullable);
    let mut fitted = Vec::new();
    let has_otherwise = otherwise.is_some();
    for (condition, result) in branches {
        fitted.push((condition, operator::coerced(result, sql_type)?));
    }
    let otherwise = otherwise
        .map(|result| operator::coerced(result, sql_type).map(Box::new))
        .transpose()?;
    Ok(Scalar {
        nullable: nullable || !has_otherwise,
        ..Scalar::new(Node::Case(fitted, otherwise), sql_type)
    })
}

/// A comparison of two expressions, brought into one type.
pub(super) fn compared(comparison: Comparison, left: Scalar, right: Scalar) -> Result<Predicate, Failure> {
    let collation = operator::collation_of(&left, &right);
    let (left, right, _) = operator::comparable(left, right)?;
    Ok(Predicate::Compare(comparison, left, right, collation))
}

fn cast(operand: Scalar, to: SqlType, style: Option<Scalar>, lenient: bool) -> Result<Scalar, Failure> {
    if !operand.is_null() {
        convert::check_explicit(operand.sql_type, to)?;
    }
    Ok(Scalar {
        nullable: operand.nullable || lenient,
        ..Scalar::new(
            Node::Convert {
                operand: Box::new(operand),
                style: style.map(Box::new),
                lenient,
            },
            to,
        )
    })
}

/// A literal with its sign; `-2147483648` is an int though `2147483648` is none.
fn negative_literal(literal: Scalar) -> Result<Scalar, Failure> {
    match literal.node {
        Node::Constant(Value::Integer(number)) => Ok(Scalar::constant(Value::Integer(-number), SqlType::Int)),
        Node::Constant(Value::Decimal(mut number)) => {
            number.unscaled = -number.unscaled;
            if number.scale == 0 && number.unscaled == i128::from(i32::MIN) {
                return Ok(Scalar::constant(i64::from(i32::MIN).into(), SqlType::Int));
            }
            Ok(Scalar::constant(Value::Decimal(number), literal.sql_type))
        }
        _ => operator::negated(literal),
    }
}

/// `{ts '2026-11-21 17:33:05'}`, `{d '...'}`, `{t '...'}`: all `datetime`.
fn odbc_moment(typed: &ast::TypedString) -> Result<Scalar, Failure> {
    let ast::Value::SingleQuotedString(text) = &typed.value.value else {
        return Err(Failure::new(102, &[&"{"]));
    };
    let value = convert::convert(
        Value::Text(text.clone()),
        SqlType::VarChar(Length::Max),
        SqlType::DateTime,
    )?;
    Ok(Scalar::constant(value, SqlType::DateTime))
}

/// The last part of a name.
pub(super) fn last_name(name: &ast::ObjectName) -> String {
    match name.0.last() {
        Some(ast::ObjectNamePart::Identifier(word)) => word.value.clone(),
        _ => String::new(),
    }
}
