//! The words a DBA uses for what a backup set says about itself.

use bak::{BackupSet, BackupType, Container, FileType, LocalTime, RecoveryModel, SoftwareVersion};

use crate::quantity::duration;

/// `FULL`, `DIFFERENTIAL`, `LOG`, ...
pub(crate) fn backup_type(kind: BackupType) -> &'static str {
    match kind {
        BackupType::Full => "FULL",
        BackupType::Differential => "DIFFERENTIAL",
        BackupType::Log => "LOG",
        BackupType::File => "FILE",
        BackupType::DifferentialFile => "DIFFERENTIAL FILE",
        BackupType::Partial => "PARTIAL",
        BackupType::DifferentialPartial => "DIFFERENTIAL PARTIAL",
        BackupType::Other => "UNKNOWN TYPE",
    }
}

/// `SQL Server 2019 (15.0.2000)`.
pub(crate) fn product(version: SoftwareVersion) -> String {
    let name = match (version.major, version.minor) {
        (8, _) => "2000",
        (9, _) => "2005",
        (10, 50..) => "2008 R2",
        (10, _) => "2008",
        (11, _) => "2012",
        (12, _) => "2014",
        (13, _) => "2016",
        (14, _) => "2017",
        (15, _) => "2019",
        (16, _) => "2022",
        (17, _) => "2025",
        _ => return format!("SQL Server {version}"),
    };
    format!("SQL Server {name} ({version})")
}

/// `2026-11-20 22:00:05`, on the server's clock.
pub(crate) fn moment(time: Option<LocalTime>) -> String {
    time.map_or_else(|| "unknown".to_owned(), |time| time.to_string().replace('T', " "))
}

/// `2026-11-20 22:00:05, took 12 s`.
pub(crate) fn taken(set: &BackupSet) -> String {
    let start = moment(set.backup_start_date);
    match (set.backup_start_date, set.backup_finish_date) {
        (Some(from), Some(to)) if from.to_string()[..11] == to.to_string()[..11] => {
            let of_day =
                |t: LocalTime| f64::from(t.hour) * 3600.0 + f64::from(t.minute) * 60.0 + f64::from(t.second);
            let seconds = of_day(to) - of_day(from);
            match seconds {
                s if s < 1.0 => format!("{start}, within a second"),
                s if s < 100.0 => format!("{start}, took {s} s"),
                s => format!("{start}, took {}", duration(s)),
            }
        }
        (_, Some(to)) => format!("{start} to {}", moment(Some(to))),
        (_, None) => format!("{start}, no finish recorded"),
    }
}

/// `full`, `bulk-logged`, `simple`.
pub(crate) fn recovery_model(model: RecoveryModel) -> &'static str {
    match model {
        RecoveryModel::Full => "full",
        RecoveryModel::BulkLogged => "bulk-logged",
        RecoveryModel::Simple => "simple",
    }
}

/// `data` or `log`.
pub(crate) fn file_type(kind: FileType) -> &'static str {
    match kind {
        FileType::Data => "data",
        FileType::Log => "log",
    }
}

/// `plain` or `compressed`.
pub(crate) fn container(container: Option<Container>) -> &'static str {
    match container {
        Some(Container::Mtf) => "not compressed",
        Some(Container::MssqlBak) => "compressed",
        None => "unknown container",
    }
}
