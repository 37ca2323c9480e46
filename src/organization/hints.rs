//! What webhooks tell: hints about what to read again. What they say is not believed, and only what somebody needs is
//! read.

use tokio::time::Instant;

use crate::{
    plan::{observed::Key, value},
    pluvo::{
        model::Id,
        request::{GroupRole, GroupSize},
        webhook::Notice,
    },
};

use super::{reads::Question, state::State};

impl State {
    /// Somebody was told that something has changed. Returns whether it is read again.
    pub fn hint(&mut self, notice: &Notice, now: Instant) -> bool {
        let questions = match notice {
            Notice::User { id, reference, email } => {
                let by_ref = reference.clone().map(Key::UserRef);
                let by_email = email.as_deref().map(|email| Key::UserEmail(value::email(email).into()));
                let key = Key::UserId(id.clone());
                let needed = self.mirror.holds(&key) || self.is_read(by_ref.iter().chain(&by_email).chain([&key]));
                Vec::from_iter(needed.then_some(Question::Object(key)))
            }
            Notice::Group { id, reference } => {
                let key = Key::GroupId(id.clone());
                let known = self
                    .mirror
                    .group(&key)
                    .found()
                    .and_then(|group| group.reference.clone());
                let by_ref = reference.clone().or(known).map(Key::GroupRef);
                let needed = self.is_read(by_ref.iter().chain([&key])) || self.members_are_read(id);
                if needed {
                    vec![Question::Object(key), Question::Changed(id.clone())]
                } else {
                    Vec::new()
                }
            }
            Notice::Training { id, reference } => {
                let key = Key::TrainingId(id.clone());
                let known = self.mirror.training(&key).found();
                let known = known.and_then(|training| training.reference.clone());
                let by_ref = reference.clone().or(known).map(Key::TrainingRef);
                let needed = self.is_read(by_ref.iter().chain([&key]));
                Vec::from_iter(needed.then_some(Question::Object(key)))
            }
            Notice::Enrollment { event, user } => {
                let key = Key::Enrollment(event.clone(), user.clone());
                let event = Key::OfferEventId(event.clone());
                let needed = [key, event].into_iter().filter(|key| self.is_read([key].into_iter()));
                needed.map(Question::Object).collect()
            }
            Notice::Achieved(told) => {
                let counts = self.certificate_achieved(told);
                self.note_woken();
                return counts;
            }
            Notice::Other => Vec::new(),
        };
        let needed = !questions.is_empty();
        for question in questions {
            self.reads.hint(question, now);
        }
        needed
    }

    fn is_read<'a>(&self, mut keys: impl Iterator<Item = &'a Key>) -> bool {
        keys.any(|key| self.readers.of(key).next().is_some())
    }

    fn members_are_read(&self, group: &Id) -> bool {
        let roles = [GroupRole::Participant, GroupRole::Manager];
        let keys = roles.map(|role| Key::Members(group.clone(), role));
        self.is_read(keys.iter())
    }

    /// A group that is said to have changed has so many members. If they are not as many as are known, or nobody tells,
    /// the list is read; an echo of our own writes brings no news.
    pub(super) fn members_counted(&mut self, group: &Id, size: GroupSize) {
        let is_known = |role, shown: Option<u64>| {
            let expected = u64::try_from(self.mirror.expected_size(group, role)).ok();
            shown.is_some() && shown == expected
        };
        let known = is_known(GroupRole::Participant, size.users) && is_known(GroupRole::Manager, size.managers);
        if !known {
            self.schedule.groups.insert(group.clone());
        }
    }
}
