//! What a query's names can mean: the tables of its FROM, and of the queries around it.

use sqlparser::ast::Ident;

use crate::message::Failure;
use crate::query::bind::Binder;
use crate::query::collation::Collation;
use crate::query::plan::{Grouping, Node, Scalar, Window};
use crate::value::Column;

/// A table in FROM.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its alias, or the parts of its name.
    pub(crate) parts: Vec<String>,
    /// Whether `parts` is an alias.
    pub(crate) aliased: bool,
    /// Where its columns begin in the row.
    pub(crate) offset: usize,
    /// Its columns.
    pub(crate) columns: Vec<Column>,
}

/// The tables of one FROM.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<Source>,
    pub(crate) width: usize,
    /// Set while expressions are over groups.
    pub(crate) grouping: Option<Grouping>,
    /// Set where window functions may stand.
    pub(crate) windows: Option<Vec<Window>>,
    /// Set where an aggregate may stand, though no grouping was seen yet.
    pub(crate) may_group: bool,
}

impl Scope {
    /// Adds a table behind the others.
    pub(crate) fn add(&mut self, mut source: Source) {
        source.offset = self.width;
        self.width += source.columns.len();
        self.sources.push(source);
    }

    /// Refuses two tables that a query could not tell apart.
    pub(crate) fn check_names(&self) -> Result<(), Failure> {
        for (at, source) in self.sources.iter().enumerate() {
            for other in &self.sources[..at] {
                let same = source.parts.len() == other.parts.len()
                    && source
                        .parts
                        .iter()
                        .zip(&other.parts)
                        .all(|(a, b)| same_name(a, b));
                if same && source.aliased && other.aliased {
                    return Err(Failure::new(1011, &[&source.parts[0]]));
                }
                if same {
                    let name = source.parts.join(".");
                    return Err(Failure::new(1013, &[&name, &other.parts.join(".")]));
                }
            }
        }
        Ok(())
    }

    /// The columns that a name can mean, with their place in the row.
    fn find(&self, prefix: &[Ident], name: &str) -> Vec<(usize, &Column)> {
        let mut found = Vec::new();
        for source in &self.sources {
            if !source.answers_to(prefix) {
                continue;
            }
            for (at, column) in source.columns.iter().enumerate() {
                if same_name(&column.name, name) {
                    found.push((source.offset + at, column));
                }
            }
        }
        found
    }
}

impl Source {
    /// Whether `schema.table.` before a column can mean this table; nothing means every table.
    pub(crate) fn answers_to(&self, prefix: &[Ident]) -> bool {
        prefix.len() <= self.parts.len()
            && prefix
                .iter()
                .rev()
                .zip(self.parts.iter().rev())
                .all(|(a, b)| a.value.is_empty() || b.is_empty() || same_name(&a.value, b))
    }
}

/// Whether two names are the same in the server's collation.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left == right || Collation::IgnoreCase.compare(left, right).is_eq()
}

impl Binder<'_> {
    /// The column that a name means.
    pub(crate) fn column(&mut self, parts: &[Ident]) -> Result<Scalar, Failure> {
        let (name, prefix) = parts.split_last().ok_or_else(|| Failure::new(102, &[&"."]))?;
        for level in (0..self.scopes.len()).rev() {
            let found = self.scopes[level].find(prefix, &name.value);
            match found.as_slice() {
                [] => {}
                [(index, column)] => {
                    let (index, column) = (*index, (*column).clone());
                    return self.reached(level, index, &column, parts);
                }
                _ => return Err(Failure::new(209, &[&name.value])),
            }
        }
        if prefix.is_empty() {
            return Err(Failure::new(207, &[&name.value]));
        }
        let whole = parts.iter().map(|part| part.value.as_str());
        let knows_table = self
            .scopes
            .iter()
            .flat_map(|scope| &scope.sources)
            .any(|source| source.answers_to(prefix));
        if knows_table {
            return Err(Failure::new(207, &[&name.value]));
        }
        Err(Failure::new(4104, &[&whole.collect::<Vec<_>>().join(".")]))
    }

    fn reached(
        &mut self,
        level: usize,
        index: usize,
        column: &Column,
        parts: &[Ident],
    ) -> Result<Scalar, Failure> {
        for (base, correlated) in &mut self.open {
            *correlated |= level < *base;
        }
        let depth = self.scopes.len() - 1 - level;
        let place = match &self.scopes[level].grouping {
            None => index,
            Some(grouping) => grouping
                .keys
                .iter()
                .position(|key| key.node == (Node::Column { depth: 0, index }))
                .ok_or_else(|| {
                    let name: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
                    Failure::new(8120, &[&self.written(level, index, &name)])
                })?,
        };
        Ok(Scalar {
            nullable: column.nullable,
            ..Scalar::new(Node::Column { depth, index: place }, column.sql_type)
        })
    }

    /// A column as messages write it: with its table.
    fn written(&self, level: usize, index: usize, parts: &[&str]) -> String {
        if parts.len() > 1 {
            return parts.join(".");
        }
        let source = self.scopes[level]
            .sources
            .iter()
            .rfind(|source| source.offset <= index);
        let table = source.map_or_else(String::new, |source| source.parts.join("."));
        format!("{table}.{}", parts.join("."))
    }
}
