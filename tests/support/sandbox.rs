//! The Pluvo sandbox.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, bail, ensure};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Result, directory, process::Process};

/// A client with all scopes, for the operator: id and secret.
pub const OPERATOR: (&str, &str) = ("operator", "operator-secret");
/// A client that may not touch events: id and secret.
pub const NO_EVENTS: (&str, &str) = ("no-events", "no-events-secret");
/// A client with all scopes, for whoever changes things behind the operator's back.
pub const PERSON: (&str, &str) = ("person", "person-secret");

/// The real sandbox on a free port. It ends when this is dropped.
pub struct Sandbox {
    process: Process,
    directory: PathBuf,
    url: String,
}

impl Sandbox {
    /// Starts one in which every organization begins with a seed, in YAML. Unless the seed names clients, these are
    /// [`OPERATOR`] and [`PERSON`].
    pub async fn start(seed: &str) -> Result<Self> {
        Self::start_with(seed, &[]).await
    }

    /// [`Self::start`] with more arguments.
    pub async fn start_with(seed: &str, args: &[&str]) -> Result<Self> {
        let directory = directory::subdirectory("sandbox")?;
        let (seed_file, address_file) = (directory.join("seed.yaml"), directory.join("address"));
        fs::write(&seed_file, with_clients(seed)?)?;
        // One of an earlier run in the same folder would lead nowhere.
        fs::remove_file(&address_file).ok();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pluvo-sandbox"));
        command.env("RUST_LOG", "info,journal=debug");
        command.args(["--listen", "127.0.0.1:0", "--seed"]).arg(&seed_file);
        command.arg("--address-file").arg(&address_file).args(args);
        let mut process = Process::start("the sandbox", &command, &directory.join("sandbox.log"))?;
        let url = process
            .ready("the sandbox listens", async || {
                Ok(fs::read_to_string(&address_file)?.trim().to_owned())
            })
            .await?;
        Ok(Self {
            process,
            directory,
            url,
        })
    }

    /// For the chart's `sandboxUrl`, and for what serves no organization in particular.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One organization, with its own data.
    pub fn organization(&self, name: &str) -> Organization {
        Organization {
            http: reqwest::Client::new(),
            url: format!("{}/{name}", self.url),
            token: Mutex::default(),
        }
    }

    /// All that it has logged.
    pub fn log(&self) -> Result<String> {
        self.process.log()
    }

    /// The process: its id, signals, its status.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn with_clients(seed: &str) -> Result<String> {
    let mut seed: Value = serde_yaml::from_str(seed).context("the seed is not YAML")?;
    if seed.is_null() {
        seed = json!({});
    }
    let all = [OPERATOR, PERSON].map(|(id, secret)| json!({"id": id, "secret": secret}));
    let scopes = [
        "users.read",
        "users.write",
        "groups.read",
        "groups.write",
        "trainings.read",
        "trainings.write",
        "extra_categories.write",
    ];
    let (id, secret) = NO_EVENTS;
    let clients = [&all[..], &[json!({"id": id, "secret": secret, "scopes": scopes})]].concat();
    let seed_fields = seed.as_object_mut().context("the seed is not a mapping")?;
    seed_fields.entry("clients").or_insert_with(|| json!(clients));
    Ok(seed.to_string()) // JSON is YAML
}

/// One organization in the sandbox, seen by [`PERSON`].
pub struct Organization {
    http: reqwest::Client,
    url: String,
    token: Mutex<Option<String>>,
}

impl Organization {
    /// Its address, as `spec.endpoint` and `PLUVO_ENDPOINT` take it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was counted: `httpRequests`, `operations`, `tokensIssued`, `bytesIn`, `bytesOut`, `mails`, ...
    pub async fn stats(&self) -> Result<Value> {
        self.control(Method::GET, "stats", None).await
    }

    /// Everything that exists, in a stable order.
    pub async fn state(&self) -> Result<Value> {
        self.control(Method::GET, "state", None).await
    }

    /// The mutations in order: time, client, operation, arguments, outcome.
    pub async fn log(&self) -> Result<Vec<Value>> {
        array(self.control(Method::GET, "log", None).await?)
    }

    /// The mails that would have been sent.
    pub async fn outbox(&self) -> Result<Vec<Value>> {
        array(self.control(Method::GET, "outbox", None).await?)
    }

    /// Adds objects, in the shape of a seed.
    pub async fn seed(&self, objects: &Value) -> Result {
        self.control(Method::POST, "seed", Some(objects)).await.map(drop)
    }

    /// Changes what no operation can, or what a person does in Pluvo itself.
    pub async fn change(&self, change: &Value) -> Result {
        self.control(Method::POST, "change", Some(change)).await.map(drop)
    }

    /// Changes how it answers where the documentation leaves that open; what is left out stays.
    pub async fn settings(&self, settings: &Value) -> Result {
        self.control(Method::POST, "settings", Some(settings)).await.map(drop)
    }

    /// Replaces what is to go wrong; `{}` ends it.
    pub async fn faults(&self, faults: &Value) -> Result {
        self.control(Method::POST, "faults", Some(faults)).await.map(drop)
    }

    /// What is still to go wrong.
    pub async fn planned_faults(&self) -> Result<Value> {
        self.control(Method::GET, "faults", None).await
    }

    /// Lets go of the requests that faults hold.
    pub async fn release(&self) -> Result {
        self.control(Method::POST, "faults/release", None).await.map(drop)
    }

    /// Ends all tokens.
    pub async fn revoke_tokens(&self) -> Result {
        self.control(Method::POST, "tokens/revoke", None).await.map(drop)
    }

    /// Back to the beginning: the seed, no counts, no log, no faults.
    pub async fn reset(&self) -> Result {
        *self.token.lock() = None;
        self.control(Method::POST, "reset", None).await.map(drop)
    }

    /// A control endpoint.
    pub async fn control(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}/_sandbox/{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "/_sandbox/{path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Runs a document as [`PERSON`] and returns `data`. Any error in the answer is an error.
    pub async fn graphql(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({"query": query, "variables": variables});
        let mut answer = self.post(&body).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            *self.token.lock() = None; // revoked or expired
            answer = self.post(&body).await?;
        }
        let status = answer.status();
        let mut answer: Value = answer.json().await?;
        if !status.is_success() || answer.get("errors").is_some() {
            bail!("{status}: {answer}");
        }
        Ok(answer["data"].take())
    }

    async fn post(&self, body: &Value) -> Result<reqwest::Response> {
        let token = self.token().await?;
        let request = self.http.post(format!("{}/graphql/", self.url));
        Ok(request.bearer_auth(token).json(body).send().await?)
    }

    async fn token(&self) -> Result<String> {
        if let Some(token) = &*self.token.lock() {
            return Ok(token.clone());
        }
        let scopes = "users.read users.write trainings.read trainings.write groups.read groups.write events.read \
                      events.write extra_categories.write";
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", PERSON.0),
            ("client_secret", PERSON.1),
            ("scope", scopes),
        ];
        let answer = self
            .http
            .post(format!("{}/oauth/token/", self.url))
            .form(&form)
            .send()
            .await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["access_token"].as_str().context("no access_token")?.to_owned();
        *self.token.lock() = Some(token.clone());
        Ok(token)
    }
}

fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(entries) => Ok(entries),
        other => bail!("not an array: {other}"),
    }
}
