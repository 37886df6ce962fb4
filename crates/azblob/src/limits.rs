//! Every limit of the Blob protocol, in one place, with its source.
//!
//! Sizes are bytes. "Scale targets" is Microsoft's page of scalability targets for Blob storage (2026);
//! "reference" is the REST reference of the named operation. Limits of our own making say so.

use crate::version::ApiVersion;

/// Most blocks in a committed list (Put Block List reference).
pub const MAX_COMMITTED_BLOCKS: usize = 50_000;
/// Most uncommitted blocks of one blob (Put Block reference).
pub const MAX_UNCOMMITTED_BLOCKS: usize = 100_000;
/// Largest body of Put Block List, our own: 50,000 entries of the longest id and element name take 6 MB in
/// UTF-8 and twice that in UTF-16.
pub const MAX_BLOCK_LIST_BODY: usize = 16 << 20;
/// Most bytes of metadata, names and values together (naming and referencing metadata).
pub const MAX_METADATA_BYTES: usize = 8 << 10;
/// Most entries on a page of a listing, and the number when none is asked for (List Blobs reference).
pub const MAX_LIST_RESULTS: u32 = 5_000;
/// Largest range for which Get Blob computes a checksum (Get Blob reference).
pub const MAX_RANGE_CHECKSUM: u64 = 4 << 20;
/// Most ranges in one answer to Get Page Ranges, from version 2020-10-02 on (Get Page Ranges reference).
pub const MAX_PAGE_RANGES: u32 = 10_000;
/// Most rules for cross-origin requests of an account (Set Blob Service Properties reference).
pub const MAX_CORS_RULES: usize = 5;
/// Largest body of Set Blob Service Properties, our own: five rules may take 2 KiB each (Set Blob Service Properties
/// reference).
pub const MAX_SERVICE_PROPERTIES_BODY: usize = 64 << 10;
/// Most requests in one batch (Blob Batch reference).
pub const MAX_BATCH_REQUESTS: usize = 256;
/// Largest body of a batch (Blob Batch reference).
pub const MAX_BATCH_BODY: usize = 4 << 20;
/// Most stored access policies of a container (Set Container ACL reference).
pub const MAX_ACCESS_POLICIES: usize = 5;
/// Longest name of a stored access policy, characters (Set Container ACL reference).
pub const MAX_POLICY_ID_CHARS: usize = 64;
/// Largest body of Set Container ACL, our own: five policies take some 2 KB.
pub const MAX_ACL_BODY: usize = 64 << 10;
/// Longest access signature that SQL Server 2019 and older take as the secret of a credential, characters (SQL Server
/// backup to URL). None that is made here is longer.
pub const MAX_SQL_SERVER_TOKEN: usize = 256;
/// Deepest nesting of XML that is read, our own; the protocol's own documents reach 6.
pub const MAX_XML_DEPTH: usize = 16;
/// Longest text in one XML element, our own: the longest value of the protocol is metadata.
pub const MAX_XML_TEXT: usize = 64 << 10;
/// Most attributes of one XML element, our own: the protocol's own documents have at most 2.
pub const MAX_XML_ATTRIBUTES: usize = 16;
/// Largest body of an answer that a client of ours reads as XML, our own: 5,000 entries, each with the longest
/// name and full metadata.
pub const MAX_XML_REPLY: usize = 128 << 20;
/// Furthest that the date of a signed request may be from the server's clock, in seconds (authorize with
/// Shared Key).
pub const MAX_CLOCK_SKEW_SECONDS: i64 = 15 * 60;

/// Largest block of Put Block in any version (scale targets).
pub const MAX_BLOCK_BYTES: u64 = 4000 << 20;
/// Largest block of Append Block in any version (scale targets).
pub const MAX_APPEND_BLOCK_BYTES: u64 = 100 << 20;
/// Most blocks of an append blob (Append Block reference).
pub const MAX_APPENDED_BLOCKS: usize = 50_000;
/// Largest body of Put Blob for a block blob in any version (scale targets).
pub const MAX_PUT_BLOB_BYTES: u64 = 5000 << 20;

/// Largest block of Put Block (scale targets): it grew with the version of the request.
pub fn max_block_bytes(version: ApiVersion) -> u64 {
    if version >= ApiVersion::V2019_12_12 {
        MAX_BLOCK_BYTES
    } else if version >= ApiVersion::V2016_05_31 {
        100 << 20
    } else {
        4 << 20
    }
}

/// Largest block of Append Block (scale targets).
pub fn max_append_block_bytes(version: ApiVersion) -> u64 {
    if version >= ApiVersion::V2022_11_02 {
        100 << 20
    } else {
        4 << 20
    }
}

/// Largest body of Put Blob for a block blob (scale targets).
pub fn max_put_blob_bytes(version: ApiVersion) -> u64 {
    if version >= ApiVersion::V2019_12_12 {
        MAX_PUT_BLOB_BYTES
    } else if version >= ApiVersion::V2016_05_31 {
        256 << 20
    } else {
        64 << 20
    }
}
