//! The properties of an account's Blob service: Get and Set Blob Service Properties.
//!
//! What can be switched on is what is offered: rules for cross-origin requests, and the version of requests that name
//! none. Logging into `$logs`, metrics tables, soft deletion and static websites can be set as long as they stay off;
//! switching one on is refused, because a client that believes in it would lose what it counts on. A section that a
//! request does not have stays as it is.

use serde::{Deserialize, Serialize};

use crate::cors::CorsRule;
use crate::error::{ErrorCode, Refusal};
use crate::limits::MAX_CORS_RULES;
use crate::version::ApiVersion;
use crate::xml::{self, Step, Walker};

const ROOT: &str = "StorageServiceProperties";
/// Most origins, and most headers, of a rule; longest of each (Set Blob Service Properties reference).
const MAX_RULE_ENTRIES: usize = 64;
const MAX_RULE_TEXT: usize = 256;
/// Verbs that a rule may allow (Set Blob Service Properties reference).
const METHODS: [&str; 8] = [
    "DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH",
];
/// Sections that can be set only to "off", and the element that would switch each on.
const SWITCHES: [(&str, &str); 7] = [
    ("Logging/Delete", "Storage analytics logging"),
    ("Logging/Read", "Storage analytics logging"),
    ("Logging/Write", "Storage analytics logging"),
    ("HourMetrics/Enabled", "Storage analytics metrics"),
    ("MinuteMetrics/Enabled", "Storage analytics metrics"),
    ("DeleteRetentionPolicy/Enabled", "Soft deletion of blobs"),
    ("StaticWebsite/Enabled", "A static website"),
];
/// Elements that are read over: they say more about what is off.
const DETAILS: [&str; 14] = [
    "Logging/Version",
    "Logging/RetentionPolicy/Enabled",
    "Logging/RetentionPolicy/Days",
    "HourMetrics/Version",
    "HourMetrics/IncludeAPIs",
    "HourMetrics/RetentionPolicy/Enabled",
    "HourMetrics/RetentionPolicy/Days",
    "MinuteMetrics/Version",
    "MinuteMetrics/IncludeAPIs",
    "MinuteMetrics/RetentionPolicy/Enabled",
    "MinuteMetrics/RetentionPolicy/Days",
    "DeleteRetentionPolicy/Days",
    "DeleteRetentionPolicy/AllowPermanentDelete",
    "StaticWebsite/IndexDocument",
];

/// What an account's Blob service is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceProperties {
    /// Who may ask from a browser; at most [`MAX_CORS_RULES`].
    pub cors: Vec<CorsRule>,
    /// The version of requests that name none; [`ApiVersion::CURRENT`] when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_version: Option<ApiVersion>,
}

/// The body of Set Blob Service Properties: what is missing stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceChange {
    /// The new rules, all of them.
    pub cors: Option<Vec<CorsRule>>,
    /// The new default.
    pub default_version: Option<ApiVersion>,
}

impl ServiceProperties {
    /// The properties after a change.
    #[must_use]
    pub fn changed(&self, change: ServiceChange) -> Self {
        Self {
            cors: change.cors.unwrap_or_else(|| self.cors.clone()),
            default_version: change.default_version.or(self.default_version),
        }
    }

    /// The body of Get Blob Service Properties.
    pub fn render(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        xml::open(&mut out, ROOT);
        xml::open(&mut out, "Logging");
        xml::element(&mut out, "Version", "1.0");
        for deed in ["Delete", "Read", "Write"] {
            xml::element(&mut out, deed, "false");
        }
        push_no_retention(&mut out);
        xml::close(&mut out, "Logging");
        for metrics in ["HourMetrics", "MinuteMetrics"] {
            xml::open(&mut out, metrics);
            xml::element(&mut out, "Version", "1.0");
            xml::element(&mut out, "Enabled", "false");
            push_no_retention(&mut out);
            xml::close(&mut out, metrics);
        }
        push_rules(&mut out, &self.cors);
        if let Some(version) = self.default_version {
            xml::element(&mut out, "DefaultServiceVersion", &version.to_string());
        }
        for off in ["DeleteRetentionPolicy", "StaticWebsite"] {
            xml::open(&mut out, off);
            xml::element(&mut out, "Enabled", "false");
            xml::close(&mut out, off);
        }
        xml::close(&mut out, ROOT);
        out
    }
}

fn push_no_retention(out: &mut String) {
    xml::open(out, "RetentionPolicy");
    xml::element(out, "Enabled", "false");
    xml::close(out, "RetentionPolicy");
}

fn push_rules(out: &mut String, rules: &[CorsRule]) {
    xml::open(out, "Cors");
    for rule in rules {
        xml::open(out, "CorsRule");
        xml::element(out, "AllowedOrigins", &rule.allowed_origins.join(","));
        xml::element(out, "AllowedMethods", &rule.allowed_methods.join(","));
        xml::element(out, "MaxAgeInSeconds", &rule.max_age_seconds.to_string());
        xml::element(out, "ExposedHeaders", &rule.exposed_headers.join(","));
        xml::element(out, "AllowedHeaders", &rule.allowed_headers.join(","));
        xml::close(out, "CorsRule");
    }
    xml::close(out, "Cors");
}

/// A rule as its elements come.
#[derive(Default)]
struct RuleDraft {
    origins: Option<Vec<String>>,
    methods: Option<Vec<String>>,
    allowed: Option<Vec<String>>,
    exposed: Option<Vec<String>>,
    max_age: Option<u32>,
}

impl ServiceChange {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `InvalidXmlDocument`, `InvalidXmlNodeValue`, `MissingRequiredXmlNode`; `UnsupportedXmlNode` for what is not
    /// offered, and for elements that no document knows.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let broken = |_| Refusal::from(ErrorCode::InvalidXmlDocument);
        let text = xml::decode(body).map_err(broken)?;
        let mut walker = Walker::new(&text);
        let mut path: Vec<String> = Vec::new();
        let mut change = Self::default();
        let mut rule = RuleDraft::default();
        loop {
            match walker.step().map_err(broken)? {
                Step::Open { name, .. } => {
                    if path.is_empty() && name != ROOT {
                        return Err(ErrorCode::InvalidXmlDocument.into());
                    }
                    path.push(name);
                    match path[1..].join("/").as_str() {
                        "Cors" => change.cors = Some(Vec::new()),
                        "Cors/CorsRule" => rule = RuleDraft::default(),
                        _ => {}
                    }
                }
                Step::Close { text, .. } => {
                    let place = path[1..].join("/");
                    path.pop();
                    change.take(&place, text.trim(), &mut rule)?;
                }
                Step::End => return Ok(change),
            }
        }
    }

    /// The body, as a client sends it.
    pub fn render(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        xml::open(&mut out, ROOT);
        if let Some(rules) = &self.cors {
            push_rules(&mut out, rules);
        }
        if let Some(version) = self.default_version {
            xml::element(&mut out, "DefaultServiceVersion", &version.to_string());
        }
        xml::close(&mut out, ROOT);
        out
    }

    /// Takes one element that has ended.
    fn take(&mut self, place: &str, text: &str, rule: &mut RuleDraft) -> Result<(), Refusal> {
        let bad = || bad_value(place, text);
        if let Some((_, feature)) = SWITCHES.iter().find(|(switch, _)| *switch == place) {
            return match text {
                "true" => Err(not_offered(place, feature)),
                "false" => Ok(()),
                _ => Err(bad()),
            };
        }
        match place {
            "Cors/CorsRule" => {
                let rules = self.cors.get_or_insert_default();
                if rules.len() == MAX_CORS_RULES {
                    return Err(bad_value("Cors", "(more than 5 rules)"));
                }
                rules.push(std::mem::take(rule).finish()?);
            }
            "Cors/CorsRule/AllowedOrigins" => rule.origins = Some(entries(text).ok_or_else(bad)?),
            "Cors/CorsRule/AllowedHeaders" => rule.allowed = Some(entries(text).ok_or_else(bad)?),
            "Cors/CorsRule/ExposedHeaders" => rule.exposed = Some(entries(text).ok_or_else(bad)?),
            "Cors/CorsRule/AllowedMethods" => {
                let methods = entries(text).ok_or_else(bad)?;
                if !methods.iter().all(|method| METHODS.contains(&method.as_str())) {
                    return Err(bad());
                }
                rule.methods = Some(methods);
            }
            "Cors/CorsRule/MaxAgeInSeconds" => {
                let seconds = text.parse::<i32>().ok().and_then(|s| u32::try_from(s).ok());
                rule.max_age = Some(seconds.ok_or_else(bad)?);
            }
            "DefaultServiceVersion" if text.is_empty() => {}
            "DefaultServiceVersion" => {
                let version = ApiVersion::parse(text).filter(|version| *version >= ApiVersion::OLDEST);
                self.default_version = Some(version.ok_or_else(bad)?);
            }
            // Sections themselves, and what only says more about something that is off.
            ""
            | "Cors"
            | "Logging"
            | "HourMetrics"
            | "MinuteMetrics"
            | "DeleteRetentionPolicy"
            | "StaticWebsite" => {}
            _ if place.ends_with("/RetentionPolicy") || DETAILS.contains(&place) => {}
            "StaticWebsite/ErrorDocument404Path" | "StaticWebsite/DefaultIndexDocumentPath" => {}
            _ => {
                let refusal = Refusal::from(ErrorCode::UnsupportedXmlNode);
                return Err(refusal.detail("XmlNodeName", place));
            }
        }
        Ok(())
    }
}

impl RuleDraft {
    fn finish(self) -> Result<CorsRule, Refusal> {
        let missing =
            |name: &str| Refusal::from(ErrorCode::MissingRequiredXmlNode).detail("XmlNodeName", name);
        Ok(CorsRule {
            allowed_origins: self.origins.ok_or_else(|| missing("AllowedOrigins"))?,
            allowed_methods: self.methods.ok_or_else(|| missing("AllowedMethods"))?,
            allowed_headers: self.allowed.ok_or_else(|| missing("AllowedHeaders"))?,
            exposed_headers: self.exposed.ok_or_else(|| missing("ExposedHeaders"))?,
            max_age_seconds: self.max_age.ok_or_else(|| missing("MaxAgeInSeconds"))?,
        })
    }
}

/// The entries of a list with commas. `None` for more, or longer ones, than a rule may have.
fn entries(text: &str) -> Option<Vec<String>> {
    let entries: Vec<String> = text
        .split(',')
        .map(|entry| entry.trim().to_owned())
        .filter(|entry| !entry.is_empty())
        .collect();
    let fits = entries.len() <= MAX_RULE_ENTRIES && entries.iter().all(|entry| entry.len() <= MAX_RULE_TEXT);
    fits.then_some(entries)
}

fn bad_value(node: &str, text: &str) -> Refusal {
    Refusal::from(ErrorCode::InvalidXmlNodeValue)
        .detail("XmlNodeName", node)
        .detail("XmlNodeValue", text)
}

fn not_offered(node: &str, feature: &str) -> Refusal {
    let words = format!("{feature} is not offered by this server, so it cannot be switched on.");
    Refusal::with_message(ErrorCode::UnsupportedXmlNode, words).detail("XmlNodeName", node)
}
