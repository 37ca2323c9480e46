//! The queues from which passes are taken: one of names per kind. kube's scheduler removes duplicates, and holds a name
//! whose pass is under way until that has ended.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::{Stream, StreamExt, channel::mpsc};
use kube::{
    Resource,
    runtime::{controller::ReconcileRequest, reflector::ObjectRef},
};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::{
    api::Kind,
    organization::Passes,
    plan::{ConnectionKey, ResourceKey},
};

type Name = (Arc<str>, Arc<str>);

/// Passes that were asked for and have not ended.
#[derive(Clone, Debug, Default)]
pub struct Awaited {
    passes: Arc<Mutex<AwaitedPasses>>,
    /// How many there are.
    count: Gauge,
}

#[derive(Debug, Default)]
struct AwaitedPasses {
    queued: HashSet<ResourceKey>,
    /// kube runs one pass over a resource at a time.
    running: HashSet<ResourceKey>,
}

/// A pass that is under way.
pub struct Running(Awaited, ResourceKey);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|passes| {
            passes.running.remove(&self.1);
        });
    }
}

impl Awaited {
    /// A pass over a resource begins; it ends when what comes out is dropped.
    pub fn begin(&self, key: &ResourceKey) -> Running {
        self.change(|passes| {
            passes.queued.remove(key);
            passes.running.insert(key.clone());
        });
        Running(self.clone(), key.clone())
    }

    /// There will be no pass.
    pub fn forget(&self, key: &ResourceKey) {
        self.change(|passes| {
            passes.queued.remove(key);
        });
    }

    fn add(&self, key: &ResourceKey) {
        self.change(|passes| {
            passes.queued.insert(key.clone());
        });
    }

    fn change(&self, change: impl FnOnce(&mut AwaitedPasses)) {
        let mut passes = self.passes.lock();
        change(&mut passes);
        let count = passes.queued.len() + passes.running.len();
        self.count.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// Those under way are to come, too: what they submit is not there yet.
impl Passes for Awaited {
    fn are_to_come(&self) -> bool {
        let passes = self.passes.lock();
        !passes.running.is_empty() || !passes.queued.is_empty()
    }

    fn are_to_come_over(&self, resource: &ResourceKey) -> bool {
        let passes = self.passes.lock();
        passes.running.contains(resource) || passes.queued.contains(resource)
    }
}

/// The entrances of all queues.
#[derive(Clone, Debug)]
pub struct Wakes {
    managed: HashMap<Kind, mpsc::UnboundedSender<Name>>,
    connections: mpsc::UnboundedSender<Name>,
    /// Which passes are to come.
    pub awaited: Awaited,
}

/// The exits of all queues.
pub struct Woken {
    /// One for each managed kind.
    pub managed: Vec<(Kind, Queue)>,
    /// That of connections.
    pub connections: Queue,
}

/// The exit of one queue.
pub struct Queue(mpsc::UnboundedReceiver<Name>);

/// Empty queues. `awaited_passes` counts the passes that are to come or under way.
pub fn channels(awaited_passes: Gauge) -> (Wakes, Woken) {
    let (connections, connections_exit) = mpsc::unbounded();
    let (mut entrances, mut exits) = (HashMap::new(), Vec::new());
    for kind in Kind::ALL {
        let (entrance, exit) = mpsc::unbounded();
        entrances.insert(*kind, entrance);
        exits.push((*kind, Queue(exit)));
    }
    let wakes = Wakes {
        managed: entrances,
        connections,
        awaited: Awaited {
            count: awaited_passes,
            ..Awaited::default()
        },
    };
    let woken = Woken {
        managed: exits,
        connections: Queue(connections_exit),
    };
    (wakes, woken)
}

impl Wakes {
    /// Asks for a pass over a resource.
    pub fn resource(&self, key: &ResourceKey) {
        self.awaited.add(key);
        // A closed queue belongs to a process that is ending.
        if let Some(queue) = self.managed.get(&key.kind) {
            let _ = queue.unbounded_send((key.namespace.clone(), key.name.clone()));
        }
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
        for queue in self.managed.values().chain([&self.connections]) {
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
