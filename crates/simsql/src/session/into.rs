//! `SELECT ... INTO table`: a table made of what the query gives.

use sqlparser::ast;

use crate::engine::TableDefinition;
use crate::message::Failure;
use crate::query::{self, Answer};
use crate::session::{Session, change, definition};

/// The table that a query makes, where it makes one.
///
/// # Errors
/// 102 for anything but a name.
pub(crate) fn target(select: &ast::Query) -> Result<Option<Vec<String>>, Failure> {
    let ast::SetExpr::Select(body) = &*select.body else {
        return Ok(None);
    };
    let Some(into) = &body.into else {
        return Ok(None);
    };
    match into.targets.as_slice() {
        [ast::Expr::Identifier(name)] => Ok(Some(vec![name.value.clone()])),
        [ast::Expr::CompoundIdentifier(parts)] => {
            Ok(Some(parts.iter().map(|part| part.value.clone()).collect()))
        }
        _ => Err(Failure::new(102, &[&"INTO"])),
    }
}

/// Makes the table and fills it.
///
/// # Errors
/// 1038 for a column without a name, and what query and table meet.
pub(crate) async fn run(
    session: &mut Session,
    select: &ast::Query,
    target: &[String],
) -> Result<u64, Failure> {
    let mut plain = select.clone();
    if let ast::SetExpr::Select(body) = &mut *plain.body {
        body.into = None;
    }
    let Answer::Rows(relation) = change::unblocked(session, |scope| query::select(&plain, scope)).await?
    else {
        return Err(Failure::new(194, &[]));
    };
    if relation.columns.iter().any(|column| column.name.is_empty()) {
        return Err(Failure::new(1038, &[]));
    }
    let columns = relation.columns.len();
    let table = TableDefinition {
        schema: "dbo".to_owned(),
        name: target.last().cloned().unwrap_or_default(),
        columns: relation.columns,
        primary_key: Vec::new(),
        identity: None,
        defaults: vec![None; columns],
    };
    definition::create_as(session, target, table)?;
    let rows = relation
        .rows
        .into_iter()
        .map(|row| row.into_iter().map(Some).collect())
        .collect();
    change::insert_rows(session, target, rows).await
}
