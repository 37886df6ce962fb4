//! T-SQL: from the text of a batch to statements.
//!
//! What a query is (SELECT, INSERT, UPDATE, DELETE) is sqlparser's tree; what SQL Server alone has (BACKUP, RESTORE, ALTER
//! DATABASE, DBCC, ...) is parsed here over sqlparser's tokens. Names that may be variables are [`Word`](statement::Word)s,
//! resolved when the statement runs.
//!
//! A batch is parsed whole before any of it runs, as SQL Server does: a syntax error anywhere, and nothing happened. `GO` is the
//! client's business.

use crate::message::Failure;

pub mod backup;
pub mod device;
mod parse;
pub mod restore;
pub mod statement;

/// The statements of a batch. `quoted_identifier` says what `"..."` is: a name, or a text where it is off.
///
/// # Errors
/// 102, 105, 113, 155, 156, 191 and the like with the line where they are; 40510 for what SQL Server knows and the simulation
/// does not.
pub fn parse(text: &str, quoted_identifier: bool) -> Result<Vec<statement::Located>, Failure> {
    parse::batch(text, quoted_identifier)
}

/// One expression, as a column's default is kept.
///
/// # Errors
/// As [`parse`].
pub fn expression(text: &str) -> Result<sqlparser::ast::Expr, Failure> {
    parse::expression(text)
}

/// Whether a batch may hold a secret (a password, a credential's secret), so that its text must be shown nowhere.
#[must_use]
pub fn speaks_of_secrets(text: &str) -> bool {
    parse::speaks_of_secrets(text)
}

/// A parameter as `sp_executesql` declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredParameter {
    /// With its sign.
    pub name: String,
    /// Type.
    pub sql_type: crate::value::SqlType,
    /// OUTPUT.
    pub is_output: bool,
}

/// `@a int, @b nvarchar(10) OUTPUT`.
///
/// # Errors
/// As [`parse`].
pub fn parameters(text: &str) -> Result<Vec<DeclaredParameter>, Failure> {
    parse::parameters(text)
}
