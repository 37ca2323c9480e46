//! The queues from which passes are taken: one of names per kind. kube's scheduler removes duplicates, and holds a name
//! whose pass is under way until that has ended.

use std::{collections::BTreeSet, sync::Arc};

use futures::{Stream, StreamExt, channel::mpsc};
use kube::{
    Resource,
    runtime::{controller::ReconcileRequest, reflector::ObjectRef},
};

use crate::{
    api::Kind,
    plan::{ConnectionKey, ResourceKey},
};

type Name = (Arc<str>, Arc<str>);

/// The entrances of all queues.
#[derive(Clone, Debug)]
pub struct Wakes {
    users: mpsc::UnboundedSender<Name>,
    groups: mpsc::UnboundedSender<Name>,
    memberships: mpsc::UnboundedSender<Name>,
    assignments: mpsc::UnboundedSender<Name>,
    connections: mpsc::UnboundedSender<Name>,
}

/// The exits of all queues.
pub struct Woken {
    pub users: Queue,
    pub groups: Queue,
    pub memberships: Queue,
    pub assignments: Queue,
    pub connections: Queue,
}

/// The exit of one queue.
pub struct Queue(mpsc::UnboundedReceiver<Name>);

/// Empty queues.
pub fn channels() -> (Wakes, Woken) {
    let (users, users_rx) = mpsc::unbounded();
    let (groups, groups_rx) = mpsc::unbounded();
    let (memberships, memberships_rx) = mpsc::unbounded();
    let (assignments, assignments_rx) = mpsc::unbounded();
    let (connections, connections_rx) = mpsc::unbounded();
    let woken = Woken {
        users: Queue(users_rx),
        groups: Queue(groups_rx),
        memberships: Queue(memberships_rx),
        assignments: Queue(assignments_rx),
        connections: Queue(connections_rx),
    };
    (
        Wakes {
            users,
            groups,
            memberships,
            assignments,
            connections,
        },
        woken,
    )
}

impl Wakes {
    /// Asks for a pass over a resource.
    pub fn resource(&self, key: &ResourceKey) {
        let queue = match key.kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
            Kind::Membership => &self.memberships,
            Kind::Assignment => &self.assignments,
        };
        // A closed queue belongs to a process that is ending.
        let _ = queue.unbounded_send((key.namespace.clone(), key.name.clone()));
    }

    /// Asks for a pass over each of several resources.
    pub fn resources(&self, keys: &BTreeSet<ResourceKey>) {
        for key in keys {
            self.resource(key);
        }
    }

    /// Asks for a pass over a connection.
    pub fn connection(&self, key: &ConnectionKey) {
        let _ = self
            .connections
            .unbounded_send((key.namespace.clone(), key.name.clone()));
    }

    /// Lets nothing more in. Passes under way end; so do the streams.
    pub fn close(&self) {
        for queue in [
            &self.users,
            &self.groups,
            &self.memberships,
            &self.assignments,
            &self.connections,
        ] {
            queue.close_channel();
        }
    }
}

impl Queue {
    /// The names as requests for kube's scheduler.
    pub fn into_stream<K: Resource<DynamicType = ()>>(
        self,
    ) -> impl Stream<Item = Result<ReconcileRequest<K>, std::convert::Infallible>> {
        self.0
            .map(|(namespace, name)| Ok(ReconcileRequest::from(ObjectRef::<K>::new(&name).within(&namespace))))
    }
}
