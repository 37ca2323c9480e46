//! One pass over one connection: starts, changes and stops its organization, and reports how well it is known.

mod endpoint;
mod guard;
mod sink;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Api, Resource, ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use crate::{
    api::{
        Kind, PluvoConnection, PluvoConnectionStatus, Reason, annotations,
        connection::{LastSweep, ManagedCount, SchemaStatus, Strategy, TokenStatus},
        reason::{Progress, condition},
        status::DriftState,
    },
    clock::SaturatingAdd,
    organization::{Start, guard::GuardReport, health::Health, settings::Settings, sweep},
    plan::{ConnectionKey, Verdict, report::transition},
    pluvo::{
        client::{Client, ClientConfig},
        endpoint::Endpoint,
        error::Error,
    },
};

use super::{
    cache::{self, Cached},
    context::Context,
    error::PassError,
    events,
    organizations::Identity,
    secret::SecretSource,
    status,
};

pub use sink::Sink;

/// A process that starts again and again shall not sweep each time.
const MIN_PAUSE: Duration = Duration::from_mins(1);

/// Runs one pass.
pub async fn run(cached: Arc<Cached<PluvoConnection>>, context: Arc<Context>) -> Result<Action, PassError> {
    context.note_pass();
    let key = key_of(&cached.0);
    let Some(connection) = context.registry.lock().connection(&key).cloned() else {
        return Ok(Action::await_change());
    };
    let api = Api::<PluvoConnection>::namespaced(context.client.clone(), &key.namespace);
    Pass {
        context: &context,
        api,
        key,
        connection,
    }
    .run()
    .await
}

fn key_of(connection: &PluvoConnection) -> ConnectionKey {
    ConnectionKey::new(
        connection.metadata.namespace.as_deref().unwrap_or_default(),
        connection.metadata.name.as_deref().unwrap_or_default(),
    )
}

/// Whether a connection's status says something about its present spec that resources may refer to.
pub fn has_spoken(connection: &PluvoConnection) -> bool {
    connection.status.as_ref().is_some_and(|status| {
        let stalled = status.conditions.iter().any(|known| known.type_ == condition::STALLED);
        stalled && status.observed_generation == connection.metadata.generation
    })
}

struct Pass<'a> {
    context: &'a Context,
    api: Api<PluvoConnection>,
    key: ConnectionKey,
    connection: Arc<PluvoConnection>,
}

impl Pass<'_> {
    async fn run(mut self) -> Result<Action, PassError> {
        let endpoint = match self.endpoint() {
            Ok(endpoint) => endpoint,
            Err(verdict) => {
                self.context.organizations.stop(&self.key).await;
                let action = self.report(&verdict, None, None).await?;
                self.wake_dependents();
                return Ok(action);
            }
        };
        let identity = self.identity(&endpoint);
        let running = self.context.organizations.running(&self.key);
        if running.as_ref().is_none_or(|(_, known, _)| *known != identity) {
            if running.is_some() {
                self.context.organizations.stop(&self.key).await;
            }
            return self.start(endpoint, identity).await;
        }
        let Some((organization, _, secret)) = running else {
            return Ok(Action::await_change());
        };
        organization.reconfigure(Settings::from(&self.connection.spec));
        let handled = self.handle_request(&organization);
        let guard = self.guard(&organization).await?;
        let health = organization.health();
        let verdict = self.verdict(&health, secret.problem());
        let action = self.report(&verdict, Some((&health, &guard)), handled).await?;
        organization.guard_recorded(guard.revision);
        Ok(action)
    }

    fn identity(&self, endpoint: &Endpoint) -> Identity {
        let spec = &self.connection.spec;
        Identity {
            endpoint: endpoint.key().clone(),
            secret: spec.credentials_secret_ref.name.clone(),
            ca_bundle: spec.ca_bundle.clone(),
            limits: Settings::from(spec).limits,
        }
    }

    /// Starts the organization. When its first sweep begins is written before it does, so that a process that starts
    /// again and again does not sweep each time.
    async fn start(&mut self, endpoint: Endpoint, identity: Identity) -> Result<Action, PassError> {
        let settings = Settings::from(&self.connection.spec);
        let secret = Arc::new(SecretSource::new(
            self.context.client.clone(),
            &self.key.namespace,
            &identity.secret,
        ));
        let config = ClientConfig {
            ca_bundle: identity.ca_bundle.clone().map(String::into_bytes),
            limits: identity.limits,
            ..ClientConfig::new(endpoint, secret.clone())
        };
        let client = match Client::new(config) {
            Ok(client) => client,
            Err(error) => {
                return self
                    .report(&Verdict::stalled(Reason::InvalidSpec, error.to_string()), None, None)
                    .await;
            }
        };
        let wait = self.pause_before_first_sweep(settings.interval);
        let starts_at = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::now());
        let mut status = self.connection.status.clone().unwrap_or_default();
        status.last_sweep.get_or_insert_default().started_at = Some(Time(starts_at));
        if status.conditions.is_empty() {
            status.conditions = self.conditions(&Verdict::reconciling(Reason::Connecting, "connecting"), None);
        }
        self.write(&status).await?;
        let start = Start {
            name: self.key.to_string().into(),
            client,
            settings,
            record: guard::record(self.connection.status.as_ref()),
            first_sweep: Instant::now().saturating_add(wait),
        };
        {
            // Whoever takes the connection out of the registry stops its organization after that.
            let registry = self.context.registry.lock();
            if registry.connection(&self.key).is_some() {
                self.context.organizations.start(&self.key, identity, secret, start);
            }
        }
        self.wake_dependents();
        Ok(Action::await_change())
    }

    fn wake_dependents(&self) {
        let registry = self.context.registry.lock();
        registry
            .on_connection(&self.key)
            .for_each(|resource| self.context.wakes.resource(resource));
    }

    fn pause_before_first_sweep(&self, interval: Duration) -> Duration {
        let last = self
            .connection
            .status
            .as_ref()
            .and_then(|status| status.last_sweep.as_ref()?.started_at.as_ref());
        let Some(last) = last else { return Duration::ZERO };
        let since = Duration::try_from(Timestamp::now().duration_since(last.0)).unwrap_or_default();
        MIN_PAUSE.min(interval).saturating_sub(since)
    }

    fn handle_request(&self, organization: &crate::organization::Organization) -> Option<String> {
        let wanted = self.connection.annotations().get(annotations::RECONCILE_REQUESTED_AT)?;
        if self
            .connection
            .status
            .as_ref()
            .and_then(|status| status.last_handled_reconcile_at.as_ref())
            == Some(wanted)
        {
            return None;
        }
        let needed =
            self.context
                .memories
                .update(
                    self.connection.metadata.uid.as_deref().unwrap_or_default(),
                    |memory| match &memory.requested {
                        Some((value, needed)) if value == wanted => *needed,
                        _ => {
                            let needed = organization.request_sweep(None);
                            memory.requested = Some((wanted.clone(), needed));
                            needed
                        }
                    },
                );
        (organization.health().sweep.count >= needed).then(|| wanted.clone())
    }

    fn verdict(&self, health: &Health, problem: Option<Reason>) -> Verdict {
        match (&health.failure, problem) {
            (Some(error), Some(Reason::SecretInvalid)) => Verdict::stalled(Reason::SecretInvalid, error.to_string()),
            (Some(error), Some(reason)) => Verdict::reconciling(reason, error.to_string()),
            (Some(error @ (Error::Credentials(_) | Error::Unauthorized)), None) => {
                Verdict::stalled(Reason::CredentialsRejected, error.to_string())
            }
            (Some(error), None) => Verdict::reconciling(Reason::ApiUnavailable, error.to_string()),
            (None, _) if health.sweep.count > 0 || self.was_connected(health) => {
                let users = match health.sweep.count {
                    0 => self.last_sweep().and_then(|sweep| sweep.users).unwrap_or_default(),
                    _ => count(health.sweep.users),
                };
                Verdict::done(Reason::Connected, format!("{users} users are known"))
            }
            (None, _) => Verdict::reconciling(Reason::Connecting, "the first sweep is under way"),
        }
    }

    fn last_sweep(&self) -> Option<&LastSweep> {
        self.connection.status.as_ref()?.last_sweep.as_ref()
    }

    /// A restart is no news: what an earlier process has read lately stands until the first sweep of this one.
    fn was_connected(&self, health: &Health) -> bool {
        let status = self.connection.status.as_ref();
        let is_current = status.is_some_and(|status| status.observed_generation == self.connection.metadata.generation);
        let mut conditions = status.into_iter().flat_map(|status| &status.conditions);
        let was_ready =
            conditions.any(|known| known.type_ == condition::READY && known.reason == Reason::Connected.as_str());
        is_current && was_ready && self.is_fresh(health)
    }

    async fn report(
        &mut self,
        verdict: &Verdict,
        known: Option<(&Health, &GuardReport)>,
        handled: Option<String>,
    ) -> Result<Action, PassError> {
        let health = known.map(|(health, _)| health);
        let before = self.connection.status.clone().unwrap_or_default();
        let mut status = PluvoConnectionStatus {
            observed_generation: self.connection.metadata.generation,
            ..before.clone()
        };
        if let Some((health, guard)) = known {
            self.describe(&mut status, health);
            guard::describe(&mut status, guard);
        }
        status.last_handled_reconcile_at = handled.or(status.last_handled_reconcile_at);
        status.conditions = self.conditions(verdict, health);
        status.conditions.push(self.guard_tripped(&status, verdict.reason));
        if status != before {
            self.write(&status).await?;
            events::guard_tripped(self.context, &self.connection, &before.conditions, &status.conditions).await;
        }
        let stale_at = health
            .filter(|health| self.is_fresh(health))
            .map(|_| self.stale_after());
        Ok(stale_at.map_or_else(Action::await_change, |after| {
            Action::requeue(after.saturating_add(Duration::from_secs(1)))
        }))
    }

    fn describe(&self, status: &mut PluvoConnectionStatus, health: &Health) {
        let sweep = status.last_sweep.get_or_insert_default();
        if health.sweep.count > 0 {
            *sweep = LastSweep {
                started_at: health.sweep.started_at.map(seconds),
                completed_at: health.sweep.completed_at.map(seconds).or(sweep.completed_at.take()),
                requests: Some(health.sweep.requests.into()),
                strategy: Some(strategy(health)),
                users: i64::try_from(health.sweep.users).ok(),
            };
        }
        status.next_sweep_at = health.next_sweep.map(seconds);
        status.schema = Some(SchemaStatus {
            unsupported: health.unsupported.clone(),
        });
        status.token = Some(TokenStatus {
            expires_at: health.token_expires_at.map(seconds),
        });
        status.managed = self.managed();
    }

    fn managed(&self) -> Vec<ManagedCount> {
        let registry = self.context.registry.lock();
        let counts = Kind::ALL.iter().map(|kind| {
            let objects: Vec<_> = registry
                .on_connection(&self.key)
                .filter(|key| key.kind == *kind)
                .filter_map(|key| registry.get(key))
                .collect();
            let drifted = objects.iter().filter(|object| {
                object
                    .status()
                    .and_then(|status| status.drift.as_ref())
                    .is_some_and(|drift| drift.state == DriftState::Drifted)
            });
            ManagedCount {
                kind: kind.name().to_owned(),
                drifted: count(drifted.count()),
                count: count(objects.len()),
            }
        });
        counts.filter(|counted| counted.count > 0).collect()
    }

    /// How old the last complete sweep may be.
    fn stale_after(&self) -> Duration {
        Settings::from(&self.connection.spec).interval.saturating_mul(3)
    }

    /// Whether the last complete sweep, of this process or of one before, is at most three intervals old.
    fn is_fresh(&self, health: &Health) -> bool {
        let before = self
            .last_sweep()
            .and_then(|sweep| sweep.completed_at.as_ref())
            .map(|time| time.0);
        let oldest = self.stale_after();
        let age = |at| Duration::try_from(Timestamp::now().duration_since(at));
        health
            .sweep
            .completed_at
            .or(before)
            .is_some_and(|at| age(at).is_ok_and(|age| age <= oldest))
    }

    fn conditions(&self, verdict: &Verdict, health: Option<&Health>) -> Vec<Condition> {
        let before = self
            .connection
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let make = |type_, value: &str, message: &str| {
            transition(
                before,
                type_,
                value,
                verdict.reason,
                message,
                self.connection.metadata.generation,
                Timestamp::now(),
            )
        };
        let word = |is| if is { "True" } else { "False" };
        let message = &verdict.message;
        let available = match health {
            None => "Unknown",
            // What an earlier process has found stands until this one has asked.
            Some(health) if health.failure.is_none() && !health.reached && !self.was_connected(health) => "Unknown",
            Some(health) => word(health.failure.is_none()),
        };
        let fresh = health.is_some_and(|health| self.is_fresh(health));
        let last_sweep = if fresh {
            "the last complete sweep is at most three intervals old"
        } else {
            "no sweep was completed within the last three intervals"
        };
        let mut conditions = vec![
            make(condition::READY, word(verdict.progress == Progress::Done), message),
            make(condition::AVAILABLE, available, message),
            make(condition::FRESH, word(fresh), last_sweep),
        ];
        match verdict.progress {
            Progress::Reconciling => conditions.push(make(condition::RECONCILING, "True", message)),
            Progress::Stalled => conditions.push(make(condition::STALLED, "True", message)),
            Progress::Done | Progress::Terminating | Progress::Idle => {}
        }
        conditions
    }

    async fn write(&mut self, status: &PluvoConnectionStatus) -> Result<(), PassError> {
        let mut written = status::apply(&self.api, &self.connection.metadata, status).await?;
        cache::strip(&mut written);
        self.connection = Arc::new(written);
        let mut registry = self.context.registry.lock();
        let known = registry.connection(&self.key);
        // The watch may have shown a newer one meanwhile.
        if known.is_some_and(|known| cache::is_newer(self.connection.meta(), known.meta())) {
            registry.set_connection(self.key.clone(), self.connection.clone());
        }
        Ok(())
    }
}

fn strategy(health: &Health) -> Strategy {
    match health.sweep.strategy {
        sweep::Strategy::Lists => Strategy::Lists,
        sweep::Strategy::PointReads => Strategy::PointReads,
    }
}

/// A time as Kubernetes stores it, so that an unchanged status is equal to what is stored.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
