//! One change for every kind of mutation, and what Pluvo holds afterwards.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, condition, eventually};

/// One kind of mutation: what is there before, and the change that needs it.
pub struct Kind {
    pub mutation: &'static str,
    /// Applied and in sync before the fault is set.
    pub before: fn() -> Vec<(&'static str, &'static str, Value)>,
    /// Applied then; `None` deletes the resource.
    pub change: fn() -> (&'static str, &'static str, Option<Value>),
}

/// What declares a user; `more` is merged into it.
pub fn user(name: &str, more: Value) -> Value {
    let mut spec = json!({"ref": name, "email": format!("{name}@example.com"), "name": name});
    crate::support::merge(&mut spec, more);
    spec
}

fn group(more: Value) -> Value {
    let mut spec = json!({"ref": "rnd", "name": "R&D"});
    crate::support::merge(&mut spec, more);
    spec
}

fn members(role: &str, users: &[&str]) -> Value {
    json!({"group": {"ref": "rnd"}, "role": role, "users": users, "allowEmpty": true})
}

fn assigned(users: &[&str]) -> Value {
    json!({
        "training": {"ref": "safety-2026"}, "users": users, "policy": "Owned", "deletionPolicy": "Remove",
        "allowEmpty": true,
    })
}

fn enrolled(users: &[&str]) -> Value {
    json!({
        "event": {"ref": "first-aid-sept"}, "users": users, "policy": "Owned", "deletionPolicy": "Unenroll",
        "allowEmpty": true,
    })
}

fn jane() -> (&'static str, &'static str, Value) {
    ("PluvoUser", "jane", user("jane", json!({})))
}

fn rnd() -> (&'static str, &'static str, Value) {
    ("PluvoGroup", "rnd", group(json!({"deletionPolicy": "Delete"})))
}

/// All kinds of mutations.
pub static KINDS: [Kind; 14] = [
    Kind {
        mutation: "updateOrCreateUser",
        before: Vec::new,
        change: || ("PluvoUser", "jane", Some(user("jane", json!({})))),
    },
    Kind {
        mutation: "updateUser",
        before: || vec![jane()],
        change: || ("PluvoUser", "jane", Some(user("jane", json!({"name": "Jane Doe"})))),
    },
    Kind {
        mutation: "updateExtraCategoryValues",
        before: || vec![jane()],
        change: || {
            let fields = json!([{"ref": "department", "text": "R"}, {"ref": "first-aider", "bool": true}]);
            ("PluvoUser", "jane", Some(user("jane", json!({"customFields": fields}))))
        },
    },
    Kind {
        mutation: "createGroup",
        before: Vec::new,
        change: || ("PluvoGroup", "rnd", Some(group(json!({})))),
    },
    Kind {
        mutation: "updateGroup",
        before: || vec![rnd()],
        change: || {
            (
                "PluvoGroup",
                "rnd",
                Some(group(json!({"deletionPolicy": "Delete", "name": "Research"}))),
            )
        },
    },
    Kind {
        mutation: "deleteGroup",
        before: || vec![rnd()],
        change: || ("PluvoGroup", "rnd", None),
    },
    Kind {
        mutation: "addUsersToGroup",
        before: || vec![jane(), rnd()],
        change: || ("PluvoGroupMembership", "m", Some(members("Participant", &["jane"]))),
    },
    Kind {
        mutation: "removeUsersFromGroup",
        before: || {
            vec![
                jane(),
                rnd(),
                ("PluvoGroupMembership", "m", members("Participant", &["jane"])),
            ]
        },
        change: || ("PluvoGroupMembership", "m", Some(members("Participant", &[]))),
    },
    Kind {
        mutation: "addManagersToGroup",
        before: || vec![jane(), rnd()],
        change: || ("PluvoGroupMembership", "m", Some(members("Manager", &["jane"]))),
    },
    Kind {
        mutation: "removeManagersFromGroup",
        before: || {
            vec![
                jane(),
                rnd(),
                ("PluvoGroupMembership", "m", members("Manager", &["jane"])),
            ]
        },
        change: || ("PluvoGroupMembership", "m", Some(members("Manager", &[]))),
    },
    Kind {
        mutation: "addUsersToTraining",
        before: || vec![jane()],
        change: || ("TrainingAssignment", "t", Some(assigned(&["jane"]))),
    },
    Kind {
        mutation: "removeUsersFromTraining",
        before: || vec![jane(), ("TrainingAssignment", "t", assigned(&["jane"]))],
        change: || ("TrainingAssignment", "t", Some(assigned(&[]))),
    },
    Kind {
        mutation: "createOfferEventEnrollments",
        before: || vec![jane()],
        change: || ("EventEnrollment", "e", Some(enrolled(&["jane"]))),
    },
    Kind {
        mutation: "unenrollUserFromOfferEvent",
        before: || vec![jane(), ("EventEnrollment", "e", enrolled(&["jane"]))],
        change: || ("EventEnrollment", "e", Some(enrolled(&[]))),
    },
];

impl Kind {
    /// Declares what is there before, and waits until it is.
    pub async fn prepare(&self, tenant: &Tenant<'_>) -> Result {
        for (what, name, spec) in (self.before)() {
            tenant.declare(what, name, spec).await?;
            tenant.ready(what, name).await?;
        }
        Ok(())
    }

    /// Asks for the mutation.
    pub async fn apply(&self, tenant: &Tenant<'_>) -> Result {
        let (what, name, spec) = (self.change)();
        match spec {
            Some(spec) => tenant.declare(what, name, spec).await,
            None => tenant.delete(what, name).await,
        }
    }

    /// Whether the guard counts it.
    pub fn destroys(&self) -> bool {
        ["delete", "remove", "unenroll"]
            .iter()
            .any(|destroys| self.mutation.starts_with(destroys))
    }

    /// Whether it is done; false where Pluvo has refused it.
    pub async fn is_done(&self, tenant: &Tenant<'_>) -> Result<bool> {
        let (what, name, spec) = (self.change)();
        settled(tenant, what, name, spec.is_some()).await
    }
}

/// What Pluvo holds, without ids and times, which differ from organization to organization.
pub async fn state(tenant: &Tenant<'_>) -> Result<Value> {
    let text = tenant.organization.state().await?.to_string();
    let patterns = [
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "(id)"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "(time)"),
    ];
    let text = patterns.iter().try_fold(text, |text, (pattern, name)| {
        Ok::<_, regex::Error>(regex::Regex::new(pattern)?.replace_all(&text, *name).into_owned())
    })?;
    Ok(serde_json::from_str(&text)?)
}

/// Waits until a resource is in sync, or gone, and returns true; or until Pluvo refuses it.
pub async fn settled(tenant: &Tenant<'_>, what: &str, name: &str, lives: bool) -> Result<bool> {
    eventually(&format!("{what} {name} has settled"), async || {
        let found = match tenant.get(what, name).await {
            Err(error) if !lives && error.to_string().contains("not found") => return Ok(true),
            found => found?,
        };
        let ready = condition(&found, "Ready").cloned().unwrap_or_default();
        ensure!(
            ready["observedGeneration"] == found["metadata"]["generation"],
            "{ready}"
        );
        if ready["reason"] == "ApiRejected" {
            return Ok(false);
        }
        ensure!(lives && ready["reason"] == "InSync", "{ready}");
        Ok(true)
    })
    .await
}

/// The kinds that tell somebody by mail.
pub static MAILING: [Kind; 3] = [
    Kind {
        mutation: "updateOrCreateUser",
        before: Vec::new,
        change: || ("PluvoUser", "jane", Some(user("jane", json!({"sendInvite": true})))),
    },
    Kind {
        mutation: "addUsersToTraining",
        before: || vec![jane()],
        change: || {
            let mut spec = assigned(&["jane"]);
            spec["sendInvites"] = json!(true);
            ("TrainingAssignment", "t", Some(spec))
        },
    },
    Kind {
        mutation: "createOfferEventEnrollments",
        before: || vec![jane()],
        change: || {
            let mut spec = enrolled(&["jane"]);
            spec["sendMail"] = json!(true);
            ("EventEnrollment", "e", Some(spec))
        },
    },
];
