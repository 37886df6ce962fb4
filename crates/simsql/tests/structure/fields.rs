//! The fields of each structure, by name: where they are and how long, from the published layout and from what is known of SQL
//! Server's own.

/// A field: name, offset, bytes.
pub(crate) type Field = (&'static str, usize, usize);

/// Every block begins with these.
const COMMON: &[Field] = &[
    ("attributes", 4, 4),
    ("OS id", 10, 1),
    ("OS version", 11, 1),
    ("displayable size", 12, 8),
    ("reserved", 28, 8),
    ("string type", 48, 1),
    ("reserved 2", 49, 1),
];

/// Fields of a block behind the common ones. What differs from backup to backup by its nature (names, dates, LSNs, ids,
/// addresses) is left out.
pub(crate) fn of_block(id: &str) -> Vec<Field> {
    let own: &[Field] = match id {
        "TAPE" => &[
            ("attributes", 56, 4),
            ("sequence", 60, 2),
            ("password algorithm", 62, 2),
            ("catalog type", 66, 2),
            ("software name length", 80, 2),
            ("logical block", 84, 2),
            ("vendor", 86, 2),
            ("MTF major", 93, 1),
        ],
        "SSET" => &[
            ("attributes", 52, 4),
            ("password algorithm", 56, 2),
            ("compression algorithm", 58, 2),
            ("vendor", 60, 2),
            ("password", 72, 4),
            ("MTF minor", 96, 1),
            ("catalog version", 97, 1),
        ],
        "VOLB" => &[("attributes", 52, 4)],
        "MSCI" | "MSLS" => &[("fixed", 52, 4)],
        "MSDA" => &[("fixed", 52, 8)],
        "MSTL" => &[("fixed", 52, 8)],
        "ESET" => &[("attributes", 52, 4), ("corrupt", 56, 4)],
        _ => &[],
    };
    COMMON.iter().chain(own).copied().collect()
}

/// Bytes of the fixed part of a block or a chunk that all versions have; strings and what newer versions appended come behind it.
pub(crate) fn fixed_part(id: &str) -> usize {
    match id {
        "TAPE" => 94,
        "SSET" => 98,
        "VOLB" => 73,
        "MSCI" | "MSLS" => 56,
        "MSDA" => 60,
        "MSTL" => 92,
        "ESET" => 86,
        "SCIN" => 344,
        "SFGI" => 62,
        "SFIN" => 250,
        _ => 52,
    }
}

/// Fields of a stream header.
pub(crate) const STREAM: &[Field] = &[
    ("file system attributes", 4, 2),
    ("media attributes", 6, 2),
    ("encryption", 16, 2),
    ("compression", 18, 2),
];

/// Constant-looking fields of the chunks of a configuration.
pub(crate) fn of_chunk(tag: &str) -> &'static [Field] {
    match tag {
        "SCIN" => &[
            ("flags", 8, 4),
            ("type letter", 87, 1),
            ("90", 90, 1),
            ("112", 112, 4),
            ("reserved 216", 240, 4),
        ],
        "SFGI" => &[("flags", 8, 4), ("20", 20, 4)],
        "SFIN" => &[("page size", 16, 4)],
        _ => &[],
    }
}

/// Chunks of a configuration: tag and bytes.
pub(crate) fn chunks(configuration: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut at = 0;
    while at + 8 <= configuration.len() {
        let length = u32::from_le_bytes(configuration[at + 4..at + 8].try_into().unwrap()) as usize;
        assert!(length >= 8 && at + length <= configuration.len(), "chunk at {at}");
        let tag = configuration[at..at + 4]
            .iter()
            .map(|byte| char::from(*byte))
            .collect();
        chunks.push((tag, configuration[at..at + length].to_vec()));
        at += length;
    }
    chunks
}
