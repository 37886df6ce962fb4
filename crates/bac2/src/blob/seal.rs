//! `bac2 blob seal` and `bac2 blob unseal`: the owner's word on what nobody may change or delete.
//!
//! A running server holds the directory, so it is asked through its socket; where none runs, the store is opened here.
//! Lifting a seal gives up a protection: it takes the typed name of what is meant, or `--yes`.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use clap::Args;
use frontdoor::sealing::{self, Deed, Status, Wish};

use super::{open_to_read, open_to_serve};
use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::paint::{Tone, cell, figures, only_break, printable, table, toned, verdict_words};
use crate::quantity::{counted, size};

/// Seals blobs of a folder, or lifts their seals.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob seal --data ./vault --container backups --proved
  bac2 blob seal --data ./vault --container backups sales/full-1.bak sales/full-2.bak
  bac2 blob unseal --data ./vault --container backups --prefix sales/2025- --dry-run

A sealed blob answers every change and deletion with 409 BlobImmutableDueToPolicy, whatever the key,
SAS or lease, and its container cannot be deleted. Without names, all blobs with content are meant.
Empty blobs and blobs whose lease is held are never sealed. unseal asks for the typed name (of the
blob, or of the container where several are meant), or takes --yes; a server that runs with
--seal-proved seals a proved blob again at its next start. Works while a server runs on the folder,
and without one. Exit code 1 when a blob that was named could not be sealed or unsealed.")]
pub(crate) struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The container
    #[arg(long, value_name = "NAME")]
    container: String,

    /// The storage account, where several have a container of this name
    #[arg(long, value_name = "NAME")]
    account: Option<String>,

    /// Blobs whose names begin so
    #[arg(long, value_name = "TEXT", conflicts_with = "blobs")]
    prefix: Option<String>,

    /// Only blobs whose verdict is final and ok
    #[arg(long)]
    proved: bool,

    /// Do not ask before seals are lifted
    #[arg(long)]
    yes: bool,

    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Names of blobs; none: all of the container
    #[arg(value_name = "BLOB")]
    blobs: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, sealed: bool, console: &Console) -> Result<(), Failure> {
    let mut wish = Wish {
        sealed,
        account: arguments.account.clone(),
        container: arguments.container.clone(),
        blobs: arguments.blobs.clone(),
        prefix: arguments.prefix.clone().unwrap_or_default(),
        proved: arguments.proved,
        dry_run: true,
    };
    let mut deeds = carry_out(arguments, &wish)?;
    let changing: Vec<&Deed> = deeds.iter().filter(|d| d.status == Status::Planned).collect();
    if !arguments.dry_run && !changing.is_empty() {
        if !sealed && !arguments.yes {
            confirm(&changing)?;
        }
        // What was shown is what is changed: blobs that came meanwhile are not.
        wish.account = Some(changing[0].account.clone());
        wish.blobs = changing.iter().map(|deed| deed.name.clone()).collect();
        wish.dry_run = false;
        let done = carry_out(arguments, &wish)?;
        deeds.retain(|deed| deed.status != Status::Planned);
        deeds.extend(done);
        deeds.sort_by(|a, b| a.name.cmp(&b.name));
    }
    match console.format() {
        Format::Json => console.json(&deeds)?,
        Format::Table => console.text(&show(&deeds, sealed, console))?,
    }
    complain(arguments, &deeds, console);
    Ok(())
}

/// A refused blob that was named is a failure; one that was only selected is a warning.
fn complain(arguments: &Arguments, deeds: &[Deed], console: &Console) {
    for deed in deeds.iter().filter(|deed| deed.status == Status::Refused) {
        let why = deed.detail.as_deref().unwrap_or_default();
        console.warn(format!("{} is left as it is: {why}", printable(&deed.name)));
        if !arguments.blobs.is_empty() {
            console.ended(Exit::Failed);
        }
    }
}

/// Has the server that runs on the directory do it, or does it here where none runs. Names go in portions that fit a line
/// of the socket.
fn carry_out(arguments: &Arguments, wish: &Wish) -> Result<Vec<Deed>, Failure> {
    let portions: Vec<Vec<String>> = match wish.blobs.as_slice() {
        [] => vec![Vec::new()],
        names => names.chunks(PORTION).map(<[String]>::to_vec).collect(),
    };
    let mut deeds = Vec::new();
    for blobs in portions {
        let wish = Wish {
            blobs,
            ..wish.clone()
        };
        deeds.extend(carry_out_portion(arguments, &wish)?);
    }
    Ok(deeds)
}

/// Names in one line: of 1,024 characters at most, escaped, they stay under the socket's limit.
const PORTION: usize = 100;

fn carry_out_portion(arguments: &Arguments, wish: &Wish) -> Result<Vec<Deed>, Failure> {
    let data = &arguments.data;
    match sealing::ask(data, wish) {
        Ok(Some(deeds)) => return Ok(deeds),
        Ok(None) => {}
        // What the server itself says comes as an error of no other kind.
        Err(error) if error.kind() == io::ErrorKind::Other => {
            return Err(nothing_selected(error.to_string()));
        }
        Err(error) => {
            return Err(Failure::failed(
                "ServerDoesNotAnswer",
                format!(
                    "the server that runs on {} did not answer: {error}",
                    data.display()
                ),
                "look at its log",
            ));
        }
    }
    // Looking changes nothing and makes no directory; only what is really to be done opens it for writing.
    let store = open_to_read(data)?;
    let store = if wish.dry_run {
        store
    } else {
        drop(store);
        open_to_serve(data)?
    };
    sealing::carry_out(&store, wish).map_err(nothing_selected)
}

fn nothing_selected(why: String) -> Failure {
    Failure::unusable(
        "NothingSelected",
        why,
        "bac2 blob list shows what is stored there",
    )
}

/// Asks for the typed name of what loses its protection.
fn confirm(changing: &[&Deed]) -> Result<(), Failure> {
    let (what, name) = match changing {
        [one] => ("blob", one.name.as_str()),
        several => ("container", several[0].container.as_str()),
    };
    let mut error_output = io::stderr().lock();
    let asked = write!(
        error_output,
        "This lifts the seal of {} ({}): whoever has a key may then change or delete {}.\nType the name of the {what}, {}, to go on: ",
        counted(changing.len() as u64, "blob"),
        size(changing.iter().map(|deed| deed.size).sum()),
        if changing.len() == 1 { "it" } else { "them" },
        printable(name),
    )
    .and_then(|()| error_output.flush());
    let mut typed = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut typed));
    if read.is_ok() && typed.trim_end_matches(['\r', '\n']) == name {
        return Ok(());
    }
    Err(Failure::unusable(
        "NotConfirmed",
        format!("the name of the {what} was not typed, and no seal was lifted"),
        "type it as shown, or add --yes",
    ))
}

fn show(deeds: &[Deed], sealed: bool, console: &Console) -> String {
    if deeds.is_empty() {
        return format!("nothing to {}\n", if sealed { "seal" } else { "unseal" });
    }
    let mut table = table(console, &["seal", "account/container/name", "verdict", "size"]);
    for deed in deeds {
        let tone = match deed.status {
            Status::Sealed => Tone::Good,
            Status::Unsealed | Status::Refused => Tone::Doubtful,
            Status::Planned | Status::Unchanged => Tone::Faint,
        };
        let word = match (deed.status, sealed) {
            (Status::Planned, true) => "would be sealed",
            (Status::Planned, false) => "would be unsealed",
            (Status::Unchanged, true) => "sealed before",
            (Status::Unchanged, false) => "not sealed",
            (status, _) => status.as_str(),
        };
        table.add_row(vec![
            toned(tone, word),
            cell(&format!("{}/{}/{}", deed.account, deed.container, deed.name)),
            cell(deed.verdict.map_or("none", verdict_words)),
            figures(&size(deed.size)),
        ]);
    }
    only_break(&mut table, &[1]);
    format!("{}\n", table.trim_fmt())
}
