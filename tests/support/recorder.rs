//! Remembers every version of every object of ours, and every Event.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use k8s_openapi::{
    api::events::v1::Event as KubernetesEvent,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::watcher::{self, Event, watcher},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    Cluster, Result, background, cluster,
    kstatus::{self, Verdict},
};

const GROUP: &str = "pluvo.dev";
const OBJECTS: &str = "recorded.jsonl";
const EVENTS: &str = "events.jsonl";
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// Watches all kinds of group `pluvo.dev` from the moment that they exist, and writes what it sees to
/// `recorded.jsonl` in the cluster's directory; all Events to `events.jsonl`.
pub struct Recorder {
    path: PathBuf,
    _stop: oneshot::Sender<()>, // by being dropped
}

/// One version of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// Whether this is the last version.
    pub deleted: bool,
    /// The object as the API server has it.
    pub object: Value,
}

impl Recorded {
    /// A string in the object: `text("/metadata/name")`.
    pub fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is a version of this object.
    pub fn is(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let found = ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| self.text(pointer));
        found == [kind, namespace, name]
    }

    /// A condition, if the status has it: `condition("Ready")`.
    pub fn condition(&self, name: &str) -> Option<&Value> {
        let conditions = self.object.pointer("/status/conditions")?.as_array()?;
        conditions.iter().find(|condition| condition["type"] == name)
    }
}

impl Recorder {
    /// Starts to watch.
    pub fn start(cluster: &Cluster) -> Result<Self> {
        let path = cluster.directory().join(OBJECTS);
        let log = Log::new(&path)?;
        let events = Log::new(&cluster.directory().join(EVENTS))?;
        let kubeconfig = cluster.kubeconfig();
        let (stop, stopped) = oneshot::channel();
        background::spawn(async move {
            let recorded = tokio::select! {
                result = async {
                    let client = cluster::client(&kubeconfig).await?;
                    let kind = ApiResource::erase::<KubernetesEvent>(&());
                    tokio::try_join!(record(client.clone(), log), watch(client, kind, events))
                } => result.map(drop),
                _ = stopped => Ok(()),
            };
            if let Err(error) = recorded {
                eprintln!("the recorder failed: {error:#}");
            }
        })?;
        Ok(Self { path, _stop: stop })
    }

    /// Every version so far, in the order in which they were seen.
    pub fn recorded(&self) -> Result<Vec<Recorded>> {
        read(&self.path)
    }

    /// Every version so far, with what kstatus says of it.
    pub fn judged(&self) -> Result<Vec<(Recorded, Verdict)>> {
        judged(self.recorded()?)
    }
}

/// The versions that the recorders of all clusters of a run have written; the clusters may be gone.
pub fn of_run(directory: &Path) -> Result<Vec<Recorded>> {
    all(directory, OBJECTS)
}

/// The Events of a run.
pub fn events_of_run(directory: &Path) -> Result<Vec<Recorded>> {
    all(directory, EVENTS)
}

fn all(directory: &Path, name: &str) -> Result<Vec<Recorded>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path().join(name);
        if path.exists() {
            all.extend(read(&path)?);
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<Recorded>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Versions with what kstatus says of them.
pub fn judged(recorded: Vec<Recorded>) -> Result<Vec<(Recorded, Verdict)>> {
    let objects: Vec<_> = recorded.iter().map(|recorded| &recorded.object).collect();
    let verdicts = kstatus::judge(&objects)?;
    Ok(recorded.into_iter().zip(verdicts).collect())
}

/// What all watches write to.
#[derive(Clone)]
struct Log(Arc<Mutex<Written>>);

/// The file, and which versions are in it already: after an interruption a watch begins with what it knows.
struct Written {
    file: File,
    versions: HashSet<Version>,
}

/// `uid` and `resourceVersion`.
type Version = (Option<String>, Option<String>);

impl Log {
    fn new(path: &Path) -> Result<Self> {
        let (file, versions) = (File::create(path)?, HashSet::new());
        Ok(Self(Arc::new(Mutex::new(Written { file, versions }))))
    }

    fn write(&self, object: DynamicObject, deleted: bool) -> Result {
        let version = (object.metadata.uid.clone(), object.metadata.resource_version.clone());
        let mut written = self.0.lock();
        if written.versions.insert(version) {
            let object = serde_json::to_value(object)?;
            let mut line = serde_json::to_vec(&Recorded { deleted, object })?;
            line.push(b'\n');
            written.file.write_all(&line)?;
        }
        Ok(())
    }
}

/// Watches the definitions, and what each of ours defines.
async fn record(client: Client, log: Log) -> Result {
    let mut known = HashSet::new();
    let mut watches = FuturesUnordered::<BoxFuture<'static, Result>>::new();
    let mut definitions = watcher(
        Api::<CustomResourceDefinition>::all(client.clone()),
        watcher::Config::default(),
    )
    .boxed();
    loop {
        let event = tokio::select! {
            Some(result) = watches.next() => { result?; continue }
            event = definitions.next() => event,
        };
        match event {
            Some(Ok(Event::Apply(crd) | Event::InitApply(crd))) => {
                if let Some(kind) = established(&crd)
                    && known.insert(kind.plural.clone())
                {
                    watches.push(Box::pin(watch(client.clone(), kind, log.clone())));
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => tokio::time::sleep(AFTER_ERROR).await,
            None => return Ok(()),
        }
    }
}

async fn watch(client: Client, kind: ApiResource, log: Log) -> Result {
    let mut events = watcher(
        Api::<DynamicObject>::all_with(client, &kind),
        watcher::Config::default(),
    )
    .boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => log.write(object, false)?,
            Ok(Event::Delete(object)) => log.write(object, true)?,
            Ok(Event::Init | Event::InitDone) => {}
            // The API server is away, or the definition is: the watcher begins anew.
            Err(_) => tokio::time::sleep(AFTER_ERROR).await,
        }
    }
    Ok(())
}

/// What a definition of ours defines, once it is served.
fn established(crd: &CustomResourceDefinition) -> Option<ApiResource> {
    let spec = &crd.spec;
    let conditions = crd.status.as_ref()?.conditions.as_ref()?;
    let established = conditions
        .iter()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    let version = spec.versions.iter().find(|version| version.storage)?;
    (established && spec.group == GROUP).then(|| ApiResource {
        group: spec.group.clone(),
        version: version.name.clone(),
        api_version: format!("{}/{}", spec.group, version.name),
        kind: spec.names.kind.clone(),
        plural: spec.names.plural.clone(),
    })
}
