//! Jobs by themselves.
