//! File header pages, written and read back, and those of real databases.

use super::*;

#[test]
fn what_was_written_is_read() {
    let header = FileHeader {
        binding_id: Uuid::from_u128(7),
        file_id: 3,
        size: 1024,
        logical_name: "Lager_daten".into(),
        unique_id: Uuid::from_u128(8),
        differential_base: Some((
            Lsn {
                vlf: 37,
                block: 430,
                slot: 37,
            },
            Uuid::from_u128(9),
        )),
    };
    let mut page = [0; PAGE];
    header.encode(&mut page);
    assert_eq!(FileHeader::decode(&page), Some(header.clone()));
    let without = FileHeader {
        differential_base: None,
        ..header
    };
    without.encode(&mut page);
    assert_eq!(FileHeader::decode(&page), Some(without));
    assert_eq!(FileHeader::decode(&[0; PAGE]), None);
}
