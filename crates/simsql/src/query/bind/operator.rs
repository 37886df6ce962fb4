//! Operators: in which types operands meet and what comes out.

use sqlparser::ast::BinaryOperator;

use crate::message::Failure;
use crate::query::bind::{literal, null};
use crate::query::collation::Collation;
use crate::query::convert;
use crate::query::plan::{Arithmetic, Node, Scalar};
use crate::query::types::{self, Family, name};
use crate::query::{decimal, refuse};
use crate::value::{LONGEST, Length, SqlType, Value};

/// An expression in a type it goes into by itself.
pub(crate) fn coerced(scalar: Scalar, sql_type: SqlType) -> Result<Scalar, Failure> {
    if scalar.sql_type == sql_type {
        return Ok(scalar);
    }
    if scalar.is_null() {
        return Ok(Scalar::constant(Value::Null, sql_type));
    }
    convert::check_implicit(scalar.sql_type, sql_type)?;
    Ok(converted(scalar, sql_type))
}

/// An expression in a type, by force.
pub(super) fn converted(scalar: Scalar, sql_type: SqlType) -> Scalar {
    Scalar {
        nullable: scalar.nullable,
        collation: scalar.collation,
        sql_type,
        node: Node::Convert {
            operand: Box::new(scalar),
            style: None,
            lenient: false,
        },
    }
}

/// The type in which expressions meet: the word NULL has no say.
pub(super) fn common_of<'a>(scalars: impl Iterator<Item = &'a Scalar>) -> SqlType {
    scalars
        .filter(|scalar| !scalar.is_null())
        .map(|scalar| scalar.sql_type)
        .reduce(types::common)
        .unwrap_or(SqlType::Int)
}

/// The collation of a comparison.
pub(super) fn collation_of(left: &Scalar, right: &Scalar) -> Collation {
    left.collation.or(right.collation).unwrap_or_default()
}

/// Two expressions made comparable.
pub(super) fn comparable(left: Scalar, right: Scalar) -> Result<(Scalar, Scalar, SqlType), Failure> {
    let meeting = common_of([&left, &right].into_iter());
    let alike = |scalar: &Scalar| {
        let (a, b) = (types::family(scalar.sql_type), types::family(meeting));
        // Keys of these compare as they are.
        (a == b && a != Family::OldDateTime && a != Family::NewDateTime)
            || (a == Family::Integer && b == Family::Decimal)
            || b == Family::Variant
    };
    let fitted = |scalar: Scalar| {
        if alike(&scalar) {
            Ok(scalar)
        } else {
            coerced(scalar, meeting)
        }
    };
    Ok((fitted(left)?, fitted(right)?, meeting))
}

/// `left op right`.
pub(super) fn binary(op: &BinaryOperator, left: Scalar, right: Scalar) -> Result<Scalar, Failure> {
    let arithmetic = match op {
        BinaryOperator::Plus => Arithmetic::Add,
        BinaryOperator::Minus => Arithmetic::Subtract,
        BinaryOperator::Multiply => Arithmetic::Multiply,
        BinaryOperator::Divide => Arithmetic::Divide,
        BinaryOperator::Modulo => Arithmetic::Modulo,
        BinaryOperator::BitwiseAnd => Arithmetic::And,
        BinaryOperator::BitwiseOr => Arithmetic::Or,
        BinaryOperator::BitwiseXor => Arithmetic::Xor,
        other => return Err(Failure::new(102, &[other])),
    };
    let (left, right) = match (left.is_null(), right.is_null()) {
        (true, false) => (Scalar::constant(Value::Null, right.sql_type), right),
        (false, true) => {
            let sql_type = left.sql_type;
            (left, Scalar::constant(Value::Null, sql_type))
        }
        _ => (left, right),
    };
    let families = (types::family(left.sql_type), types::family(right.sql_type));
    if arithmetic == Arithmetic::Add
        && matches!(
            families,
            (Family::Text, Family::Text) | (Family::Binary, Family::Binary)
        )
    {
        return Ok(concatenated(left, right));
    }
    if matches!(families.0, Family::OldDateTime) || matches!(families.1, Family::OldDateTime) {
        return days(arithmetic, left, right);
    }
    numbers(arithmetic, left, right)
}

/// What messages call an operator.
fn called(op: Arithmetic) -> &'static str {
    match op {
        Arithmetic::Add => "add",
        Arithmetic::Subtract => "subtract",
        Arithmetic::Multiply => "multiply",
        Arithmetic::Divide => "divide",
        Arithmetic::Modulo => "modulo",
        Arithmetic::And => "'&'",
        Arithmetic::Or => "'|'",
        Arithmetic::Xor => "'^'",
    }
}

fn numbers(op: Arithmetic, left: Scalar, right: Scalar) -> Result<Scalar, Failure> {
    // A number takes text with it.
    let meeting = types::common(left.sql_type, right.sql_type);
    if !types::is_number(meeting) {
        return Err(Failure::new(8117, &[&name(meeting), &called(op)]));
    }
    let mismatch = || Failure::new(402, &[&name(left.sql_type), &name(right.sql_type), &called(op)]);
    let bits = matches!(op, Arithmetic::And | Arithmetic::Or | Arithmetic::Xor);
    match types::family(meeting) {
        Family::Integer if meeting == SqlType::Bit && !bits => Err(mismatch()),
        Family::Integer => {
            let (left, right) = (coerced(left, meeting)?, coerced(right, meeting)?);
            Ok(arithmetic(op, left, right, meeting))
        }
        _ if bits => Err(mismatch()),
        Family::Float if op == Arithmetic::Modulo => Err(mismatch()),
        Family::Float => {
            let (left, right) = (coerced(left, meeting)?, coerced(right, meeting)?);
            Ok(arithmetic(op, left, right, meeting))
        }
        _ if meeting == SqlType::Money => {
            let (left, right) = (coerced(left, meeting)?, coerced(right, meeting)?);
            Ok(arithmetic(op, left, right, meeting))
        }
        _ => {
            let (left, a) = as_decimal(left, meeting)?;
            let (right, b) = as_decimal(right, meeting)?;
            let sign = match op {
                Arithmetic::Multiply => '*',
                Arithmetic::Divide => '/',
                Arithmetic::Modulo => '%',
                _ => '+',
            };
            Ok(arithmetic(op, left, right, decimal::result(sign, a, b)))
        }
    }
}

/// A number as decimal with its own precision and scale; a literal has just the digits it shows.
fn as_decimal(scalar: Scalar, meeting: SqlType) -> Result<(Scalar, (u8, u8)), Failure> {
    let shape = match (&scalar.node, types::as_decimal(scalar.sql_type)) {
        (Node::Constant(Value::Integer(number)), _) => (literal::digits((*number).into()).max(1), 0),
        (_, Some(shape)) => shape,
        (_, None) => types::as_decimal(meeting).unwrap_or((38, 0)),
    };
    let sql_type = SqlType::Decimal {
        precision: shape.0,
        scale: shape.1,
    };
    Ok((coerced(scalar, sql_type)?, shape))
}

fn arithmetic(op: Arithmetic, left: Scalar, right: Scalar, sql_type: SqlType) -> Scalar {
    Scalar {
        nullable: left.nullable || right.nullable,
        ..Scalar::new(Node::Arithmetic(op, Box::new(left), Box::new(right)), sql_type)
    }
}

fn concatenated(left: Scalar, right: Scalar) -> Scalar {
    let sql_type = joined(left.sql_type, right.sql_type);
    Scalar {
        nullable: left.nullable || right.nullable,
        collation: left.collation.or(right.collation),
        ..Scalar::new(Node::Concatenate(Box::new(left), Box::new(right)), sql_type)
    }
}

/// The type of two texts (or bytes) one behind the other.
pub(crate) fn joined(left: SqlType, right: SqlType) -> SqlType {
    let sum = |longest: u16| match (types::length_of(left), types::length_of(right)) {
        (Some(Length::Of(a)), Some(Length::Of(b))) => Length::Of(a.saturating_add(b).min(longest)),
        _ => Length::Max,
    };
    if types::family(left) == Family::Binary {
        SqlType::VarBinary(sum(LONGEST))
    } else if types::is_unicode(left) || types::is_unicode(right) {
        SqlType::NVarChar(sum(LONGEST / 2))
    } else {
        SqlType::VarChar(sum(LONGEST))
    }
}

/// `datetime` and a number of days.
fn days(op: Arithmetic, left: Scalar, right: Scalar) -> Result<Scalar, Failure> {
    let (moment, number) = if types::family(left.sql_type) == Family::OldDateTime {
        (left, right)
    } else {
        (right, left)
    };
    if !matches!(op, Arithmetic::Add | Arithmetic::Subtract) {
        return Err(Failure::new(8117, &[&name(moment.sql_type), &called(op)]));
    }
    if !types::is_number(number.sql_type) {
        return Err(refuse("arithmetic of two dates"));
    }
    let number = coerced(number, SqlType::Float)?;
    let sql_type = moment.sql_type;
    Ok(Scalar {
        nullable: moment.nullable || number.nullable,
        ..Scalar::new(
            Node::Days(Box::new(moment), Box::new(number), op == Arithmetic::Subtract),
            sql_type,
        )
    })
}

/// `-operand`.
pub(super) fn negated(operand: Scalar) -> Result<Scalar, Failure> {
    if operand.is_null() {
        return Ok(null());
    }
    if !types::is_number(operand.sql_type) || operand.sql_type == SqlType::Bit {
        return Err(Failure::new(8117, &[&name(operand.sql_type), &"minus"]));
    }
    // -2147483648 is a numeric of ten digits with a sign, and stays one.
    let sql_type = if operand.sql_type == SqlType::TinyInt {
        SqlType::SmallInt
    } else {
        operand.sql_type
    };
    Ok(Scalar {
        nullable: operand.nullable,
        ..Scalar::new(Node::Negate(Box::new(operand)), sql_type)
    })
}

/// `~operand`.
pub(super) fn complemented(operand: Scalar) -> Result<Scalar, Failure> {
    if types::family(operand.sql_type) != Family::Integer {
        return Err(Failure::new(8117, &[&name(operand.sql_type), &"'~'"]));
    }
    let sql_type = operand.sql_type;
    Ok(Scalar {
        nullable: operand.nullable,
        ..Scalar::new(Node::Complement(Box::new(operand)), sql_type)
    })
}

/// Whether an expression can be computed before there is a row.
pub(crate) fn needs_no_row(scalar: &Scalar) -> bool {
    match &scalar.node {
        Node::Constant(_) | Node::Variable(_) => true,
        Node::Column { .. } | Node::Window(_) | Node::Subquery(_) | Node::Case(..) => false,
        Node::Convert { operand, style, .. } => {
            needs_no_row(operand) && style.as_deref().is_none_or(needs_no_row)
        }
        Node::Arithmetic(_, left, right) | Node::Concatenate(left, right) | Node::Days(left, right, _) => {
            needs_no_row(left) && needs_no_row(right)
        }
        Node::Negate(operand) | Node::Complement(operand) => needs_no_row(operand),
        Node::Coalesce(operands) | Node::Call(_, operands) => operands.iter().all(needs_no_row),
        Node::Session(name, operands) => name != "NEWID" && operands.iter().all(needs_no_row),
    }
}

/// The places of the current row that an expression reads; `None` where it does more than that.
pub(super) fn places(scalar: &Scalar, found: &mut Vec<usize>) -> Option<()> {
    match &scalar.node {
        Node::Constant(_) => Some(()),
        Node::Column { depth: 0, index } => {
            found.push(*index);
            Some(())
        }
        Node::Convert {
            operand,
            style: None,
            lenient: false,
        } => places(operand, found),
        Node::Concatenate(left, right) | Node::Arithmetic(_, left, right) => {
            places(left, found)?;
            places(right, found)
        }
        Node::Call(_, operands) | Node::Coalesce(operands) => {
            operands.iter().try_for_each(|operand| places(operand, found))
        }
        _ => None,
    }
}

/// Moves the places that [`places`] found to the left.
pub(super) fn shift(scalar: &mut Scalar, by: usize) {
    match &mut scalar.node {
        Node::Column { depth: 0, index } => *index -= by,
        Node::Convert { operand, .. } => shift(operand, by),
        Node::Concatenate(left, right) | Node::Arithmetic(_, left, right) => {
            shift(left, by);
            shift(right, by);
        }
        Node::Call(_, operands) | Node::Coalesce(operands) => {
            operands.iter_mut().for_each(|operand| shift(operand, by));
        }
        _ => {}
    }
}
