//! `/_sandbox/…`: seeds, counts, changes and faults, for tests. No token is asked for.

use std::collections::BTreeMap;

use axum::{body::Bytes, extract::RawQuery, http::StatusCode, response::Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{Addressed, json_response, refuse};
use crate::{
    faults::Faults,
    seed::Seed,
    settings::Settings,
    stats::Stats,
    store::{Change, GroupDraft, OfferDraft, Refusal, TrainingDraft, UserDraft},
    webhooks::Announcement,
};

/// What was counted.
pub async fn stats(Addressed(organization): Addressed) -> Response {
    #[derive(Serialize)]
    struct Answer {
        #[serde(flatten)]
        stats: Stats,
        mutations: usize,
        mails: usize,
        held: usize,
    }
    let (mutations, mails) = {
        let journal = organization.journal.lock();
        (journal.entries.len(), journal.mails.len())
    };
    ok(&Answer {
        stats: organization.meter.read(),
        mutations,
        mails,
        held: organization.gate.held(),
    })
}

/// Everything that exists; `?ids=true` with the generated ids.
pub async fn state(Addressed(organization): Addressed, RawQuery(query): RawQuery) -> Response {
    let ids = match query.as_deref() {
        None | Some("" | "ids=false") => false,
        Some("ids=true") => true,
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "The only parameter is ids=true."),
    };
    let _shared = organization.documents.read().await;
    organization.settle();
    ok(&organization.store.read().state(ids))
}

/// The mails that would have been sent.
pub async fn outbox(Addressed(organization): Addressed) -> Response {
    let _shared = organization.documents.read().await;
    ok(&organization.journal.lock().mails)
}

/// The mutations in order.
pub async fn log(Addressed(organization): Addressed) -> Response {
    let _shared = organization.documents.read().await;
    ok(&organization.journal.lock().entries)
}

/// Adds objects.
pub async fn seed(Addressed(organization): Addressed, body: Bytes) -> Response {
    let seed = match std::str::from_utf8(&body)
        .map_err(|error| error.to_string())
        .map(Seed::parse)
    {
        Ok(Ok(seed)) => seed,
        Ok(Err(error)) => return refuse(StatusCode::BAD_REQUEST, error.to_string()),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    if !seed.clients.is_empty() || seed.settings.is_some() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Clients and settings belong into the seed that the sandbox starts with.",
        );
    }
    let now = organization.clock.now();
    done(organization.change(|store| seed.fill(store, now)).await)
}

/// Back to the beginning.
pub async fn reset(Addressed(organization): Addressed) -> Response {
    organization.reset().await;
    ok(&json!({"ok": true}))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ChangeRequest {
    users: BTreeMap<String, Option<UserDraft>>,
    groups: BTreeMap<String, Option<GroupDraft>>,
    trainings: BTreeMap<String, TrainingDraft>,
    offers: BTreeMap<String, OfferDraft>,
    advance_clock: Option<SignedDuration>,
    announce: Vec<Announcement>,
}

/// Does what no operation can do, or what a person does behind the API's back.
pub async fn change(Addressed(organization): Addressed, body: Bytes) -> Response {
    let request: ChangeRequest = match parse(&body) {
        Ok(request) => request,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, message),
    };
    if let Some(by) = request.advance_clock {
        organization.clock.advance(by);
    }
    let change = Change {
        users: request.users,
        groups: request.groups,
        trainings: request.trainings,
        offers: request.offers,
    };
    let now = organization.clock.now();
    let changed = organization.change(|store| store.change(&change, now)).await;
    done(changed.and_then(|()| organization.announce(&request.announce)))
}

/// Who is told of what, and how that goes.
pub async fn webhooks(Addressed(organization): Addressed) -> Response {
    ok(&organization.webhooks.report())
}

/// Somebody wants to be told.
pub async fn subscribe(Addressed(organization): Addressed, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(wanted) => ok(&organization.webhooks.subscribe(wanted)),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// Nobody is told any more.
pub async fn clear_webhooks(Addressed(organization): Addressed) -> Response {
    organization.webhooks.clear();
    ok(&json!({"ok": true}))
}

/// How the organization answers.
pub async fn settings(Addressed(organization): Addressed) -> Response {
    ok(&*organization.settings.read())
}

/// Changes some settings; those that are left out stay.
pub async fn change_settings(Addressed(organization): Addressed, body: Bytes) -> Response {
    let wanted: BTreeMap<String, Json> = match parse(&body) {
        Ok(wanted) => wanted,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, message),
    };
    let mut settings = organization.settings.write();
    let mut merged = json!(*settings);
    for (name, value) in wanted {
        merged[name] = value;
    }
    match serde_json::from_value::<Settings>(merged) {
        Ok(changed) => {
            *settings = changed;
            ok(&*settings)
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// Ends all tokens.
pub async fn revoke_tokens(Addressed(organization): Addressed) -> Response {
    ok(&json!({"revoked": organization.tokens.revoke_all()}))
}

/// What is still to go wrong.
pub async fn faults(Addressed(organization): Addressed) -> Response {
    ok(&*organization.faults.lock())
}

/// Replaces what is to go wrong; an empty body clears it.
pub async fn change_faults(Addressed(organization): Addressed, body: Bytes) -> Response {
    match parse::<Faults>(&body) {
        Ok(faults) => {
            *organization.faults.lock() = faults.clone();
            ok(&faults)
        }
        Err(message) => refuse(StatusCode::BAD_REQUEST, message),
    }
}

/// Nothing goes wrong any more.
pub async fn clear_faults(Addressed(organization): Addressed) -> Response {
    *organization.faults.lock() = Faults::default();
    ok(&Faults::default())
}

/// Lets go of the requests that faults hold.
pub async fn release(Addressed(organization): Addressed) -> Response {
    let held = organization.gate.held();
    organization.gate.release();
    ok(&json!({"released": held}))
}

fn parse<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, String> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn ok(answer: &impl Serialize) -> Response {
    json_response(StatusCode::OK, answer).0
}

fn done(result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => ok(&json!({"ok": true})),
        Err(refusal) => refuse(StatusCode::UNPROCESSABLE_ENTITY, refusal.message),
    }
}
