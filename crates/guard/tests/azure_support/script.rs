//! A server that answers by the book of a test.
