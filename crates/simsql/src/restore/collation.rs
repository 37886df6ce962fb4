//! Names of collations, from the numbers in a backup's header.
//!
//! The number holds the Windows locale in its lower half; 0xD0 in its third byte stands for case-insensitive and accent-sensitive
//! comparison in all real backups at hand, and no other value has been met. A sort order means a collation of SQL Server's own.

/// Comparison that ignores case and minds accents.
const CI_AS: u32 = 0xD0;
/// Sort order of SQL_Latin1_General_CP1_CI_AS.
const LATIN1_CI_AS: u8 = 52;

/// Windows locales and the collations that bear their names.
const LOCALES: [(u32, &str); 24] = [
    (0x0401, "Arabic"),
    (0x0404, "Chinese_Taiwan_Stroke"),
    (0x0405, "Czech"),
    (0x0406, "Danish_Norwegian"),
    (0x0408, "Greek"),
    (0x0409, "Latin1_General"),
    (0x040a, "Traditional_Spanish"),
    (0x040b, "Finnish_Swedish"),
    (0x040c, "French"),
    (0x040d, "Hebrew"),
    (0x040e, "Hungarian"),
    (0x0411, "Japanese"),
    (0x0412, "Korean_Wansung"),
    (0x0415, "Polish"),
    (0x0418, "Romanian"),
    (0x0419, "Cyrillic_General"),
    (0x041b, "Slovak"),
    (0x041e, "Thai"),
    (0x041f, "Turkish"),
    (0x0422, "Ukrainian"),
    (0x0424, "Slovenian"),
    (0x042a, "Vietnamese"),
    (0x0804, "Chinese_PRC"),
    (0x0c0a, "Modern_Spanish"),
];

/// The collation's name; `None` for one that is not known.
pub(super) fn name(collation_id: u32, sort_order: u8) -> Option<String> {
    if collation_id >> 16 & 0xff != CI_AS {
        return None;
    }
    let locale = collation_id & 0xffff;
    match sort_order {
        0 => LOCALES
            .iter()
            .find(|(known, _)| *known == locale)
            .map(|(_, name)| format!("{name}_CI_AS")),
        LATIN1_CI_AS => Some("SQL_Latin1_General_CP1_CI_AS".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn collations_of_real_backups() {
        assert_eq!(
            name(0x00D0_0409, 52).as_deref(),
            Some("SQL_Latin1_General_CP1_CI_AS")
        );
        assert_eq!(name(0x00D0_0804, 0).as_deref(), Some("Chinese_PRC_CI_AS"));
        assert_eq!(name(0x00D0_0C0A, 0).as_deref(), Some("Modern_Spanish_CI_AS"));
        assert_eq!(name(0x0001_0409, 0), None);
    }
}
