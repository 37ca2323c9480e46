//! What happened since somebody last asked: what webhooks tell, and nothing that was undone.

use std::sync::Arc;

use uuid::Uuid;

use super::{Enrollment, EnrollmentChange, Group, PortfolioItem, Store, Training, User, links::Moved, table::Touch};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum News {
    /// To a user.
    User(Touch, Arc<User>),
    /// To a group, or to who is in it.
    Group(Touch, Arc<Group>),
    /// To a training.
    Training(Touch, Arc<Training>),
    /// To an enrollment.
    Enrollment(EnrollmentChange, Enrollment),
    /// To an item of a portfolio; an issued certificate is one.
    Portfolio(Touch, PortfolioItem),
    /// A user has completed a training.
    Finished {
        /// Which.
        training: Uuid,
        /// Who.
        user: Uuid,
    },
}

impl Store {
    /// What has happened since this was last asked. `when_visible`: a change of a group's members is told when it can
    /// be read, and not when it is accepted.
    pub fn take_news(&mut self, when_visible: bool) -> Vec<News> {
        let Moved { accepted, visible } = self.links.take_moved();
        for group in if when_visible { visible } else { accepted } {
            self.groups.touch(group);
        }
        let users = self.users.take_touched().into_iter();
        let groups = self.groups.take_touched().into_iter();
        let trainings = self.trainings.take_touched().into_iter();
        let enrollments = self.enrollments.take_changed().into_iter();
        let items = self.portfolios.take_touched().into_iter();
        let finished = self.portfolios.take_finished().into_iter();
        // Nothing is told of these.
        self.offers.take_touched();
        self.events.take_touched();
        self.certificates.take_touched();
        self.fields.take_touched();
        users
            .map(|(touch, user)| News::User(touch, user))
            .chain(groups.map(|(touch, group)| News::Group(touch, group)))
            .chain(trainings.map(|(touch, training)| News::Training(touch, training)))
            .chain(enrollments.map(|(change, enrollment)| News::Enrollment(change, enrollment)))
            .chain(items.map(|(touch, item)| News::Portfolio(touch, item)))
            .chain(finished.map(|(training, user)| News::Finished { training, user }))
            .collect()
    }
}
