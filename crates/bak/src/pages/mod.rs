//! The data stream of a backup: 64 KiB extents of eight pages each, without any header between them.
//!
//! [`reader`] takes the stream apart and judges every page; [`identity`] finds out which extent it is; [`page`] is one page and its
//! protection; [`sent`] remembers one bit for each extent; [`space_map`] knows from PFS pages which pages are in use,
//! [`extent_map`] from GAM and DCM pages which extents are sent.

pub(crate) mod extent_map;
pub(crate) mod identity;
pub(crate) mod page;
pub(crate) mod reader;
pub(crate) mod sent;
pub(crate) mod space_map;
