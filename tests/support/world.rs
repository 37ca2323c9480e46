//! An operator at work: a cluster, a sandbox, the operator between them, and tenants that do not disturb one another.

use std::{
    collections::{BTreeMap, HashSet},
    pin::pin,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use pluvo_operator::api::{PluvoConnection, PluvoUser};
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::timeout};

use super::{
    Cluster, Lease, Operator, OperatorOptions, Organization, PATIENCE, Proxy, Result, Sandbox, background, cluster,
    eventually, manifests, sandbox::OPERATOR,
};

/// What every organization begins with unless a test says otherwise: custom fields of every type, trainings, and an
/// event.
pub const SEED: &str = r"
customFields:
  - {ref: department, title: Department, type: TEXT, for: [USER, GROUP]}
  - {ref: start-date, title: Start date, type: DATE, for: [USER]}
  - {ref: first-aider, title: First aider, type: BOOLEAN, for: [USER]}
  - {ref: site, title: Site, type: SELECT, for: [USER], options: [Utrecht, Delft]}
  - {ref: certificates, title: Certificates, type: MULTISELECT, for: [USER], options: [VCA, BHV, EHBO]}
trainings:
  - {ref: safety-2026, title: Safety}
  - {ref: privacy-2026, title: Privacy}
offers:
  - ref: first-aid
    title: First aid
    events: [{ref: first-aid-sept, title: September, type: MEETING}]
";

/// The namespace of the release that [`World::confine`] makes.
pub const CONFINED: &str = "pluvo-confined";

/// A cluster, a sandbox, and an operator between them. The operator ends first, so that the cluster's next user never
/// meets it.
pub struct World {
    /// The operator, with what the chart gives it.
    pub operator: tokio::sync::Mutex<Operator>,
    /// Pluvo.
    pub sandbox: Sandbox,
    /// The cluster.
    pub cluster: Lease,
}

impl World {
    /// The one that tests share which neither stop the operator nor disturb the cluster.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<World> = OnceCell::const_new();
        SHARED.get_or_try_init(|| async { Self::start().await }).await
    }

    /// A new one with a running operator.
    pub async fn start() -> Result<Self> {
        Self::start_with(SEED, &[]).await
    }

    /// A new one with a running operator, another seed, and more arguments for the sandbox.
    pub async fn start_with(seed: &str, args: &[&str]) -> Result<Self> {
        let world = Self::prepare(seed, args).await?;
        world.operator.lock().await.start().await?;
        Ok(world)
    }

    /// A new one in which the operator is installed and does not run yet.
    pub async fn prepare(seed: &str, args: &[&str]) -> Result<Self> {
        Self::install(Lease::take().await?, seed, args, |options| options).await
    }

    /// [`Self::prepare`], with a proxy between the operator and the API server.
    pub async fn behind_a_proxy(seed: &str) -> Result<(Self, Proxy)> {
        Self::behind_a_proxy_with(seed, &[]).await
    }

    /// [`Self::behind_a_proxy`], with more variables for the operator.
    pub async fn behind_a_proxy_with(seed: &str, env: &[&str]) -> Result<(Self, Proxy)> {
        Self::proxied(Lease::take().await?, seed, env).await
    }

    /// [`Self::behind_a_proxy`], without a recorder: for measurements.
    pub async fn behind_a_proxy_unrecorded(seed: &str) -> Result<(Self, Proxy)> {
        Self::proxied(Cluster::unrecorded().await?.into(), seed, &[]).await
    }

    async fn proxied(cluster: Lease, seed: &str, env: &[&str]) -> Result<(Self, Proxy)> {
        let proxy = Proxy::start(&cluster.kubeconfig()).await?;
        let world = Self::install(cluster, seed, &[], |mut options| {
            options.env.extend(env.iter().map(|variable| (*variable).to_owned()));
            options.through(&proxy)
        })
        .await?;
        Ok((world, proxy))
    }

    async fn install(
        cluster: Lease,
        seed: &str,
        args: &[&str],
        options: impl FnOnce(OperatorOptions) -> OperatorOptions,
    ) -> Result<Self> {
        let sandbox = Sandbox::start_with(seed, args).await?;
        let operator = Operator::install(&cluster, options(OperatorOptions::sandbox(sandbox.url()))).await?;
        Ok(Self {
            operator: operator.into(),
            sandbox,
            cluster,
        })
    }

    /// Puts a second release, which watches one namespace and may do nothing in any other, in the place of the operator,
    /// which must not run.
    pub async fn confine(&self, namespace: &str) -> Result {
        self.cluster.keep();
        let options = OperatorOptions {
            namespace: CONFINED.to_owned(),
            ..OperatorOptions::sandbox(self.sandbox.url())
        };
        let options = options
            .with(&format!("watchNamespace={namespace}"))
            .with("crds.install=false");
        *self.operator.lock().await = Operator::install(&self.cluster, options).await?;
        Ok(())
    }

    /// A namespace with a connection `default` to an organization of its own. `spec` is merged into the connection's.
    pub async fn tenant(&self, prefix: &str, spec: Value) -> Result<Tenant<'_>> {
        let namespace = self.cluster.namespace(prefix).await?;
        let organization = self.sandbox.organization(&namespace);
        let tenant = Tenant {
            world: self,
            client: self.cluster.client().await?,
            organization,
            namespace,
        };
        tenant.connect(spec).await?;
        Ok(tenant)
    }
}

/// A namespace and the organization that its connection leads to.
pub struct Tenant<'a> {
    world: &'a World,
    client: Client,
    /// Pluvo, as a person sees it.
    pub organization: Organization,
    /// The namespace.
    pub namespace: String,
}

/// Its organization is read seldom from now on, so that tests that come later have the machine to themselves.
impl Drop for Tenant<'_> {
    fn drop(&mut self) {
        let (kubeconfig, namespace) = (self.world.cluster.kubeconfig(), self.namespace.clone());
        // Nobody waits for it, and a cluster that has ended needs it no more.
        let _ = background::spawn(async move {
            let seldom = json!({"spec": {"interval": "1h"}});
            let connections = Api::<PluvoConnection>::namespaced(cluster::client(&kubeconfig).await?, &namespace);
            connections
                .patch("default", &PatchParams::default(), &Patch::Merge(seldom))
                .await?;
            Ok::<_, anyhow::Error>(())
        });
    }
}

impl Tenant<'_> {
    async fn connect(&self, spec: Value) -> Result {
        self.secret(OPERATOR.0, OPERATOR.1).await?;
        self.reconnect(spec).await
    }

    /// Replaces the connection: what tests need unless they say otherwise, with `spec` merged into it. The guard hardly
    /// waits and holds nothing, and everything is permitted.
    pub async fn reconnect(&self, spec: Value) -> Result {
        let mut wanted = json!({
            "organization": self.namespace,
            "credentialsSecretRef": {"name": "pluvo-credentials"},
            "interval": "1s",
            "limits": {"requestsPerSecond": 100, "burst": 100},
            "permit": {"roles": ["PARTICIPANT", "TRAINER", "MANAGER"], "exclusive": true},
            "guard": {"settle": "200ms", "maxDestructive": {"count": 100_000}, "maxMails": 100_000},
        });
        merge(&mut wanted, spec);
        self.apply(&object("PluvoConnection", "default", wanted).to_string())
            .await
    }

    /// Sets the credentials.
    pub async fn secret(&self, id: &str, secret: &str) -> Result {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pluvo-credentials"},
            "stringData": {"client-id": id, "client-secret": secret},
        });
        self.apply(&secret.to_string()).await
    }

    /// The connection takes webhooks that are signed with a key, as soon as this is over.
    pub async fn takes_webhooks(&self, keys: Value) -> Result {
        self.webhook_keys(keys).await?;
        self.ready("PluvoConnection", "default").await?;
        // The Secret is read whenever a sweep begins.
        self.sweep().await
    }

    /// Sets the keys of webhooks beside the credentials.
    pub async fn webhook_keys(&self, keys: Value) -> Result {
        let mut data = json!({"client-id": OPERATOR.0, "client-secret": OPERATOR.1});
        merge(&mut data, keys);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pluvo-credentials"}, "stringData": data,
        });
        self.apply(&secret.to_string()).await
    }

    /// Where the operator takes the webhooks of the connection.
    pub async fn webhook(&self) -> String {
        self.world.operator.lock().await.webhook(&self.namespace, "default")
    }

    /// Pluvo tells the operator of everything from now on.
    pub async fn subscribe(&self, key: &str) -> Result {
        let wanted = json!({"url": self.webhook().await, "key": key, "firstPauseMs": 100});
        let subscribed = self
            .organization
            .control(reqwest::Method::POST, "webhooks", Some(&wanted));
        subscribed.await.map(drop)
    }

    /// The most memory that the operator has ever had, in bytes.
    pub async fn peak_memory(&self) -> Result<u64> {
        self.world.operator.lock().await.peak_memory()
    }

    /// Deliveries of webhooks by what became of them, as the operator counts them.
    pub async fn deliveries(&self) -> Result<BTreeMap<String, u64>> {
        let metrics = self.world.operator.lock().await.get("/metrics").await?;
        let ours = format!("namespace=\"{}\"", self.namespace);
        let lines = metrics
            .lines()
            .filter(|line| line.contains("webhooks_total{") && line.contains(&ours));
        lines
            .map(|line| {
                let outcome = line.split("outcome=\"").nth(1).and_then(|rest| rest.split('"').next());
                let count = line.rsplit(' ').next().context("no count")?.parse()?;
                Ok((outcome.context("no outcome")?.to_owned(), count))
            })
            .collect()
    }

    /// Applies manifests in the tenant's namespace.
    pub async fn apply(&self, manifests: &str) -> Result {
        manifests::apply(&self.client, &self.namespace, manifests).await
    }

    /// `kubectl apply` in the tenant's namespace: what a person would read is in the error.
    pub async fn kubectl_apply(&self, manifests: &str) -> Result {
        let args = ["apply", "--namespace", &self.namespace, "-f", "-"];
        self.world.cluster.kubectl_with(&args, manifests).await.map(drop)
    }

    /// Applies one resource of ours.
    pub async fn declare(&self, kind: &str, name: &str, spec: Value) -> Result {
        self.apply(&object(kind, name, spec).to_string()).await
    }

    /// Applies one resource of ours with labels.
    pub async fn declare_labelled(&self, kind: &str, name: &str, labels: Value, spec: Value) -> Result {
        let mut object = object(kind, name, spec);
        object["metadata"]["labels"] = labels;
        self.apply(&object.to_string()).await
    }

    /// Declares a group and that everybody is in it; see [`super::people`].
    pub async fn declare_everybody(&self) -> Result {
        self.declare("PluvoGroup", "all", json!({"ref": "all", "name": "Everybody"}))
            .await?;
        let everybody = json!({"group": {"ref": "all"}, "userSelector": {"matchLabels": {"team": "all"}}});
        self.declare("PluvoGroupMembership", "all", everybody).await
    }

    /// Sets an annotation.
    pub async fn annotate(&self, kind: &str, name: &str, annotation: &str, value: &str) -> Result {
        manifests::annotate(&self.api(kind), name, annotation, value).await
    }

    /// Deletes a resource, without waiting for the end.
    pub async fn delete(&self, kind: &str, name: &str) -> Result {
        self.api(kind).delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a resource is gone.
    pub async fn gone(&self, kind: &str, name: &str) -> Result {
        eventually(&format!("{kind} {name} is gone"), async || {
            match self.api(kind).get_opt(name).await? {
                Some(found) => bail!("{}", found.data["status"]),
                None => Ok(()),
            }
        })
        .await
    }

    /// A resource as the API server has it.
    pub async fn get(&self, kind: &str, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.api(kind).get(name).await?)?)
    }

    /// The resources of a kind of ours in the tenant's namespace.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        manifests::ours(self.client.clone(), &self.namespace, kind)
    }

    /// Waits until a condition of a resource has a status and a reason, reported for its present generation.
    pub async fn reports(&self, kind: &str, name: &str, type_: &str, status: &str, reason: &str) -> Result<Value> {
        self.until(kind, name, &format!("{type_} is {status} {reason}"), |object| {
            let found = condition(object, type_).with_context(|| format!("no condition {type_}"))?;
            ensure!(found["status"] == status && found["reason"] == reason, "{found}");
            ensure!(
                found["observedGeneration"] == object["metadata"]["generation"],
                "of an earlier generation: {found}"
            );
            Ok(())
        })
        .await
    }

    /// Waits until a resource is ready and in sync.
    pub async fn ready(&self, kind: &str, name: &str) -> Result<Value> {
        let reason = match kind {
            "PluvoConnection" => "Connected",
            "ProgressReport" | "CertificateMonitor" | "InactiveUserReport" => "Reported",
            _ => "InSync",
        };
        self.reports(kind, name, "Ready", "True", reason).await
    }

    /// The resources of a kind in the tenant's namespace.
    pub fn api_of<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits until there are so many users that are ready, for as long as any of them changes.
    pub async fn users_ready(&self, count: usize) -> Result {
        let mut events = pin!(watcher(self.api_of::<PluvoUser>(), watcher::Config::default()).default_backoff());
        let (mut ready, mut listed) = (HashSet::new(), false);
        while !listed || ready.len() != count {
            let event = timeout(PATIENCE.time, events.next()).await;
            let stood_still = || format!("{} of {count} users are ready, and none changes", ready.len());
            match event.with_context(stood_still)? {
                Some(Ok(Event::Init)) => ready.clear(),
                Some(Ok(Event::InitDone)) => listed = true,
                Some(Ok(Event::InitApply(user) | Event::Apply(user))) if is_ready(&user) => {
                    ready.insert(user.name_any());
                }
                Some(Ok(Event::InitApply(user) | Event::Apply(user) | Event::Delete(user))) => {
                    ready.remove(&user.name_any());
                }
                Some(Err(_)) => {} // it is watched again
                None => bail!("the watch has ended"),
            }
        }
        Ok(())
    }

    /// Waits until a resource satisfies something, and returns it.
    pub async fn until(&self, kind: &str, name: &str, what: &str, check: impl Fn(&Value) -> Result) -> Result<Value> {
        eventually(&format!("{kind} {name}: {what}"), async || {
            let object = self.get(kind, name).await?;
            check(&object).with_context(|| object["status"].to_string())?;
            Ok(object)
        })
        .await
    }

    /// Waits until Pluvo satisfies something, and returns its state.
    pub async fn pluvo(&self, what: &str, check: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(&format!("Pluvo: {what}"), async || {
            let state = self.organization.state().await?;
            ensure!(check(&state), "{state}");
            Ok(state)
        })
        .await
    }

    /// [`Cluster::sweep`] of the tenant's organization.
    pub async fn sweep(&self) -> Result {
        self.world.cluster.sweep(&self.namespace).await
    }

    /// Waits until `count` more sweeps have ended.
    pub async fn sweeps(&self, count: usize) -> Result {
        let completed = |object: &Value| object["status"]["lastSweep"]["completedAt"].clone();
        let started = |object: &Value| object["status"]["lastSweep"]["startedAt"].clone();
        self.ready("PluvoConnection", "default").await?;
        for _ in 0..count {
            let before = self.get("PluvoConnection", "default").await?;
            self.until("PluvoConnection", "default", "another sweep has ended", |object| {
                ensure!(
                    started(object) != started(&before) && completed(object) != completed(&before),
                    "not yet"
                );
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// The operations that the operator's client had executed: name and outcome, in order.
    pub async fn mutations(&self) -> Result<Vec<String>> {
        let log = self.organization.log().await?;
        let ours = log.into_iter().filter(|entry| entry["client"] == OPERATOR.0);
        Ok(ours
            .map(|entry| entry["operation"].as_str().unwrap_or_default().to_owned())
            .collect())
    }
}

fn is_ready(user: &PluvoUser) -> bool {
    let mut conditions = user.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|known| known.type_ == "Ready" && known.status == "True")
}

/// A resource of ours.
pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "pluvo.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == type_)
}

/// Lays `over` on top of `base`, object by object.
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
