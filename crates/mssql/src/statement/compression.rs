//! COMPRESSION, with the algorithm where a version lets it be said.
//!
//! `COMPRESSION` alone leaves the algorithm to the server's own setting. `(ALGORITHM = ...)` is understood from 2022 on, ZSTD and
//! its `LEVEL` from 2025 on (BACKUP in Microsoft's reference of Transact-SQL).

use std::fmt;

use crate::build::Build;

/// How a backup is compressed. Prints as the option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// NO_COMPRESSION.
    #[default]
    Off,
    /// COMPRESSION, by the server's own algorithm.
    On,
    /// By this one.
    By(Codec),
}

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// MS_XPRESS, the only one before 2022.
    MsXpress,
    /// QAT_DEFLATE: by Intel's accelerator, or by its library in software.
    QatDeflate,
    /// ZSTD; without a level, the server's own, which is LOW.
    Zstd(Option<Level>),
}

/// How hard ZSTD works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are SQL Server's")]
pub enum Level {
    Low,
    Medium,
    High,
}

impl Codec {
    /// The first version that has it.
    #[must_use]
    pub fn since(self) -> u16 {
        match self {
            Self::MsXpress => 0,
            Self::QatDeflate => Build::V2022,
            Self::Zstd(_) => Build::V2025,
        }
    }

    /// The option for a version that has it: before 2022 nothing can be said.
    #[must_use]
    pub fn on(self, build: Build) -> Compression {
        if build.major < Build::V2022 {
            Compression::On
        } else {
            Compression::By(self)
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MsXpress => "MS_XPRESS",
            Self::QatDeflate => "QAT_DEFLATE",
            Self::Zstd(_) => "ZSTD",
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = match self {
            Self::Off => return f.write_str("NO_COMPRESSION"),
            Self::On => return f.write_str("COMPRESSION"),
            Self::By(codec) => codec,
        };
        write!(f, "COMPRESSION (ALGORITHM = {codec}")?;
        if let Codec::Zstd(Some(level)) = codec {
            let level = match level {
                Level::Low => "LOW",
                Level::Medium => "MEDIUM",
                Level::High => "HIGH",
            };
            write!(f, ", LEVEL = {level}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::{Codec, Compression, Level};

    #[test]
    fn the_option_as_the_reference_has_it() {
        for (compression, text) in [
            (Compression::Off, "NO_COMPRESSION"),
            (Compression::On, "COMPRESSION"),
            (
                Compression::By(Codec::MsXpress),
                "COMPRESSION (ALGORITHM = MS_XPRESS)",
            ),
            (
                Compression::By(Codec::QatDeflate),
                "COMPRESSION (ALGORITHM = QAT_DEFLATE)",
            ),
            (
                Compression::By(Codec::Zstd(None)),
                "COMPRESSION (ALGORITHM = ZSTD)",
            ),
            (
                Compression::By(Codec::Zstd(Some(Level::Low))),
                "COMPRESSION (ALGORITHM = ZSTD, LEVEL = LOW)",
            ),
            (
                Compression::By(Codec::Zstd(Some(Level::High))),
                "COMPRESSION (ALGORITHM = ZSTD, LEVEL = HIGH)",
            ),
            (
                Compression::By(Codec::Zstd(Some(Level::Medium))),
                "COMPRESSION (ALGORITHM = ZSTD, LEVEL = MEDIUM)",
            ),
        ] {
            assert_eq!(compression.to_string(), text);
        }
    }
}
