//! Tests of the store from outside, one binary.

mod contract;
mod crash;
mod model;
mod support;
mod workload;
