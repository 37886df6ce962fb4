//! RESTORE LABELONLY: one row about the media of one device.

use super::family::Family;
use super::header_only::{nvarchar, text_or_null};
use super::sheet::{Row, datetime_or_null};
use crate::value::{SqlType, Value};

/// The row of a family. A family's own number is shown as the first part of a GUID, as SQL Server does.
pub(super) fn row(family: &Family) -> Row {
    let header = &family.media;
    let media = &header.media;
    let mut row = Row::default();
    let guids = SqlType::UniqueIdentifier;
    let int = |number: u32| Value::Integer(i64::from(number));
    row.put("MediaName", nvarchar(128), text_or_null(&header.name));
    row.put("MediaSetId", guids, media.media_set_id.into());
    row.put("FamilyCount", SqlType::Int, int(u32::from(media.family_count)));
    row.put(
        "FamilySequenceNumber",
        SqlType::Int,
        int(u32::from(media.family_number)),
    );
    let family_id = uuid::Uuid::from_fields(header.family_id, 0, 0, &[0; 8]);
    row.put("MediaFamilyId", guids, family_id.into());
    row.put("MediaSequenceNumber", SqlType::Int, int(1));
    row.put("MediaLabelPresent", SqlType::TinyInt, int(0));
    row.put(
        "MediaDescription",
        nvarchar(255),
        text_or_null(&header.description),
    );
    row.put("SoftwareName", nvarchar(128), media.software_name.clone().into());
    row.put("SoftwareVendorId", SqlType::Int, int(u32::from(header.vendor)));
    row.put("MediaDate", SqlType::DateTime, datetime_or_null(header.date));
    row.put("Mirror_Count", SqlType::Int, int(1));
    row.put("IsCompressed", SqlType::Bit, header.compressed.into());
    row
}
