//! Every view of every version gives as many values as it has columns.

use super::{FAMILIES, find, relation};
use crate::instance::{Instance, Settings, Version};
use crate::memory::Memory;
use crate::value::Value;

const VERSIONS: [Version; 7] = [
    Version::V2012,
    Version::V2014,
    Version::V2016,
    Version::V2017,
    Version::V2019,
    Version::V2022,
    Version::V2025,
];

#[test]
fn every_view_of_every_version_answers_with_whole_rows() {
    for version in VERSIONS {
        let memory = Memory::new(7);
        let mut settings = Settings::new(version, "/sim");
        settings.initial_pages = 64;
        let instance = Instance::start(memory.world.clone(), settings).unwrap();
        let session = instance.attach("sa").unwrap();
        for view in FAMILIES.iter().flat_map(|family| family.iter()) {
            let (schema, name) = view.name.split_once('.').unwrap();
            if view.since > version {
                assert!(find(version, schema, name).is_none());
                continue;
            }
            for first in [Value::Null, Value::Integer(1)] {
                let given = view.arguments.map(|count| vec![first.clone(); count]);
                let found = relation(&session, "master", schema, name, given.as_deref()).unwrap();
                let found = found.unwrap_or_else(|failure| panic!("{}: {failure:?}", view.name));
                for row in &found.rows {
                    assert_eq!(row.len(), found.columns.len(), "{} of {version:?}", view.name);
                    for (value, column) in row.iter().zip(&found.columns) {
                        let is_null = *value == Value::Null;
                        assert!(!is_null || column.nullable, "{}.{}", view.name, column.name);
                    }
                }
            }
        }
        std::mem::forget(session);
    }
}
