//! The sandbox over HTTP, as a client sees it.
