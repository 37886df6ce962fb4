//! The T-SQL of a plan, with the user's wishes for the database that comes out of it: its name, and where its files lie.
//!
//! Deliberately absent: what SQL Server takes and how it is quoted, which `chain::tsql` knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bak::DatabaseFile;
use chain::tsql::{Device, End, Move, Options, Order, Source};
use chain::{Plan, Target};
use clap::Args;

use super::blobs::is_nowhere;
use super::found::absolute;
use super::library::{Held, Kin};
use crate::console::Console;
use crate::failure::Failure;
use crate::paint::printable;

/// Where the restored database shall be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The script")]
pub(super) struct Wishes {
    /// Restore under this name
    #[arg(long, value_name = "NAME", requires = "target")]
    to: Option<String>,

    /// Put this file of the database there; as often as needed
    #[arg(long = "move", value_name = "LOGICAL=PATH", value_parser = one_move, requires = "target")]
    moves: Vec<(String, String)>,

    /// Put all other files of the database into this folder of the SQL Server
    #[arg(long, value_name = "DIR", requires = "target")]
    move_to: Option<String>,

    /// The SQL Server sees this folder, or this beginning of a URL, by another name; as often as needed
    #[arg(long, value_name = "HERE=THERE", value_parser = one_alias, requires = "target")]
    seen_as: Vec<Alias>,

    /// Overwrite the database that has the name now
    #[arg(long, requires = "target")]
    replace: bool,

    /// Leave the database restoring, so that more backups can follow
    #[arg(long, requires = "target")]
    no_recovery: bool,
}

fn one_move(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((logical, path)) if !logical.is_empty() && !path.is_empty() => {
            Ok((logical.to_owned(), path.to_owned()))
        }
        _ => Err("expected LOGICAL=PATH, such as Sales_log=L:\\Log\\Sales_test.ldf".to_owned()),
    }
}

/// What a place is called here and on the SQL Server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alias {
    /// From the root, without a separator at its end.
    here: String,
    there: String,
}

fn one_alias(text: &str) -> Result<Alias, String> {
    let (here, there) = text
        .split_once('=')
        .filter(|(here, there)| !here.is_empty() && !there.is_empty())
        .ok_or("expected HERE=THERE, such as /mnt/backups=\\\\nas\\backups")?;
    let here = if here.contains("://") {
        here.to_owned()
    } else {
        absolute(Path::new(here))
    };
    let ends = ['/', '\\'];
    Ok(Alias {
        here: here.trim_end_matches(ends).to_owned(),
        there: there.trim_end_matches(ends).to_owned(),
    })
}

impl Alias {
    /// The name there, where `name` lies in this place.
    fn apply(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.here)?;
        if !rest.starts_with(['/', '\\']) {
            return None;
        }
        let is_windows = self.there.contains('\\') || self.there.get(1..2) == Some(":");
        let rest = if is_windows {
            rest.replace('/', "\\")
        } else {
            rest.to_owned()
        };
        Some(format!("{}{rest}", self.there))
    }
}

impl Wishes {
    /// A device as the SQL Server finds it; of several places the innermost counts.
    fn seen(&self, device: &Device) -> Device {
        let (Device::Disk(name) | Device::Url(name)) = device;
        let aliases = self.seen_as.iter();
        let fitting = aliases.filter_map(|alias| Some((alias.here.len(), alias.apply(name)?)));
        let Some((_, there)) = fitting.max() else {
            return device.clone();
        };
        // A share may hold what a URL shows elsewhere, and the other way round.
        if there.contains("://") {
            Device::Url(there)
        } else {
            Device::Disk(there)
        }
    }

    /// What the user should know before running the script.
    pub(super) fn warning(&self) -> Option<&'static str> {
        let stays = self.moves.is_empty() && self.move_to.is_none();
        (self.to.is_some() && stays).then_some(
            "the script gives the database another name and leaves its files where they were: beside the original that fails; \
             give --move-to DIR or --move LOGICAL=PATH",
        )
    }

    /// No two scripts restore into one name: the second would fail, or with --replace give up what the first restored. Scripts that
    /// are asked for one at a time (`is_one_script` is about all of them in a row) may.
    pub(super) fn check_names(&self, kin: &[&Kin], is_one_script: bool) -> Result<(), Failure> {
        let name = |kin: &Kin| self.to.as_ref().unwrap_or(&kin.name).to_lowercase();
        let mut seen = BTreeMap::new();
        let twice = kin
            .iter()
            .find_map(|one| Some((seen.insert(name(one), one)?, one)));
        let Some((first, second)) = twice.filter(|_| self.to.is_some() || is_one_script) else {
            return Ok(());
        };
        let into = self.to.as_ref().unwrap_or(&second.name);
        let option = |kin: &Kin| {
            let guid = kin.family.map(|family| family.to_string());
            format!("--database {}", guid.unwrap_or_else(|| printable(&kin.name)))
        };
        Err(Failure::unusable(
            "OneNameForSeveral",
            format!("several databases would be restored as {}", printable(into)),
            format!(
                "choose one: {} is {}, {} is {}",
                option(first),
                printable(&first.name),
                option(second),
                printable(&second.name)
            ),
        ))
    }

    /// The script of `plan`.
    pub(super) fn script(
        &self,
        kin: &Kin,
        plan: &Plan,
        target: &Target,
        console: &Console,
    ) -> Result<String, Failure> {
        let held: Vec<&Held> = plan
            .steps
            .iter()
            .map(|step| kin.held(step.set).expect("a plan names sets it was given"))
            .collect();
        self.check_moves(kin, &held)?;
        let mut taken = Taken::default();
        let sources: Vec<Source<'_>> = held
            .iter()
            .map(|held| Source {
                set: &held.set,
                devices: held.devices.iter().map(|device| self.seen(device)).collect(),
                position: held.position,
                has_checksums: held.backup.has_backup_checksums,
                moves: self.moves_of(held, &mut taken),
            })
            .collect();
        if sources.iter().flat_map(|source| &source.devices).any(is_nowhere) {
            console.warn(format!(
                "nothing says by which name a SQL Server finds the vault with the backups of {}: give --blob-url https://NAME for a script that runs",
                printable(&kin.name)
            ));
        }
        let options = Options {
            replace: self.replace,
            end: if self.no_recovery {
                End::Restoring
            } else {
                Options::default().end
            },
            ..Options::default()
        };
        // The name that the database had at the end of the plan: a copy of it may have had another one since.
        let name = held.last().map_or(&kin.name, |held| &held.backup.database_name);
        let order = Order {
            database: self.to.as_ref().unwrap_or(name),
            target,
            remarks: &remarks(kin),
            options,
        };
        chain::tsql::script(plan, &sources, &order).map_err(|error| {
            Failure::failed(
                "ScriptNotWritten",
                format!(
                    "the plan for {} cannot be written as T-SQL: {error}",
                    printable(&kin.name)
                ),
                "the steps of the plan hold all the same; -o json lists them",
            )
        })
    }

    /// Every file that the user moves is one of the database.
    fn check_moves(&self, kin: &Kin, held: &[&Held]) -> Result<(), Failure> {
        let known: BTreeSet<&str> = held
            .iter()
            .flat_map(|held| &held.backup.files)
            .map(|file| file.logical_name.as_str())
            .collect();
        match self
            .moves
            .iter()
            .find(|(logical, _)| !known.contains(logical.as_str()))
        {
            None => Ok(()),
            Some((logical, _)) => {
                let names: Vec<String> = known.iter().map(|name| printable(name)).collect();
                Err(Failure::unusable(
                    "NoSuchFile",
                    format!(
                        "{} has no file with the logical name {logical}",
                        printable(&kin.name)
                    ),
                    format!("it has {}", names.join(", ")),
                ))
            }
        }
    }

    fn moves_of(&self, held: &Held, taken: &mut Taken) -> Vec<Move> {
        let to = |file: &DatabaseFile| {
            let named = self
                .moves
                .iter()
                .find(|(logical, _)| *logical == file.logical_name);
            let path = match (named, &self.move_to) {
                (Some((_, path)), _) => path.clone(),
                (None, Some(folder)) => taken.place(folder, file),
                (None, None) => return None,
            };
            Some(Move {
                file_id: file.file_id,
                unique_id: file.unique_id,
                logical_name: file.logical_name.clone(),
                path,
            })
        };
        held.backup.files.iter().filter_map(to).collect()
    }
}

/// Paths already given to a file in the folder of `--move-to`.
#[derive(Debug, Default)]
struct Taken {
    by_path: BTreeMap<String, u32>,
}

impl Taken {
    /// The file's own name in `folder`; with its number where another file has the name already.
    fn place(&mut self, folder: &str, file: &DatabaseFile) -> String {
        let separator = if folder.contains('\\') || folder.contains(':') {
            '\\'
        } else {
            '/'
        };
        let folder = folder.trim_end_matches(['\\', '/']);
        let name = file
            .physical_name
            .rsplit(['\\', '/'])
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or(&file.logical_name);
        let plain = format!("{folder}{separator}{name}");
        // Windows takes names that differ in case for one.
        let owner = *self.by_path.entry(plain.to_lowercase()).or_insert(file.file_id);
        if owner == file.file_id {
            return plain;
        }
        match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{folder}{separator}{stem}_{}.{extension}", file.file_id),
            None => format!("{plain}_{}", file.file_id),
        }
    }
}

/// Which database this is, for the head of the script.
fn remarks(kin: &Kin) -> Vec<String> {
    let mut about = format!("Source: {}", kin.name);
    if let Some(server) = kin.servers.first() {
        about.push_str(&format!(" of {server}"));
    }
    if let Some(family) = kin.family {
        about.push_str(&format!(", family {family}"));
    }
    vec![about]
}

#[cfg(test)]
mod tests {
    use bak::{DatabaseFile, FileType};

    use super::{Taken, one_alias, one_move};

    #[test]
    fn a_place_has_its_name_on_the_server() {
        let nas = one_alias("/mnt/backups/=\\\\nas\\backups").unwrap();
        assert_eq!(
            nas.apply("/mnt/backups/a/b.bak").as_deref(),
            Some("\\\\nas\\backups\\a\\b.bak")
        );
        assert_eq!(nas.apply("/mnt/backups2/b.bak"), None);
        let drive = one_alias("/mnt/e=E:").unwrap();
        assert_eq!(drive.apply("/mnt/e/b.bak").as_deref(), Some("E:\\b.bak"));
        let linux = one_alias("/mnt/e=/var/opt/mssql/backup").unwrap();
        assert_eq!(
            linux.apply("/mnt/e/a/b.bak").as_deref(),
            Some("/var/opt/mssql/backup/a/b.bak")
        );
        assert!(one_alias("/mnt/e").is_err());
        assert!(one_move("=x").is_err());
    }

    #[test]
    fn two_files_of_one_name_do_not_meet_in_one_folder() {
        let file = |file_id, physical_name: &str| DatabaseFile {
            file_id,
            logical_name: "x".to_owned(),
            physical_name: physical_name.to_owned(),
            file_type: FileType::Data,
            filegroup: None,
            size: 0,
            max_size: 0,
            unique_id: None,
        };
        let mut taken = Taken::default();
        assert_eq!(
            taken.place("E:\\Data\\", &file(1, "D:\\a\\Sales.mdf")),
            "E:\\Data\\Sales.mdf"
        );
        assert_eq!(
            taken.place("E:\\Data", &file(3, "F:\\b\\SALES.mdf")),
            "E:\\Data\\SALES_3.mdf"
        );
        // The same file in the next backup of the plan.
        assert_eq!(
            taken.place("E:\\Data", &file(1, "D:\\a\\Sales.mdf")),
            "E:\\Data\\Sales.mdf"
        );
        assert_eq!(taken.place("/data", &file(1, "/x/Sales.mdf")), "/data/Sales.mdf");
    }
}
