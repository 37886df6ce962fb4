//! A fault as text.

use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Requests to a host fail once this many more bytes were sent to it.
    NetworkLost {
        /// Host.
        host: String,
        /// Bytes; 0 for at once.
        after: u64,
    },
    /// All is well with a host.
    NetworkBack(String),
    /// Requests to a host take longer.
    NetworkSlow(String, Duration),
    /// Requests to a host are answered with 403.
    NetworkExpired(String),
    /// The instance dies, at once or once this many more bytes were sent to a host.
    Kill(Option<(u64, String)>),
    /// Writes below a path take longer.
    DiskSlow(String, Duration),
    /// Writes below a path fail with an error of the operating system.
    DiskFail(String, i32),
    /// Reads below a path fail with an error of the operating system.
    DiskUnreadable(String, i32),
    /// All is well below a path.
    DiskWell(String),
    /// A database's log is full (true), or may grow again.
    LogFull(String, bool),
    /// A byte of a page changes on disk.
    CorruptPage {
        /// Database.
        database: String,
        /// File.
        file: u16,
        /// Page.
        page: u32,
    },
    /// A permission is taken from a login (true) or given back.
    Deny {
        /// Upper case.
        permission: String,
        /// Login.
        login: String,
        /// Taken.
        deny: bool,
    },
    /// A certificate is gone.
    CertificateMissing(String),
    /// Another product takes a backup.
    ForeignBackup {
        /// Database.
        database: String,
        /// `full`, `differential` or `log`.
        kind: String,
        /// Where to.
        path: String,
    },
    /// A database is dropped.
    DatabaseDrop(String),
    /// A database is renamed.
    DatabaseRename(String, String),
    /// A database is switched to SIMPLE.
    DatabaseSimple(String),
    /// A database is mirrored; whether it is the principal.
    DatabaseMirror(String, bool),
    /// A database is mirrored no more.
    DatabaseUnmirror(String),
    /// A database is published for replication.
    DatabasePublish(String),
    /// A database captures changed data.
    DatabaseCapture(String),
    /// Something was logged minimally in a database: the next log backup holds bulk-logged changes.
    DatabaseBulk(String),
    /// A database joins an availability group, which is made where it is not there.
    GroupJoin(String, String),
    /// A database leaves its group.
    GroupLeave(String),
    /// This replica's role, and who is the primary where it is not.
    GroupRole(String, crate::instance::server::ReplicaRole, Option<String>),
    /// Another replica, with its backup priority.
    GroupReplica(String, String, u8),
    /// Another replica is out of touch (true), or in touch again.
    GroupApart(String, String, bool),
    /// Secondaries let nobody in (true), or everybody.
    GroupClosed(String, bool),
    /// The group is a basic one.
    GroupBasic(String),
    /// The backup preference, 0 to 3.
    GroupPreference(String, u8),
    /// The clock jumps, by microseconds.
    ClockJump(i64),
    /// The whole instance is kept under a name.
    Snapshot(String),
    /// The whole instance is put back.
    Rollback(String),
    /// Nobody can log in (true), or everybody again.
    InstanceFaulty(bool),
}

/// A deed and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From now.
    pub after: Duration,
    /// What.
    pub deed: Deed,
}

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is no fault that the simulation knows")]
pub struct GrammarError {
    /// Line of the file, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Reads a file of faults: one a line, `#` begins a comment.
///
/// # Errors
/// The first line that is none.
pub fn parse_file(text: &str) -> Result<Vec<Line>, GrammarError> {
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let content = text.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let line = parse(content).ok_or_else(|| GrammarError {
            line: index + 1,
            text: content.chars().take(200).collect(),
        })?;
        lines.push(line);
    }
    Ok(lines)
}

/// Reads one line.
#[must_use]
pub fn parse(text: &str) -> Option<Line> {
    let words = words(text)?;
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut after = Duration::ZERO;
    if let ["after", time, ..] = words.as_slice() {
        after = duration(time)?;
        words.drain(..2);
    }
    Some(Line {
        after,
        deed: deed(&words)?,
    })
}

fn deed(words: &[&str]) -> Option<Deed> {
    let own = |text: &str| text.to_owned();
    Some(match words {
        ["network", "lost", host] => Deed::NetworkLost {
            host: own(host),
            after: 0,
        },
        ["network", "lost", host, "after", bytes, "bytes"] => Deed::NetworkLost {
            host: own(host),
            after: bytes.parse().ok()?,
        },
        ["network", "back", host] => Deed::NetworkBack(own(host)),
        ["network", "slow", host, time] => Deed::NetworkSlow(own(host), duration(time)?),
        ["network", "expired", host] => Deed::NetworkExpired(own(host)),
        ["kill"] => Deed::Kill(None),
        ["kill", "after", bytes, "bytes", "to", host] => Deed::Kill(Some((bytes.parse().ok()?, own(host)))),
        ["disk", "slow", path, time] => Deed::DiskSlow(own(path), duration(time)?),
        ["disk", "fail", path, number] => Deed::DiskFail(own(path), number.parse().ok()?),
        ["disk", "unreadable", path, number] => Deed::DiskUnreadable(own(path), number.parse().ok()?),
        ["disk", "full", path] => Deed::DiskFail(own(path), 112),
        ["disk", "well", path] => Deed::DiskWell(own(path)),
        ["log", "full", database] => Deed::LogFull(own(database), true),
        ["log", "well", database] => Deed::LogFull(own(database), false),
        ["page", "corrupt", database, file, page] => Deed::CorruptPage {
            database: own(database),
            file: file.parse().ok()?,
            page: page.parse().ok()?,
        },
        [deny @ ("deny" | "allow"), permission @ .., "to", login] if !permission.is_empty() => Deed::Deny {
            permission: permission.join(" ").to_ascii_uppercase(),
            login: own(login),
            deny: *deny == "deny",
        },
        ["certificate", "missing", name] => Deed::CertificateMissing(own(name)),
        [
            "backup",
            "foreign",
            database,
            kind @ ("full" | "differential" | "log"),
            path,
        ] => Deed::ForeignBackup {
            database: own(database),
            kind: own(kind),
            path: own(path),
        },
        ["clock", "jump", time] => Deed::ClockJump(jump(time)?),
        ["snapshot", name] => Deed::Snapshot(own(name)),
        ["rollback", name] => Deed::Rollback(own(name)),
        ["instance", "faulty"] => Deed::InstanceFaulty(true),
        ["instance", "well"] => Deed::InstanceFaulty(false),
        ["database", rest @ ..] => database(rest)?,
        ["group", rest @ ..] => group(rest)?,
        _ => return None,
    })
}

fn database(words: &[&str]) -> Option<Deed> {
    Some(match words {
        ["drop", name] => Deed::DatabaseDrop((*name).to_owned()),
        ["rename", name, new] => Deed::DatabaseRename((*name).to_owned(), (*new).to_owned()),
        ["simple", name] => Deed::DatabaseSimple((*name).to_owned()),
        ["mirror", name, "principal"] => Deed::DatabaseMirror((*name).to_owned(), true),
        ["mirror", name, "mirror"] => Deed::DatabaseMirror((*name).to_owned(), false),
        ["unmirror", name] => Deed::DatabaseUnmirror((*name).to_owned()),
        ["publish", name] => Deed::DatabasePublish((*name).to_owned()),
        ["capture", name] => Deed::DatabaseCapture((*name).to_owned()),
        ["bulk", name] => Deed::DatabaseBulk((*name).to_owned()),
        _ => return None,
    })
}

fn group(words: &[&str]) -> Option<Deed> {
    use crate::instance::server::ReplicaRole;
    Some(match words {
        ["join", database, group] => Deed::GroupJoin((*database).to_owned(), (*group).to_owned()),
        ["leave", database] => Deed::GroupLeave((*database).to_owned()),
        ["role", group, role, primary @ ..] if primary.len() <= 1 => {
            let role = match *role {
                "primary" => ReplicaRole::Primary,
                "secondary" => ReplicaRole::Secondary,
                "resolving" => ReplicaRole::Resolving,
                _ => return None,
            };
            Deed::GroupRole(
                (*group).to_owned(),
                role,
                primary.first().map(|name| (*name).to_owned()),
            )
        }
        ["replica", group, server] => Deed::GroupReplica((*group).to_owned(), (*server).to_owned(), 50),
        ["replica", group, server, priority] => {
            let priority = priority.parse().ok().filter(|priority| *priority <= 100)?;
            Deed::GroupReplica((*group).to_owned(), (*server).to_owned(), priority)
        }
        ["apart", group, server] => Deed::GroupApart((*group).to_owned(), (*server).to_owned(), true),
        ["together", group, server] => Deed::GroupApart((*group).to_owned(), (*server).to_owned(), false),
        ["closed", group] => Deed::GroupClosed((*group).to_owned(), true),
        ["readable", group] => Deed::GroupClosed((*group).to_owned(), false),
        ["basic", group] => Deed::GroupBasic((*group).to_owned()),
        ["preference", group, preference] => {
            let names = ["primary", "secondary_only", "secondary", "none"];
            let at = names.iter().position(|name| name == preference)?;
            Deed::GroupPreference((*group).to_owned(), u8::try_from(at).ok()?)
        }
        _ => return None,
    })
}

/// `500ms`, `2s`, `10m`, `4h`, `14d`.
fn duration(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..at].parse().ok()?;
    let unit = match &text[at..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(count.checked_mul(unit)?))
}

/// A duration with a sign, in microseconds; at most a hundred years.
fn jump(text: &str) -> Option<i64> {
    const MOST: Duration = Duration::from_secs(100 * 366 * 86_400);
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let time = duration(rest).filter(|time| *time <= MOST)?;
    Some(sign * i64::try_from(time.as_micros()).ok()?)
}

/// Words between spaces; `[...]` and `"..."` hold spaces. `None` where one is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '[' => Some(']'),
            '"' => Some('"'),
            _ => None,
        };
        let (word, after) = match close {
            Some(close) => rest[1..].split_once(close)?,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deed, Line, parse, parse_file};

    #[test]
    fn lines_say_what_and_when() {
        assert_eq!(
            parse("after 5s network lost vault.example after 1048576 bytes"),
            Some(Line {
                after: Duration::from_secs(5),
                deed: Deed::NetworkLost {
                    host: "vault.example".to_owned(),
                    after: 1_048_576
                }
            })
        );
        let deed = |text: &str| parse(text).map(|line| line.deed);
        assert_eq!(
            deed("page corrupt [my db] 1 200"),
            Some(Deed::CorruptPage {
                database: "my db".to_owned(),
                file: 1,
                page: 200
            })
        );
        assert_eq!(
            deed("deny backup database to \"app login\""),
            Some(Deed::Deny {
                permission: "BACKUP DATABASE".to_owned(),
                login: "app login".to_owned(),
                deny: true
            })
        );
        assert_eq!(
            deed("disk unreadable /d 1117"),
            Some(Deed::DiskUnreadable("/d".to_owned(), 1117))
        );
        assert_eq!(deed("clock jump -1h"), Some(Deed::ClockJump(-3_600_000_000)));
        for wrong in [
            "",
            "network",
            "kill after x bytes to h",
            "disk slow /d 5",
            "group role g master",
            "page corrupt [d 1 2",
        ] {
            assert_eq!(deed(wrong), None, "{wrong}");
        }
        let error = parse_file("# first\n\nkill\nburn\n").unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (4, "burn"));
    }
}
