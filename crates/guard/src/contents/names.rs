//! What a blob is by its name alone, where breaking its lease could take a running database or machine down.

use crate::content::Content;

/// A disk or a database file by its name, whatever the case; `None` for all other names.
pub(crate) fn by_name(blob: &str) -> Option<Content> {
    let (_, ending) = blob.rsplit_once('.')?;
    let is = |what: &str| ending.eq_ignore_ascii_case(what);
    if is("vhd") || is("vhdx") {
        Some(Content::Disk)
    } else if is("mdf") || is("ndf") {
        Some(Content::DataFile)
    } else if is("ldf") {
        Some(Content::LogFile)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::by_name;
    use crate::content::Content;

    #[test]
    fn the_ending_counts_in_any_case_and_nothing_else_does() {
        for (name, content) in [
            ("disk.vhd", Content::Disk),
            ("vm/os.VHDX", Content::Disk),
            ("a.b.Mdf", Content::DataFile),
            ("x.NDF", Content::DataFile),
            (".ldf", Content::LogFile),
        ] {
            assert_eq!(by_name(name), Some(content), "{name}");
        }
        for name in ["vhd", "a.vhd.bak", "mdf/x.bak", "a.mdf2", "a.", "", "ä.ldé"] {
            assert_eq!(by_name(name), None, "{name}");
        }
    }
}
