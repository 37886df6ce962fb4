//! The requests of page and append blobs: every rule of Put Page, Put Blob, Set Blob Properties, Get Page Ranges, Append
//! Block and Append Blob Seal in Microsoft's reference that the head of a request can break.
#![allow(clippy::unwrap_used)] // A case that does not parse shall fail loudly.

use azblob::conditions::Conditions;
use azblob::digest::Crc64;
use azblob::error::{ErrorCode, Refusal};
use azblob::etag::ETag;
use azblob::lease::LeaseId;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::page::{PageRange, SequenceChange, SequenceCondition};
use azblob::properties::HttpProperties;
use azblob::range::ByteRange;
use azblob::request::{
    Address, AddressStyle, AppendBlock, BlobOperation, BlobPath, Checksum, ClearPages, Endpoint,
    GetPageRanges, Marker, Operation, PageChange, PutAppendBlob, PutPage, PutPageBlob, Request, SealAppend,
};
use azblob::response::success_status;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use http::{HeaderMap, HeaderName, HeaderValue};

const BLOB: &str = "/vault/backups/full.bak";

fn parse(method: &str, query: &str, headers: &[(&str, &str)]) -> Result<BlobOperation, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let uri = format!("{BLOB}{query}").parse().unwrap();
    let address = Address::locate(&uri, &map, &[AccountName::new("vault").unwrap()])?;
    match Request::parse(&address, &method.parse().unwrap(), &uri, &map)?.operation {
        Operation::Blob(_, operation) => Ok(operation),
        other => panic!("{other:?}"),
    }
}

fn code(method: &str, query: &str, headers: &[(&str, &str)]) -> (u16, &'static str) {
    let code = parse(method, query, headers).unwrap_err().code;
    (code.status(), code.as_str())
}

/// Put Blob of a page blob with these headers.
fn create(more: &[(&'static str, &'static str)]) -> Result<PutPageBlob, (u16, &'static str)> {
    let mut headers = vec![("x-ms-blob-type", "PageBlob"), ("content-length", "0")];
    headers.extend_from_slice(more);
    match parse("PUT", "", &headers) {
        Ok(BlobOperation::PutPageBlob(put)) => Ok(put),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err((refusal.code.status(), refusal.code.as_str())),
    }
}

#[test]
fn a_page_blob_is_made_by_its_size() {
    let made = create(&[("x-ms-blob-content-length", "1099511627776")]).unwrap();
    assert_eq!((made.size, made.sequence_number), (1 << 40, 0));
    let eight = [
        ("x-ms-blob-content-length", "8796093022208"),
        ("x-ms-blob-sequence-number", "9223372036854775807"),
    ];
    assert_eq!(create(&eight).unwrap().sequence_number, i64::MAX as u64);
    assert_eq!(create(&[("x-ms-blob-content-length", "0")]).unwrap().size, 0);
    assert_eq!(create(&[]), Err((400, "MissingRequiredHeader")));
    for size in [
        "511",
        "1000",
        "8796093022720",
        "-512",
        "1e3",
        "99999999999999999999",
    ] {
        assert_eq!(
            create(&[("x-ms-blob-content-length", size)]),
            Err((400, "InvalidHeaderValue")),
            "{size}"
        );
    }
    let size = ("x-ms-blob-content-length", "512");
    for number in ["9223372036854775808", "-1", "x"] {
        let refused = create(&[size, ("x-ms-blob-sequence-number", number)]);
        assert_eq!(refused, Err((400, "InvalidHeaderValue")), "{number}");
    }
    let body = parse(
        "PUT",
        "",
        &[("x-ms-blob-type", "PageBlob"), size, ("content-length", "512")],
    );
    assert_eq!(body.unwrap_err().code, ErrorCode::InvalidHeaderValue);
    assert_eq!(
        code("PUT", "", &[("x-ms-blob-type", "PageBlob"), size]),
        (411, "MissingContentLengthHeader")
    );
}

#[test]
fn pages_are_written_whole_and_at_most_four_mebibytes() {
    let update = |range: &str, length: &str| {
        let headers = [
            ("x-ms-page-write", "Update"),
            ("x-ms-range", range),
            ("content-length", length),
        ];
        match parse("PUT", "?comp=page", &headers) {
            Ok(BlobOperation::PutPage(put)) => Ok(put.range),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err((refusal.code.status(), refusal.code.as_str())),
        }
    };
    let bad_range = Err((416, "InvalidPageRange"));
    assert_eq!(
        update("bytes=512-1023", "512"),
        Ok(PageRange::new(512, 1023).unwrap())
    );
    assert_eq!(update("bytes=0-4194303", "4194304").unwrap().len(), 4 << 20);
    assert_eq!(
        update("bytes=0-4194815", "4194816"),
        Err((413, "RequestBodyTooLarge"))
    );
    assert_eq!(
        update("bytes=0-4194815", "512"),
        Err((413, "RequestBodyTooLarge"))
    );
    assert_eq!(
        update("bytes=0-511", "99999999999"),
        Err((413, "RequestBodyTooLarge"))
    );
    assert_eq!(update("bytes=1-512", "512"), bad_range);
    assert_eq!(update("bytes=0-510", "511"), bad_range);
    assert_eq!(
        update("bytes=0-1023", "512"),
        bad_range,
        "the body must fill the range"
    );
    assert_eq!(update("bytes=0-511", "0"), bad_range);
    for none in [
        "bytes=0-",
        "bytes=-512",
        "pages=0-511",
        "bytes=512-0",
        "bytes=0-511,1024-1535",
    ] {
        assert_eq!(update(none, "512"), Err((400, "InvalidHeaderValue")), "{none}");
    }
    let write = ("x-ms-page-write", "update");
    assert_eq!(
        code("PUT", "?comp=page", &[write, ("content-length", "512")]),
        (400, "MissingRequiredHeader")
    );
    let both = [
        write,
        ("content-length", "512"),
        ("range", "bytes=0-511"),
        ("x-ms-range", "bytes=512-1023"),
    ];
    match parse("PUT", "?comp=page", &both).unwrap() {
        BlobOperation::PutPage(put) => assert_eq!(put.range.start(), 512, "x-ms-range counts"),
        other => panic!("{other:?}"),
    }
    let plain = [write, ("content-length", "512"), ("range", "bytes=0-511")];
    assert!(matches!(
        parse("PUT", "?comp=page", &plain),
        Ok(BlobOperation::PutPage(_))
    ));
    let range = ("x-ms-range", "bytes=0-511");
    assert_eq!(
        code("PUT", "?comp=page", &[range, ("content-length", "512")]),
        (400, "MissingRequiredHeader")
    );
    let other = [("x-ms-page-write", "overwrite"), range, ("content-length", "512")];
    assert_eq!(code("PUT", "?comp=page", &other), (400, "InvalidHeaderValue"));
}

#[test]
fn pages_are_cleared_without_a_body() {
    let clear = |more: &[(&'static str, &'static str)]| {
        let mut headers = vec![
            ("x-ms-page-write", "clear"),
            ("x-ms-range", "bytes=0-1099511627775"),
        ];
        headers.extend_from_slice(more);
        parse("PUT", "?comp=page", &headers)
    };
    match clear(&[("content-length", "0")]).unwrap() {
        BlobOperation::ClearPages(clear) => assert_eq!(clear.range.len(), 1 << 40, "of any length"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        clear(&[("content-length", "512")]).unwrap_err().code,
        ErrorCode::InvalidHeaderValue
    );
    let summed = [
        ("content-length", "0"),
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    ];
    assert_eq!(clear(&summed).unwrap_err().code, ErrorCode::InvalidHeaderValue);
}

#[test]
fn sequence_numbers_are_conditions_and_changes() {
    let headers = [
        ("x-ms-page-write", "update"),
        ("x-ms-range", "bytes=0-511"),
        ("content-length", "512"),
        ("x-ms-if-sequence-number-le", "7"),
        ("x-ms-if-sequence-number-lt", "8"),
        ("x-ms-if-sequence-number-eq", "0"),
    ];
    match parse("PUT", "?comp=page", &headers).unwrap() {
        BlobOperation::PutPage(put) => {
            let want = SequenceCondition {
                le: Some(7),
                lt: Some(8),
                eq: Some(0),
            };
            assert_eq!(put.sequence, want);
        }
        other => panic!("{other:?}"),
    }
    let change = |headers: &[(&str, &str)]| match parse("PUT", "?comp=properties", headers) {
        Ok(BlobOperation::SetProperties { properties, page, .. }) => Ok((properties, page)),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err((refusal.code.status(), refusal.code.as_str())),
    };
    let (action, number) = ("x-ms-sequence-number-action", "x-ms-blob-sequence-number");
    let sequence = |headers: &[(&str, &str)]| change(headers).map(|(_, page)| page.sequence);
    assert_eq!(
        sequence(&[(action, "max"), (number, "5")]),
        Ok(Some(SequenceChange::Max(5)))
    );
    assert_eq!(
        sequence(&[(action, "Update"), (number, "5")]),
        Ok(Some(SequenceChange::Update(5)))
    );
    assert_eq!(
        sequence(&[(action, "increment")]),
        Ok(Some(SequenceChange::Increment))
    );
    assert_eq!(
        sequence(&[(action, "increment"), (number, "5")]),
        Err((400, "InvalidHeaderValue"))
    );
    assert_eq!(sequence(&[(action, "max")]), Err((400, "MissingRequiredHeader")));
    assert_eq!(sequence(&[(number, "5")]), Err((400, "MissingRequiredHeader")));
    assert_eq!(
        sequence(&[(action, "half"), (number, "5")]),
        Err((400, "InvalidHeaderValue"))
    );

    // Only the size: the properties stay. With one of them: all are set. With nothing: all are cleared.
    let size = ("x-ms-blob-content-length", "1024");
    let page = PageChange {
        size: Some(1024),
        sequence: None,
    };
    assert_eq!(change(&[size]), Ok((None, page)));
    let typed = HttpProperties {
        content_type: Some("a/b".to_owned()),
        ..HttpProperties::default()
    };
    assert_eq!(
        change(&[size, ("x-ms-blob-content-type", "a/b")]),
        Ok((Some(typed), page))
    );
    assert_eq!(
        change(&[]),
        Ok((Some(HttpProperties::default()), PageChange::default()))
    );
    assert_eq!(
        change(&[("x-ms-blob-content-length", "1000")]),
        Err((400, "InvalidHeaderValue"))
    );
}

#[test]
fn page_ranges_come_in_pages_from_2020_10_02_on() {
    let get = |query: &str, headers: &[(&str, &str)]| match parse(
        "GET",
        &format!("?comp=pagelist{query}"),
        headers,
    ) {
        Ok(BlobOperation::GetPageRanges(get)) => Ok(get),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err((refusal.code.status(), refusal.code.as_str())),
    };
    let now = ("x-ms-version", "2020-10-02");
    let before = ("x-ms-version", "2020-08-04");
    assert_eq!(get("", &[now]).unwrap().max_results, Some(10_000));
    assert_eq!(get("&maxresults=3", &[now]).unwrap().max_results, Some(3));
    assert_eq!(
        get("&maxresults=20000", &[now]).unwrap().max_results,
        Some(10_000)
    );
    assert_eq!(
        get("&maxresults=0", &[now]),
        Err((400, "InvalidQueryParameterValue"))
    );
    assert_eq!(get("&maxresults=3", &[before]).unwrap().max_results, None);
    let part = get(
        "",
        &[now, ("range", "bytes=0-511"), ("x-ms-range", "bytes=512-1023")],
    )
    .unwrap();
    assert_eq!(
        part.range,
        Some(ByteRange {
            start: 512,
            last: Some(1023)
        })
    );
}

#[test]
fn blocks_are_appended() {
    let append = |more: &[(&'static str, &'static str)]| match parse("PUT", "?comp=appendblock", more) {
        Ok(BlobOperation::AppendBlock(append)) => Ok(append),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err((refusal.code.status(), refusal.code.as_str())),
    };
    let conditions = [
        ("content-length", "10"),
        ("x-ms-blob-condition-appendpos", "100"),
        ("x-ms-blob-condition-maxsize", "110"),
    ];
    let read = append(&conditions).unwrap();
    assert_eq!((read.length, read.at, read.max_size), (10, Some(100), Some(110)));
    assert_eq!(
        append(&[("content-length", "0")]),
        Err((400, "InvalidHeaderValue"))
    );
    assert_eq!(append(&[]), Err((411, "MissingContentLengthHeader")));
    let bad = [("content-length", "1"), ("x-ms-blob-condition-appendpos", "-1")];
    assert_eq!(append(&bad), Err((400, "InvalidHeaderValue")));
    // 4 MiB, and 100 MiB from 2022-11-02 on.
    for (version, most) in [("2022-11-01", 4_u64 << 20), ("2022-11-02", 100 << 20)] {
        let (fits, over) = (most.to_string(), (most + 1).to_string());
        let with = |length: &str| {
            parse(
                "PUT",
                "?comp=appendblock",
                &[("x-ms-version", version), ("content-length", length)],
            )
        };
        assert!(with(&fits).is_ok(), "{version}");
        assert_eq!(
            with(&over).unwrap_err().code,
            ErrorCode::RequestBodyTooLarge,
            "{version}"
        );
    }
    let body = [("x-ms-blob-type", "AppendBlob"), ("content-length", "1")];
    assert_eq!(code("PUT", "", &body), (400, "InvalidHeaderValue"));
}

#[test]
fn what_is_built_is_read_back() {
    let lease_id = Some(LeaseId::RESTORE);
    let conditions = Conditions::if_match(ETag(77));
    let properties = HttpProperties {
        content_type: Some("a/b".to_owned()),
        ..HttpProperties::default()
    };
    let range = PageRange::new(512, 2047).unwrap();
    let sequence = SequenceCondition {
        le: Some(1),
        lt: None,
        eq: Some(0),
    };
    let set = |properties, size, sequence| BlobOperation::SetProperties {
        properties,
        page: PageChange { size, sequence },
        lease_id,
        conditions: Conditions::default(),
    };
    let operations = [
        BlobOperation::PutPageBlob(PutPageBlob {
            size: 1 << 40,
            sequence_number: 9,
            properties: properties.clone(),
            lease_id,
            conditions: conditions.clone(),
            ..PutPageBlob::default()
        }),
        BlobOperation::PutPage(PutPage {
            range,
            lease_id,
            conditions: conditions.clone(),
            sequence,
            checksum: Some(Checksum::Crc64(Crc64(5))),
        }),
        BlobOperation::ClearPages(ClearPages {
            range,
            lease_id,
            conditions: conditions.clone(),
            sequence,
        }),
        BlobOperation::GetPageRanges(GetPageRanges {
            snapshot: None,
            range: Some(ByteRange { start: 5, last: None }),
            lease_id,
            conditions: conditions.clone(),
            marker: Some(Marker::at("1024")),
            max_results: Some(7),
        }),
        set(None, Some(1024), Some(SequenceChange::Increment)),
        set(Some(properties.clone()), None, Some(SequenceChange::Max(3))),
        set(None, None, Some(SequenceChange::Update(0))),
        BlobOperation::PutAppendBlob(PutAppendBlob {
            properties,
            lease_id,
            ..PutAppendBlob::default()
        }),
        BlobOperation::AppendBlock(AppendBlock {
            length: 3,
            at: Some(0),
            max_size: Some(9),
            lease_id,
            conditions: conditions.clone(),
            checksum: None,
        }),
        BlobOperation::SealAppend(SealAppend {
            at: Some(12),
            lease_id,
            conditions,
        }),
        BlobOperation::AccountInformation,
    ];
    let account = AccountName::new("vault").unwrap();
    for operation in operations {
        let path = BlobPath {
            container: ContainerName::new("backups").unwrap(),
            blob: BlobName::new("a b/c").unwrap(),
        };
        let request = Request {
            account: account.clone(),
            operation: Operation::Blob(path, operation),
            version: ApiVersion::CURRENT,
            client_request_id: None,
        };
        let endpoint = Endpoint {
            origin: "http://127.0.0.1:1".to_owned(),
            style: AddressStyle::Path,
        };
        let built = request.build(&endpoint, UnixMillis(0), None).unwrap();
        let address = Address::locate(built.uri(), built.headers(), std::slice::from_ref(&account)).unwrap();
        let read = Request::parse(&address, built.method(), built.uri(), built.headers()).unwrap();
        assert_eq!(read, request);
    }
}

#[test]
fn the_statuses_of_the_reference() {
    let path = || BlobPath {
        container: ContainerName::new("backups").unwrap(),
        blob: BlobName::new("b").unwrap(),
    };
    let status = |operation| success_status(&Operation::Blob(path(), operation));
    assert_eq!(status(BlobOperation::PutPageBlob(PutPageBlob::default())), 201);
    assert_eq!(
        status(BlobOperation::PutAppendBlob(PutAppendBlob::default())),
        201
    );
    assert_eq!(status(BlobOperation::AppendBlock(AppendBlock::default())), 201);
    assert_eq!(
        status(BlobOperation::GetPageRanges(GetPageRanges::default())),
        200
    );
    assert_eq!(status(BlobOperation::SealAppend(SealAppend::default())), 200);
}
