//! The authorities of a vault: a numbered row of files in the data directory.
//!
//! | file             | what                                                  |
//! |------------------|-------------------------------------------------------|
//! | `tls/ca-N.pem`   | certificate of authority N, to be trusted by clients  |
//! | `tls/ca-N.key`   | its private key, for the owner only (mode 0600)       |
//!
//! There is more than one when a successor was announced: clients are given all of them (`bac2 ca export`) and trust the
//! next one years before it signs anything. Which one signs for a host: the oldest that may vouch for it and has more
//! than [`SWITCH_DAYS`] left, so that nothing changes for clients until it must. A host that no authority may vouch for
//! is refused, because clients would refuse it too; `bac2 ca renew` makes an authority that covers it, and the old hosts
//! stay with the old authority.
//!
//! A file that is there is never changed. Two processes that make an authority at once get two numbers.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use azblob::time::UnixMillis;
use uuid::Uuid;

use super::TlsError;
use super::authority::{Authority, AuthorityCertificate, days_after};
use crate::host::Host;

/// Folder in the data directory.
const FOLDER: &str = "tls";

/// With fewer days than this left of its newest authority the vault makes and announces the next.
pub const ANNOUNCE_DAYS: i64 = 5 * 365;

/// With fewer days than this left an authority signs only what no other may.
pub const SWITCH_DAYS: i64 = 366;

/// Authorities that a directory may hold; one more means that something makes them in a loop.
const AUTHORITIES_MAX: u32 = 100;

/// The authorities of a data directory.
pub(super) struct Authorities {
    folder: PathBuf,
    all: Vec<Authority>,
}

/// The certificates of a data directory's authorities, oldest first, expired ones too. Needs no key, so whoever may read
/// the directory may ask.
///
/// # Errors
/// A file cannot be read or is no certificate of this vault.
pub fn certificates(data: &Path) -> Result<Vec<AuthorityCertificate>, TlsError> {
    let folder = data.join(FOLDER);
    let mut found = Vec::new();
    for number in numbers(&folder)? {
        let path = certificate_path(&folder, number);
        let pem = fs::read(&path).map_err(|error| TlsError::io(&path, error))?;
        let read = AuthorityCertificate::read(number, &pem);
        found.push(read.map_err(|why| TlsError::Unreadable { path, why })?);
    }
    Ok(found)
}

/// Makes one more authority, for `hosts` and for all that the valid ones vouch for.
///
/// # Errors
/// The files cannot be written.
pub fn renew(data: &Path, hosts: &[Host], now: UnixMillis) -> Result<AuthorityCertificate, TlsError> {
    let folder = data.join(FOLDER);
    make_folder(&folder)?;
    let known = certificates(data)?;
    let mut all = hosts.to_vec();
    for host in known
        .iter()
        .filter(|c| c.is_valid(now))
        .flat_map(AuthorityCertificate::hosts)
    {
        if !all.contains(&host) {
            all.push(host);
        }
    }
    all.retain(|host| !Host::always().contains(host));
    let mut number = known.last().map_or(1, |last| last.number + 1);
    let mark = Uuid::new_v4().simple().to_string();
    let made = Authority::make(&all, &mark[..8], now)?;
    // The key first: an authority exists when its certificate does.
    while !write_new(&key_path(&folder, number), &made.key_pem, 0o600)? {
        number += 1;
        if number > AUTHORITIES_MAX {
            return Err(TlsError::TooMany { folder });
        }
    }
    let path = certificate_path(&folder, number);
    write_new(&path, &made.certificate_pem, 0o644)?;
    let read = AuthorityCertificate::read(number, made.certificate_pem.as_bytes());
    read.map_err(|why| TlsError::Unreadable { path, why })
}

impl Authorities {
    /// Opens the authorities of `data`; makes the first where there is none that is valid, and a successor where the
    /// newest ends within [`ANNOUNCE_DAYS`]. `hosts` are those that a certificate shall cover.
    ///
    /// # Errors
    /// [`TlsError::Uncovered`] when no valid authority may vouch for one of the hosts; otherwise those of the files.
    pub(super) fn open(data: &Path, hosts: &[Host], now: UnixMillis) -> Result<Self, TlsError> {
        let known = certificates(data)?;
        let newest = known
            .iter()
            .filter(|c| c.is_valid(now))
            .map(|c| c.not_after)
            .max();
        match newest {
            None => {
                let made = renew(data, hosts, now)?;
                tracing::info!(authority = %made.name, "made this vault's certificate authority");
            }
            Some(ends) if ends < days_after(now, ANNOUNCE_DAYS) => {
                let made = renew(data, hosts, now)?;
                tracing::warn!(
                    authority = %made.name,
                    "announced the next certificate authority: give clients the output of `bac2 ca export` again"
                );
            }
            Some(_) => {}
        }
        let folder = data.join(FOLDER);
        let mut all = Vec::new();
        for certificate in certificates(data)? {
            let path = key_path(&folder, certificate.number);
            let pem = fs::read_to_string(&path).map_err(|error| TlsError::io(&path, error))?;
            let opened = Authority::open(certificate, &pem);
            all.push(opened.map_err(|why| TlsError::Unreadable { path, why })?);
        }
        let authorities = Authorities { folder, all };
        for host in hosts {
            authorities.signer(host, now)?;
        }
        Ok(authorities)
    }

    /// The authority that signs for this host.
    ///
    /// # Errors
    /// [`TlsError::Uncovered`] when none may.
    pub(super) fn signer(&self, host: &Host, now: UnixMillis) -> Result<&Authority, TlsError> {
        let may = |authority: &&Authority| {
            authority.certificate.is_valid(now) && authority.certificate.permits(host)
        };
        let lasting = days_after(now, SWITCH_DAYS);
        let unhurried = (self.all.iter().filter(may)).find(|a| a.certificate.not_after > lasting);
        unhurried
            .or_else(|| {
                self.all
                    .iter()
                    .filter(may)
                    .max_by_key(|a| a.certificate.not_after)
            })
            .ok_or_else(|| TlsError::Uncovered {
                host: host.clone(),
                folder: self.folder.clone(),
            })
    }

    /// When the last of them ends.
    pub(super) fn last_ends(&self) -> UnixMillis {
        let ends = self.all.iter().map(|authority| authority.certificate.not_after);
        ends.max().unwrap_or_default()
    }
}

fn certificate_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("ca-{number}.pem"))
}

fn key_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("ca-{number}.key"))
}

/// Numbers of the certificates in the folder, ascending; none where there is no folder.
fn numbers(folder: &Path) -> Result<Vec<u32>, TlsError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| TlsError::io(folder, error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| TlsError::io(folder, error))?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|n| n.strip_prefix("ca-")?.strip_suffix(".pem")?.parse::<u32>().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

fn make_folder(folder: &Path) -> Result<(), TlsError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| TlsError::io(folder, error))
}

/// Writes a file that must not be there yet, whole and durable or not at all. `false` when it is there.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<bool, TlsError> {
    let on = |error| TlsError::io(path, error);
    let temporary = path.with_extension(format!("{}.tmp", Uuid::new_v4().simple()));
    let mut file = create(&temporary, mode).map_err(on)?;
    let linked = (|| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&temporary, path)
    })();
    let _left_over = fs::remove_file(&temporary).is_err();
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        other => other.map_err(on)?,
    }
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(on)?;
    }
    Ok(true)
}

#[cfg(unix)]
fn create(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _mode: u32) -> io::Result<File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}
