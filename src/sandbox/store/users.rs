//! Users.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Deref,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Refusal, Selector, Store, or_kept, parse_id,
    table::{NameKey, Table, Touch, entity, name_key},
};
use crate::{
    clock::moment_or_null,
    ordered::Ordered,
    settings::{Incomplete, Settings},
};

/// A role in the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the documentation explains none of them")]
pub enum Role {
    Participant,
    Trainer,
    Manager,
    Planner,
}

/// A language of the user interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Language {
    #[default]
    Nl,
    En,
    De,
}

/// A user. Groups, trainings and custom fields stand elsewhere.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's User")]
pub struct User {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub email: Option<Arc<str>>,
    pub name: Arc<str>,
    pub roles: Vec<Role>,
    pub language: Language,
    pub archived_at: Option<Timestamp>,
    pub last_login: Option<Timestamp>,
    pub invited_on: Option<Timestamp>,
    pub afas_employee_id: Option<Arc<str>>,
    pub afas_person_id: Option<Arc<str>>,
}

impl User {
    /// Whether the user has left.
    pub fn archived(&self) -> bool {
        self.archived_at.is_some()
    }
}

entity!(User, "user", name);

/// What a call, a seed or a change sets on a user; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UserDraft {
    /// Of a new user in a seed; generated where it is left out.
    pub id: Option<String>,
    /// The integrator's key; generated where a new user has none.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Unique, archived users included, whatever the case of its letters.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Replaces the list. A new user is a participant.
    pub roles: Option<Vec<Role>>,
    /// Dutch for a new user.
    pub language: Option<Language>,
    /// Whether the user has left.
    pub archived: Option<bool>,
    /// When the user was last seen. No operation sets it.
    #[serde(deserialize_with = "moment_or_null")]
    pub last_login: Option<Timestamp>,
    /// A key in another system.
    pub afas_employee_id: Option<String>,
    /// A key in another system.
    pub afas_person_id: Option<String>,
    /// Values by the ref of the custom field, for seeds and changes.
    pub custom_fields: BTreeMap<String, serde_json::Value>,
}

/// The users of an organization: a table with two more ways in.
#[derive(Clone, Debug, Default)]
pub struct Users {
    table: Table<User>,
    by_email: HashMap<String, Uuid>,
    index: UserIndex,
}

impl Deref for Users {
    type Target = Table<User>;

    fn deref(&self) -> &Table<User> {
        &self.table
    }
}

impl Users {
    /// The user with an e-mail address, whatever the case of its letters.
    pub fn by_email(&self, email: &str) -> Option<&Arc<User>> {
        self.by_email
            .get(&email.to_lowercase())
            .and_then(|id| self.table.get(*id))
    }

    /// All users in the order of their names.
    pub fn index(&self) -> &UserIndex {
        &self.index
    }

    /// See [`Table::touch`].
    pub fn touch(&mut self, id: Uuid) {
        self.table.touch(id);
    }

    /// See [`Table::take_touched`].
    pub fn take_touched(&mut self) -> Vec<(Touch, Arc<User>)> {
        self.table.take_touched()
    }

    fn put(&mut self, user: User) -> Arc<User> {
        let old = self.table.get(user.id).cloned();
        if let Some(email) = old.as_ref().and_then(|old| old.email.as_ref()) {
            self.by_email.remove(&email.to_lowercase());
        }
        if let Some(email) = &user.email {
            self.by_email.insert(email.to_lowercase(), user.id);
        }
        let user = self.table.put(user);
        self.index.replace(old.as_deref(), Some(&user));
        user
    }

    fn remove(&mut self, id: Uuid) -> Option<Arc<User>> {
        let old = self.table.remove(id)?;
        if let Some(email) = &old.email {
            self.by_email.remove(&email.to_lowercase());
        }
        self.index.replace(Some(&old), None);
        Some(old)
    }
}

/// Some users in the order of their names, so that a page of all, of the active or of the archived ones is found by
/// its position.
#[derive(Clone, Debug, Default)]
pub struct UserIndex {
    all: Ordered<NameKey>,
    active: Ordered<NameKey>,
    archived: Ordered<NameKey>,
}

impl UserIndex {
    /// The users with this value of `archived`; all of them without one.
    pub fn with(&self, archived: Option<bool>) -> &Ordered<NameKey> {
        match archived {
            None => &self.all,
            Some(false) => &self.active,
            Some(true) => &self.archived,
        }
    }

    /// Whether the user is in.
    pub fn contains(&self, user: &User) -> bool {
        self.all.contains(&name_key(user))
    }

    /// Puts a user in.
    pub fn insert(&mut self, user: &User) {
        self.replace(None, Some(user));
    }

    /// Takes a user out.
    pub fn remove(&mut self, user: &User) {
        self.replace(Some(user), None);
    }

    /// Puts `new` in the place of `old`.
    pub fn replace(&mut self, old: Option<&User>, new: Option<&User>) {
        if let Some(old) = old {
            let key = name_key(old);
            self.half(old.archived()).remove(&key);
            self.all.remove(&key);
        }
        if let Some(new) = new {
            let key = name_key(new);
            self.half(new.archived()).insert(key.clone());
            self.all.insert(key);
        }
    }

    fn half(&mut self, archived: bool) -> &mut Ordered<NameKey> {
        if archived { &mut self.archived } else { &mut self.active }
    }
}

impl Store {
    /// The users.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Creates a user, who must not exist.
    pub fn create_user(
        &mut self,
        draft: &UserDraft,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Arc<User>, Refusal> {
        self.check_user(draft, None)?;
        let email = draft.email.as_deref();
        let name = match (draft.name.as_deref(), email, settings.creation_without_name) {
            (Some(name), Some(_), _) => name,
            (name, email, Incomplete::Allow) => name.or(email).or(draft.reference.as_deref()).unwrap_or("?"),
            _ => return Err(Refusal::invalid("A new user needs a name and an e-mail address.")),
        };
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.users.generated_ref(email.unwrap_or(name)));
        let id = self.users.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        let new = User {
            id,
            reference: reference.into(),
            email: None,
            name: name.into(),
            roles: vec![Role::Participant],
            language: Language::default(),
            archived_at: None,
            last_login: None,
            invited_on: None,
            afas_employee_id: None,
            afas_person_id: None,
        };
        Ok(self.users.put(with_draft(new, draft, now)))
    }

    /// Changes a user.
    pub fn update_user(&mut self, id: Uuid, draft: &UserDraft, now: Timestamp) -> Result<Arc<User>, Refusal> {
        let old = self.users.expect(&Selector::Id(id))?.clone();
        self.check_user(draft, Some(id))?;
        let new = self.users.put(with_draft((*old).clone(), draft, now));
        self.links.user_changed(&old, &new);
        Ok(new)
    }

    /// Notes that an invitation was sent.
    pub fn invite_user(&mut self, user: &User, now: Timestamp) -> Arc<User> {
        self.users.put(User {
            invited_on: Some(now),
            ..user.clone()
        })
    }

    /// Takes a user out for good, which no operation can do.
    pub fn erase_user(&mut self, id: Uuid) {
        if let Some(user) = self.users.remove(id) {
            self.links.user_erased(&user);
            self.enrollments.forget(id);
            self.portfolios.forget(id);
            self.values.forget(id);
        }
    }

    fn check_user(&self, draft: &UserDraft, id: Option<Uuid>) -> Result<(), Refusal> {
        self.users.check_ref(draft.reference.as_deref(), id)?;
        if draft
            .name
            .as_deref()
            .is_some_and(|name| name.trim().is_empty() || name.chars().count() > 255)
        {
            return Err(Refusal::invalid("A name has 1 to 255 characters."));
        }
        let Some(email) = draft.email.as_deref() else {
            return Ok(());
        };
        if !is_email(email) {
            return Err(Refusal::invalid("This is not an e-mail address."));
        }
        match self.users.by_email(email) {
            Some(holder) if Some(holder.id) != id => {
                Err(Refusal::invalid("A user with this e-mail address already exists."))
            }
            _ => Ok(()),
        }
    }
}

fn with_draft(user: User, draft: &UserDraft, now: Timestamp) -> User {
    let roles = draft.roles.as_ref().map(|roles| {
        let mut roles = roles.clone();
        roles.sort_unstable();
        roles.dedup();
        roles
    });
    User {
        reference: or_kept(draft.reference.as_deref(), &user.reference),
        email: draft.email.as_deref().map(Arc::from).or(user.email),
        name: or_kept(draft.name.as_deref(), &user.name),
        roles: roles.unwrap_or(user.roles),
        language: draft.language.unwrap_or(user.language),
        archived_at: match draft.archived {
            Some(true) => user.archived_at.or(Some(now)),
            Some(false) => None,
            None => user.archived_at,
        },
        last_login: draft.last_login.or(user.last_login),
        afas_employee_id: draft
            .afas_employee_id
            .as_deref()
            .map(Arc::from)
            .or(user.afas_employee_id),
        afas_person_id: draft.afas_person_id.as_deref().map(Arc::from).or(user.afas_person_id),
        ..user
    }
}

/// What a form field of type e-mail accepts, roughly.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()<>[],;:\\\"@".contains(c);
    let labels_are_whole = domain.split('.').all(|label| !label.is_empty());
    text.len() <= 254
        && !local.is_empty()
        && domain.contains('.')
        && labels_are_whole
        && !local.contains(forbidden)
        && !domain.contains(forbidden)
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_are_told_from_other_texts() {
        assert!(
            ["a@example.com", "jane.doe+x@mail.example.com", "o'neill@example.com"]
                .into_iter()
                .all(is_email)
        );
        assert!(
            ![
                "",
                "jane",
                "@example.com",
                "jane@",
                "jane@example",
                "ja ne@example.com",
                "a@b@example.com",
                "a@example..com"
            ]
            .into_iter()
            .any(is_email)
        );
    }
}
