//! Whether what the watches have shown can be relied on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::Resource;
use tokio::{sync::watch, time::Instant};

use crate::api::{Kind, PluvoConnection};

/// A watch may be interrupted for this long: API servers restart.
const TOLERATED: Duration = Duration::from_mins(1);
/// A watch that is interrupted fails again within this time. One that has not was taken up again, and nothing has happened
/// since.
const REPEATED: Duration = Duration::from_mins(2);

/// How far the watches of all kinds are: none is complete at first.
#[derive(Debug)]
pub struct Readiness(watch::Sender<BTreeMap<String, State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether everything was shown once.
    complete: bool,
    interrupted: Option<Interruption>,
}

#[derive(Clone, Copy, Debug)]
struct Interruption {
    since: Instant,
    last: Instant,
}

impl Interruption {
    /// It failed, perhaps once more.
    fn again(before: Option<Self>, now: Instant) -> Self {
        let goes_on = before.filter(|before| now.saturating_duration_since(before.last) <= REPEATED);
        Self {
            since: goes_on.map_or(now, |before| before.since),
            last: now,
        }
    }

    /// For how long it has lasted, if that is too long.
    fn too_long(self, now: Instant) -> Option<Duration> {
        let lasts = now.saturating_duration_since(self.last) <= REPEATED;
        let long = now.saturating_duration_since(self.since);
        (lasts && long > TOLERATED).then_some(long)
    }
}

/// One watch, as it tells how far it is.
#[derive(Clone, Debug)]
pub struct Watch {
    kind: String,
    readiness: Arc<Readiness>,
}

impl Default for Readiness {
    fn default() -> Self {
        let kinds = Kind::ALL.iter().map(|kind| kind.name().into());
        let kinds = kinds.chain([PluvoConnection::kind(&())]);
        Self(watch::Sender::new(
            kinds.map(|kind| (kind.into_owned(), State::default())).collect(),
        ))
    }
}

impl Readiness {
    /// The watch of a kind.
    pub(super) fn watch(self: &Arc<Self>, kind: &str) -> Watch {
        Watch {
            kind: kind.to_owned(),
            readiness: self.clone(),
        }
    }

    /// Waits until all watches are complete.
    pub(super) async fn completed(&self) {
        let complete = |watches: &BTreeMap<_, State>| watches.values().all(|state| state.complete);
        // Errors only if the sender is gone, which is ours.
        let _ = self.0.subscribe().wait_for(complete).await;
    }

    /// A sentence for each watch that is behind; none if all of them are up to date.
    #[must_use]
    pub fn behind(&self) -> Vec<String> {
        let (watches, now) = (self.0.borrow(), Instant::now());
        let behind = watches.iter().filter_map(|(kind, state)| {
            if !state.complete {
                return Some(format!("the watch of {kind} is not complete yet"));
            }
            let long = state.interrupted?.too_long(now)?.as_secs();
            Some(format!("the watch of {kind} has been interrupted for {long}s"))
        });
        behind.collect()
    }
}

impl Watch {
    fn update(&self, change: impl FnOnce(&mut State)) {
        self.readiness.0.send_modify(|watches| {
            if let Some(state) = watches.get_mut(&self.kind) {
                change(state);
            }
        });
    }

    /// Everything that there is has been shown.
    pub(super) fn complete(&self) {
        self.update(|state| state.complete = true);
    }

    /// It shows something.
    pub(super) fn goes_on(&self) {
        self.update(|state| state.interrupted = None);
    }

    /// It fails, and is tried again.
    pub(super) fn interrupted(&self) {
        self.update(|state| state.interrupted = Some(Interruption::again(state.interrupted, Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn kinds() -> impl Iterator<Item = &'static str> {
        Kind::ALL.iter().map(|kind| kind.name()).chain(["PluvoConnection"])
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_behind_until_it_is_complete_and_while_it_fails_for_long() {
        let readiness = Arc::new(Readiness::default());
        assert_eq!(readiness.behind().len(), kinds().count());
        let groups = readiness.watch("PluvoGroup");
        kinds().skip(1).for_each(|kind| readiness.watch(kind).complete());
        assert_eq!(readiness.behind(), ["the watch of PluvoUser is not complete yet"]);
        readiness.watch("PluvoUser").complete();
        readiness.completed().await;
        let nothing: [&str; 0] = [];
        assert_eq!(readiness.behind(), nothing);
        for _ in 0..4 {
            groups.interrupted();
            assert_eq!(readiness.behind(), nothing, "API servers restart");
            sleep(Duration::from_secs(20)).await;
        }
        groups.interrupted();
        assert_eq!(
            readiness.behind(),
            ["the watch of PluvoGroup has been interrupted for 80s"]
        );
        groups.goes_on();
        assert_eq!(readiness.behind(), nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_was_taken_up_again_may_be_silent() {
        let readiness = Arc::new(Readiness::default());
        kinds().for_each(|kind| readiness.watch(kind).complete());
        let users = readiness.watch("PluvoUser");
        users.interrupted();
        sleep(Duration::from_secs(90)).await;
        users.interrupted();
        assert_eq!(readiness.behind().len(), 1);
        sleep(Duration::from_secs(121)).await;
        assert_eq!(readiness.behind().len(), 0, "no failure was heard of since");
        users.interrupted();
        assert_eq!(readiness.behind().len(), 0, "that is another interruption");
    }
}
