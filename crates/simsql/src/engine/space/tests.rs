//! Allocation against a model, and what a crash may leak.

use bak::Verifier;
use bak::writer::sample::{Sample, SampleKind, lsn};
use bak::writer::{MediaWriter, SetDetails, SetPlan};

use super::*;
use crate::engine::TransactionId;
use crate::engine::tables::Tables;
use crate::engine::test_pages::TestPages;
use crate::value::{Column, SqlType, Value};

/// A database over two PFS intervals, with a table that was grown into the second.
fn grown() -> TestPages {
    let mut pages = TestPages::new(&[8000], 800, 20_000);
    let (mut tables, _) = Tables::create(&mut pages).unwrap();
    let definition = crate::engine::TableDefinition {
        schema: "dbo".into(),
        name: "Big".into(),
        columns: vec![Column::new("text", SqlType::Char(8000))],
        primary_key: vec![],
        identity: None,
        defaults: vec![None],
    };
    let table = tables
        .create_table(&mut pages, TransactionId(1), &definition)
        .unwrap();
    for _ in 0..8200 {
        tables
            .insert(&mut pages, table, &[Value::from("a page")])
            .unwrap();
    }
    tables.ended(&mut pages, TransactionId(1)).unwrap();
    pages
}

#[test]
fn a_full_backup_of_the_extents_in_the_gam_is_sound() {
    let mut pages = grown();
    let size = pages.files()[0].size;
    let extents = allocated(&mut pages, 1, size).unwrap();
    let bytes = pages.file_bytes(1);
    let sample = Sample::default();
    let mut set = sample.set(SampleKind::Full);
    set.last_lsn = Some(lsn(90, 100));
    let mut media = MediaWriter::new(Vec::new(), sample.media(1));
    let mut writer = media.begin_set(SetPlan {
        set: set.clone(),
        data_pages: vec![(1, extents.len() as u32 * EXTENT)],
        details: SetDetails::default(),
    });
    writer.begin_pages(extents.len() as u64);
    let extent = PAGE * EXTENT as usize;
    for number in &extents {
        writer.pages(&bytes[*number as usize * extent..][..extent]);
    }
    writer.end_pages();
    writer.commit(set);
    let mut verifier = Verifier::new();
    verifier.push(&media.finish());
    let report = verifier.finish();
    // One page a row, IAM pages and the catalog; the others of an extent were never formatted.
    assert_eq!((report.pages.checksum_bad, report.pages.unprotected), (0, 0));
    assert!(
        report.pages.checksum_ok > 8200 && report.pages.unformatted < 40,
        "{:?}",
        report.pages
    );
    let page_damage: Vec<_> = report
        .damage
        .iter()
        .filter(|damage| damage.page_id.is_some())
        .collect();
    assert!(page_damage.is_empty(), "{page_damage:?}");
}

#[test]
fn pages_of_two_intervals_have_their_own_byte() {
    // Interval 0 is page 1, with the byte of page 0 at 100; page 8088 begins the next and speaks of itself first.
    assert_eq!(pfs_place(1, 8087), (PageId { file: 1, page: 1 }, 100 + 8087));
    assert_eq!(pfs_place(1, 8088), (PageId { file: 1, page: 8088 }, 100));
    assert_eq!(
        pfs_place(3, 20_000),
        (
            PageId {
                file: 3,
                page: 16_176
            },
            100 + 3824
        )
    );
    let mut pages = grown();
    let second = PageId { file: 1, page: 8088 };
    assert_eq!(pages.page(second)[1], PageType::Pfs as u8);
    // Its extent is nobody's: a PFS page, and seven pages not in use.
    let size = pages.files()[0].size;
    assert!(allocated(&mut pages, 1, size).unwrap().contains(&(8088 / 8)));
    assert_eq!(
        fullness(&mut pages, PageId { page: 8089, ..second }),
        Ok(PageUse::Free)
    );
}

#[test]
fn maps_of_changed_extents() {
    let mut pages = TestPages::new(&[640], 64, 640);
    let dcm = dcm_page(1, 79);
    assert_eq!(dcm, PageId { file: 1, page: 6 });
    // A new file: the extents of the fixed pages.
    assert_eq!(changed(&mut pages, 1, 640), Ok(vec![0, 1]));
    let mut cleared = cleared_dcm(pages.page(dcm));
    let (at, mask) = bit_of(&cleared, 79).unwrap();
    // Extent 79 is bit 7 of the tenth byte of the bitmap.
    assert_eq!((at, mask), (194 + 9, 0x80));
    cleared[at] |= mask;
    pages.format(dcm, &cleared).unwrap();
    assert_eq!(changed(&mut pages, 1, 640), Ok(vec![0, 79]));
    assert_eq!(
        changed(&mut pages, 1, 632),
        Ok(vec![0]),
        "the file ends before it"
    );
}
