//! Calls of functions: aggregates, window functions, our own, the session's.

use sqlparser::ast::{self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::message::Failure;
use crate::query::bind::{Binder, operator, scalar};
use crate::query::plan::{Comparison, Node, Scalar};
use crate::query::{functions, refuse, types};
use crate::value::{Length, SqlType, Value};

/// What SQL Server knows and the simulation does not.
const UNKNOWN_HERE: [&str; 18] = [
    "FORMAT",
    "CHECKSUM",
    "BINARY_CHECKSUM",
    "CHECKSUM_AGG",
    "JSON_VALUE",
    "JSON_QUERY",
    "ISJSON",
    "SOUNDEX",
    "DIFFERENCE",
    "TRANSLATE",
    "STRING_ESCAPE",
    "COMPRESS",
    "DECOMPRESS",
    "STDEV",
    "VAR",
    "GROUPING",
    "HASHBYTES",
    "RAND",
];

/// The first argument is the name of a part of a date.
const WITH_DATE_PART: [&str; 5] = ["DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME"];

/// A call's arguments as expressions.
pub(super) struct Arguments<'a> {
    pub(super) expressions: Vec<&'a Expr>,
    /// `*`.
    pub(super) wildcard: bool,
    pub(super) distinct: bool,
}

impl<'a> Arguments<'a> {
    pub(super) fn of(function: &'a ast::Function) -> Result<Self, Failure> {
        let mut all = Self {
            expressions: Vec::new(),
            wildcard: false,
            distinct: false,
        };
        let list = match &function.args {
            FunctionArguments::None => return Ok(all),
            FunctionArguments::List(list) if list.clauses.is_empty() => list,
            _ => return Err(refuse(&format!("this call of {}", function.name))),
        };
        all.distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => all.expressions.push(expression),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => all.wildcard = true,
                _ => return Err(refuse(&format!("this argument of {}", function.name))),
            }
        }
        Ok(all)
    }
}

/// The parts of a name.
pub(super) fn parts_of(name: &ast::ObjectName) -> Result<Vec<String>, Failure> {
    name.0
        .iter()
        .map(|part| match part {
            ast::ObjectNamePart::Identifier(word) => Ok(word.value.clone()),
            ast::ObjectNamePart::Function(_) => Err(refuse(&format!("the name {name}"))),
        })
        .collect()
}

impl Binder<'_> {
    /// A call.
    pub(super) fn function(&mut self, function: &ast::Function) -> Result<Scalar, Failure> {
        let name = parts_of(&function.name)?.join(".").to_uppercase();
        if function.filter.is_some() || function.null_treatment.is_some() {
            return Err(refuse(&format!("this call of {name}")));
        }
        if UNKNOWN_HERE.contains(&name.as_str()) {
            return Err(refuse(&format!("the function {name}")));
        }
        let arguments = Arguments::of(function)?;
        if let Some(over) = &function.over {
            return self.window(&name, &arguments, over);
        }
        if Self::is_aggregate(&name) {
            return self.aggregate(&name, &arguments, &function.within_group);
        }
        if arguments.wildcard || arguments.distinct {
            return Err(Failure::new(102, &[&"*"]));
        }
        let expressions = arguments.expressions;
        match (name.as_str(), expressions.as_slice()) {
            ("COALESCE", [_, _, ..]) => self.coalesce(&expressions),
            ("ISNULL", [operand, replacement]) => self.is_null(operand, replacement),
            ("NULLIF", [left, right]) => self.null_if(left, right),
            ("IIF", [condition, yes, no]) => {
                let condition = self.predicate(condition)?;
                let (yes, no) = (self.scalar(yes)?, self.scalar(no)?);
                scalar::case_of(vec![(condition, yes)], Some(no))
            }
            (_, [part, rest @ ..]) if WITH_DATE_PART.contains(&name.as_str()) => {
                let Expr::Identifier(part) = part else {
                    return Err(Failure::new(1023, &[&1, &name.to_lowercase()]));
                };
                let part = Value::Text(part.value.to_lowercase());
                let mut bound = vec![Scalar::constant(part, SqlType::VarChar(Length::Of(20)))];
                for expression in rest {
                    bound.push(self.scalar(expression)?);
                }
                functions::call(&name, bound)
            }
            _ => {
                let bound = expressions
                    .iter()
                    .map(|expression| self.scalar(expression))
                    .collect::<Result<_, _>>()?;
                if functions::find(&name).is_some() {
                    functions::call(&name, bound)
                } else {
                    self.session_function(&name, bound)
                }
            }
        }
    }

    fn coalesce(&mut self, expressions: &[&Expr]) -> Result<Scalar, Failure> {
        let operands: Vec<Scalar> = expressions
            .iter()
            .map(|expression| self.scalar(expression))
            .collect::<Result<_, _>>()?;
        coalesce_of(operands, None)
    }

    /// ISNULL has the type of its first argument.
    fn is_null(&mut self, operand: &Expr, replacement: &Expr) -> Result<Scalar, Failure> {
        let operands = vec![self.scalar(operand)?, self.scalar(replacement)?];
        let sql_type = operands[usize::from(operands[0].is_null())].sql_type;
        coalesce_of(operands, Some(sql_type))
    }

    fn null_if(&mut self, left: &Expr, right: &Expr) -> Result<Scalar, Failure> {
        let (left, right) = (self.scalar(left)?, self.scalar(right)?);
        let same = scalar::compared(Comparison::Equal, left.clone(), right)?;
        let sql_type = left.sql_type;
        Ok(Scalar::new(
            Node::Case(
                vec![(same, Scalar::constant(Value::Null, sql_type))],
                Some(Box::new(left)),
            ),
            sql_type,
        ))
    }

    /// A function of the session: its value at once where its arguments are known, else its type by asking with NULLs.
    pub(super) fn session_function(&mut self, name: &str, arguments: Vec<Scalar>) -> Result<Scalar, Failure> {
        if arguments.iter().all(operator::needs_no_row) && name != "NEWID" {
            let mut values = Vec::new();
            let mut failed = false;
            for argument in &arguments {
                let Ok(Scalar {
                    node: Node::Constant(value),
                    ..
                }) = self.folded(argument.clone())
                else {
                    failed = true;
                    break;
                };
                values.push(value);
            }
            if !failed {
                match self.names.function(name, &values) {
                    None => return Err(Failure::new(195, &[&name])),
                    Some(Ok((value, sql_type))) => {
                        return Ok(Scalar {
                            nullable: true,
                            ..Scalar::constant(value, sql_type)
                        });
                    }
                    // It fails when, and if, it is reached.
                    Some(Err(_)) => {}
                }
            }
        }
        let nulls = vec![Value::Null; arguments.len()];
        let sql_type = match self.names.function(name, &nulls) {
            None => return Err(Failure::new(195, &[&name])),
            Some(Ok((_, sql_type))) => sql_type,
            Some(Err(_)) => SqlType::Variant,
        };
        Ok(Scalar::new(Node::Session(name.to_owned(), arguments), sql_type))
    }
}

fn coalesce_of(operands: Vec<Scalar>, sql_type: Option<SqlType>) -> Result<Scalar, Failure> {
    let sql_type = sql_type.unwrap_or_else(|| operator::common_of(operands.iter()));
    let nullable = operands.iter().all(|operand| operand.nullable);
    let operands = operands
        .into_iter()
        .map(|operand| operator::coerced(operand, sql_type))
        .collect::<Result<_, _>>()?;
    Ok(Scalar {
        nullable,
        ..Scalar::new(Node::Coalesce(operands), sql_type)
    })
}

/// The type of a number of rows.
pub(super) fn count_type(name: &str) -> SqlType {
    if name == "COUNT_BIG" {
        SqlType::BigInt
    } else {
        SqlType::Int
    }
}

/// The type SUM and AVG have.
pub(super) fn sum_type(sql_type: SqlType, average: bool, name: &str) -> Result<SqlType, Failure> {
    Ok(match sql_type {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
        SqlType::BigInt => SqlType::BigInt,
        SqlType::Money => SqlType::Money,
        SqlType::Real | SqlType::Float => SqlType::Float,
        SqlType::Decimal { scale, .. } => SqlType::Decimal {
            precision: types::PRECISION_MAX,
            scale: if average { scale.max(6) } else { scale },
        },
        other => return Err(Failure::new(8117, &[&types::name(other), &name.to_lowercase()])),
    })
}
