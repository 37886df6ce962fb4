//! The wire, judged by two clients that share no code with it: tiberius, and Microsoft's mssql-tds. Behind it stands a stand-in
//! that knows a few words, so that nothing but the wire is judged here.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

#[path = "wire_clients/mssql.rs"]
mod mssql;
#[path = "wire_clients/served.rs"]
mod served;
#[path = "wire_clients/stand_in.rs"]
mod stand_in;
#[path = "wire_clients/tib.rs"]
mod tib;
