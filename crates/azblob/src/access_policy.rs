//! Stored access policies: limits that lie with the container, so that tokens which refer to them can be changed and
//! revoked.
//!
//! The body of Set and Get Container ACL: at most five identifiers, each with a policy of up to three fields. A field
//! that the policy has must not stand in the token as well.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};
use crate::limits::{MAX_ACCESS_POLICIES, MAX_POLICY_ID_CHARS, MAX_XML_TEXT};
use crate::permission::Permissions;
use crate::time::UnixMillis;
use crate::xml::{self, Step, Walker};

/// The name of a policy within its container: 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyId(String);

/// What tokens that refer to the policy may do, and when. What is absent is for the token to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicy {
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<UnixMillis>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<UnixMillis>,
    /// What.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// A policy and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIdentifier {
    /// The name that tokens give as `si`.
    pub id: PolicyId,
    /// What it allows.
    #[serde(default)]
    pub policy: AccessPolicy,
}

impl PolicyId {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// 400 `InvalidXmlNodeValue`.
    pub fn new(id: impl Into<String>) -> Result<Self, ErrorCode> {
        let id = id.into();
        if (1..=MAX_POLICY_ID_CHARS).contains(&id.chars().count()) {
            Ok(Self(id))
        } else {
            Err(ErrorCode::InvalidXmlNodeValue)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PolicyId {
    type Error = ErrorCode;

    fn try_from(id: String) -> Result<Self, ErrorCode> {
        Self::new(id)
    }
}

impl From<PolicyId> for String {
    fn from(id: PolicyId) -> Self {
        id.0
    }
}

/// Reads the body of Set Container ACL. No body at all means no policies.
///
/// # Errors
/// 400 `InvalidXmlDocument`, `InvalidXmlNodeValue`, `UnsupportedXmlNode`, `MissingRequiredXmlNode`.
pub fn parse(body: &[u8]) -> Result<Vec<SignedIdentifier>, Refusal> {
    let text = xml::decode(body).map_err(|_| ErrorCode::InvalidXmlDocument)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut walker = Walker::new(&text);
    let mut reading = Reading::default();
    loop {
        match walker.step().map_err(|_| ErrorCode::InvalidXmlDocument)? {
            Step::Open { name, .. } => reading.open(&name, walker.depth())?,
            Step::Close { name, text } => reading.close(&name, &text)?,
            Step::End => return Ok(reading.done),
        }
    }
}

/// A document half read.
#[derive(Default)]
struct Reading {
    id: Option<PolicyId>,
    policy: AccessPolicy,
    done: Vec<SignedIdentifier>,
}

impl Reading {
    fn open(&mut self, name: &str, depth: usize) -> Result<(), Refusal> {
        let known = match depth {
            1 => name == "SignedIdentifiers",
            2 => name == "SignedIdentifier",
            3 => name == "Id" || name == "AccessPolicy",
            4 => ["Start", "Expiry", "Permission"].contains(&name),
            _ => false,
        };
        if known {
            Ok(())
        } else {
            Err(Refusal::from(ErrorCode::UnsupportedXmlNode).detail("XmlNodeName", name))
        }
    }

    fn close(&mut self, name: &str, text: &str) -> Result<(), Refusal> {
        let text = text.trim();
        let bad = || wrong(name, text);
        let moment = || match text {
            "" => Ok(None),
            text => UnixMillis::parse_iso(text).map(Some).ok_or_else(bad),
        };
        match name {
            "Id" => self.id = Some(PolicyId::new(text).map_err(|_| bad())?),
            "Start" => self.policy.start = moment()?,
            "Expiry" => self.policy.expiry = moment()?,
            "Permission" if text.is_empty() => {}
            "Permission" => self.policy.permissions = Some(Permissions::parse(text).ok_or_else(bad)?),
            "SignedIdentifier" => self.finish()?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Refusal> {
        let missing = || Refusal::from(ErrorCode::MissingRequiredXmlNode).detail("XmlNodeName", "Id");
        let id = self.id.take().ok_or_else(missing)?;
        if self.done.len() == MAX_ACCESS_POLICIES {
            return Err(Refusal::with_message(
                ErrorCode::InvalidXmlDocument,
                format!("A container has at most {MAX_ACCESS_POLICIES} stored access policies."),
            ));
        }
        if self.done.iter().any(|other| other.id == id) {
            return Err(wrong("Id", id.as_str()).detail("Reason", "Each identifier must be unique."));
        }
        let policy = std::mem::take(&mut self.policy);
        self.done.push(SignedIdentifier { id, policy });
        Ok(())
    }
}

fn wrong(name: &str, value: &str) -> Refusal {
    let shown: String = value.chars().take(MAX_XML_TEXT.min(256)).collect();
    Refusal::from(ErrorCode::InvalidXmlNodeValue)
        .detail("XmlNodeName", name)
        .detail("XmlNodeValue", shown)
}

/// The body of Get Container ACL, and of Set Container ACL.
pub fn render(policies: &[SignedIdentifier]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    xml::open(&mut out, "SignedIdentifiers");
    for SignedIdentifier { id, policy } in policies {
        xml::open(&mut out, "SignedIdentifier");
        xml::element(&mut out, "Id", id.as_str());
        xml::open(&mut out, "AccessPolicy");
        for (name, moment) in [("Start", policy.start), ("Expiry", policy.expiry)] {
            if let Some(moment) = moment {
                xml::element(&mut out, name, &moment.iso_seven());
            }
        }
        if let Some(permissions) = policy.permissions {
            xml::element(&mut out, "Permission", &permissions.to_string());
        }
        xml::close(&mut out, "AccessPolicy");
        xml::close(&mut out, "SignedIdentifier");
    }
    xml::close(&mut out, "SignedIdentifiers");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request body of "Set Container ACL" in the reference.
    const REFERENCE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<SignedIdentifiers>
  <SignedIdentifier>
    <Id>MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=</Id>
    <AccessPolicy>
      <Start>2009-09-28T08:49:37.0000000Z</Start>
      <Expiry>2009-09-29T08:49:37.0000000Z</Expiry>
      <Permission>rwd</Permission>
    </AccessPolicy>
  </SignedIdentifier>
</SignedIdentifiers>";

    #[test]
    fn the_example_of_the_reference() {
        let read = parse(REFERENCE.as_bytes()).unwrap();
        let [one] = &read[..] else { panic!("{read:?}") };
        assert_eq!(one.id.as_str(), "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=");
        // date -u -d '2009-09-28 08:49:37' +%s
        assert_eq!(one.policy.start, Some(UnixMillis(1_254_127_777_000)));
        assert_eq!(
            one.policy.expiry,
            Some(UnixMillis(1_254_127_777_000 + 86_400_000))
        );
        assert_eq!(one.policy.permissions.unwrap().to_string(), "rwd");
        let squeezed: String = REFERENCE.lines().map(str::trim).collect();
        assert_eq!(render(&read), squeezed);
    }

    #[test]
    fn what_is_absent_stays_absent() {
        for body in [
            "",
            " ",
            "<SignedIdentifiers/>",
            "<SignedIdentifiers></SignedIdentifiers>",
        ] {
            assert_eq!(parse(body.as_bytes()), Ok(vec![]), "{body}");
        }
        let bare = "<SignedIdentifiers><SignedIdentifier><Id>a</Id></SignedIdentifier><SignedIdentifier><Id>b</Id>\
                    <AccessPolicy><Start/><Permission/></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
        let read = parse(bare.as_bytes()).unwrap();
        assert!(read.len() == 2 && read.iter().all(|one| one.policy == AccessPolicy::default()));
        assert_eq!(parse(render(&read).as_bytes()), Ok(read));
    }

    #[test]
    fn limits_and_nonsense() {
        let one = |inner: &str| format!("<SignedIdentifier>{inner}</SignedIdentifier>");
        let all = |inner: &str| {
            let body = format!("<SignedIdentifiers>{inner}</SignedIdentifiers>");
            parse(body.as_bytes())
                .map(|read| read.len())
                .map_err(|refusal| refusal.code)
        };
        let ids = |n: usize| (0..n).map(|n| one(&format!("<Id>{n}</Id>"))).collect::<String>();
        assert_eq!(all(&ids(5)), Ok(5));
        assert_eq!(all(&ids(6)), Err(ErrorCode::InvalidXmlDocument));
        assert_eq!(all(&one(&format!("<Id>{}</Id>", "é".repeat(64)))), Ok(1));
        let bad_value = Err(ErrorCode::InvalidXmlNodeValue);
        assert_eq!(all(&one(&format!("<Id>{}</Id>", "é".repeat(65)))), bad_value);
        assert_eq!(all(&one("<Id></Id>")), bad_value);
        assert_eq!(all(&one("<Id>a</Id>").repeat(2)), bad_value);
        assert_eq!(all(&one("")), Err(ErrorCode::MissingRequiredXmlNode));
        let policy = |inner: &str| all(&one(&format!("<Id>a</Id><AccessPolicy>{inner}</AccessPolicy>")));
        assert_eq!(policy("<Start>soon</Start>"), bad_value);
        assert_eq!(policy("<Permission>rq</Permission>"), bad_value);
        assert_eq!(policy("<Wish/>"), Err(ErrorCode::UnsupportedXmlNode));
        assert_eq!(
            parse(b"<Other/>").unwrap_err().code,
            ErrorCode::UnsupportedXmlNode
        );
        assert_eq!(
            parse(b"<SignedIdentifiers>").unwrap_err().code,
            ErrorCode::InvalidXmlDocument
        );
    }
}
