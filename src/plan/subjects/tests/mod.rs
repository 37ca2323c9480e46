mod additions;
mod assignments;
mod laws;
mod removals;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    api::Kind,
    plan::{
        ResourceKey,
        observed::Place,
        testing::{Cluster, participants},
    },
};

/// A cluster with the group `rnd` and users A, B, C, D in Pluvo.
struct Rnd {
    cluster: Cluster,
    group: Place,
}

impl Default for Rnd {
    fn default() -> Self {
        let mut cluster = Cluster::default();
        let group = participants(&cluster.pluvo.has_group("rnd", json!({})));
        for reference in ["A", "B", "C", "D"] {
            cluster.pluvo.has_user(reference, json!({}));
        }
        Self { cluster, group }
    }
}

impl Rnd {
    /// A membership of the group: Owned, unless `more` says otherwise.
    fn membership<const N: usize>(&mut self, name: &str, users: [&str; N], more: Value) -> ResourceKey {
        let mut spec = json!({"group": {"ref": "rnd"}, "users": users.to_vec()});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.cluster.declare(Kind::Membership, name, spec)
    }

    /// Changes who is declared.
    fn declare<const N: usize>(&mut self, key: &ResourceKey, users: [&str; N]) {
        self.cluster.edit(key, json!({"users": users.to_vec()}));
    }

    /// Somebody puts users into the group behind the operator's back.
    fn holds<const N: usize>(&mut self, users: [&str; N]) {
        for user in users {
            self.cluster.pluvo.move_user(&self.group, user, true);
        }
    }

    /// Somebody takes users out of the group behind the operator's back.
    fn loses<const N: usize>(&mut self, users: [&str; N]) {
        for user in users {
            self.cluster.pluvo.move_user(&self.group, user, false);
        }
    }

    /// Who is in the group, as one word.
    fn members(&self) -> String {
        concat(&self.cluster.pluvo.members(&self.group))
    }

    fn settle(&mut self) -> Vec<String> {
        crate::plan::testing::words(&self.cluster.settle())
    }

    fn reason(&self, key: &ResourceKey) -> String {
        self.cluster.reason(key)
    }

    fn inventory(&self, key: &ResourceKey) -> String {
        self.cluster.status(key).inventory.concat()
    }

    fn found(&self, key: &ResourceKey) -> String {
        self.cluster.status(key).found.concat()
    }
}

fn concat(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect()
}
