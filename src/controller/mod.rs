//! kube-rs: watches in, passes, statuses out.
//!
//! | file | what it does |
//! |---|---|
//! | `cache` | one watch per kind; feeds the registry and wakes passes when something but a status changed |
//! | `pass` | one pass over one managed resource, the same stages for every kind |
//! | `connection` | one pass over one connection; starts and stops organizations |
//! | `organizations`, `settings`, `secret` | from a connection to its organization |
//! | `going` | whether a namespace or definition is being deleted |
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
mod memory;
mod organizations;
mod pass;
mod release;
mod secret;
mod settings;
mod status;
mod wake;
mod webhooks;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{applier, controller},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    api::{self, Kind, PluvoConnection, for_each_kind},
    plan::registry::Declarable,
    pluvo::endpoint::{AllowedHosts, Endpoint},
    telemetry::Metrics,
    webhook,
};

use cache::{Cached, ManagedSink};
use context::Context;

pub use error::StartError;
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

/// Runs the controllers until `stop` becomes true and everything under way has ended. `ready` becomes true when all
/// watches have shown everything that there is. `webhooks`: where Pluvo's deliveries come in.
pub async fn run(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    ready: watch::Sender<bool>,
    webhooks: Option<TcpListener>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    error::check_crds(&client, options.namespace.as_deref()).await?;
    let (wakes, woken) = wake::channels(metrics.awaited_passes.clone());
    let (health, health_changes) = tokio::sync::mpsc::unbounded_channel();
    let context = Arc::new(Context::new(client.clone(), options, metrics, wakes.clone(), health));
    let forwarding = tokio::spawn(organizations::forward_wakes(context.clone(), health_changes));

    let managed = woken.managed.into_iter();
    let mut kinds: Vec<_> = managed
        .map(|(kind, queue)| managed_kind(kind, &context, queue))
        .chain([connection_kind(&context, woken.connections)])
        .collect();
    for kind in &mut kinds {
        if wait_or_stop(&mut kind.synced, &mut stop).await {
            abort(kinds, &forwarding);
            return Ok(());
        }
    }
    context.start_passes();
    let receiving = webhooks.map(|listener| receive(listener, context.clone(), stop.clone()));
    ready.send_replace(true);
    tracing::info!("all watches are complete");
    // Errors only if the sender is gone, which ends the process as well.
    let _ = stop.wait_for(|stop| *stop).await;
    tracing::info!("stopping: no new requests, waiting for those under way");
    context.organizations.stop_all().await;
    context.settle(Duration::from_secs(5)).await;
    wakes.close();
    join_all(kinds.iter_mut().map(|kind| &mut kind.passes)).await;
    abort(kinds, &forwarding);
    receiving.iter().for_each(JoinHandle::abort);
    Ok(())
}

/// Serves webhooks until `stop` becomes true.
fn receive(listener: TcpListener, context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let stopped = async move {
            // Errors only if the sender is gone, which ends the process as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = webhook::serve(listener, context, stopped).await {
            tracing::error!(%error, "webhooks are not received any more");
        }
    })
}

/// The tasks of one kind.
struct Tasks {
    watch: JoinHandle<()>,
    passes: JoinHandle<()>,
    synced: watch::Receiver<bool>,
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
    let (writer, store) = cache::store::<Cached<K>>();
    let (synced_tx, synced) = watch::channel(false);
    let sink = ManagedSink::<K>::new(context.clone());
    let watch = tokio::spawn(cache::watch(
        context.options.api(context.client.clone()),
        writer,
        sink,
        synced_tx,
    ));
    let config = controller::Config::default().concurrency(context.options.concurrency);
    let context = context.clone();
    let passes = tokio::spawn(async move {
        context.passes_started().await;
        let stream = applier(
            |object, context| Box::pin(pass::run::<K>(object, context)),
            pass::on_error,
            context.clone(),
            store,
            queue.into_stream(),
            config,
        );
        stream
            .for_each(|result| async move { context::log_result(result) })
            .await;
    });
    Tasks { watch, passes, synced }
}

fn connection_kind(context: &Arc<Context>, queue: wake::Queue) -> Tasks {
    let (writer, store) = cache::store::<Cached<PluvoConnection>>();
    let (synced_tx, synced) = watch::channel(false);
    let sink = connection::Sink::new(context.clone());
    let watch = tokio::spawn(cache::watch(
        context.options.api(context.client.clone()),
        writer,
        sink,
        synced_tx,
    ));
    let context = context.clone();
    let passes = tokio::spawn(async move {
        context.passes_started().await;
        let config = controller::Config::default().concurrency(context.options.concurrency);
        let stream = applier(
            |object, context| Box::pin(connection::run(object, context)),
            pass::on_error,
            context.clone(),
            store,
            queue.into_stream(),
            config,
        );
        stream
            .for_each(|result| async move { context::log_result(result) })
            .await;
    });
    Tasks { watch, passes, synced }
}

async fn wait_or_stop(synced: &mut watch::Receiver<bool>, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = synced.wait_for(|synced| *synced) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

fn abort(kinds: Vec<Tasks>, forwarding: &JoinHandle<()>) {
    forwarding.abort();
    for kind in kinds {
        kind.watch.abort();
        kind.passes.abort();
    }
}
