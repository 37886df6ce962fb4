//! The real account: Microsoft's client library, wrapped.
