//! Seeds: the objects that an organization starts with, as YAML or JSON.
//!
//! ```yaml
//! clients:                          # left out: sandbox / sandbox-secret with all scopes
//!   - {id: hr-sync, secret: s3cret, scopes: [users.read, users.write]}     # scopes left out: all
//! settings: {visibilityDelay: 2m}
//! customFields:
//!   - {ref: department, title: Department, type: TEXT}
//!   - {ref: site, title: Site, type: SELECT, for: [USER, GROUP], options: [Utrecht, {value: Delft, ref: dft}]}
//! users:
//!   - {ref: EMP-001, email: jane.doe@example.com, name: Jane Doe, roles: [PARTICIPANT], language: NL,
//!      lastLogin: "2026-01-31", customFields: {department: Research, site: Utrecht}}
//!   - {email: generated-ref@example.com, name: Ann Other, archived: true}
//! groups:
//!   - {ref: all-employees, name: All employees, maxUsers: 0, users: [EMP-001], managers: [EMP-001]}
//! trainings:
//!   - {ref: safety-2026, title: Safety, participants: [EMP-001], trainers: [], groups: [all-employees],
//!      progress: {EMP-001: {progress: 100, score: 8.5, completionDate: "2026-02-01", timeSpent: 3h}}}
//! offers:
//!   - ref: first-aid
//!     title: First aid
//!     events:
//!       - {ref: first-aid-sept, title: September, type: TRAINING, dates: [{startDate: "2026-09-01T10:00:00Z"}],
//!          maxSubscriptions: 25, waitingList: true, trainings: [safety-2026], enrollments: {EMP-001: ENROLLED}}
//! certificates:
//!   - {ref: vca, name: VCA, title: Safety certificate, validDays: 365}
//! generate: {users: 10000, archived: 2000, groups: 50, trainings: 3}
//! ```
//!
//! What `generate` makes is the same in every run: users `user-000001` on, of whom the `archived` ones are spread
//! evenly, each of them a participant of one of the groups `group-0001` on; trainings `training-0001` on, empty.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    scope::Client,
    settings::Settings,
    store::{
        CertificateDraft, ContentType, CustomFieldDraft, GroupDraft, OfferDraft, Refusal, Store, TrainingDraft,
        UserDraft,
    },
};

/// The objects that an organization starts with. `seed.rs` begins with an example.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seed {
    /// Who may ask for tokens.
    pub clients: Vec<Client>,
    /// How the organization answers; only in the file that the sandbox starts with.
    pub settings: Option<Settings>,
    /// Custom fields; `type` and `for` as the schema spells them.
    pub custom_fields: Vec<CustomFieldDraft>,
    /// Users; without a `ref` they get a generated one.
    pub users: Vec<UserDraft>,
    /// Groups and their members.
    pub groups: Vec<GroupDraft>,
    /// Trainings, their participants and the groups linked to them.
    pub trainings: Vec<TrainingDraft>,
    /// Offers, their events, and who is enrolled in them.
    pub offers: Vec<OfferDraft>,
    /// Certificates that can be issued.
    pub certificates: Vec<CertificateDraft>,
    /// Many objects without a big file.
    pub generate: Generate,
}

/// How many objects to make up.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Generate {
    /// Users, the archived ones included.
    pub users: usize,
    /// How many of them have left.
    pub archived: usize,
    /// Groups, among which the users are spread.
    pub groups: usize,
    /// Trainings.
    pub trainings: usize,
}

impl Seed {
    /// Reads YAML, of which JSON is a part.
    pub fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        if text.trim().is_empty() {
            Ok(Self::default())
        } else {
            serde_yaml::from_str(text)
        }
    }

    /// Adds the objects to a store. After a refusal the store is half filled: the caller throws it away.
    pub fn fill(&self, store: &mut Store, now: Timestamp) -> Result<(), Refusal> {
        for draft in &self.custom_fields {
            store
                .create_field(draft)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
        }
        for draft in &self.users {
            self.user(store, draft, now)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
        }
        for draft in &self.groups {
            let group = store
                .create_group(draft)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
            store.fill_group(&group, draft)?;
        }
        for draft in &self.trainings {
            let training = store
                .create_training(draft)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
            store.fill_training(&training, draft)?;
        }
        for draft in &self.offers {
            let offer = store
                .create_offer(draft, now)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
            store.fill_offer(&offer, draft, now)?;
        }
        for draft in &self.certificates {
            store
                .create_certificate(draft)
                .map_err(|refusal| naming(draft.reference.as_deref(), refusal))?;
        }
        self.generate.fill(store, now)
    }

    fn user(&self, store: &mut Store, draft: &UserDraft, now: Timestamp) -> Result<(), Refusal> {
        // A person who writes a seed may well want somebody without an e-mail address.
        let settings = Settings {
            creation_without_name: super::settings::Incomplete::Allow,
            ..self.settings.clone().unwrap_or_default()
        };
        let user = store.create_user(draft, &settings, now)?;
        store.set_plain_values(ContentType::User, user.id, &draft.custom_fields)
    }
}

impl Generate {
    fn fill(self, store: &mut Store, now: Timestamp) -> Result<(), Refusal> {
        for n in 1..=self.trainings {
            let reference = Some(format!("training-{n:04}"));
            let title = Some(format!("Training {n}"));
            store.create_training(&TrainingDraft {
                reference,
                title,
                ..TrainingDraft::default()
            })?;
        }
        for n in 1..=self.users {
            store.create_user(&self.user(n), &Settings::default(), now)?;
        }
        for n in 1..=self.groups {
            let members = (n..=self.users).step_by(self.groups).map(user_ref).collect();
            let draft = GroupDraft {
                reference: Some(format!("group-{n:04}")),
                name: Some(format!("Group {n}")),
                users: members,
                ..GroupDraft::default()
            };
            let group = store.create_group(&draft)?;
            store.fill_group(&group, &draft)?;
        }
        Ok(())
    }

    fn user(self, n: usize) -> UserDraft {
        const FIRST: [&str; 10] = [
            "Anna", "Bram", "Chloé", "Daan", "Emma", "Femke", "Gijs", "Hanna", "Ivo", "Jasmijn",
        ];
        const LAST: [&str; 11] = [
            "Bakker", "Çelik", "de Boer", "Jansen", "Mulder", "Peters", "Smit", "van Dijk", "Visser", "Vos", "Yılmaz",
        ];
        // The n-th of `users` is archived where the share of archived ones passes a whole number.
        let archived = n * self.archived / self.users > (n - 1) * self.archived / self.users;
        UserDraft {
            reference: Some(user_ref(n)),
            email: Some(format!("user-{n:06}@example.com")),
            name: Some(format!("{} {} {n}", FIRST[n % FIRST.len()], LAST[n % LAST.len()])),
            archived: Some(archived),
            ..UserDraft::default()
        }
    }
}

fn user_ref(n: usize) -> String {
    format!("user-{n:06}")
}

/// Tells which object of a seed is meant.
fn naming(reference: Option<&str>, refusal: Refusal) -> Refusal {
    match reference {
        Some(reference) => Refusal {
            message: format!("{reference}: {}", refusal.message),
            ..refusal
        },
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generates_what_was_asked_for() {
        let seed = Seed::parse("generate: {users: 103, archived: 20, groups: 7, trainings: 2}").expect("a seed");
        let mut store = Store::default();
        seed.fill(&mut store, Timestamp::UNIX_EPOCH).expect("fits");
        let index = store.users().index();
        assert_eq!(
            [None, Some(true), Some(false)].map(|archived| index.with(archived).len()),
            [103, 20, 83]
        );
        assert_eq!((store.groups().order().len(), store.trainings().order().len()), (7, 2));
    }

    #[test]
    fn the_documented_seed_is_one() {
        let documentation = include_str!("seed.rs");
        let yaml = documentation
            .split("```")
            .nth(1)
            .expect("an example")
            .trim_start_matches("yaml");
        let yaml: String = yaml
            .lines()
            .map(|line| line.trim_start_matches("//!").to_owned() + "\n")
            .collect();
        let mut store = Store::default();
        Seed::parse(&yaml)
            .expect("parses")
            .fill(&mut store, Timestamp::UNIX_EPOCH)
            .expect("fits");
        assert_eq!(store.users().index().with(Some(true)).len(), 2_001);
    }

    #[test]
    fn unknown_fields_are_named() {
        let error = Seed::parse("users: [{nmae: Jane}]")
            .expect_err("a typing error")
            .to_string();
        assert!(error.contains("nmae"), "{error}");
    }
}
