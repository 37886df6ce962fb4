//! Where backups go: one container for each instance or availability group.

use catalog::record::{Container, ContainerId, Server};
use catalog::{Query, Range, Scope, Slot, Transaction, insert, page};
use uuid::Uuid;

use crate::records::Trouble;
use crate::vault::Vault;

/// Letters of an instance's name that its container's name begins with; names of containers have at most 63 (Azure Blob).
const SLUG_MAX: usize = 24;

impl Vault {
    /// The container of an instance, or of the availability group that a database of it belongs to; its record is made where
    /// there is none. It is made in the store by the first backup.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn container_for(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        group: Option<Uuid>,
    ) -> Result<ContainerId, Trouble> {
        let owner = group.map_or_else(|| server.id.to_string(), |group| group.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::B, Range::exactly(owner)).limit(1);
        if let Some(found) = page::<Container>(tx, &query).await?.records.pop() {
            return Ok(found.record.id);
        }
        let id = ContainerId(self.world.chance.uuid());
        let name = match group {
            Some(group) => group_name(server, group),
            None => server.name.clone(),
        };
        let container = Container {
            id,
            name: container_name(&name, id),
            server: group.is_none().then_some(server.id),
            group,
            access_policy: "bac2".to_owned(),
            sas: None,
            sas_until: None,
            credentials: Vec::new(),
            has_lent_policy: false,
        };
        insert(tx, &self.key, container).await?;
        Ok(id)
    }
}

fn group_name(server: &Server, group: Uuid) -> String {
    let seen = server.groups.iter().find(|seen| seen.id == group);
    seen.map_or_else(|| server.name.clone(), |seen| seen.name.clone())
}

/// A name by the rules of containers: lower-case letters, digits and single hyphens, 3 to 63 of them; unique by a part of its id.
fn container_name(name: &str, id: ContainerId) -> String {
    let mut slug = String::new();
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == SLUG_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "sql" } else { slug };
    format!("{slug}-{}", &id.0.simple().to_string()[..12])
}

#[cfg(test)]
mod tests {
    use azblob::names::ContainerName;
    use catalog::record::ContainerId;
    use uuid::Uuid;

    use super::container_name;

    #[test]
    fn any_name_becomes_a_container() {
        let id = ContainerId(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        for (name, expected) in [
            ("SQL01", "sql01-0123456789ab"),
            (r"HOST\INSTANCE", "host-instance-0123456789ab"),
            ("--a  b--", "a-b-0123456789ab"),
            ("Ж", "sql-0123456789ab"),
            (
                "an-instance-with-a-very-long-name",
                "an-instance-with-a-very-0123456789ab",
            ),
        ] {
            let made = container_name(name, id);
            assert_eq!(made, expected);
            ContainerName::new(made).unwrap();
        }
    }
}
