//! What plans see of the organization made of test data.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    plan::{
        Call, Observed,
        observed::{Key, Lookup, Outcome, Place, Presence, Unavailable, Unreadable},
        survey::{LoginFilter, Portfolio, Reading, Survey},
        value,
    },
    pluvo::{
        model::{CustomField, Group, Id, LastLogin, OfferEvent, Standing, Training, User},
        operation::Operation,
        request::{ContentType, MembershipChange, PortfolioFilter},
    },
};

use super::{Pluvo, pluvo::normalized};

impl Observed for Pluvo {
    fn user_by_id(&self, id: &Id) -> Lookup<Arc<User>> {
        self.look(&Key::UserId(id.clone()), self.users.get(id))
    }

    fn user_by_ref(&self, reference: &str) -> Lookup<Arc<User>> {
        self.look(&Key::UserRef(reference.into()), self.by_ref(reference))
    }

    fn user_by_email(&self, email: &str) -> Lookup<Arc<User>> {
        let email = value::email(email);
        let holder = self
            .users
            .values()
            .find(|user| normalized(user.email.as_ref()).as_ref() == Some(&email));
        self.look(&Key::UserEmail(email.as_str().into()), holder)
    }

    fn group_by_id(&self, id: &Id) -> Lookup<Arc<Group>> {
        self.look(&Key::GroupId(id.clone()), self.groups.get(id))
    }

    fn group_by_ref(&self, reference: &str) -> Lookup<Arc<Group>> {
        let group = self
            .groups
            .values()
            .find(|group| group.reference.as_deref() == Some(reference));
        self.look(&Key::GroupRef(reference.into()), group)
    }

    fn training_by_id(&self, id: &Id) -> Lookup<Arc<Training>> {
        self.look(&Key::TrainingId(id.clone()), self.trainings.get(id))
    }

    fn training_by_ref(&self, reference: &str) -> Lookup<Arc<Training>> {
        let training = self
            .trainings
            .values()
            .find(|training| training.reference.as_deref() == Some(reference));
        self.look(&Key::TrainingRef(reference.into()), training)
    }

    fn offer_event_by_id(&self, id: &Id) -> Lookup<Arc<OfferEvent>> {
        self.look(&Key::OfferEventId(id.clone()), self.offer_events.get(id))
    }

    fn offer_event_by_ref(&self, reference: &str) -> Lookup<Arc<OfferEvent>> {
        let event = self
            .offer_events
            .values()
            .find(|event| event.reference.as_deref() == Some(reference));
        self.look(&Key::OfferEventRef(reference.into()), event)
    }

    fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing> {
        let key = (event.clone(), user.clone());
        if self.unknown.contains(&Key::Enrollment(event.clone(), user.clone())) {
            return Lookup::Unknown;
        }
        self.enrollments
            .get(&key)
            .cloned()
            .map_or(Lookup::Absent, Lookup::Found)
    }

    fn presence(&self, place: &Place, user: &Id) -> Presence {
        let asked = match place {
            Place::Group(..) => Key::UserId(user.clone()),
            Place::Training(_) => place.key(),
            Place::OfferEvent(_) if self.lacking.contains("enrollment") => return Presence::Unobservable,
            Place::OfferEvent(event) => match self.standing(&event.id, user) {
                Lookup::Unknown => return Presence::Unknown,
                Lookup::Found(Standing::Cancelled | Standing::Declined) => return Presence::Declined,
                Lookup::Found(_) | Lookup::Absent => place.key(),
            },
        };
        if self.unknown.contains(&asked) {
            return Presence::Unknown;
        }
        let hidden = self.hidden.get(&(place.clone(), user.clone()));
        match (self.is_in(place, user), hidden) {
            (true, Some(MembershipChange::Remove)) => Presence::Leaving,
            (true, _) => Presence::Present,
            (false, Some(MembershipChange::Add)) => Presence::Arriving,
            (false, _) => Presence::Absent,
        }
    }

    fn everybody(&self, place: &Place) -> Lookup<Vec<Arc<User>>> {
        if self.unknown.contains(&place.key()) {
            return Lookup::Unknown;
        }
        let users = self.users.values().filter(|user| self.is_in(place, &user.id));
        Lookup::Found(users.cloned().map(Arc::new).collect())
    }

    fn portfolio(&self, filter: &PortfolioFilter) -> Lookup<Arc<Reading<Portfolio>>> {
        self.portfolios
            .get(filter)
            .map_or(Lookup::Unknown, |reading| Lookup::Found(reading.clone()))
    }

    fn last_logins(&self, filter: &LoginFilter) -> Lookup<Arc<Reading<Vec<LastLogin>>>> {
        self.last_logins
            .get(filter)
            .map_or(Lookup::Unknown, |reading| Lookup::Found(reading.clone()))
    }

    fn ask_by(&self, survey: Survey, at: Option<Timestamp>) {
        self.asked.borrow_mut().insert(survey, at);
    }

    fn custom_fields(&self, of: ContentType) -> Lookup<Arc<Vec<CustomField>>> {
        self.look(&Key::CustomFields(of), Some(&self.catalogue))
    }

    /// Names that differ in case alone.
    fn near_matches(&self, key: &Key) -> Vec<String> {
        let refs: Vec<_> = match key {
            Key::UserRef(_) => self
                .users
                .values()
                .filter_map(|user| user.reference.as_deref())
                .collect(),
            Key::GroupRef(_) => self
                .groups
                .values()
                .filter_map(|group| group.reference.as_deref())
                .collect(),
            Key::TrainingRef(_) => self
                .trainings
                .values()
                .filter_map(|training| training.reference.as_deref())
                .collect(),
            Key::OfferEventRef(_) => self
                .offer_events
                .values()
                .filter_map(|event| event.reference.as_deref())
                .collect(),
            Key::CustomFields(_) => {
                let fields = self.catalogue.iter().filter_map(|field| field.reference.as_deref());
                return fields.map(str::to_owned).collect();
            }
            _ => Vec::new(),
        };
        let wanted = match key {
            Key::UserRef(wanted) | Key::GroupRef(wanted) | Key::TrainingRef(wanted) | Key::OfferEventRef(wanted) => {
                wanted.to_lowercase()
            }
            _ => String::new(),
        };
        refs.into_iter()
            .filter(|known| known.to_lowercase() == wanted)
            .map(str::to_owned)
            .collect()
    }

    fn outcome(&self, fingerprint: &str) -> Option<Outcome> {
        self.outcomes.get(fingerprint).cloned()
    }

    fn mail_is_unsent(&self, reference: &str) -> bool {
        self.unsent_mails.contains(reference)
    }

    fn mails_to_record(&self, call: &Call) -> Vec<String> {
        call.mails.clone()
    }

    fn is_held(&self, _: &Call) -> bool {
        false
    }

    fn unreadable(&self) -> Option<Unreadable> {
        self.unreadable.clone()
    }

    fn lacks(&self, operation: &Operation) -> Option<String> {
        let lacking = self.lacking.contains(operation.field);
        lacking.then(|| operation.field.to_owned())
    }

    fn unavailable(&self) -> Option<Unavailable> {
        self.unavailable
    }
}
