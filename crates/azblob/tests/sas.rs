//! Access signatures against those made elsewhere. The key is the published one of the storage emulator.
#![allow(clippy::unwrap_used)] // A vector that does not parse shall fail loudly.

use azblob::access_policy::{AccessPolicy, PolicyId, SignedIdentifier};
use azblob::error::{ErrorCode, Refusal};
use azblob::grant::{Grant, ResourceTypes};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::request::{BlobPath, Target};
use azblob::sas::{AccountSas, Presented, ServiceSas, SourceRange, Token};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use proptest::prelude::{any, prop, proptest};

const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const OTHER_KEY: &str = "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgb3RoZXIga2V5IG90aGVyIGtleQ==";
const ACCOUNT: &str = "devstoreaccount1";
const SNAPSHOT: &str = "2026-11-21T04:00:00.1234567Z";
/// Within the life of every vector.
const NOW: &str = "2026-11-21T05:19:52Z";

/// What a vector is for.
#[derive(Clone, Copy, PartialEq)]
enum For {
    Service,
    Container,
    Blob,
}

struct Vector {
    target: For,
    snapshot: &'static str,
    query: &'static str,
}

const fn vector(target: For, query: &'static str) -> Vector {
    Vector {
        target,
        snapshot: "",
        query,
    }
}

const fn snapshot(query: &'static str) -> Vector {
    Vector {
        target: For::Blob,
        snapshot: SNAPSHOT,
        query,
    }
}

/// What Microsoft's own Python SDKs made: `azure-storage` 0.33.0 (`SharedAccessSignature(ACCOUNT, KEY)`, sv 2015-07-08)
/// and `azure-storage-blob` 12.0.0, 12.4.0 and 12.31.1 (`generate_container_sas`, `generate_blob_sas`,
/// `generate_account_sas`), for the container `backups` and the blob `db/full 1+2.bak` in it, the stored policy
/// `mine & yours`, from 2026-11-21T05:00 until 2026-11-22T05:00.
const SDK: &[Vector] = &include!("vectors/access_signatures.in");

/// The layouts that no SDK makes any more, by hand after "Create a service SAS": the text in the comment, signed with
/// Python's `base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest())`.
const BY_HAND: &[Vector] = &[
    // r\n2026-11-21T05:00Z\n2026-11-21T06:00:00Z\n/devstoreaccount1/backups/db/full 1+2.bak\n
    vector(
        For::Blob,
        "sr=b&sp=r&st=2026-11-21T05:00Z&se=2026-11-21T06:00:00Z&sig=Q107XvXy7Nw0VzPq45wR%2Bx4eiUasWCoPFYS%2F6Altrx8%3D",
    ),
    // \n\n\n/devstoreaccount1/backups\nmine
    vector(
        For::Container,
        "sr=c&si=mine&sig=U0Mw73Q%2B5xYAvDs%2FISTEo8PG7v4Dhk5NPpa6XVrcgfU%3D",
    ),
    // rwdl\n\n2026-11-22\n/devstoreaccount1/backups\n\n2012-02-12
    vector(
        For::Container,
        "sv=2012-02-12&sr=c&sp=rwdl&se=2026-11-22&sig=fNvHBH6JwGAkdP5lL4Z8q78PE%2Ba%2BBsRjGdAdbkYmri8%3D",
    ),
    // r\n\n2026-11-22\n/devstoreaccount1/backups/db/full 1+2.bak\n\n2013-08-15\n\n\n\n\ntext/x-mine
    vector(
        For::Blob,
        "sv=2013-08-15&sr=b&sp=r&se=2026-11-22&rsct=text/x-mine&sig=wVi17rLAFeP%2FUd%2B3y0DtZIXloQ0qc4LbaQf3ruaSeTA%3D",
    ),
];

fn all() -> impl Iterator<Item = &'static Vector> {
    SDK.iter().chain(BY_HAND)
}

fn target(which: For) -> Target {
    let container = ContainerName::new("backups").unwrap();
    match which {
        For::Service => Target::Service,
        For::Container => Target::Container(container),
        For::Blob => Target::Blob(BlobPath {
            container,
            blob: BlobName::new("db/full 1+2.bak").unwrap(),
        }),
    }
}

fn moment(text: &str) -> UnixMillis {
    UnixMillis::parse_iso(text).unwrap()
}

/// Everything that is not in the token; changed by each test.
struct Scene {
    account: AccountName,
    keys: Vec<Secret>,
    target: Target,
    snapshot: String,
    policies: Vec<SignedIdentifier>,
    now: UnixMillis,
    peer: &'static str,
    secure: bool,
}

impl Scene {
    fn of(vector: &Vector) -> Self {
        let policy = AccessPolicy {
            start: None,
            expiry: Some(moment("2026-11-22")),
            permissions: Some(Permissions::READ),
        };
        let stored = |id: &str| SignedIdentifier {
            id: PolicyId::new(id).unwrap(),
            policy: policy.clone(),
        };
        Self {
            account: AccountName::new(ACCOUNT).unwrap(),
            keys: keys(&[KEY]),
            target: target(vector.target),
            snapshot: vector.snapshot.to_owned(),
            policies: vec![stored("other"), stored("mine & yours"), stored("mine")],
            now: moment(NOW),
            peer: if vector.query.contains("127.0.0.1") {
                "127.0.0.1"
            } else {
                "168.1.5.65"
            },
            secure: true,
        }
    }

    fn verify(&self, query: &str) -> Result<Grant, Refusal> {
        let query = match self.snapshot.as_str() {
            "" => query.to_owned(),
            snapshot => format!("{query}&snapshot={snapshot}"),
        };
        let token = Token::from_query(&query)?.expect("there is a signature");
        token.verify(&Presented {
            account: &self.account,
            keys: &self.keys,
            target: &self.target,
            policies: &self.policies,
            now: self.now,
            peer: self.peer.parse().unwrap(),
            secure: self.secure,
        })
    }

    fn code(&self, query: &str) -> Result<(), ErrorCode> {
        self.verify(query).map(|_| ()).map_err(|refusal| refusal.code)
    }

    /// The detail of a refusal.
    fn detail(&self, query: &str) -> String {
        let refusal = self.verify(query).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::AuthenticationFailed, "{refusal}");
        refusal.details[0].1.clone()
    }
}

fn keys(texts: &[&str]) -> Vec<Secret> {
    texts
        .iter()
        .map(|key| Secret::from_base64(key).unwrap())
        .collect()
}

const FAILED: Result<(), ErrorCode> = Err(ErrorCode::AuthenticationFailed);

#[test]
fn signatures_made_elsewhere_hold_under_either_key_and_in_any_order() {
    for vector in all() {
        let mut scene = Scene::of(vector);
        assert_eq!(scene.code(vector.query), Ok(()), "{}", vector.query);
        let mut parts: Vec<&str> = vector.query.split('&').collect();
        parts.reverse();
        let among = format!("does_not_matter&comp=block&{}&blockid=QUE%3D", parts.join("&"));
        for both in [[KEY, OTHER_KEY], [OTHER_KEY, KEY]] {
            scene.keys = keys(&both);
            assert_eq!(scene.code(&among), Ok(()), "{among}");
        }
    }
}

#[test]
fn every_tampering_is_refused() {
    for vector in all() {
        let query = vector.query;
        let check = |change: &dyn Fn(&mut Scene)| {
            let mut scene = Scene::of(vector);
            change(&mut scene);
            scene.code(query)
        };
        assert_eq!(check(&|s| s.keys = keys(&[OTHER_KEY])), FAILED, "{query}");
        assert_eq!(check(&|s| s.keys.clear()), FAILED, "{query}");
        assert_eq!(
            check(&|s| s.account = AccountName::new("another").unwrap()),
            FAILED,
            "{query}"
        );
        if vector.target != For::Service && !query.contains("srt=") {
            let elsewhere = |s: &mut Scene| match &mut s.target {
                Target::Blob(path) => path.container = ContainerName::new("stranger").unwrap(),
                other => *other = Target::Container(ContainerName::new("stranger").unwrap()),
            };
            assert_eq!(check(&elsewhere), FAILED, "{query}");
            assert_eq!(check(&|s| s.target = Target::Service), FAILED, "{query}");
        }
        for (from, to) in [
            ("sp=r", "sp=rw"),
            ("se=2026-11-22", "se=2026-11-23"),
            ("st=2026-11-21T05", "st=2026-11-21T04"),
            ("sr=b", "sr=c"),
            ("sr=bs", "sr=b"),
            ("srt=o", "srt=so"),
            ("srt=sco", "srt=s"),
            ("ss=b", "ss=bf"),
            ("sip=1", "sip=2"),
            ("spr=https&", "spr=https,http&"),
            ("si=mine", "si=other"),
            ("rsct=text", "rsct=image"),
            ("rscd=attachment", "rscd=inline"),
            ("sv=20", "sv=21"),
        ] {
            let changed = query.replacen(from, to, 1);
            if changed != query {
                assert_eq!(Scene::of(vector).code(&changed), FAILED, "{changed}");
            }
        }
        for part in query.split('&').filter(|part| !part.starts_with("sig=")) {
            let without: Vec<&str> = query.split('&').filter(|other| *other != part).collect();
            assert_eq!(
                Scene::of(vector).code(&without.join("&")),
                FAILED,
                "{query} without {part}"
            );
        }
    }
}

#[test]
fn a_container_token_is_good_for_its_blobs_and_a_blob_token_for_that_blob() {
    let container = &SDK[0];
    assert!(container.query.contains("sr=c"));
    let mut scene = Scene::of(container);
    scene.target = target(For::Blob);
    scene.snapshot = SNAPSHOT.to_owned();
    assert_eq!(scene.code(container.query), Ok(()));
    let blob = SDK.iter().find(|v| v.query.contains("sr=b&")).unwrap();
    let mut scene = Scene::of(blob);
    scene.target = target(For::Container);
    assert_eq!(scene.code(blob.query), FAILED);
    let of_snapshot = SDK.iter().find(|v| v.query.contains("sr=bs")).unwrap();
    let mut scene = Scene::of(of_snapshot);
    for other in ["", "2026-11-21T04:00:00.1234568Z"] {
        other.clone_into(&mut scene.snapshot);
        assert_eq!(scene.code(of_snapshot.query), FAILED, "snapshot {other:?}");
    }
}

#[test]
fn a_question_mark_before_the_token_does_no_harm() {
    for vector in all() {
        let query = format!("?{}", vector.query);
        assert_eq!(Scene::of(vector).code(&query), Ok(()), "{query}");
    }
}

#[test]
fn a_plus_that_nobody_encoded_counts_as_one() {
    for vector in all() {
        let query = vector.query.replace("%2B", "+");
        assert_eq!(Scene::of(vector).code(&query), Ok(()), "{query}");
    }
}

#[test]
fn a_parameter_given_twice_is_refused_and_a_query_without_a_signature_is_no_token() {
    let query = SDK[0].query;
    let scene = Scene::of(&SDK[0]);
    for (extra, named) in [
        ("sp=rwdl", "sp"),
        ("SP=r", "sp"),
        ("sig=AAAA", "sig"),
        ("sv=2026-10-06", "sv"),
    ] {
        for twice in [format!("{query}&{extra}"), format!("{extra}&{query}")] {
            assert_eq!(
                scene.detail(&twice),
                format!("{named} is given more than once."),
                "{twice}"
            );
        }
    }
    for none in [
        "",
        "does_not_matter",
        "sv=2021-12-02&sr=c",
        "sig=",
        "sig",
        "comp=list&sp=r&sp=w",
    ] {
        assert_eq!(Token::from_query(none), Ok(None), "{none}");
    }
}

/// The sentences are those that Azure is known to answer with.
#[test]
fn times_are_exact_to_the_millisecond() {
    let vector = SDK
        .iter()
        .find(|v| v.query.contains("st=") && v.query.contains("sr=c"))
        .unwrap();
    let mut scene = Scene::of(vector);
    let (start, end) = (moment("2026-11-21T05:00Z").0, moment("2026-11-22T05:00Z").0);
    for (now, want) in [
        (start - 1, FAILED),
        (start, Ok(())),
        (end, Ok(())),
        (end + 1, FAILED),
    ] {
        scene.now = UnixMillis(now);
        assert_eq!(scene.code(vector.query), want, "{now}");
    }
    assert_eq!(
        scene.detail(vector.query),
        "Signature not valid in the specified time frame: Start [Sat, 21 Nov 2026 05:00:00 GMT] - Expiry [Sun, 22 \
         Nov 2026 05:00:00 GMT] - Current [Sun, 22 Nov 2026 05:00:00 GMT]"
    );
    let mut scene = Scene::of(&SDK[0]);
    scene.now = moment("2026-11-23");
    assert_eq!(
        scene.detail(SDK[0].query),
        "Signed expiry time [Sun, 22 Nov 2026 05:00:00 GMT] has to be after signed start time [Mon, 23 Nov 2026 \
         00:00:00 GMT]"
    );
}

/// Tokens that are signed well and say what makes no sense, by hand as above.
#[test]
fn well_signed_nonsense() {
    let scene = Scene::of(&SDK[0]);
    for (query, detail) in [
        (
            // r\n\n2026-11-22\n/devstoreaccount1/backups\n
            "sr=c&sp=r&se=2026-11-22&sig=g4gN2Xitlrv88m0EMfiYEbzgUIo4lqFaMgll5NTB2O4%3D",
            "Access without signed identifier cannot have time window more than 1 hour",
        ),
        (
            // r\n\nsoon\n/devstoreaccount1/backups\n\n2012-02-12
            "sv=2012-02-12&sr=c&sp=r&se=soon&sig=wHKC8dyDyl51JzskAH25BW%2FHkKi5jJn1AHXSgNakvY4%3D",
            "se is not well formed: 'soon'.",
        ),
        (
            // r\n\n2026-11-22\n/blob/devstoreaccount1/backups\n\n\nhttp\n2015-04-05\n\n\n\n\n
            "sv=2015-04-05&sr=c&sp=r&se=2026-11-22&spr=http&sig=RnCsJ%2F0JXwQwcsfaaDMYdE6bKMJ66VcobvL7xMC4ar8%3D",
            "spr is not well formed: 'http'.",
        ),
        (
            // r\n\n2026-11-22\n/blob/devstoreaccount1/backups\n\n1.2.3.0/24\n\n2015-04-05\n\n\n\n\n
            "sv=2015-04-05&sr=c&sp=r&se=2026-11-22&sip=1.2.3.0/24&sig=zTZn9FSMgshNoajSXiywXbweSXvkKDugZTztRdtAn40%3D",
            "sip is not well formed: '1.2.3.0/24'.",
        ),
    ] {
        assert_eq!(scene.detail(query), detail, "{query}");
    }
}

/// Fields are parted by line breaks in what is signed, so that one with a line break could stand for two.
#[test]
fn a_field_cannot_hold_a_line_break() {
    let scene = Scene::of(&SDK[0]);
    for (query, field) in [
        // r\n\n2026-11-22\n/devstoreaccount1/backups\n, where st would swallow what is not there.
        (
            "sr=c&sp=r&st=%0A2026-11-22&sig=g4gN2Xitlrv88m0EMfiYEbzgUIo4lqFaMgll5NTB2O4%3D",
            "st",
        ),
        ("sv=2012-02-12&sr=c&sp=r&si=a%0Ab&sig=AAAA", "si"),
        ("sv=2021-12-02&sr=c&sp=r&rsct=a%0D%0Ab&sig=AAAA", "rsct"),
    ] {
        assert_eq!(
            scene.detail(query),
            format!("{field} is not well formed."),
            "{query}"
        );
    }
}

#[test]
fn what_is_not_offered_is_said_before_any_signature_is_looked_at() {
    let code = |query: &str| {
        Token::from_query(query)
            .map(|_| ())
            .map_err(|refusal| refusal.code)
    };
    let not_offered = Err(ErrorCode::InvalidQueryParameterValue);
    assert_eq!(code("sv=2021-12-02&sr=bv&sp=r&sig=AAAA"), not_offered);
    assert_eq!(code("sv=2021-12-02&sr=d&sdd=1&sp=r&sig=AAAA"), not_offered);
    assert_eq!(code("sv=2021-12-02&sr=c&sp=r&ses=scope&sig=AAAA"), not_offered);
    assert_eq!(
        code("sv=2021-12-02&sr=c&sp=r&skoid=x&sktid=y&sks=b&sig=AAAA"),
        FAILED
    );
    let missing = |query: &str| Token::from_query(query).unwrap_err().details[0].1.clone();
    assert_eq!(
        missing("sv=2021-12-02&sp=r&sig=AAAA"),
        "sr is mandatory. Cannot be empty"
    );
    assert_eq!(
        missing("sv=2021-12-02&ss=b&sig=AAAA"),
        "srt is mandatory. Cannot be empty"
    );
    assert_eq!(
        missing("sv=yesterday&sr=c&sig=AAAA"),
        "sv is not well formed: 'yesterday'."
    );
    assert_eq!(
        missing("sv=2018-03-28&sr=bs&sig=AAAA"),
        "sr is not well formed: 'bs'."
    );
    assert_eq!(
        missing("sv=2018-03-28&sr=x&sig=AAAA"),
        "sr is not well formed: 'x'."
    );
    let scene = Scene::of(&SDK[0]);
    assert_eq!(
        scene.detail("sv=2021-12-02&sr=c&sig=*"),
        "Signature fields not well formed."
    );
}

#[test]
fn the_refusal_shows_what_was_signed_and_never_a_signature() {
    let scene = Scene::of(&SDK[0]);
    let query = "sv=2021-12-02&sr=c&sp=r&se=2026-11-22&sig=c2VjcmV0";
    let detail = scene.detail(query);
    assert_eq!(
        detail,
        "Signature did not match. String to sign used was \
         r\n\n2026-11-22\n/blob/devstoreaccount1/backups\n\n\n\n2021-12-02\nc\n\n\n\n\n\n\n"
    );
    let token = Token::from_query(query).unwrap().unwrap();
    assert!(!format!("{token:?}").contains("c2VjcmV0"));
}

fn sas() -> ServiceSas {
    let container = ContainerName::new("backups").unwrap();
    ServiceSas::of_container(container, Permissions::BACKUP, moment("2026-11-22"))
}

fn signed(sas: &ServiceSas) -> String {
    sas.sign(&AccountName::new(ACCOUNT).unwrap(), &keys(&[KEY])[0])
}

#[test]
fn our_tokens_are_those_of_the_sdk() {
    // generate_container_sas of 12.31.1 as in the vectors: same fields, another order.
    let mut ours = sas();
    ours.version = ApiVersion::parse("2026-10-06").unwrap();
    ours.expiry = Some(moment("2026-11-22T05:00Z"));
    let token = signed(&ours);
    assert!(
        token.starts_with("sv=2026-10-06&sr=c&sp=rwdl&se=2026-11-22T05:00Z&sig="),
        "{token}"
    );
    assert_eq!(Scene::of(&SDK[0]).code(&token), Ok(()));
    let of_blob = |v: &&Vector| v.query.contains("sp=rw&sv=2026-10-06&sr=b&");
    let blob = SDK.iter().find(of_blob).unwrap();
    let mut ours = sas();
    ours.version = ApiVersion::parse("2026-10-06").unwrap();
    ours.blob = Some(BlobName::new("db/full 1+2.bak").unwrap());
    ours.permissions = Permissions::parse("rw");
    let signature = |token: &str| {
        let sig = token.split('&').find_map(|part| part.strip_prefix("sig="));
        sig.unwrap().replace("%2F", "/")
    };
    assert_eq!(signature(&signed(&ours)), signature(blob.query));
}

#[test]
fn a_stored_policy_says_what_the_token_does_not() {
    let mut scene = Scene::of(&SDK[0]);
    let mut token = sas();
    token.policy = Some(PolicyId::new("mine").unwrap());
    (token.permissions, token.expiry) = (None, None);
    assert_eq!(scene.code(&signed(&token)), Ok(()));
    scene.policies.clear();
    assert_eq!(
        scene.detail(&signed(&token)),
        "The signed identifier 'mine' does not exist."
    );
    let mut scene = Scene::of(&SDK[0]);
    scene.now = moment("2026-11-22T00:00:01Z");
    assert_eq!(scene.code(&signed(&token)), FAILED, "the policy has run out");
    let scene = Scene::of(&SDK[0]);
    token.permissions = Some(Permissions::READ);
    assert!(
        scene
            .detail(&signed(&token))
            .starts_with("sp is given in the token and in the stored")
    );
    token.permissions = None;
    token.expiry = Some(moment("2026-11-22"));
    assert!(
        scene
            .detail(&signed(&token))
            .starts_with("se is given in the token and in the stored")
    );
    let mut scene = Scene::of(&SDK[0]);
    scene.policies[2].policy = AccessPolicy::default();
    assert_eq!(scene.detail(&signed(&token)), "sp is mandatory. Cannot be empty");
    token.expiry = None;
    assert_eq!(scene.detail(&signed(&token)), "se is mandatory. Cannot be empty");
}

#[test]
fn protocol_and_address() {
    let mut scene = Scene::of(&SDK[0]);
    let mut token = sas();
    token.https_only = true;
    assert_eq!(scene.code(&signed(&token)), Ok(()));
    scene.secure = false;
    assert_eq!(
        scene.code(&signed(&token)),
        Err(ErrorCode::AuthorizationProtocolMismatch)
    );
    token.https_only = false;
    token.source = SourceRange::parse("10.0.0.1-10.0.0.9");
    assert_eq!(
        scene.code(&signed(&token)),
        Err(ErrorCode::AuthorizationSourceIPMismatch)
    );
    scene.peer = "::ffff:10.0.0.9";
    assert_eq!(scene.code(&signed(&token)), Ok(()));
}

#[test]
fn what_sql_server_gets_is_short() {
    // The longest that `bac2 sas create` can be asked for beside a policy of 64 characters.
    let mut token = sas();
    token.start = Some(moment("2026-11-21T05:19:52Z"));
    token.https_only = true;
    token.source = SourceRange::parse("100.100.100.100-200.200.200.200");
    assert!(
        signed(&token).len() < azblob::limits::MAX_SQL_SERVER_TOKEN,
        "{}",
        signed(&token)
    );
}

proptest! {
    #[test]
    fn every_service_token_of_ours_is_accepted_and_no_other(
        year in 2012_u16..2040,
        month in 3_u8..=12,
        letters in "[racwdxyltfi]{1,11}",
        of_blob in any::<bool>(),
        blob in "[^\\x00-\\x1f\\x7f]{1,30}",
        start in prop::option::of(-2_000_000_000_i64..0),
        life in 1_i64..100_000_000,
        https_only in any::<bool>(),
        addressed in any::<bool>(),
    ) {
        let mut scene = Scene::of(&SDK[0]);
        let blob = BlobName::new(blob).unwrap();
        let mut token = sas();
        token.version = ApiVersion::parse(&format!("{year}-{month:02}-12")).unwrap();
        token.permissions = Permissions::parse(&letters);
        token.start = start.map(|ms| UnixMillis(scene.now.0 + ms));
        token.expiry = Some(UnixMillis(scene.now.0 + life * 1000));
        token.https_only = https_only;
        token.source = SourceRange::parse("10.0.0.1").filter(|_| addressed);
        scene.peer = "10.0.0.1";
        token.blob = of_blob.then(|| blob.clone());
        let container = token.container.clone();
        scene.target = Target::Blob(BlobPath { container, blob });
        let text = signed(&token);
        assert_eq!(scene.code(&text), Ok(()), "{text}");
        scene.keys = keys(&[OTHER_KEY]);
        assert_eq!(scene.code(&text), FAILED, "{text}");
    }

    #[test]
    fn every_account_token_of_ours_is_accepted(
        service in any::<bool>(),
        container in any::<bool>(),
        letters in "[racwdxyltfi]{1,11}",
        year in 2016_u16..2040,
        life in 1_i64..100_000_000,
    ) {
        let scene = Scene::of(&SDK[0]);
        let token = AccountSas {
            version: ApiVersion::parse(&format!("{year}-02-12")).unwrap(),
            types: ResourceTypes { service, container, object: true },
            permissions: Permissions::parse(&letters).unwrap(),
            start: None,
            expiry: UnixMillis(scene.now.0 + life * 1000),
            https_only: false,
            source: None,
        };
        let text = token.sign(&scene.account, &scene.keys[0]);
        assert_eq!(scene.code(&text), Ok(()), "{text}");
        assert_eq!(scene.code(&text.replace("ss=b", "ss=bq")), FAILED, "{text}");
    }

    #[test]
    fn no_query_panics(query in "([a-z&=%+0-9:,-]|sig=|sv=20|sr=c&|se=){0,40}") {
        if let Ok(Some(_)) = Token::from_query(&query) {
            let _ = Scene::of(&SDK[0]).verify(&query);
        }
    }
}
