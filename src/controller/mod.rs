//! kube-rs: watches in, passes, statuses out.
//!
//! | file | what it does |
//! |---|---|
//! | `cache` | one watch per kind; feeds the registry and wakes passes when something but a status changed |
//! | `pass` | one pass over one managed resource, the same stages for every kind |
//! | `connection` | one pass over one connection; starts and stops organizations |
//! | `organizations`, `settings`, `secret` | from a connection to its organization |
//! | `status`, `finalizer`, `events` | the only writes to Kubernetes |
//! | `context` | what passes share |

mod cache;
mod connection;
mod context;
mod error;
mod events;
mod finalizer;
mod memory;
mod organizations;
mod pass;
mod secret;
mod settings;
mod status;
mod wake;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use kube::{
    Api, Client,
    runtime::{applier, controller},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    api::{PluvoConnection, PluvoGroup, PluvoGroupMembership, PluvoUser, TrainingAssignment},
    plan::registry::Declarable,
    pluvo::endpoint::{AllowedHosts, Endpoint},
    telemetry::Metrics,
};

use cache::{Cached, ManagedSink};
use context::Context;

pub use error::StartError;

/// What the operator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serves every organization from here, instead of from its own address.
    pub sandbox: Option<Endpoint>,
    /// Where connections may lead.
    pub allowed_hosts: AllowedHosts,
    /// Passes at a time, per kind.
    pub concurrency: u16,
}

/// Runs the controllers until `stop` becomes true and everything under way has ended. `ready` becomes true when all
/// watches have shown everything that there is.
pub async fn run(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    ready: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    error::check_crds(&client).await?;
    let (wakes, woken) = wake::channels();
    let (health, health_changes) = tokio::sync::mpsc::unbounded_channel();
    let context = Arc::new(Context::new(client.clone(), options, metrics, wakes.clone(), health));
    let forwarding = tokio::spawn(organizations::forward_wakes(context.clone(), health_changes));

    let wake::Woken {
        users,
        groups,
        memberships,
        assignments,
        connections,
    } = woken;
    let mut kinds: Vec<Kind> = vec![
        managed::<PluvoUser>(&context, users),
        managed::<PluvoGroup>(&context, groups),
        managed::<PluvoGroupMembership>(&context, memberships),
        managed::<TrainingAssignment>(&context, assignments),
        connection_kind(&context, connections),
    ];
    for kind in &mut kinds {
        if wait_or_stop(&mut kind.synced, &mut stop).await {
            abort(kinds, &forwarding);
            return Ok(());
        }
    }
    context.start_passes();
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
    Ok(())
}

/// The tasks of one kind.
struct Kind {
    watch: JoinHandle<()>,
    passes: JoinHandle<()>,
    synced: watch::Receiver<bool>,
}

fn managed<K: Declarable>(context: &Arc<Context>, queue: wake::Queue) -> Kind {
    let (writer, store) = cache::store::<Cached<K>>();
    let (synced_tx, synced) = watch::channel(false);
    let sink = ManagedSink::<K>::new(context.clone());
    let watch = tokio::spawn(cache::watch(
        Api::<K>::all(context.client.clone()),
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
    Kind { watch, passes, synced }
}

fn connection_kind(context: &Arc<Context>, queue: wake::Queue) -> Kind {
    let (writer, store) = cache::store::<Cached<PluvoConnection>>();
    let (synced_tx, synced) = watch::channel(false);
    let sink = connection::Sink::new(context.clone());
    let watch = tokio::spawn(cache::watch(
        Api::<PluvoConnection>::all(context.client.clone()),
        writer,
        sink,
        synced_tx,
    ));
    let context = context.clone();
    let passes = tokio::spawn(async move {
        context.passes_started().await;
        let config = controller::Config::default().concurrency(4);
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
    Kind { watch, passes, synced }
}

async fn wait_or_stop(synced: &mut watch::Receiver<bool>, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = synced.wait_for(|synced| *synced) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

fn abort(kinds: Vec<Kind>, forwarding: &JoinHandle<()>) {
    forwarding.abort();
    for kind in kinds {
        kind.watch.abort();
        kind.passes.abort();
    }
}
