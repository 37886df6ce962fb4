//! The options of `sys.configurations`: numbers, bounds and defaults as it documents them.

use crate::instance::Version;

/// An option.
pub(super) struct ServerOption {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) minimum: i64,
    pub(super) maximum: i64,
    pub(super) default: i64,
    pub(super) description: &'static str,
    pub(super) is_advanced: bool,
    pub(super) since: Version,
}

const fn option(
    id: i64,
    name: &'static str,
    bounds: (i64, i64),
    default: i64,
    is_advanced: bool,
    description: &'static str,
) -> ServerOption {
    ServerOption {
        id,
        name,
        minimum: bounds.0,
        maximum: bounds.1,
        default,
        description,
        is_advanced,
        since: Version::V2012,
    }
}

const fn since(since: Version, option: ServerOption) -> ServerOption {
    ServerOption { since, ..option }
}

/// By name.
pub(super) const OPTIONS: &[ServerOption] = &[
    option(16384, "Agent XPs", (0, 1), 0, true, "Enable or disable Agent XPs"),
    since(
        Version::V2014,
        option(
            1584,
            "backup checksum default",
            (0, 1),
            0,
            false,
            "Enable checksum of backups by default",
        ),
    ),
    since(
        Version::V2022,
        option(
            1597,
            "backup compression algorithm",
            (0, 3),
            0,
            false,
            "Configure default backup compression algorithm",
        ),
    ),
    option(
        1579,
        "backup compression default",
        (0, 1),
        0,
        false,
        "Enable compression of backups by default",
    ),
    option(
        1562,
        "clr enabled",
        (0, 1),
        0,
        false,
        "CLR user code execution enabled in the server",
    ),
    option(
        1538,
        "cost threshold for parallelism",
        (0, 32767),
        5,
        true,
        "cost threshold for parallelism",
    ),
    option(
        1539,
        "max degree of parallelism",
        (0, 32767),
        0,
        true,
        "maximum degree of parallelism",
    ),
    option(
        1544,
        "max server memory (MB)",
        (128, 2_147_483_647),
        2_147_483_647,
        true,
        "Maximum size of server memory (MB)",
    ),
    option(
        518,
        "show advanced options",
        (0, 1),
        0,
        false,
        "show advanced options",
    ),
    option(
        103,
        "user connections",
        (0, 32767),
        0,
        true,
        "Number of user connections allowed",
    ),
    option(
        16390,
        "xp_cmdshell",
        (0, 1),
        0,
        true,
        "Enable or disable command shell",
    ),
];
