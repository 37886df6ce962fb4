//! Columns of a view: name, type, whether NULL can stand in it, and the first version that has it.

use crate::instance::Version;
use crate::value::{Column, Length, SYSNAME, SqlType};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    sql_type: SqlType,
    nullable: bool,
    pub(super) since: Version,
}

impl Field {
    /// NULL can stand in it.
    pub(super) const fn or_null(self) -> Self {
        Self {
            nullable: true,
            ..self
        }
    }

    /// Versions before `since` do not have it.
    pub(super) const fn since(self, since: Version) -> Self {
        Self { since, ..self }
    }

    /// As a query sees it.
    pub(super) fn column(&self) -> Column {
        Column {
            name: self.name.to_owned(),
            sql_type: self.sql_type,
            nullable: self.nullable,
        }
    }
}

/// A column of any type, never NULL, in every version.
pub(super) const fn field(name: &'static str, sql_type: SqlType) -> Field {
    Field {
        name,
        sql_type,
        nullable: false,
        since: Version::V2012,
    }
}

/// `bit`.
pub(super) const fn bit(name: &'static str) -> Field {
    field(name, SqlType::Bit)
}

/// `tinyint`.
pub(super) const fn tinyint(name: &'static str) -> Field {
    field(name, SqlType::TinyInt)
}

/// `smallint`.
pub(super) const fn smallint(name: &'static str) -> Field {
    field(name, SqlType::SmallInt)
}

/// `int`.
pub(super) const fn int(name: &'static str) -> Field {
    field(name, SqlType::Int)
}

/// `bigint`.
pub(super) const fn bigint(name: &'static str) -> Field {
    field(name, SqlType::BigInt)
}

/// `real`.
pub(super) const fn real(name: &'static str) -> Field {
    field(name, SqlType::Real)
}

/// `float`.
pub(super) const fn float(name: &'static str) -> Field {
    field(name, SqlType::Float)
}

/// `sysname`.
pub(super) const fn sysname(name: &'static str) -> Field {
    field(name, SYSNAME)
}

/// `nvarchar(length)`.
pub(super) const fn text(name: &'static str, length: u16) -> Field {
    field(name, SqlType::NVarChar(Length::Of(length)))
}

/// `nvarchar(60)`, the word for a number beside it; NULL where the number is.
pub(super) const fn desc(name: &'static str) -> Field {
    text(name, 60).or_null()
}

/// `char(length)`.
pub(super) const fn chars(name: &'static str, length: u16) -> Field {
    field(name, SqlType::Char(length))
}

/// `varbinary(length)`.
pub(super) const fn varbinary(name: &'static str, length: u16) -> Field {
    field(name, SqlType::VarBinary(Length::Of(length)))
}

/// `datetime`.
pub(super) const fn datetime(name: &'static str) -> Field {
    field(name, SqlType::DateTime)
}

/// `uniqueidentifier`.
pub(super) const fn guid(name: &'static str) -> Field {
    field(name, SqlType::UniqueIdentifier)
}

/// `numeric(25,0)`, an LSN; NULL where there is none.
pub(super) const fn lsn(name: &'static str) -> Field {
    let numeric = SqlType::Decimal {
        precision: 25,
        scale: 0,
    };
    field(name, numeric).or_null()
}

/// `sql_variant`.
pub(super) const fn variant(name: &'static str) -> Field {
    field(name, SqlType::Variant)
}
