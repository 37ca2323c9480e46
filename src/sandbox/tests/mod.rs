//! The sandbox over HTTP, as a client sees it.

mod cases;
mod control;
mod custom_fields;
mod enrollments;
mod faults;
mod memberships;
mod offers;
mod portfolio;
mod recipes;
mod tokens;
mod trainings;
mod users;
mod webhooks;

use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value as Json, json};

use super::{Sandbox, Seed};

const SEED: &str = r#"
clients:
  - {id: all, secret: s3cret}
  - {id: reader, secret: s3cret, scopes: [users.read, groups.read]}
customFields:
  - {ref: department, title: Department}
  - {ref: size, title: Size, type: NUMBER}
  - {ref: start, title: Start, type: DATE}
  - {ref: first-aider, title: First aider, type: BOOLEAN}
  - {ref: site, title: Site, type: SELECT, options: [Utrecht, Delft]}
  - {ref: certificates, title: Certificates, type: MULTISELECT, for: [USER, GROUP], options: [VCA, BHV, {value: EHBO, ref: first-aid}]}
users:
  - {ref: EMP-001, email: anna@example.com, name: Anna, lastLogin: "2024-03-01T00:00:00Z"}
  - {ref: EMP-002, email: bram@example.com, name: bram, lastLogin: "2024-05-01"}
  - {ref: EMP-003, email: chloe@example.com, name: Chloé, archived: true}
  - {email: daan@example.com, name: Daan, roles: [MANAGER, PARTICIPANT]}
groups:
  - {ref: all-employees, name: All employees, users: [EMP-001, EMP-002]}
  - {ref: small, name: Small, maxUsers: 1}
trainings:
  - {ref: safety-2024, title: Safety}
  - {ref: welcome, title: Welcome, groups: [all-employees]}
offers:
  - ref: first-aid
    title: First aid
    events: [{ref: first-aid-sept, title: September, maxSubscriptions: 2, waitingList: true, trainings: [safety-2024]}]
certificates:
  - {ref: vca, name: VCA, title: Safety certificate, validDays: 365}
"#;

/// A running sandbox, and a client of one of its organizations.
struct Pluvo {
    base: String,
    http: Client,
    token: String,
}

impl Pluvo {
    /// A sandbox with the seed of these tests and a client that has all scopes.
    async fn start() -> Self {
        Self::seeded(SEED).await
    }

    async fn seeded(seed: &str) -> Self {
        let seed = Seed::parse(seed).expect("a seed");
        let sandbox = Sandbox::bind(([127, 0, 0, 1], 0).into(), &seed)
            .await
            .expect("a sandbox");
        let base = sandbox.url();
        tokio::spawn(sandbox.serve(std::future::pending()));
        let http = Client::builder().redirect(Policy::none()).build().expect("a client");
        let mut pluvo = Self {
            base,
            http,
            token: String::new(),
        };
        pluvo.token = pluvo.new_token("all", "").await;
        pluvo
    }

    async fn ask_token(&self, fields: &[(&str, &str)]) -> Response {
        self.http
            .post(format!("{}/oauth/token/", self.base))
            .form(fields)
            .send()
            .await
            .expect("an answer")
    }

    async fn new_token(&self, client: &str, scope: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", "s3cret"),
            ("scope", scope),
        ];
        let answer: Json = self.ask_token(&form).await.json().await.expect("JSON");
        answer["access_token"].as_str().unwrap_or_default().to_owned()
    }

    fn request(&self, query: &str, variables: &Json) -> RequestBuilder {
        self.http
            .post(format!("{}/graphql/", self.base))
            .bearer_auth(&self.token)
            .json(&json!({"query": query, "variables": variables}))
    }

    /// The whole answer.
    async fn ask(&self, query: &str) -> Json {
        self.ask_with(query, json!({})).await
    }

    async fn ask_with(&self, query: &str, variables: Json) -> Json {
        self.request(query, &variables)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }

    /// The data of an answer without errors.
    async fn data(&self, query: &str) -> Json {
        self.data_with(query, json!({})).await
    }

    async fn data_with(&self, query: &str, variables: Json) -> Json {
        let mut answer = self.ask_with(query, variables).await;
        assert_eq!(answer["errors"], Json::Null, "{query}");
        answer["data"].take()
    }

    /// Code and path of the only error of an answer.
    async fn refusal(&self, query: &str) -> (String, Json) {
        let answer = self.ask(query).await;
        let errors = answer["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no errors: {answer}"));
        assert_eq!(errors.len(), 1, "{answer}");
        (
            errors[0]["extensions"]["code"].as_str().unwrap_or_default().to_owned(),
            errors[0]["path"].clone(),
        )
    }

    async fn look(&self, path: &str) -> Json {
        let url = format!("{}/_sandbox/{path}", self.base);
        self.http
            .get(url)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }

    async fn post(&self, path: &str, body: impl ToString) -> (u16, Json) {
        let url = format!("{}/_sandbox/{path}", self.base);
        let answer = self
            .http
            .post(url)
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// A control request that works.
    async fn control(&self, path: &str, body: Json) -> Json {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// The values at a JSON pointer in each element of a list.
fn each(list: &Json, pointer: &str) -> Vec<String> {
    let text = |row: &Json| {
        row.pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    list.as_array()
        .map(|rows| rows.iter().map(text).collect())
        .unwrap_or_default()
}
