//! Faults of tasks, for tests: `PLUVO_TEST_FAULT="watch of PluvoUser: panic"` has the task of that name panic, `end` or
//! `hang` when it begins its first item. Release builds know nothing of it.

use std::{
    future::{Future, pending},
    sync::{Arc, LazyLock},
};

use tokio::sync::Notify;

use super::Task;

/// What is to become of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Panic,
    End,
    Hang,
}

/// The fault of one task, if there is one.
#[derive(Debug)]
pub(super) struct Fault {
    kind: Option<Kind>,
    ends: Notify,
}

impl Fault {
    pub fn of(task: &str) -> Self {
        static PLANNED: LazyLock<Option<(String, Kind)>> =
            LazyLock::new(|| parse(&std::env::var("PLUVO_TEST_FAULT").ok()?));
        let planned = PLANNED.as_ref().filter(|(name, _)| name == task);
        Self {
            kind: planned.map(|(_, kind)| *kind),
            ends: Notify::new(),
        }
    }

    /// An item has begun.
    #[allow(clippy::panic, reason = "a test asks for it")]
    pub async fn strike(&self) {
        match self.kind {
            None => return,
            Some(Kind::Panic) => panic!("PLUVO_TEST_FAULT asks for it"),
            Some(Kind::End) => self.ends.notify_one(),
            Some(Kind::Hang) => {}
        }
        pending::<()>().await;
    }
}

fn parse(text: &str) -> Option<(String, Kind)> {
    let (name, kind) = text.rsplit_once(": ")?;
    let kind = match kind {
        "panic" => Kind::Panic,
        "end" => Kind::End,
        "hang" => Kind::Hang,
        _ => return None,
    };
    Some((name.to_owned(), kind))
}

/// A future that ends early if the fault of its task says so.
pub(super) async fn ending(task: Arc<Task>, future: impl Future<Output = ()>) {
    tokio::select! {
        () = task.fault.ends.notified() => {}
        () = future => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_task() {
        assert_eq!(
            parse("reads of a/b: hang"),
            Some(("reads of a/b".to_owned(), Kind::Hang))
        );
        assert_eq!(parse("reads of a/b: cough"), None);
        assert_eq!(parse("reads"), None);
    }
}
