//! Groups.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use uuid::Uuid;

use super::{
    Refusal, Selector, Store, or_kept, parse_id,
    table::{Table, entity},
};

/// A group. Its members stand in the links.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's Group")]
pub struct Group {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub name: Arc<str>,
    pub max_users: u32,
    pub enable_chat: bool,
    pub is_editable: bool,
}

entity!(Group, "group", name);

/// What a call, a seed or a change sets on a group; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GroupDraft {
    /// Of a new group in a seed; generated where it is left out.
    pub id: Option<String>,
    /// The integrator's key; generated where a new group has none.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// How many participants the group takes; 0, the default, sets no limit.
    pub max_users: Option<i32>,
    /// Off for a new group.
    pub enable_chat: Option<bool>,
    /// On for a new group.
    pub is_editable: Option<bool>,
    /// Values by the ref of the custom field, for seeds and changes, as is all that follows.
    pub custom_fields: BTreeMap<String, serde_json::Value>,
    /// Refs of participants to add.
    pub users: Vec<String>,
    /// Refs of managers to add.
    pub managers: Vec<String>,
    /// Refs of participants to take out.
    pub remove_users: Vec<String>,
    /// Refs of managers to take out.
    pub remove_managers: Vec<String>,
}

impl Store {
    /// The groups.
    pub fn groups(&self) -> &Table<Group> {
        &self.groups
    }

    /// Creates a group, which must have a name.
    pub fn create_group(&mut self, draft: &GroupDraft) -> Result<Arc<Group>, Refusal> {
        let max_users = self.check_group(draft, None)?;
        let name = draft
            .name
            .as_deref()
            .ok_or_else(|| Refusal::invalid("A new group needs a name."))?;
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.groups.generated_ref(name));
        let id = self.groups.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        Ok(self.groups.put(Group {
            id,
            reference: reference.into(),
            name: name.into(),
            max_users: max_users.unwrap_or_default(),
            enable_chat: draft.enable_chat.unwrap_or(false),
            is_editable: draft.is_editable.unwrap_or(true),
        }))
    }

    /// Changes a group.
    pub fn update_group(&mut self, selector: &Selector, draft: &GroupDraft) -> Result<Arc<Group>, Refusal> {
        let old = self.groups.expect(selector)?.clone();
        let max_users = self.check_group(draft, Some(old.id))?;
        Ok(self.groups.put(Group {
            id: old.id,
            reference: or_kept(draft.reference.as_deref(), &old.reference),
            name: or_kept(draft.name.as_deref(), &old.name),
            max_users: max_users.unwrap_or(old.max_users),
            enable_chat: draft.enable_chat.unwrap_or(old.enable_chat),
            is_editable: draft.is_editable.unwrap_or(old.is_editable),
        }))
    }

    /// Deletes a group with all its memberships; false if there is none.
    pub fn delete_group(&mut self, id: Uuid) -> bool {
        let deleted = self.groups.remove(id).is_some();
        if deleted {
            self.links.forget(&self.users, id);
            self.values.forget(id);
        }
        deleted
    }

    /// Checks a draft, and gives its `max_users` as a number of people.
    fn check_group(&self, draft: &GroupDraft, id: Option<Uuid>) -> Result<Option<u32>, Refusal> {
        self.groups.check_ref(draft.reference.as_deref(), id)?;
        if draft
            .name
            .as_deref()
            .is_some_and(|name| name.trim().is_empty() || name.chars().count() > 255)
        {
            return Err(Refusal::invalid("A name has 1 to 255 characters."));
        }
        draft
            .max_users
            .map(|max| u32::try_from(max).map_err(|_| Refusal::invalid("maxUsers is 0 or more.")))
            .transpose()
    }
}
