//! The rule by which another tool owns a chain: it backed up within the last 14 days what only one tool can.
//!
//! Whoever takes logs truncates them: a second tool's logs leave gaps in both chains. Whoever takes fulls that are not copy-only,
//! by a snapshot of the volume too, moves the base of everybody's differentials. Differentials prove a tool that stands on a
//! base, even where its full is older than 14 days. Copy-only fulls disturb nobody.

use catalog::record::{Foreign, ForeignOwner};
use jiff::civil::DateTime;

/// What a set does to others' chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Nothing.
    Harmless,
    /// It truncates the log.
    Log,
    /// It is a base, or stands on one.
    Base,
}

impl Class {
    /// By `type` of `msdb.dbo.backupset`: D database, I its differential, L log, F and G of files, P and Q partial.
    pub(super) fn of(kind: char, is_copy_only: bool) -> Self {
        match kind {
            _ if is_copy_only => Self::Harmless,
            'L' => Self::Log,
            'D' | 'I' | 'F' | 'G' | 'P' | 'Q' => Self::Base,
            _ => Self::Harmless,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Harmless => "copy",
            Self::Log => "log",
            Self::Base => "full",
        }
    }
}

/// Who owns the chain of a database, by other tools' backups of it that ended at or after `since` (server-local).
pub(super) fn owner(seen: &[Foreign], is_log_shipped: bool, since: DateTime) -> Option<ForeignOwner> {
    let newest = |class: Class| {
        seen.iter()
            .filter(|one| one.finished >= since && Class::of(one.kind, one.is_copy_only) == class)
            .max_by_key(|one| (one.finished, one.set))
    };
    let (log, base) = (newest(Class::Log), newest(Class::Base));
    if log.is_none() && base.is_none() && !is_log_shipped {
        return None;
    }
    let mut who: Vec<String> = [log, base].into_iter().flatten().map(describe).collect();
    if is_log_shipped {
        who.insert(0, "log shipping takes its log backups".to_owned());
    }
    Some(ForeignOwner {
        owns_log: log.is_some() || is_log_shipped,
        owns_base: base.is_some(),
        who: who.join("; "),
        is_log_shipping: is_log_shipped,
        is_unknown: false,
    })
}

/// Who took a backup, where to and when, for people.
pub(super) fn describe(one: &Foreign) -> String {
    let what = match one.kind {
        'D' if one.is_copy_only => "a copy-only full",
        'D' => "a full",
        'I' => "a differential",
        'L' if one.is_copy_only => "a copy-only log",
        'L' => "a log",
        'F' | 'G' => "a backup of files",
        'P' | 'Q' => "a partial backup",
        _ => "a backup",
    };
    // 100 more where the device was named by a logical one.
    let product = match one.device_type % 100 {
        7 => " (a virtual device: another backup product)",
        _ => "",
    };
    format!(
        "{} took {what} to {}{product} at {} (server time)",
        one.user, one.device, one.finished
    )
}

#[cfg(test)]
mod tests {
    use catalog::record::{Foreign, ForeignId, ServerId};
    use uuid::Uuid;

    use super::owner;

    fn seen(kind: char, is_copy_only: bool, day: i8, device_type: i32) -> Foreign {
        Foreign {
            id: ForeignId(Uuid::from_u128(1)),
            server: ServerId(Uuid::from_u128(2)),
            database: None,
            name: "Shop".to_owned(),
            set: Uuid::from_u128(3),
            kind,
            is_copy_only,
            finished: jiff::civil::date(2026, 1, day).at(12, 0, 0, 0),
            first_lsn: None,
            last_lsn: None,
            user: r"CORP\agent".to_owned(),
            device: r"D:\x.bak".to_owned(),
            device_type,
        }
    }

    #[test]
    fn who_backs_up_what_only_one_can_owns_it() {
        let since = jiff::civil::date(2026, 1, 10).at(0, 0, 0, 0);
        /// What was seen, whether the log is shipped, and then: owns the log, owns the base.
        type Case = (Vec<Foreign>, bool, Option<(bool, bool)>);
        let cases: [Case; 11] = [
            (vec![], false, None),
            (vec![seen('D', true, 12, 2)], false, None),
            (vec![seen('L', true, 12, 2)], false, None),
            (vec![seen('L', false, 12, 2)], false, Some((true, false))),
            (vec![seen('D', false, 12, 2)], false, Some((false, true))),
            (vec![seen('D', false, 12, 7)], false, Some((false, true))),
            (vec![seen('I', false, 12, 2)], false, Some((false, true))),
            (vec![seen('F', false, 12, 2)], false, Some((false, true))),
            (
                vec![seen('D', false, 11, 2), seen('L', false, 12, 2)],
                false,
                Some((true, true)),
            ),
            // Too old.
            (
                vec![seen('L', false, 9, 2), seen('D', false, 12, 2)],
                false,
                Some((false, true)),
            ),
            (vec![seen('L', false, 9, 2)], true, Some((true, false))),
        ];
        for (backups, is_log_shipped, expected) in cases {
            let found = owner(&backups, is_log_shipped, since);
            let owns = found.as_ref().map(|owner| (owner.owns_log, owner.owns_base));
            assert_eq!(owns, expected, "{backups:?}");
            assert_eq!(found.is_some_and(|owner| owner.is_log_shipping), is_log_shipped);
        }
    }

    #[test]
    fn people_are_told_who_it_was() {
        let since = jiff::civil::date(2026, 1, 10).at(0, 0, 0, 0);
        let backups = [seen('D', false, 12, 107), seen('D', false, 11, 2)];
        let who = owner(&backups, false, since).unwrap().who;
        assert_eq!(
            who,
            r"CORP\agent took a full to D:\x.bak (a virtual device: another backup product) at 2026-01-12T12:00:00 (server time)"
        );
    }
}
