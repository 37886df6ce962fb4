//! Certificates, keys, credentials and encryption. Secrets are in none of it.

use super::databases::pair;
use super::field::{
    Field, bit, chars, datetime, desc, field, guid, int, real, sysname, text, varbinary, variant,
};
use super::view::{Context, Needs, Rows, View, number};
use crate::instance::server::Certificate;
use crate::instance::{DatabaseEntry, Version};
use crate::moment::Moment;
use crate::value::{Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_database("sys.certificates", CERTIFICATES, certificates),
    View::of_database("sys.asymmetric_keys", ASYMMETRIC, |_| Ok(Vec::new())),
    View::of_server("sys.credentials", CREDENTIALS, credentials),
    View::of_server("sys.dm_database_encryption_keys", ENCRYPTION, encryption_keys)
        .needs(Needs::SecurityState),
];

const CERTIFICATES: &[Field] = &[
    sysname("name"),
    int("certificate_id"),
    int("principal_id").or_null(),
    chars("pvt_key_encryption_type", 2),
    desc("pvt_key_encryption_type_desc"),
    bit("is_active_for_begin_dialog").or_null(),
    text("issuer_name", 442).or_null(),
    text("cert_serial_number", 64).or_null(),
    varbinary("sid", 85).or_null(),
    text("string_sid", 128).or_null(),
    text("subject", 4000).or_null(),
    datetime("expiry_date").or_null(),
    datetime("start_date").or_null(),
    varbinary("thumbprint", 32),
    text("attested_by", 260).or_null(),
    datetime("pvt_key_last_backup_date").or_null(),
    int("key_length").or_null().since(Version::V2016),
];

const ASYMMETRIC: &[Field] = &[
    sysname("name"),
    int("principal_id").or_null(),
    int("asymmetric_key_id"),
    chars("pvt_key_encryption_type", 2),
    desc("pvt_key_encryption_type_desc"),
    varbinary("thumbprint", 32),
    chars("algorithm", 2),
    desc("algorithm_desc"),
    int("key_length"),
    varbinary("sid", 85).or_null(),
    text("string_sid", 128).or_null(),
    field("public_key", SqlType::VarBinary(Length::Max)),
    text("attested_by", 260).or_null(),
    text("provider_type", 120).or_null(),
    guid("cryptographic_provider_guid").or_null(),
    variant("cryptographic_provider_algid").or_null(),
];

const CREDENTIALS: &[Field] = &[
    int("credential_id"),
    sysname("name"),
    text("credential_identity", 4000).or_null(),
    datetime("create_date"),
    datetime("modify_date"),
    text("target_type", 100).or_null(),
    int("target_id").or_null(),
];

const ENCRYPTION: &[Field] = &[
    int("database_id").or_null(),
    int("encryption_state").or_null(),
    datetime("create_date").or_null(),
    datetime("regenerate_date").or_null(),
    datetime("modify_date").or_null(),
    datetime("set_date").or_null(),
    datetime("opened_date").or_null(),
    text("key_algorithm", 32).or_null(),
    int("key_length").or_null(),
    varbinary("encryptor_thumbprint", 20).or_null(),
    text("encryptor_type", 32).or_null(),
    real("percent_complete").or_null(),
    text("encryption_state_desc", 32).or_null().since(Version::V2019),
    int("encryption_scan_state").or_null().since(Version::V2019),
    text("encryption_scan_state_desc", 32)
        .or_null()
        .since(Version::V2019),
    datetime("encryption_scan_modify_date")
        .or_null()
        .since(Version::V2019),
];

/// Microseconds of a year: a certificate made without EXPIRY_DATE expires a year after its start.
const YEAR: i64 = 365 * 86_400_000_000;

/// The bytes of a thumbprint.
fn bytes_of(thumbprint: &str) -> Vec<u8> {
    let digits = thumbprint.as_bytes().chunks_exact(2);
    digits
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Those of the server are master's.
fn certificates(context: &Context<'_>) -> Rows {
    let state = context.state();
    if context.database != 1 || !context.may(&state, "VIEW ANY DEFINITION") {
        return Ok(Vec::new());
    }
    let row = |(place, (name, certificate)): (usize, (&String, &Certificate))| {
        let mut row = vec![name.as_str().into(), number(256 + place), number(1)];
        row.push("MK".into());
        row.push("ENCRYPTED_BY_MASTER_KEY".into());
        let thumbprint = bytes_of(&certificate.thumbprint);
        let serial: String = certificate.thumbprint.chars().take(32).collect();
        row.extend([
            true.into(),
            certificate.subject.as_str().into(),
            serial.into(),
            Value::Bytes(thumbprint.clone()),
            Value::Null,
            certificate.subject.as_str().into(),
            context.local(Moment(certificate.created.0 + YEAR)),
            context.local(certificate.created),
            Value::Bytes(thumbprint),
            Value::Null,
            certificate
                .key_backup
                .map_or(Value::Null, |moment| context.local(moment)),
            number(2048),
        ]);
        row
    };
    Ok(state.server.certificates.iter().enumerate().map(row).collect())
}

fn credentials(context: &Context<'_>) -> Rows {
    let state = context.state();
    if !context.may(&state, "ALTER ANY CREDENTIAL") && !context.may(&state, "VIEW ANY DEFINITION") {
        return Ok(Vec::new());
    }
    let rows = state.server.credentials.iter().map(|(name, credential)| {
        vec![
            number(credential.id),
            name.as_str().into(),
            credential.identity.as_str().into(),
            context.local(credential.created),
            context.local(credential.modified),
            Value::Null,
            Value::Null,
        ]
    });
    Ok(rows.collect())
}

/// A database with an encryption key; it is encrypted, or not, at once: nothing is scanned.
fn encryption_keys(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |entry: &DatabaseEntry| {
        let name = entry.encryption_certificate.as_ref()?;
        let certificate = state.server.certificates.get(name);
        let is_on = entry.switches.contains("ENCRYPTION");
        let created = context.local(entry.created);
        let mut row = vec![number(entry.id), number(if is_on { 3 } else { 1 })];
        row.extend(std::iter::repeat_n(created.clone(), 5));
        row.extend([
            "AES".into(),
            number(256),
            certificate.map_or(Value::Null, |known| Value::Bytes(bytes_of(&known.thumbprint))),
            "CERTIFICATE".into(),
            Value::Float(0.0),
            if is_on { "ENCRYPTED" } else { "UNENCRYPTED" }.into(),
        ]);
        row.extend(pair(Some((4, "COMPLETE"))));
        row.push(created);
        Some(row)
    };
    Ok(state.databases.values().filter_map(row).collect())
}
