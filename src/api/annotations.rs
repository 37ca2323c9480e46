//! The annotations that the operator reads, all under `pluvo.dev/`.

/// Any new value asks for a sweep and a pass at once, and for what Pluvo has refused once more; it is echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "pluvo.dev/reconcile-requested-at";

/// On a managed resource: `true` lets its deletion through without any write to Pluvo.
pub const ORPHAN: &str = "pluvo.dev/orphan";

/// On a connection: the digest of the set that its guard holds, which releases exactly that set, once.
pub const APPROVE: &str = "pluvo.dev/approve";

/// What all of our annotations start with.
pub const PREFIX: &str = "pluvo.dev/";
