//! The commands, as people type them: no cluster, the real sandbox.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    examples::all_ready,
    support::{Cluster, Operator, OperatorOptions, Organization, Result, Sandbox, binary, subdirectory},
};

/// What a command that may show no personal data said, in a directory of its own.
pub const SAID: &str = "said.txt";
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// The examples that send no mail.
fn quiet_examples() -> Vec<String> {
    let paths = [
        "00-connection",
        "01-users-and-groups",
        "05-mandatory-training/safety.yaml",
    ];
    paths.map(|path| format!("{EXAMPLES}/{path}")).into()
}

/// The sandbox that the examples are about.
async fn sandbox() -> Result<Sandbox> {
    let seed = fs::read_to_string(format!("{EXAMPLES}/sandbox.seed"))?;
    let client = ["--client-id", "sandbox", "--client-secret", "sandbox-secret"];
    Sandbox::start_with(&seed, &client).await
}

/// What a command said, without what differs from run to run, and how it ended.
pub struct Said {
    pub code: i32,
    pub out: String,
    err: String,
}

impl Said {
    /// What it printed, without ids, times and how often it had to ask until everything was known.
    fn stable(&self) -> String {
        let patterns = [
            (r"[0-9a-f]{8}-[0-9a-f-]{27}", "(id)"),
            (r"\d{4}-\d\d-\d\dT[0-9:]+Z", "(time)"),
            (r"\d+ requests?( with|[.;])", "(n) requests$1"),
        ];
        patterns.iter().fold(self.out.clone(), |text, (pattern, name)| {
            regex::Regex::new(pattern).map_or(text.clone(), |regex| regex.replace_all(&text, *name).into_owned())
        })
    }

    /// Everything that it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

async fn run(sandbox: &Sandbox, args: &[&str]) -> Result<Said> {
    run_with(sandbox, args, &[]).await
}

pub async fn run_with(sandbox: &Sandbox, args: &[&str], env: &[(&str, &str)]) -> Result<Said> {
    let mut command = tokio::process::Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PLUVO_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(args).env("PLUVO_SANDBOX_URL", sandbox.url());
    command.envs(env.iter().copied()).kill_on_drop(true);
    let Output { status, stdout, stderr } = command.output().await?;
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replace(sandbox.url(), "http://sandbox")
            .replace(EXAMPLES, "examples")
    };
    let said = Said {
        code: status.code().context("the command was killed")?,
        out: text(stdout),
        err: text(stderr),
    };
    if !args.contains(&"--show-personal-data") {
        fs::write(subdirectory("command")?.join(SAID), said.all())?;
    }
    Ok(said)
}

async fn plan(sandbox: &Sandbox, files: &[String], more: &[&str]) -> Result<Said> {
    let files = files.iter().flat_map(|file| ["-f", file.as_str()]);
    let args: Vec<_> = ["plan"].into_iter().chain(files).chain(more.iter().copied()).collect();
    run(sandbox, &args).await
}

async fn mutations(organization: &Organization) -> Result<usize> {
    Ok(organization.log().await?.len())
}

/// A copy of the examples that can be changed.
fn copy_of_examples() -> Result<PathBuf> {
    let copy = subdirectory("examples")?;
    for folder in ["00-connection", "01-users-and-groups", "05-mandatory-training"] {
        fs::create_dir_all(copy.join(folder))?;
        for entry in fs::read_dir(format!("{EXAMPLES}/{folder}"))? {
            let entry = entry?;
            fs::copy(entry.path(), copy.join(folder).join(entry.file_name()))?;
        }
    }
    Ok(copy)
}

#[tokio::test]
async fn plans_of_an_empty_an_applied_and_a_tampered_organization() -> Result {
    let sandbox = sandbox().await?;
    let acme = sandbox.organization("acme");
    let examples = vec![EXAMPLES.to_owned()];

    let empty = plan(&sandbox, &examples, &[]).await?;
    ensure!(empty.code == 2, "{}", empty.all());
    insta::assert_snapshot!("plan_empty", empty.stable());
    ensure!(mutations(&acme).await? == 0, "a plan has written");

    let applied = run(&sandbox, &["apply", "-f", EXAMPLES, "--no-mail"]).await?;
    ensure!(applied.code == 0, "{}", applied.all());
    let written = mutations(&acme).await?;
    let settled = plan(&sandbox, &examples, &[]).await?;
    ensure!(settled.code == 0, "{}", settled.all());
    insta::assert_snapshot!("plan_applied", settled.stable());
    let again = run(&sandbox, &["apply", "-f", EXAMPLES, "--no-mail"]).await?;
    ensure!(again.code == 0 && mutations(&acme).await? == written, "{}", again.all());

    let tampering = json!({
        "users": {
            "EMP-12345": {"name": "Janet", "email": "planted@example.com", "customFields": {"site": "Delft"}},
            "EMP-10007": {"archived": false},
        },
        "groups": {"dept-rnd": {"removeUsers": ["EMP-10011"]}},
    });
    acme.change(&tampering).await?;
    for output in ["human", "json", "yaml", "markdown"] {
        let tampered = plan(&sandbox, &examples, &["-o", output]).await?;
        ensure!(tampered.code == 2, "{}", tampered.all());
        for personal in ["planted", "jane.doe@", "Delft", "Innovation Lab"] {
            ensure!(!tampered.all().contains(personal), "{personal} in {}", tampered.all());
        }
        if matches!(output, "human" | "markdown") {
            insta::assert_snapshot!(format!("plan_tampered_{output}"), tampered.stable());
        }
    }
    let shown = plan(&sandbox, &examples, &["--show-personal-data"]).await?;
    ensure!(
        shown.out.contains("planted@example.com -> jane.doe@example.com"),
        "{}",
        shown.out
    );

    let copy = copy_of_examples()?;
    fs::remove_file(copy.join("01-users-and-groups/joiner.yaml"))?;
    fs::remove_file(copy.join("01-users-and-groups/memberships.yaml"))?;
    let path = copy.to_string_lossy().into_owned();
    let deleted = plan(&sandbox, std::slice::from_ref(&path), &["--base", EXAMPLES]).await?;
    ensure!(deleted.code == 2, "{}", deleted.all());
    insta::assert_snapshot!("plan_deleted", deleted.stable());

    fs::write(copy.join("broken.yaml"), "spec:\n  email: 'planted@example.com\n")?;
    let broken = plan(&sandbox, &[path], &[]).await?;
    ensure!(
        broken.code == 1 && !broken.all().contains("planted"),
        "{}",
        broken.all()
    );
    ensure!(broken.err.contains("broken.yaml: is not YAML"), "{}", broken.err);
    ensure!(mutations(&acme).await? == written, "a plan has written");
    Ok(())
}

/// Mutations in words that do not depend on how they travelled: sorted, and those of members one for each member.
fn told_apart(mutations: impl Iterator<Item = Value>) -> Vec<String> {
    let mut texts = Vec::new();
    for mut mutation in mutations {
        let members = mutation["arguments"]["userIds"].take();
        if let Some(members) = members.as_array() {
            for member in members {
                mutation["arguments"]["userIds"] = member.clone();
                texts.push(mutation.to_string());
            }
        } else {
            texts.push(mutation.to_string());
        }
    }
    let mut texts: Vec<_> = texts.into_iter().map(|text| text.replace("\\u0026", "&")).collect();
    texts.sort();
    texts
}

/// What a plan for an organization announces.
async fn announced(sandbox: &Sandbox) -> Result<Vec<String>> {
    let plan = plan(sandbox, &quiet_examples(), &["-o", "json", "--show-personal-data"]).await?;
    let report: Value = serde_json::from_str(&plan.out)?;
    ensure!(report["format"] == "pluvo.dev/plan/v1", "{}", plan.all());
    let resources = report["resources"].as_array().into_iter().flatten();
    let mutations = resources.flat_map(|resource| resource["mutations"].as_array().cloned().unwrap_or_default());
    Ok(told_apart(mutations.map(
        |mutation| json!({"operation": mutation["operation"], "arguments": mutation["arguments"]}),
    )))
}

/// What was sent to an organization, with new objects under the names that a plan has for them.
async fn sent(organization: &Organization, before: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let mut names = names_of_new_objects(organization).await?;
    names.retain(|id, _| !before.contains_key(id));
    let log = organization.log().await?.into_iter();
    let mutations = log.map(|entry| {
        let mutation = json!({"operation": entry["operation"], "arguments": entry["arguments"]});
        let text = names
            .iter()
            .fold(mutation.to_string(), |text, (id, name)| text.replace(id, name));
        serde_json::from_str(&text)
    });
    Ok(told_apart(mutations.collect::<Result<Vec<_>, _>>()?.into_iter()))
}

#[tokio::test]
async fn a_plan_announces_what_apply_sends() -> Result {
    let sandbox = sandbox().await?;
    let acme = sandbox.organization("acme");
    let (announced, before) = (announced(&sandbox).await?, names_of_new_objects(&acme).await?);
    let files = quiet_examples();
    let files = files.iter().flat_map(|file| ["-f", file]);
    let args: Vec<_> = ["apply"].into_iter().chain(files).collect();
    let applied = run(&sandbox, &args).await?;
    ensure!(applied.code == 0, "{}", applied.all());
    pretty_equal(&announced, &sent(&acme, &before).await?)
}

#[tokio::test]
async fn a_plan_announces_what_the_controller_sends() -> Result {
    let sandbox = sandbox().await?;
    let acme = sandbox.organization("acme");
    let (announced, before) = (announced(&sandbox).await?, names_of_new_objects(&acme).await?);
    let cluster = Cluster::start().await?;
    let _operator = Operator::run(&cluster, OperatorOptions::sandbox(sandbox.url())).await?;
    for files in quiet_examples() {
        cluster.kubectl(&["apply", "-R", "-f", &files]).await?;
    }
    all_ready(&cluster).await?;
    pretty_equal(&announced, &sent(&acme, &before).await?)
}

fn pretty_equal(announced: &[String], sent: &[String]) -> Result {
    ensure!(
        announced == sent,
        "announced:\n{}\n\nsent:\n{}",
        announced.join("\n"),
        sent.join("\n")
    );
    Ok(())
}

/// Ids of users and groups with the names that a plan has for them before they exist.
async fn names_of_new_objects(organization: &Organization) -> Result<BTreeMap<String, String>> {
    let state = organization.control(Method::GET, "state?ids=true", None).await?;
    let mut names = BTreeMap::new();
    for (list, noun) in [("users", "user"), ("groups", "group")] {
        for (reference, object) in state[list].as_object().into_iter().flatten() {
            let id = object["id"].as_str().context("an object without an id")?;
            names.insert(id.to_owned(), format!("new:{noun}:{reference}"));
        }
    }
    Ok(names)
}

#[tokio::test]
async fn apply_sends_no_mail_and_removes_nobody() -> Result {
    let sandbox = sandbox().await?;
    let acme = sandbox.organization("acme");
    let refused = run(&sandbox, &["apply", "-f", EXAMPLES]).await?;
    ensure!(refused.code == 1 && mutations(&acme).await? == 0, "{}", refused.all());
    insta::assert_snapshot!("apply_mail", refused.err);

    let seed = json!({"groups": [{"ref": "board", "name": "Board", "users": ["EMP-10001"]}]});
    acme.seed(&seed).await?;
    let manifests = subdirectory("apply")?.join("board.yaml");
    fs::write(
        &manifests,
        "apiVersion: pluvo.dev/v1alpha1
kind: PluvoGroupMembership
metadata: {name: board}
spec: {group: {ref: board}, policy: Exclusive, users: [EMP-10007]}
---
apiVersion: pluvo.dev/v1alpha1
kind: PluvoConnection
metadata: {name: default}
spec: {organization: acme, credentialsSecretRef: {name: pluvo-credentials}, permit: {exclusive: true}}
",
    )?;
    let manifests = manifests.to_string_lossy();
    let credentials = format!("{EXAMPLES}/00-connection/secret.yaml");
    let applied = run(&sandbox, &["apply", "-f", &manifests, &credentials]).await?;
    ensure!(applied.code == 0, "{}", applied.all());
    insta::assert_snapshot!("apply_exclusive", applied.stable());
    let state = acme.state().await?;
    let users = &state["groups"]["board"]["users"];
    ensure!(*users == json!(["EMP-10001", "EMP-10007"]), "{users}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_applied_is_named_and_its_neighbours_are_applied() -> Result {
    let sandbox = sandbox().await?;
    let acme = sandbox.organization("acme");
    acme.faults(&json!({"atomicDocuments": true})).await?;
    let manifests = subdirectory("stalled")?.join("users.yaml");
    let user = |name: &str, spec: &str| {
        format!("---\napiVersion: pluvo.dev/v1alpha1\nkind: PluvoUser\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    let text = [
        user("conflict", "ref: NEW-1, email: alex.smit@example.com, name: Alex"),
        user("nameless", "ref: NEW-2, email: nameless@example.com"),
        user("first", "ref: NEW-3, email: first@example.com, name: First"),
        user("second", "ref: NEW-3, email: second@example.com, name: Second"),
        user(
            "option",
            "ref: NEW-4, email: option@example.com, name: Option, customFields: [{ref: site, choice: Nowhere}]",
        ),
        user(
            "field",
            "ref: NEW-5, email: field@example.com, name: Field, customFields: [{ref: departmnt, text: x}]",
        ),
        user(
            "odd",
            "ref: A B/C, email: odd@example.com, name: Odd, customFields: [{ref: department, text: x}]",
        ),
        user(
            "observed",
            "ref: EMP-10001, email: alex.smit@example.com, name: Alexander, mode: Observe",
        ),
        user("unknown-leaver", "ref: NEW-6, archived: true"),
    ];
    fs::write(&manifests, text.concat())?;
    let manifests = manifests.to_string_lossy();
    let connection = format!("{EXAMPLES}/00-connection");
    let applied = run(&sandbox, &["apply", "-f", &manifests, &connection]).await?;
    ensure!(applied.code == 1, "{}", applied.all());
    insta::assert_snapshot!("apply_stalled", applied.stable());
    let state = acme.state().await?;
    for reference in ["NEW-3", "NEW-4", "NEW-5", "A B/C"] {
        ensure!(state["users"].get(reference).is_some(), "{reference} does not exist");
    }
    Ok(())
}

#[tokio::test]
async fn lists_and_checks() -> Result {
    let sandbox = sandbox().await?;
    let connection = format!("{EXAMPLES}/00-connection");
    for (what, output) in [
        ("users", "csv"),
        ("groups", "human"),
        ("trainings", "json"),
        ("custom-fields", "yaml"),
    ] {
        let listed = run(&sandbox, &["list", what, "-o", output, "-f", &connection]).await?;
        ensure!(listed.code == 0 && !listed.all().contains('@'), "{}", listed.all());
        insta::assert_snapshot!(format!("list_{}", what.replace('-', "_")), listed.stable());
    }
    let checked = run(&sandbox, &["check", "-f", &connection]).await?;
    ensure!(checked.code == 0, "{}", checked.all());
    insta::assert_snapshot!("check", checked.stable());
    let wrong = [("PLUVO_CLIENT_ID", "sandbox"), ("PLUVO_CLIENT_SECRET", "wrong")];
    let checked = run_with(&sandbox, &["check", "--organization", "acme"], &wrong).await?;
    ensure!(
        checked.code == 1 && checked.out.contains("FAIL  credentials"),
        "{}",
        checked.all()
    );
    Ok(())
}

/// Arguments, environment, exit code, and what the error says.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[tokio::test]
async fn mistakes_are_explained() -> Result {
    let sandbox = sandbox().await?;
    let examples = format!("{EXAMPLES}/01-users-and-groups");
    let credentials = [
        ("PLUVO_CLIENT_ID", "sandbox"),
        ("PLUVO_CLIENT_SECRET", "sandbox-secret"),
    ];
    let endpoint = format!("{}/acme", sandbox.url());
    let cases: [Case<'_>; 8] = [
        (&["plan"], &[], 1, "--filename"),
        (&["plan", "-f", "/nowhere"], &[], 1, "/nowhere: cannot be read"),
        (&["plan", "-f", &examples], &credentials, 1, "which organization?"),
        (
            &["plan", "-f", &examples, "--organization", "acme"],
            &[],
            1,
            "no credentials: set PLUVO_CLIENT_ID",
        ),
        (
            &["plan", "-f", &examples, "--organization", "acme"],
            &credentials,
            2,
            "",
        ),
        (&["plan", "-f", &examples, "--endpoint", &endpoint], &credentials, 2, ""),
        (
            &["plan", "-f", &examples, "--endpoint", "http://127.0.0.1:1"],
            &credentials,
            1,
            "http://127.0.0.1:1: no token could be fetched: cannot connect to Pluvo",
        ),
        (
            &["plan", "-f", &examples, "--organization", "acme"],
            &[("PLUVO_CLIENT_ID", "sandbox"), ("PLUVO_CLIENT_SECRET", "wrong")],
            1,
            "Pluvo does not know these credentials",
        ),
    ];
    for (args, env, code, says) in cases {
        let said = run_with(&sandbox, args, env).await?;
        ensure!(
            said.code == code && said.err.contains(says),
            "{args:?}: {}: {}",
            said.code,
            said.all()
        );
    }
    Ok(())
}
