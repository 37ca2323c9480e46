use proptest::prelude::*;

use crate::{
    plan::{
        Cause,
        call::{Destruction, Origin},
        observed::Place,
        testing::resource,
    },
    pluvo::{
        model::Id,
        request::{GroupRole, Keys, MembershipChange, Mutation, UserInput},
    },
};

use super::*;

const SETTLE: Duration = Duration::from_secs(10);

/// A guard in the middle of a day.
struct Watch {
    guard: Guard,
    begin: Instant,
    now: Instant,
}

fn settings() -> GuardSettings {
    GuardSettings {
        count: 3,
        percent: 10,
        ..GuardSettings::default()
    }
}

impl Watch {
    /// Everything was read, and `active_users` are active.
    fn new(active_users: usize) -> Self {
        let now = Instant::now();
        let mut watch = Self {
            guard: Guard::new(settings(), GuardRecord::default()),
            begin: now,
            now,
        };
        watch.guard.everything_was_read(active_users, now);
        watch
    }

    /// The process ends and another one begins: it knows what was recorded, and reads everything.
    fn restart(&mut self, record: GuardRecord, active_users: usize) {
        self.guard = Guard::new(settings(), record);
        self.guard.everything_was_read(active_users, self.now);
    }

    fn wall(&self) -> Timestamp {
        let noon = Timestamp::from_second(1_800_000_000).unwrap();
        noon.checked_add(self.now.duration_since(self.begin)).unwrap()
    }

    fn pass_time(&mut self, by: Duration) {
        self.now += by;
        self.judge();
    }

    fn judge(&mut self) -> Judgement {
        let wall = self.wall();
        self.guard.judge(self.now, wall)
    }

    fn wants(&mut self, name: &str, calls: &[Call]) {
        self.guard
            .replace(&resource(name), calls.iter(), std::iter::empty(), self.now);
    }

    fn record(&mut self) -> GuardRecord {
        let report = self.guard.report();
        self.guard.recorded(report.revision);
        report.record
    }

    /// What of the calls leaves now.
    fn leaving_now(&mut self, name: &str, calls: &[Call]) -> Vec<Call> {
        let admitted = calls.iter().filter_map(|call| self.guard.admit(&resource(name), call));
        let admitted: Vec<_> = admitted.collect();
        for call in &admitted {
            self.guard.depart(&resource(name), call);
        }
        admitted
    }

    /// What of the calls leaves, once the record is written.
    fn leaving(&mut self, name: &str, calls: &[Call]) -> Vec<Call> {
        self.record();
        self.leaving_now(name, calls)
    }

    /// How many count.
    fn count(&self) -> usize {
        self.guard.report().record.sum().destructive
    }

    fn shorten_the_window(&mut self, window: Duration) {
        let settings = GuardSettings { window, ..settings() };
        self.guard.reconfigure(settings, self.now);
    }

    fn held(&self) -> Option<Held> {
        self.guard.report().held
    }
}

fn archive(name: &str) -> Call {
    let user = UserInput {
        archived: Some(true),
        ..UserInput::default()
    };
    let mutation = Mutation::UpdateUser {
        id: Id::from(name),
        user,
    };
    Call {
        destruction: Destruction::of(&mutation, false),
        action: Action::Mutate(mutation),
        cause: Cause::Change,
        mails: Vec::new(),
        writes: vec![Write::of(name, "archived", "true")],
        origin: Origin::default(),
    }
}

fn remove(users: &[String]) -> Call {
    Call {
        action: Action::Subjects {
            place: Place::Group(Id::from("g"), GroupRole::Participant),
            change: MembershipChange::Remove,
            users: users
                .iter()
                .map(|user| Keys {
                    id: Id::from(user.as_str()),
                    reference: user.as_str().into(),
                })
                .collect(),
            mail: false,
        },
        cause: Cause::Change,
        mails: Vec::new(),
        writes: users.iter().map(|user| Write::of("m", user, "out")).collect(),
        destruction: Some(Destruction::Remove),
        origin: Origin::default(),
    }
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("EMP-{number}")).collect()
}

fn names(calls: &[Call]) -> usize {
    calls.iter().map(|call| call.writes.len()).sum()
}

#[test]
fn what_has_settled_leaves_once_it_is_recorded() {
    let mut watch = Watch::new(0);
    watch.pass_time(SETTLE);
    watch.wants("a", &[archive("a")]);
    watch.pass_time(SETTLE.saturating_sub(Duration::from_millis(1)));
    assert!(watch.leaving("a", &[archive("a")]).is_empty(), "it settles");
    watch.pass_time(Duration::from_millis(1));
    assert!(
        watch.guard.admit(&resource("a"), &archive("a")).is_none(),
        "it is not recorded yet"
    );
    assert_eq!(watch.guard.about_to_leave(), BTreeSet::from([resource("a")]));
    assert_eq!(watch.leaving("a", &[archive("a")]).len(), 1);
    assert_eq!(watch.count(), 1);
}

#[test]
fn what_never_leaves_does_not_count() {
    let mut watch = Watch::new(0);
    for name in ["a", "b", "c"] {
        watch.wants(name, &[archive(name)]);
    }
    watch.pass_time(SETTLE);
    watch.record();
    assert_eq!(watch.count(), 3);
    assert_eq!(watch.leaving_now("a", &[archive("a")]).len(), 1);
    watch.wants("a", &[]);
    watch.wants("b", &[]);
    assert_eq!(watch.count(), 2, "one has left, and one may still leave");
    watch.pass_time(watch.guard.to_leave());
    assert_eq!(watch.count(), 2, "it is let through anew, and counts once");
    assert_eq!(watch.leaving("c", &[archive("c")]).len(), 1);
    assert_eq!(watch.held(), None);
}

#[test]
fn what_fails_leaves_again_as_it_was_let_through() {
    let mut watch = Watch::new(0);
    let calls = [archive("a")];
    watch.wants("a", &calls);
    watch.pass_time(SETTLE);
    assert_eq!(watch.leaving("a", &calls).len(), 1);
    watch.wants("a", &calls);
    assert_eq!(watch.leaving_now("a", &calls).len(), 1);
    assert_eq!(watch.count(), 1);
    watch.pass_time(watch.guard.to_leave());
    watch.wants("a", &calls);
    watch.judge();
    assert!(watch.leaving_now("a", &calls).is_empty(), "so late it is judged anew");
    assert_eq!(watch.leaving("a", &calls).len(), 1);
    assert_eq!(watch.count(), 2, "it may have been carried out both times");
}

#[test]
fn what_a_short_window_lets_through_has_time_to_be_recorded() {
    let mut watch = Watch::new(0);
    watch.shorten_the_window(Duration::from_mins(1));
    watch.wants("a", &[archive("a")]);
    watch.pass_time(SETTLE);
    let revision = watch.guard.report().revision;
    watch.pass_time(TO_LEAVE.saturating_sub(Duration::from_millis(1)));
    watch.guard.recorded(revision);
    assert_eq!(watch.leaving_now("a", &[archive("a")]).len(), 1);
    assert_eq!(watch.count(), 1);
}

#[test]
fn a_wave_is_held_as_a_whole_and_the_larger_limit_counts() {
    for (active, wave, held) in [(0, 3, false), (0, 4, true), (100, 10, false), (100, 11, true)] {
        let mut watch = Watch::new(active);
        let gone = remove(&users(wave));
        watch.wants("m", std::slice::from_ref(&gone));
        watch.pass_time(SETTLE);
        let left = watch.leaving("m", std::slice::from_ref(&gone));
        assert_eq!(names(&left), if held { 0 } else { wave }, "{wave} of {active}");
        assert_eq!(watch.held().map(|held| held.amounts.destructive), held.then_some(wave));
        assert_eq!(watch.guard.holds(&resource("m"), &gone), held);
    }
}

#[test]
fn nothing_is_judged_before_everything_was_read() {
    let mut watch = Watch::new(0);
    watch.guard = Guard::new(settings(), GuardRecord::default());
    watch.wants("a", &[archive("a")]);
    watch.pass_time(SETTLE * 100);
    assert!(watch.leaving("a", &[archive("a")]).is_empty());
    watch.guard.everything_was_read(0, watch.now);
    watch.pass_time(SETTLE);
    assert_eq!(watch.leaving("a", &[archive("a")]).len(), 1);
}

#[test]
fn who_comes_later_settles_later() {
    let mut watch = Watch::new(0);
    watch.wants("m", &[remove(&users(1))]);
    watch.pass_time(SETTLE / 2);
    let two = remove(&users(2));
    watch.wants("m", std::slice::from_ref(&two));
    watch.pass_time(SETTLE / 2);
    assert_eq!(names(&watch.leaving("m", std::slice::from_ref(&two))), 1);
    watch.pass_time(SETTLE / 2);
    assert_eq!(names(&watch.leaving("m", &[two])), 1, "the other is under way");
}

#[test]
fn an_approval_releases_one_set_once() {
    let mut watch = Watch::new(0);
    let wave = remove(&users(5));
    watch.wants("m", std::slice::from_ref(&wave));
    watch.pass_time(SETTLE);
    let digest = watch.held().unwrap().digest;
    assert!(!watch.guard.approve("0123", watch.now), "another digest");
    // One more in the set, and it is another set.
    let larger = remove(&users(6));
    watch.wants("m", std::slice::from_ref(&larger));
    assert!(!watch.guard.approve(&digest, watch.now));
    watch.wants("m", std::slice::from_ref(&wave));
    assert_eq!(watch.held().unwrap().digest, digest);
    assert!(watch.guard.approve(&digest, watch.now));
    assert_eq!(watch.leaving("m", std::slice::from_ref(&wave)).len(), 1);
    assert_eq!(watch.held(), None);
    // They are brought back and are to go again: the same set has another digest.
    watch.wants("m", &[]);
    watch.wants("m", std::slice::from_ref(&wave));
    watch.pass_time(SETTLE);
    assert_ne!(watch.held().unwrap().digest, digest);
    assert!(!watch.guard.approve(&digest, watch.now));
    assert!(watch.leaving("m", &[wave]).is_empty());
}

#[test]
fn what_an_approval_released_leaves_room_for_what_happens_every_day() {
    let mut watch = Watch::new(0);
    let wave = remove(&users(5));
    watch.wants("m", std::slice::from_ref(&wave));
    watch.pass_time(SETTLE);
    let digest = watch.held().unwrap().digest;
    assert!(watch.guard.approve(&digest, watch.now));
    assert_eq!(watch.leaving("m", &[wave]).len(), 1);
    watch.wants("a", &[archive("a")]);
    watch.pass_time(SETTLE);
    assert_eq!(watch.leaving("a", &[archive("a")]).len(), 1);
}

#[test]
fn what_is_held_leaves_when_it_is_few_enough_again() {
    let mut watch = Watch::new(0);
    for name in ["a", "b", "c", "d"] {
        watch.wants(name, &[archive(name)]);
    }
    watch.pass_time(SETTLE);
    assert!(watch.held().is_some());
    watch.wants("d", &[]);
    watch.pass_time(TELL);
    assert_eq!(watch.held(), None);
    assert_eq!(watch.leaving("a", &[archive("a")]).len(), 1);
}

#[test]
fn what_is_held_leaves_when_the_window_has_moved_on() {
    let mut watch = Watch::new(0);
    let three = remove(&users(3));
    watch.wants("m", std::slice::from_ref(&three));
    watch.pass_time(SETTLE);
    assert_eq!(watch.leaving("m", &[three]).len(), 1);
    watch.wants("m", &[]);
    watch.wants("a", &[archive("a")]);
    watch.pass_time(SETTLE);
    assert!(watch.held().is_some());
    let due = watch.guard.due().expect("it looks again when the window has moved on");
    let wait = due - watch.now;
    watch.pass_time(wait);
    assert_eq!(watch.leaving("a", &[archive("a")]).len(), 1);
}

#[test]
fn mails_have_a_limit_of_their_own() {
    let mut watch = Watch::new(0);
    watch.guard.reconfigure(
        GuardSettings {
            max_mails: 1,
            ..settings()
        },
        watch.now,
    );
    let mail = |name: &str| Call {
        mails: vec![name.to_owned()],
        destruction: None,
        writes: vec![Write::of(name, "ref", name)],
        ..archive(name)
    };
    for name in ["a", "b"] {
        watch.wants(name, &[mail(name)]);
    }
    watch.wants("c", &[archive("c")]);
    watch.pass_time(SETTLE);
    assert_eq!(
        watch.held().unwrap().amounts,
        Amounts {
            destructive: 0,
            mails: 2
        }
    );
    assert!(watch.leaving("a", &[mail("a")]).is_empty());
    assert_eq!(watch.leaving("c", &[archive("c")]).len(), 1, "it tells nobody");
}

#[derive(Clone, Debug)]
enum Step {
    Want(u8),
    Unwant(u8),
    Wait(u64),
    Record,
    Send,
    Fail,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..30_u8).prop_map(Step::Want),
        1 => (0..30_u8).prop_map(Step::Unwant),
        4 => (0..900_u64).prop_map(Step::Wait),
        3 => Just(Step::Record),
        3 => Just(Step::Send),
        1 => Just(Step::Fail),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever is wanted when, whatever is recorded, fails, and whenever the process ends: in no window leaves more than
    /// the limit, and nothing before it has settled.
    #[test]
    fn no_window_holds_more_than_the_limit(steps in steps(), active in 0..60_usize, minutes in 1..=60_u64) {
        let window = Duration::from_mins(minutes);
        let limit = settings().count.max(active * settings().percent / 100);
        let mut watch = Watch::new(active);
        watch.shorten_the_window(window);
        let mut recorded = GuardRecord::default();
        let mut wanted = BTreeMap::new();
        let mut sent: Vec<Instant> = Vec::new();
        for step in steps {
            match step {
                Step::Want(number) => {
                    let name = number.to_string();
                    watch.wants(&name, &[archive(&name)]);
                    wanted.entry(number).or_insert(watch.now);
                }
                Step::Unwant(number) => {
                    watch.wants(&number.to_string(), &[]);
                    wanted.remove(&number);
                }
                Step::Wait(seconds) => watch.pass_time(Duration::from_secs(seconds)),
                Step::Record => recorded = watch.record(),
                Step::Send | Step::Fail => {
                    let numbers: Vec<_> = wanted.keys().copied().collect();
                    for number in numbers {
                        let name = number.to_string();
                        let calls = [archive(&name)];
                        if watch.leaving_now(&name, &calls).is_empty() {
                            continue;
                        }
                        prop_assert!(wanted[&number] + SETTLE <= watch.now, "it had not settled");
                        if matches!(step, Step::Fail) {
                            watch.wants(&name, &calls);
                        } else {
                            sent.push(watch.now);
                            wanted.remove(&number);
                            watch.wants(&name, &[]);
                        }
                    }
                }
                Step::Restart => {
                    watch.restart(recorded.clone(), active);
                    watch.shorten_the_window(window);
                    for (number, since) in &mut wanted {
                        let name = number.to_string();
                        watch.wants(&name, &[archive(&name)]);
                        *since = watch.now;
                    }
                }
            }
        }
        let parts = watch.guard.counts().as_millis().div_ceil(watch.guard.part().as_millis());
        prop_assert!(watch.guard.record.passed.len() <= usize::try_from(parts).unwrap() + 1);
        for (index, begin) in sent.iter().enumerate() {
            let within = sent[index..].iter().filter(|at| **at < *begin + window).count();
            prop_assert!(within <= limit, "{within} within {window:?}, {limit} allowed");
        }
    }
}

/// A wave is held, the process ends, and the wave is taken back before the next one judges.
#[test]
fn the_first_judgement_is_told_although_it_holds_nothing() {
    let mut watch = Watch::new(0);
    let calls: Vec<_> = (0..4).map(|number| archive(&number.to_string())).collect();
    watch.wants("all", &calls);
    watch.pass_time(SETTLE);
    assert!(watch.held().is_some());
    let record = watch.record();
    watch.restart(record, 0);
    watch.wants("all", &calls);
    assert!(!watch.guard.report().judging, "what was told stands");
    watch.wants("all", &[]);
    watch.now += SETTLE;
    assert!(watch.judge().news && watch.guard.report().judging && watch.held().is_none());
    watch.now += SETTLE;
    assert!(!watch.judge().news, "once");
}
