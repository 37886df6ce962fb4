//! What a version of TDS can say, and the collation that texts are said in.

use encoding_rs::WINDOWS_1252;

/// The versions spoken here, by what they brought. [MS-TDS] 2.2.6.4, TDSVersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    /// SQL Server 2000.
    V71,
    /// SQL Server 2005: `(max)` types, headers before requests, counts of 64 bits.
    V72,
    /// SQL Server 2008: `date`, `time`, `datetime2`, `datetimeoffset`.
    V73,
    /// SQL Server 2008 R2: rows that leave out NULLs.
    V73B,
    /// SQL Server 2012: extensions of the login.
    V74,
}

impl Dialect {
    /// The version that a login asks for; a newer one is answered in 7.4. `None` for what is older than 7.1.
    pub(super) fn asked(version: u32) -> Option<Self> {
        Some(match version {
            0x7100_0000 | 0x7100_0001 => Self::V71,
            0x7209_0002 => Self::V72,
            0x730A_0003 => Self::V73,
            0x730B_0003 => Self::V73B,
            newer if newer >= 0x7400_0004 || newer == 0x0800_0000 => Self::V74,
            _ => return None,
        })
    }

    /// As LOGINACK names it, most significant byte first.
    pub(super) fn number(self) -> [u8; 4] {
        match self {
            Self::V71 => [0x71, 0, 0, 1],
            Self::V72 => [0x72, 9, 0, 2],
            Self::V73 => [0x73, 0x0A, 0, 3],
            Self::V73B => [0x73, 0x0B, 0, 3],
            Self::V74 => [0x74, 0, 0, 4],
        }
    }
}

/// A collation as the wire names it: language, flags and sort order. [MS-TDS] 2.2.5.1.2.
pub(super) type Collation = [u8; 5];

/// Whether texts of this collation are UTF-8.
const UTF8: u8 = 0x04;

/// The bytes of a collation. Those of code page 1252 only, since that is what `char` and `varchar` are here: any other name
/// is announced as `SQL_Latin1_General_CP1_CI_AS`, so that no client decodes them by another code page.
pub(super) fn collation(name: &str) -> Collation {
    let upper = name.to_ascii_uppercase();
    // Ignores case, ignores width, ignores kana; accents count.
    let flags = match &upper {
        name if name.contains("_CS_AS") => 0xC0,
        name if name.contains("_CI_AI") => 0xF0,
        name if name.contains("_BIN") => 0x00,
        _ => 0xD0,
    };
    let binary = if upper.ends_with("_BIN2") {
        0x02
    } else {
        u8::from(upper.ends_with("_BIN"))
    };
    if upper.starts_with("LATIN1_GENERAL_") && !upper.ends_with("_UTF8") {
        return [0x09, 0x04, flags, binary, 0];
    }
    match upper.as_str() {
        "SQL_LATIN1_GENERAL_CP1_CS_AS" => [0x09, 0x04, 0xC0, 0, 51],
        "SQL_LATIN1_GENERAL_CP1_CI_AI" => [0x09, 0x04, 0xF0, 0, 54],
        _ => [0x09, 0x04, 0xD0, 0, 52],
    }
}

/// Text of `varchar`; what code page 1252 does not have becomes a question mark.
pub(super) fn narrow(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut character = [0; 4];
    for one in text.chars() {
        let (encoded, _, is_unknown) = WINDOWS_1252.encode(one.encode_utf8(&mut character));
        match encoded.as_ref() {
            [byte] if !is_unknown => bytes.push(*byte),
            _ => bytes.push(b'?'),
        }
    }
    bytes
}

/// Text of a client's `varchar` in `collation`.
pub(super) fn widen(bytes: &[u8], collation: Collation) -> String {
    if collation[3] & UTF8 != 0 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

/// Code units of `nvarchar`.
pub(super) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::{Dialect, collation, narrow, wide, widen};

    #[test]
    fn versions_as_the_document_lists_them() {
        assert_eq!(Dialect::asked(0x7400_0004), Some(Dialect::V74));
        assert_eq!(Dialect::asked(0x730B_0003), Some(Dialect::V73B));
        assert_eq!(Dialect::asked(0x7100_0001), Some(Dialect::V71));
        assert_eq!(Dialect::asked(0x7000_0000), None);
        assert_eq!(Dialect::asked(0), None);
    }

    #[test]
    fn code_page_1252() {
        // 0x80 is the euro sign, 0xE9 is e acute; Polish l with stroke is not in it.
        assert_eq!(narrow("€éł😀"), [0x80, 0xE9, b'?', b'?']);
        assert_eq!(widen(&[0x80, 0xE9], [9, 4, 0xD0, 0, 52]), "€é");
        assert_eq!(widen("ł".as_bytes(), [9, 4, 0xD0, 4, 0]), "ł");
        assert_eq!(wide("a😀"), [b'a', 0, 0x3D, 0xD8, 0x00, 0xDE]);
    }

    #[test]
    fn the_default_collation_as_every_capture_shows_it() {
        assert_eq!(
            collation("SQL_Latin1_General_CP1_CI_AS"),
            [0x09, 0x04, 0xD0, 0x00, 0x34]
        );
        assert_eq!(collation("Latin1_General_CI_AS"), [0x09, 0x04, 0xD0, 0x00, 0x00]);
        assert_eq!(collation("Polish_CI_AS"), [0x09, 0x04, 0xD0, 0x00, 0x34]);
    }
}
