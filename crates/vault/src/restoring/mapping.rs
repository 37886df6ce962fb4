//! Lists of files and paths as Azure Backup writes them: the mapping file `database_name.json` that says where files shall lie, and
//! the list of at most 20,000 bytes that it keeps with each backup.
//!
//! bac2 keeps file lists in the backups themselves, of any length, so that the limit changes nothing here; but somebody who comes from
//! Azure Backup, or goes there, is told about a database whose list is longer, since there its files would go to default paths.

use catalog::record::FileMove;
use faults::{Code, Fault};
use serde::{Deserialize, Serialize};

/// The longest list that Azure Backup keeps, in bytes (seed 001, "Size limit for files").
pub const LIST_MAX: usize = 20_000;

/// The largest mapping file that is read, in bytes; own figure: 1,000 files with the longest names and paths.
pub const MAPPING_MAX: usize = 4 << 20;

/// A file of the mapping. Azure Backup's document spells the names with a capital letter in the mapping file, and without one in its
/// list: both are taken. What it says of directories is not needed: SQL Server knows that by the file's type.
#[derive(Debug, Deserialize)]
struct Mapped {
    #[serde(alias = "path", rename = "Path")]
    path: String,
    #[serde(alias = "logicalName", rename = "LogicalName")]
    logical: String,
}

/// A file of Azure Backup's list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    path: &'a str,
    logical_name: &'a str,
    is_dir: bool,
}

/// The paths of a mapping file. The comma before the last bracket, which the documented example has, is taken.
///
/// # Errors
/// `Bac2InputInvalid`: it is none; a logical name or a path is empty or there twice.
pub fn mapping(text: &str) -> Result<Vec<FileMove>, Fault> {
    let wrong = |why: &str| {
        Fault::new(Code::Bac2InputInvalid).at("the mapping file").because(&format!(
            "{why}; expected [{{\"Path\": \"D:\\\\Data\\\\x.mdf\", \"LogicalName\": \"x\", \"IsDir\": \"false\"}}, ...]"
        ))
    };
    if text.len() > MAPPING_MAX {
        return Err(wrong(&format!("it is longer than {MAPPING_MAX} bytes")));
    }
    let text = text.trim_start_matches('\u{feff}');
    let parsed = serde_json::from_str::<Vec<Mapped>>(text)
        .or_else(|error| match without_last_comma(text) {
            Some(text) => serde_json::from_str(&text).map_err(|_| error),
            None => Err(error),
        })
        .map_err(|error| wrong(&error.to_string()))?;
    let mut moves: Vec<FileMove> = Vec::with_capacity(parsed.len());
    for one in parsed {
        if one.path.is_empty() || one.logical.is_empty() {
            return Err(wrong("a path or a logical name is empty"));
        }
        if moves.iter().any(|known| known.logical == one.logical) {
            return Err(wrong(&format!("{} is there twice", one.logical)));
        }
        moves.push(FileMove {
            logical: one.logical,
            path: one.path,
        });
    }
    Ok(moves)
}

/// The text without the comma behind the last element of the list.
fn without_last_comma(text: &str) -> Option<String> {
    let list = text.trim_end().strip_suffix(']')?.trim_end();
    Some(format!("{}]", list.strip_suffix(',')?))
}

/// Bytes of the list that Azure Backup would keep of these files, given by path and logical name.
#[must_use]
pub fn list_bytes<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> usize {
    let listed: Vec<Listed<'_>> = files
        .into_iter()
        .map(|(path, logical_name)| Listed {
            path,
            logical_name,
            is_dir: false,
        })
        .collect();
    serde_json::to_string(&listed).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use catalog::record::FileMove;

    use super::{LIST_MAX, list_bytes, mapping};

    #[test]
    fn both_spellings_and_the_comma_at_the_end_are_taken() {
        let expected = [
            FileMove {
                logical: "shop".to_owned(),
                path: "F:\\Data\\shop.mdf".to_owned(),
            },
            FileMove {
                logical: "shop_log".to_owned(),
                path: "F:\\Log\\shop.ldf".to_owned(),
            },
        ];
        let capital = r#"[ {"Path": "F:\\Data\\shop.mdf", "LogicalName": "shop", "IsDir": "false"},
            {"Path": "F:\\Log\\shop.ldf", "LogicalName": "shop_log", "IsDir": "false"}, ]"#;
        let small = r#"[{"path":"F:\\Data\\shop.mdf","logicalName":"shop","isDir":false},
            {"path":"F:\\Log\\shop.ldf","logicalName":"shop_log","isDir":false}]"#;
        for text in [capital, small] {
            assert_eq!(mapping(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for text in [
            "",
            "{}",
            "[{}]",
            r#"[{"Path": "", "LogicalName": "a"}]"#,
            r#"[{"Path": "x", "LogicalName": "a"}, {"Path": "y", "LogicalName": "a"}]"#,
            r#"[{"Path": "x", "LogicalName": "a"},,]"#,
        ] {
            assert!(mapping(text).is_err(), "{text}");
        }
    }

    #[test]
    fn backslashes_count_twice_in_the_list() {
        // [{"path":"D:\\x","logicalName":"x","isDir":false}]
        assert_eq!(list_bytes([("D:\\x", "x")]), 50);
        // Each further one of these: its 48 bytes and a comma.
        let files = (LIST_MAX - 2).div_euclid(49);
        let many = |count| list_bytes(std::iter::repeat_n(("D:\\x", "x"), count));
        assert!(many(files) <= LIST_MAX && many(files + 1) > LIST_MAX);
    }
}
