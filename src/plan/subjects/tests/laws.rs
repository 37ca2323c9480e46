//! Whatever is declared, undeclared and deleted in whatever order: the group ends with the union.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use crate::{
    api::Kind,
    plan::{ResourceKey, testing},
};

use super::{Rnd, concat};

const PEOPLE: [&str; 4] = ["A", "B", "C", "D"];

/// Something that people do.
#[derive(Clone, Debug)]
enum Step {
    /// A membership of this number declares these.
    Declare(u8, BTreeSet<&'static str>),
    Delete(u8),
    /// Somebody takes a person out in Pluvo.
    Lose(&'static str),
    /// The operator looks at one membership and sends one call.
    Pass(u8),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let people = || proptest::sample::subsequence(PEOPLE.to_vec(), 0..=4);
    prop_oneof![
        3 => (0..3u8, people()).prop_map(|(name, people)| Step::Declare(name, people.into_iter().collect())),
        1 => (0..3u8).prop_map(Step::Delete),
        1 => proptest::sample::select(PEOPLE.to_vec()).prop_map(Step::Lose),
        4 => (0..3u8).prop_map(Step::Pass),
        1 => Just(Step::Settle),
    ]
}

/// What must come of it: everybody whom somebody declares, and those who were there before and were left alone.
struct Expected {
    declared: [Option<BTreeSet<&'static str>>; 3],
    strangers: BTreeSet<&'static str>,
}

impl Expected {
    fn members(&self, exclusive: bool) -> BTreeSet<String> {
        let strangers = self.strangers.iter().filter(|_| !exclusive);
        let all = self.declared.iter().flatten().flatten().chain(strangers);
        all.map(|name| (*name).to_owned()).collect()
    }
}

fn key(name: u8) -> ResourceKey {
    ResourceKey::new(Kind::Membership, "hr", &name.to_string())
}

fn take(rnd: &mut Rnd, expected: &mut Expected, step: Step, policies: [&str; 3]) {
    match step {
        Step::Declare(name, people) => {
            let key = key(name);
            let index = usize::from(name);
            let users: Vec<_> = people.iter().collect();
            if rnd.cluster.exists(&key) && expected.declared[index].is_some() {
                rnd.cluster.edit(&key, json!({"users": users}));
            } else if !rnd.cluster.exists(&key) {
                let more = json!({"users": users, "policy": policies[index], "allowEmpty": true});
                rnd.membership(&name.to_string(), [], more);
            } else {
                // Its deletion is still under way: it cannot be declared anew.
                return;
            }
            expected.declared[index] = Some(people);
        }
        Step::Delete(name) => {
            if rnd.cluster.exists(&key(name)) {
                rnd.cluster.delete(&key(name));
            }
            expected.declared[usize::from(name)] = None;
        }
        // Who was there before and is put back counts as there before: such people are left alone here.
        Step::Lose(person) if expected.strangers.contains(person) => {}
        Step::Lose(person) => rnd.loses([person]),
        Step::Pass(name) => {
            if rnd.cluster.exists(&key(name))
                && let Some(head) = rnd.cluster.pass(&key(name)).calls.first()
            {
                rnd.cluster.pluvo.execute(head);
            }
        }
        Step::Settle => drop(rnd.cluster.settle()),
    }
}

fn run(steps: Vec<Step>, before: Vec<&'static str>, policies: [&str; 3]) -> (Rnd, Expected) {
    let mut rnd = Rnd::default();
    for person in &before {
        rnd.holds([*person]);
    }
    let mut expected = Expected {
        declared: [const { None }; 3],
        strangers: before.into_iter().collect(),
    };
    for step in steps {
        take(&mut rnd, &mut expected, step, policies);
    }
    (rnd, expected)
}

proptest! {
    #![proptest_config(testing::cases(400))]

    #[test]
    fn what_all_plan_together_converges_to_the_union(
        steps in proptest::collection::vec(step(), 1..14),
        before in proptest::sample::subsequence(PEOPLE.to_vec(), 0..=4),
    ) {
        let (mut rnd, expected) = run(steps, before, ["Owned"; 3]);
        rnd.cluster.settle();
        prop_assert_eq!(rnd.members(), concat(&expected.members(false)));
        prop_assert_eq!(rnd.cluster.settle(), [], "a fixpoint");
    }

    #[test]
    fn an_exclusive_one_leaves_nobody_but_the_union(
        steps in proptest::collection::vec(step(), 1..14),
        before in proptest::sample::subsequence(PEOPLE.to_vec(), 0..=4),
        last in proptest::sample::subsequence(PEOPLE.to_vec(), 0..=4),
    ) {
        let (mut rnd, mut expected) = run(steps, before, ["Owned", "Exclusive", "Additive"]);
        rnd.cluster.settle();
        let all = [Step::Declare(1, last.into_iter().collect()), Step::Settle];
        for step in all {
            take(&mut rnd, &mut expected, step, ["Owned", "Exclusive", "Additive"]);
        }
        prop_assert_eq!(rnd.members(), concat(&expected.members(true)));
        prop_assert_eq!(rnd.cluster.settle(), [], "a fixpoint");
    }
}
