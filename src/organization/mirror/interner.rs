//! Shares the texts that many rows repeat: ten thousand users name the same fifty groups.

use std::{collections::HashSet, sync::Arc};

use crate::pluvo::model::{FieldValue, User};

/// Texts that were seen before.
#[derive(Debug, Default)]
pub(super) struct Interner(HashSet<Arc<str>>);

impl Interner {
    /// Makes a row share its group ids, roles, language and field ids with the rows before it.
    pub(super) fn intern_user(&mut self, user: &mut User) {
        for group in user.participant_groups.iter_mut().chain(&mut user.manager_groups) {
            self.intern(&mut group.id.0);
        }
        for role in &mut user.roles {
            self.intern(&mut role.0);
        }
        self.intern(&mut user.language.0);
        for value in &mut user.extra_category_values {
            self.intern(&mut value.category.id.0);
            if let FieldValue::Choice(choice) = &mut value.value {
                self.intern(&mut choice.id.0);
                self.intern(&mut choice.string_value);
            }
        }
    }

    fn intern(&mut self, text: &mut Arc<str>) {
        match self.0.get(text) {
            Some(known) => *text = known.clone(),
            None => {
                self.0.insert(text.clone());
            }
        }
    }
}
