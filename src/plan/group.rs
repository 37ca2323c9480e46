//! One group: which one it is, what differs, what to do about it.

use std::sync::Arc;

use crate::{
    api::{
        Kind, Mode, PluvoGroup, Reason,
        common::OnRemoteDeletion,
        group::{GroupDeletionPolicy, PluvoGroupSpec},
    },
    pluvo::{
        model::{Group, Id},
        request::{ContentType, GroupInput, Mutation, Selector},
    },
};

use super::{
    Decision, Difference, Finalizer, Identity, Observed, Subject, Verdict,
    attributes::{Attribute, Seen},
    custom_fields,
    object::{self, Declared},
    observed::Lookup,
    resource::Plan,
    scope::Scope,
    value,
};

impl Plan for PluvoGroup {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let owner = |reference: &str| scope.registry.owner_of(scope.connection, Kind::Group, reference);
        plan(&self.spec, subject, &|reference| owner(reference).is_some(), observed)
    }

    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        plan_deletion(&self.spec, subject, scope.is_handed_over(), observed)
    }
}

/// `is_declared`: whether a live resource declares the group of a ref.
fn plan(
    spec: &PluvoGroupSpec,
    subject: &Subject<'_>,
    is_declared: &dyn Fn(&str) -> bool,
    observed: &impl Observed,
) -> Decision {
    let mut decision = match find(spec, subject, is_declared, observed) {
        Ok(Some((group, adopt))) => update(spec, subject, &group, adopt, observed),
        Ok(None) => create(spec, subject, observed),
        Err(decision) => return *decision,
    };
    decision.finalizer = if spec.deletion_policy == GroupDeletionPolicy::Delete && subject.mode != Mode::Observe {
        Finalizer::Require
    } else {
        Finalizer::Release
    };
    decision
}

/// `handed_over`: another live resource declares the same ref.
fn plan_deletion(
    spec: &PluvoGroupSpec,
    subject: &Subject<'_>,
    handed_over: bool,
    observed: &impl Observed,
) -> Decision {
    if spec.deletion_policy == GroupDeletionPolicy::Orphan || subject.mode == Mode::Observe || handed_over {
        return Decision::release("the group stays as it is");
    }
    let group = match subject.known_id() {
        Some(id) => observed.group_by_id(&id),
        None => observed.group_by_ref(&spec.reference),
    };
    let title = title(spec);
    match group {
        Lookup::Absent => Decision::release("the group does not exist"),
        Lookup::Unknown => object::end_unobserved(&title, "deleted", observed),
        Lookup::Found(group) => object::end(
            &title,
            "deleted",
            Mutation::DeleteGroup(group.id.clone()),
            subject,
            observed,
        ),
    }
}

fn title(spec: &PluvoGroupSpec) -> String {
    format!("group {}", spec.reference)
}

type Found = Result<Option<(Arc<Group>, bool)>, Box<Decision>>;

/// The group, and whether it is taken over by `adoptId`; `None` where it is to be created.
fn find(
    spec: &PluvoGroupSpec,
    subject: &Subject<'_>,
    is_declared: &dyn Fn(&str) -> bool,
    observed: &impl Observed,
) -> Found {
    let by_ref = observed.group_by_ref(&spec.reference);
    if let Some(id) = subject.known_id()
        && !(spec.on_remote_deletion == OnRemoteDeletion::Recreate && observed.group_by_id(&id) == Lookup::Absent)
    {
        return by_id(spec, &id, &by_ref, observed, Reason::DeletedRemotely);
    }
    match by_ref {
        Lookup::Unknown => Err(Box::new(Decision::unobserved(observed.available()))),
        Lookup::Found(group) => Ok(Some((group, false))),
        Lookup::Absent => match &spec.adopt_id {
            Some(id) => {
                let found = by_id(spec, &Id::from(id.as_str()), &by_ref, observed, Reason::InvalidSpec)?;
                let theirs = found.as_ref().and_then(|(group, _)| group.reference.as_deref());
                if let Some(theirs) = theirs.filter(|theirs| is_declared(theirs)) {
                    let message = format!("adoptId {id} names group {theirs}, which another resource declares");
                    return stop(Verdict::stalled(Reason::IdentityConflict, message));
                }
                Ok(found.map(|(group, _)| (group, true)))
            }
            None if subject.mode == Mode::Observe => Err(Box::new(not_found(spec))),
            None => Ok(None),
        },
    }
}

fn by_id(
    spec: &PluvoGroupSpec,
    id: &Id,
    by_ref: &Lookup<Arc<Group>>,
    observed: &impl Observed,
    when_gone: Reason,
) -> Found {
    if let Lookup::Found(other) = by_ref
        && other.id != *id
    {
        let message = format!(
            "ref {} now belongs to another group ({}) than the one known as {id}; nothing is written. Decide in Pluvo which of them it is",
            spec.reference, other.id
        );
        return stop(Verdict::stalled(Reason::IdentityConflict, message));
    }
    match (observed.group_by_id(id), by_ref) {
        // Under another ref, or gone: that no other group has the ref must be certain.
        (Lookup::Unknown, _) | (_, Lookup::Unknown) => Err(Box::new(Decision::unobserved(observed.available()))),
        (Lookup::Found(group), _) => Ok(Some((group, false))),
        (Lookup::Absent, _) if when_gone == Reason::InvalidSpec => stop(Verdict::stalled(
            when_gone,
            format!("adoptId {id} names no group in Pluvo"),
        )),
        (Lookup::Absent, _) => {
            let message = format!(
                "group {} was known as {id} and is gone from Pluvo; it is not made again. Delete this resource, or set onRemoteDeletion: Recreate",
                spec.reference
            );
            stop(Verdict::stalled(when_gone, message))
        }
    }
}

fn stop(verdict: Verdict) -> Found {
    Err(Box::new(object::known(verdict)))
}

fn not_found(spec: &PluvoGroupSpec) -> Decision {
    let message = format!(
        "group {} does not exist in Pluvo, and mode Observe creates nothing",
        spec.reference
    );
    Decision {
        drift: vec![Difference::missing("ref", Some(spec.reference.clone()))],
        ..object::compared(Verdict::stalled(Reason::NotFound, message))
    }
}

fn create(spec: &PluvoGroupSpec, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let fields = custom_fields::compare(&spec.custom_fields, ContentType::Group, None, observed);
    if fields.unknown {
        return Decision::unobserved(observed.available());
    }
    let mutation = Mutation::CreateGroup(input(spec, |_| true));
    let declared = Declared {
        title: &title(spec),
        content_type: ContentType::Group,
        attributes: own_attributes(spec, None),
        fields,
    };
    object::create(
        declared,
        mutation,
        &Selector::Ref(spec.reference.as_str().into()),
        subject,
        observed,
    )
}

fn update(
    spec: &PluvoGroupSpec,
    subject: &Subject<'_>,
    group: &Group,
    adopt: bool,
    observed: &impl Observed,
) -> Decision {
    let fields = custom_fields::compare(
        &spec.custom_fields,
        ContentType::Group,
        Some(&group.extra_category_values),
        observed,
    );
    if fields.unknown {
        return Decision::unobserved(observed.available());
    }
    let mut attributes = vec![Attribute::public(
        "ref",
        spec.reference.clone(),
        group.reference.as_deref().unwrap_or_default().to_owned(),
    )];
    attributes.extend(own_attributes(spec, Some(group)));
    let mutation = |writes: &dyn Fn(&str) -> bool| Mutation::UpdateGroup {
        id: group.id.clone(),
        group: input(spec, writes),
    };
    let identity = Identity {
        id: Some(group.id.clone()),
        adopted: (adopt && subject.mode != Mode::Observe).then(|| group.reference.clone()),
    };
    let declared = Declared {
        title: &title(spec),
        content_type: ContentType::Group,
        attributes,
        fields,
    };
    object::update(
        declared,
        mutation,
        &Selector::Id(group.id.clone()),
        identity,
        subject,
        observed,
    )
}

fn own_attributes(spec: &PluvoGroupSpec, group: Option<&Group>) -> Vec<Attribute> {
    let seen = |value: Option<String>| value.map_or(Seen::Nothing, Seen::Value);
    let attribute = |path: &str, desired: String, observed: Option<String>| Attribute {
        observed: seen(observed),
        ..Attribute::public(path, desired, String::new())
    };
    let mut wanted = vec![attribute(
        "name",
        value::text(&spec.name),
        group.map(|group| value::text(&group.name)),
    )];
    if let Some(max) = spec.max_users {
        wanted.push(attribute(
            "maxUsers",
            max.to_string(),
            group.map(|group| group.max_users.to_string()),
        ));
    }
    if let Some(chat) = spec.enable_chat {
        wanted.push(attribute(
            "enableChat",
            chat.to_string(),
            group.map(|group| group.enable_chat.to_string()),
        ));
    }
    if let Some(editable) = spec.is_editable {
        wanted.push(attribute(
            "isEditable",
            editable.to_string(),
            group.map(|group| group.is_editable.to_string()),
        ));
    }
    wanted
}

fn input(spec: &PluvoGroupSpec, of: impl Fn(&str) -> bool) -> GroupInput {
    GroupInput {
        reference: of("ref").then(|| spec.reference.as_str().into()),
        name: of("name").then(|| value::text(&spec.name).into()),
        max_users: spec.max_users.filter(|_| of("maxUsers")),
        enable_chat: spec.enable_chat.filter(|_| of("enableChat")),
        is_editable: spec.is_editable.filter(|_| of("isEditable")),
    }
}

#[cfg(test)]
mod tests;
