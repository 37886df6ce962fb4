//! What belongs to an account, as values: service properties, cross-origin rules, page lists, account information.
#![allow(clippy::unwrap_used)] // A case that does not parse shall fail loudly.

use azblob::cors::{CorsRule, Preflight, write_answer_headers};
use azblob::error::ErrorCode;
use azblob::page::PageRange;
use azblob::request::Marker;
use azblob::response::{AccountInformation, PageList, PageState};
use azblob::service_properties::{ServiceChange, ServiceProperties};
use azblob::version::ApiVersion;
use http::{HeaderMap, Method};
use proptest::prelude::{any, proptest};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn rule(origins: &str, methods: &str, allowed: &str, exposed: &str) -> CorsRule {
    CorsRule {
        allowed_origins: words(origins),
        allowed_methods: words(methods),
        allowed_headers: words(allowed),
        exposed_headers: words(exposed),
        max_age_seconds: 60,
    }
}

/// "Set Blob Service Properties", sample request, as far as it switches nothing on.
const SAMPLE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<StorageServiceProperties>
    <Logging>
        <Version>1.0</Version>
        <Delete>false</Delete>
        <Read>false</Read>
        <Write>false</Write>
        <RetentionPolicy>
            <Enabled>true</Enabled>
            <Days>7</Days>
        </RetentionPolicy>
    </Logging>
    <HourMetrics>
        <Version>1.0</Version>
        <Enabled>false</Enabled>
        <IncludeAPIs>false</IncludeAPIs>
        <RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>
    </HourMetrics>
    <Cors>
        <CorsRule>
            <AllowedOrigins>http://www.fabrikam.com,http://www.contoso.com</AllowedOrigins>
            <AllowedMethods>GET,PUT</AllowedMethods>
            <MaxAgeInSeconds>500</MaxAgeInSeconds>
            <ExposedHeaders>x-ms-meta-data*,x-ms-meta-customheader</ExposedHeaders>
            <AllowedHeaders>x-ms-meta-target*,x-ms-meta-customheader</AllowedHeaders>
        </CorsRule>
    </Cors>
    <DefaultServiceVersion>2017-07-29</DefaultServiceVersion>
</StorageServiceProperties>";

#[test]
fn the_sample_of_the_reference() {
    let change = ServiceChange::parse(SAMPLE.as_bytes()).unwrap();
    let want = CorsRule {
        max_age_seconds: 500,
        ..rule(
            "http://www.fabrikam.com http://www.contoso.com",
            "GET PUT",
            "x-ms-meta-target* x-ms-meta-customheader",
            "x-ms-meta-data* x-ms-meta-customheader",
        )
    };
    assert_eq!(change.cors, Some(vec![want]));
    assert_eq!(change.default_version, ApiVersion::parse("2017-07-29"));
    assert_eq!(ServiceChange::parse(change.render().as_bytes()).unwrap(), change);
    let utf16: Vec<u8> = SAMPLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(ServiceChange::parse(&utf16).unwrap(), change);
    // What is answered can be sent back, and is the same again.
    let kept = ServiceProperties::default().changed(change.clone());
    let again = ServiceChange::parse(kept.render().as_bytes()).unwrap();
    assert_eq!(ServiceProperties::default().changed(again), kept);
    let nothing = ServiceChange::parse(b"<StorageServiceProperties/>").unwrap();
    assert_eq!(kept.changed(nothing), kept, "what is not named stays");
    let json = serde_json(&kept);
    assert_eq!(json, kept, "and it survives on disk");
}

fn serde_json(properties: &ServiceProperties) -> ServiceProperties {
    let text = serde_json::to_string(properties).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn bounds_of_a_rule() {
    let parse = |from: &str, to: &str| {
        assert!(SAMPLE.contains(from));
        ServiceChange::parse(SAMPLE.replace(from, to).as_bytes()).map_err(|refusal| refusal.code)
    };
    let bad = Err(ErrorCode::InvalidXmlNodeValue);
    let origin = "http://www.fabrikam.com,http://www.contoso.com";
    assert_eq!(parse(origin, &vec!["http://a"; 65].join(",")), bad);
    assert!(parse(origin, &vec!["http://a"; 64].join(",")).is_ok());
    assert_eq!(parse(origin, &"x".repeat(257)), bad);
    assert_eq!(parse("<MaxAgeInSeconds>500", "<MaxAgeInSeconds>2147483648"), bad);
    assert!(parse("<MaxAgeInSeconds>500", "<MaxAgeInSeconds>2147483647").is_ok());
    assert_eq!(parse("GET,PUT", "get"), bad);
    assert_eq!(parse("2017-07-29", "later"), bad);
    assert_eq!(parse("<Delete>false", "<Delete>perhaps"), bad);
    assert_eq!(
        parse("<Delete>false", "<Delete>true"),
        Err(ErrorCode::UnsupportedXmlNode)
    );
    assert_eq!(
        parse("<Days>7</Days>", "<Weeks>7</Weeks>"),
        Err(ErrorCode::UnsupportedXmlNode)
    );
    assert_eq!(
        parse("StorageServiceProperties>", "Properties>"),
        Err(ErrorCode::InvalidXmlDocument)
    );
}

#[test]
fn the_first_rule_that_fits() {
    let rules = [
        rule(
            "https://a https://b",
            "GET HEAD",
            "x-ms-meta-* content-type",
            "etag x-ms-meta-*",
        ),
        rule("*", "PUT", "*", "*"),
    ];
    let ask = |origin: &str, method: &str, headers: Option<&str>| {
        let ask = Preflight {
            origin: origin.to_owned(),
            method: method.to_owned(),
            headers: headers.map(str::to_owned),
        };
        ask.answer(&rules).map(|headers| {
            headers["access-control-allow-origin"]
                .to_str()
                .unwrap()
                .to_owned()
        })
    };
    let refused = Err(ErrorCode::CorsPreflightFailure);
    assert_eq!(ask("https://a", "GET", None), Ok("https://a".to_owned()));
    assert_eq!(
        ask("https://a", "GET", Some("X-MS-Meta-Owner,Content-Type")),
        Ok("https://a".to_owned())
    );
    assert_eq!(ask("https://a", "GET", Some("authorization")), refused);
    assert_eq!(
        ask("https://A", "GET", None),
        refused,
        "origins are compared to the letter"
    );
    assert_eq!(ask("https://c", "GET", None), refused);
    assert_eq!(
        ask("https://c", "PUT", Some("anything, at-all")),
        Ok("*".to_owned())
    );
    assert_eq!(ask("https://c", "put", None), refused);
    assert_eq!(ErrorCode::CorsPreflightFailure.status(), 403);
}

#[test]
fn an_answer_shows_what_the_rule_exposes() {
    let rules = [rule("https://a", "GET", "", "etag x-ms-meta-*")];
    let answer = |origin: Option<&str>, rules: &[CorsRule]| {
        let mut request = HeaderMap::new();
        if let Some(origin) = origin {
            request.insert("origin", origin.parse().unwrap());
        }
        let mut answer = HeaderMap::new();
        for name in ["etag", "x-ms-meta-owner", "x-ms-request-id"] {
            answer.insert(name, "1".parse().unwrap());
        }
        write_answer_headers(rules, &Method::GET, &request, &mut answer);
        let text = |name: &str| answer.get(name).map(|v| v.to_str().unwrap().to_owned());
        (
            text("access-control-allow-origin"),
            text("access-control-expose-headers"),
            text("vary"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        answer(Some("https://a"), &rules),
        (some("https://a"), some("etag,x-ms-meta-owner"), some("Origin"))
    );
    assert_eq!(answer(Some("https://b"), &rules), (None, None, some("Origin")));
    assert_eq!(answer(Some("https://b"), &[]), (None, None, None));
    assert_eq!(answer(None, &rules), (None, None, None));
}

#[test]
fn page_lists_both_ways() {
    let range = |first, last| PageRange::new(first, last).unwrap();
    let list = PageList {
        ranges: vec![
            (range(0, 511), PageState::Written),
            (range(1024, 2047), PageState::Cleared),
        ],
        next: Some(Marker::at("4096")),
    };
    // "Get Page Ranges", sample response.
    let body = list.render(true);
    let ranges = "<PageRange><Start>0</Start><End>511</End></PageRange>\
        <ClearRange><Start>1024</Start><End>2047</End></ClearRange>";
    assert!(
        body.contains(&format!("<PageList>{ranges}<NextMarker>")),
        "{body}"
    );
    assert_eq!(PageList::parse(body.as_bytes()).unwrap(), list);
    let old = PageList {
        next: None,
        ..list.clone()
    };
    assert_eq!(PageList::parse(list.render(false).as_bytes()).unwrap(), old);
    assert!(!list.render(false).contains("NextMarker"));
    for bad in [
        "<PageList><PageRange><Start>0</Start></PageRange></PageList>",
        "<PageList><PageRange><Start>5</Start><End>9</End></PageRange></PageList>",
        "<PageList>",
    ] {
        assert!(PageList::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn what_kind_of_account() {
    let mut headers = HeaderMap::new();
    AccountInformation::own().write_headers(&mut headers);
    assert_eq!(AccountInformation::read(&headers), Ok(AccountInformation::own()));
    assert!(AccountInformation::read(&HeaderMap::new()).is_err());
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200), markup in "(<(/)?(StorageServiceProperties|Cors|CorsRule|Logging|PageList|PageRange|Start)>|[0-9]|true){0,12}") {
        let _ = ServiceChange::parse(&body);
        let _ = ServiceChange::parse(markup.as_bytes());
        let _ = PageList::parse(markup.as_bytes());
    }
}
