//! A Pluvo organization on the loopback interface, for tests of anybody's integration.
//!
//! It serves what is publicly documented of Pluvo's GraphQL API, with data in memory, and beside it control endpoints
//! that seed it, count what was asked, and make things go wrong. It shares no code with the operator, so that a
//! mistake in the client does not hide in the sandbox.
//!
//! # Organizations
//!
//! One process serves any number of organizations, each with its own data, settings, tokens, counters and faults. An
//! organization comes into existence, with the seed that the sandbox was started with, when it is first asked for:
//!
//! | path | what |
//! |---|---|
//! | `/graphql/`, `/oauth/token/`, `/_sandbox/…` | the organization `default` |
//! | `/{organization}/graphql/`, `/{organization}/oauth/token/`, `/{organization}/_sandbox/…` | any other |
//!
//! `GET /` and `GET /{organization}/` are a page that shows what an organization holds and follows what happens there.
//!
//! So a base URL with or without a path is a whole Pluvo to a client.
//!
//! # Control endpoints
//!
//! JSON in and out, no token; an error is `{"error": "…"}` with a 4xx status. A refused seed or change does nothing.
//! `pluvo-sandbox control` asks them from a shell.
//!
//! | endpoint | what |
//! |---|---|
//! | `GET /_sandbox/stats` | requests, root fields by name (each alias once), tokens, bytes of bodies, mails, mutations |
//! | `GET /_sandbox/state` | everything that exists, by ref and without ids; `?ids=true` with them |
//! | `GET /_sandbox/events` | server-sent events: something has happened |
//! | `GET /_sandbox/log` | the mutations in order: who, what, with which outcome |
//! | `GET /_sandbox/outbox` | the mails that would have been sent |
//! | `POST /_sandbox/seed` | adds objects: YAML or JSON as [`Seed`] has them |
//! | `POST /_sandbox/change` | `{users, groups, trainings, offers}` by ref, with the fields of a seed, `remove…` lists and null for "erase"; `advanceClock: "2m"`; `announce: [{event, training, user}]` tells what nothing else brings about |
//! | `GET`, `POST /_sandbox/settings` | [`Settings`]; a POST changes those that it names |
//! | `GET`, `POST`, `DELETE /_sandbox/faults` | `{latencyMs, atomicDocuments, next: [{fault, times, operation, endpoint}]}`; a POST replaces all |
//! | `POST /_sandbox/faults/release` | lets go of the requests that `holdBeforeCommit` and `holdAfterCommit` hold; `held` in the stats counts them |
//! | `GET`, `POST`, `DELETE /_sandbox/webhooks` | `{url, key, events: [], firstPauseMs}` subscribes; an empty list is every event. The answers count deliveries |
//! | `POST /_sandbox/tokens/revoke` | ends all tokens |
//! | `POST /_sandbox/reset` | as at the start; only tokens stay valid |
//!
//! A fault is `"unauthorized"`, `"dropConnection"` or `{"tooManyRequests": {"retryAfter": 3}}`. Latency comes before the
//! execution, and a request that has arrived is carried out even if its client has gone.
//!
//! # What is a choice
//!
//! Where the documentation leaves something open, [`Settings`] makes it a setting, or the choice is one of these:
//!
//! - A null in an input is the same as a field that is left out.
//! - `roles` replaces the list, which is kept sorted.
//! - An archived user keeps groups and trainings, and can be added to others.
//! - Roles in a training stand beside each other; a removal takes all of them.
//! - Whoever has cancelled or declined is enrolled anew when asked for. Nobody moves up from a waiting list by themselves,
//!   and neither `closingDate` nor `cancelled` keeps anybody from being enrolled by the API.
//! - Whoever is enrolled is in the event's trainings, and cannot be removed from them.
//! - `dates` of an event replaces the list.
//! - The report shows trainings by title, in each its participants by name, then certificates by when they were issued;
//!   days are cut in UTC, and its bounds are inclusive.
//! - `extraCategories` and the values on objects leave out archived custom fields.
//! - A webhook is told at most once of an object in one document. Archiving a user is `USER_UPDATED`; a redirect is no
//!   answer; a delivery that failed is signed anew.
//! - Without `first` a page has 50 rows. Cursors are positions: rows shift under them while others write.
//! - A new group takes any number of users (`maxUsers` 0), has no chat and is editable.

#![cfg_attr(
    test,
    allow(
        clippy::needless_pass_by_value,
        clippy::items_after_statements,
        clippy::semicolon_if_nothing_returned,
        reason = "tests read better so"
    )
)]

mod clock;
mod faults;
mod gate;
mod graphql;
mod http;
mod journal;
mod measure;
mod ordered;
mod organization;
mod scope;
mod seed;
mod settings;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod webhooks;

pub use self::{
    http::{Sandbox, StartError},
    measure::{PageTimes, page_times},
    scope::{Client, Scope},
    seed::{Generate, Seed},
    settings::Settings,
    store::Refusal,
};
