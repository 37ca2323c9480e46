//! kube-rs: watches in, passes, statuses out.
//!
//! | file | what it does |
//! |---|---|
//! | `cache`, `incoming` | one watch per kind; feeds the registry and wakes passes when something but a status changed |
//! | `readiness` | which watches are behind |
//! | `pass` | one pass over one managed resource, the same stages for every kind |
//! | `connection` | one pass over one connection; starts and stops organizations |
//! | `organizations`, `settings`, `secret` | from a connection to its organization |
//! | `going` | whether a namespace, a definition or a connection is being deleted |
//! | `status`, `finalizer`, `events` | the only writes to Kubernetes |
//! | `webhooks` | from a delivery to the organization that it is about |
//! | `release` | lets resources go before an uninstall |
//! | `context` | what passes share |

mod cache;
mod connection;
mod context;
mod error;
mod events;
mod figures;
mod finalizer;
mod going;
mod incoming;
mod memory;
mod organizations;
mod pass;
mod readiness;
mod release;
mod secret;
mod settings;
mod status;
mod wake;
mod webhooks;

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{
        applier,
        controller::{self, Action},
    },
};
use serde::de::DeserializeOwned;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    api::{self, Kind, for_each_kind},
    plan::registry::Declarable,
    pluvo::endpoint::{AllowedHosts, Endpoint},
    supervise::{self, Supervisor},
    telemetry::Metrics,
    webhook,
};

use cache::{Cached, ManagedSink, Sink};
use context::Context;
use error::PassError;

pub use error::RunError;
pub use readiness::Readiness;
pub use release::release;

/// What the operator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serves every organization from here, instead of from its own address.
    pub sandbox: Option<Endpoint>,
    /// Where connections may lead.
    pub allowed_hosts: AllowedHosts,
    /// Passes at a time, per kind.
    pub concurrency: u16,
    /// The only namespace that is looked at; `None`: all of them.
    pub namespace: Option<String>,
}

impl Options {
    /// The objects of a kind that are looked at.
    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self, client: Client) -> Api<K> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }
}

/// What the controllers stand on.
#[derive(Clone)]
pub struct Base {
    /// Kubernetes.
    pub client: Client,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Is told how far the watches are.
    pub readiness: Arc<Readiness>,
    /// Looks after the tasks.
    pub supervisor: Supervisor,
    /// Becomes true when everything is to end.
    pub stop: watch::Receiver<bool>,
}

/// Runs the controllers until `stop` becomes true and everything under way has ended. `webhooks`: where Pluvo's deliveries
/// come in.
///
/// # Errors
///
/// A definition is missing, or a task has ended that must not: nothing is waited for then, and the process must end.
pub async fn run(base: Base, options: Options, webhooks: Option<TcpListener>) -> Result<(), RunError> {
    let supervisor = base.supervisor.clone();
    tokio::select! {
        ended = supervisor.failed() => Err(ended.into()),
        ended = run_supervised(base, options, webhooks) => ended,
    }
}

async fn run_supervised(base: Base, options: Options, webhooks: Option<TcpListener>) -> Result<(), RunError> {
    error::check_crds(&base.client, options.namespace.as_deref()).await?;
    let (wakes, woken) = wake::channels(base.metrics.awaited_passes.clone());
    let (readiness, mut stop) = (base.readiness.clone(), base.stop.clone());
    let context = Arc::new(Context::new(base, options, wakes.clone()));
    let managed = woken.managed.into_iter();
    let mut kinds: Vec<_> = managed
        .map(|(kind, queue)| managed_kind(kind, &context, queue))
        .chain([connection_kind(&context, woken.connections)])
        .collect();
    let complete = tokio::select! {
        () = readiness.completed() => true,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if complete {
        tracing::info!("all watches are complete");
        context.start_passes();
        let receiving = webhooks.map(|listener| receive(listener, &context));
        // Errors only if the sender is gone, which ends the process as well.
        let _ = stop.wait_for(|stop| *stop).await;
        tracing::info!("stopping: no new requests, waiting for those under way");
        context.organizations.stop_all().await;
        context.settle(Duration::from_secs(5)).await;
        wakes.close();
        join_all(kinds.iter_mut().map(|kind| &mut kind.passes)).await;
        receiving.iter().for_each(JoinHandle::abort);
    }
    for kind in kinds {
        kind.watch.abort();
        kind.passes.abort();
    }
    Ok(())
}

/// Serves webhooks until the operator is stopped.
fn receive(listener: TcpListener, context: &Arc<Context>) -> JoinHandle<()> {
    let (receiver, stop) = (context.clone(), context.stop.clone());
    let mut stopped = stop.clone();
    context.supervisor.spawn("webhook server", stop, async move {
        let stopped = async move {
            // Errors only if the sender is gone, which ends the process as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = webhook::serve(listener, receiver, stopped).await {
            tracing::error!(%error, "webhooks cannot be received any more");
        }
    })
}

/// The tasks of one kind.
struct Tasks {
    watch: JoinHandle<()>,
    passes: JoinHandle<()>,
}

macro_rules! managed_kind {
    ($($kind:ident => $type:ident),* $(,)?) => {
        fn managed_kind(kind: Kind, context: &Arc<Context>, queue: wake::Queue) -> Tasks {
            match kind { $(Kind::$kind => managed::<api::$type>(context, queue)),* }
        }
    };
}
for_each_kind!(managed_kind);

fn managed<K: Declarable>(context: &Arc<Context>, queue: wake::Queue) -> Tasks {
    tasks(context, queue, ManagedSink::<K>::new(context.clone()), pass::run::<K>)
}

fn connection_kind(context: &Arc<Context>, queue: wake::Queue) -> Tasks {
    tasks(context, queue, connection::Sink::new(context.clone()), connection::run)
}

/// Watches a kind, and runs the passes that its queue asks for once all watches are complete.
fn tasks<K, S, P>(
    context: &Arc<Context>,
    queue: wake::Queue,
    sink: S,
    pass: fn(Arc<Cached<K>>, Arc<Context>) -> P,
) -> Tasks
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
    K: Clone + Debug + Send + Sync + 'static,
    S: Sink<K> + Sync,
    P: Future<Output = Result<Action, PassError>> + Send + 'static,
{
    let kind = K::kind(&());
    let (writer, store) = cache::store::<Cached<K>>();
    let objects = context.options.api(context.client.clone());
    let progress = context.readiness.watch(&kind);
    let watch = context.supervisor.spawn(
        &format!("watch of {kind}"),
        context.stop.clone(),
        cache::watch(objects, writer, sink, progress),
    );
    let config = controller::Config::default().concurrency(context.options.concurrency);
    let shared = context.clone();
    let run = async move {
        shared.passes_started().await;
        let stream = applier(
            move |object, context| {
                Box::pin(async move {
                    let _item = supervise::begin().await;
                    pass(object, context).await
                })
            },
            pass::on_error,
            shared,
            store,
            queue.into_stream(),
            config,
        );
        stream
            .for_each(|result| async move { context::log_result(result) })
            .await;
    };
    let passes = context
        .supervisor
        .spawn(&format!("passes over {kind}"), context.stop.clone(), run);
    Tasks { watch, passes }
}
