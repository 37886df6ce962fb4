//! The sheet "Summary": which run this was, what its counts are, and what it could not see.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::super::heading::Heading;
use super::super::outcome::Summary;
use super::super::row::Row;
use super::super::sentence::length;
use super::{Styles, cut, moment};

/// Failures listed here; all stand in the list.
const FAILURES_MAX: usize = 100;

/// Writes line under line.
struct Lines<'a> {
    sheet: &'a mut Worksheet,
    styles: &'a Styles,
    line: u32,
}

pub(super) fn write(
    sheet: &mut Worksheet,
    rows: &[Row],
    summary: &Summary,
    heading: &Heading,
    styles: &Styles,
) -> Result<(), XlsxError> {
    sheet.set_column_width(0, 26)?;
    sheet.set_column_width(1, 100)?;
    let mut lines = Lines {
        sheet,
        styles,
        line: 0,
    };
    lines.circumstances(rows, heading)?;
    lines.title("Seen")?;
    lines.count("Containers read", summary.containers)?;
    lines.count("Blobs seen", summary.blobs)?;
    lines.count("Locked blobs", summary.locked)?;
    lines.counts("Rows by action", rows, |row| Some(row.action))?;
    lines.counts("Rows by holder", rows, |row| row.holder)?;
    lines.counts("Rows by activity", rows, |row| row.activity)?;
    lines.counts("Rows by content", rows, |row| row.content)?;
    lines.failures(rows)
}

/// What the run did, in one line.
fn changes(rows: &[Row], heading: &Heading) -> String {
    if heading.dry_run {
        return "none: a dry run says what would be done".to_owned();
    }
    let did = |actions: &[&str]| rows.iter().filter(|row| actions.contains(&row.action)).count();
    let (broken, deleted) = (did(&["broken", "deleted", "brokenNotDeleted"]), did(&["deleted"]));
    if broken == 0 {
        return "none".to_owned();
    }
    format!("leases broken: {broken}; of these blobs deleted: {deleted}")
}

impl Lines<'_> {
    fn circumstances(&mut self, rows: &[Row], heading: &Heading) -> Result<(), XlsxError> {
        let terms = &heading.terms;
        // Only the vault's own door tells of connections.
        let ours = rows.iter().any(|row| row.connections.is_some());
        self.title("Run")?;
        self.text("Account", &heading.account)?;
        self.text("Command", &format!("bac2 leases {}", heading.command))?;
        self.text("Changes", &changes(rows, heading))?;
        self.sheet
            .write_string_with_format(self.line, 0, "Made (UTC)", &self.styles.label)?;
        self.sheet
            .write_datetime_with_format(self.line, 1, &moment(heading.at)?, &self.styles.moment)?;
        self.line += 1;
        let scope = &heading.scope;
        self.text(
            "Container",
            scope
                .container
                .as_deref()
                .unwrap_or("all that the credential lists"),
        )?;
        if !scope.prefix.is_empty() {
            self.text("Blobs that begin with", &scope.prefix)?;
        }
        for place in scope.blobs.union(&terms.named) {
            self.text("Blob named by the user", &place.to_string())?;
        }
        self.text("Least quiet time", &length(terms.min_quiet))?;
        self.text(
            "Restore leases",
            if !terms.include_restore {
                "left alone"
            } else if ours {
                "included"
            } else {
                "included: reads leave no trace on a storage account, so a restore that still runs looks the same"
            },
        )?;
        let asked = match heading.asked.as_slice() {
            [] if ours => "none".to_owned(),
            [] => "none: quiet time is evidence, not proof".to_owned(),
            servers => servers.join(", "),
        };
        self.text("Servers asked", &asked)?;
        if ours {
            self.text(
                "The vault's own door",
                "says which blobs are in use: open connections and jobs decide",
            )?;
        }
        Ok(())
    }

    /// How often each word stands in a column; nothing for a column that is empty.
    fn counts(
        &mut self,
        title: &str,
        rows: &[Row],
        word: fn(&Row) -> Option<&'static str>,
    ) -> Result<(), XlsxError> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for word in rows.iter().filter_map(word) {
            *counts.entry(word).or_default() += 1;
        }
        if counts.is_empty() {
            return Ok(());
        }
        self.title(title)?;
        counts
            .into_iter()
            .try_for_each(|(word, count)| self.count(word, count))
    }

    /// What was not seen: a report with a gap says so where it is read first.
    fn failures(&mut self, rows: &[Row]) -> Result<(), XlsxError> {
        let failures: Vec<&Row> = rows
            .iter()
            .filter(|row| matches!(row.action, "failed" | "brokenNotDeleted"))
            .collect();
        self.title("Failures")?;
        if failures.is_empty() {
            return self.text("none", "");
        }
        for row in failures.iter().take(FAILURES_MAX) {
            let place = match (&row.container, &row.blob) {
                (Some(container), Some(blob)) => format!("{container}/{blob}"),
                (Some(container), None) => container.clone(),
                (None, _) => row.account.clone(),
            };
            self.text(&place, row.detail.as_deref().unwrap_or_default())?;
        }
        match failures.len().saturating_sub(FAILURES_MAX) {
            0 => Ok(()),
            more => self.text("and more", &format!("{more} more stand in the list")),
        }
    }

    fn title(&mut self, text: &str) -> Result<(), XlsxError> {
        if self.line > 0 {
            self.line += 1;
        }
        let style = &self.styles.header;
        self.sheet.write_string_with_format(self.line, 0, text, style)?;
        self.sheet.write_blank(self.line, 1, style)?;
        self.line += 1;
        Ok(())
    }

    fn text(&mut self, label: &str, text: &str) -> Result<(), XlsxError> {
        let styles = self.styles;
        self.sheet
            .write_string_with_format(self.line, 0, cut(label), &styles.label)?;
        self.sheet
            .write_string_with_format(self.line, 1, cut(text), &styles.wrapped)?;
        self.line += 1;
        Ok(())
    }

    fn count(&mut self, label: &str, count: u64) -> Result<(), XlsxError> {
        let styles = self.styles;
        self.sheet
            .write_string_with_format(self.line, 0, label, &styles.label)?;
        self.sheet
            .write_number_with_format(self.line, 1, count as f64, &styles.number)?;
        self.line += 1;
        Ok(())
    }
}
