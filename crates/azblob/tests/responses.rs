//! Answers: written in Azure's form, read back equal, and nothing panics on what is none.
#![allow(clippy::unwrap_used)] // A sample that does not parse shall fail loudly.

use azblob::copy::{CopyState, CopyStatus};
use azblob::digest::Md5;
use azblob::error::{self, ErrorCode, Refusal};
use azblob::etag::ETag;
use azblob::lease::{LeaseDurationKind, LeaseId, LeaseReply, LeaseState, LeaseStatus, LeaseView};
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use azblob::range::ByteRange;
use azblob::request::{ListBlobs, ListContainers, Marker};
use azblob::response::{
    BadHeader, BlobHead, BlobPage, BlobType, Changed, ContainerHead, ContainerPage, Failure, ListedBlob,
    ListedContainer, ListedEntry, Stamp,
};
use azblob::snapshot::SnapshotTime;
use azblob::tags::Tags;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::{any, proptest};

const CHANGED: UnixMillis = UnixMillis(784_111_777_000);
const TAG: ETag = ETag(0x8DC_8B6A_1E5B_3C70);
const LEASED: LeaseView = LeaseView {
    status: LeaseStatus::Locked,
    state: LeaseState::Leased,
    duration: Some(LeaseDurationKind::Infinite),
};

fn metadata() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.insert("name", "a <b> & \"c\"").unwrap();
    metadata
}

fn copied() -> CopyState {
    CopyState {
        id: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0".to_owned(),
        source: "https://vault.example/box/b".to_owned(),
        status: CopyStatus::Failed,
        copied: 3,
        total: 5,
        completed: Some(CHANGED),
        description: Some("The server was restarted.".to_owned()),
    }
}

fn head() -> BlobHead {
    BlobHead {
        etag: TAG.to_string(),
        last_modified: CHANGED,
        created: Some(CHANGED),
        length: 1000,
        blob_type: BlobType::Block,
        properties: HttpProperties {
            content_type: Some("text/plain".to_owned()),
            content_md5: Some(Md5([3; 16])),
            ..HttpProperties::default()
        },
        metadata: metadata(),
        lease: LEASED,
        copy: Some(copied()),
        tag_count: 2,
        sequence_number: None,
        block_count: None,
        append_sealed: false,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|v| v.to_str().unwrap())
}

#[test]
fn blobs_whole_and_in_part() {
    let mut headers = HeaderMap::new();
    head().write_headers(None, ApiVersion::CURRENT, &mut headers);
    let expected = [
        ("etag", "\"0x8DC8B6A1E5B3C70\""),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("content-length", "1000"),
        ("content-type", "text/plain"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-status", "locked"),
        ("x-ms-lease-state", "leased"),
        ("x-ms-lease-duration", "infinite"),
        ("accept-ranges", "bytes"),
    ];
    for (name, value) in expected {
        assert_eq!(text(&headers, name), Some(value), "{name}");
    }
    assert!(headers.contains_key("content-md5") && !headers.contains_key("x-ms-blob-content-md5"));
    assert_eq!(BlobHead::read(&headers), Ok(head()));

    let part = ByteRange {
        start: 990,
        last: Some(2000),
    }
    .resolve(1000)
    .unwrap();
    let mut headers = HeaderMap::new();
    head().write_headers(Some(part), ApiVersion::CURRENT, &mut headers);
    assert_eq!(text(&headers, "content-length"), Some("10"));
    assert_eq!(text(&headers, "content-range"), Some("bytes 990-999/1000"));
    assert!(!headers.contains_key("content-md5") && headers.contains_key("x-ms-blob-content-md5"));
    assert_eq!(BlobHead::read(&headers), Ok(head()));
    assert_eq!(BlobHead::read(&HeaderMap::new()), Err(BadHeader("ETag")));
}

#[test]
fn containers_and_changes() {
    let container = ContainerHead {
        etag: TAG.to_string(),
        last_modified: CHANGED,
        metadata: metadata(),
        lease: LEASED,
    };
    let mut headers = HeaderMap::new();
    container.write_headers(&mut headers);
    assert_eq!(ContainerHead::read(&headers), Ok(container));
    let mut headers = HeaderMap::new();
    Changed {
        etag: TAG,
        last_modified: CHANGED,
    }
    .write_headers(&mut headers);
    assert_eq!(Changed::read(&headers), Ok((TAG.to_string(), CHANGED)));
}

#[test]
fn lease_answers() {
    for reply in [
        LeaseReply {
            status: 201,
            lease_id: Some(LeaseId::RESTORE),
            lease_time: None,
        },
        LeaseReply {
            status: 202,
            lease_id: None,
            lease_time: Some(0),
        },
        LeaseReply {
            status: 200,
            lease_id: None,
            lease_time: None,
        },
    ] {
        let mut headers = HeaderMap::new();
        reply.write_headers(&mut headers);
        assert_eq!(LeaseReply::read(reply.status, &headers), Ok(reply));
    }
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-lease-id", HeaderValue::from_static("mine"));
    assert_eq!(LeaseReply::read(200, &headers), Err(BadHeader("x-ms-lease-id")));
}

#[test]
fn stamps_echo_the_request() {
    let mut asked = HeaderMap::new();
    asked.insert("x-ms-version", HeaderValue::from_static("2031-01-06"));
    asked.insert("x-ms-client-request-id", HeaderValue::from_static("mine"));
    let stamp = Stamp::of_headers(&asked, LeaseId::RESTORE, CHANGED);
    let mut headers = HeaderMap::new();
    stamp.write_headers(&mut headers);
    assert_eq!(text(&headers, "x-ms-version"), Some("2031-01-06"));
    assert_eq!(text(&headers, "x-ms-client-request-id"), Some("mine"));
    assert_eq!(
        text(&headers, "x-ms-request-id"),
        Some("bac2bac2-bac2-bac2-bac2-bac2bac2bac2")
    );
    assert_eq!(text(&headers, "date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(
        stamp.message_lines(),
        "RequestId:bac2bac2-bac2-bac2-bac2-bac2bac2bac2\nTime:1994-11-06T08:49:37.0000000Z"
    );
}

#[test]
fn errors_in_azures_form() {
    let refusal = Refusal::header("x-ms-lease-duration", "<5>");
    let message = format!("{}\nRequestId:1\nTime:2", refusal.message());
    let body = error::render(refusal.code.as_str(), &message, &refusal.details);
    // The shape of "Status and error codes".
    assert_eq!(
        body,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>InvalidHeaderValue</Code><Message>The value for one of the \
         HTTP headers is not in the correct format.\nRequestId:1\nTime:2</Message>\
         <HeaderName>x-ms-lease-duration</HeaderName><HeaderValue>&lt;5&gt;</HeaderValue></Error>"
    );
    let failure = Failure::read(400, &HeaderMap::new(), body.as_bytes());
    assert_eq!(failure.error_code(), Some(ErrorCode::InvalidHeaderValue));
    assert_eq!(failure.message, message);

    // HEAD: only the header speaks.
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-error-code", HeaderValue::from_static("BlobNotFound"));
    let failure = Failure::read(404, &headers, b"");
    assert_eq!(
        (failure.error_code(), failure.message.as_str()),
        (Some(ErrorCode::BlobNotFound), "")
    );
    assert_eq!(
        Failure::read(502, &HeaderMap::new(), b"<html>Bad gateway").code,
        ""
    );
}

fn listed(name: &str) -> ListedBlob {
    ListedBlob {
        name: name.to_owned(),
        etag: Some(TAG.bare()),
        last_modified: Some(CHANGED),
        created: Some(CHANGED),
        snapshot: None,
        length: 5,
        blob_type: BlobType::Block,
        properties: HttpProperties {
            content_type: Some("application/octet-stream".to_owned()),
            content_md5: Some(Md5([3; 16])),
            ..HttpProperties::default()
        },
        sequence_number: None,
        append_sealed: false,
        lease: LEASED,
        metadata: Some(metadata()),
        copy: None,
        tags: None,
    }
}

#[test]
fn pages_of_blobs() {
    let uncommitted = ListedBlob {
        etag: None,
        last_modified: None,
        length: 0,
        lease: LeaseView::NONE,
        metadata: None,
        ..listed("z")
    };
    let snapshot = ListedBlob {
        snapshot: Some(SnapshotTime(12_996_349_549_360_000)),
        lease: LeaseView::NONE,
        copy: Some(copied()),
        tags: Some(Tags::from_header("a=b&c=").unwrap()),
        ..listed("snapped")
    };
    let page = BlobPage {
        entries: vec![
            ListedEntry::Blob(Box::new(listed("a & <b>"))),
            ListedEntry::Prefix("dir/".to_owned()),
            ListedEntry::Blob(Box::new(listed("odd \u{ffff} name"))),
            ListedEntry::Blob(Box::new(snapshot)),
            ListedEntry::Blob(Box::new(uncommitted)),
        ],
        next: Some(Marker {
            name: "next \u{1} one".to_owned(),
            snapshot: Some(SnapshotTime(7)),
        }),
    };
    let asked = ListBlobs {
        prefix: Some("a&b".to_owned()),
        delimiter: Some("/".to_owned()),
        max_results: 4,
        max_results_given: true,
        ..ListBlobs::default()
    };
    let body = page.render(
        "http://127.0.0.1:10000/vault/",
        "backups",
        &asked,
        ApiVersion::CURRENT,
    );
    let begins = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
        ServiceEndpoint=\"http://127.0.0.1:10000/vault/\" ContainerName=\"backups\"><Prefix>a&amp;b</Prefix>\
        <MaxResults>4</MaxResults><Delimiter>/</Delimiter><Blobs><Blob><Name>a &amp; &lt;b&gt;</Name><Properties>\
        <Creation-Time>Sun, 06 Nov 1994 08:49:37 GMT</Creation-Time>\
        <Last-Modified>Sun, 06 Nov 1994 08:49:37 GMT</Last-Modified><Etag>0x8DC8B6A1E5B3C70</Etag>\
        <Content-Length>5</Content-Length><Content-Type>application/octet-stream</Content-Type>\
        <Content-MD5>AwMDAwMDAwMDAwMDAwMDAw==</Content-MD5><BlobType>BlockBlob</BlobType>\
        <LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState><LeaseDuration>infinite</LeaseDuration>\
        <AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred></Properties><Metadata><name>a &lt;b&gt; &amp; &quot;c&quot;</name></Metadata></Blob>\
        <BlobPrefix><Name>dir/</Name></BlobPrefix>";
    assert!(body.starts_with(begins), "{body}");
    assert!(
        body.contains("<Name Encoded=\"true\">odd%20%EF%BF%BF%20name</Name>"),
        "{body}"
    );
    assert_eq!(BlobPage::parse(body.as_bytes()), Ok(page));
}

#[test]
fn pages_of_containers() {
    let page = ContainerPage {
        entries: vec![ListedContainer {
            name: "backups".to_owned(),
            etag: TAG.bare(),
            last_modified: CHANGED,
            lease: LEASED,
            metadata: Some(metadata()),
        }],
        next: None,
    };
    let body = page.render(
        "http://127.0.0.1:10000/vault/",
        &ListContainers::default(),
        ApiVersion::CURRENT,
    );
    assert_eq!(ContainerPage::parse(body.as_bytes()), Ok(page));
    assert!(
        body.ends_with("</Containers><NextMarker></NextMarker></EnumerationResults>"),
        "{body}"
    );
}

#[test]
fn every_legal_name_survives_a_listing() {
    for name in [
        " ",
        "a\u{a0}b",
        "]]>",
        "<!--",
        "&amp;",
        "%41",
        "\u{fffe}",
        "\u{1f600}/\u{85}\u{2028}",
        "  lead",
        "trail ",
    ] {
        let page = BlobPage {
            entries: vec![ListedEntry::Blob(Box::new(listed(name)))],
            next: None,
        };
        let body = page.render("http://x/", "backups", &ListBlobs::default(), ApiVersion::CURRENT);
        assert_eq!(BlobPage::parse(body.as_bytes()), Ok(page), "{name:?}");
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = BlobPage::parse(&body);
        let _ = ContainerPage::parse(&body);
        let _ = Failure::read(500, &HeaderMap::new(), &body);
    }

    #[test]
    fn no_markup_panics(
        body in "(<(/)?(Blobs|Blob|Name|Metadata|Properties|Etag|NextMarker|Container|Error|Code)(/)?>|a|&lt;){0,20}",
    ) {
        let _ = BlobPage::parse(body.as_bytes());
        let _ = ContainerPage::parse(body.as_bytes());
        let _ = Failure::read(500, &HeaderMap::new(), body.as_bytes());
    }
}

#[test]
fn listings_before_2013_08_15_name_urls() {
    let old = ApiVersion::parse("2012-02-12").unwrap();
    let page = BlobPage {
        entries: vec![ListedEntry::Blob(Box::new(listed("a b/c")))],
        next: None,
    };
    let body = page.render("http://h/vault/", "backups", &ListBlobs::default(), old);
    assert!(
        body.contains("<EnumerationResults ContainerName=\"http://h/vault/backups\">"),
        "{body}"
    );
    assert!(
        body.contains("<Name>a b/c</Name><Url>http://h/vault/backups/a%20b/c</Url>"),
        "{body}"
    );
    let new = page.render(
        "http://h/vault/",
        "backups",
        &ListBlobs::default(),
        ApiVersion::CURRENT,
    );
    assert!(
        new.contains("<EnumerationResults ServiceEndpoint=\"http://h/vault/\" ContainerName=\"backups\">")
    );
    assert!(!new.contains("<Url>"));
}
