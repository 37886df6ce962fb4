//! SERVERPROPERTY, DATABASEPROPERTYEX, CONNECTIONPROPERTY, SESSIONPROPERTY and `@@VERSION`.
//!
//! `@@VERSION` begins as SQL Server's does, so that programs find product, build and processor in its first line; the second line
//! says what it really is. The last number of the build is 0, which no real build has. Levels name no cumulative update.

use super::call::{Answer, Call, of};
use super::databases::{access_of, model_of, state_of};
use super::view::never;
use crate::engine::Engine;
use crate::engine::boot::Protection;
use crate::instance::{Settings, Version};
use crate::value::{Length, SqlType, Value};

/// Answers, or not.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    match call.name {
        "SERVERPROPERTY" => checked(call, 1, server_property),
        "DATABASEPROPERTYEX" => checked(call, 2, database_property),
        "CONNECTIONPROPERTY" => checked(call, 1, connection_property),
        "SESSIONPROPERTY" => checked(call, 1, session_property),
        "@@VERSION" => of(
            SqlType::NVarChar(Length::Of(300)),
            banner(&call.session.instance.settings),
        ),
        _ => None,
    }
}

fn checked(call: &Call<'_>, arguments: usize, property: fn(&Call<'_>) -> Value) -> Answer {
    if let Err(failure) = call.expect(arguments, arguments) {
        return Some(Err(failure));
    }
    of(SqlType::Variant, property(call))
}

/// `16.0.4175.0`.
pub(super) fn product_version(settings: &Settings) -> String {
    let software = settings.software();
    format!("{}.{}.{}.0", software.major, software.minor, software.build)
}

/// RTM or the service pack, of which 2017 and later have none. The first builds of each are of Microsoft's list of builds.
fn level(settings: &Settings) -> &'static str {
    let packs: &[(u16, &'static str)] = match settings.version {
        Version::V2012 => &[(7001, "SP4"), (6020, "SP3"), (5058, "SP2"), (3000, "SP1")],
        Version::V2014 => &[(6024, "SP3"), (5000, "SP2"), (4100, "SP1")],
        Version::V2016 => &[(6300, "SP3"), (5026, "SP2"), (4001, "SP1")],
        _ => &[],
    };
    let build = settings.software().build;
    let pack = packs.iter().find(|(first, _)| build >= *first);
    pack.map_or("RTM", |(_, name)| name)
}

fn edition(settings: &Settings) -> &'static str {
    match settings.edition {
        2 => "Standard Edition (64-bit)",
        4 => "Express Edition (64-bit)",
        _ => "Developer Edition (64-bit)",
    }
}

/// EditionID, as documented for each edition.
fn edition_id(settings: &Settings) -> i64 {
    match settings.edition {
        2 => -1_534_726_760,
        4 => -1_592_396_055,
        _ => -2_117_995_310,
    }
}

fn banner(settings: &Settings) -> String {
    let version = settings.version;
    let host = match settings.path_separator {
        '\\' => "Windows (bac2 simulation) <X64>",
        _ => "Linux (bac2 simulation) <X64>",
    };
    format!(
        "Microsoft SQL Server {year} ({}) - {} (X64) \n\tbac2's simulated SQL Server {year}: this is a simulation, not Microsoft SQL Server\n\t{} on {host}\n",
        level(settings),
        product_version(settings),
        edition(settings),
        year = version.year(),
    )
}

/// A directory with its separator at the end, as the default paths show it.
fn directory(settings: &Settings, name: &str) -> Value {
    format!("{}{}", settings.path(&[name]), settings.path_separator).into()
}

fn server_property(call: &Call<'_>) -> Value {
    let Some(property) = call.text(0) else {
        return Value::Null;
    };
    let property = property.trim().to_ascii_lowercase();
    let settings = &call.session.instance.settings;
    if let Some(value) = of_identity(call, settings, &property) {
        return value;
    }
    let since = |version: Version, value: Value| {
        if settings.version >= version {
            value
        } else {
            Value::Null
        }
    };
    match property.as_str() {
        "instancedefaultdatapath" | "instancedefaultlogpath" => directory(settings, "data"),
        "instancedefaultbackuppath" => since(Version::V2019, settings.path(&["backup"]).into()),
        "pathseparator" => since(Version::V2017, settings.path_separator.to_string().into()),
        "errorlogfilename" => settings.path(&["log", "errorlog"]).into(),
        "collation" => settings.collation.as_str().into(),
        "collationid" => Value::Integer(872_468_488),
        "comparisonstyle" => Value::Integer(196_609),
        "lcid" => Value::Integer(1033),
        "sqlcharset" => Value::Integer(1),
        "sqlcharsetname" => "iso_1".into(),
        "sqlsortorder" => Value::Integer(52),
        "sqlsortordername" => "nocase_iso".into(),
        "buildclrversion" => "v4.0.30319".into(),
        "licensetype" => "DISABLED".into(),
        "resourceversion" => product_version(settings).into(),
        "filestreamsharename" => settings.instance.as_deref().unwrap_or("MSSQLSERVER").into(),
        "isclustered"
        | "issingleuser"
        | "isfulltextinstalled"
        | "isintegratedsecurityonly"
        | "islocaldb"
        | "filestreamconfiguredlevel"
        | "filestreameffectivelevel" => Value::Integer(0),
        "ispolybaseinstalled" | "isadvancedanalyticsinstalled" => since(Version::V2016, Value::Integer(0)),
        "isxtpsupported" => since(Version::V2014, Value::Integer(0)),
        "isbigdatacluster" | "istempdbmetadatamemoryoptimized" => since(Version::V2019, Value::Integer(0)),
        "isexternalauthenticationonly"
        | "isexternalgovernanceenabled"
        | "isserversuspendedforsnapshotbackup"
        | "suspendeddatabasecount" => since(Version::V2022, Value::Integer(0)),
        _ => Value::Null,
    }
}

/// Names, version, edition, groups.
fn of_identity(call: &Call<'_>, settings: &Settings, property: &str) -> Option<Value> {
    let software = settings.software();
    Some(match property {
        "servername" => settings.server_name().into(),
        "machinename" | "computernamephysicalnetbios" => settings.machine.as_str().into(),
        "instancename" => settings.instance.clone().into(),
        "productversion" => product_version(settings).into(),
        "productmajorversion" => software.major.to_string().into(),
        "productminorversion" => software.minor.to_string().into(),
        "productbuild" => software.build.to_string().into(),
        "productlevel" => level(settings).into(),
        "edition" => edition(settings).into(),
        "editionid" => Value::Integer(edition_id(settings)),
        "engineedition" => Value::Integer(i64::from(settings.edition)),
        "ishadrenabled" => Value::Integer(i64::from(has_groups(call))),
        // 1 started and running, 2 not started.
        "hadrmanagerstatus" => Value::Integer(if has_groups(call) { 1 } else { 2 }),
        _ => return None,
    })
}

/// Availability groups are enabled where there is one.
fn has_groups(call: &Call<'_>) -> bool {
    !call.state().server.groups.is_empty()
}

fn database_property(call: &Call<'_>) -> Value {
    let (Some(_), Some(property)) = (call.text(0), call.text(1)) else {
        return Value::Null;
    };
    let state = call.state();
    let Some(entry) = call.database(&state, 0) else {
        return Value::Null;
    };
    let boot = entry.engine.as_ref().map(Engine::boot);
    let bit = |is_set: bool| Value::Integer(i64::from(is_set));
    let is_on = |switch: &str| bit(entry.switches.contains(switch));
    let settings = &call.session.instance.settings;
    match property.trim().to_ascii_lowercase().as_str() {
        "status" => match entry.state {
            crate::instance::DatabaseState::RecoveryPending => "SUSPECT".into(),
            state => state_of(state).1.into(),
        },
        "recovery" => boot.map(|boot| model_of(boot.recovery_model).1).into(),
        "updateability" => if entry.is_read_only || entry.standby.is_some() {
            "READ_ONLY"
        } else {
            "READ_WRITE"
        }
        .into(),
        "useraccess" => access_of(entry.user_access).1.into(),
        "version" => boot.map(|boot| i64::from(boot.version)).into(),
        "collation" => boot.map(|_| settings.collation.as_str()).into(),
        "comparisonstyle" => Value::Integer(196_609),
        "lcid" => Value::Integer(1033),
        "sqlsortorder" => Value::Integer(52),
        "isinstandby" => bit(entry.standby.is_some()),
        "isautoclose" => is_on("AUTO_CLOSE"),
        "isautoshrink" => is_on("AUTO_SHRINK"),
        "isautocreatestatistics" | "isautoupdatestatistics" => bit(true),
        "istornpagedetectionenabled" => {
            boot.map_or(Value::Null, |boot| bit(boot.page_verify == Protection::Torn))
        }
        "isclone"
        | "isverifiedclone"
        | "isfulltextenabled"
        | "isparameterizationforced"
        | "ispublished"
        | "issubscribed"
        | "ismergepublished"
        | "issyncwithbackup"
        | "isxtpsupported" => bit(false),
        "lastgoodcheckdbtime" => never(),
        "isquotedidentifiersenabled" => is_on("QUOTED_IDENTIFIER"),
        "isansinullsenabled" => is_on("ANSI_NULLS"),
        "isansinulldefault" => is_on("ANSI_NULL_DEFAULT"),
        "isansipaddingenabled" => is_on("ANSI_PADDING"),
        "isansiwarningsenabled" => is_on("ANSI_WARNINGS"),
        "isarithmeticabortenabled" => is_on("ARITHABORT"),
        "isnullconcat" => is_on("CONCAT_NULL_YIELDS_NULL"),
        "isnumericroundabortenabled" => is_on("NUMERIC_ROUNDABORT"),
        "isrecursivetriggersenabled" => is_on("RECURSIVE_TRIGGERS"),
        "isclosecursorsoncommitenabled" => is_on("CURSOR_CLOSE_ON_COMMIT"),
        "islocalcursorsdefault" => bit(false),
        "isdatecorrelationoptimization" => is_on("DATE_CORRELATION_OPTIMIZATION"),
        _ => Value::Null,
    }
}

fn connection_property(call: &Call<'_>) -> Value {
    match call.text(0).unwrap_or_default().to_ascii_lowercase().as_str() {
        "net_transport" | "physical_net_transport" => "TCP".into(),
        "protocol_type" => "TSQL".into(),
        "auth_scheme" => "SQL".into(),
        _ => Value::Null,
    }
}

/// ANSI behaviour is always on.
fn session_property(call: &Call<'_>) -> Value {
    match call.text(0).unwrap_or_default().to_ascii_uppercase().as_str() {
        "ANSI_NULLS"
        | "ANSI_PADDING"
        | "ANSI_WARNINGS"
        | "ARITHABORT"
        | "CONCAT_NULL_YIELDS_NULL"
        | "QUOTED_IDENTIFIER" => Value::Integer(1),
        "NUMERIC_ROUNDABORT" => Value::Integer(0),
        _ => Value::Null,
    }
}
