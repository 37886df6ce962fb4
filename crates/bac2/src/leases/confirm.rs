//! The user's word before a lease is broken.
//!
//! A person types the name that is shown; a script says `--yes`. A restore lease is a decision of its own, answered blob
//! by blob. On an account that does not tell of reads `--yes` does not cover it: it takes its name on the command line.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use guard::report::Entry;
use guard::{Deed, Finding, Holder, Place};
use tokio::sync::mpsc;

use super::stop::Stop;
use super::terms::QUIET_UNATTENDED;
use crate::failure::Failure;
use crate::paint::printable;
use crate::quantity::{counted, duration};

/// How the user is asked.
pub(super) enum Consent {
    /// `--yes`: not at all.
    Given,
    /// By questions on standard error.
    Asked(Typed),
}

/// Lines that somebody types.
pub(super) struct Typed {
    lines: Option<mpsc::Receiver<String>>,
}

/// What the user said.
pub(super) struct Answer {
    /// The blobs that may be acted on.
    pub(super) granted: BTreeSet<Place>,
    /// The question about all was not answered with the name.
    pub(super) refused: bool,
}

impl Consent {
    /// `--yes`, or a terminal to ask on.
    ///
    /// # Errors
    /// Neither: said before the long wait and not after it.
    pub(super) fn of(yes: bool, deed: Deed) -> Result<Self, Failure> {
        if yes {
            return Ok(Self::Given);
        }
        if io::stdin().is_terminal() {
            return Ok(Self::Asked(Typed { lines: None }));
        }
        Err(Failure::unusable(
            "NobodyToAsk",
            format!(
                "bac2 leases {} asks before it changes anything, and standard input is no terminal",
                word(deed)
            ),
            "look with --dry-run, then add --yes",
        ))
    }

    /// Asks about `ripe`, the blobs whose leases the rules allow to be broken.
    pub(super) async fn ask(
        &mut self,
        ripe: &[&Finding],
        named: &BTreeSet<Place>,
        deed: Deed,
        account: &str,
        stop: &Stop,
    ) -> Answer {
        let place = |finding: &&Finding| finding.place.clone();
        let mut granted = BTreeSet::new();
        let mut refused = false;
        match self {
            Self::Given => {
                let covered = |finding: &&&Finding| !reads_unseen(finding) || named.contains(&finding.place);
                granted.extend(ripe.iter().filter(covered).map(place));
            }
            Self::Asked(typed) => {
                let (restores, others): (Vec<&Finding>, Vec<&Finding>) =
                    ripe.iter().partition(|finding| finding.holder == Holder::Restore);
                if !others.is_empty() {
                    let name = name(&others, account);
                    refused = !typed.name(&question(&others, &name, deed), &name, stop).await;
                    if !refused {
                        granted.extend(others.iter().map(place));
                    }
                }
                for finding in restores {
                    if !refused && typed.is(&risk(finding, deed), word(deed), stop).await {
                        granted.insert(finding.place.clone());
                    }
                }
            }
        }
        Answer { granted, refused }
    }
}

/// Whether a restore may read the blob at this moment without anybody seeing it.
pub(super) fn reads_unseen(finding: &Finding) -> bool {
    finding.holder == Holder::Restore && finding.witness.is_none()
}

/// Whether what speaks for a break is proof of nothing: nobody saw connections and jobs.
pub(super) fn is_only_evidence(entry: &Entry) -> bool {
    matches!(entry, Entry::Blob { finding, .. } if finding.witness.is_none())
}

/// The command's name.
pub(super) fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Break => "break",
        Deed::Delete { .. } => "delete",
    }
}

/// What is to be typed: the blob's name for one, else the container's if all are in one, else the account's.
fn name(findings: &[&Finding], account: &str) -> String {
    match findings {
        [one] => one.place.blob.clone(),
        [first, rest @ ..]
            if rest
                .iter()
                .all(|one| one.place.container == first.place.container) =>
        {
            first.place.container.clone()
        }
        _ => account_name(account).to_owned(),
    }
}

/// The account's name in its address: the path where there is one, else the first label of the host.
fn account_name(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    match rest.split_once('/') {
        Some((_, path)) if !path.trim_matches('/').is_empty() => path.trim_matches('/'),
        _ => {
            let host = rest.trim_end_matches('/');
            let is_address = host.starts_with(|c: char| c.is_ascii_digit() || c == '[');
            if is_address {
                host
            } else {
                host.split(['.', ':']).next().unwrap_or(host)
            }
        }
    }
}

fn question(findings: &[&Finding], name: &str, deed: Deed) -> String {
    let number = counted(findings.len() as u64, "blob");
    let does = match deed {
        Deed::Break => format!("This breaks the leases of {number}."),
        Deed::Delete { .. } => format!("This breaks the leases of {number} and DELETES them for good."),
    };
    let worth = if findings.iter().any(|finding| finding.witness.is_none()) {
        format!(
            "\nThis account does not tell who is alive: quiet time is evidence, not proof, that a backup died. One that \
             only paused fails when its lease is broken. If in doubt, look on the servers which BACKUP runs \
             (sys.dm_exec_requests), or watch for longer (--min-quiet {}).",
            hours(QUIET_UNATTENDED.as_secs())
        )
    } else {
        String::new()
    };
    format!("{does}{worth}\nType the name {} to go on: ", printable(name))
}

fn hours(seconds: u64) -> String {
    format!("{}h", seconds / 3600)
}

fn risk(finding: &Finding, deed: Deed) -> String {
    let age = match finding.properties.last_modified {
        Some(at) => format!(", last changed {}", at.http_date()),
        None => String::new(),
    };
    let seen = match finding.witness {
        None => "A restore that reads leaves no trace here, so it may run at this moment".to_owned(),
        Some(witness) => format!(
            "The vault's own door saw no use of it for {}; a restore that waits between two reads looks the same",
            duration(Duration::from_millis(witness.quiet()).as_secs_f64())
        ),
    };
    format!(
        "\n{} is held by a RESTORE{age}. {seen}: breaking its lease makes that RESTORE fail.\nType {} to {} it all the \
         same, anything else to leave it alone: ",
        printable(&finding.place.to_string()),
        word(deed),
        word(deed),
    )
}

impl Typed {
    /// Whether the name is typed. An empty line is no answer: it may have been typed during the long watch, which would be
    /// lost.
    async fn name(&mut self, question: &str, wanted: &str, stop: &Stop) -> bool {
        let mut question = question.to_owned();
        loop {
            match self.line(&question, stop).await.as_deref() {
                Some("") => question = format!("Type the name {} to go on: ", printable(wanted)),
                line => return line == Some(wanted),
            }
        }
    }

    /// Whether `wanted` is typed as the answer to `question`.
    async fn is(&mut self, question: &str, wanted: &str, stop: &Stop) -> bool {
        self.line(question, stop).await.as_deref() == Some(wanted)
    }

    /// The line that is typed as the answer to `question`, without its end; `None` where nobody can be asked.
    async fn line(&mut self, question: &str, stop: &Stop) -> Option<String> {
        let mut error_output = io::stderr().lock();
        let asked = error_output
            .write_all(question.as_bytes())
            .and_then(|()| error_output.flush());
        drop(error_output);
        if asked.is_err() {
            return None;
        }
        let lines = self.lines.get_or_insert_with(standard_input);
        let typed = stop.unless(lines.recv()).await.flatten()?;
        Some(typed.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// These lines and then no more.
    #[cfg(test)]
    pub(super) fn of(lines: &[&str]) -> Self {
        let (sender, receiver) = mpsc::channel(lines.len().max(1));
        for line in lines {
            sender.try_send((*line).to_owned()).expect("room for all");
        }
        Self {
            lines: Some(receiver),
        }
    }
}

/// Standard input, line by line. A thread of its own reads, so that a signal ends the waiting; the process's end ends the
/// thread.
fn standard_input() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView, LeaseWitness};
    use azblob::response::BlobType;
    use guard::account::{ETag, Properties};
    use guard::holder::Evidence;
    use guard::{Activity, Content};

    use super::*;

    const ACCOUNT: &str = "https://shop.blob.core.windows.net";

    fn finding(place: &str, holder: Holder, witness: Option<LeaseWitness>) -> Finding {
        Finding {
            place: Place::parse(place).unwrap(),
            properties: Properties {
                kind: BlobType::Page,
                size: 512,
                etag: Some(ETag("\"1\"".to_owned())),
                last_modified: None,
                created: None,
                lease: LeaseView {
                    status: LeaseStatus::Locked,
                    state: LeaseState::Leased,
                    duration: Some(LeaseDurationKind::Infinite),
                },
            },
            holder,
            activity: Activity::Unknown,
            content: Content::Empty,
            uncommitted: None,
            witness,
        }
    }

    fn dead(place: &str) -> Finding {
        finding(place, Holder::Backup(Evidence::TapeHeader), None)
    }

    /// What may be acted on after these answers, and whether all was refused.
    fn asked(findings: &[Finding], mut consent: Consent, named: &[&str]) -> (Vec<String>, bool) {
        let (_nobody, stop) = Stop::by_hand();
        let ripe: Vec<&Finding> = findings.iter().collect();
        let named = named.iter().map(|place| Place::parse(place).unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(consent.ask(&ripe, &named, Deed::Break, ACCOUNT, &stop));
        (
            answer.granted.iter().map(Place::to_string).collect(),
            answer.refused,
        )
    }

    fn typing(lines: &[&str]) -> Consent {
        Consent::Asked(Typed::of(lines))
    }

    #[test]
    fn the_name_of_what_is_meant_is_typed() {
        let one = [dead("a/x/1.bak")];
        assert_eq!(
            asked(&one, typing(&["x/1.bak"]), &[]),
            (vec!["a/x/1.bak".to_owned()], false)
        );
        for wrong in [&["yes"][..], &["a"], &[""], &[]] {
            assert_eq!(asked(&one, typing(wrong), &[]), (vec![], true), "{wrong:?}");
        }
        assert_eq!(asked(&one, typing(&["", "", "x/1.bak"]), &[]).0.len(), 1);
        let same = [dead("a/1"), dead("a/2")];
        assert_eq!(asked(&same, typing(&["a"]), &[]).0.len(), 2);
        let several = [dead("a/1"), dead("b/2")];
        assert_eq!(asked(&several, typing(&["shop"]), &[]).0.len(), 2);
        assert!(asked(&several, typing(&["a"]), &[]).1);
    }

    #[test]
    fn a_restore_takes_an_answer_of_its_own_and_yes_covers_what_the_door_saw() {
        let findings = [
            dead("a/1"),
            finding("a/2", Holder::Restore, None),
            finding("a/3", Holder::Restore, Some(LeaseWitness::default())),
            finding("a/4", Holder::Restore, None),
        ];
        let granted = |consent, named: &[&str]| asked(&findings, consent, named).0;
        assert_eq!(
            granted(typing(&["1", "no", "break", "break"]), &[]),
            ["a/1", "a/3", "a/4"]
        );
        assert_eq!(granted(typing(&["1", "", "", "y"]), &[]), ["a/1"]);
        assert_eq!(granted(Consent::Given, &[]), ["a/1", "a/3"]);
        assert_eq!(granted(Consent::Given, &["a/4"]), ["a/1", "a/3", "a/4"]);
        // All was refused: no further question.
        assert_eq!(granted(typing(&["no", "break", "break"]), &[]), [""; 0]);
    }

    #[test]
    fn an_account_is_called_by_its_name() {
        for (address, name) in [
            ("https://shop.blob.core.windows.net", "shop"),
            ("http://127.0.0.1:10000/vault01", "vault01"),
            ("https://backup.example:8443/vault01", "vault01"),
            ("http://127.0.0.1:10000", "127.0.0.1:10000"),
        ] {
            assert_eq!(account_name(address), name);
        }
    }
}
