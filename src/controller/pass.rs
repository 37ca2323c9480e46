//! One pass over one managed resource, the same for every kind:
//! **resolve** the connection → **observe** and **plan** (pure, against the mirror) → **report** → **submit**.
//!
//! Guarantees: nothing is submitted before the finalizer is set and before a status that must precede it is written;
//! a pass never waits for Pluvo. Assumes that the registry is complete: passes begin after all watches are.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Api, Resource, runtime::controller::Action};
use tokio::time::Instant;

use crate::{
    api::{
        Reason, Status, annotations,
        reason::{Progress, condition},
    },
    clock::SaturatingAdd,
    organization::{Organization, hold::Hold, state::Moment},
    plan::{
        ConnectionKey, Decision, Finalizer, Object, ResourceKey, Verdict,
        registry::{Declarable, key_of},
        report, resource,
    },
};

use super::{
    cache::{self, Cached},
    connection,
    context::Context,
    error::PassError,
    events, figures, finalizer,
    memory::Memory,
    status,
};

/// A state that is expected to pass by itself is reported if it lasts longer than this.
const FLEETING: Duration = Duration::from_mins(1);
/// What is said although calls are submitted: they do not leave soon.
const STANDING: [Reason; 4] = [
    Reason::ApiUnavailable,
    Reason::ConnectionNotReady,
    Reason::Settling,
    Reason::HeldByGuard,
];
/// After a conflict the watch is given this long to show what changed.
const CONFLICT: Duration = Duration::from_millis(200);

/// Runs one pass.
pub async fn run<K>(cached: Arc<Cached<K>>, context: Arc<Context>) -> Result<Action, PassError>
where
    K: Declarable,
{
    context.note_pass();
    context.metrics.pass(K::KIND);
    let key = key_of(&*cached.0);
    let _running = context.wakes.awaited.begin(&key);
    let Some(object) = context.registry.lock().get(&key).cloned() else {
        return Ok(Action::await_change());
    };
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    let pass = Pass {
        context: &context,
        api: Api::<K>::namespaced(context.client.clone(), &namespace),
        key,
        object,
    };
    pass.run().await
}

/// What to do about a failed pass: a conflict is waited out, everything else backs off.
#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub fn on_error<K: Resource>(cached: Arc<Cached<K>>, error: &PassError, context: Arc<Context>) -> Action
where
    Cached<K>: Resource,
{
    let meta = Resource::meta(&*cached);
    match error {
        PassError::Conflict => {
            context.metrics.conflict();
            Action::requeue(CONFLICT)
        }
        PassError::Kubernetes(_) => {
            let wait = context.memories.backoff(meta.uid.as_deref().unwrap_or_default());
            tracing::warn!(namespace = meta.namespace, name = meta.name, %error, ?wait, "the pass failed and is repeated");
            Action::requeue(wait)
        }
    }
}

struct Pass<'a, K> {
    context: &'a Context,
    api: Api<K>,
    key: ResourceKey,
    object: Object,
}

impl<K> Pass<'_, K>
where
    K: Declarable,
{
    async fn run(mut self) -> Result<Action, PassError> {
        let deleting = self.object.is_deleting();
        if deleting && !finalizer::is_set(self.object.meta()) {
            return Ok(Action::await_change());
        }
        if deleting && self.context.going.namespace(&self.key.namespace).await? {
            // A namespace that ends takes no Events.
            return self.release().await;
        }
        if deleting && let Some(why) = self.why_orphaned().await? {
            events::orphaned::<K>(self.context, self.object.meta(), &why).await;
            return self.release().await;
        }
        if self.object.management().suspend {
            return if deleting {
                self.release().await
            } else {
                self.suspend().await
            };
        }
        let organization = match self.resolve() {
            Ok(organization) => organization,
            Err(verdict) => return self.report_only(verdict).await,
        };
        let handled = self.handle_request(&organization);
        let (decision, as_of) = self.decide(&organization);
        if decision.finalizer == Finalizer::Release && deleting {
            return self.release().await;
        }
        self.set_finalizer(decision.finalizer).await?;
        self.enact(&organization, decision, as_of, handled).await
    }

    fn is_orphaned(&self) -> bool {
        let annotations = self.object.meta().annotations.as_ref();
        annotations
            .and_then(|all| all.get(annotations::ORPHAN))
            .is_some_and(|value| value == "true")
    }

    /// Why a resource that is being deleted leaves Pluvo as it is, whatever its policy says.
    async fn why_orphaned(&self) -> Result<Option<String>, PassError> {
        if self.is_orphaned() {
            return Ok(Some(format!("the annotation {} is set", annotations::ORPHAN)));
        }
        let (connection, namespace) = (self.object.connection(), &self.key.namespace);
        if self.connection_goes(&connection).await? {
            return Ok(Some(format!("PluvoConnection {connection} is being deleted or gone")));
        }
        if *connection.namespace != **namespace && self.context.going.namespace(&connection.namespace).await? {
            return Ok(Some(format!(
                "namespace {} of the connection is being deleted",
                connection.namespace
            )));
        }
        let definitions_go = self.context.going.definitions().await?;
        Ok(definitions_go.then(|| "the CustomResourceDefinitions of pluvo.dev are being deleted".to_owned()))
    }

    /// Whether a connection is being deleted or gone. One that is not watched, and so was never used, is as good as gone.
    async fn connection_goes(&self, connection: &ConnectionKey) -> Result<bool, PassError> {
        let deleting = self.context.registry.lock().is_connection_deleting(connection);
        match deleting {
            Some(deleting) => Ok(deleting),
            None if !self.is_watched(connection) => Ok(true),
            None => self.context.going.connection(connection).await,
        }
    }

    /// Whether the operator looks at the namespace of a connection.
    fn is_watched(&self, connection: &ConnectionKey) -> bool {
        let only = self.context.options.namespace.as_deref();
        only.is_none_or(|only| *connection.namespace == *only)
    }

    fn uid(&self) -> &str {
        self.object.meta().uid.as_deref().unwrap_or_default()
    }

    fn connection_is_absent(&self) -> bool {
        self.context
            .registry
            .lock()
            .connection(&self.object.connection())
            .is_none()
    }

    /// The organization of the resource's connection, if the resource may use it.
    fn resolve(&self) -> Result<Arc<Organization>, Verdict> {
        let connection = self.object.connection();
        let registry = self.context.registry.lock();
        let Some(found) = registry.connection(&connection) else {
            let is_undecodable = registry.undecodable_connection(&connection).is_some();
            return Err(self.unseen(&connection, is_undecodable));
        };
        let own = *connection.namespace == *self.key.namespace;
        if !own
            && !found
                .spec
                .allowed_namespaces
                .names
                .iter()
                .any(|name| **name == *self.key.namespace)
        {
            let message = format!(
                "PluvoConnection {connection} does not allow namespace {}; add it to its spec.allowedNamespaces.names",
                self.key.namespace
            );
            return Err(Verdict::stalled(Reason::NotPermitted, message));
        }
        let has_spoken = connection::has_spoken(found);
        drop(registry);
        self.context.organizations.get(&connection).ok_or_else(|| {
            // A connection that has not been looked at yet is about to be.
            Verdict {
                fleeting: !has_spoken,
                ..Verdict::not_ready(&connection)
            }
        })
    }

    /// Why nothing is known of a connection.
    fn unseen(&self, connection: &ConnectionKey, is_undecodable: bool) -> Verdict {
        if let Some(watched) = &self.context.options.namespace
            && !self.is_watched(connection)
        {
            let message = format!(
                "PluvoConnection {connection} cannot be used: this operator looks at namespace {watched} alone"
            );
            return Verdict::stalled(Reason::NotPermitted, message);
        }
        let message = if is_undecodable {
            format!("PluvoConnection {connection} cannot be decoded; see its status")
        } else if self.object.is_deleting() {
            // It was looked for, and exists.
            format!("PluvoConnection {connection} was not seen yet")
        } else {
            format!("PluvoConnection {connection} does not exist")
        };
        Verdict::reconciling(Reason::ConnectionNotReady, message)
    }

    fn decide(&self, organization: &Organization) -> (Decision, Moment) {
        let memory = self.context.memories.get(self.uid());
        let hold_is_over = memory.hold.is_some_and(|hold| hold.ends() <= Instant::now());
        let wants_reads = !self.is_settled() || organization.health().sweep.count > 0;
        organization.observe(&self.key, wants_reads, |view| {
            let registry = self.context.registry.lock();
            (
                resource::plan(&self.object, &registry, view, hold_is_over),
                view.moment(),
            )
        })
    }

    /// Whether the status that stands is about this very spec.
    fn is_settled(&self) -> bool {
        self.object
            .status()
            .is_some_and(|status| status.observed_generation == self.object.meta().generation)
    }

    /// Whether the status is to stay though this was decided: Pluvo was not looked at for it. Not if the status says that
    /// something is under way, and that somebody must act was found out.
    fn stands(&self, decision: &Decision) -> bool {
        let conditions = self.object.status().map(|status| status.conditions.as_slice());
        let mut conditions = conditions.unwrap_or_default().iter();
        let under_way = conditions.any(|of| of.type_ == condition::RECONCILING);
        let must_act = under_way && decision.verdict.progress == Progress::Stalled;
        !decision.observed && !must_act && self.is_settled() && !self.object.is_deleting()
    }

    /// Takes note of a request to reconcile. Returns its value once what it asks for was read.
    fn handle_request(&self, organization: &Organization) -> Option<String> {
        let wanted = self
            .object
            .meta()
            .annotations
            .as_ref()?
            .get(annotations::RECONCILE_REQUESTED_AT)?;
        if self
            .object
            .status()
            .and_then(|status| status.last_handled_reconcile_at.as_ref())
            == Some(wanted)
        {
            return None;
        }
        let needed = self
            .context
            .memories
            .update(self.uid(), |memory| match &memory.requested {
                Some((value, needed)) if value == wanted => *needed,
                _ => {
                    let needed = organization.request_sweep(Some(&self.key));
                    memory.requested = Some((wanted.clone(), needed));
                    needed
                }
            });
        let is_over = organization.health().sweep.count >= needed && !organization.is_surveying(&self.key);
        is_over.then(|| wanted.clone())
    }

    async fn set_finalizer(&mut self, wanted: Finalizer) -> Result<(), PassError> {
        let is_set = finalizer::is_set(self.object.meta());
        let written = match wanted {
            Finalizer::Require if !is_set && !self.object.is_deleting() && !self.is_orphaned() => {
                Some(finalizer::add(&self.api, self.object.meta()).await?)
            }
            Finalizer::Release if is_set => finalizer::remove(&self.api, self.object.meta()).await?,
            Finalizer::Require | Finalizer::Release | Finalizer::Keep => None,
        };
        if let Some(written) = written {
            self.object = cache::written(self.context, written);
        }
        Ok(())
    }

    async fn enact(
        &mut self,
        organization: &Organization,
        mut decision: Decision,
        as_of: Moment,
        handled: Option<String>,
    ) -> Result<Action, PassError> {
        let now = Instant::now();
        let deadline = self.remember(&mut decision, now);
        let before = self.object.status().cloned();
        let mode = self.context.registry.lock().mode(&self.object);
        let mut status = report::status(&self.object, &decision, mode, Timestamp::now());
        status.last_handled_reconcile_at = handled.or(status.last_handled_reconcile_at);
        figures::publish(self.context, &self.object, &status);
        let precedes = decision.status_precedes_calls(before.as_ref());
        // While users are being created one after the other, there is nothing to say that holds for long.
        let lasting = !decision.verdict.fleeting || (decision.awaited == 0 && self.fleeting_is_over(now));
        let unsent = STANDING.contains(&decision.verdict.reason) || decision.deletion_blocked.is_some();
        let writes = precedes || (lasting && !self.stands(&decision) && (decision.calls.is_empty() || unsent));
        if writes && before.as_ref() != Some(&status) {
            self.write(before.as_ref(), &status).await?;
        }
        if writes && decision.verdict.fleeting {
            // It was told; how it goes on is told again only if it lasts as long once more.
            let uid = self.object.meta().uid.as_deref().unwrap_or_default();
            self.context
                .memories
                .update(uid, |memory| memory.fleeting_since = Some(now));
        }
        organization.record_mails(&self.key, std::mem::take(&mut decision.mailed));
        // If it is not taken, the resource was woken meanwhile, and the next pass is due.
        organization.submit(&self.key, decision.calls, as_of);
        self.context
            .memories
            .update(self.object.meta().uid.as_deref().unwrap_or_default(), |memory| {
                memory.failures = 0;
            });
        Ok(look_again(deadline))
    }

    /// Keeps track of since when the resource waits for what, and turns waiting into a stall when it took too long.
    /// Returns when to look again.
    fn remember(&self, decision: &mut Decision, now: Instant) -> Option<Instant> {
        let timeout: Duration = self.object.management().dependency_timeout.into();
        let waits =
            decision.verdict.reason == Reason::DependencyNotReady && decision.verdict.progress == Progress::Reconciling;
        let reported = self.waiting_for(now);
        let memory = self.context.memories.update(self.uid(), |memory| {
            let keep =
                |since: &mut Option<Instant>, is: bool, start: Instant| *since = is.then(|| since.unwrap_or(start));
            keep(&mut memory.fleeting_since, decision.verdict.fleeting, now);
            memory.hold = Hold::next(memory.hold, decision.awaited, now);
            keep(&mut memory.waiting_since, waits, reported.unwrap_or(now));
            memory.clone()
        });
        let Memory {
            fleeting_since,
            hold,
            waiting_since,
            ..
        } = memory;
        if waiting_since.is_some_and(|since| since.saturating_add(timeout) <= now) {
            decision.verdict.progress = Progress::Stalled;
            decision.verdict.fleeting = false;
        }
        let fleeting = fleeting_since
            .map(|since| since.saturating_add(FLEETING))
            .filter(|at| *at > now);
        let held = hold.map(|hold| hold.ends());
        let waiting = waiting_since
            .map(|since| since.saturating_add(timeout))
            .filter(|at| *at > now);
        [fleeting, held, waiting].into_iter().flatten().min()
    }

    /// Since when the status says that something is missing: this outlives a restart.
    fn waiting_for(&self, now: Instant) -> Option<Instant> {
        let ready = self
            .object
            .status()?
            .conditions
            .iter()
            .find(|known| known.type_ == condition::READY)?;
        let waits = ready.reason == Reason::DependencyNotReady.as_str();
        let elapsed = Timestamp::now().duration_since(ready.last_transition_time.0);
        now.checked_sub(Duration::try_from(elapsed).ok()?).filter(|_| waits)
    }

    fn fleeting_is_over(&self, now: Instant) -> bool {
        self.context
            .memories
            .get(self.uid())
            .fleeting_since
            .is_some_and(|since| since.saturating_add(FLEETING) <= now)
    }

    async fn write(&mut self, before: Option<&Status>, status: &Status) -> Result<(), PassError> {
        let written = status::apply(&self.api, self.object.meta(), status).await?;
        self.context.metrics.status_write(K::KIND);
        events::publish(self.context, &written, before, status).await;
        self.object = cache::written(self.context, written);
        Ok(())
    }

    /// Says what keeps the resource from being planned. What was reported about the same spec stands, unless somebody
    /// must act.
    async fn report_only(&mut self, verdict: Verdict) -> Result<Action, PassError> {
        let now = Instant::now();
        let before = self.object.status().cloned();
        let stands = verdict.progress != Progress::Stalled && self.is_settled() && !self.connection_is_absent();
        let blocked = self.object.is_deleting().then(|| verdict.message.clone());
        let mut decision = Decision {
            deletion_blocked: blocked,
            ..Decision::only(verdict)
        };
        let deadline = self.remember(&mut decision, now);
        let lasting = !decision.verdict.fleeting || self.fleeting_is_over(now);
        let mode = self.context.registry.lock().mode(&self.object);
        let status = report::status(&self.object, &decision, mode, Timestamp::now());
        if lasting && !stands && before.as_ref() != Some(&status) {
            self.write(before.as_ref(), &status).await?;
        }
        Ok(look_again(deadline))
    }

    async fn suspend(&mut self) -> Result<Action, PassError> {
        if let Some(organization) = self.context.organizations.get(&self.object.connection()) {
            organization.withdraw(&self.key);
        }
        let before = self.object.status().cloned();
        let status = report::suspended(&self.object, Timestamp::now());
        if before.as_ref() != Some(&status) {
            self.write(before.as_ref(), &status).await?;
        }
        Ok(Action::await_change())
    }

    /// Lets a resource that is being deleted go.
    async fn release(&mut self) -> Result<Action, PassError> {
        if let Some(written) = finalizer::remove(&self.api, self.object.meta()).await? {
            self.object = cache::written(self.context, written);
        }
        self.context.forget_calls(&self.key);
        Ok(Action::await_change())
    }
}

/// Looks again at a deadline; everything else comes as a wake.
fn look_again(deadline: Option<Instant>) -> Action {
    let wait = |at: Instant| {
        at.saturating_duration_since(Instant::now())
            .saturating_add(Duration::from_millis(10))
    };
    deadline.map_or_else(Action::await_change, |at| Action::requeue(wait(at)))
}
