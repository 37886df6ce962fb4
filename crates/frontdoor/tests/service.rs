//! The account as a whole, over a real socket: service properties, browsers, versions, what kind it is.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::Method;

use support::client::{Ask, Client, Reply};
use support::server::TestServer;

const PROPERTIES: &str = "?restype=service&comp=properties";
const RULE: &str = "<Cors><CorsRule><AllowedOrigins>https://vault.example,https://b.example</AllowedOrigins>\
    <AllowedMethods>GET,PUT</AllowedMethods><MaxAgeInSeconds>500</MaxAgeInSeconds>\
    <ExposedHeaders>x-ms-meta-*,etag</ExposedHeaders><AllowedHeaders>x-ms-*,content-type</AllowedHeaders>\
    </CorsRule></Cors>";

fn set(client: &mut Client, sections: &str) -> Reply {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><StorageServiceProperties>{sections}</StorageServiceProperties>"
    );
    client.ask(&Ask::put(PROPERTIES).body(xml))
}

/// As a browser asks: unsigned.
fn preflight(origin: &str, method: &str, headers: &str) -> Ask {
    let mut ask = Ask::new(Method::OPTIONS, "box/b")
        .header("origin", origin)
        .header("access-control-request-method", method);
    if !headers.is_empty() {
        ask = ask.header("access-control-request-headers", headers);
    }
    ask.signed = false;
    ask
}

#[test]
fn what_is_set_is_told_and_outlives_a_restart() {
    let server = TestServer::start();
    let mut client = server.client();
    let fresh = client.ask(&Ask::get(PROPERTIES)).expect(200);
    for part in [
        "<Cors></Cors>",
        "<DeleteRetentionPolicy><Enabled>false</Enabled>",
        "<Logging><Version>1.0</Version>",
    ] {
        assert!(fresh.text().contains(part), "{part}: {}", fresh.text());
    }
    set(&mut client, RULE).expect(202);
    set(
        &mut client,
        "<DefaultServiceVersion>2015-04-05</DefaultServiceVersion>",
    )
    .expect(202);
    let server = server.restart();
    let text = server.client().ask(&Ask::get(PROPERTIES)).expect(200);
    assert!(
        text.text()
            .contains("<AllowedOrigins>https://vault.example,https://b.example</AllowedOrigins>")
    );
    assert!(
        text.text()
            .contains("<DefaultServiceVersion>2015-04-05</DefaultServiceVersion>")
    );
    // An empty list takes the rules away; the version stays, because it is not named.
    let mut client = server.client();
    set(&mut client, "<Cors />").expect(202);
    let text = client.ask(&Ask::get(PROPERTIES)).expect(200);
    assert!(text.text().contains("<Cors></Cors>") && text.text().contains("2015-04-05"));
}

#[test]
fn what_cannot_be_kept_is_not_promised() {
    let server = TestServer::start();
    let mut client = server.client();
    let off = "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>";
    let quiet = format!(
        "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write>{off}</Logging>\
         <HourMetrics><Version>1.0</Version><Enabled>false</Enabled>{off}</HourMetrics>\
         <DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>\
         <StaticWebsite><Enabled>false</Enabled></StaticWebsite>"
    );
    set(&mut client, &quiet).expect(202);
    for on in [
        "<Logging><Version>1.0</Version><Read>true</Read></Logging>",
        "<MinuteMetrics><Enabled>true</Enabled></MinuteMetrics>",
        "<DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy>",
        "<StaticWebsite><Enabled>true</Enabled><IndexDocument>index.html</IndexDocument></StaticWebsite>",
        "<Surprise/>",
    ] {
        assert_eq!(set(&mut client, on).error(), (400, "UnsupportedXmlNode"), "{on}");
    }
    let with = |from: &str, to: &str| RULE.replace(from, to);
    for (bad, code) in [
        (with("GET,PUT", "GET,STEAL"), "InvalidXmlNodeValue"),
        (with("500", "-1"), "InvalidXmlNodeValue"),
        (
            with("<MaxAgeInSeconds>500</MaxAgeInSeconds>", ""),
            "MissingRequiredXmlNode",
        ),
        ("<Cors>".to_owned(), "InvalidXmlDocument"),
        (
            "<DefaultServiceVersion>2011-08-18</DefaultServiceVersion>".to_owned(),
            "InvalidXmlNodeValue",
        ),
    ] {
        assert_eq!(set(&mut client, &bad).error(), (400, code), "{bad}");
    }
    let rule = RULE.trim_start_matches("<Cors>").trim_end_matches("</Cors>");
    assert_eq!(
        set(&mut client, &format!("<Cors>{}</Cors>", rule.repeat(6))).error(),
        (400, "InvalidXmlNodeValue")
    );
    set(&mut client, &format!("<Cors>{}</Cors>", rule.repeat(5))).expect(202);
    let long = Ask::put(PROPERTIES).announce(1 << 20);
    let mut client = server.client();
    client.write(&long).unwrap();
    client.stop_sending();
    assert_eq!(client.read(false).unwrap().error(), (413, "RequestBodyTooLarge"));
}

#[test]
fn browsers_ask_first_and_rules_answer() {
    let server = TestServer::start();
    let mut client = server.client();
    let origin = "https://vault.example";
    assert_eq!(
        client.ask(&preflight(origin, "GET", "")).error(),
        (403, "CorsPreflightFailure")
    );
    set(&mut client, RULE).expect(202);
    let allowed = client
        .ask(&preflight(origin, "PUT", "x-ms-date, Content-Type"))
        .expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), origin);
    assert_eq!(allowed.header("access-control-allow-methods"), "PUT");
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        "x-ms-date, Content-Type"
    );
    assert_eq!(allowed.header("access-control-max-age"), "500");
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert!(allowed.body.is_empty());
    for refused in [
        preflight("https://vault.example.evil", "GET", ""),
        preflight("https://VAULT.example", "GET", ""),
        preflight(origin, "DELETE", ""),
        preflight(origin, "GET", "authorization"),
    ] {
        assert_eq!(
            client.ask(&refused).error(),
            (403, "CorsPreflightFailure"),
            "{refused:?}"
        );
    }
    let mut half = Ask::new(Method::OPTIONS, "box/b").header("origin", origin);
    half.signed = false;
    assert_eq!(client.ask(&half).error(), (400, "MissingRequiredHeader"));
}

#[test]
fn scripts_see_what_the_rules_expose() {
    let server = TestServer::start();
    let mut client = server.client();
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let blob = Ask::put("box/b")
        .header("x-ms-blob-type", "BlockBlob")
        .header("x-ms-meta-owner", "dba");
    client.ask(&blob.body("data")).expect(201);
    set(&mut client, RULE).expect(202);
    let got = client
        .ask(&Ask::get("box/b").header("origin", "https://b.example"))
        .expect(200);
    assert_eq!(got.header("access-control-allow-origin"), "https://b.example");
    assert_eq!(got.header("vary"), "Origin");
    let exposed: Vec<&str> = got.header("access-control-expose-headers").split(',').collect();
    assert!(
        exposed.contains(&"etag") && exposed.contains(&"x-ms-meta-owner") && exposed.len() == 2,
        "{exposed:?}"
    );
    let other = client
        .ask(&Ask::get("box/b").header("origin", "https://c.example"))
        .expect(200);
    assert_eq!(
        (other.header("access-control-allow-origin"), other.header("vary")),
        ("", "Origin")
    );
    let none = client.ask(&Ask::get("box/b")).expect(200);
    assert_eq!(
        (none.header("access-control-allow-origin"), none.header("vary")),
        ("", "")
    );
    // A refusal is shown too, or a script could not tell why it failed.
    let missing = client.ask(&Ask::get("box/nothing").header("origin", "https://b.example"));
    assert_eq!(
        (missing.status, missing.header("access-control-allow-origin")),
        (404, "https://b.example")
    );
    set(
        &mut client,
        &RULE.replace("https://vault.example,https://b.example", "*"),
    )
    .expect(202);
    let any = client
        .ask(&Ask::get("box/b").header("origin", "https://c.example"))
        .expect(200);
    assert_eq!(
        (
            any.header("access-control-allow-origin"),
            any.header("access-control-allow-credentials")
        ),
        ("*", "")
    );
}

#[test]
fn versions_are_echoed_defaulted_and_refused() {
    let server = TestServer::start();
    let mut client = server.client();
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let container = Ask::get("box?restype=container");
    for version in ["2012-02-12", "2014-02-14", "2021-12-02", "2031-01-06"] {
        let reply = client
            .ask(&container.clone().header("x-ms-version", version))
            .expect(200);
        assert_eq!(reply.header("x-ms-version"), version);
    }
    for version in ["2012-02-11", "2009-09-19", "2011-08-18", "soon", "2021-13-01"] {
        let reply = client.ask(&container.clone().header("x-ms-version", version));
        assert_eq!(reply.error(), (400, "InvalidHeaderValue"), "{version}");
    }
    let mut unversioned = container;
    unversioned.version = None;
    assert_eq!(
        client.ask(&unversioned).expect(200).header("x-ms-version"),
        "2021-12-02"
    );
    set(
        &mut client,
        "<DefaultServiceVersion>2013-08-15</DefaultServiceVersion>",
    )
    .expect(202);
    assert_eq!(
        client.ask(&unversioned).expect(200).header("x-ms-version"),
        "2013-08-15"
    );
}

#[test]
fn the_account_says_what_it_is() {
    let server = TestServer::start();
    let mut client = server.client();
    for path in ["", "box", "box/b"] {
        for method in [Method::GET, Method::HEAD] {
            let ask = Ask::new(method, format!("{path}?restype=account&comp=properties"));
            let reply = client.ask(&ask).expect(200);
            let told = (reply.header("x-ms-sku-name"), reply.header("x-ms-account-kind"));
            assert_eq!(told, ("Standard_LRS", "StorageV2"), "{path}");
        }
    }
    let stats = client.ask(&Ask::get("?restype=service&comp=stats")).expect(200);
    assert!(
        stats.text().contains("<Status>unavailable</Status>"),
        "there is no second place"
    );
    let refused = client.ask(&Ask::put("?restype=account&comp=properties"));
    assert_eq!(refused.error(), (400, "InvalidQueryParameterValue"));
}
