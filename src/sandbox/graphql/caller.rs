//! How resolvers reach the data: one way to read, one way to write.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::{Context, Error, ErrorExtensions, Result, Value};
use jiff::Timestamp;

use crate::{
    journal::{Entry, Mail, MailKind, Outcome},
    organization::Organization,
    scope::Scope,
    settings::Settings,
    store::{Code, Enrollment, Event, Refusal, Store, Training, User},
    tokens::Grant,
};

/// Who asks, in the data of every request.
pub struct Caller {
    /// Which organization.
    pub organization: Arc<Organization>,
    /// With what rights.
    pub grant: Grant,
    /// The number of the HTTP request.
    pub request: u64,
    /// What is to go wrong with its mutations.
    pub interference: Interference,
}

/// What is to go wrong with the mutations of one document, which come one after the other.
#[derive(Debug, Default)]
pub struct Interference {
    /// Which of them fail, by their place in the document.
    pub fails: Option<Range<usize>>,
    begun: AtomicUsize,
}

impl Interference {
    /// Lets these fail.
    pub fn with(fails: Range<usize>) -> Self {
        Self {
            fails: Some(fails),
            begun: AtomicUsize::default(),
        }
    }

    /// The next mutation begins.
    fn check(&self) -> Result<(), Refusal> {
        let place = self.begun.fetch_add(1, Ordering::Relaxed);
        if self.fails.as_ref().is_some_and(|fails| fails.contains(&place)) {
            return Err(Refusal {
                code: Code::Internal,
                message: "Something went wrong.".to_owned(),
            });
        }
        Ok(())
    }
}

/// What a mutation works with.
pub struct Writing<'a> {
    /// The data.
    pub store: &'a mut Store,
    /// How the organization answers.
    pub settings: &'a Settings,
    /// The time of the mutation.
    pub now: Timestamp,
    mails: Vec<Letter>,
}

/// A mail that is to be sent.
struct Letter {
    kind: MailKind,
    to: Arc<str>,
    training: Option<Arc<str>>,
    event: Option<Arc<str>>,
}

impl Writing<'_> {
    /// Invites a new user.
    pub fn invite(&mut self, user: &User) -> Arc<User> {
        self.mails.push(Letter {
            kind: MailKind::Invite,
            to: user.reference.clone(),
            training: None,
            event: None,
        });
        self.store.invite_user(user, self.now)
    }

    /// Tells users that they were added to a training.
    pub fn invite_to_training(&mut self, users: &[Arc<User>], training: &Training) {
        let mail = |user: &Arc<User>| Letter {
            kind: MailKind::TrainingInvite,
            to: user.reference.clone(),
            training: Some(training.reference.clone()),
            event: None,
        };
        self.mails.extend(users.iter().map(mail));
    }

    /// Tells users about an event in which they are enrolled.
    pub fn tell_enrolled(&mut self, kind: MailKind, event: &Event, enrollments: &[Enrollment]) {
        let users = enrollments
            .iter()
            .filter_map(|enrollment| self.store.users().get(enrollment.user));
        let letters: Vec<_> = users
            .map(|user| Letter {
                kind,
                to: user.reference.clone(),
                training: None,
                event: Some(event.reference.clone()),
            })
            .collect();
        self.mails.extend(letters);
    }
}

/// Refuses a caller whose token lacks a scope. Every root field asks; what hangs below it does not.
pub fn require(ctx: &Context<'_>, scope: Scope) -> Result<()> {
    check(ctx.data_unchecked::<Caller>(), scope).map_err(as_error)
}

/// Reads.
pub fn look<T>(ctx: &Context<'_>, read: impl FnOnce(&Store, &Settings) -> T) -> T {
    let organization = &ctx.data_unchecked::<Caller>().organization;
    read(&organization.store.read(), &organization.settings.read())
}

/// Reads something that may be refused.
pub fn try_look<T>(ctx: &Context<'_>, read: impl FnOnce(&Store, &Settings) -> Result<T, Refusal>) -> Result<T> {
    look(ctx, read).map_err(as_error)
}

/// Carries out a mutation: everything or, if it is refused, nothing. Either way it is in the log.
pub fn write<T>(
    ctx: &Context<'_>,
    scope: Scope,
    act: impl FnOnce(&mut Writing<'_>) -> Result<T, Refusal>,
) -> Result<Option<T>> {
    let caller = ctx.data_unchecked::<Caller>();
    let organization = &caller.organization;
    let settings = organization.settings.read().clone();
    let entry = entry(ctx, caller)?;
    let mut store = organization.store.write();
    let mut writing = Writing {
        store: &mut store,
        settings: &settings,
        now: entry.time,
        mails: Vec::new(),
    };
    let result = check(caller, scope)
        .and_then(|()| caller.interference.check())
        .and_then(|()| act(&mut writing));
    let mails = writing.mails.into_iter().map(|letter| Mail {
        time: entry.time,
        kind: letter.kind,
        to: letter.to.to_string(),
        operation: entry.operation.clone(),
        client: entry.client.clone(),
        training: letter.training.map(|training| training.to_string()),
        event: letter.event.map(|event| event.to_string()),
    });
    let mails = mails.collect();
    store.settle(entry.time, settings.visibility_delay);
    drop(store);
    organization.journal.lock().note(entry, &result, mails);
    result.map(Some).map_err(as_error)
}

fn check(caller: &Caller, scope: Scope) -> Result<(), Refusal> {
    if caller.grant.scopes.contains(&scope) {
        return Ok(());
    }
    Err(Refusal {
        code: Code::PermissionDenied,
        message: format!("The token lacks the scope {scope}."),
    })
}

fn entry(ctx: &Context<'_>, caller: &Caller) -> Result<Entry> {
    let field = ctx.field();
    let arguments = field.arguments()?.into_iter().collect();
    Ok(Entry {
        time: caller.organization.clock.now(),
        client: caller.grant.client.clone(),
        request: caller.request,
        alias: field.alias().unwrap_or(field.name()).to_owned(),
        operation: field.name().to_owned(),
        arguments: Value::Object(arguments).into_json()?,
        outcome: Outcome::Ok,
        error: None,
    })
}

/// A refusal as an entry of `errors`; the field's path is added on the way out.
pub fn as_error(refusal: Refusal) -> Error {
    let code = refusal.code.as_str();
    Error::new(refusal.message).extend_with(|_, extensions| extensions.set("code", code))
}
