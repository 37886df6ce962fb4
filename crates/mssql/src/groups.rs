//! Availability groups, as one of their replicas sees them.

use uuid::Uuid;

use crate::session::{Error, Session};

/// A replica of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The group.
    pub group: Uuid,
    /// Its name.
    pub group_name: String,
    /// `automated_backup_preference`.
    pub preference: Preference,
    /// A basic group, whose secondary takes no backups whatever the preference says.
    pub is_basic: bool,
    /// The instance that is the primary, as the asked replica knows it.
    pub primary: Option<String>,
    /// The replica.
    pub replica: Uuid,
    /// The instance: `MACHINE` or `MACHINE\INSTANCE`.
    pub server_name: String,
    /// `backup_priority`, 0 to 100; 0 is never.
    pub priority: i32,
    /// Whether it is the instance that was asked.
    pub is_local: bool,
    /// PRIMARY, SECONDARY, RESOLVING; `None` where the asked replica does not know, as a secondary does not of others.
    pub role: Option<String>,
    /// CONNECTED, DISCONNECTED.
    pub connected: Option<String>,
    /// NOT_HEALTHY, PARTIALLY_HEALTHY, HEALTHY.
    pub health: Option<String>,
}

/// Where a group wants its log and copy-only backups made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// 0.
    Primary,
    /// 1.
    SecondaryOnly,
    /// 2: a secondary, where there is one.
    Secondary,
    /// 3.
    Any,
}

const REPLICAS: &str = "SELECT g.group_id, g.name AS group_name, g.automated_backup_preference, r.replica_id, r.replica_server_name,
 r.backup_priority, s.is_local, s.role_desc, s.connected_state_desc, s.synchronization_health_desc, t.primary_replica
 FROM sys.availability_groups AS g JOIN sys.availability_replicas AS r ON r.group_id = g.group_id
 LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = r.replica_id
 LEFT JOIN sys.dm_hadr_availability_group_states AS t ON t.group_id = g.group_id ORDER BY g.name, r.replica_server_name;";

/// With all columns, for `basic_features` came with 2016 only.
const GROUPS: &str = "SELECT * FROM sys.availability_groups;";

/// Asks. An instance without groups has none.
///
/// # Errors
/// [`Error`]; [`Error::Refused`] without VIEW SERVER STATE.
pub async fn ask(session: &mut Session) -> Result<Vec<Replica>, Error> {
    let rows = session.query(REPLICAS).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let basic = basic_groups(session).await?;
    rows.iter()
        .map(|row| {
            let group = row.get("group_id")?;
            Ok(Replica {
                is_basic: basic.contains(&group),
                primary: row.optional("primary_replica")?,
                group,
                group_name: row.get("group_name")?,
                preference: match row.optional::<i32>("automated_backup_preference")? {
                    Some(0) => Preference::Primary,
                    Some(1) => Preference::SecondaryOnly,
                    Some(3) => Preference::Any,
                    // What SQL Server takes where nobody said.
                    _ => Preference::Secondary,
                },
                replica: row.get("replica_id")?,
                server_name: row.get("replica_server_name")?,
                priority: row.optional("backup_priority")?.unwrap_or(0),
                is_local: row.optional("is_local")? == Some(true),
                role: row.optional("role_desc")?,
                connected: row.optional("connected_state_desc")?,
                health: row.optional("synchronization_health_desc")?,
            })
        })
        .collect()
}

/// The basic groups.
async fn basic_groups(session: &mut Session) -> Result<Vec<Uuid>, Error> {
    const COLUMN: &str = "basic_features";
    let rows = session.query(GROUPS).await?;
    if !rows.columns.iter().any(|column| column.name == COLUMN) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for row in rows.iter() {
        if row.optional(COLUMN)? == Some(true) {
            found.push(row.get("group_id")?);
        }
    }
    Ok(found)
}
