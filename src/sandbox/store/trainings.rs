//! Trainings ("learning journeys").

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Progress, Refusal, Selector, Store,
    links::SeatRole,
    or_kept, parse_id,
    table::{Table, check_title, entity},
};

/// A training. Its participants stand in the links.
#[derive(Clone, Debug)]
#[allow(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "the fields of the schema's Training"
)]
pub struct Training {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub title: Arc<str>,
    pub subtitle: Option<Arc<str>>,
    pub introduction: Option<Arc<str>>,
    pub is_active: bool,
    pub archived: bool,
    pub start_date: Option<Date>,
    pub end_date: Option<Date>,
    pub show_participants: bool,
    pub show_shared_files: bool,
    pub enable_chat: bool,
}

entity!(Training, "training", title);

/// What a call or a seed sets on a training; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the fields of the schema's inputs")]
pub struct TrainingDraft {
    pub id: Option<String>,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub title: Option<String>,
    pub subtitle: Option<String>,
    pub introduction: Option<String>,
    /// On for a new training.
    pub is_active: Option<bool>,
    pub archived: Option<bool>,
    pub start_date: Option<Date>,
    pub end_date: Option<Date>,
    pub show_participants: Option<bool>,
    pub show_shared_files: Option<bool>,
    pub enable_chat: Option<bool>,
    /// Refs of users to add, for seeds and changes, as is all that follows.
    pub participants: Vec<String>,
    pub trainers: Vec<String>,
    pub mentors: Vec<String>,
    /// Refs of groups to link.
    pub groups: Vec<String>,
    pub remove_participants: Vec<String>,
    pub remove_trainers: Vec<String>,
    pub remove_mentors: Vec<String>,
    pub remove_groups: Vec<String>,
    /// How far users are, by their refs.
    pub progress: BTreeMap<String, Progress>,
}

/// Which trainings a list shows.
#[derive(Clone, Debug, Default)]
pub struct TrainingFilter {
    /// Part of the title.
    pub q: Option<String>,
    /// By `isActive`.
    pub active: Option<bool>,
    /// By `archived`.
    pub archived: Option<bool>,
    /// Those that this user is in.
    pub user: Option<Uuid>,
    /// Of those, the ones in which the user has one of these roles.
    pub roles: Option<Vec<SeatRole>>,
}

impl Store {
    /// The trainings.
    pub fn trainings(&self) -> &Table<Training> {
        &self.trainings
    }

    /// The trainings that a filter lets through, by title.
    pub fn find_trainings(&self, filter: &TrainingFilter) -> Vec<Arc<Training>> {
        let q = filter.q.as_deref().unwrap_or_default().to_lowercase();
        let attended = filter.user.map(|user| self.links.trainings_of(user));
        let attends = |training: &Training| {
            attended.as_ref().is_none_or(|attended| {
                attended.iter().any(|(id, role)| {
                    *id == training.id && filter.roles.as_ref().is_none_or(|roles| roles.contains(role))
                })
            })
        };
        let shown = |training: &&Arc<Training>| {
            filter.active.is_none_or(|active| training.is_active == active)
                && filter.archived.is_none_or(|archived| training.archived == archived)
                && training.title.to_lowercase().contains(&q)
                && attends(training)
        };
        self.trainings.in_order().filter(shown).cloned().collect()
    }

    /// Creates a training, which must have a title.
    pub fn create_training(&mut self, draft: &TrainingDraft) -> Result<Arc<Training>, Refusal> {
        self.check_training(draft, None)?;
        let title = draft
            .title
            .as_deref()
            .ok_or_else(|| Refusal::invalid("A new training needs a title."))?;
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.trainings.generated_ref(title));
        let id = self.trainings.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        let new = Training {
            id,
            reference: reference.into(),
            title: title.into(),
            subtitle: None,
            introduction: None,
            is_active: true,
            archived: false,
            start_date: None,
            end_date: None,
            show_participants: true,
            show_shared_files: true,
            enable_chat: false,
        };
        Ok(self.trainings.put(with_draft(new, draft)))
    }

    /// Changes a training.
    pub fn update_training(&mut self, selector: &Selector, draft: &TrainingDraft) -> Result<Arc<Training>, Refusal> {
        let old = self.trainings.expect(selector)?.clone();
        self.check_training(draft, Some(old.id))?;
        Ok(self.trainings.put(with_draft((*old).clone(), draft)))
    }

    fn check_training(&self, draft: &TrainingDraft, id: Option<Uuid>) -> Result<(), Refusal> {
        check_title(draft.title.as_deref())?;
        self.trainings.check_ref(draft.reference.as_deref(), id)
    }
}

fn with_draft(training: Training, draft: &TrainingDraft) -> Training {
    Training {
        id: training.id,
        reference: or_kept(draft.reference.as_deref(), &training.reference),
        title: or_kept(draft.title.as_deref(), &training.title),
        subtitle: draft.subtitle.as_deref().map(Arc::from).or(training.subtitle),
        introduction: draft.introduction.as_deref().map(Arc::from).or(training.introduction),
        is_active: draft.is_active.unwrap_or(training.is_active),
        archived: draft.archived.unwrap_or(training.archived),
        start_date: draft.start_date.or(training.start_date),
        end_date: draft.end_date.or(training.end_date),
        show_participants: draft.show_participants.unwrap_or(training.show_participants),
        show_shared_files: draft.show_shared_files.unwrap_or(training.show_shared_files),
        enable_chat: draft.enable_chat.unwrap_or(training.enable_chat),
    }
}
