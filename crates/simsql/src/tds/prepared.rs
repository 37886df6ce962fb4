//! Prepared statements of a connection: texts under numbers, nothing is compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::message::Failure;
use crate::tds::declaration::Declared;

/// Most statements that a connection keeps.
const MOST: usize = 10_000;
/// Most bytes of their texts and parameters.
const BYTES: usize = 64 * 1024 * 1024;

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) parameters: Vec<Declared>,
}

impl Statement {
    /// Bytes that it takes, about.
    fn size(&self) -> usize {
        let names = self
            .parameters
            .iter()
            .map(|one| size_of::<Declared>() + one.name.len());
        self.text.len() + names.sum::<usize>()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    statements: BTreeMap<i32, Arc<Statement>>,
    last: i32,
    bytes: usize,
}

impl Prepared {
    /// Keeps a statement.
    ///
    /// # Errors
    /// 701 where there are too many.
    pub(super) fn keep(&mut self, statement: Arc<Statement>) -> Result<i32, Failure> {
        if self.statements.len() >= MOST || self.bytes + statement.size() > BYTES {
            return Err(Failure::new(701, &[&"default"]));
        }
        self.last = self.last.wrapping_add(1).max(1);
        self.bytes += statement.size();
        self.statements.insert(self.last, statement);
        Ok(self.last)
    }

    /// # Errors
    /// 8179 where there is none.
    pub(super) fn find(&self, handle: i32) -> Result<Arc<Statement>, Failure> {
        self.statements
            .get(&handle)
            .cloned()
            .ok_or_else(|| Failure::new(8179, &[&handle]))
    }

    /// Whether there was one.
    pub(super) fn forget(&mut self, handle: i32) -> bool {
        let statement = self.statements.remove(&handle);
        self.bytes -= statement.as_ref().map_or(0, |statement| statement.size());
        statement.is_some()
    }

    /// A reset connection has none.
    pub(super) fn clear(&mut self) {
        self.statements.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Prepared, Statement};
    use crate::tds::declaration::Declared;

    #[test]
    fn parameters_count_as_the_text_does() {
        let parameter = Declared {
            name: "@".repeat(1 << 20),
            sql_type: None,
            has_default: false,
            is_output: false,
        };
        let statement = Arc::new(Statement {
            text: String::new(),
            parameters: vec![parameter; 40],
        });
        let mut prepared = Prepared::default();
        let handle = prepared.keep(Arc::clone(&statement)).unwrap();
        assert_eq!(
            prepared.keep(Arc::clone(&statement)).unwrap_err().messages[0].number,
            701
        );
        assert!(prepared.forget(handle));
        assert!(prepared.keep(statement).is_ok());
    }
}
