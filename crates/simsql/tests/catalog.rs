//! The catalog against its documentation: columns with names, types and order, values that follow from deeds, versions,
//! permissions, and the queries by which backup tools find their way.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "catalog/columns.rs"]
mod columns;
#[path = "catalog/discovery.rs"]
mod discovery;
#[path = "catalog/permissions.rs"]
mod permissions;
#[path = "catalog/properties.rs"]
mod properties;
#[path = "catalog/server.rs"]
mod server;
#[path = "catalog/values.rs"]
mod values;
