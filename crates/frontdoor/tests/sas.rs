//! Shared access signatures and stored policies over a real socket: who gets in, who does not, and with what words.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use azblob::access_policy::PolicyId;
use azblob::batch::{Batch, BatchRequest};
use azblob::grant::ResourceTypes;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::{AccountSas, ServiceSas, SourceRange};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use http::Method;

use support::client::{ACCOUNT, Ask, Client, KEY, OTHER_ACCOUNT, OTHER_KEY};
use support::server::{SECOND_KEY, TestServer, path};

const LEASE: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn with_container() -> TestServer {
    let server = TestServer::start();
    server
        .client()
        .ask(&Ask::put("box?restype=container"))
        .expect(201);
    server
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMillis(i64::try_from(since.as_millis()).unwrap())
}

fn in_an_hour() -> UnixMillis {
    UnixMillis(now().0 + 3_600_000)
}

fn letters(text: &str) -> Permissions {
    Permissions::parse(text).unwrap()
}

fn token(permissions: &str) -> ServiceSas {
    ServiceSas::of_container(
        ContainerName::new("box").unwrap(),
        letters(permissions),
        in_an_hour(),
    )
}

fn of_blob(permissions: &str, blob: &str) -> ServiceSas {
    ServiceSas {
        blob: Some(BlobName::new(blob).unwrap()),
        ..token(permissions)
    }
}

fn signed(token: &ServiceSas) -> String {
    signed_by(token, KEY)
}

fn signed_by(token: &ServiceSas, key: &str) -> String {
    token.sign(
        &AccountName::new(ACCOUNT).unwrap(),
        &Secret::from_base64(key).unwrap(),
    )
}

fn of_account(types: &str, permissions: &str) -> String {
    let token = AccountSas {
        version: ApiVersion::CURRENT,
        types: ResourceTypes::from(types),
        permissions: letters(permissions),
        start: None,
        expiry: in_an_hour(),
        https_only: false,
        source: None,
    };
    token.sign(
        &AccountName::new(ACCOUNT).unwrap(),
        &Secret::from_base64(KEY).unwrap(),
    )
}

/// The request with the token in its query and no signature in its head.
fn bearing(mut ask: Ask, token: &str) -> Ask {
    ask.signed = false;
    let mark = if ask.target.contains('?') { '&' } else { '?' };
    ask.target = format!("{}{mark}{token}", ask.target);
    ask
}

fn put_blob(name: &str) -> Ask {
    Ask::put(format!("box/{name}"))
        .header("x-ms-blob-type", "BlockBlob")
        .body("data")
}

fn lease(name: &str, action: &str) -> Ask {
    Ask::put(format!("box/{name}?comp=lease"))
        .header("x-ms-lease-action", action)
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-lease-id", LEASE)
        .header("x-ms-proposed-lease-id", LEASE)
}

fn detail(client: &mut Client, ask: &Ask) -> String {
    let reply = client.ask(ask);
    assert_eq!(reply.error(), (403, "AuthenticationFailed"));
    let (_, rest) = reply.text().split_once("<AuthenticationErrorDetail>").unwrap();
    rest.split_once("</AuthenticationErrorDetail>")
        .unwrap()
        .0
        .to_owned()
}

/// BACKUP and RESTORE as SQL Server sends them: the token as its credential holds it, before or behind the parameters of
/// the request, no version and no date in the head, the account in the host's name or in the path.
#[test]
fn sql_servers_sequence_with_the_four_letters_it_needs() {
    let server = with_container();
    let mut client = server.client();
    let token = signed(&token("rwdl"));
    assert!(token.len() <= 256);
    let host_style = |method: Method, query: &str| {
        let mut ask = Ask::new(method, "");
        ask.signed = false;
        ask.target = match query {
            "" => format!("/box/db/full.bak?{token}"),
            query => format!("/box/db/full.bak?{token}&{query}"),
        };
        ask.header("host", "vault.backup.local").lease(Some(LEASE))
    };
    let put = |query: &str| host_style(Method::PUT, query);
    let mut empty = put("").header("x-ms-blob-type", "BlockBlob");
    empty.headers.retain(|(name, _)| name != "x-ms-lease-id");
    client.ask(&empty).expect(201);
    let acquire = put("comp=lease").header("x-ms-lease-action", "Acquire");
    let acquire = acquire
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    client.ask(&acquire).expect(201);
    client
        .ask(&put("comp=block&blockid=QUFBQQ%3D%3D").body("block"))
        .expect(201);
    let list = "<BlockList><Latest>QUFBQQ==</Latest></BlockList>";
    client.ask(&put("comp=blocklist").body(list)).expect(201);
    client
        .ask(&put("comp=lease").header("x-ms-lease-action", "Release"))
        .expect(200);
    let mut read = bearing(Ask::get("box/db/full.bak"), &token).header("x-ms-range", "bytes=1-3");
    assert_eq!(client.ask(&read).expect(206).body, b"loc");
    read.method = Method::HEAD;
    assert_eq!(client.ask(&read).expect(200).header("content-length"), "5");
    let list = client
        .ask(&bearing(Ask::get("box?restype=container&comp=list"), &token))
        .expect(200);
    assert!(list.text().contains("<Name>db/full.bak</Name>"));
    client
        .ask(&bearing(Ask::delete("box/db/full.bak"), &token))
        .expect(202);
}

/// Every operation with every single letter: exactly those of Microsoft's tables get through.
#[test]
fn each_operation_needs_its_letter() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    let range = |ask: Ask| ask.header("x-ms-lease-id", LEASE);
    let cases: Vec<(&str, Ask)> = vec![
        ("l", Ask::get("box?restype=container&comp=list")),
        ("r", Ask::get("box/b")),
        ("r", Ask::head("box/b")),
        ("r", Ask::get("box/b?comp=metadata")),
        ("r", Ask::get("box/b?comp=blocklist")),
        ("w", Ask::put("box/b?comp=metadata")),
        ("w", Ask::put("box/b?comp=properties")),
        ("w", Ask::put("box/new?comp=block&blockid=QUE%3D").body("x")),
        ("w", Ask::put("box/new?comp=blocklist").body("<BlockList/>")),
        ("w", lease("b", "acquire")),
        ("w", lease("b", "renew")),
        ("w", lease("b", "change")),
        ("w", lease("b", "release")),
        ("wd", lease("b", "break").header("x-ms-lease-break-period", "0")),
        ("d", range(Ask::delete("box/missing"))),
        // Container operations that no service signature can allow.
        ("", Ask::put("box?restype=container")),
        ("", Ask::delete("box?restype=container")),
        ("", Ask::get("box?restype=container")),
        ("", Ask::get("box?restype=container&comp=metadata")),
        ("", Ask::put("box?restype=container&comp=metadata")),
        ("", Ask::get("box?restype=container&comp=acl")),
        ("", Ask::put("box?restype=container&comp=acl")),
        ("", lease("", "acquire")),
    ];
    for (needed, mut ask) in cases {
        ask.target = ask
            .target
            .replace("box/?comp=lease", "box?restype=container&comp=lease");
        for letter in ["r", "a", "c", "w", "d", "x", "y", "l", "t", "f", "i"] {
            let reply = client.ask(&bearing(ask.clone(), &signed(&token(letter))));
            let (method, target) = (&ask.method, &ask.target);
            match (needed.contains(letter), needed) {
                (true, _) => assert_ne!(reply.status, 403, "{method} {target} with {letter}"),
                (false, "") => assert_eq!(reply.error(), (403, "AuthorizationFailure"), "{method} {target}"),
                (false, _) => {
                    let want = (403, "AuthorizationPermissionMismatch");
                    assert_eq!(reply.error(), want, "{method} {target} with {letter}");
                }
            }
        }
    }
}

/// Of every kind; the store judges it at the moment of the change.
#[test]
fn create_makes_a_blob_and_never_overwrites_one() {
    let server = with_container();
    let mut client = server.client();
    let page = Ask::put("box/page").header("x-ms-blob-type", "PageBlob");
    let page = page.header("x-ms-blob-content-length", "512");
    let append = Ask::put("box/append").header("x-ms-blob-type", "AppendBlob");
    for put in [put_blob("block"), page, append] {
        let mut with = |letters: &str| {
            let reply = client.ask(&bearing(put.clone(), &signed(&token(letters))));
            (reply.status, reply.header("x-ms-error-code").to_owned())
        };
        let fine = (201, String::new());
        let refused = (403, "UnauthorizedBlobOverwrite".to_owned());
        assert_eq!(with("c"), fine, "{}", put.target);
        assert_eq!(with("c"), refused, "{}", put.target);
        assert_eq!(with("cd"), refused, "{}", put.target);
        assert_eq!(with("cw"), fine, "{}", put.target);
        assert_eq!(with("w"), fine, "{}", put.target);
    }
}

#[test]
fn a_token_for_one_thing_is_none_for_another() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&Ask::put("other?restype=container")).expect(201);
    client.ask(&put_blob("a")).expect(201);
    client.ask(&put_blob("b")).expect(201);
    let blob = signed(&of_blob("rwdl", "a"));
    client.ask(&bearing(Ask::get("box/a"), &blob)).expect(200);
    for elsewhere in ["box/b", "other/a", "box?restype=container&comp=list", "box/a/b"] {
        let told = detail(&mut client, &bearing(Ask::get(elsewhere), &blob));
        assert!(
            told.starts_with("Signature did not match. String to sign used was rwdl\n"),
            "{told}"
        );
        assert!(!told.contains(blob.rsplit_once("sig=").unwrap().1), "{told}");
    }
    let container = signed(&token("rwdl"));
    client.ask(&bearing(Ask::get("box/b"), &container)).expect(200);
    assert_eq!(
        client.ask(&bearing(Ask::get("other/a"), &container)).error(),
        (403, "AuthenticationFailed")
    );
    let mut theirs = bearing(Ask::get("box/b"), &container);
    theirs.target = theirs.target.replace("/vault/", "/stranger/");
    assert_eq!(client.ask(&theirs).error(), (403, "AuthenticationFailed"));
    assert_eq!(
        client
            .ask(&bearing(Ask::get("box/b"), &signed_by(&token("r"), OTHER_KEY)))
            .error(),
        (403, "AuthenticationFailed")
    );
    client
        .ask(&bearing(Ask::get("box/b"), &signed_by(&token("r"), SECOND_KEY)))
        .expect(200);
}

#[test]
fn account_signatures_name_services_kinds_and_letters() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    let mut ask = |ask: Ask, token: &str| {
        let reply = client.ask(&bearing(ask, token));
        (reply.status, reply.header("x-ms-error-code").to_owned())
    };
    let fine = |status: u16| (status, String::new());
    let refused = |code: &str| (403, code.to_owned());
    assert_eq!(ask(Ask::get("?comp=list"), &of_account("s", "l")), fine(200));
    assert_eq!(
        ask(Ask::get("box?restype=container&comp=list"), &of_account("c", "l")),
        fine(200)
    );
    assert_eq!(
        ask(Ask::get("box?restype=container"), &of_account("c", "r")),
        fine(200)
    );
    assert_eq!(
        ask(Ask::put("mine?restype=container"), &of_account("c", "c")),
        fine(201)
    );
    assert_eq!(
        ask(Ask::delete("mine?restype=container"), &of_account("c", "d")),
        fine(202)
    );
    assert_eq!(ask(Ask::get("box/b"), &of_account("o", "r")), fine(200));
    let kind = refused("AuthorizationResourceTypeMismatch");
    assert_eq!(ask(Ask::get("?comp=list"), &of_account("co", "rwdlac")), kind);
    assert_eq!(
        ask(Ask::get("box?restype=container"), &of_account("so", "rwdlac")),
        kind
    );
    assert_eq!(ask(Ask::get("box/b"), &of_account("sc", "rwdlac")), kind);
    let letter = refused("AuthorizationPermissionMismatch");
    assert_eq!(ask(Ask::get("box/b"), &of_account("sco", "wdlac")), letter);
    assert_eq!(
        ask(
            Ask::get("box?restype=container&comp=acl"),
            &of_account("sco", "rwdlactf")
        ),
        letter
    );
    // devstoreaccount1's file service, made with Python's hmac; see the vectors of azblob.
    let elsewhere = of_account("sco", "r").replace("ss=b", "ss=f");
    assert_eq!(
        ask(Ask::get("box/b"), &elsewhere),
        refused("AuthenticationFailed")
    );
}

#[test]
fn over_plain_http_and_from_elsewhere() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    let https = ServiceSas {
        https_only: true,
        ..token("r")
    };
    let code = client.ask(&bearing(Ask::get("box/b"), &signed(&https)));
    assert_eq!(code.error(), (403, "AuthorizationProtocolMismatch"));
    for (range, status) in [
        ("127.0.0.1", 200),
        ("127.0.0.0-127.0.0.9", 200),
        ("10.0.0.1", 403),
    ] {
        let from = ServiceSas {
            source: SourceRange::parse(range),
            ..token("r")
        };
        let reply = client.ask(&bearing(Ask::get("box/b"), &signed(&from)));
        assert_eq!(reply.status, status, "{range}");
        if status == 403 {
            assert_eq!(reply.header("x-ms-error-code"), "AuthorizationSourceIPMismatch");
            assert!(
                reply.text().contains("<SourceIP>127.0.0.1</SourceIP>"),
                "{}",
                reply.text()
            );
        }
    }
}

#[test]
fn too_early_too_late_and_malformed() {
    let server = with_container();
    let mut client = server.client();
    let late = ServiceSas {
        expiry: Some(UnixMillis(now().0 - 2000)),
        ..token("r")
    };
    let told = detail(&mut client, &bearing(Ask::get("box/b"), &signed(&late)));
    assert!(told.starts_with("Signed expiry time ["), "{told}");
    let early = ServiceSas {
        start: Some(UnixMillis(now().0 + 60_000)),
        ..token("r")
    };
    let told = detail(&mut client, &bearing(Ask::get("box/b"), &signed(&early)));
    assert!(
        told.starts_with("Signature not valid in the specified time frame: Start ["),
        "{told}"
    );
    let twice = format!("{}&sp=rwdl", signed(&token("r")));
    let told = detail(&mut client, &bearing(Ask::get("box/b"), &twice));
    assert_eq!(told, "sp is given more than once.");
    let delegated = "sv=2021-12-02&sr=c&sp=r&se=2099-01-01&skoid=a&sktid=b&sig=AAAA";
    let told = detail(&mut client, &bearing(Ask::get("box/b"), delegated));
    assert!(told.contains("account key"), "{told}");
    let mut bearer = Ask::get("box/b").header("authorization", "Bearer abc");
    bearer.signed = false;
    assert!(detail(&mut client, &bearer).contains("Bearer tokens"));
    // What SQL Server sends where the secret of its credential is no token.
    let no_token = client.ask(&bearing(Ask::get("box/b"), "does_not_matter"));
    assert_eq!(no_token.error(), (401, "NoAuthenticationInformation"));
    assert!(no_token.header("www-authenticate").contains("SharedKey"));
}

#[test]
fn a_token_sets_headers_of_reads_only() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    // The string to sign by hand, signed with Python's hmac under this test's key:
    // rw\n\n2099-01-01\n/blob/vault/box\n\n\n\n2021-12-02\nc\n\n\nno-store\nattachment; filename="x.bak"\ngzip\nde\ntext/x-mine
    let token = "sv=2021-12-02&sr=c&sp=rw&se=2099-01-01&rscc=no-store&rscd=attachment%3B%20filename%3D%22x.bak%22&rsce=gzip\
                 &rscl=de&rsct=text/x-mine&sig=ou9pra5Jcq%2B0RWAJ22PfcweabtQOgi%2Fu7UiyHviTdmg%3D";
    for mut ask in [Ask::get("box/b"), Ask::head("box/b")] {
        ask = bearing(ask, token);
        let reply = client.ask(&ask).expect(200);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-disposition", "attachment; filename=\"x.bak\""),
            ("content-encoding", "gzip"),
            ("content-language", "de"),
            ("content-type", "text/x-mine"),
        ] {
            assert_eq!(reply.header(name), value, "{}", ask.method);
        }
    }
    let changed = client
        .ask(&bearing(Ask::put("box/b?comp=metadata"), token))
        .expect(200);
    assert_eq!(changed.header("content-disposition"), "");
}

fn acl(policies: &str) -> Ask {
    Ask::put("box?restype=container&comp=acl")
        .body(format!("<SignedIdentifiers>{policies}</SignedIdentifiers>"))
}

fn policy(id: &str, permission: &str) -> String {
    format!(
        "<SignedIdentifier><Id>{id}</Id><AccessPolicy><Expiry>2099-01-01</Expiry><Permission>{permission}</Permission>\
         </AccessPolicy></SignedIdentifier>"
    )
}

#[test]
fn stored_policies_are_kept_changed_and_revoked_at_once() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    let by_policy = signed(&ServiceSas {
        permissions: None,
        expiry: None,
        policy: Some(PolicyId::new("backup").unwrap()),
        ..token("r")
    });
    let read = bearing(Ask::get("box/b"), &by_policy);
    let write = bearing(put_blob("b"), &by_policy);
    assert_eq!(
        detail(&mut client, &read),
        "The signed identifier 'backup' does not exist."
    );
    let before = client.ask(&Ask::head("box?restype=container")).expect(200);
    let set = client.ask(&acl(&policy("backup", "r"))).expect(200);
    assert_ne!(set.header("etag"), before.header("etag"));
    client.ask(&read).expect(200);
    assert_eq!(
        client.ask(&write).error(),
        (403, "AuthorizationPermissionMismatch")
    );
    client
        .ask(&acl(&(policy("other", "r") + &policy("backup", "rw"))))
        .expect(200);
    client.ask(&write).expect(201);

    drop(client);
    let server = server.restart();
    let mut client = server.client();
    client.ask(&write).expect(201);
    let got = client
        .ask(&Ask::get("box?restype=container&comp=acl"))
        .expect(200);
    assert_eq!(
        got.text().split_once("?>").unwrap().1,
        "<SignedIdentifiers><SignedIdentifier><Id>other</Id><AccessPolicy><Expiry>2099-01-01T00:00:00.0000000Z</Expiry>\
         <Permission>r</Permission></AccessPolicy></SignedIdentifier><SignedIdentifier><Id>backup</Id><AccessPolicy>\
         <Expiry>2099-01-01T00:00:00.0000000Z</Expiry><Permission>rw</Permission></AccessPolicy></SignedIdentifier>\
         </SignedIdentifiers>"
    );
    assert_eq!(got.header("x-ms-blob-public-access"), "");
    client
        .ask(&Ask::put("box?restype=container&comp=acl"))
        .expect(200);
    assert_eq!(
        client.ask(&read).error(),
        (403, "AuthenticationFailed"),
        "revoked"
    );
}

#[test]
fn what_a_container_acl_may_not_say() {
    let server = with_container();
    let mut client = server.client();
    let six: String = (0..6).map(|n| policy(&n.to_string(), "r")).collect();
    assert_eq!(client.ask(&acl(&six)).error(), (400, "InvalidXmlDocument"));
    assert_eq!(
        client.ask(&acl(&policy("a", "q"))).error(),
        (400, "InvalidXmlNodeValue")
    );
    let public = |ask: Ask| ask.header("x-ms-blob-public-access", "container");
    assert_eq!(
        client.ask(&public(acl(""))).error(),
        (409, "PublicAccessNotPermitted")
    );
    let open = public(Ask::put("open?restype=container"));
    assert_eq!(client.ask(&open).error(), (409, "PublicAccessNotPermitted"));
    let leased = acl("").header("x-ms-lease-id", LEASE);
    assert_eq!(
        client.ask(&leased).error(),
        (412, "LeaseNotPresentWithContainerOperation")
    );
    let past = acl("").header("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(client.ask(&past).error(), (412, "ConditionNotMet"));
    let missing = Ask::put("gone?restype=container&comp=acl");
    assert_eq!(client.ask(&missing).error(), (404, "ContainerNotFound"));
}

#[test]
fn keys_are_rotated_while_the_server_serves() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b")).expect(201);
    let account = |key: &str| frontdoor::Account {
        name: AccountName::new(ACCOUNT).unwrap(),
        keys: vec![Secret::from_base64(key).unwrap()],
    };
    let (by_first, by_second) = (signed_by(&token("r"), KEY), signed_by(&token("r"), SECOND_KEY));
    server.accounts().replace(vec![account(SECOND_KEY)]);
    assert_eq!(
        client.ask(&bearing(Ask::get("box/b"), &by_first)).error(),
        (403, "AuthenticationFailed")
    );
    assert_eq!(
        client.ask(&Ask::get("box/b")).error(),
        (403, "AuthenticationFailed")
    );
    client.ask(&bearing(Ask::get("box/b"), &by_second)).expect(200);
    client.ask(&Ask::get("box/b").by(ACCOUNT, SECOND_KEY)).expect(200);
    let mut stranger = Ask::get("?comp=list").by(OTHER_ACCOUNT, OTHER_KEY);
    stranger.target = format!("/{OTHER_ACCOUNT}?comp=list");
    assert_ne!(client.ask(&stranger).status, 200, "the account is gone");
}

/// The URL of a copy's source has a signature of its own, which is judged like any other and shown to nobody.
#[test]
fn the_source_of_a_copy_needs_its_own_signature() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("from")).expect(201);
    client.ask(&Ask::put("other?restype=container")).expect(201);
    let write = signed(&token("rw"));
    let copy = |source: &str, by_token: bool| {
        let ask = Ask::put("box/to").header(
            "x-ms-copy-source",
            format!("http://localhost/vault/box/from{source}"),
        );
        if by_token { bearing(ask, &write) } else { ask }
    };
    let with = |token: &ServiceSas| format!("?{}", signed(token));
    client.ask(&copy("", false)).expect(202);
    client.ask(&copy(&with(&token("r")), true)).expect(202);
    client.ask(&copy(&with(&of_blob("r", "from")), true)).expect(202);
    let late = ServiceSas {
        expiry: Some(UnixMillis(now().0 - 2000)),
        ..token("r")
    };
    for source in [
        String::new(),
        with(&token("w")),
        with(&of_blob("r", "other")),
        with(&late),
        format!("?{}", signed_by(&token("r"), OTHER_KEY)),
    ] {
        let refused = client.ask(&copy(&source, true));
        assert_eq!(refused.error(), (403, "CannotVerifyCopySource"), "{source}");
        assert!(!refused.text().contains("sig="), "{}", refused.text());
    }
    // Who may read the content of the source may not for that read its tags, by way of the copy.
    let tagging = signed(&token("rwt"));
    let with_tags = |source: &str| {
        let ask = Ask::put("box/to")
            .header(
                "x-ms-copy-source",
                format!("http://localhost/vault/box/from{source}"),
            )
            .header("x-ms-copy-source-tag-option", "COPY");
        bearing(ask, &tagging)
    };
    let refused = client.ask(&with_tags(&with(&token("r"))));
    assert_eq!(refused.error(), (403, "CannotVerifyCopySource"));
    client.ask(&with_tags(&with(&token("rt")))).expect(202);
    let head = client.ask(&Ask::head("box/to")).expect(200);
    let shown = head.header("x-ms-copy-source");
    assert!(
        shown.ends_with("/vault/box/from") && !shown.contains("sig="),
        "{shown}"
    );
    // Another account's blob: the key of this one is no signature there.
    let stranger = Ask::put("box/to").header("x-ms-copy-source", "http://localhost/stranger/box/from");
    assert_eq!(client.ask(&stranger).error(), (403, "CannotVerifyCopySource"));
}

/// Whoever may send a batch may not for that do what is in it: each request in it needs a token of its own.
#[test]
fn requests_of_a_batch_bring_their_own_tokens() {
    let server = with_container();
    let mut client = server.client();
    for name in ["a", "b", "sealed"] {
        let put = Ask::put(format!("box/{name}")).header("x-ms-blob-type", "BlockBlob");
        client.ask(&put.body("data")).expect(201);
    }
    server.store().seal(&path("box", "sealed"), true).unwrap();
    let every = signed(&token("racwdl"));
    let requests = [
        "a".to_owned(),
        format!("a?{}", signed(&token("rwl"))),
        format!("a?{}", signed(&of_blob("d", "b"))),
        format!("a?{}", signed_by(&token("d"), OTHER_KEY)),
        format!("sealed?{every}"),
        format!("b?{}", signed(&of_blob("d", "b"))),
    ];
    let batch = Batch {
        requests: requests
            .iter()
            .map(|target| BatchRequest {
                content_id: None,
                method: Method::DELETE,
                uri: format!("/{ACCOUNT}/box/{target}").parse().unwrap(),
                headers: http::HeaderMap::new(),
            })
            .collect(),
    };
    let ask = Ask::new(Method::POST, "box?restype=container&comp=batch")
        .header("content-type", "multipart/mixed; boundary=b")
        .body(batch.render("b"));
    let reply = client.ask(&bearing(ask, &every)).expect(202);
    let lines = reply
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    let statuses: Vec<&str> = lines.map(|line| &line[..3]).collect();
    assert_eq!(statuses, ["401", "403", "403", "403", "409", "202"]);
    assert!(!reply.text().contains("sig="), "{}", reply.text());
    for (name, status) in [("a", 200), ("b", 404), ("sealed", 200)] {
        assert_eq!(
            client.ask(&Ask::head(format!("box/{name}"))).status,
            status,
            "{name}"
        );
    }
}
