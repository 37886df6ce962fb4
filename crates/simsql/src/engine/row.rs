//! Rows in the FixedVar format, as SQL Server stores them: values of a table's columns to bytes and back.
//!
//! | bytes | |
//! |---|---|
//! | 0 | status A: 0x10 null bitmap, 0x20 variable columns; bits 1 to 3 the kind, 0 for a row |
//! | 1 | status B, 0 |
//! | 2..4 | where the fixed part ends |
//! | 4.. | fixed columns in their order; eight `bit` columns share the byte where the first of them stands |
//! | | u16 number of columns, then a bit for each, set where it is NULL |
//! | | u16 number of variable columns that follow, up to the last that is not empty; u16 end of each from the row's start; their bytes |
//!
//! Long values (`(max)` types) stay in the row; a row that does not fit a page is refused.

mod scalar;

use super::{EngineError, Result};
use crate::value::{Column, SqlType, Value};

/// Longest row in bytes.
pub(crate) const LONGEST_ROW: usize = 8060;

const NULL_BITMAP: u8 = 0x10;
const VARIABLE: u8 = 0x20;
/// Status and the end of the fixed part.
const FIXED_AT: usize = 4;

/// Where a column is in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    /// From this byte on.
    Fixed { at: usize, length: usize },
    /// A bit of this byte.
    Bit { at: usize, mask: u8 },
    /// The variable column with this number, from 0.
    Variable(usize),
}

/// How rows of a table are laid out.
#[derive(Clone, Debug)]
pub(crate) struct RowFormat {
    columns: Vec<(SqlType, Spot)>,
    fixed_end: usize,
    variable: usize,
}

impl RowFormat {
    /// The layout of a table with these columns; none of them is `sql_variant`.
    pub(crate) fn new(columns: &[Column]) -> Self {
        let mut format = Self {
            columns: Vec::with_capacity(columns.len()),
            fixed_end: FIXED_AT,
            variable: 0,
        };
        let mut bits: Option<(usize, u8)> = None;
        for column in columns {
            let spot = format.place(column.sql_type, &mut bits);
            format.columns.push((column.sql_type, spot));
        }
        format
    }

    fn place(&mut self, sql_type: SqlType, bits: &mut Option<(usize, u8)>) -> Spot {
        if sql_type == SqlType::Bit {
            let (at, shift) = bits.filter(|(_, used)| *used < 8).unwrap_or_else(|| {
                self.fixed_end += 1;
                (self.fixed_end - 1, 0)
            });
            *bits = Some((at, shift + 1));
            return Spot::Bit { at, mask: 1 << shift };
        }
        match scalar::fixed_length(sql_type) {
            Some(length) => {
                let at = self.fixed_end;
                self.fixed_end += length;
                Spot::Fixed { at, length }
            }
            None => {
                self.variable += 1;
                Spot::Variable(self.variable - 1)
            }
        }
    }

    /// Where the fixed part of its rows ends: `pminlen` of its pages.
    pub(crate) fn fixed_end(&self) -> u16 {
        u16::try_from(self.fixed_end).unwrap_or(u16::MAX)
    }

    /// A row's bytes; one value a column, of the column's type.
    ///
    /// # Errors
    /// [`EngineError::RowTooLong`].
    pub(crate) fn encode(&self, values: &[Value]) -> Result<Vec<u8>> {
        debug_assert_eq!(values.len(), self.columns.len(), "one value a column");
        if self.fixed_end > LONGEST_ROW {
            return Err(EngineError::RowTooLong(self.fixed_end));
        }
        let count = self.columns.len();
        let nulls_at = self.fixed_end + 2;
        let mut row = vec![0; nulls_at + count.div_ceil(8)];
        row[0] = NULL_BITMAP;
        row[2..4].copy_from_slice(&(self.fixed_end as u16).to_le_bytes());
        row[self.fixed_end..nulls_at].copy_from_slice(&(count as u16).to_le_bytes());
        let mut variable = vec![Vec::new(); self.variable];
        for (index, ((sql_type, spot), value)) in self.columns.iter().zip(values).enumerate() {
            if *value == Value::Null {
                row[nulls_at + index / 8] |= 1 << (index % 8);
                continue;
            }
            match *spot {
                Spot::Bit { at, mask } => row[at] |= if *value == Value::Bit(true) { mask } else { 0 },
                Spot::Fixed { at, length } => scalar::put(*sql_type, value, &mut row[at..at + length]),
                Spot::Variable(number) => variable[number] = scalar::variable(*sql_type, value),
            }
        }
        append_variable(&mut row, &variable);
        if row.len() > LONGEST_ROW {
            return Err(EngineError::RowTooLong(row.len()));
        }
        Ok(row)
    }

    /// The values of a row; `None` where the bytes are no such row.
    pub(crate) fn decode(&self, row: &[u8]) -> Option<Vec<Value>> {
        let parts = self.parts(row)?;
        (0..self.columns.len())
            .map(|index| self.value(row, &parts, index))
            .collect()
    }

    /// The value of one column.
    pub(crate) fn decode_column(&self, row: &[u8], index: usize) -> Option<Value> {
        self.value(row, &self.parts(row)?, index)
    }

    fn parts<'a>(&self, row: &'a [u8]) -> Option<Parts<'a>> {
        let parts = Parts::of(row)?;
        (parts.fixed_end == self.fixed_end && parts.columns == self.columns.len()).then_some(parts)
    }

    fn value(&self, row: &[u8], parts: &Parts<'_>, index: usize) -> Option<Value> {
        let (sql_type, spot) = *self.columns.get(index)?;
        if parts.nulls.get(index / 8)? >> (index % 8) & 1 == 1 {
            return Some(Value::Null);
        }
        match spot {
            Spot::Bit { at, mask } => Some(Value::Bit(row.get(at)? & mask != 0)),
            Spot::Fixed { at, length } => scalar::get(sql_type, row.get(at..at + length)?),
            Spot::Variable(number) => scalar::from_variable(sql_type, parts.variable(row, number)?),
        }
    }
}

/// The variable part; nothing where all of it is empty.
fn append_variable(row: &mut Vec<u8>, variable: &[Vec<u8>]) {
    let Some(last) = variable.iter().rposition(|bytes| !bytes.is_empty()) else {
        return;
    };
    let stored = &variable[..=last];
    row[0] |= VARIABLE;
    row.extend_from_slice(&(stored.len() as u16).to_le_bytes());
    let mut end = row.len() + 2 * stored.len();
    for bytes in stored {
        end += bytes.len();
        // A row this long is refused; the field must only not overflow before that.
        row.extend_from_slice(&(end.min(0x7FFF) as u16).to_le_bytes());
    }
    for bytes in stored {
        row.extend_from_slice(bytes);
    }
}

/// The parts of any row of this format.
struct Parts<'a> {
    fixed_end: usize,
    columns: usize,
    nulls: &'a [u8],
    /// Ends of the variable columns that are stored, two bytes each.
    ends: &'a [u8],
    /// Where the bytes of the first begin.
    start: usize,
}

impl<'a> Parts<'a> {
    fn of(row: &'a [u8]) -> Option<Self> {
        let fixed_end = u16_at(row, 2)?;
        if row[0] & 0x0E != 0 || row[0] & NULL_BITMAP == 0 || fixed_end < FIXED_AT {
            return None;
        }
        let columns = u16_at(row, fixed_end)?;
        let nulls_at = fixed_end + 2;
        let nulls = row.get(nulls_at..nulls_at + columns.div_ceil(8))?;
        let mut start = nulls_at + nulls.len();
        let mut ends: &[u8] = &[];
        if row[0] & VARIABLE != 0 {
            let count = u16_at(row, start)?;
            ends = row.get(start + 2..start + 2 + 2 * count)?;
            start += 2 + 2 * count;
        }
        Some(Self {
            fixed_end,
            columns,
            nulls,
            ends,
            start,
        })
    }

    fn end(&self, number: usize) -> Option<usize> {
        // The highest bit marks a column whose value lies elsewhere; real pages have such.
        u16_at(self.ends, 2 * number).map(|end| end & 0x7FFF)
    }

    /// A variable column's bytes: those behind the last that is stored are empty.
    fn variable(&self, row: &'a [u8], number: usize) -> Option<&'a [u8]> {
        if 2 * number >= self.ends.len() {
            return Some(&[]);
        }
        let from = match number {
            0 => self.start,
            _ => self.end(number - 1)?,
        };
        row.get(from..self.end(number)?)
    }
}

/// The length of the row that begins here; `None` where it is none, or does not end within `bytes`.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let parts = Parts::of(bytes)?;
    let mut end = parts.start;
    for number in 0..parts.ends.len() / 2 {
        let next = parts.end(number)?;
        if next < end {
            return None;
        }
        end = next;
    }
    (end <= bytes.len()).then_some(end)
}

/// The variable columns of the row that begins here, as far as they are stored.
pub(crate) fn variable_columns(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let parts = Parts::of(bytes)?;
    (0..parts.ends.len() / 2)
        .map(|number| parts.variable(bytes, number))
        .collect()
}

/// A row whose fixed part is four zero bytes and whose other columns all vary.
pub(crate) fn of_variable_columns(variable: &[Vec<u8>]) -> Vec<u8> {
    let columns = variable.len() + 1;
    let fixed_end = FIXED_AT + 4;
    let mut row = vec![0; fixed_end + 2 + columns.div_ceil(8)];
    row[0] = NULL_BITMAP;
    row[2..4].copy_from_slice(&(fixed_end as u16).to_le_bytes());
    row[fixed_end..fixed_end + 2].copy_from_slice(&(columns as u16).to_le_bytes());
    append_variable(&mut row, variable);
    row
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at + 2)?;
    Some(usize::from(u16::from_le_bytes([found[0], found[1]])))
}

#[cfg(test)]
mod tests;
