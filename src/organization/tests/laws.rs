//! Whatever the order in which questions, answers, writes and other people's changes meet: nobody who exists reads as
//! absent, and nobody reads as they were before our own last acknowledged write.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    organization::{batch::Batch, state::Answers},
    plan::testing::{cases, participants},
    pluvo::{
        error::{Error, TransportError},
        response::Response,
    },
};

/// Managed users; there are others, so that lists have several pages.
const MANAGED: usize = 4;
const OTHERS: usize = 100;

/// What happens next. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody renames a managed user in Pluvo; the list is sorted by name.
    Rename(usize),
    /// Somebody joins the company.
    Join,
    /// Another user is archived, or comes back.
    Archive(usize),
    /// Another user is erased.
    Erase(usize),
    /// Pluvo shows the memberships that it has accepted.
    Show,
    /// A pass wants a managed user to have another name.
    WantName(usize),
    /// A pass wants a managed user in the group.
    WantMember(usize),
    /// The next questions leave.
    Ask,
    /// The next document of mutations leaves.
    Write,
    /// Pluvo works on something that is under way.
    Execute(usize),
    /// An answer arrives.
    Deliver(usize),
    /// An answer is lost, and nobody knows whether Pluvo has worked on it.
    Lose(usize),
    /// Time passes, in milliseconds.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..MANAGED).prop_map(Step::Rename),
        2 => Just(Step::Join),
        2 => (0..OTHERS).prop_map(Step::Archive),
        1 => (0..OTHERS).prop_map(Step::Erase),
        1 => Just(Step::Show),
        3 => (0..MANAGED).prop_map(Step::WantName),
        1 => (0..MANAGED).prop_map(Step::WantMember),
        6 => Just(Step::Ask),
        4 => Just(Step::Write),
        6 => (0..8_usize).prop_map(Step::Execute),
        8 => (0..8_usize).prop_map(Step::Deliver),
        1 => (0..8_usize).prop_map(Step::Lose),
        3 => (0..200_000_u64).prop_map(Step::Pass),
        6 => (0..1_000_u64).prop_map(Step::Pass),
    ]
}

/// Something under way, with its answer once Pluvo has worked on it.
enum Travelling {
    Questions(Inquiry, Option<Answers>),
    Mutations(Batch, Option<Response>),
}

struct World {
    scene: Scene,
    place: Place,
    managed: Vec<Id>,
    others: Vec<Id>,
    travelling: Vec<(Instant, Travelling)>,
    /// Names are numbers that grow, so that it shows which of two is the newer one.
    names: u64,
    /// The name that the last acknowledged write of a user had left.
    acknowledged: HashMap<Id, u64>,
    joined: Vec<Id>,
}

impl World {
    fn new() -> Self {
        let mut pluvo = Pluvo::default();
        let place = participants(&pluvo.has_group("all", json!({})));
        let managed = (0..MANAGED).map(|number| pluvo.has_user(&format!("M{number}"), json!({"name": "0"})));
        let managed = managed.collect();
        let others =
            (0..OTHERS).map(|number| pluvo.has_user(&format!("O{number}"), json!({"name": format!("{number}x")})));
        let others = others.collect();
        pluvo.slow = true;
        let mut scene = Scene::new(pluvo);
        let patient = Settings {
            visibility_timeout: Duration::from_hours(1000),
            ..Settings::default()
        };
        scene.state.reconfigure(patient, scene.now);
        let mut world = Self {
            scene,
            place,
            managed,
            others,
            travelling: Vec::new(),
            names: 0,
            acknowledged: HashMap::new(),
            joined: Vec::new(),
        };
        world.check();
        world
    }

    fn take(&mut self, step: &Step) {
        self.scene.tick(Duration::from_millis(1));
        match *step {
            Step::Rename(number) => {
                let name = self.new_name();
                self.scene.pluvo.users.get_mut(&self.managed[number]).unwrap().name = name.as_str().into();
            }
            Step::Join => {
                let number = self.others.len();
                let more = json!({"name": format!("{number}y")});
                self.others.push(self.scene.pluvo.has_user(&format!("O{number}"), more));
            }
            Step::Archive(number) => {
                if let Some(user) = self.scene.pluvo.users.get_mut(&self.others[number]) {
                    user.archived = !user.archived;
                }
            }
            Step::Erase(number) => drop(self.scene.pluvo.users.remove(&self.others[number])),
            Step::Show => self.scene.pluvo.show(),
            Step::WantName(number) => {
                let call = rename(&self.managed[number].clone(), &self.new_name());
                self.scene.submit(&reader(&format!("M{number}")), vec![call]);
            }
            Step::WantMember(number) => {
                let call = add(&self.place, &self.managed[number..=number]);
                self.scene.submit(&reader(&format!("member{number}")), vec![call]);
            }
            Step::Ask => {
                if let Next::Send(inquiry) = self.scene.state.next_inquiry(self.scene.now) {
                    self.travelling
                        .push((self.scene.now, Travelling::Questions(inquiry, None)));
                }
            }
            Step::Write => {
                if let Next::Send(batch) = self.scene.state.next_batch(&|_| false, self.scene.now) {
                    self.travelling
                        .push((self.scene.now, Travelling::Mutations(batch, None)));
                }
            }
            Step::Execute(choice) => self.execute(choice),
            Step::Deliver(choice) => self.deliver(choice),
            Step::Lose(choice) => self.lose(choice),
            Step::Pass(milliseconds) => self.scene.tick(Duration::from_millis(milliseconds)),
        }
    }

    fn new_name(&mut self) -> String {
        self.names += 1;
        self.names.to_string()
    }

    fn chosen(&self, choice: usize) -> Option<usize> {
        (!self.travelling.is_empty()).then(|| choice % self.travelling.len())
    }

    fn execute(&mut self, choice: usize) {
        let Some(index) = self.chosen(choice) else { return };
        match &mut self.travelling[index].1 {
            Travelling::Questions(inquiry, answers) => {
                answers.get_or_insert_with(|| server::answers(&self.scene.pluvo, inquiry));
            }
            Travelling::Mutations(batch, response) => {
                response.get_or_insert_with(|| server::execute(&mut self.scene.pluvo, batch));
            }
        }
    }

    fn deliver(&mut self, choice: usize) {
        self.execute(choice);
        let Some(index) = self.chosen(choice) else { return };
        let (sent, answer) = self.travelling.remove(index);
        let now = self.scene.now;
        match answer {
            Travelling::Questions(inquiry, Some(answers)) => {
                self.scene.state.inquiry_answered(inquiry, answers, sent, now);
            }
            Travelling::Mutations(batch, Some(response)) => {
                self.note_acknowledged(&batch, &response);
                self.scene.state.batch_finished(&batch, Ok(response), sent, now);
            }
            Travelling::Questions(_, None) | Travelling::Mutations(_, None) => unreachable!("it was executed"),
        }
    }

    fn note_acknowledged(&mut self, batch: &Batch, response: &Response) {
        for (index, entry) in batch.entries.iter().enumerate() {
            if let Some(user) = response.answer(index).and_then(|answer| answer.get("user")) {
                let id = Id::from(user["id"].as_str().unwrap());
                self.acknowledged
                    .insert(id, user["name"].as_str().unwrap().parse().unwrap());
            } else {
                self.joined.extend(entry.users().into_iter().cloned());
            }
        }
    }

    fn lose(&mut self, choice: usize) {
        let Some(index) = self.chosen(choice) else { return };
        let (sent, lost) = self.travelling.remove(index);
        let error = Error::Transport(TransportError::Timeout);
        let now = self.scene.now;
        match lost {
            Travelling::Questions(inquiry, _) => {
                self.scene.state.failed(error, now);
                self.scene.state.inquiry_failed(&inquiry);
            }
            Travelling::Mutations(batch, _) => {
                self.scene.state.batch_finished(&batch, Err(error), sent, now);
            }
        }
    }

    /// What must hold at every moment.
    fn check(&mut self) {
        for number in 0..MANAGED {
            let id = self.managed[number].clone();
            let by_id = self.scene.look(&reader("by-id"), |view| view.user_by_id(&id));
            assert_ne!(by_id, Lookup::Absent, "M{number} exists");
            match self.scene.user(&format!("M{number}")) {
                Lookup::Absent => panic!("M{number} exists"),
                Lookup::Unknown => {}
                Lookup::Found(name) => {
                    let acknowledged = self.acknowledged.get(&id).copied().unwrap_or_default();
                    assert!(
                        name.parse::<u64>().unwrap() >= acknowledged,
                        "M{number} reads as {name}, before {acknowledged}"
                    );
                }
            }
        }
        for id in self.joined.clone() {
            assert_ne!(
                self.scene.presence(&self.place.clone(), &id),
                Presence::Absent,
                "{id} was let in"
            );
        }
    }

    /// Everything under way arrives, and a sweep that nobody disturbs follows.
    fn come_to_rest(&mut self) {
        while !self.travelling.is_empty() {
            self.scene.tick(Duration::from_millis(1));
            self.deliver(0);
        }
        for number in 0..MANAGED {
            self.scene.submit(&reader(&format!("M{number}")), Vec::new());
            self.scene.submit(&reader(&format!("member{number}")), Vec::new());
        }
        self.scene.pluvo.show();
        // Somebody who needs the lists reads along.
        let place = self.place.clone();
        self.scene.look(&reader("exclusive"), |view| {
            view.everybody(&place).found().map(|users| users.len())
        });
        for _ in 0..2 {
            self.scene.sweep();
        }
    }

    /// What must hold when nothing happens any more.
    fn check_equality(&mut self) {
        let mut known: Vec<_> = self.scene.state.mirror.users().map(|user| (**user).clone()).collect();
        known.sort_by(|one, other| one.id.cmp(&other.id));
        let mut users: Vec<_> = self.scene.pluvo.users.values().cloned().collect();
        users.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(known, users);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_order_of_events_shows_what_never_was(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
        world.come_to_rest();
        world.check();
        world.check_equality();
    }
}
