//! Tests of the store from outside, one binary.

mod contract;
mod support;
