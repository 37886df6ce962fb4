//! What `sys.configurations` says of an option beside its bounds: a description, and the first version that has it.

use crate::instance::Version;
use crate::session::configuration::ServerOption;

/// The description, where it is another text than the name.
pub(super) fn description(option: &ServerOption) -> &'static str {
    match option.name {
        "Agent XPs" => "Enable or disable Agent XPs",
        "backup checksum default" => "Enable checksum of backups by default",
        "backup compression algorithm" => "Configure default backup compression algorithm",
        "backup compression default" => "Enable compression of backups by default",
        "clr enabled" => "CLR user code execution enabled in the server",
        "max degree of parallelism" => "maximum degree of parallelism",
        "max server memory (MB)" => "Maximum size of server memory (MB)",
        "min server memory (MB)" => "Minimum size of server memory (MB)",
        "user connections" => "Number of user connections allowed",
        "xp_cmdshell" => "Enable or disable command shell",
        name => name,
    }
}

/// The first version that has it.
pub(super) fn since(option: &ServerOption) -> Version {
    match option.name {
        "backup checksum default" => Version::V2014,
        "backup compression algorithm" => Version::V2022,
        _ => Version::V2012,
    }
}
