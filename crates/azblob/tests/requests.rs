//! Requests: what clients really send is understood, what is built is read back equal, nothing panics.
#![allow(clippy::unwrap_used)] // A case that does not parse shall fail loudly.

use azblob::block::{BlockId, BlockListKind};
use azblob::conditions::Conditions;
use azblob::digest::{Crc64, Md5};
use azblob::error::{ErrorCode, Refusal};
use azblob::etag::ETag;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::page::{PageRange, SequenceCondition};
use azblob::properties::HttpProperties;
use azblob::range::ByteRange;
use azblob::request::{
    Address, AddressStyle, AppendBlock, AppendFromUrl, BlobOperation, BlobPath, BlockFromUrl, Checksum,
    ContainerOperation, CopyBlob, CopySource, Endpoint, GetBlob, ListBlobs, ListContainers, Marker,
    Operation, PageChange, PageFromUrl, PutBlob, PutBlock, PutBlockList, PutFromUrl, PutPage, Request,
    ServiceOperation,
};
use azblob::snapshot::{DeleteSnapshots, SnapshotTime};
use azblob::tags::Tags;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::{any, proptest};

fn vault() -> AccountName {
    AccountName::new("vault").unwrap()
}

fn parse(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Request, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let uri = uri.parse().unwrap();
    let address = Address::locate(&uri, &map, &[vault()])?;
    Request::parse(&address, &method.parse().unwrap(), &uri, &map)
}

fn blob_operation(method: &str, uri: &str, headers: &[(&str, &str)]) -> BlobOperation {
    match parse(method, uri, headers).unwrap().operation {
        Operation::Blob(_, operation) => operation,
        other => panic!("{other:?}"),
    }
}

fn refusal(method: &str, uri: &str, headers: &[(&str, &str)]) -> ErrorCode {
    parse(method, uri, headers).unwrap_err().code
}

#[test]
fn snapshots_are_read_and_deleted_and_never_changed() {
    let uri = "/vault/box/b?snapshot=2011-03-09T01:42:34.9360000Z";
    let time = SnapshotTime(12_996_349_549_360_000);
    match blob_operation("GET", uri, &[]) {
        BlobOperation::Get(get) => assert_eq!(get.snapshot, Some(time)),
        other => panic!("{other:?}"),
    }
    let lease = format!("{uri}&comp=lease");
    let action = [("x-ms-lease-action", "break")];
    assert_eq!(refusal("PUT", &lease, &action), ErrorCode::InvalidOperation);
    for comp in [
        "",
        "&comp=metadata",
        "&comp=properties",
        "&comp=block",
        "&comp=snapshot",
    ] {
        let code = refusal("PUT", &format!("{uri}{comp}"), &[("content-length", "0")]);
        assert_eq!(code, ErrorCode::InvalidQueryParameterValue, "{comp}");
    }
    let only = [("x-ms-delete-snapshots", "only")];
    assert_eq!(refusal("DELETE", uri, &only), ErrorCode::InvalidOperation);
    let wrong = "/vault/box/b?snapshot=yesterday";
    assert_eq!(refusal("HEAD", wrong, &[]), ErrorCode::InvalidQueryParameterValue);
}

#[test]
fn what_sql_server_sends() {
    // The order of a backup to a block blob: capitalised actions, ids without dashes, no version at all.
    let uri = "/vault/backups_005/db/full%201.bak";
    let lease = |action: &str, more: &[(&'static str, &'static str)]| {
        let mut headers = vec![("x-ms-lease-action", action)];
        headers.extend_from_slice(more);
        match blob_operation("PUT", &format!("{uri}?comp=lease"), &headers) {
            BlobOperation::Lease { action, .. } => action,
            other => panic!("{other:?}"),
        }
    };
    let put = blob_operation(
        "PUT",
        uri,
        &[("x-ms-blob-type", "BlockBlob"), ("content-length", "0")],
    );
    assert_eq!(put, BlobOperation::Put(PutBlob::default()));
    let restore = ("x-ms-proposed-lease-id", "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2");
    assert_eq!(
        lease("Acquire", &[restore, ("x-ms-lease-duration", "-1")]),
        LeaseAction::Acquire {
            proposed: Some(LeaseId::RESTORE),
            duration: LeaseDuration::Infinite
        }
    );
    let held = ("x-ms-lease-id", "bac2bac2bac2bac2bac2bac2bac2bac2");
    assert_eq!(
        lease("Renew", &[held]),
        LeaseAction::Renew { id: LeaseId::RESTORE }
    );
    assert_eq!(
        lease("Release", &[held]),
        LeaseAction::Release { id: LeaseId::RESTORE }
    );
    assert_eq!(
        lease("BREAK", &[held, ("x-ms-lease-break-period", "0")]),
        LeaseAction::Break { period: Some(0) }
    );
    assert_eq!(
        lease("Change", &[held, restore]),
        LeaseAction::Change {
            id: LeaseId::RESTORE,
            proposed: LeaseId::RESTORE
        }
    );

    // The rights stand anywhere in the query, even as a bare word.
    let block = blob_operation(
        "PUT",
        &format!("{uri}?does_not_matter&blockid=QkxPQ0tJRDAwMDAx&comp=block&sig=a%2Bb%3D"),
        &[("content-length", "4194304"), held],
    );
    let id = BlockId::from_bytes(b"BLOCKID00001").unwrap();
    let lease_id = Some(LeaseId::RESTORE);
    assert_eq!(
        block,
        BlobOperation::PutBlock(PutBlock {
            id,
            length: 4 << 20,
            lease_id,
            checksum: None
        })
    );

    let read = blob_operation(
        "GET",
        uri,
        &[("x-ms-range", "bytes=0-65535"), ("range", "bytes=5-6")],
    );
    let range = Some(ByteRange {
        start: 0,
        last: Some(65535),
    });
    assert_eq!(
        read,
        BlobOperation::Get(GetBlob {
            range,
            ..GetBlob::default()
        })
    );
}

#[test]
fn names_are_decoded_once() {
    let path = |uri: &str| match parse("GET", uri, &[]).unwrap().operation {
        Operation::Blob(path, _) => (path.container.to_string(), path.blob.to_string()),
        other => panic!("{other:?}"),
    };
    let pair = |c: &str, b: &str| (c.to_owned(), b.to_owned());
    assert_eq!(
        path("/vault/backups/a/b%20c%2Fd+e%2520"),
        pair("backups", "a/b c/d+e%20")
    );
    assert_eq!(path("/vault/backups//x/"), pair("backups", "/x/"));
    assert_eq!(path("/vault/backups/..%2f../etc"), pair("backups", "../../etc"));
    assert_eq!(path("/vault/file.txt"), pair("$root", "file.txt"));
    assert_eq!(path("/backups/full.bak"), pair("backups", "full.bak"));
    assert_eq!(refusal("GET", "/vault/backups/%ff", &[]), ErrorCode::InvalidUri);
    assert_eq!(refusal("GET", "/vault/backups/%00", &[]), ErrorCode::InvalidUri);
    assert_eq!(
        refusal("GET", "/vault/BACKUPS/x", &[]),
        ErrorCode::InvalidResourceName
    );
    assert_eq!(
        refusal("GET", &format!("/vault/backups/{}", "x".repeat(1025)), &[]),
        ErrorCode::OutOfRangeInput
    );
}

#[test]
fn lease_headers_out_of_bounds() {
    let lease = |headers: &[(&str, &str)]| refusal("PUT", "/vault/backups/b?comp=lease", headers);
    let acquire = ("x-ms-lease-action", "acquire");
    assert_eq!(lease(&[acquire]), ErrorCode::MissingRequiredHeader);
    for duration in ["14", "61", "0", "-2", "x", "99999999999999999999"] {
        let code = lease(&[acquire, ("x-ms-lease-duration", duration)]);
        assert_eq!(code, ErrorCode::InvalidHeaderValue, "{duration}");
    }
    for period in ["61", "-1", "x"] {
        let code = lease(&[
            ("x-ms-lease-action", "break"),
            ("x-ms-lease-break-period", period),
        ]);
        assert_eq!(code, ErrorCode::InvalidHeaderValue, "{period}");
    }
    assert_eq!(lease(&[]), ErrorCode::MissingRequiredHeader);
    assert_eq!(
        lease(&[("x-ms-lease-action", "steal")]),
        ErrorCode::InvalidHeaderValue
    );
    assert_eq!(
        lease(&[("x-ms-lease-action", "renew")]),
        ErrorCode::MissingRequiredHeader
    );
    let bad = ("x-ms-lease-id", "not-a-guid");
    assert_eq!(
        lease(&[("x-ms-lease-action", "renew"), bad]),
        ErrorCode::InvalidHeaderValue
    );
    let id = ("x-ms-lease-id", "bac2bac2-bac2-bac2-bac2-bac2bac2bac2");
    assert_eq!(
        lease(&[("x-ms-lease-action", "change"), id]),
        ErrorCode::MissingRequiredHeader
    );
}

#[test]
fn versions_of_any_date() {
    let version =
        |v: &str| parse("HEAD", "/vault/backups/b", &[("x-ms-version", v)]).map(|r| r.version.to_string());
    for date in ["2012-02-12", "2021-12-02", "2031-12-31"] {
        assert_eq!(version(date).as_deref(), Ok(date));
    }
    assert_eq!(version("latest").unwrap_err().code, ErrorCode::InvalidHeaderValue);
    assert_eq!(
        parse("HEAD", "/vault/backups/b", &[]).unwrap().version,
        ApiVersion::CURRENT
    );
}

#[test]
fn bodies_within_their_limits() {
    let block = |version: &str, length: &str| {
        let headers = [("x-ms-version", version), ("content-length", length)];
        parse("PUT", "/vault/backups/b?comp=block&blockid=QUFB", &headers)
            .map(|_| ())
            .map_err(|r| r.code)
    };
    let too_large = Err(ErrorCode::RequestBodyTooLarge);
    assert_eq!(block("2014-02-14", "4194304"), Ok(()));
    assert_eq!(block("2014-02-14", "4194305"), too_large);
    assert_eq!(block("2016-05-31", "104857600"), Ok(()));
    assert_eq!(block("2016-05-31", "104857601"), too_large);
    assert_eq!(block("2019-12-12", "4194304000"), Ok(()));
    assert_eq!(block("2019-12-12", "4194304001"), too_large);
    assert_eq!(
        block("2019-12-12", "18446744073709551616"),
        Err(ErrorCode::InvalidHeaderValue)
    );
    assert_eq!(block("2019-12-12", "0"), Err(ErrorCode::InvalidHeaderValue));
    let missing = refusal("PUT", "/vault/backups/b?comp=block&blockid=QUFB", &[]);
    assert_eq!(
        (missing, missing.status()),
        (ErrorCode::MissingContentLengthHeader, 411)
    );
}

#[test]
fn what_is_not_offered_says_so() {
    let uri = "/vault/backups/b";
    let put = |kind| refusal("PUT", uri, &[("x-ms-blob-type", kind), ("content-length", "0")]);
    assert_eq!(put("Blob"), ErrorCode::InvalidHeaderValue);
    assert_eq!(
        refusal("PUT", uri, &[("content-length", "0")]),
        ErrorCode::MissingRequiredHeader
    );
    for comp in ["incrementalcopy", "expiry", "undelete", "legalhold"] {
        let code = refusal("PUT", &format!("{uri}?comp={comp}"), &[]);
        assert_eq!((code, code.status()), (ErrorCode::NotImplemented, 501), "{comp}");
    }
    let tier = refusal(
        "PUT",
        &format!("{uri}?comp=tier"),
        &[("x-ms-access-tier", "Cool")],
    );
    assert_eq!(tier, ErrorCode::InvalidBlobTier);
    let said = parse("PUT", &format!("{uri}?comp=expiry"), &[]).unwrap_err();
    assert_eq!(said.message(), "Set Blob Expiry is not offered by this server.");
    assert_eq!(
        refusal("PUT", &format!("{uri}?comp=nonsense"), &[]),
        ErrorCode::InvalidQueryParameterValue
    );
    assert_eq!(refusal("PATCH", uri, &[]), ErrorCode::UnsupportedHttpVerb);
    assert_eq!(
        refusal("GET", &format!("{uri}?versionid=2026"), &[]),
        ErrorCode::UnsupportedQueryParameter
    );
    assert_eq!(
        refusal("POST", "/vault?restype=service&comp=userdelegationkey", &[]),
        ErrorCode::NotImplemented
    );
    // An encryption key that was ignored would leave plain text behind.
    let key = [
        ("x-ms-blob-type", "BlockBlob"),
        ("content-length", "0"),
        ("x-ms-encryption-key", "k"),
    ];
    assert_eq!(refusal("PUT", uri, &key), ErrorCode::UnsupportedHeader);
}

#[test]
fn an_empty_header_asks_for_nothing() {
    // azcopy names no tier so.
    let put = |tier: &str| {
        let headers = [
            ("x-ms-blob-type", "BlockBlob"),
            ("content-length", "0"),
            ("x-ms-access-tier", tier),
        ];
        parse("PUT", "/vault/backups/b", &headers).map_err(|r| r.code)
    };
    assert!(put("").is_ok());
    assert_eq!(put("Archive").err(), Some(ErrorCode::InvalidBlobTier));
}

#[test]
fn a_batch_of_the_account_however_its_client_writes_it() {
    // The JavaScript SDK takes the account of a path-style URL for a container.
    let kind = [
        ("content-type", "multipart/mixed; boundary=b"),
        ("content-length", "9"),
    ];
    for uri in ["/vault?comp=batch", "/vault?comp=batch&restype=container"] {
        let Operation::Service(ServiceOperation::Batch(body)) = parse("POST", uri, &kind).unwrap().operation
        else {
            panic!("not a batch of the account: {uri}")
        };
        assert_eq!((body.length, body.boundary.as_str()), (9, "b"));
    }
}

#[test]
fn checksums_one_at_a_time() {
    let put = |headers: &[(&str, &str)]| {
        let mut all = vec![("x-ms-blob-type", "BlockBlob"), ("content-length", "0")];
        all.extend_from_slice(headers);
        parse("PUT", "/vault/backups/b", &all).map_err(|r| r.code)
    };
    let (md5, crc) = (
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-ms-content-crc64", "AQAAAAAAAAA="),
    );
    assert!(put(&[md5]).is_ok() && put(&[crc]).is_ok());
    assert_eq!(put(&[md5, crc]), Err(ErrorCode::InvalidInput));
    assert_eq!(put(&[("content-md5", "short")]), Err(ErrorCode::InvalidMd5));
    assert_eq!(
        put(&[("x-ms-content-crc64", "AAAA")]),
        Err(ErrorCode::InvalidCrc64)
    );
}

#[test]
fn listings() {
    let uri = "/vault/backups?restype=container&comp=list&prefix=a%2Fb&delimiter=%2F&include=metadata,snapshots,uncommittedblobs,deleted,tags,copy\
        &startFrom=a%2Fc\
        &maxresults=70000&marker=YS9i";
    let Operation::Container(_, ContainerOperation::ListBlobs(list)) =
        parse("GET", uri, &[]).unwrap().operation
    else {
        panic!("not a listing")
    };
    let want = ListBlobs {
        prefix: Some("a/b".to_owned()),
        delimiter: Some("/".to_owned()),
        marker: Some(Marker::at("a/b")),
        max_results: 5000,
        max_results_given: true,
        include_metadata: true,
        start_from: Some("a/c".to_owned()),
        include_snapshots: true,
        include_copy: true,
        include_tags: true,
        include_uncommitted: true,
    };
    assert_eq!(list, want);
    let bad = |query: &str| {
        refusal(
            "GET",
            &format!("/vault/backups?restype=container&comp=list&{query}"),
            &[],
        )
    };
    assert_eq!(bad("maxresults=0"), ErrorCode::OutOfRangeQueryParameterValue);
    assert_eq!(bad("maxresults=many"), ErrorCode::OutOfRangeQueryParameterValue);
    assert_eq!(bad("include=everything"), ErrorCode::InvalidQueryParameterValue);
    assert_eq!(bad("marker=*"), ErrorCode::InvalidQueryParameterValue);
}

/// One request of every kind, with every field that it has.
fn every_request() -> Vec<Operation> {
    let container = || ContainerName::new("backups_005").unwrap();
    let path = || BlobPath {
        container: container(),
        blob: BlobName::new("a b/Ünï+%/€?#&=").unwrap(),
    };
    let mut metadata = Metadata::default();
    metadata.insert("database", "Sales 2026").unwrap();
    let properties = HttpProperties {
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("de".to_owned()),
        content_disposition: Some("inline".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        content_md5: Some(Md5([7; 16])),
    };
    let (id, lease_id) = (LeaseId::RESTORE, Some(LeaseId::RESTORE));
    let conditions = Conditions {
        if_unmodified_since: UnixMillis::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
        ..Conditions::if_match(ETag(0x8DC_8B6A_1E5B_3C70))
    };
    let list = ListBlobs {
        prefix: Some("a b/+".to_owned()),
        delimiter: Some("/".to_owned()),
        marker: Some(Marker::at("\u{1}€")),
        max_results: 17,
        max_results_given: true,
        include_metadata: true,
        start_from: Some("a/c".to_owned()),
        include_snapshots: true,
        include_copy: true,
        include_tags: true,
        include_uncommitted: true,
    };
    let containers = ListContainers {
        prefix: list.prefix.clone(),
        marker: list.marker.clone(),
        max_results: 18,
        max_results_given: true,
        include_metadata: true,
    };
    let actions = [
        LeaseAction::Acquire {
            proposed: None,
            duration: LeaseDuration::Infinite,
        },
        LeaseAction::Acquire {
            proposed: Some(id),
            duration: LeaseDuration::Seconds(15),
        },
        LeaseAction::Renew { id },
        LeaseAction::Change {
            id,
            proposed: LeaseId::from_u128(1),
        },
        LeaseAction::Release { id },
        LeaseAction::Break { period: None },
        LeaseAction::Break { period: Some(0) },
    ];
    // Containers know only the conditions about time.
    let by_time = Conditions {
        if_match: None,
        ..conditions.clone()
    };
    let on_container = [
        ContainerOperation::Create {
            metadata: metadata.clone(),
        },
        ContainerOperation::Delete {
            lease_id,
            conditions: by_time.clone(),
        },
        ContainerOperation::GetProperties { lease_id },
        ContainerOperation::GetMetadata { lease_id },
        ContainerOperation::SetMetadata {
            metadata: metadata.clone(),
            lease_id,
            conditions: by_time.clone(),
        },
        ContainerOperation::ListBlobs(list),
        ContainerOperation::ListBlobs(ListBlobs::default()),
    ];
    let block = BlockId::from_bytes(&[0xfb, 0xef, 0xbe, 0xff]).unwrap();
    let tags = Tags::from_header("a=b%20c&d=").unwrap();
    let source = CopySource {
        url: "http://127.0.0.1:10000/vault/box/a%20b?snapshot=2011-03-09T01:42:34.9360000Z".to_owned(),
        lease_id,
        conditions: conditions.clone(),
        md5: Some(Md5([9; 16])),
        crc64: None,
    };
    let put = PutBlob {
        length: 5,
        properties: properties.clone(),
        metadata: metadata.clone(),
        tags: tags.clone(),
        lease_id,
        conditions: Conditions::if_absent(),
        checksum: Some(Checksum::Md5(Md5([9; 16]))),
    };
    let commit = PutBlockList {
        length: 6,
        properties: properties.clone(),
        metadata: metadata.clone(),
        tags: tags.clone(),
        lease_id,
        conditions: conditions.clone(),
        checksum: Some(Checksum::Crc64(Crc64(u64::MAX - 1))),
    };
    let snapshot = Some(SnapshotTime(12_996_349_549_360_001));
    let get = GetBlob {
        snapshot,
        range: Some(ByteRange { start: 3, last: None }),
        lease_id,
        conditions: conditions.clone(),
        range_md5: true,
        range_crc64: false,
    };
    let own = metadata.clone();
    let other_block = block.clone();
    let on_blob = [
        BlobOperation::Put(put),
        BlobOperation::Put(PutBlob::default()),
        BlobOperation::PutBlock(PutBlock {
            id: block,
            length: 7,
            lease_id,
            checksum: None,
        }),
        BlobOperation::PutBlockList(commit),
        BlobOperation::GetBlockList {
            snapshot,
            kind: BlockListKind::All,
            lease_id,
        },
        BlobOperation::Get(get),
        BlobOperation::GetProperties {
            snapshot,
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::GetMetadata {
            snapshot,
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::SetMetadata {
            metadata,
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::SetProperties {
            properties: Some(properties.clone()),
            page: PageChange::default(),
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::Copy(CopyBlob {
            source: source.clone(),
            at_once: true,
            metadata: Some(own.clone()),
            tags: tags.clone(),
            tags_of_source: false,
            lease_id,
            conditions: conditions.clone(),
        }),
        BlobOperation::Copy(CopyBlob {
            source: source.clone(),
            tags_of_source: true,
            ..CopyBlob::default()
        }),
        BlobOperation::PutFromUrl(PutFromUrl {
            source: source.clone(),
            properties: properties.clone(),
            tags: tags.clone(),
            lease_id,
            ..PutFromUrl::default()
        }),
        BlobOperation::PutFromUrl(PutFromUrl {
            source: source.clone(),
            properties_of_source: true,
            ..PutFromUrl::default()
        }),
        BlobOperation::PageFromUrl(PageFromUrl {
            put: PutPage {
                range: PageRange::new(512, 1535).unwrap(),
                lease_id,
                conditions: conditions.clone(),
                sequence: SequenceCondition::default(),
                checksum: None,
            },
            source: source.clone(),
            source_range: ByteRange {
                start: 0,
                last: Some(1023),
            },
        }),
        BlobOperation::AppendFromUrl(AppendFromUrl {
            append: AppendBlock {
                at: Some(7),
                lease_id,
                ..AppendBlock::default()
            },
            source: source.clone(),
            range: None,
        }),
        BlobOperation::BlockFromUrl(BlockFromUrl {
            id: other_block,
            source,
            range: Some(ByteRange {
                start: 3,
                last: Some(9),
            }),
            lease_id,
        }),
        BlobOperation::AbortCopy {
            id: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0".to_owned(),
            lease_id,
        },
        BlobOperation::GetTags { snapshot, lease_id },
        BlobOperation::SetTags {
            length: 7,
            lease_id,
            checksum: None,
        },
        BlobOperation::SetTier { snapshot, lease_id },
        BlobOperation::Snapshot {
            metadata: Some(own),
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::Snapshot {
            metadata: None,
            lease_id: None,
            conditions: Conditions::default(),
        },
        BlobOperation::Delete {
            snapshot: None,
            snapshots: DeleteSnapshots::Include,
            lease_id,
            conditions: conditions.clone(),
        },
        BlobOperation::Delete {
            snapshot,
            snapshots: DeleteSnapshots::Refuse,
            lease_id: None,
            conditions: Conditions::default(),
        },
    ];
    let mut all = vec![Operation::Service(ServiceOperation::ListContainers(containers))];
    for action in actions {
        let on = ContainerOperation::Lease {
            action,
            conditions: by_time.clone(),
        };
        all.push(Operation::Container(container(), on));
        all.push(Operation::Blob(
            path(),
            BlobOperation::Lease {
                action,
                conditions: conditions.clone(),
            },
        ));
    }
    all.extend(on_container.map(|operation| Operation::Container(container(), operation)));
    all.extend(on_blob.map(|operation| Operation::Blob(path(), operation)));
    all
}

#[test]
fn what_is_built_is_read_back() {
    for style in [AddressStyle::Path, AddressStyle::Host] {
        let endpoint = Endpoint {
            origin: "http://127.0.0.1:10000".to_owned(),
            style,
        };
        for operation in every_request() {
            let name = operation.name();
            let sent = Request {
                account: vault(),
                operation,
                version: ApiVersion::CURRENT,
                client_request_id: Some("7".to_owned()),
            };
            let built = sent
                .build(&endpoint, UnixMillis(1_700_000_000_000), None)
                .unwrap();
            let (parts, ()) = built.into_parts();
            let address = Address::locate(&parts.uri, &parts.headers, &[vault()]).unwrap();
            assert_eq!(address.style, style, "{name}");
            let read = Request::parse(&address, &parts.method, &parts.uri, &parts.headers);
            assert_eq!(read, Ok(sent), "{name} {}", parts.uri);
        }
    }
}

proptest! {
    #[test]
    fn no_request_panics(
        method in "(GET|PUT|HEAD|DELETE|POST|X)",
        path in "(/vault)?(/[a-z$%0-9]{0,5}){0,4}",
        query in "((comp|restype|blockid|include|maxresults|marker|snapshot)=[a-z0-9%+,]{0,8}&?){0,4}",
        comp in proptest::sample::select(vec!["", "lease", "block", "blocklist", "list", "metadata", "properties"]),
        headers in proptest::collection::vec((0usize..12, proptest::collection::vec(any::<u8>(), 0..12)), 0..5),
    ) {
        const NAMES: [&str; 12] = ["x-ms-version", "x-ms-lease-action", "x-ms-lease-id", "x-ms-lease-duration",
            "x-ms-range", "content-length", "content-md5", "if-match", "if-modified-since", "x-ms-meta-a",
            "x-ms-blob-type", "x-ms-blob-content-md5"];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(NAMES[name], value);
            }
        }
        let path = if path.is_empty() { "/" } else { &path };
        if let Ok(uri) = format!("{path}?comp={comp}&{query}").parse() {
            let method: Method = method.parse().unwrap();
            if let Ok(address) = Address::locate(&uri, &map, &[vault()]) {
                let _ = Request::parse(&address, &method, &uri, &map);
            }
        }
    }
}
