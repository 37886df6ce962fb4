//! `bac2 leases` as a process against a vault's own door, and against the same door when it does not testify, as no
//! other account does: what is found, told apart, broken, deleted and left alone, and what is said about it.
#![cfg(unix)]

mod acting;
mod door;
mod looking;
mod usage;
mod watching;
