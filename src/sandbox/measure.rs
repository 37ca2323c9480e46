//! How long a page takes, as a function of the size of the organization.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::{Request, Variables};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{
    graphql::{Caller, Interference, Schema, schema},
    organization::{Organization, Origin},
    scope::Client,
    seed::{Generate, Seed},
    settings::Settings,
    store::{Refusal, Store},
};

const ROUNDS: usize = 40;

/// A page as a sweep reads it.
const PAGE: &str = "query ($archived: Boolean, $groups: [UUID!], $offset: Int) {
  paginatedUsers(archived: $archived, groupIds: $groups, first: 50, offset: $offset) {
    edges {
      node {
        id ref email name archived roles language
        participantGroups { id ref }
        managerGroups { id ref }
        extraCategoryValues { __typename }
      }
    }
    pageInfo { hasNextPage endCursor }
    count
  }
}";

/// Median times in microseconds of pages of 50 users in one organization, without HTTP.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PageTimes {
    /// How many users there are, a fifth of them archived.
    pub users: usize,
    /// How long it took to make them, in milliseconds.
    pub seeding_millis: u128,
    /// The first page of the active users.
    pub first: u128,
    /// The last page of all users.
    pub last: u128,
    /// A page in the middle of a group that holds half of the users.
    pub of_group: u128,
}

/// Measures pages in a made-up organization. Pages should cost about the same whatever the number of users, as long
/// as there are more than a few hundred.
pub async fn page_times(users: usize) -> Result<PageTimes, Refusal> {
    let started = Instant::now();
    let mut store = Store::default();
    let generate = Generate {
        users,
        archived: users / 5,
        groups: 2,
        trainings: 0,
    };
    Seed {
        generate,
        ..Seed::default()
    }
    .fill(&mut store, Timestamp::now())?;
    let seeding_millis = started.elapsed().as_millis();
    let group = store.groups().expect_ref("group-0001")?.id.to_string();
    let clients = vec![Client::with_all_scopes("measure", "")];
    let organization = Arc::new(Organization::new(
        "measured",
        Arc::new(Origin {
            clients,
            settings: Settings::default(),
            store,
        }),
    ));
    let schema = schema();
    let last = users.saturating_sub(50);
    Ok(PageTimes {
        users,
        seeding_millis,
        first: median(&schema, &organization, &json!({"archived": false})).await,
        last: median(&schema, &organization, &json!({"offset": last})).await,
        of_group: median(&schema, &organization, &json!({"groups": [group], "offset": users / 4})).await,
    })
}

async fn median(schema: &Schema, organization: &Arc<Organization>, variables: &Json) -> u128 {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let grant = organization.tokens.for_a_person(Timestamp::MAX);
        let Some(grant) = grant.and_then(|token| organization.tokens.check(&token, Timestamp::UNIX_EPOCH)) else {
            return 0;
        };
        let caller = Caller {
            interference: Interference::default(),
            organization: organization.clone(),
            grant,
            request: 0,
        };
        let request = Request::new(PAGE)
            .variables(Variables::from_json(variables.clone()))
            .data(caller);
        let started = Instant::now();
        let response = schema.execute(request).await;
        times.push(started.elapsed());
        debug_assert!(response.errors.is_empty(), "{:?}", response.errors);
    }
    times.sort_unstable();
    times.get(ROUNDS / 2).map_or(0, Duration::as_micros)
}
