//! The ordered lists say the same as the links they are made from, whatever happens.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    GroupDraft, People, Selector, Store, TrainingDraft, UserDraft,
    links::{Seat, SeatRole},
    table::name_key,
    users::UserIndex,
};
use crate::settings::Settings;

const USERS: usize = 6;
const GROUPS: usize = 3;
const TRAININGS: usize = 2;
const DELAY: SignedDuration = SignedDuration::from_secs(5);

#[derive(Clone, Debug)]
enum Step {
    Rename(usize, String),
    Archive(usize, bool),
    Join(usize, SeatRole, usize),
    Leave(usize, SeatRole, usize),
    Attend(usize, SeatRole, usize),
    Drop(usize, usize),
    Link(usize, usize, bool),
    DeleteGroup(usize),
    Erase(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let group_role = || prop_oneof![Just(SeatRole::GroupParticipant), Just(SeatRole::GroupManager)];
    let training_role = || proptest::sample::select(&SeatRole::OF_TRAININGS[..]);
    prop_oneof![
        3 => (0..USERS, "[a-cA-C]{1,2}").prop_map(|(user, name)| Step::Rename(user, name)),
        2 => (0..USERS, any::<bool>()).prop_map(|(user, archived)| Step::Archive(user, archived)),
        6 => (0..USERS, group_role(), 0..GROUPS).prop_map(|(user, role, group)| Step::Join(user, role, group)),
        4 => (0..USERS, group_role(), 0..GROUPS).prop_map(|(user, role, group)| Step::Leave(user, role, group)),
        4 => (0..USERS, training_role(), 0..TRAININGS).prop_map(|(user, role, to)| Step::Attend(user, role, to)),
        3 => (0..USERS, 0..TRAININGS).prop_map(|(user, training)| Step::Drop(user, training)),
        3 => (0..GROUPS, 0..TRAININGS, any::<bool>()).prop_map(|(group, to, linked)| Step::Link(group, to, linked)),
        1 => (0..GROUPS).prop_map(Step::DeleteGroup),
        1 => (0..USERS).prop_map(Step::Erase),
        4 => (0..8i64).prop_map(Step::Wait),
    ]
}

struct World {
    store: Store,
    now: Timestamp,
    trainings: Vec<Uuid>,
}

impl World {
    fn new() -> Self {
        let (mut store, now) = (Store::default(), Timestamp::UNIX_EPOCH);
        for n in 0..USERS {
            let draft = UserDraft {
                reference: Some(user(n)),
                email: Some(format!("{n}@example.com")),
                name: Some(n.to_string()),
                ..UserDraft::default()
            };
            store.create_user(&draft, &Settings::default(), now).expect("a user");
        }
        for n in 0..GROUPS {
            let name = Some(n.to_string());
            store
                .create_group(&GroupDraft {
                    reference: name.clone(),
                    name,
                    ..GroupDraft::default()
                })
                .expect("a group");
        }
        let trainings = (0..TRAININGS).map(|n| {
            let title = Some(n.to_string());
            let draft = TrainingDraft {
                reference: title.clone(),
                title,
                ..TrainingDraft::default()
            };
            store.create_training(&draft).expect("a training").id
        });
        let trainings = trainings.collect();
        Self { store, now, trainings }
    }

    /// Does what a step says. Whatever is gone refuses, which is as good.
    fn take(&mut self, step: Step) {
        let (store, now, settings) = (&mut self.store, self.now, Settings::default());
        let people = |n: usize| People {
            ids: Vec::new(),
            refs: vec![user(n)],
        };
        let by_ref = |n: usize| Selector::Ref(n.to_string());
        match step {
            Step::Rename(n, name) => change(
                store,
                n,
                &UserDraft {
                    name: Some(name),
                    ..UserDraft::default()
                },
                now,
            ),
            Step::Archive(n, archived) => {
                change(
                    store,
                    n,
                    &UserDraft {
                        archived: Some(archived),
                        ..UserDraft::default()
                    },
                    now,
                );
            }
            Step::Join(n, role, group) => {
                _ = store.add_to_group(&by_ref(group), role, &people(n), &settings, now);
            }
            Step::Leave(n, role, group) => _ = store.remove_from_group(&by_ref(group), role, &people(n), now),
            Step::Attend(n, role, training) => {
                _ = store.add_to_training(&by_ref(training), role, &people(n), &settings, now);
            }
            Step::Drop(n, training) => _ = store.remove_from_training(&by_ref(training), &people(n), now),
            Step::Link(group, training, linked) => {
                if let Some(group) = store.groups.find(&by_ref(group)).map(|group| group.id) {
                    store.links.link(&store.users, group, self.trainings[training], linked);
                }
            }
            Step::DeleteGroup(group) => {
                if let Some(group) = store.groups.find(&by_ref(group)).map(|group| group.id) {
                    store.delete_group(group);
                }
            }
            Step::Erase(n) => {
                if let Some(id) = store.users.find(&Selector::Ref(user(n))).map(|user| user.id) {
                    store.erase_user(id);
                }
            }
            Step::Wait(seconds) => {
                self.now += SignedDuration::from_secs(seconds);
                store.settle(self.now, DELAY);
            }
        }
    }

    /// Every list holds exactly those whom the seats put there, in order.
    fn check(&self) {
        let links = &self.store.links;
        let with_seat = |seat: Seat| self.those(|user| links.visible_seats(user).any(|held| held == seat));
        for group in self.store.groups.in_order() {
            for role in [SeatRole::GroupParticipant, SeatRole::GroupManager] {
                let seat = Seat { role, target: group.id };
                self.same(links.visible(seat), &with_seat(seat));
            }
        }
        for target in self.trainings.iter().copied() {
            for role in SeatRole::OF_TRAININGS {
                let seat = Seat { role, target };
                self.same(links.visible(seat), &with_seat(seat));
            }
            let in_training = |user| links.trainings_of(user).iter().any(|(training, _)| *training == target);
            self.same(links.attendees(target), &self.those(in_training));
            let takes_part = |user| {
                links
                    .trainings_of(user)
                    .contains(&(target, SeatRole::TrainingParticipant))
            };
            self.same(links.participants(target), &self.those(takes_part));
        }
        self.same(self.store.users.index(), &self.those(|_| true));
    }

    fn those(&self, mut belongs: impl FnMut(Uuid) -> bool) -> BTreeSet<Uuid> {
        self.store
            .users
            .in_order()
            .map(|user| user.id)
            .filter(|id| belongs(*id))
            .collect()
    }

    fn same(&self, list: &UserIndex, expected: &BTreeSet<Uuid>) {
        for archived in [None, Some(false), Some(true)] {
            let users = expected.iter().filter_map(|id| self.store.users.get(*id));
            let mut keys: Vec<_> = users
                .filter(|user| archived.is_none_or(|archived| user.archived() == archived))
                .map(|user| name_key(&**user))
                .collect();
            keys.sort();
            assert!(
                list.with(archived).iter().eq(keys.iter()),
                "{archived:?}: {list:?} {keys:?}"
            );
        }
    }
}

fn user(n: usize) -> String {
    format!("user-{n}")
}

fn change(store: &mut Store, n: usize, draft: &UserDraft, now: Timestamp) {
    if let Some(id) = store.users.find(&Selector::Ref(user(n))).map(|user| user.id) {
        store.update_user(id, draft, now).expect("a valid change");
    }
}

proptest! {
    #[test]
    fn lists_agree_with_links(steps in proptest::collection::vec(step(), 0..80)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        // In the end what was accepted is what is visible.
        world.take(Step::Wait(DELAY.as_secs()));
        world.check();
        prop_assert!(world.store.is_settled());
        for group in world.store.groups.in_order() {
            let seat = Seat { role: SeatRole::GroupParticipant, target: group.id };
            let accepted: BTreeSet<_> = world.store.links.accepted(seat).collect();
            let visible: BTreeSet<_> = world.store.links.visible(seat).with(None).iter().map(|(_, id)| *id).collect();
            prop_assert_eq!(accepted, visible);
        }
    }
}
