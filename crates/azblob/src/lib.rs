//! The Azure Blob contract as pure rules.
//!
//! Leases, signatures, names, ranges, conditions, block lists, error codes, and requests and replies as
//! typed values in both directions: a server parses requests and writes replies, a client builds requests and
//! reads replies, and the two can meet in one process without a socket.
//!
//! Ground floor: no clock, no network, no file, no thread, no randomness. The present moment, fresh lease
//! ids and request ids come in as arguments. What stores the blobs, and what listens, is elsewhere.

pub mod access_policy;
pub mod batch;
pub mod block;
pub mod conditions;
pub mod copy;
pub mod cors;
pub mod digest;
pub mod error;
pub mod etag;
pub mod grant;
pub mod lease;
pub mod limits;
pub mod metadata;
pub mod names;
pub mod page;
pub mod permission;
pub mod properties;
mod query;
pub mod range;
pub mod request;
pub mod response;
pub mod sas;
pub mod service_properties;
pub mod shared_key;
pub mod snapshot;
pub mod tags;
pub mod time;
pub mod version;
pub mod xml;
