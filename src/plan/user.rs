//! One user: which account it is, what differs, what to do about it.

use std::{collections::HashSet, sync::Arc};

use crate::{
    api::{
        Mode, PluvoUser, Reason,
        common::{Adoption, OnRemoteDeletion},
        user::{PluvoUserSpec, Role, UserDeletionPolicy},
    },
    pluvo::{
        model::{EnumValue, Id, User},
        request::{ContentType, Mutation, Selector, UserInput},
    },
};

use super::{
    Decision, Difference, Finalizer, Identity, Observed, Subject, Verdict,
    attributes::{Attribute, Seen},
    ceiling::Ceiling,
    custom_fields,
    object::{self, Declared},
    observed::Lookup,
    resource::Plan,
    scope::Scope,
    value,
};

/// What the connection and the other resources on it say about a user.
struct UserContext<'a> {
    /// The most that the connection permits.
    ceiling: Ceiling<'a>,
    /// The e-mail address that a live resource declares for a ref: `None` where none declares the ref, `Some(None)`
    /// where it is declared without an address.
    declared_email: &'a dyn Fn(&str) -> Option<Option<String>>,
}

/// Which account a resource is about.
enum Account {
    /// This one; `adopt` where it still has another ref.
    Ours { user: Arc<User>, adopt: bool },
    /// None yet.
    ToCreate,
    /// None, and none is wanted: a leaver whom Pluvo does not know.
    NotNeeded,
    /// Nothing can be done.
    Stop(Box<Decision>),
}

impl Plan for PluvoUser {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let Some(ceiling) = Ceiling::of(scope) else {
            return object::known(Verdict::not_ready(scope.connection));
        };
        let context = UserContext {
            ceiling,
            declared_email: &|reference| scope.registry.declared_email(scope.connection, reference),
        };
        plan(&self.spec, subject, &context, observed)
    }

    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let stays = scope.is_handed_over();
        plan_deletion(&self.spec, subject, stays, Ceiling::of(scope), observed)
    }
}

fn plan(spec: &PluvoUserSpec, subject: &Subject<'_>, context: &UserContext<'_>, observed: &impl Observed) -> Decision {
    if let Err(refusal) = permitted(spec, &context.ceiling) {
        return *refusal;
    }
    let mut decision = match find_account(spec, subject, context, observed) {
        Account::Stop(decision) => return *decision,
        Account::NotNeeded => {
            return object::compared(Verdict::done(
                Reason::InSync,
                "archived, and unknown to Pluvo: nothing to do",
            ));
        }
        Account::ToCreate => match context.ceiling.roles(&initial_roles(spec)) {
            Ok(()) => create(spec, subject, observed),
            Err(refusal) => return *refusal,
        },
        Account::Ours { user, adopt } => {
            let decision = update(spec, subject, &user, adopt, observed);
            if let Some(role) = context.ceiling.protects(&user) {
                return context.ceiling.spare(decision, &title(spec), role);
            }
            decision
        }
    };
    if spec.deletion_policy == UserDeletionPolicy::Archive && subject.mode != Mode::Observe {
        decision.finalizer = Finalizer::Require;
    } else {
        decision.finalizer = Finalizer::Release;
    }
    decision
}

/// Refuses what the connection does not permit, whatever the account is.
fn permitted(spec: &PluvoUserSpec, ceiling: &Ceiling<'_>) -> Result<(), Box<Decision>> {
    ceiling.roles(spec.roles.as_deref().unwrap_or_default())?;
    spec.email.as_deref().map_or(Ok(()), |email| ceiling.email(email))
}

/// `handed_over`: another live resource declares the same ref.
fn plan_deletion(
    spec: &PluvoUserSpec,
    subject: &Subject<'_>,
    handed_over: bool,
    ceiling: Option<Ceiling<'_>>,
    observed: &impl Observed,
) -> Decision {
    if spec.deletion_policy == UserDeletionPolicy::Orphan || subject.mode == Mode::Observe || handed_over {
        return Decision::release("the account stays as it is");
    }
    let account = match subject.known_id() {
        Some(id) => observed.user_by_id(&id),
        None => observed.user_by_ref(&spec.reference),
    };
    let title = title(spec);
    match account {
        Lookup::Unknown => object::end_unobserved(&title, "archived", observed),
        Lookup::Absent => Decision::release("the account does not exist"),
        Lookup::Found(user) if user.archived => Decision::release("the account is archived"),
        Lookup::Found(user) if ceiling.is_some_and(|ceiling| ceiling.protects(&user).is_some()) => {
            Decision::release("the account holds a role outside of the permit, and stays as it is")
        }
        Lookup::Found(user) => {
            let input = UserInput {
                archived: Some(true),
                ..UserInput::default()
            };
            object::end(
                &title,
                "archived",
                Mutation::UpdateUser {
                    id: user.id.clone(),
                    user: input,
                },
                subject,
                observed,
            )
        }
    }
}

fn title(spec: &PluvoUserSpec) -> String {
    format!("user {}", spec.reference)
}

fn find_account(
    spec: &PluvoUserSpec,
    subject: &Subject<'_>,
    context: &UserContext<'_>,
    observed: &impl Observed,
) -> Account {
    let by_ref = observed.user_by_ref(&spec.reference);
    if let Some(id) = subject.known_id()
        && !(spec.on_remote_deletion == OnRemoteDeletion::Recreate && observed.user_by_id(&id) == Lookup::Absent)
    {
        return known_account(spec, &id, &by_ref, context, observed);
    }
    match by_ref {
        Lookup::Unknown => stop(Decision::unobserved(observed.available())),
        Lookup::Found(user) => ours(spec, user, false, context, observed),
        Lookup::Absent if spec.archived => Account::NotNeeded,
        Lookup::Absent if subject.mode == Mode::Observe => stop(not_found(spec)),
        Lookup::Absent => account_by_email(spec, context, observed),
    }
}

fn known_account(
    spec: &PluvoUserSpec,
    id: &Id,
    by_ref: &Lookup<Arc<User>>,
    context: &UserContext<'_>,
    observed: &impl Observed,
) -> Account {
    if let Lookup::Found(other) = by_ref
        && other.id != *id
    {
        return stop(conflict(format!(
            "ref {} now belongs to another account ({}) than the one known as {id}; nothing is written. Decide in Pluvo which of them it is",
            spec.reference, other.id
        )));
    }
    match (observed.user_by_id(id), by_ref) {
        // Under another ref, or gone: that nobody else has the ref must be certain.
        (Lookup::Unknown, _) | (_, Lookup::Unknown) => stop(Decision::unobserved(observed.available())),
        (Lookup::Found(user), _) => ours(spec, user, false, context, observed),
        (Lookup::Absent, _) => stop(object::known(Verdict::stalled(
            Reason::DeletedRemotely,
            format!(
                "user {} was known as {id} and is gone from Pluvo; it is not made again. Delete this resource, or set onRemoteDeletion: Recreate",
                spec.reference
            ),
        ))),
    }
}

/// The account with the ref is ours, unless its new e-mail address belongs to somebody else.
fn ours(
    spec: &PluvoUserSpec,
    user: Arc<User>,
    adopt: bool,
    context: &UserContext<'_>,
    observed: &impl Observed,
) -> Account {
    let Some(email) = &spec.email else {
        return Account::Ours { user, adopt };
    };
    if user.email.as_deref().map(value::email) == Some(value::email(email)) {
        return Account::Ours { user, adopt };
    }
    match observed.user_by_email(email) {
        Lookup::Unknown => stop(Decision::unobserved(observed.available())),
        Lookup::Absent => Account::Ours { user, adopt },
        Lookup::Found(holder) if holder.id == user.id => Account::Ours { user, adopt },
        Lookup::Found(holder) => email_is_taken(spec, &holder, context, observed),
    }
}

fn account_by_email(spec: &PluvoUserSpec, context: &UserContext<'_>, observed: &impl Observed) -> Account {
    let Some(email) = &spec.email else {
        return Account::ToCreate;
    };
    let holder = match observed.user_by_email(email) {
        Lookup::Unknown => return stop(Decision::unobserved(observed.available())),
        Lookup::Absent => return Account::ToCreate,
        Lookup::Found(holder) => holder,
    };
    let free = holder.reference.as_deref().is_none_or(value::is_generated_ref);
    let allowed = spec.adoption.min(context.ceiling.permit().adoption);
    let claimed = holder
        .reference
        .as_deref()
        .is_some_and(|reference| (context.declared_email)(reference).is_some());
    match allowed {
        Adoption::Safe | Adoption::ByEmail if free && !claimed => Account::Ours {
            user: holder,
            adopt: true,
        },
        Adoption::ByEmail if !claimed => Account::Ours {
            user: holder,
            adopt: true,
        },
        _ => email_is_taken(spec, &holder, context, observed),
    }
}

/// Somebody else has the address: either that person's resource gives it up, or a human must decide.
fn email_is_taken(spec: &PluvoUserSpec, holder: &User, context: &UserContext<'_>, observed: &impl Observed) -> Account {
    let theirs = holder.reference.as_deref().unwrap_or("(none)");
    if new_email(holder, context).is_some() {
        if is_circle(spec, holder, context, observed) {
            return stop(conflict(format!(
                "this user and {theirs} wait for each other's e-mail address; nothing is written. Give one of them \
                 another address first"
            )));
        }
        let verdict = Verdict::fleeting(
            Reason::DependencyNotReady,
            format!("the e-mail address is still that of user {theirs}, whose resource gives it up"),
        );
        return stop(object::known(verdict));
    }
    let hint = match spec.adoption.min(context.ceiling.permit().adoption) {
        Adoption::ByEmail => "",
        _ if spec.adoption == Adoption::ByEmail => "; the connection permits no adoption by e-mail",
        _ => "; if it is the same person, set adoption: ByEmail",
    };
    stop(conflict(format!(
        "the e-mail address belongs to the account with ref {theirs}; nothing is written{hint}"
    )))
}

/// The address for which somebody's resource gives up the one that the account has.
fn new_email(holder: &User, context: &UserContext<'_>) -> Option<String> {
    let declared = (context.declared_email)(holder.reference.as_deref()?)??;
    let held = holder.email.as_deref().map(value::email);
    (Some(value::email(&declared)) != held).then_some(declared)
}

/// Whether whoever holds the address waits, perhaps through others, for that of this very user.
fn is_circle(spec: &PluvoUserSpec, holder: &User, context: &UserContext<'_>, observed: &impl Observed) -> bool {
    let mut seen = HashSet::from([holder.id.clone()]);
    let mut wanted = new_email(holder, context);
    while let Some(email) = wanted {
        let Lookup::Found(next) = observed.user_by_email(&email) else {
            return false;
        };
        if next.reference.as_deref() == Some(&spec.reference) {
            return true;
        }
        if !seen.insert(next.id.clone()) {
            return false;
        }
        wanted = new_email(&next, context);
    }
    false
}

fn conflict(message: String) -> Decision {
    object::known(Verdict::stalled(Reason::IdentityConflict, message))
}

fn stop(decision: Decision) -> Account {
    Account::Stop(Box::new(decision))
}

fn not_found(spec: &PluvoUserSpec) -> Decision {
    let message = format!(
        "user {} does not exist in Pluvo, and mode Observe creates nothing",
        spec.reference
    );
    Decision {
        drift: vec![Difference::missing("ref", Some(spec.reference.clone()))],
        ..object::compared(Verdict::stalled(Reason::NotFound, message))
    }
}

fn create(spec: &PluvoUserSpec, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let (Some(name), Some(email)) = (&spec.name, &spec.email) else {
        let message = format!(
            "user {} does not exist in Pluvo yet, and a new one needs a name; set spec.name",
            spec.reference
        );
        return object::known(Verdict::stalled(Reason::InvalidSpec, message));
    };
    let fields = custom_fields::compare(&spec.custom_fields, ContentType::User, None, observed);
    if fields.unknown {
        return Decision::unobserved(observed.available());
    }
    let mut attributes = vec![
        Attribute::personal("email".into(), value::email(email), Seen::Nothing),
        Attribute {
            observed: Seen::Nothing,
            ..Attribute::public("name", value::text(name), String::new())
        },
    ];
    attributes.extend(optional_attributes(spec, None));
    let user = UserInput {
        roles: Some(role_values(&initial_roles(spec))),
        ..input(spec, |path| path != "archived" && path != "ref")
    };
    let reference: Arc<str> = spec.reference.as_str().into();
    let mutation = Mutation::CreateUser {
        reference: reference.clone(),
        user,
        send_invite: spec.send_invite && may_mail(subject, spec, observed),
    };
    let declared = Declared {
        title: &title(spec),
        content_type: ContentType::User,
        attributes,
        fields,
    };
    object::create(declared, mutation, &Selector::Ref(reference), subject, observed)
}

/// Whether nobody was invited yet, or the invitation that was recorded has not left.
fn may_mail(subject: &Subject<'_>, spec: &PluvoUserSpec, observed: &impl Observed) -> bool {
    let recorded = subject
        .status
        .is_some_and(|status| status.mailed.contains(&spec.reference));
    !recorded || observed.mail_is_unsent(&spec.reference)
}

fn update(spec: &PluvoUserSpec, subject: &Subject<'_>, user: &User, adopt: bool, observed: &impl Observed) -> Decision {
    let fields = custom_fields::compare(
        &spec.custom_fields,
        ContentType::User,
        Some(&user.extra_category_values),
        observed,
    );
    if fields.unknown {
        return Decision::unobserved(observed.available());
    }
    let mut attributes = vec![Attribute::public(
        "ref",
        spec.reference.clone(),
        user.reference.as_deref().unwrap_or_default().to_owned(),
    )];
    if let Some(email) = &spec.email {
        let seen = user
            .email
            .as_deref()
            .map_or(Seen::Nothing, |email| Seen::Value(value::email(email)));
        attributes.push(Attribute::personal("email".into(), value::email(email), seen));
    }
    if let Some(name) = &spec.name {
        attributes.push(Attribute::public("name", value::text(name), value::text(&user.name)));
    }
    attributes.extend(optional_attributes(spec, Some(user)));
    attributes.push(Attribute::public(
        "archived",
        spec.archived.to_string(),
        user.archived.to_string(),
    ));
    let mutation = |writes: &dyn Fn(&str) -> bool| Mutation::UpdateUser {
        id: user.id.clone(),
        user: input(spec, writes),
    };
    let identity = Identity {
        id: Some(user.id.clone()),
        adopted: (adopt && subject.mode != Mode::Observe).then(|| user.reference.clone()),
    };
    let declared = Declared {
        title: &title(spec),
        content_type: ContentType::User,
        attributes,
        fields,
    };
    object::update(
        declared,
        mutation,
        &Selector::Id(user.id.clone()),
        identity,
        subject,
        observed,
    )
}

/// The roles of an account that is made.
fn initial_roles(spec: &PluvoUserSpec) -> Vec<Role> {
    spec.roles.clone().unwrap_or_else(|| vec![Role::Participant])
}

fn role_values(roles: &[Role]) -> Vec<EnumValue> {
    roles.iter().map(|role| role.as_str().into()).collect()
}

/// Roles and language, which are managed only where they are declared.
fn optional_attributes(spec: &PluvoUserSpec, user: Option<&User>) -> Vec<Attribute> {
    let mut wanted = Vec::new();
    if let Some(roles) = &spec.roles {
        let seen = user.map_or(Seen::Nothing, |user| {
            Seen::Value(value::set(user.roles.iter().map(|role| &*role.0)))
        });
        let desired = value::set(roles.iter().map(|role| role.as_str()));
        wanted.push(Attribute {
            observed: seen,
            ..Attribute::public("roles", desired, String::new())
        });
    }
    if let Some(language) = &spec.language {
        let seen = user.map_or(Seen::Nothing, |user| Seen::Value(user.language.0.to_string()));
        wanted.push(Attribute {
            observed: seen,
            ..Attribute::public("language", language.clone(), String::new())
        });
    }
    wanted
}

fn input(spec: &PluvoUserSpec, of: impl Fn(&str) -> bool) -> UserInput {
    UserInput {
        reference: of("ref").then(|| spec.reference.as_str().into()),
        email: spec
            .email
            .as_deref()
            .filter(|_| of("email"))
            .map(|email| email.trim().into()),
        name: spec
            .name
            .as_deref()
            .filter(|_| of("name"))
            .map(|name| value::text(name).into()),
        roles: spec.roles.as_deref().filter(|_| of("roles")).map(role_values),
        language: spec.language.as_deref().filter(|_| of("language")).map(Into::into),
        archived: of("archived").then_some(spec.archived),
    }
}

#[cfg(test)]
mod tests;
