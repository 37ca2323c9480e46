//! Who is enrolled in which event.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    caller::{look, require, write},
    events::EventNode,
    scalars::{DateTime, Uuid},
    users::UserNode,
};
use crate::{
    journal::MailKind,
    scope::Scope,
    store::{Enrollment, EnrollmentStatus, People, Selector, Store, User},
};

/// `Enrollment`
pub struct EnrollmentNode {
    enrollment: Enrollment,
    user: Arc<User>,
}

impl EnrollmentNode {
    /// Those whose user exists, which are all.
    fn all(store: &Store, enrollments: &[Enrollment]) -> Vec<Self> {
        let node = |enrollment: &Enrollment| {
            let user = store.users().get(enrollment.user)?.clone();
            Some(Self {
                enrollment: *enrollment,
                user,
            })
        };
        enrollments.iter().filter_map(node).collect()
    }
}

#[Object(name = "Enrollment")]
impl EnrollmentNode {
    async fn id(&self) -> ID {
        self.enrollment.id.into()
    }

    async fn user(&self) -> UserNode {
        UserNode(self.user.clone())
    }

    async fn status(&self) -> EnrollmentStatus {
        self.enrollment.status
    }

    async fn offer_event(&self, ctx: &Context<'_>) -> Option<EventNode> {
        look(ctx, |store, _| store.events().get(self.enrollment.event).cloned()).map(EventNode)
    }

    async fn enrolled_at(&self) -> Option<DateTime> {
        Some(DateTime(self.enrollment.enrolled_at))
    }

    #[graphql(deprecation = "old enrollments page")]
    async fn user_id(&self) -> Option<ID> {
        Some(self.enrollment.user.into())
    }

    #[graphql(deprecation = "old enrollments page")]
    async fn offer_event_id(&self) -> Option<ID> {
        Some(self.enrollment.event.into())
    }
}

/// Enrollment queries.
#[derive(Default)]
pub struct EnrollmentQuery;

#[Object]
impl EnrollmentQuery {
    async fn enrollment(
        &self,
        ctx: &Context<'_>,
        user_id: Uuid,
        offer_event_id: Uuid,
    ) -> Result<Option<EnrollmentNode>> {
        require(ctx, Scope::EventsRead)?;
        Ok(look(ctx, |store, _| {
            let found = store.enrollments().get(offer_event_id.0, user_id.0)?;
            EnrollmentNode::all(store, &[found]).pop()
        }))
    }

    async fn enrollments(&self, ctx: &Context<'_>, user_id: Option<Uuid>) -> Result<Vec<EnrollmentNode>> {
        require(ctx, Scope::EventsRead)?;
        Ok(look(ctx, |store, _| {
            let found = store.enrollments().of(user_id.map(|id| id.0));
            EnrollmentNode::all(store, &found)
        }))
    }
}

#[derive(InputObject)]
struct EnrollUserInput {
    user_id: Uuid,
    offer_event_id: Uuid,
    status: Option<EnrollmentStatus>,
}

#[derive(SimpleObject)]
struct EnrollUserPayload {
    enrollment: Option<EnrollmentNode>,
}

#[derive(SimpleObject)]
struct UnenrollUserPayload {
    success: Option<bool>,
}

/// Enrollment mutations.
#[derive(Default)]
pub struct EnrollmentMutation;

#[Object]
impl EnrollmentMutation {
    async fn create_offer_event_enrollments(
        &self,
        ctx: &Context<'_>,
        offer_event_id: Option<Uuid>,
        offer_event_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
        send_mail: Option<bool>,
    ) -> Result<Option<Vec<EnrollmentNode>>> {
        let people = People {
            ids: user_ids.unwrap_or_default().into_iter().map(|id| id.0).collect(),
            refs: user_refs.unwrap_or_default(),
        };
        write(ctx, Scope::EventsWrite, |writing| {
            let selector = Selector::exactly_one(offer_event_id.map(|id| id.0), offer_event_ref)?;
            let event = writing.store.events().expect(&selector)?.clone();
            let enrolled = writing.store.enroll(&event, &people, writing.settings, writing.now)?;
            if send_mail.unwrap_or(writing.settings.enrollment_mails) {
                writing.tell_enrolled(MailKind::Enrollment, &event, &enrolled.done);
            }
            let mut listed = enrolled.done;
            if writing.settings.list_already_enrolled {
                listed.extend(enrolled.already);
            }
            Ok(EnrollmentNode::all(writing.store, &listed))
        })
    }

    async fn enroll_user_in_offer_event(
        &self,
        ctx: &Context<'_>,
        enrollment: EnrollUserInput,
    ) -> Result<Option<EnrollUserPayload>> {
        write(ctx, Scope::EventsWrite, |writing| {
            let user = Selector::Id(enrollment.user_id.0);
            let user = writing.store.users().expect(&user)?.clone();
            let event = Selector::Id(enrollment.offer_event_id.0);
            let event = writing.store.events().expect(&event)?.clone();
            if let Some(status) = enrollment.status {
                writing.store.set_enrollment(&event, &user, status, writing.now);
            } else {
                let people = People {
                    ids: vec![user.id],
                    ..People::default()
                };
                writing.store.enroll(&event, &people, writing.settings, writing.now)?;
            }
            let found = writing.store.enrollments().get(event.id, user.id);
            Ok(EnrollUserPayload {
                enrollment: found.and_then(|found| EnrollmentNode::all(writing.store, &[found]).pop()),
            })
        })
    }

    async fn unenroll_user_from_offer_event(
        &self,
        ctx: &Context<'_>,
        user_id: Uuid,
        offer_event_id: Uuid,
    ) -> Result<Option<UnenrollUserPayload>> {
        write(ctx, Scope::EventsWrite, |writing| {
            let (event, user) = (offer_event_id.0, user_id.0);
            let ended = writing.store.end_enrollment(event, user, writing.settings, writing.now);
            Ok(UnenrollUserPayload { success: Some(ended) })
        })
    }
}
