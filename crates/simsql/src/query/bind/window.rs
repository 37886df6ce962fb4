//! Window functions.

use sqlparser::ast::{self, Expr};

use crate::message::Failure;
use crate::query::bind::function::Arguments;
use crate::query::bind::{Binder, operator};
use crate::query::plan::{Frame, Node, Scalar, Window, WindowFunction};
use crate::query::refuse;
use crate::value::{SqlType, Value};

impl Binder<'_> {
    /// `function OVER (...)`: a column that is computed before the select list is.
    pub(super) fn window(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
        over: &ast::WindowType,
    ) -> Result<Scalar, Failure> {
        let ast::WindowType::WindowSpec(specification) = over else {
            return Err(refuse("named windows"));
        };
        let level = self.scopes.len();
        let taken = self.scopes.last_mut().and_then(|scope| scope.windows.take());
        let Some(mut windows) = taken else {
            return Err(Failure::new(4108, &[]));
        };
        // Inside there is none.
        let bound = self.window_of(name, arguments, specification);
        let window = match bound {
            Ok(window) => window,
            Err(failure) => {
                self.scopes[level - 1].windows = Some(windows);
                return Err(failure);
            }
        };
        let sql_type = window.sql_type;
        let at = match windows.iter().position(|other| *other == window) {
            Some(at) => at,
            None => {
                windows.push(window);
                windows.len() - 1
            }
        };
        self.scopes[level - 1].windows = Some(windows);
        Ok(Scalar::new(Node::Window(at), sql_type))
    }

    fn window_of(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
        specification: &ast::WindowSpec,
    ) -> Result<Window, Failure> {
        let partition = specification
            .partition_by
            .iter()
            .map(|expression| self.scalar(expression))
            .collect::<Result<Vec<_>, _>>()?;
        let order = self.order_items(&specification.order_by)?;
        let (function, sql_type) = self.window_function(name, arguments)?;
        let by_order = !matches!(function, WindowFunction::Aggregate(_));
        if by_order && order.is_empty() {
            return Err(Failure::new(4112, &[&name]));
        }
        let frame = match &specification.window_frame {
            Some(frame) => self.frame(frame)?,
            None if order.is_empty() => Frame::Whole,
            None => Frame::ToPeers,
        };
        Ok(Window {
            function,
            partition,
            order,
            frame,
            sql_type,
        })
    }

    fn window_function(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
    ) -> Result<(WindowFunction, SqlType), Failure> {
        let bare = |function| match arguments.expressions.as_slice() {
            [] => Ok((function, SqlType::BigInt)),
            _ => Err(Failure::new(174, &[&name.to_lowercase(), &0])),
        };
        match (name, arguments.expressions.as_slice()) {
            ("ROW_NUMBER", _) => bare(WindowFunction::RowNumber),
            ("RANK", _) => bare(WindowFunction::Rank),
            ("DENSE_RANK", _) => bare(WindowFunction::DenseRank),
            ("NTILE", [count]) => {
                let count = self.scalar(count)?;
                let count = operator::coerced(count, SqlType::BigInt)?;
                Ok((WindowFunction::Tile(count), SqlType::BigInt))
            }
            ("LAG" | "LEAD", [operand, rest @ ..]) if rest.len() <= 2 => {
                let operand = self.scalar(operand)?;
                let sql_type = operand.sql_type;
                let distance = match rest.first() {
                    Some(distance) => operator::coerced(self.scalar(distance)?, SqlType::BigInt)?,
                    None => Scalar::constant(Value::Integer(1), SqlType::BigInt),
                };
                let default = match rest.get(1) {
                    Some(default) => Some(operator::coerced(self.scalar(default)?, sql_type)?),
                    None => None,
                };
                let function = WindowFunction::Shift {
                    operand,
                    distance,
                    backward: name == "LAG",
                    default,
                };
                Ok((function, sql_type))
            }
            ("FIRST_VALUE" | "LAST_VALUE", [operand]) => {
                let operand = self.scalar(operand)?;
                let sql_type = operand.sql_type;
                let function = if name == "FIRST_VALUE" {
                    WindowFunction::FirstValue(operand)
                } else {
                    WindowFunction::LastValue(operand)
                };
                Ok((function, sql_type))
            }
            _ if Self::is_aggregate(name) && name != "STRING_AGG" => {
                if arguments.distinct {
                    return Err(Failure::new(10_759, &[]));
                }
                let aggregate = self.aggregate_of(name, arguments, &[])?;
                let sql_type = aggregate.sql_type;
                Ok((WindowFunction::Aggregate(aggregate), sql_type))
            }
            _ => Err(refuse(&format!("{name} as a window function"))),
        }
    }

    fn frame(&mut self, frame: &ast::WindowFrame) -> Result<Frame, Failure> {
        let end = frame
            .end_bound
            .as_ref()
            .unwrap_or(&ast::WindowFrameBound::CurrentRow);
        match frame.units {
            ast::WindowFrameUnits::Rows => Ok(Frame::Rows(bound_of(&frame.start_bound)?, bound_of(end)?)),
            ast::WindowFrameUnits::Range => match (&frame.start_bound, end) {
                (ast::WindowFrameBound::Preceding(None), ast::WindowFrameBound::CurrentRow) => {
                    Ok(Frame::ToPeers)
                }
                (ast::WindowFrameBound::Preceding(None), ast::WindowFrameBound::Following(None)) => {
                    Ok(Frame::Whole)
                }
                _ => Err(refuse("this RANGE of a window")),
            },
            ast::WindowFrameUnits::Groups => Err(refuse("GROUPS in a window")),
        }
    }
}

/// Rows relative to the current one; `None` is unbounded.
fn bound_of(bound: &ast::WindowFrameBound) -> Result<Option<i64>, Failure> {
    let count = |expression: &Expr| match expression {
        Expr::Value(value) => value.to_string().parse::<i64>().ok(),
        _ => None,
    };
    let counted = |expression: &Expr, sign: i64| {
        count(expression)
            .map(|count| Some(sign * count))
            .ok_or_else(|| refuse("this bound of a window"))
    };
    match bound {
        ast::WindowFrameBound::CurrentRow => Ok(Some(0)),
        ast::WindowFrameBound::Preceding(None) | ast::WindowFrameBound::Following(None) => Ok(None),
        ast::WindowFrameBound::Preceding(Some(expression)) => counted(expression, -1),
        ast::WindowFrameBound::Following(Some(expression)) => counted(expression, 1),
    }
}
