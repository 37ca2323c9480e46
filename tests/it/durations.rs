//! Every duration of every kind, as the definitions have them: what is too long or too short is refused in words, or says
//! so when it is stored already, and stops nobody else.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, bail, ensure};
use pluvo_operator::api;
use serde_json::{Value, json};

use crate::{
    cli::run_with,
    support::{Result, SEED, Tenant, World, condition, eventually, kstatus, merge, object, subdirectory},
};

/// Ten thousand times the age of the universe, more than a clock can show, and nothing.
const VALUES: [&str; 3] = ["99999999999999999999h", "5000000000000000h", "0h0m0s"];

/// A duration in the spec of a kind: `/guard/settle`.
#[derive(Clone, Debug)]
struct Field {
    kind: String,
    pointer: String,
}

impl Field {
    /// All of them.
    fn all() -> Result<Vec<Self>> {
        let mut fields = Vec::new();
        for definition in definitions()? {
            let kind = definition["spec"]["names"]["kind"].as_str().context("a kind")?;
            let before = fields.len();
            find(spec_of(&definition), "", &mut |pointer| {
                fields.push(Self {
                    kind: kind.to_owned(),
                    pointer: pointer.to_owned(),
                });
            });
            ensure!(fields.len() > before, "{kind} has no duration any more");
        }
        Ok(fields)
    }

    /// The path of the field, as errors name it.
    fn path(&self) -> String {
        format!("spec{}", self.pointer.replace('/', "."))
    }

    /// A spec of its kind that is right but for this field. `name` names what it declares.
    fn spec(&self, name: &str, value: &str) -> Value {
        let mut spec = spec(&self.kind, name);
        let mut over = json!(value);
        for step in self.pointer.rsplit('/').filter(|step| !step.is_empty()) {
            over = json!({ step: over });
        }
        merge(&mut spec, over);
        spec
    }
}

fn definitions() -> Result<Vec<Value>> {
    Ok(api::crds().iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

fn spec_of(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
}

/// Whether a schema is that of a duration: its rules compare it as one.
fn is_duration(schema: &Value) -> bool {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let mut rules = rules.filter_map(|rule| rule["rule"].as_str());
    rules.any(|rule| rule.contains("duration(self)"))
}

fn find(schema: &Value, pointer: &str, found: &mut impl FnMut(&str)) {
    if is_duration(schema) {
        found(pointer);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        find(property, &format!("{pointer}/{name}"), found);
    }
}

/// What nothing is wrong with.
fn spec(kind: &str, name: &str) -> Value {
    match kind {
        "PluvoConnection" => {
            json!({"organization": format!("{name}-org"), "credentialsSecretRef": {"name": "pluvo-credentials"}})
        }
        "PluvoUser" => json!({"ref": name, "email": format!("{name}@example.com"), "name": "Somebody"}),
        "PluvoGroup" => json!({"ref": name, "name": "A group"}),
        "PluvoGroupMembership" => json!({"group": {"ref": "neighbour"}, "users": ["neighbour"]}),
        "TrainingAssignment" => json!({"training": {"ref": "safety-2026"}, "users": ["neighbour"]}),
        "EventEnrollment" => json!({"event": {"ref": "first-aid-sept"}, "users": ["neighbour"]}),
        "ProgressReport" => json!({"groups": ["neighbour"]}),
        "CertificateMonitor" => json!({}),
        "InactiveUserReport" => json!({"inactiveFor": "2160h"}),
        other => json!({"theTestsKnowNothingOf": other}),
    }
}

/// One resource of each kind, in the order in which they depend on one another.
async fn neighbours(tenant: &Tenant<'_>) -> Result {
    for kind in api::Kind::ALL {
        tenant
            .declare(kind.name(), "neighbour", spec(kind.name(), "neighbour"))
            .await?;
    }
    Ok(())
}

/// A change of each neighbour, and of the connection, is followed.
async fn neighbours_go_on(tenant: &Tenant<'_>) -> Result {
    for kind in api::Kind::ALL {
        let mut changed = spec(kind.name(), "neighbour");
        changed["dependencyTimeout"] = json!("7m");
        tenant.declare(kind.name(), "neighbour", changed).await?;
    }
    tenant.reconnect(json!({"interval": "2s"})).await?;
    for kind in api::Kind::ALL {
        tenant.ready(kind.name(), "neighbour").await?;
    }
    tenant.ready("PluvoConnection", "default").await.map(drop)
}

/// A name for each case.
fn name_of(number: usize) -> String {
    format!("case-{number}")
}

/// Every field with every value.
fn cases() -> Result<Vec<(String, Field, &'static str)>> {
    let fields = Field::all()?;
    let cases = fields
        .iter()
        .flat_map(|field| VALUES.map(|value| (field.clone(), value)));
    let named = cases.enumerate();
    Ok(named
        .map(|(number, (field, value))| (name_of(number), field, value))
        .collect())
}

/// What the API server says of a field of an object; `None`: it takes the object.
async fn refusal(tenant: &Tenant<'_>, name: &str, field: &Field, value: &str) -> Result<Option<String>> {
    let spec = field.spec(&format!("{}-{name}", tenant.namespace), value);
    let Err(error) = tenant.declare(&field.kind, name, spec).await else {
        return Ok(None);
    };
    let kube::Error::Api(status) = error.downcast::<kube::Error>()? else {
        bail!("{name} was not refused by the API server");
    };
    let error = status.message;
    let said = error.split_once(&format!("{}: Invalid value: ", field.path()));
    let (_, said) = said.with_context(|| format!("{} is not named: {error}", field.path()))?;
    let (_, words) = said.split_once(": ").with_context(|| error.clone())?;
    Ok(Some(words.trim().to_owned()))
}

#[tokio::test]
async fn durations_are_refused_in_words_and_plan_says_the_same() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("durations", json!({})).await?;
    neighbours(&tenant).await?;
    let (mut refused, mut manifests, mut taken) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, field, value) in cases()? {
        let said = refusal(&tenant, &name, &field, value).await?;
        ensure!(said.is_some() || value == "0h0m0s", "{field:?} takes {value}");
        match said {
            Some(words) => drop(refused.insert(format!("{} hr/{name}: {}", field.kind, field.path()), words)),
            None => taken.push((field.kind.clone(), name.clone())),
        }
        let mut manifest = object(&field.kind, &name, field.spec(&name, value));
        manifest["metadata"]["namespace"] = json!("hr");
        manifests.push(manifest);
    }
    let lines: Vec<_> = refused.values().collect();
    ensure!(
        lines.iter().all(|words| words.starts_with("must be a duration from ")),
        "{lines:?}"
    );
    let no_polling = refused
        .iter()
        .find(|(what, _)| what.contains("PluvoConnection") && what.ends_with("spec.interval"));
    ensure!(
        no_polling.is_some_and(|(_, words)| words.contains("webhooks")),
        "{refused:?}"
    );

    let file = subdirectory("durations")?.join("all.yaml");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
    fs::write(&file, list.to_string())?;
    let file = file.to_str().context("a path")?;
    let plan = run_with(&world.sandbox, &["plan", "-f", file], &[]).await?;
    ensure!(plan.code == 1, "{}", plan.all());
    let said = plan.all();
    let planned: BTreeMap<_, _> = said
        .lines()
        .filter_map(|line| line.split_once(": ")?.1.rsplit_once(": must "))
        .map(|(what, words)| (what.to_owned(), format!("must {words}")))
        .collect();
    ensure!(
        planned == refused,
        "the API server:\n{refused:#?}\nthe plan:\n{planned:#?}\n{said}"
    );

    // None at all is right where it is taken, and followed.
    for (kind, name) in taken {
        tenant
            .ready(&kind, &name)
            .await
            .with_context(|| format!("{kind} {name}"))?;
    }
    neighbours_go_on(&tenant).await
}

/// Lets API server take objects in whatever their durations are, as an older definition did; returns the definitions in
/// force.
pub async fn loosen(world: &World, kinds: &[&str]) -> Result<Vec<Value>> {
    let mut present = Vec::new();
    for definition in definitions()? {
        if !kinds.is_empty() && !kinds.iter().any(|kind| definition["spec"]["names"]["kind"] == *kind) {
            continue;
        }
        let mut loose = definition.clone();
        forget_rules(&mut loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]);
        replace(world, &loose).await?;
        present.push(definition);
    }
    Ok(present)
}

/// Puts a definition in the place of another.
pub async fn replace(world: &World, definition: &Value) -> Result {
    world.cluster.keep();
    let merged = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    world
        .cluster
        .kubectl_with(&merged, &definition.to_string())
        .await
        .map(drop)
}

fn forget_rules(schema: &mut Value) {
    if is_duration(schema) {
        schema["x-kubernetes-validations"] = json!([]);
    }
    for property in schema["properties"].as_object_mut().into_iter().flatten() {
        forget_rules(property.1);
    }
}

#[tokio::test]
async fn durations_that_are_stored_already_concern_their_object_alone_until_it_is_mended() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let tenant = world.tenant("stored", json!({})).await?;
    neighbours(&tenant).await?;
    let broken: Vec<_> = cases()?.into_iter().filter(|(.., value)| *value != "0h0m0s").collect();
    let present = loosen(&world, &[]).await?;
    for (name, field, value) in &broken {
        let spec = field.spec(&format!("{}-{name}", tenant.namespace), value);
        eventually("the older definition is served", async || {
            tenant.declare(&field.kind, name, spec.clone()).await
        })
        .await?;
    }
    for definition in &present {
        replace(&world, definition).await?;
    }
    world.operator.lock().await.start().await?;
    for (name, field, _) in &broken {
        let object = tenant
            .reports(&field.kind, name, "Stalled", "True", "InvalidSpec")
            .await?;
        let message = condition(&object, "Ready").map(|ready| ready["message"].to_string());
        let names = message.as_ref().is_some_and(|message| message.contains(&field.path()));
        ensure!(names, "{} is not named: {message:?}", field.path());
    }
    neighbours_go_on(&tenant).await?;

    for (name, field, _) in &broken {
        let mended = spec(&field.kind, &format!("{}-{name}", tenant.namespace));
        tenant.declare(&field.kind, name, mended).await?;
    }
    let mut mended = Vec::new();
    for (name, field, _) in &broken {
        let object = tenant.ready(&field.kind, name).await?;
        ensure!(
            condition(&object, "Stalled").is_none(),
            "{} {name}: {}",
            field.kind,
            object["status"]
        );
        mended.push(object);
    }
    for (object, verdict) in mended.iter().zip(kstatus::judge(&mended)?) {
        ensure!(verdict.status() == "Current", "{verdict:?}: {object}");
    }
    Ok(())
}
