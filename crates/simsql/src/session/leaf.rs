//! Statements that hold no others: queries, changes, variables, transactions, and the rest by [`dispatch`](super::dispatch).

use sqlparser::ast;

use crate::answers::Answers;
use crate::message::Failure;
use crate::query::{self, Answer, Relation, convert};
use crate::session::run::{self, Flow};
use crate::session::{Session, change, definition, dispatch, insert_execute, into, raise, set};
use crate::tsql::statement::{Statement, Transaction, Word};
use crate::value::{SqlType, Value};

/// Runs a statement.
pub(crate) async fn run(
    session: &mut Session,
    statement: &Statement,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    session.show_command(command(statement));
    if session.work.options.only_parses && !matches!(statement, Statement::Set(..)) {
        return Ok(Flow::Next);
    }
    match statement {
        Statement::Query(query) => select(session, query, answers).await?,
        Statement::Table(table) => changed(session, table, answers).await?,
        Statement::InsertExecute {
            table,
            columns,
            execute,
        } => {
            let standing = session.standing();
            let added = insert_execute::run(session, table, columns, execute, answers).await;
            let count = settled(session, &standing, added)?;
            counted(session, Some(count), answers);
        }
        Statement::Declare(variables) => declare(session, variables).await?,
        Statement::Assign(name, expression) => assign(session, name, expression).await?,
        Statement::Set(name, value) => set::run(session, name, value)?,
        Statement::Transaction(transaction) => transact(session, transaction)?,
        Statement::Print(expression) => raise::print(session, expression, answers).await?,
        Statement::Raise { .. } => return raise::raise(session, statement, answers).await,
        Statement::Rethrow => return raise::again(session, answers),
        Statement::ExecuteText(expression) => return execute_text(session, expression, answers).await,
        Statement::Execute {
            result,
            procedure,
            arguments,
        } => {
            return crate::session::procedure::run(session, result.as_deref(), procedure, arguments, answers)
                .await;
        }
        Statement::WaitFor { until, time } => crate::session::wait::run(session, *until, time).await?,
        other => dispatch::run(session, other, answers).await?,
    }
    session.last_error = 0;
    Ok(Flow::Next)
}

/// `command` of `sys.dm_exec_requests`.
fn command(statement: &Statement) -> &'static str {
    use crate::tsql::backup::BackupWhat;
    use crate::tsql::restore::RestoreWhat;
    match statement {
        Statement::Query(_) => "SELECT",
        Statement::Table(table) => match &**table {
            ast::Statement::Insert(_) => "INSERT",
            ast::Statement::Update(_) => "UPDATE",
            ast::Statement::Delete(_) => "DELETE",
            ast::Statement::CreateTable(_) => "CREATE TABLE",
            ast::Statement::Truncate(_) => "TRUNCATE TABLE",
            _ => "DROP TABLE",
        },
        Statement::InsertExecute { .. } => "INSERT",
        Statement::Backup(backup) => match backup.what {
            BackupWhat::Database => "BACKUP DATABASE",
            BackupWhat::Log => "BACKUP LOG",
        },
        Statement::Restore(restore) => match restore.what {
            RestoreWhat::Database => "RESTORE DATABASE",
            RestoreWhat::Log => "RESTORE LOG",
            RestoreWhat::HeaderOnly => "RESTORE HEADERONLY",
            RestoreWhat::FileListOnly => "RESTORE FILELISTONLY",
            RestoreWhat::LabelOnly => "RESTORE LABELONLY",
            RestoreWhat::VerifyOnly => "RESTORE VERIFYONLY",
        },
        Statement::CreateDatabase(_) => "CREATE DATABASE",
        Statement::AlterDatabase(..) => "ALTER DATABASE",
        Statement::DropDatabase { .. } => "DROP DATABASE",
        Statement::Dbcc { .. } => "DBCC",
        Statement::WaitFor { .. } => "WAITFOR",
        Statement::Execute { .. } | Statement::ExecuteText(_) => "EXECUTE",
        _ => "CONDITIONAL",
    }
}

/// Ends a statement that changes tables: its changes stay, or all of them go.
fn settled<T>(
    session: &mut Session,
    standing: &crate::session::transaction::Standing,
    done: Result<T, Failure>,
) -> Result<T, Failure> {
    match done {
        Ok(value) => {
            session.settle(standing)?;
            Ok(value)
        }
        Err(failure) => {
            // Where even this fails the log is gone; the error that came first is the one to tell.
            drop(session.unsettle(standing));
            Err(failure)
        }
    }
}

fn counted(session: &mut Session, count: Option<u64>, answers: &mut dyn Answers) {
    session.row_count = count.unwrap_or(0);
    let shown = if session.work.options.nocount { None } else { count };
    answers.done(shown);
}

fn implicitly(session: &mut Session) -> Result<(), Failure> {
    match session.work.options.implicit_transactions && session.nesting == 0 {
        true => session.begin(),
        false => Ok(()),
    }
}

async fn select(
    session: &mut Session,
    select: &ast::Query,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    match &*select.body {
        // WITH ... INSERT: the table expressions belong to the query that gives the rows.
        ast::SetExpr::Insert(ast::Statement::Insert(insert)) => {
            let mut insert = insert.clone();
            if let Some(source) = &mut insert.source {
                source.with.clone_from(&select.with);
            }
            return changed(session, &ast::Statement::Insert(insert), answers).await;
        }
        ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_) => {
            return Err(Failure::new(40510, &[&"WITH before UPDATE and DELETE"]));
        }
        ast::SetExpr::Select(body) if body.from.is_empty() => {}
        _ => implicitly(session)?,
    }
    if let Some(target) = into::target(select)? {
        let standing = session.standing();
        let made = into::run(session, select, &target).await;
        let count = settled(session, &standing, made)?;
        counted(session, Some(count), answers);
        return Ok(());
    }
    let answer = change::unblocked(session, |scope| query::select(select, scope)).await?;
    match answer {
        Answer::Rows(relation) => send(session, relation, answers),
        Answer::Assigned { variables, count } => {
            for (name, value) in variables {
                let key = name.to_lowercase();
                if let Some((_, sql_type)) = session.work.frame.variables.get(&key) {
                    let sql_type = *sql_type;
                    session.work.assign(&key, value, sql_type)?;
                }
            }
            session.row_count = count;
        }
    }
    Ok(())
}

fn send(session: &mut Session, mut relation: Relation, answers: &mut dyn Answers) {
    let limit = session.work.options.row_limit;
    if limit > 0 {
        relation
            .rows
            .truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    answers.columns(&relation.columns);
    for row in &relation.rows {
        answers.row(row);
    }
    let count = relation.rows.len() as u64;
    session.row_count = count;
    answers.done(Some(count));
}

async fn changed(
    session: &mut Session,
    statement: &ast::Statement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    implicitly(session)?;
    let standing = session.standing();
    let done = match statement {
        ast::Statement::CreateTable(create) => definition::create(session, create).map(|()| None),
        ast::Statement::Drop {
            object_type: ast::ObjectType::Table,
            if_exists,
            names,
            ..
        } => drop_tables(session, names, *if_exists).await.map(|()| None),
        ast::Statement::Truncate(truncate) => truncate_tables(session, truncate).await.map(|()| None),
        other => change::run(session, other).await.map(Some),
    };
    let count = settled(session, &standing, done)?;
    counted(session, count, answers);
    Ok(())
}

async fn drop_tables(
    session: &mut Session,
    names: &[ast::ObjectName],
    if_exists: bool,
) -> Result<(), Failure> {
    for name in names {
        let parts = definition::parts(name)?;
        definition::drop_table(session, &parts, if_exists).await?;
    }
    Ok(())
}

async fn truncate_tables(session: &mut Session, truncate: &ast::Truncate) -> Result<(), Failure> {
    if truncate.partitions.is_some() {
        return Err(Failure::new(40510, &[&"partitions"]));
    }
    for table in &truncate.table_names {
        let parts = definition::parts(&table.name)?;
        change::truncate(session, &parts).await?;
    }
    Ok(())
}

async fn declare(
    session: &mut Session,
    variables: &[(String, SqlType, Option<ast::Expr>)],
) -> Result<(), Failure> {
    for (name, sql_type, initial) in variables {
        let value = match initial {
            Some(expression) => run::evaluate_as(session, expression, *sql_type).await?,
            None => Value::Null,
        };
        // In a loop the same declaration runs again: the variable keeps its value where none is given, as in SQL Server.
        let key = name.to_lowercase();
        if initial.is_some() || !session.work.frame.variables.contains_key(&key) {
            session.work.assign(&key, value, *sql_type)?;
        }
    }
    Ok(())
}

async fn assign(session: &mut Session, name: &str, expression: &ast::Expr) -> Result<(), Failure> {
    let key = name.to_lowercase();
    let Some((_, to)) = session.work.frame.variables.get(&key).cloned() else {
        return Err(Failure::new(137, &[&name]));
    };
    let (value, from) = run::evaluate(session, expression).await?;
    let value = convert::convert(value, from, to)?;
    session.work.assign(&key, value, to)?;
    session.row_count = 1;
    Ok(())
}

fn transact(session: &mut Session, transaction: &Transaction) -> Result<(), Failure> {
    let name = |session: &Session, name: &str| match name.starts_with('@') {
        true => run::word(session, &Word::Variable(name.to_owned())),
        false => Ok(name.to_owned()),
    };
    match transaction {
        Transaction::Begin { name: given, .. } => {
            let given = given.as_deref().map(|given| name(session, given)).transpose()?;
            if session.nesting == 0 {
                session.work.transaction_name = given;
            }
            session.begin()
        }
        Transaction::Commit => session.commit(),
        Transaction::Rollback(None) => session.rollback(),
        Transaction::Rollback(Some(to)) => {
            let to = name(session, to)?;
            match session.nesting {
                0 => Err(Failure::new(3903, &[])),
                _ => session.rollback_to_savepoint(&to),
            }
        }
        Transaction::Save(as_name) => {
            let as_name = name(session, as_name)?;
            session.save_point(&as_name)
        }
    }
}

async fn execute_text(
    session: &mut Session,
    expression: &ast::Expr,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    let text = run::evaluate_as(session, expression, SqlType::NVarChar(crate::value::Length::Max)).await?;
    let Value::Text(text) = text else {
        return Ok(Flow::Next);
    };
    let frame = crate::session::work::Frame::default();
    let (flow, _) = run::nested(session, &text, frame, answers).await?;
    Ok(run::after_text(session, flow))
}
