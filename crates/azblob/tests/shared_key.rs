//! SharedKey against signatures made elsewhere. The key is the published one of the storage emulator.
#![allow(clippy::unwrap_used)] // A vector that does not parse shall fail loudly.

use azblob::error::ErrorCode;
use azblob::names::AccountName;
use azblob::shared_key::{self, Secret};
use azblob::time::UnixMillis;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const OTHER_KEY: &str = "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgb3RoZXIga2V5IG90aGVyIGtleQ==";
/// When the vectors were made.
const DATE: &str = "Sat, 21 Nov 2026 05:19:52 GMT";

struct Vector {
    name: &'static str,
    account: &'static str,
    method: &'static str,
    uri: &'static str,
    headers: &'static [(&'static str, &'static str)],
    signature: &'static str,
}

/// What azure-storage-blob 12.31.1 (Python 3.11) put on the wire: a transport that only writes down
/// `request.method`, `request.url` and `request.headers` was given to
/// `BlobServiceClient("http://127.0.0.1:10000/devstoreaccount1", credential=KEY, transport=...)`; the blob is
/// `get_blob_client("backups", "db/full 1+2.bak")`. User-Agent left out.
const SDK: &[Vector] = &[
    Vector {
        name: "stage_block",
        account: "devstoreaccount1",
        method: "PUT",
        uri: "http://127.0.0.1:10000/devstoreaccount1/backups/db/full%201%2B2.bak?comp=block&blockid=UWt4UFEwdEpSREF3TURBeA%3D%3D",
        headers: &[
            ("content-length", "5"),
            ("x-ms-version", "2026-10-06"),
            ("content-type", "application/octet-stream"),
            ("accept", "application/xml"),
            ("x-ms-date", "Sat, 21 Nov 2026 05:19:52 GMT"),
            ("x-ms-client-request-id", "2e0d4b6c-e56b-11f1-b146-02fc00000001"),
        ],
        signature: "URzHC9OmZWPMG9vew4VS/pM3QpP91zYM1awAXLB6XK4=",
    },
    Vector {
        name: "upload_blob",
        account: "devstoreaccount1",
        method: "PUT",
        uri: "http://127.0.0.1:10000/devstoreaccount1/backups/db/full%201%2B2.bak",
        headers: &[
            ("x-ms-meta-a_b", "1"),
            ("x-ms-meta-a1", "2"),
            ("x-ms-meta-ab", "3"),
            ("x-ms-meta-a", "4"),
            ("x-ms-blob-type", "BlockBlob"),
            ("content-length", "0"),
            ("if-none-match", "*"),
            ("x-ms-version", "2026-10-06"),
            ("content-type", "application/octet-stream"),
            ("accept", "application/xml"),
            ("x-ms-date", "Sat, 21 Nov 2026 05:19:52 GMT"),
            ("x-ms-client-request-id", "2e0d6408-e56b-11f1-b146-02fc00000001"),
        ],
        signature: "5oEC+CdbBINssfz1gcFkS4vHL921Tpy4DbBhzAAbz+Y=",
    },
    Vector {
        name: "get_blob_properties",
        account: "devstoreaccount1",
        method: "HEAD",
        uri: "http://127.0.0.1:10000/devstoreaccount1/backups/db/full%201%2B2.bak",
        headers: &[
            ("x-ms-lease-id", "bac2bac2-bac2-bac2-bac2-bac2bac2bac2"),
            ("x-ms-version", "2026-10-06"),
            ("accept", "application/xml"),
            ("x-ms-date", "Sat, 21 Nov 2026 05:19:52 GMT"),
            ("x-ms-client-request-id", "2e0d6ec6-e56b-11f1-b146-02fc00000001"),
        ],
        signature: "SG8fmABL223MjwB+ibtSHH/SV1XEM19zXaLwkayMcF8=",
    },
    Vector {
        name: "list_blobs",
        account: "devstoreaccount1",
        method: "GET",
        uri: "http://127.0.0.1:10000/devstoreaccount1/backups?restype=container&comp=list&prefix=a%20b%2F%C3%BC%2B%26&include=metadata,uncommittedblobs",
        headers: &[
            ("x-ms-version", "2026-10-06"),
            ("accept", "application/xml"),
            ("x-ms-date", "Sat, 21 Nov 2026 05:19:52 GMT"),
            ("x-ms-client-request-id", "2e0d80d2-e56b-11f1-b146-02fc00000001"),
        ],
        signature: "forUD9/Ti07T/FfSE9VvTFA6BJv0Yr8iHy3qfZ525IM=",
    },
    Vector {
        name: "download_blob",
        account: "devstoreaccount1",
        method: "GET",
        uri: "http://127.0.0.1:10000/devstoreaccount1/backups/db/full%201%2B2.bak",
        headers: &[
            ("x-ms-range", "bytes=5-14"),
            ("x-ms-version", "2026-10-06"),
            ("accept", "application/xml"),
            ("x-ms-date", "Sat, 21 Nov 2026 05:19:52 GMT"),
            ("x-ms-client-request-id", "2e0d8bb8-e56b-11f1-b146-02fc00000001"),
        ],
        signature: "I/KZLY18E5F6prmkRwZyK+8gpIQN/pADNWSJfharr5U=",
    },
];

/// Made by hand after "Authorize with Shared Key": the text in the comment, signed with Python's
/// `base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest())`. X is DATE.
const BY_HAND: &[Vector] = &[
    // PUT\n\n\n0\n\n\n\n\n\n\n\n\nx-ms-date:X\nx-ms-version:2014-02-14\n/vault/c/b
    Vector {
        name: "before 2015-02-21 a length of 0 is signed, before 2016-05-31 an empty header is not",
        account: "vault",
        method: "PUT",
        uri: "/c/b",
        headers: &[
            ("content-length", "0"),
            ("x-ms-empty", ""),
            ("x-ms-date", DATE),
            ("x-ms-version", "2014-02-14"),
        ],
        signature: "NxP3HUREu3ZepekGq6V70rax8N2R0EUvz/jdvzusKpo=",
    },
    // PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:X\nx-ms-empty:\nx-ms-version:2016-05-31\n/vault/c/b
    Vector {
        name: "afterwards the other way round; Date is empty beside x-ms-date",
        account: "vault",
        method: "PUT",
        uri: "http://vault.example/c/b",
        headers: &[
            ("content-length", "0"),
            ("date", "Sat, 21 Nov 2026 05:19:53 GMT"),
            ("x-ms-empty", ""),
            ("x-ms-date", DATE),
            ("x-ms-version", "2016-05-31"),
        ],
        signature: "zIkQrmiSD/LYyeSloLezEQkzuXUXD0wI/xQvazsXz14=",
    },
    // GET\ngzip\nde\n7\n1B2M2Y8AsgTpgAmY7PhCfg==\ntext/plain\nX\nSat, 21 Nov 2026 05:00:00 GMT\n"0x1"\n"0x2"\n
    // Sat, 21 Nov 2026 05:00:00 GMT\nbytes=0-9\nx-ms-version:2021-12-02\n/vault/c/a%20b\nblockid:a b\ncomp:block\nx:1,2
    Vector {
        name: "every standard header; query names sorted, + a blank, values of one name joined",
        account: "vault",
        method: "GET",
        uri: "/c/a%20b?X=2&comp=block&x=1&blockid=a+b",
        headers: &[
            ("content-encoding", "gzip"),
            ("content-language", "de"),
            ("content-length", "7"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("content-type", "text/plain"),
            ("date", DATE),
            ("if-modified-since", "Sat, 21 Nov 2026 05:00:00 GMT"),
            ("if-match", "\"0x1\""),
            ("if-none-match", "\"0x2\""),
            ("if-unmodified-since", "Sat, 21 Nov 2026 05:00:00 GMT"),
            ("range", "bytes=0-9"),
            ("x-ms-version", "2021-12-02"),
        ],
        signature: "YX1Acr4wcWtI33cZpetRLcCeJ1Kasfdc9zKGsGm5PvU=",
    },
    // PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:X\nx-ms-meta-a-b:1\nx-ms-meta-a1:2\nx-ms-meta-a_b:3\n
    // x-ms-version:2021-12-02\n/vault/c/b
    Vector {
        name: "headers in byte order",
        account: "vault",
        method: "PUT",
        uri: "/c/b",
        headers: &[
            ("x-ms-meta-a_b", "3"),
            ("x-ms-meta-a1", "2"),
            ("x-ms-meta-a-b", "1"),
            ("x-ms-date", DATE),
            ("x-ms-version", "2021-12-02"),
        ],
        signature: "Zz6h+OE9R26Vw/TVIcb4RlPCI6GI8hctfZVlDdxqLIg=",
    },
];

/// SharedKeyLite, made by hand likewise after "Blob, Queue, and File services Shared Key Lite".
const LITE: &[Vector] = &[
    // PUT\n1B2M2Y8AsgTpgAmY7PhCfg==\ntext/plain\n\nx-ms-date:X\nx-ms-version:2021-12-02\n/vault/c/a%20b?comp=block
    Vector {
        name: "of the query comp alone, of the standard headers three",
        account: "vault",
        method: "PUT",
        uri: "/c/a%20b?blockid=QUE%3D&comp=block",
        headers: &[
            ("content-length", "7"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("content-type", "text/plain"),
            ("if-match", "\"0x1\""),
            ("x-ms-date", DATE),
            ("x-ms-version", "2021-12-02"),
        ],
        signature: "myQXah4bz5NTDPkE0JQfff6IFjyNhL/RIDVQc4uWJMw=",
    },
    // GET\n\n\nX\nx-ms-version:2021-12-02\n/devstoreaccount1/devstoreaccount1/c
    Vector {
        name: "Date without x-ms-date; a path-style address",
        account: "devstoreaccount1",
        method: "GET",
        uri: "/devstoreaccount1/c?restype=container",
        headers: &[("date", DATE), ("x-ms-version", "2021-12-02")],
        signature: "jZjSmEwNSg7Fi1vXkQqlc90G5Z3iSB9tzTxODptruV4=",
    },
];

fn now() -> UnixMillis {
    UnixMillis::parse_http_date(DATE).unwrap()
}

struct Signed {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    account: AccountName,
}

impl Signed {
    fn of(vector: &Vector) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in vector.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let authorization = format!("SharedKey {}:{}", vector.account, vector.signature);
        headers.insert("authorization", authorization.parse().unwrap());
        Self {
            method: vector.method.parse().unwrap(),
            uri: vector.uri.parse().unwrap(),
            headers,
            account: AccountName::new(vector.account).unwrap(),
        }
    }

    fn lite(vector: &Vector) -> Self {
        let mut signed = Self::of(vector);
        let authorization = format!("SharedKeyLite {}:{}", vector.account, vector.signature);
        signed
            .headers
            .insert("authorization", authorization.parse().unwrap());
        signed
    }

    fn verify(&self, keys: &[&str], now: UnixMillis) -> Result<(), ErrorCode> {
        let keys: Vec<Secret> = keys.iter().map(|k| Secret::from_base64(k).unwrap()).collect();
        let grant = shared_key::verify(&self.method, &self.uri, &self.headers, &self.account, &keys, now);
        grant.map(|grant| assert!(grant.is_owner())).map_err(|r| r.code)
    }
}

#[test]
fn signatures_made_elsewhere_hold_under_either_key() {
    for vector in SDK.iter().chain(BY_HAND) {
        let signed = Signed::of(vector);
        for keys in [&[KEY][..], &[KEY, OTHER_KEY], &[OTHER_KEY, KEY]] {
            assert_eq!(signed.verify(keys, now()), Ok(()), "{}", vector.name);
        }
    }
}

#[test]
fn our_signatures_are_those_of_the_sdk() {
    for vector in SDK {
        let mut signed = Signed::of(vector);
        let theirs = signed.headers.remove("authorization").unwrap();
        let key = Secret::from_base64(KEY).unwrap();
        shared_key::sign(
            &signed.method,
            &signed.uri,
            &mut signed.headers,
            &signed.account,
            &key,
        );
        assert_eq!(
            signed.headers.get("authorization"),
            Some(&theirs),
            "{}",
            vector.name
        );
    }
}

#[test]
fn anything_else_is_refused() {
    let failed = Err(ErrorCode::AuthenticationFailed);
    for vector in SDK.iter().chain(BY_HAND) {
        assert_eq!(
            Signed::of(vector).verify(&[OTHER_KEY], now()),
            failed,
            "{}: other key",
            vector.name
        );
        assert_eq!(
            Signed::of(vector).verify(&[], now()),
            failed,
            "{}: no key",
            vector.name
        );
        let mut changed = Signed::of(vector);
        changed
            .headers
            .insert("x-ms-meta-smuggled", HeaderValue::from_static("1"));
        assert_eq!(
            changed.verify(&[KEY], now()),
            failed,
            "{}: header added",
            vector.name
        );
        let mut changed = Signed::of(vector);
        changed.uri = format!(
            "{}{}smuggled=1",
            vector.uri,
            if vector.uri.contains('?') { '&' } else { '?' }
        )
        .parse()
        .unwrap();
        assert_eq!(
            changed.verify(&[KEY], now()),
            failed,
            "{}: query added",
            vector.name
        );
        let mut changed = Signed::of(vector);
        changed.account = AccountName::new("another").unwrap();
        assert_eq!(changed.verify(&[KEY], now()), failed, "{}: account", vector.name);
        let mut changed = Signed::of(vector);
        let authorization = format!("SharedKey another:{}", vector.signature);
        changed
            .headers
            .insert("authorization", authorization.parse().unwrap());
        assert_eq!(
            changed.verify(&[KEY], now()),
            failed,
            "{}: signed in another's name",
            vector.name
        );
    }
}

#[test]
fn shared_key_lite() {
    for vector in LITE {
        assert_eq!(
            Signed::lite(vector).verify(&[OTHER_KEY, KEY], now()),
            Ok(()),
            "{}",
            vector.name
        );
        let failed = Err(ErrorCode::AuthenticationFailed);
        assert_eq!(
            Signed::lite(vector).verify(&[OTHER_KEY], now()),
            failed,
            "{}",
            vector.name
        );
        assert_eq!(
            Signed::of(vector).verify(&[KEY], now()),
            failed,
            "{}: as SharedKey",
            vector.name
        );
        let mut changed = Signed::lite(vector);
        changed
            .headers
            .insert("x-ms-meta-smuggled", HeaderValue::from_static("1"));
        assert_eq!(
            changed.verify(&[KEY], now()),
            failed,
            "{}: header added",
            vector.name
        );
    }
    assert_eq!(
        Signed::lite(&SDK[0]).verify(&[KEY], now()),
        Err(ErrorCode::AuthenticationFailed)
    );
}

#[test]
fn the_clock_may_differ_by_fifteen_minutes() {
    let signed = Signed::of(&SDK[0]);
    let quarter = 15 * 60 * 1000;
    for (offset, want) in [
        (quarter, Ok(())),
        (-quarter, Ok(())),
        (quarter + 1, Err(ErrorCode::AuthenticationFailed)),
        (-quarter - 1, Err(ErrorCode::AuthenticationFailed)),
    ] {
        assert_eq!(
            signed.verify(&[KEY], UnixMillis(now().0 + offset)),
            want,
            "{offset} ms"
        );
    }
}

#[test]
fn malformed_and_missing_headers() {
    let mut signed = Signed::of(&SDK[0]);
    for (value, code) in [
        ("SharedKey", ErrorCode::InvalidAuthenticationInfo),
        ("Basic dTpw", ErrorCode::InvalidAuthenticationInfo),
        ("Bearer abc", ErrorCode::AuthenticationFailed),
        ("SharedKey devstoreaccount1", ErrorCode::InvalidAuthenticationInfo),
        (
            "SharedKey devstoreaccount1:*",
            ErrorCode::InvalidAuthenticationInfo,
        ),
        ("SharedKey ../..:AAAA", ErrorCode::InvalidAuthenticationInfo),
        ("SharedKey devstoreaccount1:AAAA", ErrorCode::AuthenticationFailed),
    ] {
        signed
            .headers
            .insert("authorization", HeaderValue::from_static(value));
        assert_eq!(signed.verify(&[KEY], now()), Err(code), "{value}");
    }
    signed.headers.remove("authorization");
    assert_eq!(
        signed.verify(&[KEY], now()),
        Err(ErrorCode::NoAuthenticationInformation)
    );
}
