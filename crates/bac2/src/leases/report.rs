//! `--report FILE`: the rows as a file, its form by its ending.
//!
//! Whether it can be written is found out before the work begins. The file gets its name only when it is whole; one that
//! is there already is kept unless `--yes` allows it to be replaced.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use azblob::time::UnixMillis;
use clap::Args;
use guard::report::{Heading, Row, Summary, csv, json, xlsx};
use guard::ruling::Terms;
use guard::scope::Scope;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Where the report goes.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct ReportTo {
    /// Write all rows to this file too; its form by its ending: .xlsx, .csv or .json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Xlsx,
    Csv,
    Json,
}

/// What the report is about, beside its rows.
pub(super) struct About {
    /// `list`, `break`, `delete`, `watch`, `watch --act break`, ...
    pub(super) command: &'static str,
    pub(super) dry_run: bool,
    pub(super) scope: Scope,
    pub(super) terms: Terms,
}

/// A report that can be written.
pub(super) struct ReportFile {
    about: About,
    path: PathBuf,
    folder: PathBuf,
    form: Form,
    /// Made in advance: it shows that there is a place for the report, and keeps it.
    draft: Option<NamedTempFile>,
}

impl ReportTo {
    /// Into this file.
    #[cfg(test)]
    pub(super) fn file(path: &Path) -> Self {
        Self {
            report: Some(path.to_owned()),
        }
    }

    /// Looks whether the report can be written. `replace`: also where a file is there.
    pub(super) fn prepare(&self, replace: bool, about: About) -> Result<Option<ReportFile>, Failure> {
        let Some(path) = &self.report else {
            return Ok(None);
        };
        let form = form(path)?;
        match fs::symlink_metadata(path) {
            Ok(there) if !there.is_file() => {
                return Err(Failure::unusable(
                    "ReportNotAFile",
                    format!("{} is there and is no plain file", path.display()),
                    "name another file for the report",
                ));
            }
            Ok(_) if !replace => {
                return Err(Failure::unusable(
                    "ReportExists",
                    format!("{} is there already and is kept", path.display()),
                    "name another file, or add --yes to replace it",
                ));
            }
            _ => {}
        }
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let draft = draft(&folder).map_err(|error| {
            Failure::unusable(
                "ReportNotWritable",
                format!("no report can be written to {}: {error}", folder.display()),
                "name a file in a folder that is there and that this user may write to",
            )
        })?;
        Ok(Some(ReportFile {
            about,
            path: path.clone(),
            folder,
            form,
            draft: Some(draft),
        }))
    }
}

fn form(path: &Path) -> Result<Form, Failure> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "xlsx" => Ok(Form::Xlsx),
        "csv" => Ok(Form::Csv),
        "json" => Ok(Form::Json),
        _ => Err(Failure::unusable(
            "ReportForm",
            format!("{} does not say which form the report shall have", path.display()),
            "let its name end in .xlsx, .csv or .json",
        )),
    }
}

fn draft(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bac2-leases-").suffix(".partial");
    // As other files of this user, not for the owner's eyes alone as a temporary file would be.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

impl ReportFile {
    /// Writes the report whole, in place of what this run wrote before. `account`: its address.
    pub(super) fn write(
        &mut self,
        rows: &[Row],
        summary: &Summary,
        account: &str,
        at: UnixMillis,
    ) -> Result<(), Failure> {
        let heading = self.heading(account, at);
        self.put(rows, summary, &heading).map_err(|error| {
            Failure::failed(
                "ReportFailed",
                format!("the report {} could not be written: {error}", self.path.display()),
                "make room or look at the folder's rights; the answer on standard output has the same rows",
            )
        })
    }

    fn heading(&self, account: &str, at: UnixMillis) -> Heading {
        Heading {
            account: account.to_owned(),
            command: self.about.command.to_owned(),
            dry_run: self.about.dry_run,
            scope: self.about.scope.clone(),
            terms: self.about.terms.clone(),
            asked: Vec::new(),
            at,
        }
    }

    fn put(&mut self, rows: &[Row], summary: &Summary, heading: &Heading) -> io::Result<()> {
        let bytes = match self.form {
            Form::Json => json(rows),
            Form::Csv => csv(rows),
            Form::Xlsx => xlsx(rows, summary, heading).map_err(io::Error::other)?,
        };
        let mut draft = match self.draft.take() {
            Some(draft) => draft,
            None => draft(&self.folder)?,
        };
        draft.write_all(&bytes)?;
        draft.as_file().sync_all()?;
        draft.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}
