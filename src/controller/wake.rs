//! The queues from which passes are taken: one of names per kind. kube's scheduler removes duplicates, and holds a name
//! whose pass is under way until that has ended.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures::{Stream, StreamExt, channel::mpsc};
use kube::{
    Resource,
    runtime::{controller::ReconcileRequest, reflector::ObjectRef},
};

use parking_lot::Mutex;

use crate::{
    api::Kind,
    plan::{ConnectionKey, ResourceKey},
};

type Name = (Arc<str>, Arc<str>);

/// Passes that were asked for and have not ended.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Arc<Mutex<AwaitedPasses>>);

#[derive(Debug, Default)]
struct AwaitedPasses {
    queued: HashSet<ResourceKey>,
    running: usize,
}

/// A pass that is under way.
pub struct Running(Awaited);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.lock().running -= 1;
    }
}

impl Awaited {
    /// A pass over a resource begins; it ends when what comes out is dropped.
    pub fn begin(&self, key: &ResourceKey) -> Running {
        let mut passes = self.0.lock();
        passes.queued.remove(key);
        passes.running += 1;
        Running(self.clone())
    }

    /// There will be no pass.
    pub fn forget(&self, key: &ResourceKey) {
        self.0.lock().queued.remove(key);
    }

    /// Whether passes are to come or under way.
    pub fn any(&self) -> bool {
        let passes = self.0.lock();
        passes.running > 0 || !passes.queued.is_empty()
    }

    fn add(&self, key: &ResourceKey) {
        self.0.lock().queued.insert(key.clone());
    }
}

/// The entrances of all queues.
#[derive(Clone, Debug)]
pub struct Wakes {
    users: mpsc::UnboundedSender<Name>,
    groups: mpsc::UnboundedSender<Name>,
    memberships: mpsc::UnboundedSender<Name>,
    assignments: mpsc::UnboundedSender<Name>,
    connections: mpsc::UnboundedSender<Name>,
    /// Which passes are to come.
    pub awaited: Awaited,
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
            awaited: Awaited::default(),
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
        self.awaited.add(key);
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
