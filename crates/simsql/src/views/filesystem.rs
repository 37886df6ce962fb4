//! `sys.dm_os_enumerate_filesystem(path, pattern)`: what is below a directory of the server's.
//!
//! Times are not known of the disk, and are those of the instance's start.

use super::field::{Field, bigint, bit, field, int, text};
use super::view::{Context, Needs, Rows, View, number};
use crate::instance::Version;
use crate::query::collation::Collation;
use crate::value::{SqlType, Value};
use crate::world::{Kind, Open};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.dm_os_enumerate_filesystem", FILES, enumerate)
        .needs(Needs::ServerState)
        .since(Version::V2017)
        .takes(2),
];

const FILES: &[Field] = &[
    text("full_filesystem_path", 512),
    text("parent_directory", 512),
    text("file_or_directory_name", 512),
    int("level"),
    bit("is_directory"),
    bit("is_read_only"),
    bit("is_system"),
    bit("is_hidden"),
    bit("has_integrity_stream"),
    bit("is_temporary"),
    bit("is_sparse"),
    field("creation_time", SqlType::DateTime2(7)),
    field("last_access_time", SqlType::DateTime2(7)),
    field("last_write_time", SqlType::DateTime2(7)),
    bigint("size_in_bytes"),
];

/// Entries at most.
const MOST: usize = 10_000;

/// Whether a name fits a pattern with `*` and `?`, as Windows has them: the last `*` takes one sign more whenever what follows it
/// does not fit.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let one = |place: usize, sign: char| {
        let wanted = pattern.get(place);
        wanted.is_some_and(|wanted| *wanted == '?' || Collation::named("").same(*wanted, sign))
    };
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while read < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, read));
            at += 1;
        } else if one(at, name[read]) {
            at += 1;
            read += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            at = place + 1;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

fn enumerate(context: &Context<'_>) -> Rows {
    let text = |place: usize| match context.arguments.get(place) {
        Some(Value::Text(text)) => Some(text.trim_end()),
        _ => None,
    };
    let (Some(root), Some(pattern)) = (text(0), text(1)) else {
        return Ok(Vec::new());
    };
    let pattern: Vec<char> = pattern.chars().take(260).collect();
    let instance = context.instance();
    let (disk, separator) = (&instance.world.disk, instance.settings.path_separator);
    let started = context.state().started;
    let offset = instance.world.clock.offset_minutes(started);
    let time = Value::DateTime(started.local(offset));
    let mut rows = Vec::new();
    let mut open = vec![(root.trim_end_matches(['/', '\\']).to_owned(), 0)];
    while let Some((directory, level)) = open.pop() {
        for name in disk.list(&directory).unwrap_or_default() {
            let path = format!("{directory}{separator}{name}");
            let is_directory = disk.look(&path) == Some(Kind::Directory);
            if is_directory && open.len() < MOST {
                open.push((path.clone(), level + 1));
            }
            let signs: Vec<char> = name.chars().collect();
            if !fits(&pattern, &signs) || rows.len() >= MOST {
                continue;
            }
            let size = match is_directory {
                true => 0,
                false => disk
                    .open(&path, Open::Read)
                    .and_then(|file| file.len())
                    .unwrap_or(0),
            };
            let mut row = vec![
                path.into(),
                directory.as_str().into(),
                name.into(),
                Value::Integer(level),
                is_directory.into(),
            ];
            row.extend(std::iter::repeat_n(Value::Bit(false), 6));
            row.extend([time.clone(), time.clone(), time.clone(), number(size)]);
            rows.push(row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_of_windows() {
        let fits = |pattern: &str, name: &str| {
            let of = |text: &str| text.chars().collect::<Vec<_>>();
            fits(&of(pattern), &of(name))
        };
        assert!(fits("*", "a.bak"));
        assert!(fits("*.BAK", "a.bak"));
        assert!(fits("a?.trn", "a1.trn"));
        assert!(!fits("*.trn", "a.bak"));
    }
}
