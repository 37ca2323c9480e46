//! A connection of which little can be told.

use kube::core::ObjectMeta;

/// What can be told of a connection that cannot be decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UndecodableConnection {
    /// Its metadata.
    pub meta: ObjectMeta,
    /// The organization that it names, if it names one by name.
    pub organization: Option<String>,
    /// The address that it names, if it names one.
    pub endpoint: Option<String>,
}
