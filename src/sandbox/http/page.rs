//! What the organization holds, as a page that follows what happens: `GET /`.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    Html,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};

use super::Addressed;

/// Events follow one another no faster: whoever listens reads everything anew.
const PAUSE: Duration = Duration::from_millis(100);

/// The page. All of it is here: it works without a network.
pub async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

/// Tells that something has happened, and first that everything may have: a message is how often so far.
pub async fn events(Addressed(organization): Addressed) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut happenings = organization.happenings.subscribe();
    happenings.mark_changed();
    let told = stream::unfold(happenings, async |mut happenings| {
        happenings.changed().await.ok()?;
        tokio::time::sleep(PAUSE).await;
        let count = *happenings.borrow_and_update();
        Some((Ok(Event::default().data(count.to_string())), happenings))
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}
