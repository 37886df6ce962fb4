//! T-SQL: from the text of a batch to statements.
//!
//! What a query is (SELECT, INSERT, UPDATE, DELETE) is sqlparser's tree; what SQL Server alone has (BACKUP, RESTORE, ALTER DATABASE, DBCC, ...) is
//! parsed here over sqlparser's tokens. Names that may be variables are [`Word`]s, resolved when the statement runs.

pub mod backup;
pub mod device;
pub mod restore;
pub mod statement;
