//! Batches: Microsoft's own example is read, what is built is read back, what is no batch is refused.
#![allow(clippy::unwrap_used)] // A case that does not parse shall fail loudly.

use azblob::batch::{Batch, BatchAnswer, BatchRequest, boundary, content_type, render_answers};
use http::{HeaderMap, Method};
use proptest::prelude::{any, proptest};

/// "Blob Batch", sample request, with its second part cut.
const SAMPLE: &str = "--batch_357de4f7-6d0b-4e02-8cd2-6361411a9525\r\n\
Content-Type: application/http\r\n\
Content-Transfer-Encoding: binary\r\n\
Content-ID: 0\r\n\
\r\n\
DELETE /container0/blob0 HTTP/1.1\r\n\
x-ms-date: Thu, 14 Jun 2018 16:46:54 GMT\r\n\
Authorization: SharedKey account:G4jjBXA7LI/RnWKIOQ8i9xH4p76pAQ+4Fs4R1VxasaE=\r\n\
Content-Length: 0\r\n\
\r\n\
--batch_357de4f7-6d0b-4e02-8cd2-6361411a9525\r\n\
Content-Type: application/http\r\n\
Content-ID: 1\r\n\
\r\n\
DELETE /container1/blob1?snapshot=a%2Bb HTTP/1.1\r\n\
x-ms-delete-snapshots: only\r\n\
\r\n\
--batch_357de4f7-6d0b-4e02-8cd2-6361411a9525--\r\n";
const MARK: &str = "batch_357de4f7-6d0b-4e02-8cd2-6361411a9525";

#[test]
fn the_boundary_of_a_content_type() {
    let read = |text: &str| boundary(text);
    assert_eq!(
        read("multipart/mixed; boundary=batch_1").as_deref(),
        Some("batch_1")
    );
    assert_eq!(
        read("Multipart/Mixed;charset=x; Boundary=\"a b\"").as_deref(),
        Some("a b")
    );
    assert_eq!(read(&content_type("x")).as_deref(), Some("x"));
    let long = format!("multipart/mixed; boundary={}", "x".repeat(71));
    for none in [
        "",
        "multipart/mixed",
        "multipart/form-data; boundary=x",
        "multipart/mixed; boundary=",
        &long,
    ] {
        assert_eq!(read(none), None, "{none}");
    }
}

#[test]
fn the_example_of_the_reference() {
    let batch = Batch::parse(SAMPLE.as_bytes(), MARK).unwrap();
    let [first, second] = &batch.requests[..] else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (
            first.content_id.as_deref(),
            first.method.clone(),
            first.uri.path()
        ),
        (Some("0"), Method::DELETE, "/container0/blob0")
    );
    assert_eq!(first.headers["x-ms-date"], "Thu, 14 Jun 2018 16:46:54 GMT");
    assert_eq!(
        first.headers.len(),
        3,
        "the headers of the part are not the request's"
    );
    assert_eq!(second.uri.query(), Some("snapshot=a%2Bb"));
    assert_eq!(second.headers["x-ms-delete-snapshots"], "only");
    // Bare line feeds do as well.
    assert_eq!(
        Batch::parse(SAMPLE.replace('\r', "").as_bytes(), MARK).unwrap(),
        batch
    );
    assert_eq!(Batch::parse(&batch.render("other"), "other").unwrap(), batch);
}

#[test]
fn what_is_no_batch_is_refused() {
    let code = |body: &str| Batch::parse(body.as_bytes(), "b").unwrap_err().code.as_str();
    for bad in [
        "",
        "--b--",
        "--b\r\n\r\nDELETE /c/b HTTP/1.1\r\n\r\n",
        "--b\r\n\r\n--b--",
        "--b\r\n\r\nDELETE /c/b\r\n\r\n--b--",
        "--b\r\n\r\nDELETE c b HTTP/1.1\r\n\r\n--b--",
        "--b\r\n\r\nDELETE /c/b HTTP/1.1\r\nno header\r\n\r\n--b--",
    ] {
        assert_eq!(code(bad), "InvalidInput", "{bad:?}");
    }
    assert!(Batch::parse(b"--b\r\n\xff", "b").is_err());
    let request = BatchRequest {
        content_id: None,
        method: Method::DELETE,
        uri: "/c/b".parse().unwrap(),
        headers: HeaderMap::new(),
    };
    let many = |n| {
        Batch {
            requests: vec![request.clone(); n],
        }
        .render("b")
    };
    assert_eq!(Batch::parse(&many(256), "b").unwrap().requests.len(), 256);
    assert_eq!(
        Batch::parse(&many(257), "b").unwrap_err().code.as_str(),
        "ExceedsMaxBatchRequestCount"
    );
    let crowded: String = (0..1000).map(|n| format!("x-{n}: 1\r\n")).collect();
    assert_eq!(
        code(&format!("--b\r\n\r\nDELETE /c/b HTTP/1.1\r\n{crowded}\r\n--b--")),
        "InvalidInput"
    );
}

#[test]
fn answers_stand_as_in_the_reference() {
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-request-id", "1".parse().unwrap());
    let answers = [
        BatchAnswer {
            content_id: Some("0".to_owned()),
            status: 202,
            reason: "Accepted".to_owned(),
            headers,
            body: Vec::new(),
        },
        BatchAnswer {
            content_id: None,
            status: 404,
            reason: "The specified blob does not exist.".to_owned(),
            headers: HeaderMap::new(),
            body: b"<Error/>".to_vec(),
        },
    ];
    let text = String::from_utf8(render_answers(&answers, "batchresponse_1")).unwrap();
    let want = "--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\n\
        HTTP/1.1 202 Accepted\r\nx-ms-request-id: 1\r\n\r\n\r\n\
        --batchresponse_1\r\nContent-Type: application/http\r\n\r\n\
        HTTP/1.1 404 The specified blob does not exist.\r\ncontent-length: 8\r\n\r\n<Error/>\r\n\
        --batchresponse_1--\r\n";
    assert_eq!(text, want);
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200), text in "(--b(--)?\r\n|DELETE /c HTTP/1.1\r\n|x: y\r\n|\r\n){0,12}") {
        let _ = Batch::parse(&body, "b");
        let _ = Batch::parse(text.as_bytes(), "b");
    }
}
