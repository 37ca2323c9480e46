//! Declared resources beside an organization made of test data, with passes as the controller runs them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

use crate::{
    api::{
        FINALIZER, Kind, PluvoConnection, Status,
        reason::{Progress, condition},
    },
    plan::{Call, ConnectionKey, Decision, Finalizer, Object, Registry, ResourceKey, report, resource},
};

use super::{
    pluvo::{Pluvo, merge},
    table::assert_is_in_table,
};

/// How many rounds of passes are more than any change can need.
const TOO_MANY_ROUNDS: usize = 30;

/// Declared resources, and the organization that they are about.
pub struct Cluster {
    pub registry: Registry,
    pub pluvo: Pluvo,
    pub now: Timestamp,
    /// Whether subjects wait no longer for users that are being created.
    pub hold_is_over: bool,
    /// Everything that was asked of Pluvo, in order.
    pub sent: Vec<(ResourceKey, Call)>,
    objects: BTreeMap<ResourceKey, Declared>,
    made: i64,
}

/// A resource as the API server holds it.
#[derive(Clone)]
struct Declared {
    spec: Value,
    meta: ObjectMeta,
    status: Option<Status>,
}

impl Default for Cluster {
    fn default() -> Self {
        let mut cluster = Self {
            registry: Registry::default(),
            pluvo: Pluvo::default(),
            now: "2026-09-01T08:00:00Z".parse().unwrap(),
            hold_is_over: false,
            sent: Vec::new(),
            objects: BTreeMap::new(),
            made: 0,
        };
        cluster.connect(json!({}));
        cluster
    }
}

/// The connection of all resources.
pub fn connection() -> ConnectionKey {
    ConnectionKey::new("hr", "default")
}

impl Cluster {
    /// Sets the connection; `more` goes beside what it needs.
    pub fn connect(&mut self, more: Value) {
        // What a connection permits is the matter of a few tests alone.
        let everything = json!({"roles": ["PARTICIPANT", "TRAINER", "MANAGER"], "exclusive": true});
        let mut spec = json!({
            "organization": "acme", "credentialsSecretRef": {"name": "pluvo"}, "permit": everything,
        });
        merge(&mut spec, more);
        let connection_object = PluvoConnection::new("default", serde_json::from_value(spec).unwrap());
        self.registry.set_connection(connection(), Arc::new(connection_object));
    }

    /// Applies a resource in namespace `hr`: a new one is younger than all before it.
    pub fn declare(&mut self, kind: Kind, name: &str, spec: Value) -> ResourceKey {
        self.declare_in("hr", kind, name, spec)
    }

    /// Applies a resource in any namespace, on the connection in `hr`.
    pub fn declare_in(&mut self, namespace: &str, kind: Kind, name: &str, mut spec: Value) -> ResourceKey {
        let key = ResourceKey::new(kind, namespace, name);
        if namespace != "hr" {
            merge(
                &mut spec,
                json!({"connectionRef": {"name": "default", "namespace": "hr"}}),
            );
        }
        if let Some(declared) = self.objects.get_mut(&key) {
            declared.spec = spec;
            declared.meta.generation = declared.meta.generation.map(|generation| generation + 1);
        } else {
            self.made += 1;
            let meta = ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                uid: Some(format!("uid-{}", self.made)),
                generation: Some(1),
                creation_timestamp: Some(Time(self.now + SignedDuration::from_secs(self.made))),
                ..ObjectMeta::default()
            };
            let status = None;
            self.objects.insert(key.clone(), Declared { spec, meta, status });
        }
        self.publish(&key);
        key
    }

    /// A user whose resource is named like its ref, in lower case.
    pub fn declare_user(&mut self, reference: &str, more: Value) -> ResourceKey {
        let mut spec = json!({
            "ref": reference, "email": format!("{}@example.com", reference.to_lowercase()), "name": reference,
        });
        merge(&mut spec, more);
        self.declare(Kind::User, &reference.to_lowercase(), spec)
    }

    /// Replaces members of a spec; null takes one out.
    pub fn edit(&mut self, key: &ResourceKey, more: Value) {
        let mut spec = self.objects[key].spec.clone();
        merge(&mut spec, more);
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let (namespace, name) = (key.namespace.clone(), key.name.clone());
        self.declare_in(&namespace, key.kind, &name, spec);
    }

    /// Sets a label.
    pub fn label(&mut self, key: &ResourceKey, name: &str, value: &str) {
        let declared = self.objects.get_mut(key).unwrap();
        let labels = declared.meta.labels.get_or_insert_default();
        labels.insert(name.to_owned(), value.to_owned());
        self.publish(key);
    }

    /// Deletes a resource: it stays while it has a finalizer.
    pub fn delete(&mut self, key: &ResourceKey) {
        let declared = self.objects.get_mut(key).unwrap();
        declared.meta.deletion_timestamp = Some(Time(self.now));
        if declared.meta.finalizers.is_some() {
            self.publish(key);
        } else {
            self.forget(key);
        }
    }

    /// The operator starts anew: what Pluvo answered is forgotten, statuses stay.
    pub fn restart(&mut self) {
        self.pluvo.outcomes.clear();
    }

    /// Whether a resource still exists.
    pub fn exists(&self, key: &ResourceKey) -> bool {
        self.objects.contains_key(key)
    }

    /// The last written status.
    pub fn status(&self, key: &ResourceKey) -> Status {
        self.objects[key].status.clone().unwrap_or_default()
    }

    /// Replaces a status, as an earlier life of the operator may have left it.
    pub fn set_status(&mut self, key: &ResourceKey, change: impl FnOnce(&mut Status)) {
        let declared = self.objects.get_mut(key).unwrap();
        let status = declared.status.get_or_insert_default();
        status.for_uid.clone_from(&declared.meta.uid);
        change(status);
        self.publish(key);
    }

    /// The reason of `Ready`.
    pub fn reason(&self, key: &ResourceKey) -> String {
        ready(&self.status(key)).0
    }

    /// What a pass would decide now.
    pub fn decide(&self, key: &ResourceKey) -> Decision {
        let object = self.registry.get(key).unwrap();
        resource::plan(object, &self.registry, &self.pluvo, self.hold_is_over)
    }

    /// One pass, as the controller runs it: finalizer, then the status where it must precede the calls or where there
    /// are none. Returns what was decided; nothing is sent.
    pub fn pass(&mut self, key: &ResourceKey) -> Decision {
        let decision = self.decide(key);
        let deleting = self.objects[key].meta.deletion_timestamp.is_some();
        if deleting && decision.finalizer == Finalizer::Release {
            self.forget(key);
            return decision;
        }
        let finalizers = &mut self.objects.get_mut(key).unwrap().meta.finalizers;
        match decision.finalizer {
            Finalizer::Require if !deleting => *finalizers = Some(vec![FINALIZER.to_owned()]),
            Finalizer::Release => *finalizers = None,
            Finalizer::Require | Finalizer::Keep => {}
        }
        let object = self.registry.get(key).unwrap().clone();
        let status = report::status(&object, &decision, self.registry.mode(&object), self.now);
        assert_is_in_table(&status, &decision);
        if decision.calls.is_empty() || decision.status_precedes_calls(object.status()) {
            self.objects.get_mut(key).unwrap().status = Some(status);
        }
        self.publish(key);
        decision
    }

    /// Passes over all resources and sends what they ask for, the head of each list first, until nothing changes any
    /// more. Returns what was sent.
    pub fn settle(&mut self) -> Vec<Call> {
        let mut sent = Vec::new();
        for _ in 0..TOO_MANY_ROUNDS {
            let before = self.snapshot();
            for key in self.objects.keys().cloned().collect::<Vec<_>>() {
                if self.suspended(&key) {
                    continue;
                }
                if let Some(head) = self.pass(&key).calls.into_iter().next() {
                    self.pluvo.execute(&head);
                    self.sent.push((key, head.clone()));
                    sent.push(head);
                }
            }
            if self.snapshot() == before {
                return sent;
            }
            self.now += SignedDuration::from_secs(1);
        }
        panic!(
            "this never ends; the last calls: {:#?}",
            &sent[sent.len().saturating_sub(5)..]
        );
    }

    fn snapshot(&self) -> (BTreeMap<ResourceKey, (Option<Status>, bool)>, usize) {
        let objects = self.objects.iter().map(|(key, declared)| {
            (
                key.clone(),
                (declared.status.clone(), declared.meta.finalizers.is_some()),
            )
        });
        (objects.collect(), self.sent.len())
    }

    fn suspended(&self, key: &ResourceKey) -> bool {
        self.objects[key].spec.get("suspend") == Some(&json!(true))
    }

    fn publish(&mut self, key: &ResourceKey) {
        let object = object(key.kind, &self.objects[key]);
        self.registry.set(object);
    }

    fn forget(&mut self, key: &ResourceKey) {
        self.objects.remove(key);
        self.registry.remove(key);
    }
}

fn object(kind: Kind, declared: &Declared) -> Object {
    let value = json!({
        "apiVersion": "pluvo.dev/v1alpha1", "kind": kind.name(),
        "metadata": declared.meta, "spec": declared.spec, "status": declared.status,
    });
    Object::decode(kind, value).unwrap()
}

/// Reason and progress of a status.
pub fn ready(status: &Status) -> (String, Progress) {
    let find = |type_| status.conditions.iter().find(|known| known.type_ == type_);
    let ready = find(condition::READY).unwrap_or_else(|| panic!("no Ready in {status:?}"));
    let progress = match (find(condition::RECONCILING), find(condition::STALLED), &*ready.status) {
        (Some(_), None, "False") => Progress::Reconciling,
        (None, Some(_), "False") => Progress::Stalled,
        (None, None, "True") => Progress::Done,
        (None, None, "False") => Progress::Terminating,
        (None, None, "Unknown") => Progress::Idle,
        _ => panic!("no such state: {:#?}", status.conditions),
    };
    (ready.reason.clone(), progress)
}
