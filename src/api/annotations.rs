//! The annotations that the operator reads, all under `pluvo.dev/`.

/// Any new value asks for a sweep and a pass at once; it is echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "pluvo.dev/reconcile-requested-at";

/// What all of our annotations start with.
pub const PREFIX: &str = "pluvo.dev/";
