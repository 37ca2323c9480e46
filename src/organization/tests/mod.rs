//! The state of an organization without a network: what it asks is answered by an organization made of test data, at
//! the moments that a test chooses.

mod documents;
mod enrollments;
mod hints;
mod laws;
mod mails;
mod server;
mod surveys;
mod sweeps;

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    plan::{
        Action, Call, ResourceKey, Write,
        observed::{Lookup, Observed, Outcome, Place, Presence},
        testing::{Pluvo, add, rename, resource as reader},
    },
    pluvo::{model::Id, request::Keys},
};

use super::{
    guard::GuardRecord,
    settings::Settings,
    state::{Inquiry, Next, State},
    surveys::QUIET,
    view::View,
};

/// An organization as it is known, and the one that there is.
struct Scene {
    state: State,
    pluvo: Pluvo,
    now: Instant,
    /// Documents of questions so far.
    inquiries: Vec<Inquiry>,
}

impl Scene {
    /// Nothing is known; the first sweep is due.
    fn new(pluvo: Pluvo) -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        Self {
            state: State::new(Settings::default(), GuardRecord::default(), now),
            pluvo,
            now,
            inquiries: Vec::new(),
        }
    }

    /// What a pass over a resource sees; what it reads is noted.
    fn look<T>(&mut self, resource: &ResourceKey, look: impl FnOnce(&View<'_>) -> T) -> T {
        self.tick(Duration::from_millis(1));
        let view = self.state.view(resource, self.now);
        let result = look(&view);
        let read = view.read.take();
        self.state.register(resource, read, true, self.now);
        result
    }

    /// What is known of a user, by ref.
    fn user(&mut self, reference: &str) -> Lookup<String> {
        self.look(&reader(reference), |view| match view.user_by_ref(reference) {
            Lookup::Found(user) => Lookup::Found(user.name.to_string()),
            Lookup::Absent => Lookup::Absent,
            Lookup::Unknown => Lookup::Unknown,
        })
    }

    fn presence(&mut self, place: &Place, user: &Id) -> Presence {
        self.look(&reader("presence"), |view| view.presence(place, user))
    }

    fn tick(&mut self, by: Duration) {
        self.now += by;
    }

    /// Asks and answers until nothing is due any more.
    fn settle(&mut self) {
        loop {
            self.tick(Duration::from_millis(1));
            match self.state.next_inquiry(self.now) {
                Next::Send(inquiry) => self.exchange(inquiry),
                // What lingers is about to leave, and reports wait for calm.
                Next::At(at) if at <= self.now + QUIET => self.now = at,
                Next::At(_) | Next::Nothing => return,
            }
        }
    }

    fn exchange(&mut self, inquiry: Inquiry) {
        let answers = server::answers(&self.pluvo, &inquiry);
        let sent = self.now;
        self.tick(Duration::from_millis(50));
        self.inquiries.push(inquiry.clone());
        self.state.inquiry_answered(inquiry, answers, sent, self.now);
    }

    /// Lets the interval pass, and reads what is due then. Returns how many requests that took.
    fn sweep(&mut self) -> usize {
        let before = self.inquiries.len();
        self.tick(Settings::default().interval * 2);
        self.settle();
        self.inquiries.len() - before
    }

    fn submit(&mut self, resource: &ResourceKey, calls: Vec<Call>) {
        let moment = self.state.view(resource, self.now).moment();
        assert!(self.state.submit(resource, calls, moment, self.now));
    }

    /// The next document, once everything that waits has lingered.
    fn document(&mut self) -> Option<super::batch::Batch> {
        self.tick(Duration::from_secs(1));
        match self.state.next_batch(&|_| false, self.now) {
            Next::Send(batch) => Some(batch),
            Next::At(_) | Next::Nothing => None,
        }
    }

    /// The outcome of a write, as the next pass of its resource sees it.
    fn outcome(&mut self, resource: &ResourceKey, call: &Call) -> Option<Outcome> {
        let fingerprint = Write::of_all(&call.writes);
        self.state.view(resource, self.now).outcome(&fingerprint)
    }
}
