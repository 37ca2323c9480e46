//! One watch per kind. What it brings goes into the registry, which says whose plan may be another one now; a status
//! wakes nobody.

use std::{borrow::Cow, collections::HashSet, marker::PhantomData, pin::pin, sync::Arc};

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt,
        reflector::{Store, store::Writer},
        watcher::{self, Event},
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    api::{self, ConnectionRef},
    plan::{ConnectionKey, Object, ResourceKey, registry::Declarable},
    supervise::{self, Current},
};

use super::{
    context::Context,
    incoming::{Incoming, Undecodable},
    readiness, status,
};

/// Objects in one page of a list. Decoding takes several times the memory of what is kept of it.
const PAGE: u32 = 100;

/// A cheap stand-in for an object in kube's store: passes read the registry.
#[derive(Debug)]
pub struct Cached<K>(pub Arc<K>);

impl<K> Clone for Cached<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Resource for Cached<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.0).meta_mut()
    }
}

/// Where the objects of a watch go.
pub trait Sink<K>: Send + 'static {
    /// The version that is known of an object: the one to keep, if it is this one or a newer one.
    fn known(&self, namespace: &str, name: &str) -> Option<Arc<K>>;
    /// An object is new or changed.
    fn set(&self, object: Arc<K>);
    /// An object is gone.
    fn remove(&self, namespace: &str, name: &str);
    /// An object cannot be decoded.
    fn undecodable(&self, object: &Undecodable);
    /// Everything that there is has been shown.
    fn completed(&self);
    /// All objects that are known.
    fn all(&self) -> Vec<(String, String)>;
}

/// An empty store.
pub fn store<C: Resource<DynamicType = ()> + Clone + 'static>() -> (Writer<C>, Store<C>) {
    let writer = Writer::default();
    let store = writer.as_reader();
    (writer, store)
}

/// Watches a kind for ever. `progress` is told how far the watch is.
pub async fn watch<K, S>(api: Api<Incoming<K>>, mut writer: Writer<Cached<K>>, sink: S, progress: readiness::Watch)
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static,
    S: Sink<K>,
{
    let mut events = pin!(watcher::watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
    let mut listed = HashSet::new();
    // What a list shows anew: the store holds it only when the list is complete, and a pass over what the store does
    // not hold would be dropped.
    let mut news = Vec::new();
    while let Some(event) = events.next().await {
        let _item = supervise::begin().await;
        if event.is_ok() {
            progress.goes_on();
        }
        match event {
            Ok(Event::Init) => {
                listed.clear();
                news.clear();
                writer.apply_watcher_event(&Event::Init);
            }
            Ok(Event::InitApply(object)) => {
                listed.insert(name_of(object.meta()));
                if let Some(seen) = look_at(object, &sink) {
                    writer.apply_watcher_event(&Event::InitApply(Cached(seen.object().clone())));
                    news.extend(seen.news());
                }
            }
            Ok(Event::InitDone) => {
                writer.apply_watcher_event(&Event::InitDone);
                for (namespace, name) in sink.all() {
                    if !listed.contains(&(namespace.clone(), name.clone())) {
                        sink.remove(&namespace, &name);
                    }
                }
                news.drain(..).for_each(|object| sink.set(object));
                sink.completed();
                progress.complete();
            }
            Ok(Event::Apply(object)) => {
                if let Some(seen) = look_at(object, &sink) {
                    writer.apply_watcher_event(&Event::Apply(Cached(seen.object().clone())));
                    seen.news().into_iter().for_each(|object| sink.set(object));
                }
            }
            Ok(Event::Delete(object)) => {
                let (namespace, name) = name_of(object.meta());
                sink.remove(&namespace, &name);
                if let Ok(object) = object.0 {
                    writer.apply_watcher_event(&Event::Delete(Cached(Arc::new(object))));
                }
            }
            Err(error) => {
                progress.interrupted();
                tracing::warn!(kind = %K::kind(&()), %error, "the watch was interrupted");
            }
        }
    }
}

/// What a watch showed.
enum Seen<K> {
    /// Something new.
    New(Arc<K>),
    /// No more than what is known: our own last write may be newer.
    Known(Arc<K>),
}

impl<K> Seen<K> {
    fn object(&self) -> &Arc<K> {
        match self {
            Self::New(object) | Self::Known(object) => object,
        }
    }

    fn news(self) -> Option<Arc<K>> {
        match self {
            Self::New(object) => Some(object),
            Self::Known(_) => None,
        }
    }
}

fn name_of(meta: &ObjectMeta) -> (String, String) {
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

fn look_at<K: Resource<DynamicType = ()>, S: Sink<K>>(object: Incoming<K>, sink: &S) -> Option<Seen<K>> {
    let (namespace, name) = name_of(object.meta());
    match object.0 {
        Ok(mut object) => {
            if let Some(known) = sink.known(&namespace, &name)
                && !is_newer(object.meta(), known.meta())
            {
                return Some(Seen::Known(known));
            }
            strip(&mut object);
            Some(Seen::New(Arc::new(object)))
        }
        Err(undecodable) => {
            sink.undecodable(&undecodable);
            None
        }
    }
}

/// Removes what nobody here reads: it is more than half of an object. What is left of the managed fields, and seldom
/// anything is, says that its conditions were written while it could not be decoded.
pub fn strip<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = status::were_conditions_merged(meta).then(|| vec![ManagedFieldsEntry::default()]);
    meta.annotations.take_if(|annotations| {
        annotations.retain(|name, _| name.starts_with(api::annotations::PREFIX));
        // A map that was emptied keeps its memory.
        annotations.is_empty()
    });
}

/// Whether a version is newer than a known one. Resource versions are numbers that grow; another object of the same
/// name is newer in any case.
pub fn is_newer(version: &ObjectMeta, known: &ObjectMeta) -> bool {
    let number = |meta: &ObjectMeta| {
        meta.resource_version
            .as_deref()
            .and_then(|version| version.parse::<u64>().ok())
    };
    version.uid != known.uid
        || number(version)
            .zip(number(known))
            .is_none_or(|(version, known)| version > known)
}

/// Takes managed resources into the registry and wakes whose plan may be another one now.
pub struct ManagedSink<K> {
    context: Arc<Context>,
    kind: PhantomData<K>,
}

impl<K: Declarable> ManagedSink<K> {
    /// A sink for one kind.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            kind: PhantomData,
        }
    }
}

impl<K: Declarable> Sink<K> for ManagedSink<K> {
    fn known(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let registry = self.context.registry.lock();
        registry
            .get(&ResourceKey::new(K::KIND, namespace, name))
            .and_then(K::of)
            .cloned()
    }

    fn set(&self, object: Arc<K>) {
        let woken = self.context.registry.lock().set(object.into_object());
        self.context.wakes.resources(&woken);
    }

    fn remove(&self, namespace: &str, name: &str) {
        let key = ResourceKey::new(K::KIND, namespace, name);
        self.context.forget(&key);
    }

    fn undecodable(&self, object: &Undecodable) {
        let (namespace, name) = name_of(&object.meta);
        tracing::warn!(kind = K::KIND.name(), namespace, name, "the object cannot be decoded");
        let key = ResourceKey::new(K::KIND, &namespace, &name);
        let connection = connection_of(object);
        let woken = self.context.registry.lock().set_undecodable(key, connection);
        self.context.wakes.resources(&woken);
        let (client, meta) = (self.context.client.clone(), object.meta.clone());
        let report = async move { status::report_undecodable::<K>(client, &meta, &status::MANAGED).await };
        tokio::spawn(Current::get().run(report));
    }

    fn completed(&self) {
        self.context.registry.lock().watch_completed(K::KIND);
    }

    fn all(&self) -> Vec<(String, String)> {
        let registry = self.context.registry.lock();
        registry
            .keys()
            .filter(|key| key.kind == K::KIND)
            .map(|key| (key.namespace.to_string(), key.name.to_string()))
            .collect()
    }
}

/// The connection that a resource names which cannot be decoded; `None` if that is what cannot be understood.
fn connection_of(object: &Undecodable) -> Option<ConnectionKey> {
    let named = match &object.spec["connectionRef"] {
        Value::Null => ConnectionRef::default(),
        named => serde_json::from_value(named.clone()).ok()?,
    };
    let own = object.meta.namespace.clone().unwrap_or_default();
    Some(ConnectionKey::new(&named.namespace.unwrap_or(own), &named.name))
}

/// Takes our own write into the registry, so that the next pass judges from it even if the watch lags behind.
pub fn written<K: Declarable>(context: &Context, mut object: K) -> Object {
    strip(&mut object);
    let object = Arc::new(object).into_object();
    let mut registry = context.registry.lock();
    let key = object.key();
    let known = registry.get(&key);
    if known.is_some_and(|known| known.meta().uid == object.meta().uid && is_newer(object.meta(), known.meta())) {
        let woken = registry.set(object.clone());
        context.wakes.resources(&woken);
    }
    object
}
