//! Whether a policy makes sense: every fault at once, each with its field, and advice apart from faults.
//!
//! A fault refuses the policy, a warning does not. Both name the field by its path in the document, what was given, what is
//! allowed and what to do.

mod full;
mod others;

use std::fmt;

use serde::Serialize;

use crate::limits::{Limits, Range};
use crate::policy::{Policy, VERSION};

/// One fault, or one piece of advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The path of the field, as in `full.retention.weekly.count`.
    pub field: String,
    /// What stands there.
    pub given: String,
    /// What may stand there.
    pub allowed: String,
    /// What to do.
    pub next: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}, and may be {}; {}",
            self.field, self.given, self.allowed, self.next
        )
    }
}

/// What was found in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Validation {
    /// What refuses it.
    pub errors: Vec<Finding>,
    /// What it should not be refused for.
    pub warnings: Vec<Finding>,
}

impl Validation {
    /// Whether the policy can be used.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    fn error(
        &mut self,
        field: impl Into<String>,
        given: impl fmt::Display,
        allowed: impl fmt::Display,
        next: &str,
    ) {
        self.errors.push(finding(field.into(), &given, &allowed, next));
    }

    fn warn(
        &mut self,
        field: impl Into<String>,
        given: impl fmt::Display,
        allowed: impl fmt::Display,
        next: &str,
    ) {
        self.warnings.push(finding(field.into(), &given, &allowed, next));
    }

    fn in_range<T: PartialOrd + fmt::Display>(
        &mut self,
        field: impl Into<String>,
        value: &T,
        allowed: &Range<T>,
    ) {
        if !allowed.holds(value) {
            self.error(
                field,
                value,
                allowed,
                "change it, or have the vault's limit raised where it can be",
            );
        }
    }

    /// A list that may neither be empty nor name anything twice.
    fn list<T: PartialEq + fmt::Display>(&mut self, field: &str, list: &[T], what: &str) {
        if list.is_empty() {
            self.error(
                field,
                "empty",
                format_args!("one {what} or more"),
                &format!("name a {what}"),
            );
        }
        let again = list
            .iter()
            .enumerate()
            .find(|(at, item)| list[..*at].contains(item));
        if let Some((_, item)) = again {
            self.error(
                field,
                format_args!("{item} twice"),
                format_args!("each {what} once"),
                "remove one of them",
            );
        }
    }
}

fn finding(field: String, given: &dyn fmt::Display, allowed: &dyn fmt::Display, next: &str) -> Finding {
    Finding {
        field,
        given: given.to_string(),
        allowed: allowed.to_string(),
        next: next.to_owned(),
    }
}

/// All faults and warnings of a policy.
pub fn validate(policy: &Policy, limits: &Limits) -> Validation {
    let limits = limits.tamed();
    let mut found = Validation::default();
    if policy.version != VERSION {
        found.error(
            "version",
            policy.version,
            VERSION,
            "write the policy in this version",
        );
    }
    check_name(policy, &limits, &mut found);
    full::check(policy, &limits, &mut found);
    others::check(policy, &limits, &mut found);
    found
}

/// What a name must not hold, so that it can be part of an address and of a command line.
const RESERVED: &str = "/\\?#%&<>\"*:|";

fn check_name(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let name = &policy.name;
    let length = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
    if !limits.name_length.holds(&length) {
        let given = format!("{length} characters long");
        let allowed = format!("{} characters long", limits.name_length);
        found.error("name", given, allowed, "give the policy a name");
    }
    let odd = |c: char| c.is_control() || RESERVED.contains(c);
    if name.contains(odd) || name.trim() != name {
        let allowed = format!("anything without {RESERVED}, control characters and spaces around it");
        found.error("name", format!("{name:?}"), allowed, "choose another name");
    }
    let length = policy.description.chars().count();
    if length > limits.description_length_max as usize {
        let given = format!("{length} characters long");
        let allowed = format!("up to {} characters long", limits.description_length_max);
        found.error("description", given, allowed, "shorten it");
    }
}
