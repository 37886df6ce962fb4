//! Nothing that the real account does writes a signature, a key or a token anywhere.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::single_range_in_vec_init
)] // Real time and sockets here.

mod azure_support;

use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use guard::Place;
use guard::account::{Account, ETag};
use guard::azure::{AzureAccount, Credential, OpenError, Sas, Settings};
use guard::fault::Cause;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use azure_support::script::{Reply, Script, TOKEN};
use azure_support::{Door, KEY};

/// Writes down everything that anybody traces, at every level.
#[derive(Clone, Default)]
struct Scribe {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Line(&mut self.text.lock().unwrap()));
        span::Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _span: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(&mut self.text.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = self.text.lock().unwrap();
        text.push_str(event.metadata().target());
        text.push(' ');
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}
}

#[tokio::test]
async fn no_log_holds_a_signature() {
    let scribe = Scribe::default();
    let _until = tracing::subscriber::set_default(scribe.clone());
    let script = Script::play(|before, _| match before % 4 {
        0 => Reply::blob(),
        1 => Reply::refusal(403, "AuthenticationFailed"),
        2 => Reply::refusal(500, "InternalError"),
        _ => Reply::silence(),
    })
    .await;
    let key = Credential::from_key_text(KEY).unwrap();
    let sas = || Credential::Sas(Sas::parse(TOKEN).unwrap());
    let place = Place::new("backups", "a b.bak");
    let tag = ETag("\"1\"".to_owned());
    let mut said = String::new();
    for credential in [key, sas()] {
        let account = script.account_with(credential, |_| {});
        for _ in 0..4 {
            write!(said, "{:?}", account.head(&place).await).unwrap();
            write!(said, "{:?}", account.blobs("backups", "p", None).await).unwrap();
            write!(said, "{:?}", account.break_lease(&place, &tag).await).unwrap();
            write!(said, "{:?}", account.delete(&place, &tag).await).unwrap();
            write!(said, "{:?}", account.read(&place, 0..10, &tag).await).unwrap();
        }
        write!(said, "{account:?}").unwrap();
    }
    let nobody = AzureAccount::open(Settings::new("http://127.0.0.1:1/vault", sas())).unwrap();
    write!(said, "{:?} {nobody:?}", nobody.head(&place).await).unwrap();
    write!(said, "{:?}", Settings::new("http://127.0.0.1:1/vault", sas())).unwrap();
    let traced = scribe.text.lock().unwrap().clone();
    assert!(
        traced.contains("/vault/backups"),
        "something was traced: {traced}"
    );
    for text in [traced, said] {
        for secret in ["sig=", "T0PSECRET", "S2V5T2ZU", "sv=", "AccountKey"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// Gives out one token, or none.
#[derive(Debug)]
struct Stub {
    asked: AtomicUsize,
    gives: bool,
}

#[async_trait]
impl TokenCredential for Stub {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(scopes, ["https://storage.azure.com/.default"]);
        match self.gives {
            true => Ok(AccessToken::new(
                "T0PSECRET",
                azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1),
            )),
            false => Err(Error::with_message(
                ErrorKind::Credential,
                "no identity was found: see https://login.example/x?code=T0PSECRET",
            )),
        }
    }
}

fn stub(gives: bool) -> Arc<Stub> {
    let asked = AtomicUsize::new(0);
    Arc::new(Stub { asked, gives })
}

#[tokio::test]
async fn a_token_goes_over_https_only() {
    let door = Door::open_tls().await;
    let identity = stub(true);
    let account = door.account_with(Credential::Identity(identity.clone()), |_| {});
    for _ in 0..3 {
        let fault = account.containers(None).await.unwrap_err();
        // The door knows no Entra: it refuses the token, and would ask for one where none is sent.
        assert_eq!(fault.cause, Cause::Refused, "{fault}");
        assert_eq!(fault.code.as_deref(), Some("AuthenticationFailed"), "{fault}");
        assert!(!format!("{fault:?} {fault}").contains("T0PSECRET"));
    }
    assert!((1..=3).contains(&identity.asked.load(Ordering::Relaxed)));
    assert!(!format!("{account:?}").contains("T0PSECRET"));

    let account = door.account_with(Credential::Identity(stub(false)), |_| {});
    let fault = account.containers(None).await.unwrap_err();
    assert!(matches!(fault.cause, Cause::Unreachable(_)), "{fault}");
    assert!(
        fault.sentence().contains("Microsoft Entra ID gave no token"),
        "{fault}"
    );
    assert!(!fault.sentence().contains("T0PSECRET"), "{fault}");

    for credential in [Credential::Identity(stub(true)), Credential::Entra] {
        let opened = AzureAccount::open(Settings::new("http://127.0.0.1:1/vault", credential));
        assert_eq!(opened.unwrap_err(), OpenError::EntraNeedsHttps);
    }
}

#[test]
fn an_account_that_cannot_be_opened_says_why() {
    let sas = || Credential::Sas(Sas::parse(TOKEN).unwrap());
    let open = |url: &str, credential, ca: Option<&str>| {
        let mut settings = Settings::new(url, credential);
        settings.ca = ca.map(|pem| pem.as_bytes().to_vec());
        AzureAccount::open(settings).unwrap_err().to_string()
    };
    let url = "https://acme.blob.core.windows.net";
    assert!(open("https://h/?sig=T0PSECRET", sas(), None).contains("--sas-file"));
    assert!(open(url, sas(), Some("no certificate")).contains("PEM"));
    let key = Credential::from_key_text(KEY).unwrap();
    assert!(open("http://127.0.0.1:1", key, None).contains("account's name"));
    let missing = Credential::SasFile("/nowhere/sas".into());
    assert!(open(url, missing, None).starts_with("/nowhere/sas: "));
}
