//! What each operation needs: Microsoft's tables, held against every letter and every kind of resource.
#![allow(clippy::unwrap_used)] // A request that does not parse shall fail loudly.

use azblob::error::ErrorCode;
use azblob::grant::{Grant, ResourceTypes};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::request::{Address, AddressStyle, BlobOperation, BlobPath, Endpoint, Operation, Request, Target};
use azblob::sas::{AccountSas, Presented, ServiceSas, Token};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use http::{HeaderMap, HeaderName, HeaderValue};

const NOW: UnixMillis = UnixMillis(1_795_248_000_000);
const LETTERS: &str = "racwdxyltfi";

/// Method, target below the account, headers; letters; kind of resource.
type Row = (&'static str, &'static str, Headers<'static>, &'static str, char);
type Headers<'a> = &'a [(&'a str, &'a str)];

/// A request, the letters of which any one will do, and the kind of resource it is asked of: the table "Account SAS
/// permissions by operation" of "Create an account SAS", with the additions that `grant/rules.rs` names.
const TABLE: &[Row] = &[
    ("GET", "?comp=list", &[], "l", 's'),
    ("GET", "?restype=service&comp=properties", &[], "r", 's'),
    (
        "PUT",
        "?restype=service&comp=properties",
        &[("content-length", "9")],
        "w",
        's',
    ),
    ("GET", "?restype=service&comp=stats", &[], "r", 's'),
    ("PUT", "box?restype=container", &[], "cw", 'c'),
    ("DELETE", "box?restype=container", &[], "d", 'c'),
    ("GET", "box?restype=container", &[], "r", 'c'),
    ("GET", "box?restype=container&comp=metadata", &[], "r", 'c'),
    ("PUT", "box?restype=container&comp=metadata", &[], "w", 'c'),
    (
        "PUT",
        "box?restype=container&comp=lease",
        &[ACQUIRE[0], ACQUIRE[1]],
        "w",
        'c',
    ),
    ("PUT", "box?restype=container&comp=lease", &[BREAK], "wd", 'c'),
    ("GET", "box?restype=container&comp=acl", &[], "", 'c'),
    ("PUT", "box?restype=container&comp=acl", &[EMPTY], "", 'c'),
    ("GET", "box?restype=container&comp=list", &[], "l", 'c'),
    (
        "PUT",
        "box/b",
        &[("x-ms-blob-type", "BlockBlob"), EMPTY],
        "cw",
        'o',
    ),
    (
        "PUT",
        "box/b",
        &[
            ("x-ms-blob-type", "PageBlob"),
            ("x-ms-blob-content-length", "512"),
            EMPTY,
        ],
        "cw",
        'o',
    ),
    (
        "PUT",
        "box/b",
        &[("x-ms-blob-type", "AppendBlob"), EMPTY],
        "cw",
        'o',
    ),
    ("GET", "box/b", &[], "r", 'o'),
    ("HEAD", "box/b", &[], "r", 'o'),
    ("PUT", "box/b?comp=properties", &[], "w", 'o'),
    ("GET", "box/b?comp=metadata", &[], "r", 'o'),
    ("PUT", "box/b?comp=metadata", &[], "w", 'o'),
    ("DELETE", "box/b", &[], "d", 'o'),
    ("PUT", "box/b?comp=lease", &[ACQUIRE[0], ACQUIRE[1]], "w", 'o'),
    ("PUT", "box/b?comp=lease", &[BREAK], "wd", 'o'),
    ("PUT", "box/b?comp=snapshot", &[], "cw", 'o'),
    (
        "PUT",
        "box/b?comp=block&blockid=QUE%3D",
        &[("content-length", "9")],
        "w",
        'o',
    ),
    (
        "PUT",
        "box/b?comp=blocklist",
        &[("content-length", "9")],
        "w",
        'o',
    ),
    ("GET", "box/b?comp=blocklist", &[], "r", 'o'),
    (
        "PUT",
        "box/b?comp=page",
        &[("x-ms-page-write", "update"), PAGE, ("content-length", "512")],
        "w",
        'o',
    ),
    (
        "PUT",
        "box/b?comp=page",
        &[("x-ms-page-write", "clear"), PAGE, EMPTY],
        "w",
        'o',
    ),
    ("GET", "box/b?comp=pagelist", &[], "r", 'o'),
    (
        "PUT",
        "box/b?comp=appendblock",
        &[("content-length", "9")],
        "aw",
        'o',
    ),
    ("PUT", "box/b?comp=seal", &[], "w", 'o'),
    ("PUT", "box/b", &[COPY, EMPTY], "cw", 'o'),
    (
        "PUT",
        "box/b",
        &[COPY, ("x-ms-requires-sync", "true"), EMPTY],
        "cw",
        'o',
    ),
    (
        "PUT",
        "box/b",
        &[COPY, ("x-ms-blob-type", "BlockBlob"), EMPTY],
        "cw",
        'o',
    ),
    ("PUT", "box/b?comp=block&blockid=QUE%3D", &[COPY, EMPTY], "w", 'o'),
    (
        "PUT",
        "box/b?comp=copy&copyid=0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        &[("x-ms-copy-action", "abort")],
        "w",
        'o',
    ),
    ("PUT", "box/b?comp=tier", &[("x-ms-access-tier", "Hot")], "w", 'o'),
    ("GET", "box/b?comp=tags", &[], "t", 'o'),
    ("PUT", "box/b?comp=tags", &[("content-length", "9")], "t", 'o'),
];

const ACQUIRE: [(&str, &str); 2] = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")];
const BREAK: (&str, &str) = ("x-ms-lease-action", "break");
const COPY: (&str, &str) = ("x-ms-copy-source", "http://localhost/vault/box/other");
const EMPTY: (&str, &str) = ("content-length", "0");
const PAGE: (&str, &str) = ("x-ms-range", "bytes=0-511");

fn account() -> AccountName {
    AccountName::new("vault").unwrap()
}

fn key() -> Secret {
    Secret::from_base64("b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXk=").unwrap()
}

fn container() -> ContainerName {
    ContainerName::new("box").unwrap()
}

fn operation((method, target, headers): (&str, &str, Headers<'_>)) -> Operation {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    let uri = format!("/vault/{target}").parse().unwrap();
    let address = Address::locate(&uri, &map, &[account()]).unwrap();
    Request::parse(&address, &method.parse().unwrap(), &uri, &map)
        .unwrap()
        .operation
}

/// The grant of a token, for a request to `target`.
fn grant(token: &str, target: &Target) -> Grant {
    let presented = Presented {
        account: &account(),
        keys: &[key()],
        target,
        policies: &[],
        now: NOW,
        peer: "10.0.0.1".parse().unwrap(),
        secure: true,
    };
    Token::from_query(token)
        .unwrap()
        .unwrap()
        .verify(&presented)
        .unwrap()
}

fn of_account(types: ResourceTypes, letters: &str) -> Grant {
    let token = AccountSas {
        version: ApiVersion::CURRENT,
        types,
        permissions: Permissions::parse(letters).unwrap(),
        start: None,
        expiry: UnixMillis(NOW.0 + 1000),
        https_only: false,
        source: None,
    };
    grant(&token.sign(&account(), &key()), &Target::Service)
}

fn service_token(letters: &str, blob: Option<&str>) -> String {
    let permissions = Permissions::parse(letters).unwrap();
    let mut token = ServiceSas::of_container(container(), permissions, UnixMillis(NOW.0 + 1000));
    token.blob = blob.map(|name| BlobName::new(name).unwrap());
    token.sign(&account(), &key())
}

fn blob_target() -> Target {
    Target::Blob(BlobPath {
        container: container(),
        blob: BlobName::new("b").unwrap(),
    })
}

fn outcome(grant: &Grant, ask: (&str, &str, Headers<'_>)) -> Result<(), ErrorCode> {
    grant.allow(&mut operation(ask)).map_err(|refusal| refusal.code)
}

#[test]
fn account_signatures_against_the_table() {
    for &(method, target, headers, letters, kind) in TABLE {
        for kinds in ["s", "c", "o", "sco"] {
            for letter in LETTERS.chars() {
                let grant = of_account(ResourceTypes::from(kinds), &letter.to_string());
                let want = if !kinds.contains(kind) {
                    Err(ErrorCode::AuthorizationResourceTypeMismatch)
                } else if letters.contains(letter) {
                    Ok(())
                } else {
                    Err(ErrorCode::AuthorizationPermissionMismatch)
                };
                assert_eq!(
                    outcome(&grant, (method, target, headers)),
                    want,
                    "{method} {target} {headers:?}: srt={kinds} sp={letter}"
                );
            }
        }
    }
}

/// A service signature allows what is asked of blobs, and listing; nothing else of a container or of the account.
#[test]
fn service_signatures_against_the_table() {
    for &(method, target, headers, letters, kind) in TABLE {
        for letter in LETTERS.chars() {
            let ask = (method, target, headers);
            let of_container = grant(
                &service_token(&letter.to_string(), None),
                &Target::Container(container()),
            );
            let fits = if letters.contains(letter) {
                Ok(())
            } else {
                Err(ErrorCode::AuthorizationPermissionMismatch)
            };
            let listing = kind == 'c' && letters == "l";
            let never = Err(ErrorCode::AuthorizationFailure);
            let want = if kind == 'o' || listing { fits } else { never };
            assert_eq!(
                outcome(&of_container, ask),
                want,
                "{method} {target} sr=c sp={letter}"
            );
            let of_blob = grant(&service_token(&letter.to_string(), Some("b")), &blob_target());
            let want = match (kind, listing) {
                ('o', _) => fits,
                (_, true) => Err(ErrorCode::AuthorizationResourceTypeMismatch),
                _ => never,
            };
            assert_eq!(outcome(&of_blob, ask), want, "{method} {target} sr=b sp={letter}");
        }
    }
}

#[test]
fn who_may_create_only_meets_no_blob_and_who_may_write_meets_any() {
    for &(method, target, headers, letters, kind) in TABLE {
        if letters != "cw" || kind != 'o' || target.contains("snapshot") {
            continue;
        }
        for (sp, only_new) in [("c", true), ("cw", false), ("w", false), ("cd", true)] {
            let mut asked = operation((method, target, headers));
            grant(&service_token(sp, None), &blob_target())
                .allow(&mut asked)
                .unwrap();
            let conditions = match asked {
                Operation::Blob(_, BlobOperation::Put(put)) => put.conditions,
                Operation::Blob(_, BlobOperation::PutPageBlob(put)) => put.conditions,
                Operation::Blob(_, BlobOperation::PutAppendBlob(put)) => put.conditions,
                Operation::Blob(_, BlobOperation::Copy(copy)) => copy.conditions,
                Operation::Blob(_, BlobOperation::PutFromUrl(put)) => put.conditions,
                other => panic!("{other:?}"),
            };
            assert_eq!(conditions.only_new, only_new, "{headers:?} sp={sp}");
        }
    }
}

#[test]
fn tags_that_go_along_need_their_own_letter_as_well() {
    let tagged = [("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", "a=b"), EMPTY];
    let put = ("PUT", "box/b", &tagged[..]);
    let copied = [
        ("x-ms-copy-source", "http://localhost/vault/box/a"),
        ("x-ms-copy-source-tag-option", "COPY"),
    ];
    let copy = ("PUT", "box/b", &copied[..]);
    let list = ("GET", "box?restype=container&comp=list&include=tags", &[][..]);
    let with = |letters: &str, ask| outcome(&grant(&service_token(letters, None), &blob_target()), ask);
    let mismatch = Err(ErrorCode::AuthorizationPermissionMismatch);
    for (letters, put_is, list_is) in [
        ("w", mismatch, mismatch),
        ("t", mismatch, mismatch),
        ("wt", Ok(()), mismatch),
        ("l", mismatch, mismatch),
        ("lt", mismatch, Ok(())),
    ] {
        assert_eq!(with(letters, put), put_is, "{letters}");
        assert_eq!(with(letters, copy), put_is, "the source's tags, {letters}");
        assert_eq!(with(letters, list), list_is, "{letters}");
    }
}

#[test]
fn a_client_puts_its_token_into_the_query() {
    let token = service_token("r", None);
    let endpoint = Endpoint {
        origin: "http://127.0.0.1:10000".to_owned(),
        style: AddressStyle::Path,
    };
    for ask in [("GET", "box/b", &[][..]), ("GET", "box/b?comp=blocklist", &[])] {
        let request = Request {
            account: account(),
            operation: operation(ask),
            version: ApiVersion::CURRENT,
            client_request_id: None,
        };
        let sent = request
            .build_with_token(&endpoint, NOW, &format!("?{token}"))
            .unwrap();
        assert!(!sent.headers().contains_key("authorization"));
        let address = Address::locate(sent.uri(), sent.headers(), &[account()]).unwrap();
        let parsed = Request::parse(&address, sent.method(), sent.uri(), sent.headers()).unwrap();
        assert_eq!(parsed, request);
        let read = grant(
            sent.uri().query().unwrap(),
            &Target::of(&address, sent.uri()).unwrap(),
        );
        assert_eq!(outcome(&read, ask), Ok(()));
    }
}

#[test]
fn account_information_and_batches_need_any_letter() {
    let multipart = [
        ("content-type", "multipart/mixed; boundary=b"),
        ("content-length", "9"),
    ];
    for ask in [
        ("GET", "?restype=account&comp=properties", &[][..]),
        ("GET", "box?restype=account&comp=properties", &[]),
        ("GET", "box/b?restype=account&comp=properties", &[]),
        ("POST", "?comp=batch", &multipart),
        ("POST", "box?restype=container&comp=batch", &multipart),
    ] {
        for letter in LETTERS.chars() {
            let account = of_account(ResourceTypes::from("s"), &letter.to_string());
            assert_eq!(outcome(&account, ask), Ok(()), "{ask:?}");
            let service = grant(&service_token(&letter.to_string(), None), &blob_target());
            assert_eq!(outcome(&service, ask), Ok(()), "{ask:?}");
        }
    }
}

/// generate_blob_sas(..., snapshot=...) signs which snapshot; what else stands in the query does not widen it.
#[test]
fn a_token_for_a_snapshot_is_good_for_reading_and_deleting_it() {
    // sp=rwdct of sr=bs for the snapshot below of vault/box/b until 2099-01-01, sv=2021-12-02; the text, signed with
    // Python's hmac:
    // rwdct\n\n2099-01-01\n/blob/vault/box/b\n\n\n\n2021-12-02\nbs\n2026-11-21T04:00:00.1234567Z\n\n\n\n\n\n
    let token = "snapshot=2026-11-21T04:00:00.1234567Z&sv=2021-12-02&sr=bs&sp=rwdct&se=2099-01-01&sig=B7EMJRu8bBzBFuGQv5As38NmETxqjH2oRebadUWGCOg%3D";
    let grant = grant(token, &blob_target());
    let of_snapshot = "snapshot=2026-11-21T04:00:00.1234567Z";
    for method in ["GET", "HEAD", "DELETE"] {
        let target = format!("box/b?{of_snapshot}");
        assert_eq!(outcome(&grant, (method, &target, &[])), Ok(()), "{method}");
    }
    let mismatch = Err(ErrorCode::AuthorizationResourceTypeMismatch);
    for (method, target, headers) in [
        ("GET", "box/b", &[][..]),
        ("DELETE", "box/b", &[]),
        ("PUT", "box/b", &[("x-ms-blob-type", "BlockBlob"), EMPTY]),
        ("PUT", "box/b?comp=metadata", &[]),
        ("PUT", "box/b?comp=snapshot", &[]),
    ] {
        assert_eq!(
            outcome(&grant, (method, target, headers)),
            mismatch,
            "{method} {target}"
        );
    }
}
