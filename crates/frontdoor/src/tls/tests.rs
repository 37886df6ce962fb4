//! Certificates over the years, judged by a client's verifier (webpki) and with a clock in hand.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azblob::names::AccountName;
use azblob::time::UnixMillis;
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{RootCertStore, sign::CertifiedKey};

use super::authorities::Authorities;
use super::authority::days_after;
use super::{
    ANNOUNCE_DAYS, AuthorityCertificate, Certificates, Keeper, OwnFiles, SWITCH_DAYS, TlsError, certificates,
    renew,
};
use crate::host::Host;

/// 2026-11-21T00:00:00Z.
const TODAY: UnixMillis = UnixMillis(1_795_219_200_000);
const YEAR: i64 = 365;

fn hosts(names: &[&str]) -> Vec<Host> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn accounts() -> [AccountName; 1] {
    [AccountName::new("vault01").unwrap()]
}

fn keeper(data: &Path, names: &[&str], now: UnixMillis) -> Result<Keeper, TlsError> {
    Keeper::open(
        Certificates::Vault(data.to_owned()),
        hosts(names),
        &accounts(),
        now,
    )
}

/// What a client that trusts these authorities says to a certificate for `name`.
fn trusted(roots: &[AuthorityCertificate], shown: &CertifiedKey, name: &str, now: UnixMillis) -> bool {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.der.clone()).unwrap();
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::new(default_provider()))
        .build()
        .unwrap();
    let moment = UnixTime::since_unix_epoch(Duration::from_millis(now.0 as u64));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (leaf, between): (&CertificateDer<'_>, _) = shown.cert.split_first().unwrap();
    verifier
        .verify_server_cert(leaf, between, &name, &[], moment)
        .is_ok()
}

#[test]
fn a_new_vault_is_trusted_under_all_its_names_and_no_other() {
    let data = tempfile::tempdir().unwrap();
    let keeper = keeper(data.path(), &["backup.example", "10.0.0.7"], TODAY).unwrap();
    let roots = certificates(data.path()).unwrap();
    let shown = keeper.served().shown(None);
    for name in [
        "backup.example",
        "vault01.backup.example",
        "localhost",
        "127.0.0.1",
        "::1",
        "10.0.0.7",
    ] {
        assert!(trusted(&roots, &shown, name, TODAY), "{name}");
    }
    for name in ["example", "other.example", "vault02.backup.example", "10.0.0.8"] {
        assert!(!trusted(&roots, &shown, name, TODAY), "{name}");
    }
    assert!(!trusted(&roots, &shown, "localhost", days_after(TODAY, 46)));
    assert!(roots[0].is_valid(days_after(TODAY, 20 * YEAR)), "20 years");
    assert_eq!(roots[0].hosts(), hosts(&["backup.example", "10.0.0.7"]));
}

#[test]
fn a_stolen_authority_can_vouch_for_this_vault_only() {
    let data = tempfile::tempdir().unwrap();
    let authorities = Authorities::open(data.path(), &hosts(&["backup.example"]), TODAY).unwrap();
    let signer = authorities.signer(&hosts(&["localhost"])[0], TODAY).unwrap();
    let roots = certificates(data.path()).unwrap();
    for (name, within) in [
        ("deep.below.backup.example", true),
        ("bank.example", false),
        ("notbackup.example", false),
        ("10.9.9.9", false),
        ("127.9.9.9", true),
    ] {
        let (leaf, _) = signer.vouch(&hosts(&[name]), TODAY).unwrap();
        assert_eq!(trusted(&roots, &leaf, name, TODAY), within, "{name}");
        assert_eq!(roots[0].permits(&hosts(&[name])[0]), within, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn the_key_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    renew(data.path(), &[], TODAY).unwrap();
    let mode = |name: &str| {
        fs::metadata(data.path().join("tls").join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("ca-1.key") & 0o777, 0o600);
    assert_eq!(mode("") & 0o777, 0o700);
    let names = fs::read_dir(data.path().join("tls")).unwrap().count();
    assert_eq!(names, 2, "nothing temporary is left");
}

#[test]
fn leaves_are_renewed_while_the_authority_stays() {
    let data = tempfile::tempdir().unwrap();
    let mut keeper = keeper(data.path(), &["backup.example"], TODAY).unwrap();
    let roots = certificates(data.path()).unwrap();
    let served = keeper.served();
    let first = served.shown(None);
    assert!(
        !keeper.tend(&accounts(), days_after(TODAY, 29)),
        "30 days are left of 45"
    );
    let later = days_after(TODAY, 31);
    assert!(keeper.tend(&accounts(), later));
    assert!(!Arc::ptr_eq(&first, &served.shown(None)));
    // A server that runs for years is trusted on every day of them by a client that was set up once.
    let mut day = later;
    while day < days_after(TODAY, 14 * YEAR) {
        keeper.tend(&accounts(), day);
        assert!(trusted(
            &roots,
            &served.shown(Some("backup.example")),
            "backup.example",
            day
        ));
        day = days_after(day, 10);
    }
    assert_eq!(certificates(data.path()).unwrap().len(), 1);
}

#[test]
fn a_successor_is_announced_years_before_it_signs() {
    let data = tempfile::tempdir().unwrap();
    let mut keeper = keeper(data.path(), &["backup.example"], TODAY).unwrap();
    let old = certificates(data.path()).unwrap();
    let announced = days_after(old[0].not_after, 1 - ANNOUNCE_DAYS);
    keeper.tend(&accounts(), announced);
    let both = certificates(data.path()).unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(both[1].hosts(), hosts(&["backup.example"]));
    assert_ne!(both[0].name, both[1].name);
    let served = keeper.served();
    let shown = served.shown(Some("backup.example"));
    assert!(trusted(&old, &shown, "backup.example", announced));
    let switched = days_after(old[0].not_after, 1 - SWITCH_DAYS);
    keeper.tend(&accounts(), switched);
    let shown = served.shown(Some("backup.example"));
    assert!(trusted(&both, &shown, "backup.example", switched));
    assert!(!trusted(&old, &shown, "backup.example", switched));
    assert_eq!(
        certificates(data.path()).unwrap().len(),
        2,
        "one successor is enough"
    );
}

#[test]
fn a_host_that_is_added_needs_an_authority_that_may_vouch_for_it() {
    let data = tempfile::tempdir().unwrap();
    drop(keeper(data.path(), &["old.example"], TODAY).unwrap());
    let refused = keeper(data.path(), &["old.example", "new.example"], TODAY)
        .err()
        .unwrap();
    assert!(matches!(&refused, TlsError::Uncovered { host, .. } if host.to_string() == "new.example"));
    let before = certificates(data.path()).unwrap();
    renew(data.path(), &hosts(&["new.example"]), TODAY).unwrap();
    let both = certificates(data.path()).unwrap();
    let keeper = keeper(data.path(), &["old.example", "new.example"], TODAY).unwrap();
    let served = keeper.served();
    let (old, new) = (
        served.shown(Some("OLD.example")),
        served.shown(Some("new.example")),
    );
    assert!(
        trusted(&before, &old, "old.example", TODAY),
        "nothing changes for the old clients"
    );
    assert!(trusted(&both[1..], &new, "new.example", TODAY));
    assert!(trusted(
        &both[1..],
        &served.shown(Some("vault01.new.example")),
        "vault01.new.example",
        TODAY
    ));
    assert!(trusted(&before, &served.shown(None), "127.0.0.1", TODAY));
}

#[test]
fn a_new_account_is_covered_without_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut keeper = keeper(data.path(), &["backup.example"], TODAY).unwrap();
    let two = ["vault01", "vault02"].map(|name| AccountName::new(name).unwrap());
    assert!(keeper.tend(&two, TODAY));
    let roots = certificates(data.path()).unwrap();
    let shown = keeper.served().shown(Some("vault02.backup.example"));
    assert!(trusted(&roots, &shown, "vault02.backup.example", TODAY));
    assert!(!keeper.tend(&two, TODAY));
}

#[test]
fn a_new_account_that_could_not_be_covered_is_tried_again() {
    let data = tempfile::tempdir().unwrap();
    let mut keeper = keeper(data.path(), &["backup.example"], TODAY).unwrap();
    let two = ["vault01", "vault02"].map(|name| AccountName::new(name).unwrap());
    let (key, aside) = ["ca-1.key", "aside"]
        .map(|name| data.path().join("tls").join(name))
        .into();
    fs::rename(&key, &aside).unwrap();
    assert!(!keeper.tend(&two, TODAY));
    fs::rename(&aside, &key).unwrap();
    assert!(keeper.tend(&two, TODAY));
}

#[test]
fn an_authority_added_beside_a_running_server_is_noticed() {
    let data = tempfile::tempdir().unwrap();
    let mut keeper = keeper(data.path(), &["backup.example"], TODAY).unwrap();
    assert!(!keeper.tend(&accounts(), TODAY));
    renew(data.path(), &[], TODAY).unwrap();
    assert!(keeper.tend(&accounts(), TODAY));
    assert!(!keeper.tend(&accounts(), TODAY));
    // And one that is taken away.
    let both = certificates(data.path()).unwrap();
    for kind in ["pem", "key"] {
        fs::remove_file(data.path().join(format!("tls/ca-1.{kind}"))).unwrap();
    }
    assert!(keeper.tend(&accounts(), TODAY));
    assert!(trusted(
        &both[1..],
        &keeper.served().shown(None),
        "backup.example",
        TODAY
    ));
}

/// A certificate that some authority of the user's may have made, and its key.
fn users_own(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn the_users_files_are_taken_when_they_change_and_only_when_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let files = OwnFiles {
        certificate: folder.path().join("c.pem"),
        key: folder.path().join("k.pem"),
    };
    let write = |certificate: &str, key: &str| {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    };
    let open = || {
        Keeper::open(
            Certificates::Own(files.clone()),
            hosts(&["a.example"]),
            &accounts(),
            TODAY,
        )
    };
    let (first, first_key) = users_own("a.example");
    let (second, second_key) = users_own("*.example");
    write(&first, &second_key);
    let mismatch = open().err().unwrap();
    assert!(matches!(mismatch, TlsError::KeyMismatch { .. }), "{mismatch}");
    write(&first, &first_key);
    let mut keeper = open().unwrap();
    let served = keeper.served();
    let shown = served.shown(None);
    assert!(!keeper.tend(&accounts(), TODAY), "nothing has changed");
    for (certificate, key) in [
        (&second, &first_key),
        (&second, &String::new()),
        (&String::new(), &second_key),
    ] {
        write(certificate, key);
        assert!(!keeper.tend(&accounts(), TODAY));
        assert!(Arc::ptr_eq(&shown, &served.shown(None)), "the old pair stays");
    }
    fs::remove_file(&files.key).unwrap();
    assert!(!keeper.tend(&accounts(), TODAY));
    write(&second, &second_key);
    assert!(keeper.tend(&accounts(), TODAY));
    assert!(!Arc::ptr_eq(&shown, &served.shown(None)));
    for text in ["", "nonsense", &first_key] {
        write(text, &second_key);
        assert!(
            matches!(open(), Err(TlsError::Unreadable { path, .. }) if path == files.certificate),
            "{text}"
        );
    }
}
