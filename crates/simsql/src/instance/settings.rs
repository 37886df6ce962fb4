//! What an instance is started with.

use bak::SoftwareVersion;

/// Which SQL Server it simulates: decides columns, messages, options and the numbers in its backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 11.0
    V2012,
    /// 12.0
    V2014,
    /// 13.0
    V2016,
    /// 14.0
    V2017,
    /// 15.0
    V2019,
    /// 16.0
    V2022,
    /// 17.0
    V2025,
}

impl Version {
    /// The year it is called by.
    #[must_use]
    pub fn year(self) -> u16 {
        match self {
            Self::V2012 => 2012,
            Self::V2014 => 2014,
            Self::V2016 => 2016,
            Self::V2017 => 2017,
            Self::V2019 => 2019,
            Self::V2022 => 2022,
            Self::V2025 => 2025,
        }
    }

    /// The build it says it is where the settings name none (the last number is 0 in every one: no real build is claimed).
    #[must_use]
    pub fn software(self) -> SoftwareVersion {
        let (major, build) = match self {
            Self::V2012 => (11, 7001),
            Self::V2014 => (12, 6024),
            Self::V2016 => (13, 6300),
            Self::V2017 => (14, 3456),
            Self::V2019 => (15, 4415),
            Self::V2022 => (16, 4175),
            Self::V2025 => (17, 1000),
        };
        SoftwareVersion {
            major,
            minor: 0,
            build,
        }
    }

    /// Internal version of databases: 706, 782, 852, 869, 904, 957, 998 (facts of the backup format).
    #[must_use]
    pub fn database_version(self) -> u16 {
        match self {
            Self::V2012 => 706,
            Self::V2014 => 782,
            Self::V2016 => 852,
            Self::V2017 => 869,
            Self::V2019 => 904,
            Self::V2022 => 957,
            Self::V2025 => 998,
        }
    }

    /// Its native compatibility level.
    #[must_use]
    pub fn compatibility_level(self) -> u8 {
        self.software().major * 10
    }
}

/// Settings of an instance.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which SQL Server.
    pub version: Version,
    /// The third number of the build it says it is; `None` for [`Version::software`]'s. It changes what the instance says of
    /// itself, and nothing that it does.
    pub build: Option<u16>,
    /// MachineName.
    pub machine: String,
    /// InstanceName; `None` for the default instance.
    pub instance: Option<String>,
    /// EngineEdition: 2 Standard, 3 Enterprise or Developer, 4 Express.
    pub edition: u8,
    /// Collation of the server.
    pub collation: String,
    /// Directory of everything it keeps; data, log and backup directories are in it.
    pub directory: String,
    /// Password of `sa`; `None` where `sa` cannot log in over the wire.
    pub sa_password: Option<String>,
    /// Pages of a new data file and, as bytes, of a new log where CREATE DATABASE gives no size: SQL Server's 1024 (8 MB), less for
    /// thousands of instances in one process.
    pub initial_pages: u32,
    /// `/` or `\`; with the latter it says that it runs on Windows.
    pub path_separator: char,
}

impl Settings {
    /// A default instance of a version, Developer Edition, on a machine called BAC2SIM.
    #[must_use]
    pub fn new(version: Version, directory: &str) -> Self {
        Self {
            version,
            build: None,
            machine: "BAC2SIM".to_owned(),
            instance: None,
            edition: 3,
            collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
            directory: directory.to_owned(),
            sa_password: None,
            initial_pages: 1024,
            path_separator: '/',
        }
    }

    /// The build it says it is.
    #[must_use]
    pub fn software(&self) -> SoftwareVersion {
        let software = self.version.software();
        SoftwareVersion {
            build: self.build.unwrap_or(software.build),
            ..software
        }
    }

    /// `MACHINE` or `MACHINE\INSTANCE`: `@@SERVERNAME`.
    #[must_use]
    pub fn server_name(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}\\{instance}", self.machine),
            None => self.machine.clone(),
        }
    }

    /// A path below the directory.
    #[must_use]
    pub fn path(&self, parts: &[&str]) -> String {
        let mut path = self.directory.clone();
        for part in parts {
            path.push(self.path_separator);
            path.push_str(part);
        }
        path
    }
}
