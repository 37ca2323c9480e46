//! Tasks that must go on for as long as the operator runs.
//!
//! - A panic, in whatever task, ends the process at once ([`exit_on_panic`]): nobody may see what it left half done.
//! - A task that ends although nothing asked it to is a failure, which ends the process ([`Supervisor::failed`]).
//! - A task that is busy with one item for too long is stuck ([`Supervisor::stuck`]): `/healthz` names it.
//!
//! An item is whatever a task takes from its queue: an event of a watch, a pass, a request. A task without an item is
//! idle, however long that lasts. An item may wait for a slow API server, or for Pluvo with all its repetitions and
//! pauses; [`PATIENCE`] is longer than both take.

#[cfg(debug_assertions)]
mod fault;
#[cfg(test)]
mod tests;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    collections::BTreeMap,
    future::Future,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// How long a task may be busy with one item.
pub const PATIENCE: Duration = Duration::from_mins(20);

tokio::task_local! {
    static CURRENT: Arc<Task>;
}

/// Starts tasks and knows how they are. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Supervisor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    patience: Duration,
    tasks: Mutex<Vec<Arc<Task>>>,
    failed: watch::Sender<Option<TaskEnded>>,
}

/// A task has ended although nothing asked it to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task `{0}` has ended, and nothing asked it to; the operator cannot go on without it")]
pub struct TaskEnded(Arc<str>);

#[derive(Debug)]
struct Task {
    name: Arc<str>,
    items: Mutex<Items>,
    #[cfg(debug_assertions)]
    fault: fault::Fault,
}

/// What a task is busy with: when each item was begun.
#[derive(Debug, Default)]
struct Items {
    begun: BTreeMap<u64, Instant>,
    last: u64,
}

/// An item that a task is busy with; it ends when this is dropped.
#[derive(Debug)]
pub struct Item(Option<(Arc<Task>, u64)>);

impl Drop for Item {
    fn drop(&mut self) {
        if let Some((task, number)) = &self.0 {
            task.items.lock().begun.remove(number);
        }
    }
}

/// The task that something runs in, to be carried into tasks that do a part of its work.
#[derive(Clone, Debug)]
pub struct Current(Option<Arc<Task>>);

impl Current {
    /// The task at hand; none outside of those that a [`Supervisor`] has started.
    #[must_use]
    pub fn get() -> Self {
        Self(CURRENT.try_with(Arc::clone).ok())
    }

    /// Runs a future as a part of the task.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        match self.0 {
            Some(task) => CURRENT.scope(task, future).await,
            None => future.await,
        }
    }
}

/// The task at hand begins an item.
pub async fn begin() -> Item {
    let Some(task) = Current::get().0 else {
        return Item(None);
    };
    let item = task.begin();
    #[cfg(debug_assertions)]
    task.fault.strike().await;
    item
}

impl Task {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            items: Mutex::default(),
            #[cfg(debug_assertions)]
            fault: fault::Fault::of(name),
        }
    }

    fn begin(self: &Arc<Self>) -> Item {
        let mut items = self.items.lock();
        items.last = items.last.wrapping_add(1);
        let number = items.last;
        items.begun.insert(number, Instant::now());
        drop(items);
        Item(Some((self.clone(), number)))
    }

    /// For how long it has been busy with what it began first.
    fn busy_for(&self) -> Option<Duration> {
        self.items.lock().begun.values().min().map(Instant::elapsed)
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Supervisor {
    /// Without tasks. One that is busy with an item for longer than `patience` is stuck.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Shared {
            patience,
            tasks: Mutex::default(),
            failed: watch::Sender::new(None),
        }))
    }

    /// Starts a task, which may end only after `stopping` has become true. Names tell tasks apart in errors.
    pub fn spawn(
        &self,
        name: &str,
        stopping: watch::Receiver<bool>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let task = Arc::new(Task::new(name));
        let listed = Listed {
            shared: self.0.clone(),
            task: task.clone(),
        };
        self.0.tasks.lock().push(task.clone());
        #[cfg(debug_assertions)]
        let future = fault::ending(task.clone(), future);
        tokio::spawn(async move {
            CURRENT.scope(task, future).await;
            if !*stopping.borrow() {
                listed.fail();
            }
        })
    }

    /// Waits until a task has ended that must not.
    pub async fn failed(&self) -> TaskEnded {
        let mut failures = self.0.failed.subscribe();
        loop {
            if let Some(failure) = failures.borrow_and_update().clone() {
                return failure;
            }
            if failures.changed().await.is_err() {
                // The sender is ours.
                std::future::pending::<()>().await;
            }
        }
    }

    /// A sentence for each task that is stuck, and for the one that is gone.
    #[must_use]
    pub fn stuck(&self) -> Vec<String> {
        let gone = self.0.failed.borrow().as_ref().map(ToString::to_string);
        let tasks = self.0.tasks.lock();
        let stuck = tasks.iter().filter_map(|task| {
            let busy = task.busy_for().filter(|busy| *busy > self.0.patience)?;
            Some(format!(
                "the task `{}` is stuck: it has been busy with one thing for {}s",
                task.name,
                busy.as_secs()
            ))
        });
        stuck.chain(gone).collect()
    }
}

/// A task among those that are looked after, until it is gone.
struct Listed {
    shared: Arc<Shared>,
    task: Arc<Task>,
}

impl Listed {
    fn fail(&self) {
        let failure = TaskEnded(self.task.name.clone());
        self.shared.failed.send_replace(Some(failure));
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shared.tasks.lock().retain(|task| !Arc::ptr_eq(task, &self.task));
    }
}

/// From now on a panic ends the process, whatever task it is in: the locks that it held are open, and what they guard may
/// be half changed. What the panic says is left out of the log, because it may quote a value; the place is in it.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let task = CURRENT.try_with(|task| format!("in the task `{}`", task.name));
        let task = task.unwrap_or_else(|_| "in no named task".to_owned());
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log(&format!(
            "panicked at {place}, {task}: a mistake in pluvo-operator; please report it. The process ends"
        ));
        // With RUST_BACKTRACE=1.
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            log(&trace.to_string());
        }
        std::process::exit(101);
    }));
}

fn log(message: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{message}");
    } else {
        eprintln!("error: {message}");
    }
}
